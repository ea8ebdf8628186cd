"""The runs of chapter 18: every problem of Part III by every method, error against seconds.

The problems and the solvers are on the two pages of the chapter, in the cells tagged "experiment"; this
script runs those cells and then all seeds, each training for the same time. It writes
companion/data/scoreboard.json, which both pages read. One thread; 10 to 15 minutes on a quiet core:
the networks 6, the opponents in ten dimensions 3, everything else 4. Each run is told as it ends:

    OMP_NUM_THREADS=1 .venv/bin/python -m experiments.scoreboard
"""

import math
import os
import platform
import time
from pathlib import Path

import torch

from companion.data import FOLDER
from experiments.chapter import defined_in, write

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = ROOT / "chapters"
PAGES = CHAPTERS / "18_scoreboard.ipynb", CHAPTERS / "18b_ten_dimensions.ipynb"
RESULT = FOLDER / "scoreboard.json"

SEEDS = range(3)
OTHERS = range(3, 8)  # of Levenberg-Marquardt alone, for the count of failures
FIVE = range(5)
BUDGET = {"ball": 8.0}  # seconds for a training
USUAL = 4.0
TRIALS = {"Levenberg-Marquardt": (5, 15), "Adam + L-BFGS": (3, 6), "Adam": (30, 60)}
MOST = {"Levenberg-Marquardt": 300}  # steps
RATES = (1e-3, 3e-3, 3e-2)  # of Adam, beside the one that it has everywhere
HARD = ("long", "sir")  # where these rates are tried
PATIENCE = 10  # how many times the budget Adam gets in the generous run
DIMENSIONS = (1, 2, 3, 4, 6, 10)
UNKNOWNS, HIGHEST = 500, 120  # of the polynomials, in any dimension; beyond, too few random points
RUNS_OF_FAMILY = (4, 8, 12, 16)
LARGE = {"polynomials": 5, "Monte Carlo": 60_000, "quasi-Monte Carlo": 2**16}  # in 10 dimensions
UNITS, SLOPES = 3000, (2.0, 4.0, 8.0)  # of the frozen tanh
SHAPES = ((12, 12), (24,))  # of the networks whose directions are watched


def experiment():
    """What the experiment cells of both pages define, and the eighth case, put together from them."""
    first, second = map(defined_in, PAGES)
    first["CASES"]["ball"] = first["Case"](
        "Poisson in 10 dimensions",
        second["ball"],
        second["plain"]((12, 12)),
        second["OPTIONS"],
        second["OPPONENTS"],
    )
    return second | first


def short(number):
    """Four digits; None for what is no number."""
    return float(f"{number:.3e}") if math.isfinite(number) else None


def rounded(row):
    """A row with four digits everywhere."""
    return {
        key: [short(v) for v in value]
        if isinstance(value, list)
        else short(value)
        if isinstance(value, float) and key != "size"
        else value
        for key, value in row.items()
    }


def thinned(run, gap=0.03):
    """The run without looks that came less than a few per cent of its time after the last."""
    last, kept = 0.0, []
    for k, t in enumerate(run["seconds"]):
        if k == len(run["seconds"]) - 1 or t - last >= gap * run["seconds"][-1]:
            kept.append(k)
            last = t
    return run | {key: [run[key][k] for k in kept] for key in ("error", "seconds")}


def affordable(names, problem, method, budget):
    """How many steps of a method the budget pays, by two short trials."""
    few, many = TRIALS[method]
    first, second = (
        names["network_run"](problem, method, n, seed=0, looks=1)["seconds"][-1]
        for n in (few, many)
    )
    # A busy moment may have made the first trial the longer one.
    each = max(second - first, 0.1 * second) / (many - few)
    return max(few, min(int(few + (budget - first) / each), MOST.get(method, 100_000)))


def networks(names):
    """Every problem, method and seed for the same time."""
    found = []
    for problem in names["CASES"]:
        for method in names["METHODS"]:
            n = affordable(names, problem, method, BUDGET.get(problem, USUAL))
            for seed in SEEDS:
                found.append(rounded(thinned(names["network_run"](problem, method, n, seed))))
                print(*tell(found[-1]), flush=True)
    return found


def steps_of(runs, method):
    """{problem: how many steps the method made}."""
    return {run["problem"]: run["n"] for run in runs if run["method"] == method}


def generous(names, runs):
    """Adam once for ten times the time, on the first of the hard problems."""
    n = PATIENCE * steps_of(runs, "Adam")[HARD[0]]
    run = rounded(thinned(names["network_run"](HARD[0], "Adam", n, 0)))
    print("generous", *tell(run), flush=True)
    return [run]


def rates(names, runs):
    """Adam with other learning rates, with as many steps as before."""
    found, steps = [], steps_of(runs, "Adam")
    for problem in HARD:
        for lr in RATES:
            for seed in SEEDS:
                run = names["network_run"](problem, "Adam", steps[problem], seed, 1, lr)
                found.append(rounded(last_look(run) | {"lr": lr}))
                print("rate", found[-1], flush=True)
    return found


def last_look(run):
    """The run with its last error and its last time alone."""
    return run | {key: run[key][-1] for key in ("error", "seconds")}


