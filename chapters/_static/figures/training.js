// What the figures of chapters 12 and 16 share: a network at stored steps of its training, and its loss.
import { range, choice, movingFigure } from "./base.js";
import { axes, brief, clipped, dot, line, linear, logarithmic, minus, powerOfTen, sideBySide, spread, stroke, tag, text } from "./plot.js";

// ---------------------------------------------------------------- the mathematics

/** The relative distance ‖u − truth‖ / ‖truth‖, over the stored times. */
export const distance = (u, truth) => Math.hypot(...u.map((one, k) => one - truth[k])) / Math.hypot(...truth);

/** A stored state, its numbers no longer in thousandths. */
export function stateOf(stored, run, k) {
  const { step, stage, loss, values } = stored[run][k], u = values.map((one) => one / 1000);
  return { step, stage, loss, u, error: distance(u, stored.truth.map((one) => one / 1000)) };
}

// ---------------------------------------------------------------- the picture

const panels = (box) => sideBySide(box, 0.5, 0.5);

/** The network, as it was at the start and as it is now, beside the truth. */
function solution({ name, xTicks, xName, yName, least }, { times, truth }, { u, first }, panel) {
  const most = Math.max(1.2 * Math.max(...truth) / 1000, 1.1 * Math.max(...u.map(Math.abs))), low = Math.max(least, -most);
  const x = linear([0, times.at(-1)], [panel.left, panel.right]), y = linear([low, most], [panel.bottom, panel.top]);
  const to = (values) => values.map((one, k) => [x(times[k]), y(one)]), step = [5, 2, 1, 0.5, 0.2, 0.1].find((one) => one <= most * 0.8);
  const [from, upto] = [low, most].map((end) => Math.trunc(end / step));
  const yTicks = spread(from, upto, upto - from + 1).map((k) => [k * step, brief(k * step)]);
  return axes(panel, x, y, { xTicks, yTicks, xName, yName }) +
    clipped(`${name}-solution`, panel, line(to(first), "soft thin") + line(to(truth.map((one) => one / 1000)), "dashed") + line(to(u), "vermillion"));
}

const scalesOf = ({ lowest, highest }, count, { left, top, right, bottom }) =>
  [linear([0, count - 1], [left, right]), logarithmic([lowest, highest], [bottom, top])];

/** The state nearest to a step: the states stand side by side, since most of them are early ones. */
const nearest = (states, step) => states.reduce((best, one, k) => (Math.abs(one.step - step) < Math.abs(states[best].step - step) ? k : best), 0);

function curves(spec, stored, { run, k }, { loss, error }, panel) {
  const states = stored[run].map((_, n) => stateOf(stored, run, n)), [x, y] = scalesOf(spec, states.length, panel), end = states.at(-1).step;
  const of = (key, kind) => line(states.map((one, n) => [x(n), y(one[key])]), kind), guide = spec.guides?.[run];
  const powers = spread(Math.log10(spec.lowest), Math.log10(spec.highest), Math.log10(spec.highest / spec.lowest) + 1).map(Math.round);
  const yTicks = powers.filter((power) => power % 2 === 0).map((power) => [10 ** power, powerOfTen(power)]);
  const xTicks = [0, 10, 100, 1000].filter((step) => step < 0.99 * end).map((step) => nearest(states, step)).map((n) => [n, `${states[n].step}`]);
  const dashed = guide ? stroke(panel.left, y(guide.value), panel.right, y(guide.value), "soft dashed") + text(panel.left + 6, y(guide.value) - 6, guide.words, "small halo") : "";
  const handle = tag("g", { class: "handle" }, dot(x(k), y(loss), "vermillion", 6.5) + dot(x(k), y(loss), "wide", 24));
  return axes(panel, x, y, { xTicks: [...xTicks, [states.length - 1, `${end}`]], yTicks, xName: "step", yName: "loss (solid), error (dotted)" }) +
    clipped(`${spec.name}-loss`, panel, dashed + stroke(x(k), panel.top, x(k), panel.bottom, "thin dashed soft") + of("error", "blue dotted") + of("loss", "vermillion")) +
    dot(x(k), y(error), "full blue", 4.5) + handle;
}

/**
 * A figure of stored runs. Beyond what every figure has: stored; runs, pairs of a name and words; guides, {run: {value,
 * words}}, a loss to compare with; lowest and highest of the right axis; least of the left one; what is said of a state.
 */
export function trainingFigure(spec, stored) {
  const start = spec.runs[0][0], last = stored[start].length - 1, compute = ({ run, k }) => ({ ...stateOf(stored, run, k), first: stateOf(stored, run, 0).u });
  movingFigure({
    name: spec.name,
    title: spec.title,
    wide: 0.5,
    narrow: 1.6,
    controls: [
      range("k", "step of the training", { min: 0, max: last, step: 1, value: 0, shown: (k) => `${stored[start][k].step}` }),
      choice("run", spec.runsName, { value: start, options: spec.runs }),
    ],
    steps: { key: "k", last: () => last, perSecond: 5 },
    compute,
    draw(state, values, box) {
      const [left, right] = panels(box);
      return solution(spec, stored, values, left) + curves(spec, stored, state, values, right);
    },
    says(state, values) {
      const { step, stage, loss, error } = values, by = stage === "start" ? "Before the first step" : `After ${step} steps, the last by ${stage.replace("LBFGS", "L-BFGS")},`;
      return `${by} the loss is ${brief(loss)} and the error ${minus(brief(100 * error))} %. ${spec.says(state, values)}`;
    },
    grab(px, py, box, { run }) {
      const panel = panels(box)[1];
      if (px < panel.left - 12 || py < panel.top - 12 || py > panel.bottom + 12) return null;
      return { k: scalesOf(spec, stored[run].length, panel)[0].back(px) };
    },
  });
}
