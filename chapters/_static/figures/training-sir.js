// Chapter 16: three networks while they train on an epidemic, and the price of its never starting.
import stored from "../../../companion/data/training_sir.json" with { type: "json" };
import { brief } from "./plot.js";
import { trainingFigure } from "./training.js";

/** 2 λ I₀² / T: the least loss of an epidemic that never starts. */
export const price = ({ beta, gamma, infected, days }) => (2 * (beta - gamma) * infected ** 2) / days;

const J = price({ beta: 0.5, gamma: 0.1, infected: 0.01, days: 60 }), guide = { value: J, words: `J = ${brief(J)}` };

trainingFigure({
  name: "training-sir",
  title: "Watch it train: the loss falls, and the epidemic?",
  runsName: "unknowns of the network",
  runs: [["late", "(S, I)"], ["never", "(S, I), other seed"], ["log", "(S, ln I)"]],
  guides: { late: guide, never: guide },
  xTicks: [0, 15, 30, 45, 60],
  xName: "days",
  yName: "ill: true (dashed), network",
  least: -0.05,
  lowest: 1e-8,
  highest: 10,
  says: ({ run }, { loss }) => (run === "log" ? "" : `That is ${brief(loss / J, 3)} times J, the price of no epidemic.`),
}, stored);
