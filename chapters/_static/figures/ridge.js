// Chapter 17: which pairs of rates the readings of an epidemic allow, after a few days and after many.
import { range, choice, check, movingFigure } from "./base.js";
import { axes, brief, clipped, dot, line, linear, minus, sideBySide, spread, stroke, tag } from "./plot.js";

// ---------------------------------------------------------------- the mathematics

export const TRUE = [0.5, 0.1], SIGMA = 0.005, COUNT = 30, START = 0.01;

/** Numbers between 0 and 1 from a seed (mulberry32), the same everywhere. */
export function uniforms(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Normal numbers by the method of Box and Muller. */
export function normals(seed, count) {
  const next = uniforms(seed);
  return Array.from({ length: count }, () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()));
}

export const times = (days) => spread(0, days, COUNT + 1).slice(1);

/** S, I and their slopes by β and by γ: the rates of change of all six. */
function rates([s, i, sb, ib, sg, ig], beta, gamma) {
  const now = beta * s * i, b = s * i + beta * (sb * i + s * ib), g = beta * (sg * i + s * ig);
  return [-now, now - gamma * i, -b, b - gamma * ib, -g, g - i - gamma * ig];
}

/** I at each time, and its slopes by both rates, by the classical method of Runge and Kutta. */
export function march(beta, gamma, ends, substeps = 8) {
  const move = (y, h, slope) => y.map((v, n) => v + h * slope[n]), path = [];
  let y = [1 - START, START, 0, 0, 0, 0], t = 0;
  for (const end of ends) {
    const h = (end - t) / substeps;
    for (let n = 0; n < substeps; n++) {
      const a = rates(y, beta, gamma), b = rates(move(y, h / 2, a), beta, gamma);
      const c = rates(move(y, h / 2, b), beta, gamma), d = rates(move(y, h, c), beta, gamma);
      y = y.map((v, k) => v + (h / 6) * (a[k] + 2 * b[k] + 2 * c[k] + d[k]));
    }
    t = end;
    path.push({ t, I: y[1], byBeta: y[3], byGamma: y[5] });
  }
  return path;
}

/** Thirty counts of the infected until a last day, with noise. */
export function readings(days, seed) {
  const noise = normals(seed, COUNT);
  return march(...TRUE, times(days)).map(({ I }, k) => I + SIGMA * noise[k]);
}

export const chi2 = (beta, gamma, ends, seen, substeps) =>
  march(beta, gamma, ends, substeps).reduce((sum, { I }, k) => sum + ((I - seen[k]) / SIGMA) ** 2, 0);

/** The normal equations at a pair of rates: JᵀJ as [bb, bg, gg], and Jᵀr. */
function normalEquations(pair, ends, seen) {
  const sums = [0, 0, 0, 0, 0];
  march(...pair, ends).forEach(({ I, byBeta, byGamma }, k) => {
    const r = (I - seen[k]) / SIGMA, b = byBeta / SIGMA, g = byGamma / SIGMA;
    [b * b, b * g, g * g, b * r, g * r].forEach((term, n) => (sums[n] += term));
  });
  return sums;
}

/** Least squares from a guess, by Levenberg and Marquardt: the best pair near it, its χ², error bars, correlation. */
export function estimate(ends, seen, guess) {
  let pair = guess, cost = chi2(...pair, ends, seen), mu = 1e-3;
  for (let k = 0; k < 60 && mu < 1e9; k++) {
    const [bb, bg, gg, rb, rg] = normalEquations(pair, ends, seen), B = bb * (1 + mu), G = gg * (1 + mu), det = B * G - bg * bg;
    const next = [pair[0] - (G * rb - bg * rg) / det, pair[1] - (B * rg - bg * rb) / det], found = chi2(...next, ends, seen);
    const step = Math.hypot(next[0] - pair[0], next[1] - pair[1]);
    if (found <= cost) [pair, cost, mu] = [next, found, Math.max(mu / 10, 1e-12)];
    else mu *= 10;
    if (step < 1e-13) break;
  }
  const [bb, bg, gg] = normalEquations(pair, ends, seen), det = bb * gg - bg * bg;
  return { pair, chi2: cost, errors: [Math.sqrt(gg / det), Math.sqrt(bb / det)], correlation: -bg / Math.sqrt(bb * gg) };
}

