// Chapter 8: five ways to use ∂f/∂x inside a model, and what flows back along every wire, in the op and from the loss.
import { range, choice, movingFigure } from "./base.js";
import { arrow, brief, minus, stroke, tag, text } from "./plot.js";

// ---------------------------------------------------------------- the mathematics

export const SAMPLES = [-2, -1, 0.5, 1, 2], B1 = 0.3, B2 = 2;

// Of each op: whether its derivative goes through z as well, whether its wire is cut, whether it calls .backward().
export const OPS = {
  hand: { words: "by hand", total: false, cut: false, writes: false },
  grad: { words: "autograd.grad(f, x)", total: true, cut: false, writes: false },
  onX: { words: ".backward() on x", total: true, cut: false, writes: true },
  leaf: { words: ".backward() on a leaf", total: false, cut: true, writes: true, middle: "leaf" },
  alias: { words: "an alias of x", total: false, cut: false, writes: false, middle: "alias" },
};

/** One sample through the model: x = w₁u + b₁, z = w₂x + b₂ (or w₂u + b₂), f = 100 + (x + 0.01 z²)². */
export function forwardPass(u, { w1, w2, tap }) {
  const x = w1 * u + B1, z = w2 * (tap === "x" ? x : u) + B2;
  return { u, x, z, f: 100 + (x + 0.01 * z ** 2) ** 2, slope: tap === "x" ? w2 : 0, fed: tap === "x" ? x : u };
}

/** ∂f/∂x with z held, and ∂f/∂z with x held. */
export const partials = ({ x, z }) => [2 * (x + 0.01 * z ** 2), 0.04 * z * (x + 0.01 * z ** 2)];

/** What the op returns: the partial derivative, or the total one, which adds ∂f/∂z · dz/dx. */
export function opValue(sample, { total }) {
  const [fx, fz] = partials(sample);
  return total ? fx + fz * sample.slope : fx;
}

/** The derivatives of what the op returns: by what it took for x, by z, and by w₂ itself. */
export function opSlopes({ x, z, slope }, { total }, tapped) {
  const along = total ? slope : 0;
  const byX = 2 + 0.04 * z * along, byZ = 0.04 * z + (0.04 * x + 0.0012 * z ** 2) * along;
  return [byX, byZ, total && tapped ? 0.04 * z * (x + 0.01 * z ** 2) : 0];
}

/** What flows from the loss, the mean of (op − u)², back to x, z and the four parameters, for one sample. */
export function lossPass(sample, op, tapped) {
  const e = (2 * (opValue(sample, op) - sample.u)) / SAMPLES.length, [byX, byZ, byW2] = opSlopes(sample, op, tapped);
  const toZ = e * byZ, throughZ = toZ * sample.slope, toX = (op.cut ? 0 : e * byX) + throughZ;
  return { e, direct: e * byX, toZ, throughZ, toX, gradient: [toX * sample.u, toX, toZ * sample.fed + e * byW2, toZ] };
}

/** What .backward() inside the op writes into the four parameters, for one sample. */
export function leftBehind(sample, { cut, writes }) {
  if (!writes) return [0, 0, 0, 0];
  const [fx, fz] = partials(sample), toX = (cut ? 0 : fx) + fz * sample.slope;
  return [toX * sample.u, toX, fz * sample.fed, fz];
}

const add = (a, b) => a.map((one, n) => one + b[n]);

/** What the optimiser gets: w₁, b₁, w₂, b₂. */
export function gradientOf(state) {
  const op = OPS[state.op], samples = SAMPLES.map((u) => forwardPass(u, state));
  const clean = samples.map((sample) => lossPass(sample, op, state.tap === "x").gradient).reduce(add);
  return state.zeroed === "first" ? samples.map((sample) => leftBehind(sample, op)).reduce(add, clean) : clean;
}

