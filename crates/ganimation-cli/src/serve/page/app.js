// The page: a photo, an expression, and the edited photo.

import { Expression, commandLine, stem } from "./expression.js";
import { Panel } from "./panel.js";
import * as server from "./server.js";
import { Stage } from "./stage.js";

const $ = (selector) => document.querySelector(selector);
const narrow = matchMedia("(max-width: 60rem)");

const facts = await server.facts();
const expression = new Expression(facts.units);
const stage = new Stage($("#pictures"), $("#before"), $("#after"));
const panel = new Panel(facts, expression, refresh);
const newest = new server.Newest();

/** What the server calls the photo, the photo itself, and how to send it again. */
let photo = null;
let file = "";
let reopen = null;
let turn = 0;

function say(text, error = false) {
  const status = $("#status");
  status.textContent = text;
  status.classList.toggle("wrong", error);
}

const complain = (error) => {
  if (!(error instanceof server.Refusal)) throw error;
  say([error.message, error.hint].filter(Boolean).join(" "), true);
};

const wanted = () => ({ session: photo.session, turn: ++turn, face: stage.face, units: expression.wanted() });

/** Does something with the photo, and sends it again once if the server has forgotten it. */
async function withPhoto(action) {
  try {
    return await action();
  } catch (error) {
    if (error.status !== 404 || !reopen) throw error;
    photo.session = (await reopen()).session;
    return action();
  }
}

/** After every change: the command line at once, the picture as soon as it comes. */
function refresh() {
  $("#command").textContent = commandLine("edit", file, stage.face, expression, "png", facts.options)
    || "ganimation edit …";
  enable();
  if (!photo) return;
  newest.ask(async (signal) => {
    if (expression.isEmpty) return stage.edit(null);
    const started = performance.now();
    try {
      const edited = await withPhoto(() => server.edit(wanted(), signal));
      if (signal.aborted) return;
      stage.edit(edited);
      const time = Math.round(performance.now() - started);
      $("#stage").dataset.milliseconds = time;
      say(`${photo.title} · ${time} ms`);
    } catch (error) {
      if (error.status !== 409) complain(error); // 409: a newer slider position was sent
    }
  });
}

async function open(name, title, send) {
  say("Looking for faces …");
  $("#stage").setAttribute("aria-busy", "true");
  newest.drop();
  try {
    photo = await send();
    [file, reopen] = [name, send];
    const count = photo.faces.length;
    photo.title = `${title}, ${photo.width} × ${photo.height}${count > 1 ? `, ${count} faces` : ""}`;
    buildFaces(count);
    look(null);
    stage.show(photo);
    say(photo.title);
    refresh();
  } catch (error) {
    complain(error);
  } finally {
    $("#stage").removeAttribute("aria-busy");
  }
}

function openFile(blob) {
  if (!blob) return;
  const name = blob.name || "photo.png";
  if (blob.size > facts.limits.bytes) {
    say(`${name} has more than ${Math.round(facts.limits.bytes / 2 ** 20)} MiB. Make the picture smaller first.`, true);
    return;
  }
  open(name, name, () => server.openPhoto(blob));
}

/** Chooses a face by its number, or all with `null`. */
function look(face) {
  stage.face = face;
  expression.begin(photo.faces[(face ?? 1) - 1].shown);
  panel.draw();
}

function buildFaces(count) {
  const choice = $("#faces");
  choice.hidden = count < 2;
  choice.querySelectorAll("label").forEach((label) => label.remove());
  if (count < 2) return;
  for (const face of [null, ...Array.from({ length: count }, (_, at) => at + 1)]) {
    const label = document.createElement("label");
    label.innerHTML = `<input type="radio" name="face"><span>${face ? `Face ${face}` : "All faces"}</span>`;
    const input = label.firstChild;
    input.checked = face === null;
    input.addEventListener("change", () => {
      look(face);
      stage.edit(null);
      refresh();
    });
    choice.append(label);
  }
}

