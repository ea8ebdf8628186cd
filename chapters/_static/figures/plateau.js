// Chapter 16: what it costs a network to be late with an epidemic, in (S, I) and in (S, ln I).
import { range, movingFigure } from "./base.js";
import { axes, brief, clipped, dot, line, linear, logarithmic, powerOfTen, spread, stroke, text, tag } from "./plot.js";

// ---------------------------------------------------------------- the mathematics

const R0 = 5, STEPS = 3000, COARSE = 300; // β/γ as in the chapter, and how finely time is divided

/** S′ and I′ of the epidemic. */
export const flow = ({ beta, gamma }, s, i) => [-beta * s * i, beta * s * i - gamma * i];

/** One step of the classical method of Runge and Kutta, with flow written out: there are thousands of them a frame. */
export function rungeKutta({ beta, gamma }, s, i, h) {
  const a = -beta * s * i, b = -a - gamma * i, s2 = s + (h / 2) * a, i2 = i + (h / 2) * b;
  const c = -beta * s2 * i2, d = -c - gamma * i2, s3 = s + (h / 2) * c, i3 = i + (h / 2) * d;
  const e = -beta * s3 * i3, f = -e - gamma * i3, s4 = s + h * e, i4 = i + h * f;
  const p = -beta * s4 * i4, q = -p - gamma * i4;
  return [s + (h / 6) * (a + 2 * c + 2 * e + p), i + (h / 6) * (b + 2 * d + 2 * f + q)];
}

/** The rates of a growth λ = β − γ per day. */
export const ratesOf = (lambda) => ({ gamma: lambda / (R0 - 1), beta: (lambda * R0) / (R0 - 1) });

/** 2 λ I₀² / T: the least loss of an epidemic that never starts. */
export const price = (lambda, infected, days) => (2 * lambda * infected ** 2) / days;

/** J(d): the loss of an epidemic that is late by d days. */
export const formula = (lambda, infected, days, d) => price(lambda, infected, days) * (1 - Math.exp(-lambda * d)) ** 2;

/**
 * The true equations from a lower start, and the decaying rest that makes up for it: at each time S, I, the squared
 * residual of (S, I), and that of (S, ln I).
 */
export function lateEpidemic(lambda, infected, days, d, steps = STEPS) {
  const rates = ratesOf(lambda), b = infected * (1 - Math.exp(-lambda * d)), share = [rates.beta / lambda, 1], h = days / steps;
  let s = 1 - infected - b * share[0], i = infected - b;
  const path = [];
  for (let k = 0; k <= steps; k++) {
    const rest = b * Math.exp(-lambda * h * k), [ds, di] = flow(rates, s, i);
    const S = s + rest * share[0], I = i + rest, slopes = [ds - lambda * rest * share[0], di - lambda * rest];
    const [FS, FI] = flow(rates, S, I), rS = slopes[0] - FS, rI = slopes[1] - FI;
    path.push({ t: h * k, S, I, square: rS ** 2 + rI ** 2, squareOfLog: rS ** 2 + (rI / I) ** 2 });
    [s, i] = rungeKutta(rates, s, i, h);
  }
  return path;
}

/** The mean over time, by trapezia. */
export const mean = (values) => (values.reduce((sum, v) => sum + v, 0) - (values[0] + values.at(-1)) / 2) / (values.length - 1);

function losses(late, { d, lambda, k, days, unit }) {
  const infected = 10 ** k, square = unit ** 2;
  return {
    loss: square * mean(late.map((p) => p.square)), lossOfLog: square * mean(late.map((p) => p.squareOfLog)),
    formula: square * formula(lambda, infected, days, d), price: square * price(lambda, infected, days),
    last: { S: late.at(-1).S, I: late.at(-1).I },
  };
}

// ---------------------------------------------------------------- the picture

const last = { name: "", path: [] }; // the epidemic that was late last: its numbers and its picture want the same

function latest({ d, lambda, k, days }) {
  const name = `${d} ${lambda} ${k} ${days}`;
  if (last.name !== name) Object.assign(last, { name, path: lateEpidemic(lambda, 10 ** k, days, d) });
  return last.path;
}

const known = new Map(); // "0.4 -2 60": the losses of many delays, in days

function sweep({ lambda, k, days }) {
  const name = `${lambda} ${k} ${days}`;
  if (!known.has(name)) {
    known.clear();
    const found = spread(0, 40, 41).map((d) => ({ d, ...losses(lateEpidemic(lambda, 10 ** k, days, d, COARSE), { d, lambda, k, days, unit: 1 }) }));
    known.set(name, { found, truth: lateEpidemic(lambda, 10 ** k, days, 0) });
  }
  return known.get(name);
}

function panels({ width, height }) {
  if (width < 560) {
    const part = (height - 40) / 3;
    return [0, 1, 2].map((n) => ({ left: 56, top: 22 + n * (part + 10), right: width - 8, bottom: (n + 1) * part - 19 + n * 10 }));
  }
  const middle = width * 0.48;
  return [
    { left: 56, top: 22, right: middle, bottom: height * 0.52 },
    { left: 56, top: height * 0.52 + 44, right: middle, bottom: height - 38 },
    { left: middle + 56, top: 22, right: width - 8, bottom: height - 38 },
  ];
}

