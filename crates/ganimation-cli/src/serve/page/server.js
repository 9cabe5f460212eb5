// All requests to the server, and their answers.

/** A refusal in the server's words: what went wrong, and what helps. */
export class Refusal extends Error {
  constructor(status, { error, hint }) {
    super(error);
    this.status = status;
    this.hint = hint ?? "";
  }
}

async function ask(path, options) {
  // Because of this header, pages of other sites need the server's permission, which it never gives.
  const headers = { "X-Ganimation": "page", ...options.headers };
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, { error: "The server does not answer.", hint: "Is `ganimation serve` still running?" });
  }
  if (response.ok) return response;
  const unsaid = { error: `The server answers ${response.status}.` };
  throw new Refusal(response.status, await response.json().catch(() => unsaid));
}

const post = (path, body, signal) => ask(path, { method: "POST", body, signal });
const postJson = (path, value, signal) =>
  ask(path, {
    method: "POST",
    body: JSON.stringify(value),
    headers: { "Content-Type": "application/json" },
    signal,
  });

/** Action units, emotions, samples and limits. */
export const facts = async () => (await ask("api/facts", {})).json();

async function photo(response) {
  const form = await response.formData();
  return { ...JSON.parse(form.get("facts")), picture: await createImageBitmap(form.get("photo")) };
}

/** Sends a photo; the server keeps it for a while under a name that it makes up. */
export const openPhoto = async (file) => photo(await post("api/photo", file));

/** The same with a portrait that the server brings along. */
export const openSample = async (id) => photo(await post(`api/sample/${id}`));

/** The part of the photo that changes, with the attention mask of each face. */
export async function edit(wanted, signal) {
  const form = await (await postJson("api/edit", wanted, signal)).formData();
  const facts = JSON.parse(form.get("facts"));
  const pictures = [form.get("patch"), ...form.getAll("attention")].map((part) => createImageBitmap(part));
  const [patch, ...masks] = await Promise.all(pictures);
  return { ...facts, patch, masks };
}

/** The whole photo, edited in full resolution. */
export const save = async (wanted) => (await postJson("api/save", wanted)).blob();

/** A GIF from the photo's expression to the target expression, and back. */
export const film = async (wanted) => (await postJson("api/film", wanted)).blob();

/** Milliseconds to wait for an answer if there is a newer request. */
const PATIENCE = 500;

/**
 * One request at a time. Of those that come meanwhile the newest follows and the others are forgotten, so a slider is
 * answered as fast as the server can, and always at its last position.
 */
export class Newest {
  #next = null;
  #abort = null;
  #since = 0;

  ask(job) {
    this.#next = job;
    if (!this.#abort) this.#run();
    else if (performance.now() - this.#since > PATIENCE) this.#abort.abort();
  }

  /** Gives up what runs and what waits. */
  drop() {
    this.#next = null;
    this.#abort?.abort();
  }

  async #run() {
    while (this.#next) {
      const job = this.#next;
      this.#next = null;
      this.#abort = new AbortController();
      this.#since = performance.now();
      try {
        await job(this.#abort.signal);
      } catch (error) {
        if (error.name !== "AbortError") throw error;
      } finally {
        this.#abort = null;
      }
    }
  }
}
