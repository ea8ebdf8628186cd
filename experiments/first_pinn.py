"""The horizon sweep of chapter 12: y'' + y = 0 on [0, 2 pi], [0, 6 pi] and [0, 10 pi].

Soft and hard conditions, Adam and Levenberg-Marquardt, several seeds. It writes companion/data/first_pinn.json,
which the chapter reads. Two minutes on one core:

    .venv/bin/python -m experiments.first_pinn
"""

import json
import math
import platform
from itertools import product

import torch

from companion.data import FOLDER
from companion.pinn import MLP, Adam, LevenbergMarquardt, fit
from companion.problems import oscillator

RESULT = FOLDER / "first_pinn.json"

TURNS = (1, 3, 5)  # the horizon, in periods of 2 pi
SEEDS = (0, 1, 2)
METHODS = {  # name: widths, spread per period (None: 1), stages
    "Adam": ((20, 20), None, [Adam(2000, lr=1e-2)]),
    "Adam, spread": ((40,), 5.0, [Adam(2000, lr=1e-2)]),
    "Levenberg-Marquardt": ((40,), None, [LevenbergMarquardt(100)]),
    "Levenberg-Marquardt, spread": ((40,), 5.0, [LevenbergMarquardt(100)]),
}


def setting(method, turns, hard, seed):
    """(problem, network, stages) of one run."""
    widths, per_period, stages = METHODS[method]
    problem = oscillator(2 * math.pi * turns, hard)
    spread = 1.0 if per_period is None else per_period * turns
    return problem, MLP(problem.domain, widths, spread=spread, seed=seed), stages


def run(method, turns, hard, seed):
    """The loss and the relative error after one training, as a row for the table."""
    problem, network, stages = setting(method, turns, hard, seed)
    options = {"points": 50 * turns, "sampler": "grid", "log_interval": 5000, "progress": False}
    last = fit(problem, network, stages, **options).history.records[-1]
    row = {"method": method, "turns": turns, "hard": hard, "seed": seed}
    return row | {name: float(f"{last[name]:.3e}") for name in ("loss", "error")}


def main():
    torch.set_num_threads(1)
    rows = []
    for seed, turns, method, hard in product(SEEDS, TURNS, METHODS, (False, True)):
        rows.append(run(method, turns, hard, seed))
        print(rows[-1], flush=True)
    result = {
        "script": "experiments/first_pinn.py",
        "environment": f"torch {torch.__version__}, CPU, {platform.machine()}, float64",
        "rows": rows,
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
