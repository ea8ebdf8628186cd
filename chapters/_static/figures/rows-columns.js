// Chapter 5: a Jacobian filled column by column or row by row, and what that costs.
import { range, choice, movingFigure } from "./base.js";
import { axes, brief, linear, rect, sideBySide, stroke, tag, text } from "./plot.js";

// ---------------------------------------------------------------- the mathematics

export const WIDTH = 32; // of the middle of f(x) = B tanh(M tanh(A x)), as in the chapter

/** The matrices are no random ones, so that anyone can write them down again: entry k of number q is sin(k² + q), scaled. */
export const matrix = (rows, columns, q) =>
  Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (_, j) => Math.sqrt(2 / columns) * Math.sin((i * columns + j + 1) ** 2 + q)));

const times = (A, x) => A.map((row) => row.reduce((sum, a, j) => sum + a * x[j], 0));
const timesTransposed = (A, y) => A[0].map((_, j) => A.reduce((sum, row, i) => sum + row[j] * y[i], 0));
const unit = (length, k) => Array.from({ length }, (_, i) => (i === k ? 1 : 0));

/** The family of the chapter at the point x = (1, ½, ⅓, …): its matrices, and the slopes of both layers of tanh. */
export function family(n, m) {
  const A = matrix(WIDTH, n, 1), M = matrix(WIDTH, WIDTH, 2), B = matrix(m, WIDTH, 3);
  const first = times(A, Array.from({ length: n }, (_, j) => 1 / (j + 1))).map(Math.tanh), second = times(M, first).map(Math.tanh);
  return { A, M, B, slopes: [first, second].map((layer) => layer.map((y) => 1 - y * y)) };
}

/** One forward pass, J ẋ, with ẋ the unit vector of input j: a column. */
export function column({ A, M, B, slopes: [first, second] }, j) {
  const inner = times(A, unit(A[0].length, j)).map((v, k) => v * first[k]);
  return times(B, times(M, inner).map((v, k) => v * second[k]));
}

/** One backward pass, ȳᵀJ, with ȳ the unit vector of output i: a row. */
export function row({ A, M, B, slopes: [first, second] }, i) {
  const outer = timesTransposed(B, unit(B.length, i)).map((v, k) => v * second[k]);
  return timesTransposed(A, timesTransposed(M, outer).map((v, k) => v * first[k]));
}

/**
 * Operations as the chapter counts them: 2k − 1 for an inner product of length k, one for each other entry. The
 * columns share the slopes 1 − y², all in one go; each row computes them anew.
 */
export function operations(n, m, by, passes) {
  const w = WIDTH, inner = 2 * w - 1, f = w * (2 * n - 1) + w + w * inner + w + m * inner;
  if (by === "columns") return f + (passes ? 4 * w : 0) + passes * (w * (2 * n - 1) + w * inner + m * inner + 2 * w);
  return f + passes * (w * (2 * m - 1) + w * inner + n * inner + 6 * w);
}

const last = ({ n, m, by }) => (by === "columns" ? n : m);

function compute({ n, m, by, step }) {
  const done = Math.min(step, last({ n, m, by })), once = operations(n, m, by, 0), inF = (way, passes) => operations(n, m, way, passes) / once;
  const newest = done ? filled(n, m, by)[done - 1] : [];
  return { done, passes: last({ n, m, by }), newest, spent: operations(n, m, by, done), evaluations: inF(by, done), columns: inF("columns", n), rows: inF("rows", m) };
}

// ---------------------------------------------------------------- the picture

const known = { name: "", lines: [] }; // all columns, or all rows, of one Jacobian

function filled(n, m, by) {
  const name = `${n} ${m} ${by}`;
  if (known.name !== name) {
    const f = family(n, m), lines = Array.from({ length: last({ n, m, by }) }, (_, k) => (by === "columns" ? column(f, k) : row(f, k)));
    Object.assign(known, { name, lines });
  }
  return known.lines;
}

