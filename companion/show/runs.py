"""The ledger of Part III: what each method reached on one problem, failures counted.

A network is trained from a random start, so one run says little. A row is a method with all its
runs; a run that ends above a given error, or in no number, has failed, and is counted, not dropped.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from companion.show.table import html_table, text_table

__all__ = ["Runs", "RunsLedger", "ledger_of_runs"]

HEADINGS = ("method", "runs", "failed", "median error", "worst error", "median time")


@dataclass(frozen=True)
class Runs:
    """The relative error and the time in seconds of each run of a method.

    Raises ValueError for no runs, or when there is not one time for each error.

    >>> Runs("Levenberg–Marquardt", errors=[2e-6, 1e-6, 0.9], seconds=[1.5, 1.4, 1.6]).failed(above=0.1)
    1
    """

    method: str
    errors: Sequence[float]
    seconds: Sequence[float]

    def __post_init__(self) -> None:
        if not self.errors or len(self.errors) != len(self.seconds):
            raise ValueError(
                f"{self.method}: expected one time for each error, one or more; got "
                f"{len(self.errors)} errors and {len(self.seconds)} times"
            )

    def failed(self, above: float) -> int:
        """How many ended above this error, or in NaN."""
        return sum(not error <= above for error in self.errors)

    def cells(self, failed_above: float) -> tuple[str, ...]:
        """The line as text."""
        errors = [math.inf if math.isnan(error) else error for error in self.errors]
        return (
            self.method,
            str(len(errors)),
            str(self.failed(failed_above)),
            _one_digit(median(errors)),
            _one_digit(max(errors)),
            _time(median(self.seconds)),
        )


def _one_digit(error):
    return "none" if math.isinf(error) else f"{error:.1e}"


def _time(seconds):
    if seconds < 1e-3:
        return f"{1e6 * seconds:.0f} µs"
    return f"{1e3 * seconds:.2g} ms" if seconds < 0.1 else f"{seconds:.2g} s"


@dataclass(frozen=True)
class RunsLedger:
    """Rows of one problem, as a table."""

    problem: str
    rows: tuple[Runs, ...]
    failed_above: float

    @property
    def caption(self) -> str:
        """The problem, and what counts as a failure."""
        return f"{self.problem}; failed: a relative error above {self.failed_above:g}"

    def __repr__(self) -> str:
        table = text_table(HEADINGS, [row.cells(self.failed_above) for row in self.rows])
        return f"{self.caption}\n\n{table}"

    def _repr_html_(self) -> str:
        rows = [row.cells(self.failed_above) for row in self.rows]
        return html_table(HEADINGS, rows, self.caption, "The ledger of this problem")


def ledger_of_runs(problem: str, rows: Sequence[Runs], failed_above: float = 0.1) -> RunsLedger:
    """The table of these methods on one problem.

    >>> ledger_of_runs("y′ = y", [Runs("network", [1e-4, 2e-5, 0.5], [2.0, 2.1, 1.9])])
    y′ = y; failed: a relative error above 0.1
    <BLANKLINE>
    method   runs  failed  median error  worst error  median time
    ───────  ────  ──────  ────────────  ───────────  ───────────
    network     3       1       1.0e-04      5.0e-01          2 s

    Raises ValueError for no rows.
    """
    if not rows:
        raise ValueError("a ledger has a row or more: ledger_of_runs(problem, [Runs(...), ...])")
    return RunsLedger(problem, tuple(rows), failed_above)
