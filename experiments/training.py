"""Networks while they train, for the figures of chapters 12 and 16 that a reader moves: what each is at some thirty of
its steps, and its loss.

It writes companion/data/training_oscillator.json and companion/data/training_sir.json. A quarter of a minute on one
quiet core:

    .venv/bin/python -m experiments.training
"""

import copy
import math
import platform

import torch

from companion.data import FOLDER
from companion.pinn import LBFGS, MLP, Adam, Problem, fit
from companion.problems import Epidemic, oscillator, sir
from experiments.chapter import write

RESULTS = {name: FOLDER / f"training_{name}.json" for name in ("oscillator", "sir")}
TIMES = 49  # at how many times a state is kept
STATES = 26  # of Adam
EPIDEMIC = Epidemic(beta=0.5, gamma=0.1, infected=0.01, days=60)
STAGES = {"oscillator": [Adam(300, lr=1e-2)], "sir": [Adam(1000), LBFGS(20)]}


def kept(steps):
    """Of this many steps about STATES, dense in the beginning: 0, 1, 2, … and the last."""
    return sorted({round(math.expm1(k / STATES * math.log1p(steps))) for k in range(STATES + 1)})


def trained(problem, network, stages, wanted, times, value, **options):
    """[{step, stage, loss, values}] of a fit, at the wanted steps; values in thousandths."""
    states = []

    def keep(step, stage, solution, losses):
        with torch.no_grad():
            values = [round(1000 * y) for y in value(solution(times)).tolist()]
        loss = float(f"{sum(loss.item() for loss in losses.values()):.4g}")
        states.append({"step": step, "stage": stage, "loss": loss, "values": values})

    def watch(event):
        if not states:
            before = event.objective.losses(event.before.theta, event.before.batch)
            keep(0, "start", problem.solution(start), before)
        if event.step in wanted:
            after = event.objective.losses(event.state.theta, event.state.batch)
            keep(event.step, type(event.stage).__name__, event.solution, after)
        if event.step == wanted[-1]:
            event.stop("every wanted state is kept")

    start = copy.deepcopy(network)
    common = {"points": 128, "log_interval": 10**6, "progress": False}
    fit(problem, network, stages, callbacks=[watch], **common, **options)
    return states


def rough(network):
    """The network with ten times the weights in its last layer, as in chapter 12."""
    with torch.no_grad():
        network.layers[-1].weight *= 10
    return network


def oscillators():
    """y'' + y = 0, with nothing that pins a solution, and with conditions soft and hard."""
    times = torch.linspace(0, 2 * math.pi, TIMES, dtype=torch.float64)[:, None]
    soft = oscillator(hard=False)
    alone = Problem(soft.domain, soft.residual, order=2)
    runs = []
    for name, problem in (("alone", alone), ("soft", soft), ("hard", oscillator())):
        network = MLP(problem.domain, (20, 20), spread=4, seed=0)
        network = rough(network) if name == "alone" else network
        states = trained(
            problem,
            network,
            STAGES["oscillator"],
            kept(300),
            times,
            lambda y: y[:, 0],
            sampler="grid",
        )
        runs.append({"name": name, "states": states})
    return times[:, 0].tolist(), torch.sin(times[:, 0]).tolist(), runs


def epidemics():
    """Chapter 16's network for (S, I) and for (S, ln I): the share that is ill."""
    times = torch.linspace(0, EPIDEMIC.days, TIMES, dtype=torch.float64)[:, None]
    wanted = kept(1000) + [1000 + k for k in range(1, 21) if k < 3 or k % 3 == 2]
    runs = []
    for name, log, seed in (("late", False, 0), ("never", False, 1), ("log", True, 0)):
        problem = sir(EPIDEMIC, log)
        network = MLP(problem.domain, (20, 20), outputs=2, seed=seed)
        share = (lambda u: u[:, 1].exp()) if log else (lambda u: u[:, 1])
        states = trained(problem, network, STAGES["sir"], wanted, times, share, seed=seed)
        runs.append({"name": name, "states": states})
    return times[:, 0].tolist(), EPIDEMIC.solve(times[:, 0].numpy())[1].tolist(), runs


PARTS = {"oscillator": oscillators, "sir": epidemics}


def main():
    torch.set_num_threads(1)
    for name, part in PARTS.items():
        times, truth, runs = part()
        head = {"script": "experiments/training.py"}
        head["environment"] = f"torch {torch.__version__}, CPU, {platform.machine()}"
        head["times"] = [round(t, 4) for t in times]
        head["truth"] = [round(1000 * y) for y in truth]
        tables = {run["name"]: run["states"] for run in runs}
        write(RESULTS[name], head, tables)


if __name__ == "__main__":
    main()
