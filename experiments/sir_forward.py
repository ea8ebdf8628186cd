"""The sweeps of chapter 16: how often the epidemic starts, and which cures work.

The code of the training runs is in the chapter, in the cells tagged "experiment"; this script runs
those cells and then more seeds, starts and causal weights than a page has time for. It writes
companion/data/sir_forward.json, which the chapter reads. About ten minutes on two quiet cores:

    .venv/bin/python -m experiments.sir_forward            all sweeps, or some of them by name
"""

import json
import math
import os
import platform
import sys
from pathlib import Path

import torch

from companion.data import FOLDER
from experiments.chapter import defined_in

ROOT = Path(__file__).resolve().parents[1]
CHAPTER = ROOT / "chapters" / "16_sir_forward.ipynb"
RESULT = FOLDER / "sir_forward.json"

SEEDS, FEW = range(5), range(3)
STARTS = (0.1, 0.03, 0.01)  # the share infected on day 0
EPSILONS = (1e5, 1e6, 3e6, 1e7, 3e7, 1e8, 1e10)
PIECES = (2, 3, 6, 12)


def experiment():
    """What the chapter's experiment cells define."""
    return defined_in(CHAPTER)


def row(about, **setting):
    """One run as it is stored: four digits, and null for a delay that has no end."""
    found = dict(setting)
    for name, value in about.items():
        if isinstance(value, float):
            value = float(f"{value:.4g}") if math.isfinite(value) else None
        found[name] = value
    print(found, flush=True)
    return found


def starts(names):
    """The usual training on (S, I), by the share infected at the start; and over 30 days."""
    Epidemic, rows = names["Epidemic"], []
    for infected, days in [(infected, 60) for infected in STARTS] + [(0.01, 30)]:
        epidemic = Epidemic(0.5, 0.1, infected, days)
        for seed in FEW:
            _, about = names["train"](epidemic, names["USUAL"], seed)
            rows.append(row(about, infected=infected, days=days))
    return rows


def other(names):
    """The usual training on (S, I) with the second set of numbers."""
    runs = (names["train"](names["OTHER"], names["USUAL"], seed) for seed in FEW)
    return [row(about) for _, about in runs]


def levenberg_marquardt(names):
    """Levenberg-Marquardt alone on (S, I)."""
    stages = [names["LevenbergMarquardt"](60)]
    runs = (names["train"](names["FAST"], stages, seed) for seed in SEEDS)
    return [row(about) for _, about in runs]


def causal(names):
    """Levenberg-Marquardt on (S, I) with causal weights."""
    rows = []
    for epsilon in EPSILONS:
        weights = names["Causal"](epsilon=epsilon)
        for seed in FEW:
            stages = [names["LevenbergMarquardt"](60)]
            _, about = names["train"](names["FAST"], stages, seed, causal=weights)
            rows.append(row(about, epsilon=epsilon))
    return rows


def logarithm(names):
    """(S, ln I), by the usual training and by Levenberg-Marquardt."""
    rows = []
    for method, stages in {
        "Adam, L-BFGS": names["USUAL"],
        "Levenberg-Marquardt": [names["LevenbergMarquardt"](60)],
    }.items():
        for seed in SEEDS:
            _, about = names["train"](names["FAST"], stages, seed, log=True)
            rows.append(row(about, method=method))
    return rows


def windows(names):
    """(S, I) in pieces of time, by Levenberg-Marquardt."""
    rows = []
    for pieces in PIECES:
        for seed in FEW:
            _, about = names["march"](names["FAST"], pieces, seed)
            rows.append(row(about, pieces=pieces))
    return rows


PARTS = {
    "starts": starts,
    "other": other,
    "levenberg_marquardt": levenberg_marquardt,
    "causal": causal,
    "logarithm": logarithm,
    "windows": windows,
}


def main(wanted):
    """Run the wanted sweeps and write them into the file; the others stay as they are."""
    os.environ["COMPANION_DEVICE"] = "cpu"
    torch.set_num_threads(1)
    names = experiment()
    result = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    result["script"] = "experiments/sir_forward.py"
    result["environment"] = f"torch {torch.__version__}, CPU, {platform.machine()}"
    for name in wanted:
        result[name] = PARTS[name](names)
        RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:] or PARTS)
