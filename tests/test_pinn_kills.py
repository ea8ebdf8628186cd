"""SIGKILL at any moment, also inside a save: the fit is begun again, and ends in the same bits."""

import random
import sys

import pytest

from tests import kills

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")


def test_killed_in_its_first_save_in_a_later_one_and_at_any_moment(tmp_path):
    """Four processes one after another; what each left behind is where the next one begins."""
    expected = kills.finished(tmp_path, "whole.pt")
    assert kills.killed_in_a_save(tmp_path, "fit.pt", 1)
    assert not (tmp_path / "fit.pt").exists()  # half a file is none
    assert kills.killed_in_a_save(tmp_path, "fit.pt", 9)
    assert list(tmp_path.glob("fit.pt.part"))  # what it was writing when it was killed
    chance = random.Random(7)
    assert kills.round_of(tmp_path, 1, chance, expected, "fit.pt") in (0, 1)
    assert not kills.same((expected[0] + 1e-16, expected[1]), expected)
