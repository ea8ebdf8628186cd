"""Two rules for every test, and one for Python.

nbval compares what the normaliser stores: text, never pictures. So a cell that draws needs no tag: its
figure is not compared, everything that it prints is.

Where CI is set, nothing is skipped but what needs a GPU: what a machine lacks is installed, or is a fault.

All tests and all that they import are millions of objects, none of them garbage: Python does not look for
garbage while they are collected, nor among them afterwards.
"""

import gc
import os

import pytest

collect_ignore = ["tests/typed_program.py"]  # read by mypy, never run


def pytest_sessionstart() -> None:
    gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let nbval see both sides of a cell, stored and fresh, without their pictures."""
    if type(item).__name__ != "IPyNbCell":
        return
    from tools.normalise import stored_outputs  # not needed by those who test the package alone

    compare = item.compare_outputs
    item.compare_outputs = lambda fresh, stored, **rest: compare(
        stored_outputs(fresh), stored_outputs(stored), **rest
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> pytest.TestReport:
    """On CI, a test that is skipped for any other reason than a missing GPU has failed."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI"):
        *_, reason = report.longrepr
        if "GPU" not in reason:
            report.outcome = "failed"
            report.longrepr = f"{reason}\nOn CI only what needs a GPU may be skipped: install it."
    return report
