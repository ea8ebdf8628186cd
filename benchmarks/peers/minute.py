"""A minute of a peer on a problem of the gallery: what its script is given, and what it answers.

A script gallery_NAME.py states the problems in the words of its peer and trains until the minute of the
processor is over, or its plan is done. It writes the solution at the points where errors are taken, and
prints one line of JSON. Standard library and NumPy only: every peer reads it.

python gallery_deepxde.py --problem beam --given given.npz --found found.npy --seconds 60
"""

import argparse
import ast
import inspect
import json
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from time import process_time

import numpy as np


@dataclass
class Minute:
    """The seconds of the processor since it was made, the steps, and what the script says of itself."""

    seconds: float = 60.0
    steps: int = 0
    said: dict = field(default_factory=dict)  # source, settings, unknowns
    begun: float = field(default_factory=process_time)

    @property
    def spent(self):
        """The part that is gone."""
        return (process_time() - self.begun) / self.seconds

    def over(self, steps=1, share=1.0):
        """After so many more steps: is this share of the minute over?"""
        self.steps += steps
        return self.spent >= share


def lines_of(function):
    """The lines of code of a function, without its head, its docstring, comments and blank lines.

    >>> lines_of(Minute.over)
    2
    """
    return lines_in(textwrap.dedent(inspect.getsource(function)))


def lines_in(text):
    """The same of the text of one function."""
    node = ast.parse(text).body[0]
    first = node.body[1 if ast.get_docstring(node) else 0]
    lines = [line.strip() for line in text.splitlines()[first.lineno - 1 :]]
    return sum(bool(line) and not line.startswith("#") for line in lines)


def answer(package, problems, solve):
    """Read the command line, solve, keep the solution, print the record.

    problems: {name: statement(given)}, given being the arrays of the problem; the doc of a statement
    says where its settings are documented. solve(statement, given, seed, minute) → x (n, d) ↦ u (n, k),
    both in NumPy; it is timed from its first line to its last.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--problem", choices=problems, required=True)
    parser.add_argument("--given", type=Path, required=True)
    parser.add_argument("--found", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60.0)
    asked = parser.parse_args()
    given, statement = dict(np.load(asked.given)), problems[asked.problem]
    lines, minute = lines_of(statement), Minute(asked.seconds)
    solution: Callable = solve(statement, given, asked.seed, minute)
    seconds = process_time() - minute.begun
    np.save(asked.found, np.asarray(solution(given["x"]), dtype=float))
    record = {
        "version": version(package),
        "lines": lines,
        "source": " ".join((statement.__doc__ or "").split()),
        "seconds": round(seconds, 1),
        "steps": minute.steps,
    }
    print("\n" + json.dumps(record | minute.said), flush=True)
