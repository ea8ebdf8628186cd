"""A fit from the command line, on as many processes as torchrun starts. Chapter 19.

    torchrun --nproc-per-node=4 -m companion.pinn.train oscillator.py

The file is Python; it defines a problem, a network, stages, and what else fit is to be called with:

    import torch
    from companion.pinn import MLP, LevenbergMarquardt
    from companion.problems import oscillator

    problem = oscillator()
    network = MLP(problem.domain, (20,), seed=0)
    stages = [LevenbergMarquardt(40)]
    options = {"points": 400, "log_interval": 10}

Each process runs the file. A checkpoint, oscillator.checkpoint, is written at each report, and who
begins again goes on from it. At the end stands oscillator.solution, for Solution.load. Without
torchrun, python -m companion.pinn.train does the same in one process. Where a process may die, let
torchrun start all of them again:

    TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 torchrun --nproc-per-node=4 --max-restarts=3 -m …
"""

import argparse
import runpy
import warnings
from pathlib import Path
from typing import Any

import torch.distributed as dist

from companion.operators import device
from companion.pinn.processes import Processes, joined
from companion.pinn.solution import Solution
from companion.pinn.training import fit

NEEDED = ("problem", "network", "stages")


def main(arguments: list[str] | None = None) -> None:
    """Train what a file declares; the first process says how it went and keeps the solution."""
    parser = argparse.ArgumentParser(
        prog="companion.pinn.train", description="train what a file declares"
    )
    parser.add_argument(
        "file", type=Path, help="Python that defines problem, network, stages and options"
    )
    file = parser.parse_args(arguments).file
    processes = joined()
    solution = trained(file, processes)
    if not processes.rank:
        print(said(solution, processes.count), flush=True)
        solution.save(file.with_suffix(".solution"))
    if processes.count > 1:
        dist.destroy_process_group()


def trained(file: Path, processes: Processes) -> Solution:
    """The solution of what a file declares. Raises ValueError for a file that lacks a name."""
    found = runpy.run_path(str(file))
    if missing := [name for name in NEEDED if name not in found]:
        raise ValueError(
            f"{file} defines no {', '.join(missing)}; write problem = Problem(...), network = "
            "MLP(problem.domain), stages = [LevenbergMarquardt(100)]"
        )
    options: dict[str, Any] = {"checkpoint": file.with_suffix(".checkpoint"), "progress": False}
    options |= found.get("options", {})
    if processes.rank:
        warnings.simplefilter("ignore")  # the first process says the same
    network = found["network"].to(device())
    return fit(found["problem"], network, found["stages"], processes=processes, **options)


def said(solution: Solution, count: int) -> str:
    """How a fit went, in a few lines."""
    last = solution.history.records[-1]
    lines = [f"{count} process{'es' * (count > 1)}, {last['step']} steps, {last['seconds']:.1f} s"]
    lines += [f"loss     {last['loss']:.3e}"]
    lines += [f"error    {last['error']:.3e}"] if "error" in last else []
    lines += [f"{name:8} {value!r}" for name, value in solution.unknowns.items()]
    return "\n".join(lines + ([solution.history.stopped] if solution.history.stopped else []))


if __name__ == "__main__":
    main()