const thinned = (path) => spread(0, STEPS, STEPS / 20 + 1).map((n) => path[n]);

function waves({ truth }, late, { days }, panel) {
  const x = linear([0, days], [panel.left, panel.right]), y = linear([0, 0.55], [panel.bottom, panel.top]);
  const to = (path) => thinned(path).map(({ t, I }) => [x(t), y(I)]);
  return axes(panel, x, y, { xTicks: quarters(days), yTicks: [0, 0.25, 0.5], yName: "ill: true (dashed), late" }) +
    clipped("plateau-waves", panel, line(to(truth), "soft dashed") + line(to(late), "vermillion"));
}

const quarters = (days) => [0, days / 4, days / 2, (3 * days) / 4, days].map((t) => [t, brief(t, 3)]);

/** r² over time: the loss is its mean. */
function residual(late, { days }, { price }, panel) {
  const most = Math.max(...late.map((p) => p.square), 1e-12), x = linear([0, days], [panel.left, panel.right]), y = linear([0, 1.05 * most], [panel.bottom, panel.top]);
  const points = thinned(late).map(({ t, square }) => [x(t), y(square)]);
  const area = tag("path", { d: `M${panel.left} ${panel.bottom}${points.map(([a, b]) => `L${a.toFixed(1)} ${b.toFixed(1)}`).join("")}L${panel.right} ${panel.bottom}Z`, class: "veil vermillion" });
  return axes(panel, x, y, { xTicks: quarters(days), yTicks: [[0, "0"], [most, brief(most)]], xName: "days", yName: "r² by day: its mean is the loss" }) +
    clipped("plateau-residual", panel, area + line(points, "vermillion thin"));
}

function landscape({ found }, { d, unit }, values, panel) {
  const square = unit ** 2, top = 10 ** Math.ceil(Math.log10(Math.max(...found.map((p) => p.lossOfLog), 1e-3) * square) + 0.2);
  const x = linear([0, 40], [panel.left, panel.right]), low = 10 ** Math.floor(Math.log10(found[40].loss * square) - 3), y = logarithmic([low, top], [panel.bottom, panel.top]);
  const of = (key, kind) => line(found.slice(1).map((p) => [x(p.d), y(Math.max(low, p[key] * square))]), kind);
  const powers = spread(Math.ceil(Math.log10(low)), Math.floor(Math.log10(top)), Math.floor(Math.log10(top)) - Math.ceil(Math.log10(low)) + 1);
  const beside = (at) => (at > panel.top + 22 ? at - 8 : at + 20); // above the curve, where there is room
  const named = (words, key, kind) => text(panel.right - 6, beside(y(found[40][key] * square)), words, `${kind} halo`, "end");
  const at = (loss, kind) => dot(x(d), y(Math.max(low, loss)), kind, 6);
  return axes(panel, x, y, { xTicks: [0, 10, 20, 30, 40], yTicks: powers.filter((k) => k % 2 === 0).map((k) => [10 ** k, powerOfTen(k)]), xName: "late by (days)", yName: unit === 1 ? "loss, 1/day²" : `loss, 1/(${unit} days)²` }) +
    clipped("plateau-losses", panel, stroke(panel.left, y(values.price), panel.right, y(values.price), "soft thin dashed") + of("loss", "vermillion") + of("lossOfLog", "blue")) +
    named("in (S, I)", "loss", "vermillion") + named("in (S, ln I)", "lossOfLog", "blue") +
    tag("g", { class: "handle" }, at(values.loss, "vermillion") + at(values.lossOfLog, "blue") + dot(x(d), y(Math.max(low, values.loss)), "wide", 24));
}

movingFigure({
  name: "plateau",
  title: "Move it: what a delay costs",
  wide: 0.62,
  narrow: 2.1,
  controls: [
    range("d", "late by (days)", { min: 0, max: 40, step: 0.5, value: 4 }),
    range("k", "share ill at the start, I₀", { min: -4, max: -1, step: 0.25, value: -2, shown: (k) => brief(10 ** k) }),
    range("lambda", "growth λ = β − γ (per day), R₀ = 5", { min: 0.1, max: 1, step: 0.05, value: 0.4 }),
    range("days", "length T (days)", { min: 20, max: 120, step: 10, value: 60 }),
    range("unit", "unit of time (days)", { min: 1, max: 60, step: 1, value: 1 }),
  ],
  compute: (state) => losses(latest(state), state),
  draw(state, values, box) {
    const [top, bottom, right] = panels(box), swept = sweep(state), late = latest(state);
    return waves(swept, late, state, top) + residual(late, state, values, bottom) + landscape(swept, state, values, right);
  },
  says: ({ d, k, unit }, { loss, lossOfLog, formula, price }) =>
    `An epidemic of I₀ = ${brief(10 ** k)} that is ${d} days late has a loss of ${brief(loss)}${unit === 1 ? "" : ` in units of ${unit} days`}; ` +
    `the formula says ${brief(formula)}, the price of none at all is ${brief(price)}. In (S, ln I) its loss is ${brief(lossOfLog)}.`,
  grab(px, py, box) {
    const panel = panels(box)[2];
    return px >= panel.left - 12 && py >= panel.top - 12 && py <= panel.bottom + 12 && { d: linear([0, 40], [panel.left, panel.right]).back(px) };
  },
});