/** The cells that are there, those of one shade in one path. */
function cells(lines, by, { left, top, side }) {
  const most = Math.max(...lines.flat().map(Math.abs), 1e-9), shades = new Map();
  lines.forEach((line, k) => line.forEach((value, l) => {
    const [i, j] = by === "columns" ? [l, k] : [k, l], shade = `${value < 0 ? "blue" : "vermillion"} ${Math.ceil((6 * Math.abs(value)) / most)}`;
    shades.set(shade, `${shades.get(shade) ?? ""}M${Math.round(10 * (left + j * side)) / 10} ${Math.round(10 * (top + i * side)) / 10}h${side}v${side}h${-side}Z`);
  }));
  return [...shades].map(([shade, d]) => tag("path", { d, class: `cell ${shade.split(" ")[0]}`, "fill-opacity": 0.05 + 0.14 * shade.split(" ")[1] })).join("");
}

function jacobian({ n, m, by }, { done }, panel) {
  const side = Math.round(10 * Math.min(44, (panel.right - panel.left) / n, (panel.bottom - panel.top) / m)) / 10, place = { left: panel.left, top: panel.top, side };
  const wide = n * side, high = m * side, newest = (done - 1) * side, kind = by === "columns" ? "green" : "purple";
  const frame = by === "columns" ? [panel.left + newest, panel.top, side, high] : [panel.left, panel.top + newest, wide, side];
  const lines = [];
  for (let j = 1; j < n; j++) lines.push(stroke(panel.left + j * side, panel.top, panel.left + j * side, panel.top + high, "grid"));
  for (let i = 1; i < m; i++) lines.push(stroke(panel.left, panel.top + i * side, panel.left + wide, panel.top + i * side, "grid"));
  return text(panel.left, panel.top - 7, `Jacobian: ${m} ${m === 1 ? "output" : "outputs"} (rows), ${n} ${n === 1 ? "input" : "inputs"} (columns)`, "name") +
    cells(filled(n, m, by).slice(0, done), by, place) + lines.join("") + rect(panel.left, panel.top, wide, high, "frame") + (done ? rect(...frame, `now ${kind}`) : "");
}

const MOST = 40;

function costs({ by }, { evaluations, columns, rows }, panel) {
  const x = linear([0, MOST], [panel.left, panel.right]), high = (panel.bottom - panel.top) / 2, y = linear([0, 2], [panel.top, panel.bottom]);
  const bar = (way, total, n, kind) => {
    const top = panel.top + n * high + high * 0.42, size = high * 0.4, words = `all ${way}: ${brief(total, 3)}`;
    return text(panel.left + 6, top - 7, words, `small ${kind} halo`) + rect(panel.left, top, x(total) - panel.left, size, `veil rim ${kind}`) +
      (way === by ? rect(panel.left, top, x(evaluations) - panel.left, size, `cell ${kind}`) : "");
  };
  return axes(panel, x, y, { xTicks: [0, 10, 20, 30, 40], yTicks: [], xName: "evaluations of f", yName: "cost: spent (full), in all" }) +
    bar("columns", columns, 0, "green") + bar("rows", rows, 1, "purple");
}

movingFigure({
  name: "rows-columns",
  title: "Fill it: by columns or by rows?",
  wide: 0.5,
  narrow: 1.5,
  controls: [
    range("step", "passes done", { min: 0, max: 32, step: 1, value: 0 }),
    choice("by", "fill it by", { value: "columns", options: [["columns", "columns, forward (jvp)"], ["rows", "rows, backward (vjp)"]] }),
    range("n", "inputs n", { min: 1, max: 32, step: 1, value: 7 }),
    range("m", "outputs m", { min: 1, max: 32, step: 1, value: 4 }),
  ],
  steps: { key: "step", last, perSecond: 4 },
  compute,
  draw(state, values, box) {
    const [left, right] = sideBySide(box, 0.54, 0.58);
    return jacobian(state, values, { ...left, left: 8 }) + costs(state, values, box.width < 560 ? { ...right, left: 8 } : { ...right, left: right.left - 20 });
  },
  says({ by }, { done, passes, spent, evaluations, columns, rows }) {
    const all = `All columns would cost ${brief(columns, 3)} times, all rows ${brief(rows, 3)} times as many.`;
    if (!done) return `f alone takes ${spent} operations. ${all}`;
    const way = by === "columns" ? "forward" : "backward", what = passes === 1 ? by.slice(0, -1) : by;
    return `${done} of ${passes} ${what}, by ${done} ${way} ${done === 1 ? "pass" : "passes"}: ${spent} operations with those of f itself, ` +
      `${brief(evaluations, 3)} times as many as f has alone. ${all}`;
  },
});
