"""The measurements of chapter 19: what a step costs, by points, parameters, dimensions and processes.

The step that is measured is in the chapter, in the cells tagged "experiment"; this script runs those
cells. It writes companion/data/scale.json, which the chapter reads. Times are the least of some turns,
so that other work on the machine does not count: of the processor for one process, of the clock where
processes wait for each other. About 7 minutes on two quiet cores, with 8 GiB of memory
for a million points; what was measured before a stop is kept in _build/scale.jsonl, and not measured
again (--fresh forgets it):

    OMP_NUM_THREADS=1 .venv/bin/python -m experiments.scale
"""

import functools
import json
import math
import multiprocessing
import os
import platform
import resource
import sys
import tempfile
import time
from pathlib import Path

import torch
import torch.distributed as dist
from torch.multiprocessing import start_processes

from companion.data import FOLDER
from companion.pinn import MLP, Adam, LevenbergMarquardt, fit
from companion.pinn.processes import Processes
from companion.problems import oscillator
from experiments.chapter import defined_in, write

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = ROOT / "chapters"
CHAPTER = CHAPTERS / "19_scale.ipynb"
RESULT = FOLDER / "scale.json"
KEPT = ROOT / "_build" / "scale.jsonl"

FORK = multiprocessing.get_context("fork") if os.name == "posix" else None
STAGES = {
    "Adam": Adam(1000),
    "Adam, compiled": Adam(1000, compiled=5),
    "Levenberg-Marquardt": LevenbergMarquardt(1000),
}
WIDTH = 30  # units of both layers where the width is not what is varied
POINTS = {
    "Adam": (1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000),
    "Adam, compiled": (1000, 10_000, 100_000),
    "Levenberg-Marquardt": (1000, 3000, 10_000, 30_000),
}
WIDTHS = {
    "Adam": (8, 16, 30, 100, 316),  # 100 to 100 000 parameters
    "Levenberg-Marquardt": (8, 16, 30, 52),
}
AT = {"Adam": 1000, "Levenberg-Marquardt": 4000}  # points, where the parameters are varied
DIMENSIONS = (1, 2, 5, 10)
COUNTS = (1, 2, 4)
SHARED = {"Adam": (500, 20_000), "Levenberg-Marquardt": (500, 8000)}  # points, over processes
NUMBERS = (1, 100, 10_000, 100_000, 1_000_000)  # of a message
SEEDS = range(5)
TURNS = 4
CHAPTER_13 = [
    (kind, weight, seed) for kind in ("Tanh", "Sine") for weight in (1.0, 10.0) for seed in (0, 1)
]
CHAPTER_18 = [(name, seed) for name in ("swing", "line") for seed in (0, 1, 2)]


def experiment():
    """What the chapter's experiment cells define."""
    return defined_in(CHAPTER)


def short(number):
    """Four digits."""
    return float(f"{number:.3e}")


def parameters(width, d):
    """P of an MLP with two layers of this width."""
    return width * (d + 1) + width * (width + 1) + width + 1


# ---------------------------------------------------------------- one process


def alone(f, *arguments):
    """(f(…), MiB that it took at its peak), in a process of its own."""
    here, there = FORK.Pipe(duplex=False)

    def work():
        torch.set_num_threads(1)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found = f(*arguments)
        there.send((found, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024))

    process = FORK.Process(target=work)
    process.start()
    there.close()  # so that the end of a process that fails is seen
    found = here.recv()
    process.join()
    return found


def step(names, by, method, width, d, n):
    """A row: what a step of a method costs."""
    stage, problem = STAGES[method], names["wave"](d)
    seconds, mebibytes = alone(names["step_seconds"], stage, problem, width, n, TURNS)
    row = {"by": by, "method": method, "n": n, "P": parameters(width, d), "d": d}
    return row | {"seconds": short(seconds), "MiB": round(mebibytes, 1)}


def steps(names, once):
    """All rows of one process."""
    found = []
    for method, counts in POINTS.items():
        found += [once(step, names, "points", method, WIDTH, 2, n) for n in counts]
    for method, widths in WIDTHS.items():
        found += [once(step, names, "parameters", method, w, 2, AT[method]) for w in widths]
        found += [once(step, names, "dimensions", method, WIDTH, d, 1000) for d in DIMENSIONS]
    return found


# ---------------------------------------------------------------- several


def together(count, f, *arguments):
    """[f(processes, …) of each process], in as many processes."""
    with tempfile.TemporaryDirectory() as folder:
        start_processes(member, (count, folder, f, arguments), count, start_method="fork")
        return [json.loads((Path(folder) / str(rank)).read_text()) for rank in range(count)]


def member(rank, count, folder, f, arguments):
    """What one of the processes does."""
    torch.set_num_threads(1)
    where = f"file://{folder}/meeting"
    dist.init_process_group("gloo", init_method=where, rank=rank, world_size=count)
    found = f(Processes(rank, count), *arguments)
    (Path(folder) / str(rank)).write_text(json.dumps(found))
    dist.destroy_process_group()


