// Chapter 14: a quadratic valley of two directions, walked down by gradient descent, momentum or a damped step.
import { range, choice, movingFigure } from "./base.js";
import { axes, brief, clipped, cloud, dot, line, linear, logarithmic, minus, powerOfTen, sideBySide, spread, tag, text } from "./plot.js";

// ---------------------------------------------------------------- the mathematics

export const START = [1, 1]; // how much of each mode there is: the steep one, the flat one

/** One mode under gradient descent with momentum m: v ← m v − η λ a, a ← a + v. The values of a, step by step. */
export function descent(eigenvalue, rate, momentum, steps) {
  const path = [1];
  for (let k = 0, a = 1, v = 0; k < steps; k++) {
    v = momentum * v - rate * eigenvalue * a;
    a += v;
    path.push(a);
  }
  return path;
}

/** One mode under damped steps, each of which leaves μ/(λ + μ). */
export const damped = (eigenvalue, mu, steps) => spread(0, steps, steps + 1).map((k) => (mu / (eigenvalue + mu)) ** k);

/** Steps until 90 % of a mode is gone, by gradient descent with η = 1/λmax, for λ/λmax. */
export const k90 = (ratio) => Math.log(0.1) / Math.log1p(-ratio);

/** What a step leaves in the long run: the larger root of z² − (1 + m − ηλ) z + m, in size. */
export function factor(eigenvalue, rate, momentum) {
  const b = 1 + momentum - rate * eigenvalue, inner = b * b - 4 * momentum;
  return inner < 0 ? Math.sqrt(momentum) : (Math.abs(b) + Math.sqrt(inner)) / 2;
}

function compute({ condition, method, rate, momentum, mu, step }) {
  const kappa = 10 ** condition, eigenvalues = [1, 1 / kappa], mild = method === "descent";
  const paths = eigenvalues.map((one) => (mild ? descent(one, rate, momentum, step) : damped(one, 10 ** mu, Math.max(1, step)).slice(0, step + 1)));
  const factors = eigenvalues.map((one) => (mild ? factor(one, rate, momentum) : 10 ** mu / (one + 10 ** mu)));
  const left = paths.map((path) => path.at(-1));
  return { kappa, paths: paths.map((path) => path.slice(-400)), left, factors, diverges: mild && rate > 2 * (1 + momentum), k90: k90(1 / kappa) };
}

// ---------------------------------------------------------------- the picture

const panels = (box) => sideBySide(box, 0.54, 0.47);

/** Lines of equal loss, and the path: the steep direction goes up, the flat one to the right. */
function valley({ paths: [steep, flat], kappa }, panel) {
  const x = linear([-1.3, 1.3], [panel.left, panel.right]), y = linear([-1.3, 1.3], [panel.bottom, panel.top]);
  const rings = [0.02, 0.1, 0.25, 0.5, 1].map((level) => {
    const up = Math.sqrt(2 * level * 0.5), along = up * Math.sqrt(kappa);
    return tag("ellipse", { cx: x(0), cy: y(0), rx: Math.min(1e4, x(along) - x(0)), ry: y(0) - y(up), class: "level" });
  });
  const points = flat.map((a, k) => [x(a), y(steep[k])]).filter(([px, py]) => Math.abs(px) < 1e5 && Math.abs(py) < 1e5);
  const dots = cloud(points.slice(-60), "blue heavy");
  const here = points.length === flat.length ? dot(...points.at(-1), "vermillion", 6.5) : "";
  return axes(panel, x, y, { xTicks: [-1, 0, 1], yTicks: [-1, 0, 1], xName: "flat direction", yName: "steep direction" }) +
    clipped("valley-map", panel, rings.join("") + line(points, "blue") + dots + here);
}

/** What is left of a mode after these steps, by its eigenvalue; dots for the two modes. */
function filter({ condition, method, rate, momentum, mu, step }, { left }, panel) {
  const x = logarithmic([1e-4, 1], [panel.left, panel.right]), y = linear([-0.1, 1.25], [panel.bottom, panel.top]);
  const of = (eigenvalue) => (method === "descent" ? descent(eigenvalue, rate, momentum, step).at(-1) : damped(eigenvalue, 10 ** mu, Math.max(1, step))[step]);
  const curve = spread(-4, 0, 120).map((k) => [x(10 ** k), y(Math.min(9, Math.abs(of(10 ** k))))]);
  const dots = left.map((one, n) => {
    const at = [x(n ? 10 ** -condition : 1), y(Math.min(1.25, Math.abs(one)))];
    return dot(...at, `full ${n ? "vermillion" : "green"}`, 6) + text(at[0] - 10, at[1] - 9, n ? "flat" : "steep", `halo ${n ? "vermillion" : "green"}`, "end");
  });
  return axes(panel, x, y, { xTicks: [-4, -2, 0].map((k) => [10 ** k, powerOfTen(k)]), yTicks: [0, 0.5, 1], xName: "eigenvalue / largest", yName: "what is left of a mode" }) +
    clipped("valley-filter", panel, line(curve, "blue")) + dots.join("");
}

const percent = (share) => `${brief(100 * Math.abs(share), 2)} %`;

movingFigure({
  name: "valley",
  title: "Move it: one rate for all directions",
  wide: 0.52,
  narrow: 1.7,
  controls: [
    range("step", "steps", { min: 0, max: 300, step: 1, value: 20 }),
    range("condition", "condition number κ", { min: 0, max: 3, step: 0.05, value: 1.5, shown: (k) => brief(10 ** k) }),
    choice("method", "step", { value: "descent", options: [["descent", "gradient descent"], ["damped", "damped, with λ known"]] }),
    range("rate", "rate η·λmax (descent)", { min: 0.05, max: 2.5, step: 0.05, value: 1 }),
    range("momentum", "momentum (descent)", { min: 0, max: 0.99, step: 0.01, value: 0 }),
    range("mu", "damping μ/λmax (damped)", { min: -6, max: 0, step: 0.25, value: -3, shown: (k) => brief(10 ** k) }),
  ],
  steps: { key: "step", last: () => 300, perSecond: 20 },
  compute,
  draw(state, values, box) {
    const [map, right] = panels(box);
    return valley(values, map) + filter(state, values, right);
  },
  says({ step, method }, { kappa, left: [steep, flat], factors, diverges, k90 }) {
    const now = `After ${step} steps ${percent(steep)} of the steep direction and ${percent(flat)} of the flat one are left.`;
    if (diverges) return `${now} The rate is too large: each step makes the steep one ${brief(factors[0], 3)} times as large.`;
    if (method === "damped") return `${now} Each step leaves the factor ${brief(factors[1], 3)} of the flat one.`;
    return `${now} In the long run a step leaves ${minus(brief(factors[1], 3))} of the flat one. Plain descent with the rate 1 needs ${brief(Math.ceil(k90), 4)} steps to be rid of 90 % of it, at κ = ${brief(kappa, 3)}.`;
  },
});
