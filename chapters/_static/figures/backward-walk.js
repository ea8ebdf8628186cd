// Chapters 3 and 4: a Wengert list; the forward pass with one slope, the backward pass with all adjoints, line by line.
import { range, choice, check, movingFigure } from "./base.js";
import { arrow, brief, minus, rect, tag, text } from "./plot.js";

// ---------------------------------------------------------------- the mathematics

// A line: its words, its inputs, its value, its derivatives by each input. The first lines of a list are its inputs.
export const LISTS = {
  f: {
    inputs: [1, 2],
    lines: {
      3: { words: "ln v₁", uses: [1], value: Math.log, slopes: (a) => [1 / a] },
      4: { words: "v₁·v₂", uses: [1, 2], value: (a, b) => a * b, slopes: (a, b) => [b, a] },
      5: { words: "v₃ + v₄", uses: [3, 4], value: (a, b) => a + b, slopes: () => [1, 1] },
      6: { words: "sin v₂", uses: [2], value: Math.sin, slopes: (a) => [Math.cos(a)] },
      7: { words: "v₅ − v₆", uses: [5, 6], value: (a, b) => a - b, slopes: () => [1, -1] },
    },
    gradient: ([x1, x2]) => [1 / x1 + x2, x1 - Math.cos(x2)],
    places: { 1: [0, 0.25], 2: [0, 0.75], 3: [1, 0], 4: [1, 0.5], 6: [1, 1], 5: [2, 0.27], 7: [3, 0.6] },
  },
  diamond: {
    inputs: [1],
    lines: {
      2: { words: "v₁·v₁", uses: [1, 1], value: (a, b) => a * b, slopes: (a, b) => [b, a] },
      3: { words: "3·v₂", uses: [2], value: (a) => 3 * a, slopes: () => [3] },
      4: { words: "5·v₂", uses: [2], value: (a) => 5 * a, slopes: () => [5] },
      5: { words: "v₃ + v₄", uses: [3, 4], value: (a, b) => a + b, slopes: () => [1, 1] },
    },
    gradient: ([x]) => [16 * x],
    places: { 1: [0, 0.5], 2: [1, 0.5], 3: [2, 0.12], 4: [2, 0.88], 5: [3, 0.5] },
  },
};

/** The values of all lines. */
export function evaluate({ inputs, lines }, point) {
  const v = Object.fromEntries(inputs.map((i, n) => [i, point[n]]));
  for (const [k, { uses, value }] of Object.entries(lines)) v[k] = value(...uses.map((i) => v[i]));
  return v;
}

/** Forward: the slopes of all lines by one input, each line after those that it uses. */
export function tangents({ inputs, lines }, v, seed) {
  const slope = Object.fromEntries(inputs.map((i) => [i, i === seed ? 1 : 0]));
  for (const [k, { uses, slopes }] of Object.entries(lines)) {
    const by = slopes(...uses.map((i) => v[i]));
    slope[k] = uses.reduce((sum, i, n) => sum + by[n] * slope[i], 0);
  }
  return slope;
}

/** The lines in the order in which they are struck out: from the last to the first, or on from each at once. */
export function visits({ lines }, order) {
  const numbers = Object.keys(lines).map(Number), seen = new Set(), path = [];
  if (order === "list") return numbers.reverse();
  const visit = (k) => {
    if (!lines[k] || (order === "once" && seen.has(k))) return;
    seen.add(k);
    path.push(k);
    lines[k].uses.forEach(visit);
  };
  visit(numbers.at(-1));
  return path;
}

/** Backward: the adjoints after striking out the first lines of the path, and the shares of the last of these. */
export function adjoints({ lines }, v, path, overwrite) {
  const bar = { [Object.keys(lines).at(-1)]: 1 };
  let shares = [];
  for (const k of path) {
    const { uses, slopes } = lines[k], by = slopes(...uses.map((i) => v[i]));
    shares = uses.map((i, n) => ({ from: k, to: i, share: bar[k] * by[n] }));
    for (const { to, share } of shares) bar[to] = overwrite ? share : (bar[to] ?? 0) + share;
  }
  return { bar, shares };
}

const last = ({ list, way, order }) => {
  const lines = LISTS[list];
  return way === "back" ? visits(lines, order).length : Object.keys(lines.lines).length;
};

function compute(state) {
  const list = LISTS[state.list], point = [state.x1, state.x2].slice(0, list.inputs.length);
  const v = evaluate(list, point), done = Math.min(state.step, last(state)), finished = done === last(state);
  const right = list.gradient(point);
  if (state.way !== "back") {
    const seed = Math.min(Number(state.way), list.inputs.length), slope = tangents(list, v, seed);
    return { v, done, finished, slope, seed, found: slope[Object.keys(list.lines).at(-1)], right: right[seed - 1] };
  }
  const path = visits(list, state.order).slice(0, done), { bar, shares } = adjoints(list, v, path, state.overwrite);
  return { v, done, finished, path, bar, shares, found: list.inputs.map((i) => bar[i] ?? 0), right };
}

// ---------------------------------------------------------------- the picture

const LOW = "₀₁₂₃₄₅₆₇";
const name = (k) => `v${LOW[k]}`;

/** Where the middle of each box is: time runs to the right, or down on a phone. */
function layout(list, { width, height }) {
  const down = width < 560, size = { width: Math.min(112, width / 3 - 10), height: 62 };
  const along = down ? height - size.height - 4 : width - size.width - 4, across = down ? width - size.width - 4 : height - size.height - 4;
  const at = Object.fromEntries(Object.entries(list.places).map(([k, [time, side]]) => {
    const t = 2 + (time / 3) * along, s = 2 + side * across;
    return [k, down ? [s + size.width / 2, t + size.height / 2] : [t + size.width / 2, s + size.height / 2]];
  }));
  return { at, size, down };
}

