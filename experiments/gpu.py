"""The book on a GPU: its chapters, the tests that are skipped elsewhere, and what a step costs there.

Writes companion/data/gpu.json, which chapter 19 shows. Seven minutes at most; `make gpu`, or

    .venv/bin/python -m experiments.gpu

A chapter passes when all its cells run and what they assert holds (nbval-lax: what they print is not
compared, since digits differ from device to device). Where there is no GPU it says so, with status 1.
"""

import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from pathlib import Path

import torch

from companion.data import FOLDER
from companion.pinn import Adam, LevenbergMarquardt
from experiments.chapter import defined_in, write

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = sorted((ROOT / "chapters").glob("[0-9][0-9]*_*.ipynb"))
CHAPTER = ROOT / "chapters" / "19_scale.ipynb"
RESULT = FOLDER / "gpu.json"

MINUTES = {"notebooks": 4.0, "tests": 1.5}  # the steps take about one
SKIPPED = "there is no GPU here"  # what the tests say that are skipped elsewhere
STAGES = {
    "Adam": Adam(1000),
    "Adam, compiled": Adam(1000, compiled=5),
    "Levenberg-Marquardt": LevenbergMarquardt(1000),
}
POINTS = (1000, 10_000, 100_000)
MOST = {"Levenberg-Marquardt": 30_000}  # points; J would be larger than a gibibyte
WIDTH = 30


def refuse_no_gpu() -> None:
    """End with status 1 unless torch sees a GPU."""
    if not torch.cuda.is_available():
        sys.exit(
            f"make gpu needs a GPU with CUDA, and torch {torch.__version__} sees none here. On a machine "
            "that has one: is its driver installed (nvidia-smi), is torch a build with CUDA "
            "(torch.version.cuda)? Without a GPU: make test"
        )


def outcomes(report: Path) -> list[dict]:
    """[{name, passed, failed, skipped, seconds}] of each file in a report of pytest (junit XML)."""
    found: dict[str, dict] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        # nbval names a cell "NB.path::Cell 3"; a test has its file as the class "tests.test_x"
        name = case.get("classname", "").split(".")[-1] or case.get("name", "").partition("::")[0]
        name = Path(case.get("file") or name).stem
        row = found.setdefault(
            name, {"name": name, "passed": 0, "failed": 0, "skipped": 0, "seconds": 0.0}
        )
        kinds = {child.tag for child in case}
        what = (
            "failed"
            if kinds & {"failure", "error"}
            else "skipped"
            if "skipped" in kinds
            else "passed"
        )
        row[what] += 1
        row["seconds"] = round(row["seconds"] + float(case.get("time", 0)), 2)
    return sorted(found.values(), key=lambda row: row["name"])


def tried(what: str, arguments: Iterable[str | Path], device: str) -> list[dict]:
    """The outcomes of a run of pytest on a device, cut off after its minutes; printed too.

    Raises RuntimeError where it was cut off, or ran nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            f"--junitxml={report}",
            *map(str, arguments),
        ]
        command += ["-o", "junit_family=xunit1", "--numprocesses=auto", "--dist=loadfile"]
        there = os.environ | {"COMPANION_DEVICE": device, "OMP_NUM_THREADS": "1"}
        try:
            subprocess.run(command, cwd=ROOT, env=there, timeout=60 * MINUTES[what], check=False)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"the {what} took more than {MINUTES[what]:g} minutes") from None
        if not report.exists() or not (found := outcomes(report)):
            raise RuntimeError(f"pytest ran none of the {what}; see what it says above")
    return found


def notebooks(device: str, chapters: Iterable[Path] = tuple(CHAPTERS)) -> list[dict]:
    """A row for each chapter."""
    return tried("notebooks", ["--nbval-lax", "--nbval-current-env", *chapters], device)


def skipped_elsewhere(device: str) -> list[dict]:
    """A row for each file with tests that need a GPU."""
    files = [
        f for f in sorted((ROOT / "tests").glob("test_*.py")) if SKIPPED in f.read_text("utf-8")
    ]
    return tried("tests", [f for f in files if f.stem not in ("test_skips", "test_gpu")], device)


def clock() -> float:
    """Seconds, once the GPU has done all that it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def steps(device: str, points: Iterable[int] = POINTS) -> list[dict]:
    """A row for each method and number of points: seconds of a step, and MiB of the GPU."""
    os.environ["COMPANION_DEVICE"] = device
    names, found = defined_in(CHAPTER), []
    for method, stage in STAGES.items():
        for n in points:
            if n > MOST.get(method, n):
                continue
            if device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            row = {"device": device, "method": method, "n": n}
            try:
                problem = names["wave"](2)
                seconds = names["step_seconds"](stage, problem, WIDTH, n, clock=clock)
                row["seconds"] = float(f"{seconds:.3e}")
            except RuntimeError as error:  # torch's: no compiler, no memory
                row["failed"] = str(error).splitlines()[0][:200]
            if device == "cuda":
                row["MiB"] = round(torch.cuda.max_memory_allocated() / 2**20, 1)
            print(row, flush=True)
            found.append(row)
    return found


def main() -> None:
    refuse_no_gpu()
    begun = time.perf_counter()
    tables = {"steps": steps("cuda") + steps("cpu", POINTS[:2])}
    tables["notebooks"] = notebooks("cuda")
    tables["tests"] = skipped_elsewhere("cuda")
    head = {
        "script": "experiments/gpu.py",
        "environment": f"torch {torch.__version__}, {torch.cuda.get_device_name()}",
        "seconds": round(time.perf_counter() - begun),
    }
    write(RESULT, head, tables)
    failed = [row["name"] for row in tables["notebooks"] + tables["tests"] if row["failed"]]
    sys.exit(f"failed on the GPU: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
