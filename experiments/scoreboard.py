"""The runs of chapter 18: every problem of Part III by every method, error against seconds.

The problems and the solvers are in the chapter, in the cells tagged "experiment"; this script runs
those cells and then all seeds, each training for the same time. It writes
chapters/data/scoreboard.json, which the chapter reads. One thread; about 10 minutes on a quiet core:

    OMP_NUM_THREADS=1 .venv/bin/python -m experiments.scoreboard
"""

import math
import os
import platform
from pathlib import Path

import torch

from experiments.chapter import defined_in, write

ROOT = Path(__file__).resolve().parents[1]
CHAPTER = ROOT / "chapters" / "18_scoreboard.ipynb"
RESULT = ROOT / "chapters" / "data" / "scoreboard.json"

SEEDS = range(3)
OTHERS = range(3, 8)  # of Gauss-Newton alone, for the count of failures
BUDGET = {"ball": 10.0}  # seconds for a training
USUAL = 4.0
TRIALS = {"Gauss-Newton": (5, 15), "Adam + L-BFGS": (3, 6), "Adam": (30, 60)}
MOST = {"Gauss-Newton": 300}  # steps
PATIENCE = 8  # how many times the budget Adam gets in the generous run
DIMENSIONS = (1, 2, 3, 4, 6, 10)
UNKNOWNS = 500  # of the polynomials, in any dimension
RUNS_OF_FAMILY = (4, 8, 12, 16)
PATHS = 10_000  # of Monte Carlo, at each point


def experiment():
    """What the chapter's experiment cells define."""
    return defined_in(CHAPTER)


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
    each = max(second - first, 1e-6) / (many - few)
    return max(few, min(int(few + (budget - first) / each), MOST.get(method, 100_000)))


def networks(names):
    """Every problem, method and seed for the same time, and Adam once for a longer one."""
    found = []
    for problem in names["CASES"]:
        for method in names["METHODS"]:
            n = affordable(names, problem, method, BUDGET.get(problem, USUAL))
            for seed in SEEDS:
                found.append(rounded(thinned(names["network_run"](problem, method, n, seed))))
                print(*tell(found[-1]), flush=True)
    n = PATIENCE * affordable(names, "swing", "Adam", USUAL)
    generous = rounded(thinned(names["network_run"]("swing", "Adam", n, 0)))
    print("generous", *tell(generous), flush=True)
    return found, [generous]


def others(names, runs):
    """The last error of Gauss-Newton from other seeds, with as many steps; not in ten dimensions."""
    steps = {run["problem"]: run["n"] for run in runs if run["method"] == "Gauss-Newton"}
    found = []
    for problem in names["CASES"]:
        for seed in OTHERS if problem != "ball" else ():
            n = steps[problem]
            run = names["network_run"](problem, "Gauss-Newton", n, seed, looks=1)
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
        degree = max(k for k in range(60) if math.comb(d + k, k) <= UNKNOWNS)
        u, seconds = names["timed"](names["by_polynomials"], degree, x, turns=1)
        row = {"d": d, "degree": degree, "polynomials": names["relative"](u, exact)}
        row |= {"polynomial_seconds": seconds, "network": [], "network_seconds": []}
        problem = names["ball"](d)
        for seed in SEEDS:
            net = names["plain"]((12, 12))(problem, seed)
            more = {"points": 1000, "sampler": "uniform", "seed": seed, "report": 60}
            stages = [names["GaussNewton"](60)]
            history = names["fit"](problem, net, stages, **more, progress=False)
            row["network"].append(history.error)
            row["network_seconds"].append(history.column("seconds")[-1])
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


def chance(names):
    """Monte Carlo for about the time of a training: all points, and one point of the domain."""
    x = names["Ball"](10).points(1000, "grid").numpy()
    exact, _ = names["solution_and_load"](x, names["runge"])
    u, seconds = names["timed"](names["by_chance"], PATHS, x, turns=1)
    row = {"problem": "ball", "method": "Monte Carlo", "size": PATHS}
    print("Monte Carlo", seconds, flush=True)
    return [rounded(row | {"error": names["relative"](u, exact), "seconds": seconds})]


def main():
    os.environ["COMPANION_DEVICE"] = "cpu"
    torch.set_num_threads(1)
    names = experiment()
    names["network_run"]("swing", "Gauss-Newton", 2, seed=0)  # torch loads its transforms once
    classical = [rounded(row) for name in names["CASES"] for row in names["classical_rows"](name)]
    classical += chance(names)
    runs, generous = networks(names)
    head = {
        "script": "experiments/scoreboard.py",
        "environment": f"torch {torch.__version__}, CPU, one thread, {platform.machine()}",
        "budget": {name: BUDGET.get(name, USUAL) for name in names["CASES"]},
        "seconds": "of the steps, times the share of the processor that the process had",
    }
    tables = {"classical": classical, "networks": runs, "generous": generous}
    tables |= {"others": others(names, runs)}
    tables |= {"dimensions": dimensions(names), "family": families(names)}
    write(RESULT, head, tables)


if __name__ == "__main__":
    main()
