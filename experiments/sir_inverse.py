"""The repetitions of chapter 17: seeds, noise, weights and guesses.

The code of the experiment is in the chapter, in the cells tagged "experiment"; this script runs those
cells and then what is too long for a page. It writes companion/data/sir_inverse.json, which the chapter
reads. Two minutes on two cores:

    .venv/bin/python -m experiments.sir_inverse
"""

import dataclasses
import json
import platform
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from companion.data import FOLDER
from experiments.chapter import defined_in

ROOT = Path(__file__).resolve().parents[1]
CHAPTER = ROOT / "chapters" / "17_sir_inverse.ipynb"
RESULT = FOLDER / "sir_inverse.json"

SEEDS = range(5)
NOISES = (0, 1, 5)  # per cent of the peak
DRAWS = 20
PATHS = range(20)  # seeds of the two ways to write a rate
WAYS = ("free", "exponential", "careful free", "careful exponential")
WEIGHTS = (0.01, 0.1, 1, 10, 100, 1000, 10_000)
GUESSES = ((0.4, 0.2), (0.2, 0.05), (1.0, 0.5), (0.8, 0.1))


def experiment():
    """What the chapter's experiment cells define."""
    return defined_in(CHAPTER)


def short(values):
    """Numbers rounded to five digits, for the file."""
    return [float(f"{float(v):.5g}") for v in np.ravel(values)]


def rates(solution):
    """β and γ at the end of a training."""
    found = solution.history.unknowns
    return short([found["beta"], found["gamma"]])


def recovery(noise, seen):
    """Both methods on the same readings, the network from every seed."""
    names = experiment()
    sigma = names["SIGMA"] * noise
    times, data = names["readings"](60, sigma)
    used = sigma or names["SIGMA"]
    best, covariance, _ = names["classical"](times, data, used, seen)
    susceptible = data[0] if 0 in seen else None
    pinn = [names["train"](60, data, used, s, susceptible=susceptible) for s in SEEDS]
    return {
        "noise": noise,
        "seen": "S and I" if 0 in seen else "I",
        "classical": short(best),
        "errors": short(np.sqrt(np.diag(covariance))),
        "correlation": short(names["correlation"](covariance))[0],
        "pinn": [rates(solution) for solution in pinn],
    }


def repeated(days, draw):
    """Least squares and the network, (β, γ) each, on readings of their own noise."""
    names = experiment()
    times, data = names["readings"](days, seed=100 + draw)
    best = names["classical"](times, data, names["SIGMA"])[0]
    return short(best), rates(names["train"](days, data, names["SIGMA"], seed=draw))


def path(seed, way, steps=40):
    """(β, γ) at the end and the least γ on the way; way: "free" or "exponential", or "careful" before it,
    with the usual first damping."""
    names = experiment()
    data = names["readings"](60)[1]
    change = names["positive"] if way.endswith("exponential") else None
    first = names["STEPS"] if way.startswith("careful") else names["BOLD"]
    stage = dataclasses.replace(first, steps=steps)
    solution = names["train"](60, data, names["SIGMA"], seed, stage, change, interval=1)
    least = min(record["unknowns"]["gamma"] for record in solution.history.records)
    return rates(solution) + short(least)


def all_ways(pool, best):
    """Every seed in every way; which exponentials ended far off, and where with 150 steps."""
    found = {way: list(pool.map(path, PATHS, [way] * len(PATHS))) for way in WAYS}
    failed = [s for s in PATHS if abs(found["exponential"][s][1] - best[1]) > 0.01]
    again = [["exponential"] * len(failed), [150] * len(failed)]
    return {
        "seeds": list(PATHS),
        **found,
        "failed": failed,
        "patient": list(pool.map(path, failed, *again)),
    }


def weighted(weight, seed):
    """χ², distance to least squares, steps until settled, and the residual, at a weight."""
    names = experiment()
    times, data = names["readings"](60)
    best, covariance, _ = names["classical"](times, data, names["SIGMA"])
    problem = names["sir_inverse"](
        times, data[1], names["SIGMA"], names["epidemic"](60), weight=weight
    )
    network = names["MLP"](problem.domain, (12, 12), outputs=2, seed=seed)
    stages = [names["LevenbergMarquardt"](60)]
    solution = names["fit"](problem, network, stages, points=64, log_interval=1, progress=False)
    records = solution.history.records
    path = np.array([[r["unknowns"]["beta"], r["unknowns"]["gamma"]] for r in records])
    errors = np.sqrt(np.diag(covariance))
    far = np.abs((path - path[-1]) / errors).max(1) > 0.1
    last = records[-1]
    return short(
        [
            30 * last["infected"],
            np.abs((path[-1] - best) / errors).max(),
            np.flatnonzero(far)[-1] + 2 if far.any() else 1,
            names["SIGMA"] * (last["equation"] / weight) ** 0.5,
        ]
    )


def guessed(guess):
    """L-BFGS on eight days, from a guess."""
    names = experiment()
    data = names["readings"](8, seed=1)[1]  # as on the page
    stage = names["LBFGS"](30)
    solution = names["train"](8, data, names["SIGMA"], stage=stage, guess=guess)
    chi2 = short(30 * names["last"](solution)["infected"])[0]
    return {"guess": list(guess), "found": rates(solution), "chi2": chi2}


def rescued(seed):
    """The error in the variables (S, I), without readings and with them."""
    names = experiment()
    times, data = names["readings"](60)
    raw = names["sir"](names["epidemic"](60), log=False)
    at, values = (torch.from_numpy(np.asarray(v))[:, None] for v in (times, data[1]))
    anchor = names["Condition"]("infected", at, values, of=lambda u, t: u()[:, 1:])
    found = []
    for problem in (raw, dataclasses.replace(raw, conditions=(anchor,))):
        network = names["MLP"](problem.domain, (12, 12), outputs=2, seed=seed)
        stages = [names["STEPS"]]
        solution = names["fit"](problem, network, stages, points=64, progress=False)
        found.append(solution.error)
    return short(found)


def guard():
    """One core for this process."""
    torch.set_num_threads(1)


def main():
    with ProcessPoolExecutor(2, get_context("spawn"), initializer=guard) as pool:
        settings = [(noise, seen) for seen in ((1,), (0, 1)) for noise in NOISES]
        rows = list(pool.map(recovery, *zip(*settings)))
        draws = {
            str(days): list(pool.map(repeated, [days] * DRAWS, range(DRAWS))) for days in (60, 8)
        }
        bounded = all_ways(pool, rows[1]["classical"])
        pairs = [(weight, seed) for weight in WEIGHTS for seed in range(3)]
        sweep = dict(zip(pairs, pool.map(weighted, *zip(*pairs))))
        guesses = list(pool.map(guessed, GUESSES))
        rescue = list(pool.map(rescued, SEEDS))
    result = {
        "script": "experiments/sir_inverse.py",
        "environment": f"torch {torch.__version__}, CPU, {platform.machine()}",
        "recovery": rows,
        "repeated": {
            days: {"classical": [c for c, _ in pairs_], "pinn": [p for _, p in pairs_]}
            for days, pairs_ in draws.items()
        },
        "positive": bounded,
        "weights": [
            {
                "weight": weight,
                **{
                    name: [sweep[weight, seed][k] for seed in range(3)]
                    for k, name in enumerate(("chi2", "distance", "steps", "residual"))
                },
            }
            for weight in WEIGHTS
        ],
        "guesses": guesses,
        "rescue": {"alone": [a for a, _ in rescue], "data": [d for _, d in rescue]},
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
