// Chapter 6: the Taylor polynomials of 1/(1 + x²), and the circle in the complex plane that says how far they carry.
import { range, movingFigure } from "./base.js";
import { axes, brief, clipped, dot, line, linear, logarithmic, minus, powerOfTen, rect, spread, stroke, tag, text } from "./plot.js";

// ---------------------------------------------------------------- the mathematics

export const f = (x) => 1 / (1 + x * x);

/** The Taylor coefficients of f at a, from (1 + (a + t)²) v(t) = 1: each from the two before. */
export function taylor(a, order) {
  const u0 = 1 + a * a, u1 = 2 * a, v = [1 / u0];
  for (let k = 1; k <= order; k++) v.push(-(u1 * v[k - 1] + (v[k - 2] ?? 0)) / u0);
  return v;
}

/** The polynomial at x, by Horner's rule. */
export const evaluate = (coefficients, a, x) => coefficients.reduceRight((sum, c) => sum * (x - a) + c, 0);

/** The distance from a to the poles at ±i. */
export const radius = (a) => Math.sqrt(1 + a * a);

function compute({ a, order, x }) {
  const coefficients = taylor(a, order), polynomial = evaluate(coefficients, a, x), R = radius(a);
  return { coefficients, polynomial, f: f(x), error: Math.abs(polynomial - f(x)), radius: R, inside: Math.abs(x - a) < R };
}

// ---------------------------------------------------------------- the picture

const FROM = -3, TO = 3;

/** The function above its error; beside both, or below on a phone, the complex plane. */
function panels({ width, height }) {
  if (width < 560) {
    const side = Math.min(width - 50, height * 0.36), rest = height - side - 58;
    return [
      { left: 44, top: 22, right: width - 8, bottom: rest * 0.5 },
      { left: 44, top: rest * 0.5 + 40, right: width - 8, bottom: rest - 24 },
      { left: 44, top: rest + 30, right: 44 + side, bottom: rest + 30 + side },
    ];
  }
  const middle = width * 0.55, side = Math.min(width - middle - 50, height - 60);
  return [
    { left: 44, top: 22, right: middle, bottom: height * 0.5 },
    { left: 44, top: height * 0.5 + 42, right: middle, bottom: height - 38 },
    { left: middle + 42, top: 22, right: middle + 42 + side, bottom: 22 + side },
  ];
}

const acrossOf = ({ left, right }) => linear([FROM, TO], [left, right]);

function shadow(panel, { a }, R) {
  const x = acrossOf(panel), left = Math.max(panel.left, x(a - R)), right = Math.min(panel.right, x(a + R));
  return rect(left, panel.top, right - left, panel.bottom - panel.top, "veil blue");
}

function curves(state, { coefficients, polynomial, radius }, panel) {
  const x = acrossOf(panel), y = linear([-0.6, 1.8], [panel.bottom, panel.top]);
  const many = spread(FROM, TO, 301), to = (g) => many.map((t) => [x(t), y(Math.min(99, Math.max(-99, g(t))))]);
  const inside = line(to(f), "soft") + line(to((t) => evaluate(coefficients, state.a, t)), "vermillion") +
    stroke(x(state.x), panel.top, x(state.x), panel.bottom, "thin dashed") + dot(x(state.x), y(polynomial), "full vermillion", 4);
  const point = tag("g", { class: "handle" }, dot(x(state.a), y(f(state.a)), "blue", 6) + dot(x(state.a), y(f(state.a)), "wide", 24));
  return shadow(panel, state, radius) + axes(panel, x, y, { xTicks: [-3, -2, -1, 0, 1, 2, 3], yTicks: [-0.5, 0, 0.5, 1, 1.5], yName: "1/(1 + x²) and the polynomial" }) +
    clipped("runge-curves", panel, inside) + point;
}

function errors(state, { coefficients, error, radius }, panel) {
  const x = acrossOf(panel), y = logarithmic([1e-16, 1e8], [panel.bottom, panel.top]);
  const many = spread(FROM, TO, 301).map((t) => [x(t), y(Math.max(1e-17, Math.abs(evaluate(coefficients, state.a, t) - f(t))))]);
  const ticks = [-16, -8, 0, 8].map((k) => [10 ** k, powerOfTen(k)]);
  return shadow(panel, state, radius) + axes(panel, x, y, { xTicks: [-3, -2, -1, 0, 1, 2, 3], yTicks: ticks, xName: "x", yName: "error" }) +
    clipped("runge-errors", panel, line(many, "vermillion") + stroke(x(state.x), panel.top, x(state.x), panel.bottom, "thin dashed") + dot(x(state.x), y(Math.max(1e-16, error)), "full vermillion", 4));
}

function plane({ a }, { radius }, panel) {
  const x = linear([FROM, TO], [panel.left, panel.right]), y = linear([FROM, TO], [panel.bottom, panel.top]);
  const circle = tag("circle", { cx: x(a), cy: y(0), r: x(radius) - x(0), class: "veil blue" }) +
    tag("circle", { cx: x(a), cy: y(0), r: x(radius) - x(0), class: "ring blue" });
  const poles = [1, -1].map((side) => stroke(x(0) - 5, y(side) - 5, x(0) + 5, y(side) + 5, "vermillion") +
    stroke(x(0) - 5, y(side) + 5, x(0) + 5, y(side) - 5, "vermillion") + text(x(0), y(side) + (side > 0 ? -9 : 19), side > 0 ? "i" : "−i", "vermillion strong halo", "middle")).join("");
  const point = tag("g", { class: "handle" }, dot(x(a), y(0), "blue", 6) + dot(x(a), y(0), "wide", 24));
  return axes(panel, x, y, { xTicks: [-2, 0, 2], yTicks: [[-2, "−2i"], [0, "0"], [2, "2i"]], yName: "the complex plane" }) +
    clipped("runge-plane", panel, stroke(panel.left, y(0), panel.right, y(0), "thin soft") + circle + stroke(x(a), y(0), x(0), y(1), "blue thin dashed")) + poles + point;
}

movingFigure({
  name: "runge",
  title: "Move it: where a series stops to converge",
  wide: 0.62,
  narrow: 2,
  controls: [
    range("a", "point of expansion a", { min: -2.5, max: 2.5, step: 0.01, value: 0, shown: minus }),
    range("order", "order of the polynomial", { min: 0, max: 30, step: 1, value: 8 }),
    range("x", "look at x", { min: -3, max: 3, step: 0.01, value: 1.1, shown: minus }),
  ],
  compute,
  draw(state, values, box) {
    const [top, bottom, right] = panels(box);
    return curves(state, values, top) + errors(state, values, bottom) + plane(state, values, right);
  },
  says: ({ a, order, x }, { polynomial, f, error, radius, inside }) =>
    `Around ${minus(a)} the series converges within ${brief(radius, 4)}, the distance to i. At x = ${minus(x)}, ${inside ? "inside" : "outside"}, ` +
    `the polynomial of order ${order} gives ${brief(polynomial, 6)}, the function is ${brief(f, 6)}: an error of ${brief(error)}.`,
  grab(px, py, box) {
    const panel = panels(box).find(({ left, top, right, bottom }) => px > left - 12 && px < right + 12 && py > top - 12 && py < bottom + 12);
    return panel && { a: acrossOf(panel).back(px) };
  },
});
