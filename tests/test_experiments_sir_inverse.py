"""experiments/sir_inverse.py: what it stores is what chapter 17 runs and says."""

import json

import numpy as np
import pytest

from experiments.sir_inverse import DRAWS, GUESSES, RESULT, SEEDS, WEIGHTS, experiment


@pytest.fixture(scope="module")
def stored():
    return json.loads(RESULT.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def names():
    return experiment()


def test_every_run_is_stored(stored):
    assert [len(row["pinn"]) for row in stored["recovery"]] == [len(SEEDS)] * 6
    assert [row["weight"] for row in stored["weights"]] == list(WEIGHTS)
    assert [tuple(row["guess"]) for row in stored["guesses"]] == list(GUESSES)
    assert {len(rows["pinn"]) for rows in stored["repeated"].values()} == {DRAWS}


@pytest.mark.parametrize("days", [60, 8])
def test_stored_least_squares_are_those_of_the_chapter(stored, names, days):
    times, data = names["readings"](days, seed=100)
    found = names["classical"](times, data, names["SIGMA"])[0]
    assert found == pytest.approx(stored["repeated"][str(days)]["classical"][0], rel=1e-3)


def test_the_network_agrees_with_least_squares_from_every_seed(stored):
    for row in stored["recovery"]:
        far = np.abs(np.array(row["pinn"]) - row["classical"]) / row["errors"]
        assert far.max() < 2


def test_eight_days_see_the_difference_in_every_draw_and_not_each_rate(stored):
    pinn = np.array(stored["repeated"]["8"]["pinn"])
    assert np.abs(pinn[:, 0] - pinn[:, 1] - 0.4).max() < 0.03
    assert np.ptp(pinn[:, 0]) > 0.2
