"""The repetitions of chapters 15 and 15c: other seeds, weights, points and cures than the page has time for.

The problems are in both pages, in the cells tagged "experiment"; this script runs those cells and
trains. It writes companion/data/poisson.json, which the pages read. About 5 minutes on one quiet core:

    .venv/bin/python -m experiments.poisson
"""

import os
import platform
import time
from pathlib import Path

import torch

from companion.data import FOLDER
from companion.pinn.residuals import equation_at, residuals
from experiments.chapter import defined_in, write

ROOT = Path(__file__).resolve().parents[1]
CHAPTER = ROOT / "chapters" / "15_poisson.ipynb"
CORNER = ROOT / "chapters" / "15c_inward_corner.ipynb"
RESULT = FOLDER / "poisson.json"

SEEDS = {"Levenberg-Marquardt": range(5), "Adam + L-BFGS": range(3)}
WEIGHTS = (1e-4, 1e-2, 1.0, 1e2, 1e4, 1e6, 1e8)
STEPS = {"line": 80, "square": 60, "corner": 50}  # of Levenberg-Marquardt
LINE_POINTS = (8, 16, 32, 64, 128, 256)
LINE_STEPS = 200
PLANE_POINTS = (25, 100, 400)
SAMPLERS = ("grid", "sobol", "latin", "uniform")
THREE = range(3)


def experiment():
    """What the experiment cells of both pages define."""
    return defined_in(CHAPTER) | defined_in(CORNER)


def short(number):
    """Four digits."""
    return float(f"{number:.3e}")


def trained(names, *arguments, **options):
    """{error, seconds of the processor} of one training."""
    start = time.process_time()
    _, history = names["solve"](*arguments, **options)
    spent = time.process_time() - start
    return {"error": short(history.error), "seconds": round(spent, 2)}


def runs(names):
    """Both edges: Levenberg-Marquardt in both dimensions, Adam and L-BFGS on the square."""
    damped = names["LevenbergMarquardt"]
    first = names["first_order"](300, 50)
    line, plane = (names["interval"], names["LINE"]), (names["square"], names["PLANE"])
    found = []
    for d, method, (make, options), stages in [
        (1, "Levenberg-Marquardt", line, [damped(STEPS["line"])]),
        (2, "Levenberg-Marquardt", plane, [damped(STEPS["square"])]),
        (2, "Adam + L-BFGS", plane, first),
    ]:
        for seed in SEEDS[method]:
            for edge in ("hard", "soft"):
                problem = make(edge == "hard")
                row = trained(names, problem, stages, seed=seed, **options)
                found.append({"d": d, "edge": edge, "method": method, "seed": seed} | row)
                print(found[-1], flush=True)
    return found


def weights(names):
    """The soft square: weight of the edge against error, inside and on the edge."""
    found = []
    for weight in WEIGHTS:
        for seed in THREE:
            problem = names["square"](False, weight)
            stages = [names["LevenbergMarquardt"](STEPS["square"])]
            u, history = names["solve"](problem, stages, seed=seed, **names["PLANE"])
            edge = names["at"](u, problem.conditions[0].points).abs().max().item()
            row = {"weight": weight, "seed": seed, "error": short(history.error)}
            found.append(row | {"edge": short(edge)})
            print(found[-1], flush=True)
    return found


def between(problem, u):
    """The loss at 1000 other points, where nobody trained: the mean square of the residual."""
    x = problem.domain.points(1000, "uniform", seed=99)
    rows, _ = residuals(problem, {"u": u}, {"equation": equation_at(x)})["equation"]
    return rows.square().mean().item()


def points(names, problem, counts, samplers, steps):
    """The hard edge with few points: the loss there, the loss elsewhere, the error."""
    found = []
    for n in counts:
        for sampler in samplers:
            for seed in THREE:
                stages = [names["LevenbergMarquardt"](steps)]
                u, history = names["solve"](problem, stages, seed=seed, points=n, sampler=sampler)
                row = {"n": n, "sampler": sampler, "seed": seed, "error": short(history.error)}
                row["loss"] = short(history.records[-1]["loss"])
                found.append(row | {"between": short(between(problem, u))})
                print(found[-1], flush=True)
    return found


def cures(names):
    """{what: (problem, network of a seed)} for the L with a smooth part."""
    mixed, graded, domain = names["mixed"], names["Graded"], names["LShape"]()

    def network(*widths):
        return lambda seed: names["MLP"](domain, widths, seed=seed)

    return {
        "32 units": (mixed(), network(32)),
        "weight 1 of the edge": (mixed(1.0), network(32)),
        "weight 1e4 of the edge": (mixed(1e4), network(32)),
        "64 units": (mixed(), network(64)),
        "32 + 32 units": (mixed(), network(32, 32)),
        "points to the corner": (mixed(domain=graded()), network(32)),
        "32 units + K s": (mixed(), lambda seed: names["Cornered"](network(32)(seed))),
    }


def corner(names):
    """The L: which cure helps, and by how much."""
    found = []
    for what, (problem, network) in cures(names).items():
        for seed in THREE:
            net = network(seed)
            stages = [names["LevenbergMarquardt"](STEPS["corner"])]
            row = trained(names, problem, stages, net, seed=seed, points=600)
            row = {"what": what, "seed": seed} | row
            if hasattr(net, "K"):
                row["K"] = short(net.K.item())
            found.append(row)
            print(row, flush=True)
    return found


def main():
    os.environ["COMPANION_DEVICE"] = "cpu"
    torch.set_num_threads(1)
    names = experiment()
    tables = {"corner": corner(names), "weights": weights(names)}
    tables["runs"] = runs(names)
    tables["line"] = points(names, names["interval"](True), LINE_POINTS, ("grid",), LINE_STEPS)
    tables["points"] = points(names, names["square"](True), PLANE_POINTS, SAMPLERS, 40)
    head = {
        "script": "experiments/poisson.py",
        "environment": f"torch {torch.__version__}, CPU, one thread, {platform.machine()}",
    }
    write(RESULT, head, tables)


if __name__ == "__main__":
    main()
