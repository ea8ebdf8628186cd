"""experiments/sir_inverse.py: what it stores is what chapter 17 runs and says."""

import json

import numpy as np
import pytest

from experiments.sir_inverse import (
    DRAWS,
    GUESSES,
    PATHS,
    RESULT,
    SEEDS,
    WAYS,
    WEIGHTS,
    experiment,
)


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
    assert stored["positive"]["seeds"] == list(PATHS)
    assert len(stored["positive"]["patient"]) == len(stored["positive"]["failed"])


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


def test_a_minimum_with_negative_rates_fits_eight_days_as_well_and_sixty_not(names):
    for seed in (1, 100, 105):
        fits = []
        for days in (8, 60):
            times, data = names["readings"](days, seed=seed)
            for guess in ((0.4, 0.2), (-0.5, -0.9)):
                fits.append(names["estimate"](times, data, names["SIGMA"], guess=guess))
        assert fits[1][0].max() < 0 < fits[0][0].max()
        assert abs(fits[1][1] - fits[0][1]) < 2
        assert fits[3][1] > 100 * fits[2][1]


def test_what_the_exponentials_lost_had_been_near_zero_on_its_way(stored):
    ends = {way: np.array(stored["positive"][way]) for way in WAYS}
    far = {way: np.flatnonzero(np.abs(e[:, 1] - 0.099) > 0.01).tolist() for way, e in ends.items()}
    failed = far.pop("exponential")
    assert failed == stored["positive"]["failed"] and len(failed) >= 2
    assert not any(far.values())
    small = ends["exponential"][:, 2] < 0.01
    assert small[failed].all() and small.sum() <= 5