def others(names, runs):
    """The last error of Levenberg-Marquardt from other seeds, as many steps; not in ten dimensions."""
    found, steps = [], steps_of(runs, "Levenberg-Marquardt")
    for problem in names["CASES"]:
        for seed in OTHERS if problem != "ball" else ():
            n = steps[problem]
            run = names["network_run"](problem, "Levenberg-Marquardt", n, seed, looks=1)
            found.append({"problem": problem, "seed": seed, "error": short(run["error"][-1])})
            print(found[-1], flush=True)
    return found


def tell(run):
    last = {key: run[key][-1] for key in ("error", "seconds")}
    return (run["problem"], run["method"], run["n"], run["seed"], last)


def dimensions(names):
    """Runge's function along a direction: a network and polynomials, in more and more dimensions."""
    found = []
    for d in DIMENSIONS:
        x = names["Ball"](d).points(1000, "grid").numpy()
        exact, _ = names["solution_and_load"](x, names["runge"])
        degree = max(k for k in range(HIGHEST + 1) if math.comb(d + k, k) <= UNKNOWNS)
        u, seconds = names["timed"](names["by_polynomials"], degree, x, turns=1)
        row = {"d": d, "degree": degree, "polynomials": names["relative"](u, exact)}
        row |= {"polynomial_seconds": seconds, "network": [], "network_seconds": []}
        problem = names["ball"](d)
        for seed in SEEDS:
            net = names["plain"]((12, 12))(problem, seed)
            more = {"points": 1000, "sampler": "uniform", "seed": seed, "log_interval": 60}
            stages = [names["LevenbergMarquardt"](60)]
            solution = names["fit"](problem, net, stages, **more, progress=False)
            row["network"].append(solution.error)
            row["network_seconds"].append(solution.history.column("seconds")[-1])
        found.append(rounded(row))
        print(found[-1], flush=True)
    return found


def families(names):
    """One network for all β, and polynomials in β through runs of DOP853."""
    betas, times = names["ASKED"]
    truth, found = names["epidemics"](betas, times, 1e-12), []
    for count in RUNS_OF_FAMILY:
        u, seconds = names["timed"](names["by_interpolation"], count, betas, times)
        error = names["relative"](u, truth)
        found.append({"method": "interpolation", "n": count, "error": error, "seconds": seconds})
    for seed in SEEDS:
        found.append({"method": "network"} | names["family_run"](80, seed))
        print(found[-1], flush=True)
    return [rounded(row) for row in found]


def inquiry(names):
    """(points of the ball, exact values there) where all errors in ten dimensions are taken."""
    x = names["Ball"](10).points(1000, "grid").numpy()
    return x, names["solution_and_load"](x, names["runge"])[0]


def frozen(names):
    """Three thousand frozen tanh: every slope, every seed."""
    (x, exact), found = inquiry(names), []
    for steepest in SLOPES:
        for seed in SEEDS:
            u, seconds = names["timed"](names["by_frozen"], UNITS, x, steepest, seed, turns=1)
            row = {"size": UNITS, "steepest": steepest, "seed": seed}
            row |= {"error": names["relative"](u, exact), "seconds": seconds}
            found.append(rounded(row))
            print("frozen", found[-1], flush=True)
    return found


def large(names, layers):
    """The opponents in ten dimensions, with as much time as a network or more."""
    (x, exact), found = inquiry(names), []
    for method, size in LARGE.items():
        solver, _ = names["CASES"]["ball"].classical[method]
        u, seconds = names["timed"](solver, size, x, turns=1)
        row = {"problem": "ball", "method": method, "size": size}
        row |= {"error": names["relative"](u, exact), "seconds": seconds}
        found.append(rounded(row))
        print("large", found[-1], flush=True)
    best = min(layers, key=lambda row: row["error"])
    row = {"problem": "ball", "method": "frozen tanh"}
    return found + [row | {key: best[key] for key in ("size", "error", "seconds")}]


def turned(names):
    """How far forty steps turn the first layer: two layers, and one layer alone."""
    found = []
    for widths in SHAPES:
        for seed in FIVE:
            found.append(rounded(names["turning"](widths, seed)[0]))
            print("turned", found[-1], flush=True)
    return found


def processor():
    """What the machine says of its processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def heading(names):
    """What the file says before its tables."""
    return {
        "script": "experiments/scoreboard.py",
        "environment": f"torch {torch.__version__}, CPU, one thread, {platform.machine()}",
        "machine": f"{processor()}, {os.cpu_count()} cores, one of them used",
        "budget": {name: BUDGET.get(name, USUAL) for name in names["CASES"]},
        "seconds": "of the steps, times the share of the processor that the process had",
    }


def main():
    os.environ["COMPANION_DEVICE"] = "cpu"
    torch.set_num_threads(1)
    began, names = time.perf_counter(), experiment()
    names["network_run"]("swing", "Levenberg-Marquardt", 2, seed=0)  # what torch loads once
    classical = [rounded(row) for name in names["CASES"] for row in names["classical_rows"](name)]
    layers = frozen(names)
    classical += large(names, layers)
    runs = networks(names)
    tables = {"classical": classical, "networks": runs, "frozen": layers}
    tables |= {"generous": generous(names, runs), "rates": rates(names, runs)}
    tables |= {"others": others(names, runs), "turned": turned(names)}
    tables |= {"dimensions": dimensions(names), "family": families(names)}
    write(RESULT, heading(names), tables)
    print(f"{(time.perf_counter() - began) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