export function angle(a, b) {
  const inner = a.reduce((sum, one, n) => sum + one * b[n], 0);
  return (Math.acos(Math.min(1, Math.max(-1, inner / Math.hypot(...a) / Math.hypot(...b)))) * 180) / Math.PI;
}

function compute(state) {
  const op = OPS[state.op], sample = forwardPass(SAMPLES[state.n - 1], state), gradient = gradientOf(state);
  const truth = gradientOf({ ...state, op: "hand", zeroed: "between" });
  const loss = SAMPLES.map((u) => (opValue(forwardPass(u, state), op) - u) ** 2).reduce((a, b) => a + b) / SAMPLES.length;
  const off = Math.hypot(...gradient.map((one, n) => one - truth[n])) / Math.hypot(...truth);
  return { sample, value: opValue(sample, op), loss, back: lossPass(sample, op, state.tap === "x"), gradient, truth, angle: angle(gradient, truth), off };
}

// ---------------------------------------------------------------- the picture

function panels({ width, height }) {
  if (width < 560) {
    const part = (height - 120) / 2;
    return [{ left: 24, top: 26, width: width - 48, height: part - 40 }, { left: 24, top: part + 26, width: width - 48, height: part - 40 }, { left: 8, top: height - 104, width: width - 16 }];
  }
  const half = width / 2;
  return [{ left: 22, top: 26, width: half - 52, height: height - 180 }, { left: half + 22, top: 26, width: half - 52, height: height - 180 }, { left: 8, top: height - 104, width: width - 16 }];
}

const PLACES = { u: [0, 0.8], x: [0.36, 0.8], middle: [0.68, 0.8], z: [0.68, 0.2], f: [1, 0.8] };
const RIM = 19;

/** A wire from one place to another, against the arrows of the values, with what flows along it. */
function wire({ left, top, width, height }, from, to, kind, words = "", below = false) {
  const [x1, y1, x2, y2] = [from, to].flatMap((name) => [left + PLACES[name][0] * width, top + PLACES[name][1] * height]);
  const length = Math.hypot(x2 - x1, y2 - y1), u = ((x2 - x1) / length) * RIM, v = ((y2 - y1) / length) * RIM;
  const label = words && text((x1 + x2) / 2, (y1 + y2) / 2 + (below ? 17 : -7), words, `small halo ${kind.split(" ")[0]}`, "middle");
  return arrow(x1 + u, y1 + v, x2 - u, y2 - v, kind) + label;
}

function nodes({ left, top, width, height }, { middle }, { sample }) {
  const shown = [["u", "u", sample.u], ["x", "x", sample.x], ["z", "z", sample.z], ["f", "f", sample.f]];
  if (middle) shown.push(["middle", middle, undefined]);
  return shown.map(([place, name, value]) => {
    const x = left + PLACES[place][0] * width, y = top + PLACES[place][1] * height;
    const words = value === undefined ? "" : place === "z" ? text(x + RIM + 5, y + 4, brief(value, 3), "small") : text(x, y + 34, brief(value, 3), "small", "middle");
    return tag("circle", { cx: x, cy: y, r: RIM, class: "node" }) + text(x, y + 4, name, "small", "middle") + words;
  }).join("");
}

/** The wires of the op: blue where its own derivative flows, purple where .backward() goes on into the parameters. */
function opPass(state, { sample }, panel) {
  const op = OPS[state.op], [fx, fz] = partials(sample), tapped = state.tap === "x", near = op.middle ? "middle" : "x";
  const silent = state.op === "hand", through = op.writes || (op.total && tapped), down = tapped ? "x" : "u";
  const toX = (op.cut ? 0 : fx) + fz * sample.slope;
  const wires = [
    wire(panel, "f", near, silent ? "soft thin" : "blue", silent ? "" : brief(fx, 3), true),
    wire(panel, "f", "z", through ? (op.total ? "blue" : "purple") : "soft thin", through ? brief(fz, 3) : ""),
    wire(panel, "z", down, through ? (op.total && tapped ? "blue" : "purple") : "soft thin", through && tapped ? brief(fz * sample.slope, 3) : ""),
    wire(panel, "x", "u", op.writes ? "purple" : "soft thin", op.writes ? brief(toX, 3) : "", true),
  ];
  if (op.middle) wires.push(joint(panel, op, "soft thin"));
  const words = silent ? "The op: a formula, nothing flows back" : "The op: what it sends back";
  return text(panel.left - 14, panel.top - 10, words, "name") + wires.join("") + nodes(panel, op, { sample });
}