/** The best γ at a fixed β, by Gauss and Newton from a guess; the χ² there, and how far γ may go until it is a level. */
export function profile(beta, guess, ends, seen, substeps) {
  let gamma = guess, square, cost;
  for (let n = 0; n < 2; n++) {
    const path = march(beta, gamma, ends, substeps), r = path.map(({ I }, k) => (I - seen[k]) / SIGMA);
    square = path.reduce((sum, { byGamma }) => sum + (byGamma / SIGMA) ** 2, 0);
    cost = r.reduce((sum, one) => sum + one * one, 0);
    const step = path.reduce((sum, { byGamma }, k) => sum + (byGamma / SIGMA) * r[k], 0) / square;
    if (n < 1) gamma -= step;
  }
  return { gamma, chi2: cost, reach: (level) => Math.sqrt(Math.max(0, level - cost) / square) };
}

/** A valley from its bottom outward, to both sides: [β, profile] while χ² is below a level. */
function valleyOf({ pair, errors, correlation }, level, ends, seen) {
  const slope = (correlation * errors[1]) / errors[0], step = errors[0] / 4;
  const side = (sign) => {
    const found = [];
    for (let n = sign > 0 ? 0 : 1, gamma = pair[1]; n < 30; n++) {
      const beta = pair[0] + sign * n * step, here = profile(beta, gamma, ends, seen, 2);
      if (!(here.chi2 < level)) break;
      found.push([beta, here]);
      gamma = here.gamma + sign * step * slope;
    }
    return found;
  };
  return [...side(-1).reverse(), ...side(1)];
}

const LEVELS = [5.99, 2.3]; // the rise of χ² that holds the truth in 95 and in 68 of 100 repetitions
const known = new Map(); // "8 1": the readings and both valleys

function fitted({ days, seed }) {
  const name = `${days} ${seed}`;
  if (!known.has(name)) {
    known.clear();
    const seen = readings(days, seed), ends = times(days);
    const best = estimate(ends, seen, [0.5, 0.1]), mirror = estimate(ends, seen, [-0.5, -0.9]), least = Math.min(best.chi2, mirror.chi2);
    const valleys = [best, mirror].map((one) => valleyOf(one, least + LEVELS[0], ends, seen));
    known.set(name, { seen, ends, best, mirror, least, valleys });
  }
  return known.get(name);
}

function compute(state) {
  const { seen, ends, best, mirror } = fitted(state);
  return { seen, best, mirror, chi2: chi2(state.beta, state.gamma, ends, seen) };
}

// ---------------------------------------------------------------- the picture

const MAPS = { near: [[0.2, 0.8], [-0.2, 0.36]], wide: [[-0.8, 0.9], [-1.2, 0.5]] };

const panels = (box) => sideBySide(box, 0.48, 0.44);

function curve({ beta, gamma, days, ahead }, { seen }, panel) {
  const until = ahead ? 60 : days, x = linear([0, until], [panel.left, panel.right]);
  const most = Math.max(...seen, ahead ? 0.5 : 0) * 1.15 + 0.02, y = linear([-0.02, most], [panel.bottom, panel.top]);
  const bars = seen.map((I, k) => stroke(x(times(days)[k]), y(I - SIGMA), x(times(days)[k]), y(I + SIGMA), "blue")).join("");
  const dots = seen.map((I, k) => dot(x(times(days)[k]), y(I), "full blue", 2.6)).join("");
  const path = [[x(0), y(START)], ...march(beta, gamma, spread(0, until, 121).slice(1), 2).map(({ t, I }) => [x(t), y(Math.min(9, Math.max(-9, I)))])];
  const share = most > 0.3 ? [0, 0.2, 0.4] : [0, 0.1, 0.2];
  return axes(panel, x, y, { xTicks: [0, until / 4, until / 2, (3 * until) / 4, until], yTicks: share, xName: "days", yName: "share that is ill" }) +
    clipped("ridge-curve", panel, bars + dots + line(path, "vermillion"));
}

