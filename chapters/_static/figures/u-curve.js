// Chapter 1: the error of a difference quotient against its step, with the digits that are lost on the way.
import { range, choice, movingFigure } from "./base.js";
import { axes, brief, clipped, cloud, dot, line, linear, logarithmic, minus, powerOfTen, raised, spread, stroke, tag, text } from "./plot.js";

// ---------------------------------------------------------------- the mathematics

const X = 2;
export const PRECISIONS = {
  float64: { round: (value) => value, eps: 2 ** -52, digits: 17 },
  float32: { round: Math.fround, eps: 2 ** -23, digits: 9 },
};

/** ln x₁ + x₁x₂ − sin x₂ at x₂ = 5, and a constant; every result is rounded. */
export const f = (x, constant, round) =>
  round(round(round(round(Math.log(x)) + round(x * 5)) - round(Math.sin(5))) + round(constant));

export const forward = (f, x, h, round) => round(round(f(round(x + h)) - f(x)) / h);
export const central = (f, x, h, round) => round(round(f(round(x + h)) - f(round(x - h))) / round(2 * h));
export const second = (f, x, h, round) =>
  round(round(round(f(round(x + h)) - round(2 * f(x))) + f(round(x - h))) / round(h * h));

// Of each formula: what it should give, |c f⁽ⁿ⁺ᵖ⁾| and p of its truncation, Σ|wᵢ| and n of its rounding.
export const SCHEMES = {
  forward: { quotient: forward, truth: 5.5, bend: 1 / 8, p: 1, weights: 2, n: 1 },
  central: { quotient: central, truth: 5.5, bend: 1 / 24, p: 2, weights: 1, n: 1 },
  second: { quotient: second, truth: -0.25, bend: 1 / 32, p: 2, weights: 4, n: 2 },
};

export const truncation = ({ bend, p }, h) => bend * h ** p;
export const rounding = ({ weights, n }, h, size, eps) => (eps * size * weights) / h ** n;

function compute({ k, scheme, precision, C }) {
  const { round, eps } = PRECISIONS[precision], formula = SCHEMES[scheme];
  const constant = C < 0 ? 0 : 10 ** C, h = round(10 ** k), of = (x) => f(x, constant, round);
  const quotient = formula.quotient(of, X, h, round), value = of(X);
  return {
    h, value, quotient, ahead: of(round(X + h)), behind: of(round(X - h)), error: Math.abs(quotient - formula.truth),
    truncation: truncation(formula, h), rounding: rounding(formula, h, Math.abs(value), eps),
  };
}

// ---------------------------------------------------------------- the picture

const LOWEST = 1e-14, HIGHEST = 1e6;
const curves = new Map(); // "central float64 3": the errors of many steps

function curve(state) {
  const name = [state.scheme, state.precision, state.C].join(" ");
  if (!curves.has(name)) {
    curves.set(name, spread(-16, 0, 481).map((k) => compute({ ...state, k })).map(({ h, error }) => [h, error]));
  }
  return curves.get(name);
}

function panels({ width, height }) {
  const words = 3 * 19 + 6, bottom = height - words - 40;
  if (width < 560) {
    const half = 22 + (bottom - 22) * 0.3;
    return [{ left: 44, top: 22, right: width - 8, bottom: half }, { left: 44, top: half + 62, right: width - 8, bottom }];
  }
  const middle = width * 0.38;
  return [{ left: 44, top: 22, right: middle, bottom }, { left: middle + 62, top: 22, right: width - 8, bottom }];
}

const scales = ({ left, top, right, bottom }) => [
  logarithmic([1e-16, 1], [left, right]), logarithmic([LOWEST, HIGHEST], [bottom, top]),
];

/** f without its tangent, and the secant (or the parabola) without the tangent. */
function secant({ scheme }, { quotient, h }, panel) {
  const x = linear([0.7, 3.3], [panel.left, panel.right]), y = linear([-0.4, 0.3], [panel.bottom, panel.top]);
  const bent = (t) => Math.log(t) - Math.log(X) - (t - X) / 2;
  const taken = scheme === "second" ? (t) => (quotient / 2) * (t - X) ** 2 : (t) => (quotient - 5.5) * (t - X) + shift;
  const shift = scheme === "central" ? (bent(X + h) + bent(X - h)) / 2 : 0;
  const ends = { forward: [X, X + h], central: [X - h, X + h], second: [X - h, X, X + h] }[scheme];
  const many = spread(0.7, 3.3, 81), to = (g) => many.map((t) => [x(t), y(g(t))]);
  const name = scheme === "second" ? "parabola" : "secant";
  return axes(panel, x, y, { xTicks: [1, 2, 3], yTicks: [-0.4, -0.2, 0, 0.2], xName: "x₁", yName: `f and ${name}, less tangent` }) +
    clipped("u-curve-secant", panel, line(to(bent), "soft") + line(to(taken), "vermillion") + ends.map((t) => dot(x(t), y(bent(t)), "vermillion", 4.5)).join(""));
}

