// Chapter 13: the best fit to the sine with f + f'' = 0 in its loss, by least squares, no training.
import { range, choice, movingFigure } from "./base.js";
import { axes, brief, clipped, dot, line, linear, logarithmic, minus, sideBySide, spread, text } from "./plot.js";

// ---------------------------------------------------------------- the mathematics

const END = 2 * Math.PI, T = spread(-END, END, 200), SINE = T.map(Math.sin), BETA = 4;

// What a column does beside its knot, with the distance of the knots: its value, its exact second derivative, and its
// second difference (f(x + d) − 2f(x) + f(x − d)) / d², in a form that subtracts nothing.
export const BENDS = {
  straight: {
    spacing: 0.5,
    value: (x) => Math.max(x, 0),
    second: () => 0,
    quotient: (x, d) => Math.max(0, d - Math.abs(x)) / d ** 2, // a tent
  },
  smooth: {
    spacing: 0.25,
    value: (x) => (Math.max(BETA * x, 0) + Math.log1p(Math.exp(-Math.abs(BETA * x)))) / BETA, // softplus
    second: (x) => BETA / (2 + Math.exp(BETA * x) + Math.exp(-BETA * x)),
    quotient: (x, d) => Math.log1p((4 * Math.sinh((BETA * d) / 2) ** 2) / (2 + Math.exp(BETA * x) + Math.exp(-BETA * x))) / BETA / d ** 2,
  },
};

/** The knots of chapter 13: from a little before the interval to a little behind it. */
export function knots(spacing) {
  const count = Math.ceil((2 * END + 6.1) / spacing);
  return Array.from({ length: count }, (_, j) => -END - 3.1 + j * spacing);
}

/** The functions 1, x and bend(x − knot): of each its values and its second derivatives, or differences, on the grid. */
export function features(kind, d) {
  const { spacing, value, second, quotient } = BENDS[kind], bend = (x) => (d ? quotient(x, d) : second(x));
  const plain = [T.map(() => 1), T].map((values) => ({ values, bends: T.map(() => 0) }));
  return [...plain, ...knots(spacing).map((knot) => ({ values: T.map((x) => value(x - knot)), bends: T.map((x) => bend(x - knot)) }))];
}

