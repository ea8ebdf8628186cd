"""The gallery: every problem of companion.problems.gallery by its settings, seeds 0 to 4.

It writes companion/data/gallery.json, which the page reads, after every run, and goes on where it was
stopped: seed 0 of all problems and the draws of the noise first, then seed 1, and so on. One thread; about
half an hour on a quiet core:

    OMP_NUM_THREADS=1 .venv/bin/python -m experiments.gallery
"""

import json
import platform
import sys
import time
import warnings

import torch

from companion.data import FOLDER
from companion.problems.gallery import GALLERY
from companion.problems.systems import heat_inverse
from experiments.chapter import write

RESULT = FOLDER / "gallery.json"
SEEDS = range(5)
DRAWS = range(20)  # of the noise of the inverse heat problem


def run(name, seed):
    """{problem, seed, error, seconds of the processor, what was said, unknowns} of one run."""
    entry = GALLERY[name]
    problem = entry.problem()
    begun = time.process_time()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        solution = entry.solve(problem, seed)
    return {
        "problem": name,
        "seed": seed,
        "error": float(f"{entry.error(solution.error, solution.unknowns):.3e}"),
        "seconds": round(time.process_time() - begun, 1),
        "said": len(said),
        "unknowns": {k: [float(v), v.error] for k, v in solution.unknowns.items()},
    }


def draw(seed):
    """D, its bar and the truth, for one draw of the noise."""
    problem = heat_inverse(seed)
    estimate = GALLERY["heat, inverse"].solve(problem, 0).unknowns["D"]
    return {"seed": seed, "D": float(estimate), "error": estimate.error, "truth": 0.1}


def main(names):
    """All runs that are not stored yet."""
    stored = json.loads(RESULT.read_text("utf-8")) if RESULT.exists() else {}
    rows, draws = stored.get("runs", []), stored.get("draws", [])
    head = {
        "script": "experiments/gallery.py",
        "torch": torch.__version__,
        "processor": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
    }
    keep = lambda: write(RESULT, head, {"runs": rows, "draws": draws})
    done = {(row["problem"], row["seed"]) for row in rows}
    for seed in SEEDS:
        for name in names or GALLERY:
            if (name, seed) not in done:
                rows.append(run(name, seed))
                print(rows[-1], flush=True)
                keep()
        for number in DRAWS if not names else ():
            if number not in {row["seed"] for row in draws}:
                draws.append(draw(number))
                print(draws[-1], flush=True)
                keep()


if __name__ == "__main__":
    main(sys.argv[1:])