function uCurve(state, values, panel) {
  const [x, y] = scales(panel), { eps } = PRECISIONS[state.precision], formula = SCHEMES[state.scheme];
  const seen = curve(state).filter(([, error]) => error >= LOWEST && error <= HIGHEST).map(([h, error]) => [x(h), y(error)]);
  const theory = (g, kind) => line([1e-16, 1].map((h) => [x(h), y(g(h))]), `${kind} dashed`);
  const bars = [[values.truncation, "blue", -3], [values.rounding, "purple", 3]].map(([size, kind, off]) =>
    stroke(x(values.h) + off, panel.bottom, x(values.h) + off, y(Math.max(size, LOWEST)), kind) + dot(x(values.h) + off, y(size), `full ${kind}`, 4));
  const here = dot(x(values.h), y(Math.min(HIGHEST, Math.max(LOWEST, values.error))), "vermillion", 7);
  const ticks = { xTicks: [-16, -12, -8, -4, 0].map((k) => [10 ** k, powerOfTen(k)]), yTicks: [-12, -8, -4, 0, 4].map((k) => [10 ** k, powerOfTen(k)]) };
  const words = text(panel.right - 6, panel.top + 18, "truncation", "small blue halo", "end") + text(panel.left + 8, panel.top + 18, "rounding, at worst", "small purple halo");
  return axes(panel, x, y, { ...ticks, xName: "step h", yName: "error" }) +
    clipped("u-curve-u", panel, cloud(seen, "soft") + theory((h) => truncation(formula, h), "blue") +
      theory((h) => rounding(formula, h, Math.abs(values.value), eps), "purple") + bars.join("")) + words + tag("g", { class: "handle" }, here + dot(x(values.h), y(Math.max(LOWEST, values.error)), "wide", 24));
}

/** The values that are subtracted; the digits in which all agree are greyed, since the subtraction removes them. */
function digits({ scheme, precision }, { ahead, value, behind }, { height }) {
  const rows = { forward: [["f(x+h)", ahead], ["f(x)", value]], central: [["f(x+h)", ahead], ["f(x−h)", behind]],
    second: [["f(x+h)", ahead], ["f(x)", value], ["f(x−h)", behind]] }[scheme];
  const written = rows.map(([, number]) => minus(number.toPrecision(PRECISIONS[precision].digits)));
  let same = 0;
  while (same < written[0].length && written.every((one) => one[same] === written[0][same])) same++;
  return rows.map(([name], i) => {
    const kept = tag("tspan", { class: "lost" }, written[i].slice(0, same)) + written[i].slice(same);
    return tag("text", { x: 8, y: height - 48 + 19 * i, class: "code" }, name.padEnd(7) + kept);
  }).join("");
}

const NAMES = { forward: "forward difference", central: "central difference", second: "second difference" };

movingFigure({
  name: "u-curve",
  title: "Move it: the step, and the two errors",
  wide: 0.62,
  narrow: 1.75,
  controls: [
    range("k", "step h", { min: -16, max: 0, step: 0.05, value: -4, shown: (k) => `${brief(10 ** k)}` }),
    range("C", "constant added to f", { min: -1, max: 8, step: 1, value: -1, shown: (C) => (C < 0 ? "none" : powerOfTen(C)) }),
    choice("scheme", "formula", { value: "forward", options: [["forward", "forward"], ["central", "central"], ["second", "second"]] }),
    choice("precision", "numbers", { value: "float64", options: [["float64", "float64"], ["float32", "float32"]] }),
  ],
  compute,
  draw(state, values, box) {
    const [left, right] = panels(box);
    return secant(state, values, left) + uCurve(state, values, right) + digits(state, values, box);
  },
  says: ({ scheme, precision }, { h, quotient, error, truncation, rounding }) =>
    `The ${NAMES[scheme]} in ${precision} with h = ${brief(h)} gives ${brief(quotient, 10)}, where ${minus(SCHEMES[scheme].truth)} is right: ` +
    `an error of ${brief(error)}. Truncation is about ${brief(truncation)}, rounding at most about ${brief(rounding)}.`,
  grab(px, py, box) {
    const panel = panels(box)[1];
    return px >= panel.left - 12 && py >= panel.top - 12 && py <= panel.bottom + 12 && { k: Math.log10(scales(panel)[0].back(px)) };
  },
});
