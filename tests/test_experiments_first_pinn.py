"""experiments/first_pinn.py: its data are whole, and one run comes out again."""

import json
from itertools import product

import pytest

from experiments.first_pinn import METHODS, RESULT, SEEDS, TURNS, run


@pytest.fixture(scope="module")
def rows():
    return json.loads(RESULT.read_text(encoding="utf-8"))["rows"]


def test_every_run_is_stored(rows):
    stored = [(row["seed"], row["turns"], row["method"], row["hard"]) for row in rows]
    assert stored == list(product(SEEDS, TURNS, METHODS, (False, True)))


def test_a_stored_run_comes_out_again(rows):
    setting = {"method": "Levenberg-Marquardt, spread", "turns": 1, "hard": True, "seed": 0}
    (stored,) = [row for row in rows if setting.items() <= row.items()]
    found = run(**setting)
    assert found["error"] < 1e-3 and stored["error"] < 1e-3


def test_the_figure_to_remember_small_loss_and_no_solution(rows):
    lost = [row for row in rows if row["method"] == "Adam" and row["turns"] == 5]
    assert all(row["loss"] < 0.02 and row["error"] > 0.5 for row in lost)


def test_neither_the_optimiser_nor_the_spread_alone_carries_five_periods(rows):
    far = {
        m: [row["error"] for row in rows if (row["method"], row["turns"]) == (m, 5)]
        for m in METHODS
    }
    both = max(far.pop("Levenberg-Marquardt, spread"))
    assert both < 1e-3
    assert all(min(errors) > 10 * both for errors in far.values())
