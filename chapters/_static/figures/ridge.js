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

const [y, mid, ...stages] = Array.from({ length: 6 }, () => new Float64Array(6)); // one room for all marches: frames are short

/** The rates of change of S, I and, where all six are asked for, of their slopes by β and by γ. */
function rates(count, from, beta, gamma, to) {
  const s = from[0], i = from[1], sb = from[2], ib = from[3], sg = from[4], ig = from[5]; // as [s, i, …] = from, but fast
  const now = beta * s * i;
  to[0] = -now;
  to[1] = now - gamma * i;
  if (count < 6) return;
  const b = s * i + beta * (sb * i + s * ib), g = beta * (sg * i + s * ig);
  to[2] = -b;
  to[3] = b - gamma * ib;
  to[4] = -g;
  to[5] = g - i - gamma * ig;
}

/** One step of the classical method of Runge and Kutta, of the first numbers of y. */
function rungeKutta(count, beta, gamma, h) {
  const [a, b, c, d] = stages;
  rates(count, y, beta, gamma, a);
  const then = (from, part, to) => {
    for (let n = 0; n < count; n++) mid[n] = y[n] + part * from[n];
    rates(count, mid, beta, gamma, to);
  };
  then(a, h / 2, b);
  then(b, h / 2, c);
  then(c, h, d);
  for (let n = 0; n < count; n++) y[n] += (h / 6) * (a[n] + 2 * b[n] + 2 * c[n] + d[n]);
}

/** Calls see(I, ∂I/∂β, ∂I/∂γ, k) at each time; the slopes only where count is 6. */
function follow(count, beta, gamma, ends, substeps, see) {
  y.set([1 - START, START, 0, 0, 0, 0]);
  let t = 0;
  ends.forEach((end, k) => {
    for (let n = 0; n < substeps; n++) rungeKutta(count, beta, gamma, (end - t) / substeps);
    t = end;
    see(y[1], y[3], y[5], k);
  });
}

/** I at each time. */
export function march(beta, gamma, ends, substeps = 8) {
  const path = [];
  follow(2, beta, gamma, ends, substeps, (I) => path.push(I));
  return path;
}

/** Thirty counts of the infected until a last day, with noise. */
export function readings(days, seed) {
  const noise = normals(seed, COUNT);
  return march(...TRUE, times(days)).map((I, k) => I + SIGMA * noise[k]);
}

export const chi2 = (beta, gamma, ends, seen) =>
  march(beta, gamma, ends).reduce((sum, I, k) => sum + ((I - seen[k]) / SIGMA) ** 2, 0);

/** At a pair of rates: JᵀJ as bb, bg, gg, Jᵀr as rb, rg, and χ² = rᵀr. */
function normalEquations([beta, gamma], ends, seen, substeps = 8) {
  let bb = 0, bg = 0, gg = 0, rb = 0, rg = 0, chi2 = 0;
  follow(6, beta, gamma, ends, substeps, (I, byBeta, byGamma, k) => {
    const r = (I - seen[k]) / SIGMA, b = byBeta / SIGMA, g = byGamma / SIGMA;
    bb += b * b;
    bg += b * g;
    gg += g * g;
    rb += b * r;
    rg += g * r;
    chi2 += r * r;
  });
  return { bb, bg, gg, rb, rg, chi2 };
}

/** Least squares from a guess, by Levenberg and Marquardt: the best pair near it, its χ², error bars, correlation. */
export function estimate(ends, seen, guess) {
  let pair = guess, here = normalEquations(pair, ends, seen), mu = 1e-3;
  for (let k = 0; k < 60 && mu < 1e9; k++) {
    const { bb, bg, gg, rb, rg, chi2 } = here, B = bb * (1 + mu), G = gg * (1 + mu), det = B * G - bg * bg;
    const next = [pair[0] - (G * rb - bg * rg) / det, pair[1] - (B * rg - bg * rb) / det], there = normalEquations(next, ends, seen);
    const step = Math.hypot(next[0] - pair[0], next[1] - pair[1]);
    if (there.chi2 <= chi2) [pair, here, mu] = [next, there, Math.max(mu / 10, 1e-12)];
    else mu *= 10;
    if (step < 1e-11) break;
  }
  const { bb, bg, gg, chi2 } = here, det = bb * gg - bg * bg;
  return { pair, chi2, errors: [Math.sqrt(gg / det), Math.sqrt(bb / det)], correlation: -bg / Math.sqrt(bb * gg) };
}

