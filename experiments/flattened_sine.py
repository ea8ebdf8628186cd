"""The whole sweep of chapter 13: weights, activations, steps of a difference, three seeds each.

The code of the experiment is in the chapter, in the cells tagged "experiment"; this script runs those
cells and then what is too long for a page. It writes companion/data/flattened_sine.json, which the
chapter reads. About 6 minutes on one quiet core:

    .venv/bin/python -m experiments.flattened_sine
"""

import json
import math
import os
import platform
from pathlib import Path

import torch

from companion.data import FOLDER
from companion.pinn import LBFGS, MLP, Adam, Box, Condition, Problem, Siren, fit
from experiments.chapter import defined_in

ROOT = Path(__file__).resolve().parents[1]
CHAPTER = ROOT / "chapters" / "13_flattened_sine.ipynb"
RESULT = FOLDER / "flattened_sine.json"

SEEDS = (0, 1, 2)
STEPS = 2000
LOOKS = (0, 10, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 1500)
WEIGHTS = (0.0, 0.1, 1.0, 10.0, 100.0)
DISTANCES = (0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0)
OTHERS = ("LeakyReLU", "ELU", "Softplus", "SiLU", "GELU")
END = 2 * math.pi


def experiment():
    """What the chapter's experiment cells define."""
    return defined_in(CHAPTER)


def activation(names, bend):
    """The activation of this name: the chapter's sine, or one of PyTorch's."""
    return names["Sine"] if bend == "Sine" else getattr(torch.nn, bend)


def digits(number):
    """Four of them."""
    return float(f"{number:.4g}")


def cases(settings):
    """Every setting with every seed, in the order of the networks in a stack."""
    return [(setting, seed) for setting in settings for seed in SEEDS]


def record(network, settings, rows):
    """A dictionary for each run: its setting, seed, amplitudes and errors at the steps looked at."""
    return [
        {
            "network": network,
            **setting,
            "seed": seed,
            "steps": [step for step, _, _ in rows],
            "amplitude": [digits(amplitudes[k]) for _, amplitudes, _ in rows],
            "error": [digits(errors[k]) for _, _, errors in rows],
        }
        for k, (setting, seed) in enumerate(cases(settings))
    ]


def sweep(names, network, build, settings):
    """Train every setting with every seed in one stack. setting: {"weight": λ, "d": step or None}."""
    nets = [build(seed) for _, seed in cases(settings)]
    weights = [setting["weight"] for setting, _ in cases(settings)]
    second = names["by_autograd"]
    if settings[0]["d"]:
        d = torch.tensor([setting["d"] for setting, _ in cases(settings)], dtype=torch.float64)
        second = names["by_difference"](d[:, None, None])
    rows, _, _ = names["train"](nets, weights, second, STEPS, looks=LOOKS)
    for run in (found := record(network, settings, rows)):
        what = f"{network} λ={run['weight']} d={run['d']} seed {run['seed']}"
        print(f"{what}: amplitude {run['amplitude'][-1]}, error {run['error'][-1]}", flush=True)
    return found


def sweeps(names):
    """All stacks, one after another."""

    def of(bend):
        return lambda seed: names["network"](activation(names, bend), seed)

    def siren(seed):
        return Siren(Box(x=(-END, END)), widths=(64, 64), seed=seed)

    def settings(weights, distances=(None,)):
        return [{"weight": weight, "d": d} for weight in weights for d in distances]

    for bend in ("ReLU", "Tanh"):
        yield sweep(names, bend, of(bend), settings(WEIGHTS))
    yield sweep(names, "ReLU", of("ReLU"), settings((1.0,), DISTANCES))
    yield sweep(names, "ReLU", of("ReLU"), settings((0.1, 10.0, 100.0), (0.5,)))
    yield sweep(names, "SIREN", siren, settings((0.0, 1.0)))
    yield sweep(names, "SIREN", siren, settings((1.0,), (1.0,)))
    yield sweep(names, "Sine", of("Sine"), settings((1.0, 100.0)))
    for bend in OTHERS:
        yield sweep(names, bend, of(bend), settings((1.0,)))
    yield sweep(names, "Tanh", of("Tanh"), settings((100.0,), (0.5,)))


def forum_problem(weight):
    """MSE(f + f″) + MSE(f − sin)/λ: the loss of the thread, divided by λ."""
    box = Box(x=(-END, END))
    points = box.points(200, "grid")
    return Problem(
        domain=box,
        residual=lambda u, x: u(0, 0) + u(),
        conditions=(Condition("fit", points, torch.sin(points), weight=1 / weight),),
        exact=torch.sin,
        order=2,
    )


def quasi_newton(seed, dtype):
    """Adam, then L-BFGS, at λ = 100: [(stage, relative error)] after each."""
    net = MLP(Box(x=(-END, END)), widths=(64, 64), seed=seed).to(dtype)
    stages = [Adam(STEPS, 2e-3), LBFGS(50)]
    u = fit(forum_problem(100.0), net, stages, points=200, sampler="grid", progress=False)
    last = {r["stage"]: digits(r["error"]) for r in u.history.records}
    print(f"λ=100 {dtype} seed {seed}: {last}", flush=True)
    return {"dtype": str(dtype).removeprefix("torch."), "seed": seed, "errors": last}


def quotient(names, seed):
    """ReLU with a difference of step 0.5 at λ = 100: its height after Adam, and after L-BFGS."""
    nets, weights, second = (
        [names["network"](torch.nn.ReLU, seed)],
        [100.0],
        names["by_difference"](0.5),
    )
    rows, f, parameters = names["train"](nets, weights, second, STEPS)
    points = names["x"][None]
    after = names["lbfgs"](f, parameters, 100.0, second, 1000)
    ((height,), _), before = names["amplitudes_and_errors"](after(points).detach()), rows[-1][1][0]
    heights = {"Adam": digits(before), "LBFGS": digits(height)}
    print(f"ReLU, d=0.5, λ=100, seed {seed}: {heights}", flush=True)
    return {"seed": seed, "heights": heights}


def main():
    os.environ["COMPANION_DEVICE"] = "cpu"
    torch.set_num_threads(1)
    names = experiment()
    result = {
        "script": "experiments/flattened_sine.py",
        "environment": f"torch {torch.__version__}, CPU, {platform.machine()}",
        "setting": {"optimizer": "Adam", "rate": 2e-3, "steps": STEPS, "seeds": SEEDS},
        "runs": [run for stack in sweeps(names) for run in stack],
        "quasi_newton": [quasi_newton(s, t) for t in (torch.float32, torch.float64) for s in SEEDS],
        "quotient": [quotient(names, seed) for seed in SEEDS],
    }
    RESULT.write_text(json.dumps(result, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
