"""The long runs of chapter 14: three methods in two precisions, and the balance of weights.

The code of the runs is in the chapter, in the cells tagged "experiment"; this script executes those
cells and then what is too long for a page. It writes chapters/data/conditioning.json, which the
chapter reads. Times are of one core; take them on a quiet machine. About two minutes there:

    .venv/bin/python -m experiments.conditioning
"""

import json
import os
import platform
from pathlib import Path

import torch

from experiments.chapter import defined_in

ROOT = Path(__file__).resolve().parents[1]
CHAPTER = ROOT / "chapters" / "14_conditioning.ipynb"
RESULT = ROOT / "chapters" / "data" / "conditioning.json"

SEEDS = (0, 1, 2)
DTYPES = ("float64", "float32")
WEIGHTS = (0.01, 1.0, 100.0)  # of the soft conditions
STEPS = 600  # of Adam, with soft conditions


def experiment():
    """What the chapter's experiment cells define."""
    return defined_in(CHAPTER)


def rounded(values):
    """Four digits each; None where there is no number."""
    return [float(f"{value:.3e}") if value == value else None for value in values]


def races(names):
    """Every method, precision and seed: errors against seconds."""
    for seed in SEEDS:  # the methods take turns, so that a busy minute hurts all of them
        for dtype in DTYPES:
            for method, (stages, report) in names["METHODS"].items():
                history = names["race"](stages, report, seed, getattr(torch, dtype))
                errors, seconds = history.column("error"), history.column("seconds")
                print(f"{method}, {dtype}, seed {seed}: {errors[-1]:.1e}, {seconds[-1]:.1f} s")
                yield {
                    "method": method,
                    "dtype": dtype,
                    "seed": seed,
                    "steps": history.column("step"),
                    "seconds": rounded(seconds),
                    "error": rounded(errors),
                }


def balances(names):
    """Adam on soft conditions of three weights, with and without the balance of gradient norms."""
    for weight in WEIGHTS:
        for balance in (False, True):
            stages = [names["Adam"](STEPS, lr=1e-2)]
            runs = [names["balanced_run"](weight, balance, seed, stages) for seed in SEEDS]
            errors = rounded(run.error for run in runs)
            print(f"weight {weight}, balance {balance}: {errors}", flush=True)
            yield {"weight": weight, "balance": balance, "error": errors}


def main():
    os.environ["COMPANION_DEVICE"] = "cpu"
    torch.set_num_threads(1)
    names = experiment()
    result = {
        "script": "experiments/conditioning.py",
        "environment": f"torch {torch.__version__}, one core, {platform.machine()}",
        "seeds": SEEDS,
        "balance_steps": STEPS,
        "race": list(races(names)),
        "balance": list(balances(names)),
    }
    RESULT.write_text(json.dumps(result) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
