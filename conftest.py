"""nbval compares what the normaliser stores: text, never pictures.

With this, a cell that draws needs no tag: its figure is not compared, everything that it prints is.
"""

import pytest


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let nbval see both sides of a cell, stored and fresh, without their pictures."""
    if type(item).__name__ != "IPyNbCell":
        return
    from tools.normalise import stored_outputs  # not needed by those who test the package alone

    compare = item.compare_outputs
    item.compare_outputs = lambda fresh, stored, **rest: compare(
        stored_outputs(fresh), stored_outputs(stored), **rest
    )
