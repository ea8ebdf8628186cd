// Chapter 12: networks while they train on y″ + y = 0, with nothing that pins a solution, and with two conditions.
import stored from "../../../companion/data/training_oscillator.json" with { type: "json" };
import { brief } from "./plot.js";
import { trainingFigure } from "./training.js";

const PI = Math.PI;

trainingFigure({
  name: "training-oscillator",
  title: "Watch it train: what pins the solution?",
  runsName: "in the loss",
  runs: [["alone", "the equation alone"], ["soft", "with soft conditions"], ["hard", "conditions built in"]],
  xTicks: [[0, "0"], [PI / 2, "π/2"], [PI, "π"], [1.5 * PI, "3π/2"], [2 * PI, "2π"]],
  xName: "t",
  yName: "sin t (dashed), network",
  least: -Infinity,
  lowest: 1e-4,
  highest: 100,
  says: (_, { u }) => `The largest |y| is ${brief(Math.max(...u.map(Math.abs)))}.`,
}, stored);