/** A valley below a level, as one shape. */
function region(valley, level, x, y, kind) {
  const inside = valley.filter(([, { chi2 }]) => chi2 < level);
  const rim = (sign) => inside.map(([beta, { gamma, reach }]) => [x(beta), y(gamma + sign * reach(level))]);
  const points = [...rim(1), ...rim(-1).reverse()];
  return points.length ? tag("path", { d: `M${points.map(([a, b]) => `${a.toFixed(1)} ${b.toFixed(1)}`).join("L")}Z`, class: `veil rim ${kind}` }) : "";
}

const scales = ({ left, top, right, bottom }, map) => [linear(MAPS[map][0], [left, right]), linear(MAPS[map][1], [bottom, top])];
const cross = (x, y, kind) => stroke(x - 6, y - 6, x + 6, y + 6, kind) + stroke(x - 6, y + 6, x + 6, y - 6, kind);

function allowed(state, { best, mirror }, panel) {
  const [x, y] = scales(panel, state.map), { least, valleys } = fitted(state);
  const ticks = state.map === "near" ? [[0.2, 0.4, 0.6, 0.8], [-0.2, 0, 0.2]] : [[-0.5, 0, 0.5], [-1, -0.5, 0, 0.5]];
  const shapes = valleys.flatMap((valley, n) => LEVELS.map((level) => region(valley, least + level, x, y, n ? "purple" : "blue")));
  const inside = shapes.join("") + cross(x(TRUE[0]), y(TRUE[1]), "green") + dot(x(best.pair[0]), y(best.pair[1]), "full blue", 3.5) +
    (valleys[1].length ? dot(x(mirror.pair[0]), y(mirror.pair[1]), "full purple", 3.5) : "");
  const here = tag("g", { class: "handle" }, dot(x(state.beta), y(state.gamma), "vermillion", 7) + dot(x(state.beta), y(state.gamma), "wide", 24));
  return axes(panel, x, y, { xTicks: ticks[0], yTicks: ticks[1], xName: "β (per day)", yName: "γ (per day); green: the truth, blue: the best" }) +
    clipped("ridge-map", panel, inside + here);
}

movingFigure({
  name: "ridge",
  title: "Move it: which pairs of rates can the data see?",
  wide: 0.58,
  narrow: 1.9,
  controls: [
    range("beta", "β (per day)", { min: -0.8, max: 0.9, step: 0.005, value: 0.5, shown: minus }),
    range("gamma", "γ (per day)", { min: -1.2, max: 0.5, step: 0.005, value: 0.1, shown: minus }),
    range("days", "last day of thirty readings", { min: 8, max: 60, step: 1, value: 60 }),
    range("seed", "noise, draw number", { min: 0, max: 50, step: 1, value: 1 }),
    choice("map", "map", { value: "near", options: [["near", "near the truth"], ["wide", "with negative rates"]] }),
    check("ahead", "show what comes, up to day 60"),
  ],
  compute,
  draw(state, values, box) {
    const [left, right] = panels(box);
    return curve(state, values, left) + allowed(state, values, right);
  },
  says({ beta, gamma, days }, { best, mirror, chi2 }) {
    const [b, g] = best.pair, rise = chi2 - Math.min(best.chi2, mirror.chi2);
    const second = mirror.chi2 < best.chi2 + 30 ? ` A second valley is at β = ${brief(mirror.pair[0], 3)}, χ² ${brief(mirror.chi2, 3)}.` : "";
    return `${days} days: the best is β = ${brief(b, 3)} ± ${brief(best.errors[0])}, γ = ${brief(g, 3)} ± ${brief(best.errors[1])}, χ² ${brief(best.chi2, 3)}. ` +
      `β = ${minus(beta)}, γ = ${minus(gamma)} is ${rise < 5.99 ? "among the pairs that the readings allow" : "not allowed"}: χ² ${brief(chi2, 3)}.${second}`;
  },
  grab(px, py, box, { map }) {
    const panel = panels(box)[1], [x, y] = scales(panel, map);
    return px > panel.left - 12 && px < panel.right + 12 && py > panel.top - 12 && py < panel.bottom + 12 && { beta: x.back(px), gamma: y.back(py) };
  },
});
