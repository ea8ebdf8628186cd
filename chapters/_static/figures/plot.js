// Pictures as strings of SVG: scales, axes, lines, words. Colours are classes of figures.css.

const short = (value) => (typeof value === "number" ? Math.round(100 * value) / 100 : value);
const tenths = (value) => Math.round(10 * value) / 10;
const escape = (text) => `${text}`.replace(/&/g, "&amp;").replace(/</g, "&lt;");

/** An element of SVG; the content is SVG already. */
export function tag(name, attributes, inside = "") {
  const written = Object.entries(attributes).map(([key, value]) => `${key}="${short(value)}"`);
  return `<${name} ${written.join(" ")}>${inside}</${name}>`;
}

export const text = (x, y, words, kind = "", anchor = "start") =>
  tag("text", { x, y, class: kind, "text-anchor": anchor }, escape(words));

export const dot = (x, y, kind, r = 6) => tag("circle", { cx: x, cy: y, r, class: kind });

export const stroke = (x1, y1, x2, y2, kind) => tag("line", { x1, y1, x2, y2, class: kind });

export const rect = (x, y, width, height, kind) => tag("rect", { x, y, width: Math.max(0, width), height: Math.max(0, height), class: kind });

/** A line through points [x, y]; a point that is not finite lifts the pen. */
export function line(points, kind) {
  let pen = "M", d = "";
  for (const [x, y] of points) {
    if (Number.isFinite(x) && Number.isFinite(y)) {
      d += `${pen}${tenths(x)} ${tenths(y)}`;
      pen = "L";
    } else pen = "M";
  }
  return tag("path", { d, class: kind });
}

/** Many dots as one path. */
export const cloud = (points, kind) =>
  tag("path", { d: points.map(([x, y]) => `M${tenths(x)} ${tenths(y)}h0`).join(""), class: `cloud ${kind}` });

export function arrow(x1, y1, x2, y2, kind) {
  const length = Math.hypot(x2 - x1, y2 - y1) || 1, size = Math.min(9, length / 2);
  const u = ((x2 - x1) / length) * size, v = ((y2 - y1) / length) * size;
  const head = `M${short(x2)} ${short(y2)}L${short(x2 - u - v / 2)} ${short(y2 - v + u / 2)}L${short(x2 - u + v / 2)} ${short(y2 - v - u / 2)}Z`;
  return stroke(x1, y1, x2 - u, y2 - v, kind) + tag("path", { d: head, class: `head ${kind}` });
}

/** From numbers to pixels, linear, and back by .back. */
export function linear([from, to], [start, end]) {
  const scale = (value) => start + ((value - from) / (to - from)) * (end - start);
  scale.back = (pixel) => from + ((pixel - start) / (end - start)) * (to - from);
  return scale;
}

/** The same with a logarithmic axis: from and to are the numbers themselves. */
export function logarithmic([from, to], pixels) {
  const inner = linear([Math.log10(from), Math.log10(to)], pixels);
  const scale = (value) => inner(Math.log10(value));
  scale.back = (pixel) => 10 ** inner.back(pixel);
  return scale;
}

/**
 * Frame, ticks and names of the axes of a panel {left, top, right, bottom} in pixels; x and y are its scales,
 * xTicks and yTicks lists of numbers or of [number, words].
 */
export function axes({ left, top, right, bottom }, x, y, { xTicks, yTicks, xName = "", yName = "" }) {
  const pairs = (ticks) => ticks.map((one) => (Array.isArray(one) ? one : [one, minus(one)]));
  const atEdge = (at, words) => (at > right - 4 && words.length > 1 ? [right + 7, "end"] : [at, "middle"]); // no room beyond
  const vertical = pairs(xTicks).map(([value, words]) => {
    const [at, anchor] = atEdge(x(value), words);
    return stroke(x(value), top, x(value), bottom, "grid") + text(at, bottom + 16, words, "tick", anchor);
  });
  const horizontal = pairs(yTicks).map(([value, words]) =>
    stroke(left, y(value), right, y(value), "grid") + text(left - 6, y(value) + 4, words, "tick", "end"));
  const names = text(right, bottom + 32, xName, "name", "end") + text(left, top - 7, yName, "name");
  return vertical.join("") + horizontal.join("") + rect(left, top, right - left, bottom - top, "frame") + names;
}

/** Two panels: side by side, the first as wide as its share of the box, or one above the other in a narrow one. */
export function sideBySide({ width, height }, share, shareAbove) {
  const edge = { left: 44, right: width - 8 }, ends = { top: 22, bottom: height - 38 };
  if (width < 560) {
    const middle = height * shareAbove;
    return [{ ...edge, top: 22, bottom: middle - 14 }, { ...edge, top: middle + 40, bottom: height - 38 }];
  }
  const middle = width * share;
  return [{ ...ends, left: 44, right: middle }, { ...ends, left: middle + 62, right: width - 8 }];
}

/** What is drawn inside stays inside the panel. */
export const clipped = (name, { left, top, right, bottom }, inside) =>
  tag("clipPath", { id: name }, rect(left, top, right - left, bottom - top, "")) + tag("g", { "clip-path": `url(#${name})` }, inside);

// ---------------------------------------------------------------- numbers as words

const RAISED = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
export const raised = (whole) => [...`${whole}`].map((digit) => RAISED[digit]).join("");
export const minus = (value) => `${value}`.replace("-", "−");
export const powerOfTen = (k) => `10${raised(k)}`;

/** 0.00123 as 1.2·10⁻³, and what is easy to read as it is. */
export function brief(value, digits = 2) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "no number" : minus(value < 0 ? "-∞" : "∞");
  const size = Math.abs(value);
  if (value === 0 || (size >= 0.01 && size < 10000)) return minus(Number(value.toPrecision(Math.max(digits, 1))));
  const [front, power] = value.toExponential(digits - 1).split("e");
  return `${minus(front)}·10${raised(Number(power))}`;
}

/** n numbers from a to b, both included. */
export const spread = (a, b, n) => Array.from({ length: n }, (_, i) => a + ((b - a) * i) / (n - 1));
