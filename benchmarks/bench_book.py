"""Building the book: from nothing, again with nothing changed, and the execution time of each
chapter.

Works on a copy of the repository, with the environment that `make book` made.
"""

import json
import shutil
import sqlite3
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path
from time import perf_counter

from side_by_side import show

ROOT = Path(__file__).resolve().parent.parent
BUILD = [str(ROOT / ".venv/bin/jupyter-book"), "build", ".", "-W", "-n", "--keep-going"]


def build(folder):
    """Seconds for one build; a failure ends the measurement with its log."""
    start = perf_counter()
    done = subprocess.run(BUILD, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout[-3000:] + done.stderr[-3000:])
    return perf_counter() - start


def execution_times(folder):
    """(chapter, seconds) as the cache of executed notebooks recorded them."""
    [database] = folder.glob("_build/executed/*/global.db")
    with closing(sqlite3.connect(database)) as records:
        found = records.execute("SELECT uri, data FROM nbcache").fetchall()
    return sorted((Path(uri).stem, json.loads(data)["execution_seconds"]) for uri, data in found)


def main():
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "book"
        ignore = shutil.ignore_patterns(".git", ".venv*", "_build", "*.egg-info")
        shutil.copytree(ROOT, copy, ignore=ignore)
        cold, warm = build(copy), build(copy)
        shutil.rmtree(copy / "_build/html")
        shutil.rmtree(copy / "_build/.doctrees")
        show(
            "Building the book",
            ["", "s"],
            [
                ("from nothing, every chapter executed", cold),
                ("again, nothing changed", warm),
                ("pages removed, executed chapters kept", build(copy)),
            ],
        )
        show("Executing a chapter", ["", "s"], execution_times(copy))


if __name__ == "__main__":
    main()
