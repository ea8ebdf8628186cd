"""The long runs of chapter 14b: three methods in two precisions, other rates of Adam, the factor of
its compiled step, L-BFGS on a large residual, and the balance of weights.

The code of the runs is in the chapter, in the cells tagged "experiment"; this script executes those
cells and then what is too long for a page. It writes companion/data/conditioning.json, which the
chapter reads. Times are of one core; take them on a quiet machine. About five minutes there (one of
them is the compiler's):

    .venv/bin/python -m experiments.conditioning
"""

import json
import os
import platform
from copy import deepcopy
from pathlib import Path
from statistics import median
from time import process_time

import torch

from companion.data import FOLDER
from companion.pinn import run, sampled
from experiments.chapter import defined_in

ROOT = Path(__file__).resolve().parents[1]
CHAPTER = ROOT / "chapters" / "14b_levenberg_marquardt.ipynb"
RESULT = FOLDER / "conditioning.json"

SEEDS = (0, 1, 2)
DTYPES = ("float64", "float32")
WEIGHTS = (0.01, 1.0, 100.0)  # of the soft conditions
STEPS = 600  # of Adam, with soft conditions
RATES = (1e-3, 3e-2)  # learning rates of Adam, beside that of the race
BLOCK = 10  # steps of Adam in one compiled graph


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
            for method, (stages, log_interval) in names["METHODS"].items():
                history = names["race"](stages, log_interval, seed, getattr(torch, dtype))
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


def rates(names):
    """Adam at other learning rates than in the race: the last error of each seed."""
    (stage,), _ = names["METHODS"]["Adam"]
    for rate in RATES:
        stages = [names["Adam"](stage.steps, lr=rate)]
        errors = rounded(names["race"](stages, 500, seed).error for seed in SEEDS)
        print(f"Adam, learning rate {rate}: {errors}", flush=True)
        yield {"lr": rate, "error": errors}


def started(names, compiled):
    """The events of the race's first run of Adam, not yet run."""
    (stage,), _ = names["METHODS"]["Adam"]
    stages = [names["Adam"](stage.steps, lr=stage.lr, compiled=compiled)]
    problem, seed = names["oscillator"](), SEEDS[0]
    return run(problem, names["cold"](seed), stages, sampled(problem.domain, 64, seed=seed))


def processor_time(events, steps=100):
    """Seconds of the processor for so many steps of a run."""
    made, start = 0, process_time()
    while made < steps:
        event = next(events)
        made += event.step - event.before.step
    return process_time() - start


def compiled_factor(names, rounds=9):
    """How many times less a compiled step of Adam costs; both take turns, after the compiler."""
    slow, fast = started(names, 0), started(names, BLOCK)
    processor_time(slow), processor_time(fast)
    factor = median(processor_time(slow) / processor_time(fast) for _ in range(rounds))
    print(f"Adam compiled, {BLOCK} steps a graph: {factor:.0f} times faster", flush=True)
    return float(f"{factor:.1e}")


def scaled_runs(names):
    """L-BFGS on a large residual, and on from the end of float32, anew in both precisions."""
    for seed in SEEDS:
        for dtype in DTYPES:
            net = names["cold"](seed, getattr(torch, dtype))
            yield scaled_run(names, net, names["SCALED"], seed, dtype)
        for dtype in DTYPES:  # net is that of float32 now
            again = deepcopy(net).to(getattr(torch, dtype))
            how = f"float32, then {dtype}"
            yield scaled_run(names, again, names["SCALED"][1:], seed, how)


def scaled_run(names, net, stages, seed, how):
    errors = rounded(names["scaled_run"](net, stages, seed))
    print(f"residual x 1000, {how}, seed {seed}: {errors[-1]:.1e}", flush=True)
    return {"seed": seed, "precision": how, "error": errors}


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
        "rates": list(rates(names)),
        "compiled": {"block": BLOCK, "factor": compiled_factor(names)},
        "scaled": list(scaled_runs(names)),
        "balance": list(balances(names)),
    }
    RESULT.write_text(json.dumps(result) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