def shared_step(processes, names, method, n):
    """Seconds of a step, by the clock."""
    problem = names["wave"](2)
    measure = names["step_seconds"]
    return measure(STAGES[method], problem, WIDTH, n, 2 * TURNS, processes, time.perf_counter)


def shared(names, count, method, n):
    """A row: a step of so many processes, at so many points in all."""
    seconds = max(together(count, shared_step, names, method, n))
    row = {"count": count, "method": method, "n": n, "P": parameters(WIDTH, 2)}
    return row | {"seconds": short(seconds)}


def sum_seconds(processes, numbers):
    """The least seconds that a sum of so many numbers takes."""
    best, t = math.inf, torch.ones(numbers, dtype=torch.float64)
    for _ in range(10 * TURNS):
        dist.barrier()
        begun = time.perf_counter()
        processes.total(t)
        best = min(best, time.perf_counter() - begun)
    return best


def message(count, numbers):
    """A row: what it takes to add up so many numbers of each process."""
    return {"count": count, "numbers": numbers} | {
        "seconds": short(max(together(count, sum_seconds, numbers)))
    }


def whole_fit(processes, seed):
    """(the error, seconds) of a fit to the end."""
    problem = oscillator(hard=False)
    network, begun = MLP(problem.domain, (20,), spread=3.0, seed=seed), time.perf_counter()
    options = {"points": 400, "seed": seed, "progress": False, "processes": processes}
    return fit(
        problem, network, [LevenbergMarquardt(60)], **options
    ).error, time.perf_counter() - begun


def end(count, seed):
    """A row: where so many processes end."""
    (error, seconds), *others = together(count, whole_fit, seed)
    assert all(other[0] == error for other in others)
    return {"count": count, "seed": seed, "error": short(error), "seconds": round(seconds, 3)}


# ---------------------------------------------------------------- many fits


def height(names, kind, weight, seed):
    """Chapter 13: the height of the sine that a network learns in some steps."""
    from torch import nn

    bend = names["Sine"] if kind == "Sine" else getattr(nn, kind)
    rows, *_ = names["train"]([names["network"](bend, seed)], [weight], names["by_autograd"], 150)
    return short(rows[-1][1][0])


def error(names, name, seed):
    """Chapter 18: the error of a short training."""
    return short(names["network_run"](name, "Levenberg-Marquardt", 40, seed, looks=1)["error"][-1])


def one(job):
    """One job of the sweep, [chapter, settings …], in whichever process."""
    torch.set_num_threads(1)
    chapter, *setting = job
    names = chapter_names(chapter)
    return (height if chapter == "13_flattened_sine" else error)(names, *setting)


@functools.cache
def chapter_names(chapter):
    """What the experiment cells of a chapter define, read once in a process."""
    return defined_in(CHAPTERS / f"{chapter}.ipynb")


def jobs():
    """All jobs."""
    found = [["13_flattened_sine", *setting] for setting in CHAPTER_13]
    return found + [["18_scoreboard", *setting] for setting in CHAPTER_18]


def swept(workers):
    """A row: all jobs by so many workers of the queue, which have done them before: a first time is slower."""
    from joblib import Parallel, delayed

    from experiments.scale import one as task  # by its name, which a worker can import too

    with Parallel(n_jobs=workers) as queue:
        queue(delayed(task)(job) for job in workers * jobs())
        begun = time.perf_counter()
        found = queue(delayed(task)(job) for job in jobs())
    return {"workers": workers, "jobs": len(found)} | {
        "seconds": round(time.perf_counter() - begun, 2),
        "found": found,
    }


# ---------------------------------------------------------------- all of it


def keeping(path):
    """once(f, …): f(…), or what it gave when it was called with the same before the last stop."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    known = dict(json.loads(line) for line in lines)

    def once(f, *arguments):
        key = json.dumps([f.__name__, [a for a in arguments if not isinstance(a, dict)]])
        if key not in known:
            known[key] = f(*arguments)
            path.parent.mkdir(exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([key, known[key]]) + "\n")
            print(known[key], flush=True)
        return known[key]

    return once


def main():
    if "--fresh" in sys.argv:
        KEPT.unlink(missing_ok=True)
    os.environ["COMPANION_DEVICE"] = "cpu"
    torch.set_num_threads(1)
    names, once = experiment(), keeping(KEPT)
    tables = {"steps": steps(names, once)}
    tables["shared"] = [
        once(shared, names, count, method, share)
        for method, points in SHARED.items()
        for n in points
        for count, share in [(k, n) for k in COUNTS] + [(1, n // k) for k in COUNTS[1:]]
    ]
    tables["messages"] = [once(message, k, numbers) for k in COUNTS[1:] for numbers in NUMBERS]
    tables["ends"] = [once(end, k, seed) for k in COUNTS for seed in SEEDS]
    tables["sweep"] = [once(swept, k) for k in (1, 2)]
    head = {
        "script": "experiments/scale.py",
        "environment": f"torch {torch.__version__}, CPU, one thread a process, {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),  # 2 and more: the machine was busy with other work
    }
    write(RESULT, head, tables)
    KEPT.unlink()


if __name__ == "__main__":
    main()
