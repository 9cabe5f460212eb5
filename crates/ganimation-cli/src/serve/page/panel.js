// 17 sliders, sorted by region of the face, and the emotions.

const element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
};

export class Panel {
  #rows = new Map();
  #moods = new Map();

  /** `changed` is called with the expression after every change by the user. */
  constructor(facts, expression, changed) {
    this.facts = facts;
    this.expression = expression;
    this.changed = changed;
    this.strength = document.querySelector("#strength");
    this.#buildUnits(document.querySelector("#units"));
    this.#buildMoods(document.querySelector("#moods"));
    this.strength.addEventListener("input", () => {
      const felt = facts.emotions.find((emotion) => emotion.name === expression.emotion?.name);
      if (felt) expression.feel(felt, Number(this.strength.value));
      this.#moved();
    });
  }

  #buildUnits(place) {
    for (const region of new Set(this.facts.units.map((unit) => unit.region))) {
      const units = this.facts.units.filter((unit) => unit.region === region);
      const title = element("h2", { id: `region-${region.toLowerCase()}` }, region);
      const group = element("div", { role: "group", "aria-labelledby": title.id }, title);
      group.append(...units.map((unit) => this.#row(unit)));
      place.append(group);
    }
  }

  #row({ number, code, name, hint }) {
    const id = `au${number}`;
    const input = element("input", {
      id, type: "range", min: 0, max: 5, step: 0.1, "aria-describedby": `${id}-hint`,
    });
    const label = element("label", { for: id, title: hint },
      element("span", { class: "code" }, code), " ", element("span", { class: "name" }, name));
    const output = element("output", { for: id });
    const reset = element("button", { type: "button", "aria-label": `Reset ${code}, ${name}`, title: "Reset" }, "×");
    const row = element("div", { class: "row" }, label, input, output, reset,
      element("span", { id: `${id}-hint`, hidden: "" }, hint));
    const undo = () => {
      this.expression.reset(number);
      this.#moved();
    };
    input.addEventListener("input", () => {
      this.expression.set(number, Number(input.value));
      this.#moved();
    });
    input.addEventListener("keydown", (event) => {
      if (event.key === "Delete" || event.key === "Backspace") undo();
    });
    input.addEventListener("dblclick", undo);
    reset.addEventListener("click", () => {
      undo();
      input.focus(); // the button is hidden now
    });
    this.#rows.set(number, { row, input, output });
    return row;
  }

  #buildMoods(place) {
    const button = (name, felt) => {
      const made = element("button", { type: "button" }, name);
      made.addEventListener("click", () => {
        felt();
        this.#moved();
      });
      place.append(made);
      return made;
    };
    for (const emotion of this.facts.emotions) {
      const again = () => this.expression.emotion?.name === emotion.name;
      const felt = () => again() ? this.expression.clear() : this.expression.feel(emotion, Number(this.strength.value));
      this.#moods.set(emotion.name, button(emotion.label, felt));
    }
    button("Neutral", () => this.expression.rest());
  }

  #moved() {
    this.draw();
    this.changed();
  }

  /** Shows the expression as it is. */
  draw() {
    for (const [unit, { row, input, output }] of this.#rows) {
      const value = this.expression.value(unit);
      input.value = value;
      input.style.setProperty("--at", value / 5);
      input.style.setProperty("--shown", this.expression.shown(unit) / 5);
      output.value = value.toFixed(1);
      row.classList.toggle("set", this.expression.isSet(unit));
    }
    for (const [name, button] of this.#moods) {
      button.setAttribute("aria-pressed", this.expression.emotion?.name === name);
    }
    this.strength.style.setProperty("--at", this.strength.value);
    document.querySelector("#strength-value").value = `${Math.round(this.strength.value * 100)} %`;
  }
}
