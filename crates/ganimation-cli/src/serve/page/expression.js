// The target expression: intensities of some action units. The others keep the photo's intensities.

export class Expression {
  #named = new Map();
  #shown = new Map();
  #emotion = null;

  constructor(units) {
    this.units = units.map((unit) => unit.number);
  }

  /** Starts again with what a face shows: intensities by unit. */
  begin(shown) {
    this.#shown = new Map(this.units.map((unit) => [unit, shown[unit]]));
  }

  value(unit) {
    return this.#named.get(unit) ?? this.#shown.get(unit) ?? 0;
  }

  shown(unit) {
    return this.#shown.get(unit) ?? 0;
  }

  isSet(unit) {
    return this.#named.has(unit);
  }

  get isEmpty() {
    return this.#named.size === 0;
  }

  /** The emotion that was chosen, until a slider is moved. */
  get emotion() {
    return this.#emotion;
  }

  set(unit, intensity) {
    this.#named.set(unit, intensity);
    this.#emotion = null;
  }

  reset(unit) {
    this.#named.delete(unit);
    this.#emotion = null;
  }

  clear() {
    this.#named.clear();
    this.#emotion = null;
  }

  feel(emotion, strength) {
    this.clear();
    for (const [unit, intensity] of emotion.units) this.#named.set(unit, round(intensity * strength));
    this.#emotion = { name: emotion.name, strength };
  }

  /** A face at rest: every unit is absent. */
  rest() {
    this.clear();
    for (const unit of this.units) this.#named.set(unit, 0);
  }

  /** For the server: the units that were set. */
  wanted() {
    return Object.fromEntries([...this.#named].map(([unit, intensity]) => [`AU${unit}`, intensity]));
  }

  /** For the command line. */
  options() {
    if (this.#emotion) return [`--emotion ${this.#emotion.name}=${this.#emotion.strength}`];
    const units = this.units.filter((unit) => this.#named.has(unit));
    const absolute = units.length === this.units.length;
    const told = units.filter((unit) => !absolute || this.#named.get(unit) > 0);
    const options = told.map((unit) => `--au ${unit}=${this.#named.get(unit)}`);
    return absolute ? ["--absolute", ...options] : options;
  }
}

const round = (intensity) => Math.round(intensity * 100) / 100;

/** A file's name without folder and extension. */
export const stem = (file) => file.replace(/^.*[\\/]/, "").replace(/\.[^.]*$/, "") || "photo";

/** The command that does the same; quoted as shells like it. */
export function commandLine(command, file, face, expression, extension, more = []) {
  const options = expression.options();
  const chosen = face ? [`--face ${face}`] : [];
  const output = command === "animate" ? `${stem(file)}.${extension}` : `${stem(file)}_edited.${extension}`;
  const words = ["ganimation", command, quoted(file), ...chosen, ...options, ...more.map(quoted), "-o", quoted(output)];
  return options.length > 0 ? words.join(" ") : "";
}

function quoted(word) {
  const safe = word.startsWith("-") && /\.\w+$/.test(word) ? `./${word}` : word;
  return /^[\w@%+=:,./-]+$/.test(safe) ? safe : `'${safe.replaceAll("'", "'\\''")}'`;
}