/** From the rim of a box to the rim of another; the n-th of two between the same boxes stands beside the first. */
function wire({ at, size, down }, from, to, beside, kind, words) {
  let [x1, y1] = at[from], [x2, y2] = at[to];
  const sign = Math.sign(down ? y2 - y1 : x2 - x1);
  if (down) { y1 += (sign * size.height) / 2; y2 -= (sign * size.height) / 2; x1 += beside; x2 += beside; }
  else { x1 += (sign * size.width) / 2; x2 -= (sign * size.width) / 2; y1 += beside; y2 += beside; }
  const aside = down && beside ? 22 * Math.sign(beside) : 0, above = !down && beside > 0 ? 16 : -6;
  const label = words && text((x1 + x2) / 2 + aside, (y1 + y2) / 2 + above, words, "strong blue halo", "middle");
  return arrow(x1, y1, x2, y2, kind) + (label || "");
}

function wires(list, place, { shares, path = [], done }, way) {
  const all = Object.entries(list.lines).flatMap(([k, { uses }]) => uses.map((i, n) => {
    const beside = uses.length > 1 && uses[0] === uses[1] ? (n ? 9 : -9) : 0;
    return { k: Number(k), i, n, beside };
  }));
  const now = way === "back" ? path.at(-1) : Number(Object.keys(list.lines)[done - 1]);
  return all.map(({ k, i, n, beside }) => {
    if (way !== "back") return wire(place, i, k, beside, k === now ? "blue" : "soft thin");
    if (k === now) return wire(place, k, i, beside, "blue", signed(shares[n].share));
    return wire(place, k, i, beside, path.includes(k) ? "soft thin dashed" : "soft thin");
  }).join("");
}

const signed = (share) => (share < 0 ? "" : "+") + brief(share, 3);

/** Whether all lines that use this one have been struck out. */
const isFinal = (list, k, path) => Object.entries(list.lines).every(([user, { uses }]) => !uses.includes(k) || path.includes(Number(user)));

function node(list, k, { at, size }, values, way) {
  const [x, y] = at[k], left = x - size.width / 2, top = y - size.height / 2;
  const input = list.inputs.indexOf(k), words = input < 0 ? list.lines[k].words : `x${LOW[input + 1]}`;
  const order = Object.keys(list.lines).indexOf(`${k}`), reached = way === "back" || order < values.done;
  const struck = way === "back" && values.path.includes(k);
  const number = way === "back" ? values.bar[k] : reached ? values.slope[k] : undefined;
  const final = way !== "back" || isFinal(list, k, values.path);
  const kind = number === undefined ? "soft" : final ? "blue" : "vermillion dashed";
  const box = tag("rect", { x: left, y: top, width: size.width, height: size.height, rx: 5, class: `box ${kind}` });
  return box + text(x, top + 18, `${name(k)} = ${words}`, struck ? "small struck" : "small strong", "middle") +
    text(x, top + 36, reached || input >= 0 ? brief(values.v[k], 4) : "", "small", "middle") +
    text(x, top + 54, number === undefined ? "" : `${way === "back" ? "adjoint" : "slope"} ${brief(number, 4)}`, `small ${final ? "blue" : "vermillion"}`, "middle");
}

function draw(state, values, box) {
  const list = LISTS[state.list], place = layout(list, box);
  const boxes = Object.keys(list.places).map((k) => node(list, Number(k), place, values, state.way));
  return wires(list, place, values, state.way) + boxes.join("");
}

function verdict({ finished, found, right }) {
  if (!finished) return "";
  const wrong = [found].flat().some((one, i) => Math.abs(one - [right].flat()[i]) > 1e-9);
  const list = (numbers) => [numbers].flat().map((one) => brief(one, 7)).join(" and ");
  return wrong ? ` The end: ${list(found)}. Wrong: it should be ${list(right)}.` : ` The end: ${list(found)}, which is right.`;
}

function says(state, values) {
  if (state.way !== "back") {
    const line = Object.keys(LISTS[state.list].lines)[values.done - 1];
    const now = line ? `${name(line)} is computed, and its slope by x${LOW[values.seed]}.` : `Only x${LOW[values.seed]} has a slope, of 1.`;
    return now + verdict(values);
  }
  const line = values.path.at(-1);
  if (!line) return "All lines have values. The last has the adjoint 1; the others have none yet.";
  const given = values.shares.map(({ to, share }) => `${brief(share, 4)} to ${name(to)}`).join(" and ");
  return `${name(line)} is struck out and ${state.overwrite ? "sets" : "gives"} ${given}.${verdict(values)}`;
}

movingFigure({
  name: "backward-walk",
  title: "Step through it: the backward pass with every adjoint, the forward pass with one slope",
  wide: 0.5,
  narrow: 1.35,
  controls: [
    range("step", "lines done", { min: 0, max: 9, step: 1, value: 0 }),
    range("x1", "x₁", { min: 0.5, max: 4, step: 0.1, value: 2, shown: minus }),
    range("x2", "x₂", { min: -6, max: 6, step: 0.1, value: 5, shown: minus }),
    choice("list", "function", { value: "f", options: [["f", "f(x₁, x₂)"], ["diamond", "the diamond, 3h + 5h"]] }),
    choice("way", "pass", { value: "back", options: [["back", "backward"], ["1", "forward, from x₁"], ["2", "forward, from x₂"]] }),
    choice("order", "order of the backward pass", { value: "list", options: [["list", "the list, from its end"], ["every", "on at once, every time"], ["once", "on at once, once"]] }),
    check("overwrite", "= in place of +="),
  ],
  steps: { key: "step", last, perSecond: 1 },
  compute,
  draw,
  says,
});
