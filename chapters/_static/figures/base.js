// What every moving figure shares: its box, controls, drag, words, and the state in the address.
//
// A figure is one file beside this one. It calls movingFigure with
//   name, title        as in the directive (_ext/moving_figure.py), and for the reader
//   wide, narrow       height over width of the picture, in a wide and in a narrow column
//   controls           a list of range, choice and check, made below; their keys are the keys of the state
//   compute(state)     the true numbers, also shown as data-values
//   draw(state, values, box)   the picture as a string of SVG; box has width and height in pixels
//   says(state, values)        the same in a sentence
//   grab(x, y, box, state)     optional: what a drag at this place of the picture changes
//   steps              optional: {key, last(state), perSecond}: buttons that step and run a range

export const range = (key, label, options) => ({ kind: "range", shown: String, key, label, ...options });
export const choice = (key, label, options) => ({ kind: "choice", key, label, ...options });
export const check = (key, label, value = false) => ({ kind: "check", key, label, value });

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const REST = 600; // milliseconds without a change before a screen reader hears the sentence

function element(name, attributes = {}, ...inside) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in made && typeof value !== "string") made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...inside);
  return made;
}

// ---------------------------------------------------------------- the address: #u-curve?h=-8&scheme=central

export function toFragment(name, controls, state) {
  const written = (value) => encodeURIComponent(typeof value === "boolean" ? Number(value) : value);
  const moved = controls.filter(({ key, value }) => state[key] !== value);
  return `#${name}?` + moved.map(({ key }) => `${key}=${written(state[key])}`).join("&");
}

/** The state that a fragment asks for; null if it is an ordinary anchor. What it asks wrongly stays at its start. */
export function fromFragment(name, controls, fragment) {
  if (!fragment.startsWith(`#${name}?`)) return null;
  const asked = new URLSearchParams(fragment.slice(name.length + 2));
  return Object.fromEntries(controls.map((one) => [one.key, asked.has(one.key) ? legal(one, asked.get(one.key)) : one.value]));
}

function legal({ kind, value, min, max, options }, text) {
  if (kind === "check") return text === "1";
  if (kind === "choice") return options.some(([option]) => option === text) ? text : value;
  const number = Number(text);
  return Number.isFinite(number) ? Math.min(max, Math.max(min, number)) : value;
}

// ---------------------------------------------------------------- controls

function rangeOf(figure, one) {
  const id = `${figure.spec.name}-${one.key}`;
  const { min, max, step } = one;
  const input = element("input", { type: "range", id, min: `${min}`, max: `${max}`, step: `${step}` });
  const output = element("output", { for: id });
  input.addEventListener("input", () => figure.change({ [one.key]: Number(input.value) }));
  const show = (value) => {
    input.value = value;
    output.textContent = one.shown(value);
    input.setAttribute("aria-valuetext", one.shown(value));
  };
  return { show, node: element("div", { class: "mf-range" }, element("label", { for: id }, one.label), output, input) };
}

function choiceOf(figure, one) {
  const name = `${figure.spec.name}-${one.key}`;
  const inputs = one.options.map(([value]) => element("input", { type: "radio", name, value }));
  const labels = one.options.map(([, text], i) => element("label", {}, inputs[i], text));
  inputs.forEach((input) => input.addEventListener("change", () => figure.change({ [one.key]: input.value })));
  const show = (value) => inputs.forEach((input) => (input.checked = input.value === value));
  return { show, node: element("fieldset", {}, element("legend", {}, one.label), ...labels) };
}

function checkOf(figure, one) {
  const input = element("input", { type: "checkbox" });
  input.addEventListener("change", () => figure.change({ [one.key]: input.checked }));
  const show = (value) => (input.checked = value);
  return { show, node: element("label", { class: "mf-check" }, input, one.label) };
}

function row(...buttons) {
  const made = buttons.map(([text, act]) => {
    const button = element("button", { type: "button" }, text);
    button.addEventListener("click", act);
    return button;
  });
  return element("div", { class: "mf-buttons" }, ...made);
}

const KINDS = { range: rangeOf, choice: choiceOf, check: checkOf };

// ---------------------------------------------------------------- one figure of the page

class Moving {
  constructor(host, spec) {
    Object.assign(this, { host, spec });
    this.start = Object.fromEntries(spec.controls.map(({ key, value }) => [key, value]));
    this.controls = spec.controls.map((one) => ({ key: one.key, ...KINDS[one.kind](this, one) }));
    this.build();
    const asked = fromFragment(spec.name, spec.controls, location.hash);
    this.state = asked ?? { ...this.start };
    this.refresh();
    addEventListener("hashchange", () => this.follow());
    if (asked) addEventListener("load", () => host.scrollIntoView());
    new ResizeObserver(() => this.later()).observe(this.stage);
  }