/** The best γ at a fixed β, by Gauss and Newton from a guess; the χ² there, and how far γ may go until it is a level. */
export function profile(beta, guess, ends, seen, substeps) {
  const { rg, gg } = normalEquations([beta, guess], ends, seen, substeps), gamma = guess - rg / gg;
  const there = normalEquations([beta, gamma], ends, seen, substeps);
  return { gamma, chi2: there.chi2, reach: (level) => Math.sqrt(Math.max(0, level - there.chi2) / there.gg) };
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
const LATEST = 20; // days; later the second valley is thousands above the first
const known = new Map(); // "8 1": the readings and the valleys

function fitted({ days, seed }) {
  const name = `${days} ${seed}`;
  if (!known.has(name)) {
    known.clear();
    const seen = readings(days, seed), ends = times(days);
    const best = estimate(ends, seen, [0.5, 0.1]), mirror = days > LATEST ? null : estimate(ends, seen, [-0.5, -0.9]);
    const least = Math.min(best.chi2, mirror?.chi2 ?? Infinity);
    const valleys = [best, mirror].map((one) => (one ? valleyOf(one, least + LEVELS[0], ends, seen) : []));
    known.set(name, { seen, ends, best, mirror, least, valleys });
  }
  return known.get(name);
}

function compute(state) {
  const { seen, ends, best, mirror, least } = fitted(state);
  return { seen, best, mirror, least, chi2: chi2(state.beta, state.gamma, ends, seen) };
}

// ---------------------------------------------------------------- the picture

const MAPS = { near: [[0.2, 0.8], [-0.2, 0.36]], wide: [[-0.8, 0.9], [-1.2, 0.5]] };

const panels = (box) => sideBySide(box, 0.48, 0.44);

function curve({ beta, gamma, days, ahead }, { seen }, panel) {
  const until = ahead ? 60 : days, x = linear([0, until], [panel.left, panel.right]);
  const most = Math.max(...seen, ahead ? 0.5 : 0) * 1.15 + 0.02, y = linear([-0.02, most], [panel.bottom, panel.top]);
  const at = times(days).map(x);
  const bars = seen.map((I, k) => stroke(at[k], y(I - SIGMA), at[k], y(I + SIGMA), "blue")).join("");
  const dots = seen.map((I, k) => dot(at[k], y(I), "full blue", 2.6)).join("");
  const many = spread(0, until, 121).slice(1), height = (I) => y(Math.min(9, Math.max(-9, I)));
  const path = [[x(0), y(START)], ...march(beta, gamma, many, 2).map((I, k) => [x(many[k]), height(I)])];
  const share = most > 0.3 ? [0, 0.2, 0.4] : [0, 0.1, 0.2];
  return axes(panel, x, y, { xTicks: [0, until / 4, until / 2, (3 * until) / 4, until], yTicks: share, xName: "days", yName: "share that is ill" }) +
    clipped("ridge-curve", panel, bars + line(path, "vermillion")) + dots; // the last dot is on the rim
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
  const here = tag("g", { class: "handle" }, dot(x(state.beta), y(state.gamma), "vermillion ring", 9) + dot(x(state.beta), y(state.gamma), "wide", 24));
  return axes(panel, x, y, { xTicks: ticks[0], yTicks: ticks[1], xName: "β (per day)", yName: "γ; cross: the truth, dot: the best" }) +
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
  says({ beta, gamma, days }, { best, mirror, least, chi2 }) {
    const [b, g] = best.pair, rise = chi2 - least;
    const second = mirror?.chi2 < best.chi2 + 30 ? ` A second valley is at β = ${brief(mirror.pair[0], 3)}, χ² ${brief(mirror.chi2, 3)}.` : "";
    return `${days} days: the best is β = ${brief(b, 3)} ± ${brief(best.errors[0])}, γ = ${brief(g, 3)} ± ${brief(best.errors[1])}, χ² ${brief(best.chi2, 3)}. ` +
      `β = ${minus(beta)}, γ = ${minus(gamma)} is ${rise < 5.99 ? "among the pairs that the readings allow" : "not allowed"}: χ² ${brief(chi2, 3)}.${second}`;
  },
  grab(px, py, box, { map }) {
    const panel = panels(box)[1], [x, y] = scales(panel, map);
    return px > panel.left - 12 && px < panel.right + 12 && py > panel.top - 12 && py < panel.bottom + 12 && { beta: x.back(px), gamma: y.back(py) };
  },
});
