"""Chapter 16's trap in other frameworks: do their networks find the epidemic?

The peers of benchmarks/peers, each in its own environment, train on the second set of numbers of
chapter 16 with its equations, start and scaled time, in (S, I), and once, as a control, in (S, ln I).
They stop after a number of steps, so that a busy machine gives what an idle one gives.
It writes companion/data/sir_peers.json, which the chapter reads. About ten minutes on a quiet core:

    .venv/bin/python -m experiments.sir_peers              all runs, or some by name
"""

import json
import os
import sys
from pathlib import Path

from companion.data import FOLDER
from experiments.chapter import defined_in, write

ROOT = Path(__file__).resolve().parents[1]
CHAPTER = ROOT / "chapters" / "16_sir_forward.ipynb"
RESULT = FOLDER / "sir_peers.json"

STEPS = {  # (peer, its method) -> steps of an optimiser; where there are two, Adam's are a quarter
    ("deepxde", "Adam, L-BFGS"): 1000,
    ("pina", "Adam, L-BFGS"): 1000,
    ("neurodiffeq", "Adam, L-BFGS"): 1000,
    ("jinns", "Adam"): 5000,
    ("jinns", "natural gradient"): 100,
    ("jax", "Adam"): 30_000,
    ("jax", "LM"): 100,
}
PARTS = {  # name -> problem, seed
    "0": ("sir_raw", 0),
    "1": ("sir_raw", 1),
    "2": ("sir_raw", 2),
    "control": ("sir", 0),
}
LIMIT = 600  # seconds


def row(found, word_of, **setting):
    """One run as it is stored: four digits, and the chapter's word for it."""
    if "failed" in found:
        return setting | {"failed": found["failed"]}
    numbers = {"error": found["error"]}
    if "loss" in found:
        late = found["late"]
        numbers |= {"late": late, "loss": found["loss"]}
        numbers["word"] = word_of(found["error"], float("nan") if late is None else late)
    short = {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in numbers.items()}
    return setting | {"steps": found["steps"]} | short


def sweep(part, word_of):
    """All peers, once each."""
    from run import run_peer

    problem, seed = PARTS[part]
    for (peer, method), steps in STEPS.items():
        found = run_peer(peer, problem, seed, LIMIT, method, steps=steps)
        setting = {"problem": problem, "peer": peer, "method": method, "seed": seed}
        yield row(found, word_of, **setting)


def main(wanted):
    """Run the wanted parts and write them into the file; the others stay as they are."""
    os.environ["OMP_NUM_THREADS"] = "1"
    sys.path.append(str(ROOT / "benchmarks" / "peers"))
    word_of = defined_in(CHAPTER)["word_of"]
    stored = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    for part in wanted:
        stored[part] = []
        for found in sweep(part, word_of):
            print(found, flush=True)
            stored[part].append(found)
        tables = {name: stored[name] for name in PARTS if name in stored}
        write(RESULT, {"script": "experiments/sir_peers.py"}, tables)


if __name__ == "__main__":
    main(sys.argv[1:] or PARTS)