const inner = (a, b, from = 0) => {
  let sum = 0;
  for (let i = from; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};

/** b ← b − 2 w (w·b), from row k on: a reflection. Returns the square of what is below row k afterwards. */
function reflect(w, b, k) {
  const twice = 2 * inner(w, b, k);
  b[k] -= twice * w[k];
  let square = 0;
  for (let i = k + 1; i < b.length; i++) {
    b[i] -= twice * w[i];
    square += b[i] * b[i];
  }
  return square;
}

/**
 * The point of the span of the columns that is nearest to b: Householder's QR with pivots. A column counts if more
 * than 1e-13 of the largest is left of it. The columns are used up.
 */
export function project(columns, b) {
  const reflections = [], rest = b.slice(), left = [...columns];
  let largest = 0, sizes = left.map((column) => inner(column, column));
  for (let k = 0; left.length && k < b.length; k++) {
    const size = Math.sqrt(Math.max(...sizes));
    largest = Math.max(largest, size);
    if (size <= 1e-13 * largest) break;
    const [w] = left.splice(sizes.indexOf(Math.max(...sizes)), 1);
    w[k] += w[k] < 0 ? -size : size;
    const length = Math.sqrt(inner(w, w, k));
    for (let i = k; i < w.length; i++) w[i] /= length;
    sizes = left.map((column) => reflect(w, column, k));
    reflect(w, rest, k);
    reflections.push(w);
  }
  rest.fill(0, reflections.length);
  reflections.reduceRight((_, w, k) => reflect(w, rest, k), 0);
  return rest;
}

/** The f among these columns with the least fit + λ equation, on the grid. */
export function minimiser(columns, weight) {
  const root = Math.sqrt(weight), n = T.length;
  const stacked = columns.map(({ values, bends }) => {
    const column = new Float64Array(2 * n);
    for (let i = 0; i < n; i++) {
      column[i] = values[i];
      column[n + i] = root * (values[i] + bends[i]);
    }
    return column;
  });
  return Array.from(project(stacked, Float64Array.from([...SINE, ...T.map(() => 0)])).slice(0, n));
}

/** The amplitude <f, sin> / <sin, sin>. */
export const height = (f) => inner(f, SINE) / inner(SINE, SINE);

/** The cubic B-spline: the overlap of two tents at a distance t. */
export function bSpline(t) {
  const s = Math.abs(t);
  if (s < 1) return 2 / 3 - s ** 2 + s ** 3 / 2;
  return s < 2 ? (2 - s) ** 3 / 6 : 0;
}

/** mean(tents²) over mean(tents)², for tents of half-width d around kinks at this distance. */
export function kappa(d, spacing) {
  const r = d / spacing, n = Math.ceil(2 * r);
  return spread(-n, n, 2 * n + 1).reduce((sum, j) => sum + bSpline(j / r), 0) / r;
}

const known = new Map(); // the columns, which λ does not change

function compute({ k, kind, way, logd }) {
  const weight = k < -2 ? 0 : 10 ** k, d = way === "exact" ? 0 : 10 ** logd, name = `${kind} ${d}`;
  if (!known.has(name)) {
    known.clear();
    known.set(name, features(kind, d));
  }
  const f = minimiser(known.get(name), weight), spikes = d ? kappa(d, BENDS[kind].spacing) : 2;
  const rms = Math.sqrt(f.reduce((sum, v, i) => sum + (v - SINE[i]) ** 2, 0) / T.length);
  return { weight, d, height: height(f), rms, kappa: spikes, expected: 1 / (1 + weight * (spikes - 1)), flat: 1 / (1 + weight), f };
}

// ---------------------------------------------------------------- the picture

const panels = (box) => sideBySide(box, 0.56, 0.48);

function fits({ f }, panel) {
  const x = linear([-END, END], [panel.left, panel.right]), y = linear([-1.3, 1.3], [panel.bottom, panel.top]);
  const ticks = [[-END, "−2π"], [-Math.PI, "−π"], [0, "0"], [Math.PI, "π"], [END, "2π"]];
  const to = (many) => many.map((v, i) => [x(T[i]), y(v)]);
  return axes(panel, x, y, { xTicks: ticks, yTicks: [-1, 0, 1], xName: "x", yName: "the sine, and the best f" }) +
    clipped("sine-fit", panel, line(to(SINE), "soft dashed") + line(to(f), "vermillion"));
}

function heights(state, { weight, height, kappa }, panel) {
  const x = logarithmic([0.01, 100], [panel.left, panel.right]), y = logarithmic([0.005, 2], [panel.bottom, panel.top]);
  const weights = spread(-2, 2, 60).map((k) => 10 ** k), curve = (of, kind) => line(weights.map((w) => [x(w), y(of(w))]), kind);
  const kinks = state.kind === "straight" && state.way === "difference" ? curve((w) => 1 / (1 + w * Math.max(kappa - 1, 0)), "blue dashed") : "";
  const at = [x(Math.max(weight, 0.01)), y(Math.min(2, Math.max(0.005, height)))];
  return axes(panel, x, y, { xTicks: [0.01, 0.1, 1, 10, 100], yTicks: [0.01, 0.1, 1], xName: "weight λ", yName: "amplitude of the sine" }) +
    clipped("sine-heights", panel, curve((w) => 1 / (1 + w), "soft") + kinks) + text(panel.left + 10, panel.bottom - 12, "1/(1 + λ)", "small") +
    (kinks && text(panel.left + 10, panel.bottom - 30, "what its kinks make of it", "small blue")) + dot(...at, "vermillion", 7);
}

movingFigure({
  name: "flattened-sine",
  title: "Move it: how flat does a true equation make the sine?",
  wide: 0.5,
  narrow: 1.6,
  controls: [
    range("k", "weight λ of the equation", { min: -2.1, max: 2, step: 0.1, value: 0, shown: (k) => (k < -2 ? "0" : brief(10 ** k)) }),
    choice("way", "second derivative", { value: "exact", options: [["exact", "exact"], ["difference", "a difference"]] }),
    range("logd", "step d of the difference", { min: -2, max: 0.5, step: 0.05, value: -0.3, shown: (k) => brief(10 ** k) }),
    choice("kind", "functions", { value: "straight", options: [["straight", "straight lines, kinks every 0.5"], ["smooth", "smooth ones"]] }),
  ],
  compute,
  draw(state, values, box) {
    const [left, right] = panels(box);
    return fits(values, left) + heights(state, values, right);
  },
  says({ kind, way }, { weight, d, height, rms, flat }) {
    const what = kind === "straight" ? "Straight lines" : "Smooth functions", how = way === "exact" ? "the exact second derivative" : `a difference of step ${brief(d)}`;
    return `${what} with ${how} and λ = ${brief(weight)}: the best fit is ${brief(height, 3)} of the sine high, its error ${brief(rms)} (RMS). ` +
      `With f″ = 0 everywhere it would be ${minus(brief(flat, 3))}.`;
  },
});
