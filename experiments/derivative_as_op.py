"""The whole experiment of chapter 8: 100 001 steps for each way to write the derivative.

The code of the experiment is in the chapter, in the cells tagged "experiment"; this script runs those
cells and then what is too long for a page. It writes companion/data/derivative_as_op.json, which the
chapter reads. About 15 minutes on two cores:

    .venv/bin/python -m experiments.derivative_as_op
"""

import json
import os
import platform
import resource
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch

from companion.data import FOLDER
from experiments.chapter import defined_in

ROOT = Path(__file__).resolve().parents[1]
CHAPTER = ROOT / "chapters" / "08_derivative_as_op.ipynb"
RESULT = FOLDER / "derivative_as_op.json"

STEPS = 100_001
CHECKPOINTS = (10, 30, 100, 200, 300, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)
LATE = (*range(91_000, STEPS, 1000), STEPS)  # how far do the errors swing at the end?
RUNS = [  # operation, steps, are the gradients reset before the forward pass?
    ("by_hand", STEPS, False),
    ("partial_op", STEPS, False),
    ("func_grad", STEPS, False),
    ("grad_of_sum", STEPS, False),
    ("backward_on_leaf", STEPS, False),
    ("backward_on_leaf", 2000, True),
    ("backward_on_x", 2000, True),
]
SAME_STEPS = 500  # steps over which forms that should be the same are compared bit for bit
SAME = {
    "by_hand": ("partial_op", "func_grad", "func_vmap", "func_jvp"),
    "grad_of_sum": ("grad_outputs", "grad_both"),
}
MEMORY = 4 * 2**30  # bytes; a graph kept alive by .grad must not eat the machine


def experiment():
    """What the chapter's experiment cells define."""
    return defined_in(CHAPTER)


def guard():
    """One core and little memory for this process, and no word on the cycle that the page explains."""
    os.environ["COMPANION_DEVICE"] = "cpu"
    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.filterwarnings("ignore", "Using backward\\(\\) with create_graph=True")


def run(op, steps, zero_first):
    """One training run: the errors before it and at its checkpoints."""
    names = experiment()
    model = names["build"](names[op])
    untrained = names["test_error"](model)
    rows = names["train"](model, steps, CHECKPOINTS + LATE, zero_first)
    print(f"{op}: {steps} steps, test error {untrained:.2f} -> {rows[-1][2]:.6g}", flush=True)
    return {"op": op, "zero_first": zero_first, "untrained": untrained, "rows": rows}


def parameters_after(op, steps):
    """All parameters of the trained model, in one vector."""
    names = experiment()
    model = names["build"](names[op])
    names["train"](model, steps)
    return torch.nn.utils.parameters_to_vector(model.parameters()).tolist()


def same_bits(pool):
    """For each reference: the forms whose parameters equal its own after SAME_STEPS steps."""
    forms = [op for one, others in SAME.items() for op in (one, *others)]
    after = dict(zip(forms, pool.map(parameters_after, forms, [SAME_STEPS] * len(forms))))
    return {one: [op for op in others if after[op] == after[one]] for one, others in SAME.items()}


def main():
    with ProcessPoolExecutor(2, get_context("spawn"), initializer=guard) as pool:
        identical = same_bits(pool)
        runs = list(pool.map(run, *zip(*RUNS)))
    result = {
        "script": "experiments/derivative_as_op.py",
        "environment": f"torch {torch.__version__}, CPU, {platform.machine()}",
        "setting": {"seed": 1, "optimizer": "Adam", "lr": 1e-3, "batch": 3000},
        "columns": ["step", "training loss", "test error"],
        "same_steps": SAME_STEPS,
        "same_bits": identical,
        "runs": runs,
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