function setView(view) {
  $("#pictures").dataset.view = view;
  $(`[name="view"][value="${view}"]`).checked = true;
}

/** Buttons whose work goes on. */
const busy = new Set();

/** There is nothing to save as long as nothing is set. */
function enable() {
  for (const button of [$("#reset"), $("#record"), $("#save")]) {
    button.disabled = busy.has(button) || expression.isEmpty;
  }
}

function worker(button, doing, work) {
  button.addEventListener("click", async () => {
    const text = button.textContent;
    button.textContent = doing;
    busy.add(button);
    enable();
    try {
      await work();
    } catch (error) {
      complain(error);
    } finally {
      button.textContent = text;
      busy.delete(button);
      enable();
      button.focus();
    }
  });
}

function link(anchor, blob, name) {
  URL.revokeObjectURL(anchor.href);
  anchor.href = URL.createObjectURL(blob);
  anchor.download = name;
  return anchor;
}

for (const input of document.querySelectorAll('[name="view"]')) {
  input.addEventListener("change", () => setView(input.value));
}
setView(narrow.matches ? "split" : "pair");

for (const input of document.querySelectorAll('[name="part"]')) {
  input.addEventListener("change", () => {
    stage.closer = input.value === "face";
    stage.draw();
  });
}

$("#attention").addEventListener("click", (event) => {
  stage.attention = !stage.attention;
  event.currentTarget.setAttribute("aria-pressed", stage.attention);
  $("#legend").hidden = !stage.attention;
  stage.draw();
});

const split = $("#split");
split.addEventListener("input", () => $("#pictures").style.setProperty("--split", `${split.value}%`));

$("#reset").addEventListener("click", () => {
  expression.clear();
  panel.draw();
  refresh();
});

worker($("#save"), "Saving …", async () => {
  const picture = await withPhoto(() => server.save(wanted()));
  const name = `${stem(file)}_edited.png`;
  link(document.createElement("a"), picture, name).click();
  say(`Saved ${name}, ${photo.width} × ${photo.height}.`);
});

worker($("#record"), "Recording …", async () => {
  const picture = await withPhoto(() => server.film(wanted()));
  const anchor = link($("#film-link"), picture, `${stem(file)}.gif`);
  $("#film-picture").src = anchor.href;
  $("#film-command").textContent = commandLine("animate", file, stage.face, expression, "gif", facts.options);
  $("#film").showModal();
});

$("#copy").addEventListener("click", async () => {
  const text = $("#command").textContent;
  try {
    await navigator.clipboard.writeText(text);
    say("Copied the command.");
  } catch {
    getSelection().selectAllChildren($("#command")); // no permission to copy: the user presses one more key
    say("Selected the command; press Ctrl+C.");
  }
});

$("#file").addEventListener("change", (event) => {
  openFile(event.target.files[0]);
  event.target.value = ""; // choosing the same file again must also be a change
});
addEventListener("paste", (event) => openFile([...event.clipboardData.files][0]));

const drop = $("#drop");
addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) drop.classList.remove("over");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  openFile(event.dataTransfer.files[0]);
});

const theme = $("#theme");
const dark = matchMedia("(prefers-color-scheme: dark)");
function setTheme(chosen) {
  if (chosen) document.documentElement.dataset.theme = chosen;
  const shown = chosen || (dark.matches ? "dark" : "light");
  theme.textContent = shown === "dark" ? "Light" : "Dark";
  theme.setAttribute("aria-label", `Switch to the ${shown === "dark" ? "light" : "dark"} theme`);
}
theme.addEventListener("click", () => {
  const chosen = theme.textContent.toLowerCase();
  localStorage.setItem("theme", chosen);
  setTheme(chosen);
});
setTheme(localStorage.getItem("theme"));

for (const { id, name, file } of facts.samples) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = name;
  button.addEventListener("click", () => open(file, name, () => server.openSample(id)));
  $("#samples").append(button);
}
const [first] = facts.samples;
await open(first.file, first.name, () => server.openSample(first.id));