function joint(panel, { cut }, kind, words) {
  if (!cut) return wire(panel, "middle", "x", kind, words, true);
  const x = panel.left + 0.52 * panel.width, y = panel.top + PLACES.x[1] * panel.height;
  return text(x, y + 4, "cut", "strong vermillion", "middle");
}

function fromTheLoss(state, { sample, back }, panel) {
  const op = OPS[state.op], tapped = state.tap === "x", near = op.middle ? "middle" : "x";
  const wires = [
    wire(panel, "f", near, "green", brief(back.direct, 3), true),
    wire(panel, "f", "z", "green", brief(back.toZ, 3)),
    wire(panel, "z", tapped ? "x" : "u", "green", tapped ? brief(back.throughZ, 3) : ""),
    wire(panel, "x", "u", "green", brief(back.toX, 3), true),
  ];
  if (op.middle) wires.push(joint(panel, op, "green", brief(back.direct, 3)));
  return text(panel.left - 14, panel.top - 10, "The loss: what it sends back", "name") + wires.join("") + nodes(panel, op, { sample });
}

function table({ gradient, truth }, { left, top, width }) {
  const columns = [0.43, 0.62, 0.81, 1].map((share) => left + width * share);
  const row = (y, name, numbers, kind) => text(left, y, name, "small") + numbers.map((one, n) => text(columns[n], y, brief(one, 3), `small ${kind(n)}`, "end")).join("");
  const wrong = (n) => (Math.abs(gradient[n] - truth[n]) > 1e-9 ? "vermillion strong" : "");
  const head = ["w₁", "b₁", "w₂", "b₂"].map((name, n) => text(columns[n], top + 16, name, "small strong", "end")).join("");
  return text(left, top + 16, "gradient", "small strong") + head + stroke(left, top + 24, left + width, top + 24, "grid") +
    row(top + 44, "received", gradient, wrong) + row(top + 66, "true", truth, () => "");
}

movingFigure({
  name: "wires",
  title: "Move it: who cut the wire?",
  wide: 0.56,
  narrow: 1.9,
  controls: [
    range("w1", "w₁", { min: -1, max: 1.5, step: 0.05, value: 0.5, shown: minus }),
    range("w2", "w₂", { min: -3, max: 3, step: 0.1, value: 1, shown: minus }),
    range("n", "sample whose values are shown", { min: 1, max: 5, step: 1, value: 5 }),
    choice("op", "the derivative by", { value: "grad", options: Object.entries(OPS).map(([key, { words }]) => [key, words]) }),
    choice("tap", "z is computed from", { value: "x", options: [["x", "x"], ["u", "the input u"]] }),
    choice("zeroed", "gradients are set to zero", { value: "between", options: [["between", "after the op, before the loss"], ["first", "first"]] }),
  ],
  compute,
  draw(state, values, box) {
    const [left, right, below] = panels(box);
    return opPass(state, values, left) + fromTheLoss(state, values, right) + table(values, below);
  },
  says({ op }, { value, angle, off }) {
    const verdict = off < 1e-9 ? "The gradient is the true one." : `The gradient is off by ${brief(100 * off)} %, and ${brief(angle, 2)}° from the true one.`;
    return `${OPS[op].words}: the op gives ${brief(value, 4)} for this sample. ${verdict}`;
  },
});