  build() {
    const { spec, host } = this;
    this.stage = element("div", { class: "mf-stage", style: `--wide: ${spec.wide}; --narrow: ${spec.narrow}` });
    this.stage.innerHTML = '<svg role="img"></svg>';
    this.svg = this.stage.firstChild;
    this.sentence = element("p", { class: "mf-says" });
    this.live = element("p", { class: "mf-live", role: "status", "aria-live": "polite" });
    const title = element("p", { class: "mf-title", id: `${spec.name}-title` }, spec.title);
    const controls = element("div", { class: "mf-controls" }, ...this.controls.map(({ node }) => node));
    host.prepend(title);
    const about = row(["Reset", () => this.change({ ...this.start })], ["Copy link", () => this.copyLink()]);
    host.querySelector(".mf-try").after(this.stage, this.sentence, ...this.stepButtons(), controls, about, this.live);
    host.setAttribute("role", "group");
    host.setAttribute("aria-labelledby", title.id);
    host.classList.add("live");
    if (spec.grab) this.listenToDrags();
  }

  stepButtons() {
    if (!this.spec.steps) return [];
    const buttons = row(["Back", () => this.step(-1)], ["Step", () => this.step(1)], ["Run", () => (this.running ? this.stop() : this.run())]);
    this.runButton = buttons.lastChild;
    return [buttons];
  }

  /** Shows a state in which some keys are new: at once in the controls, with the next frame in the picture. */
  change(changes) {
    this.state = { ...this.state, ...changes };
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.rest(), REST);
    this.later();
  }

  later() {
    this.frame ??= requestAnimationFrame(() => this.refresh());
  }

  refresh() {
    this.frame = undefined;
    const { spec, state } = this;
    const values = spec.compute(state);
    this.controls.forEach(({ key, show }) => show(state[key]));
    this.sentence.textContent = spec.says(state, values);
    this.svg.setAttribute("aria-label", this.sentence.textContent);
    this.host.dataset.values = JSON.stringify(values);
    const box = { width: this.stage.clientWidth, height: this.stage.clientHeight };
    if (box.width && box.height) this.svg.innerHTML = spec.draw(state, values, box);
  }

  /** The reader has stopped moving: the address and the screen reader learn the state. */
  rest() {
    if (this.running) return;
    this.live.textContent = this.sentence.textContent;
    history.replaceState(history.state, "", toFragment(this.spec.name, this.spec.controls, this.state));
  }

  follow() {
    const asked = fromFragment(this.spec.name, this.spec.controls, location.hash);
    if (!asked) return;
    this.state = asked;
    this.refresh();
    this.host.scrollIntoView();
  }

  async copyLink() {
    history.replaceState(history.state, "", toFragment(this.spec.name, this.spec.controls, this.state));
    const copied = await navigator.clipboard?.writeText(location.href).then(() => true, () => false);
    this.live.textContent = copied ? "The link is copied." : "The link is in the address bar.";
    this.sentence.textContent = this.live.textContent;
  }

  // ------------------------------------------------------------ steps

  step(by) {
    this.stop();
    this.moveBy(by);
  }

  moveBy(by) {
    const { key, last } = this.spec.steps;
    const next = Math.min(last(this.state), Math.max(0, this.state[key] + by));
    this.change({ [key]: next });
    return next < last(this.state);
  }

  run() {
    const { key, last, perSecond } = this.spec.steps;
    if (calm.matches) return this.change({ [key]: last(this.state) });
    if (this.state[key] >= last(this.state)) this.change({ [key]: 0 });
    this.running = setInterval(() => this.moveBy(1) || this.stop(), 1000 / perSecond);
    this.runButton.textContent = "Stop";
  }

  stop() {
    if (!this.running) return;
    clearInterval(this.running);
    this.running = undefined;
    this.runButton.textContent = "Run";
    this.change({});
  }

  // ------------------------------------------------------------ drag: by mouse anywhere, by finger from a handle

  listenToDrags() {
    const { svg, spec } = this;
    const at = (event) => {
      const box = svg.getBoundingClientRect();
      const changes = spec.grab(event.clientX - box.left, event.clientY - box.top, box, this.state);
      if (changes) this.change(this.within(changes));
      return changes;
    };
    svg.addEventListener("pointerdown", (event) => {
      const handled = event.pointerType !== "touch" || event.target.closest(".handle");
      if (event.button === 0 && handled && at(event)) svg.setPointerCapture(event.pointerId);
    });
    svg.addEventListener("pointermove", (event) => svg.hasPointerCapture(event.pointerId) && at(event));
  }

  /** The changes as their controls could have made them. */
  within(changes) {
    const snapped = this.spec.controls.filter(({ key }) => key in changes).map(({ key, min, max, step }) => {
      const inside = Math.min(max, Math.max(min, changes[key]));
      return [key, Number((min + step * Math.round((inside - min) / step)).toFixed(10))];
    });
    return Object.fromEntries(snapped);
  }
}

/** The still figure is kept, folded unless the page wants it open: links to it work, and print shows it. */
function foldStill({ still: id, open }) {
  const still = document.getElementById(id);
  if (!still) return;
  const folded = element("details", { class: "still-figure" }, element("summary", {}, "The figure that stands still"));
  still.replaceWith(folded);
  folded.append(still);
  folded.open = open !== undefined;
  const openIfAsked = () => (folded.open ||= location.hash === `#${id}`);
  addEventListener("hashchange", openIfAsked);
  openIfAsked();
}

export function movingFigure(spec) {
  const host = document.querySelector(`.moving-figure[data-figure="${spec.name}"]`);
  new Moving(host, spec);
  foldStill(host.dataset);
}
