"""What experiments/sir_forward.py stores is what chapter 16 says and runs."""

import json
from pathlib import Path
from statistics import median

import pytest

from experiments.sir_forward import (
    EPSILONS,
    FEW,
    PARTS,
    PIECES,
    RESULT,
    SEEDS,
    STARTS,
    experiment,
    row,
)

PAGE = Path(__file__).parent.parent / "chapters" / "16_sir_forward.ipynb"


@pytest.fixture(scope="module")
def names():
    return experiment()


@pytest.fixture(scope="module")
def stored():
    return json.loads(RESULT.read_text(encoding="utf-8"))


def price(beta, gamma, infected, days):
    return 2 * (beta - gamma) * infected**2 / days


def test_every_run_is_stored(stored):
    found = {part: [run["seed"] for run in stored[part]] for part in PARTS}
    assert found == {
        "starts": [*FEW] * (len(STARTS) + 1),
        "other": [*FEW],
        "levenberg_marquardt": [*SEEDS],
        "causal": [*FEW] * len(EPSILONS),
        "logarithm": [*SEEDS] * 2,
        "windows": [*FEW] * len(PIECES),
    }


def test_a_false_solution_costs_what_the_formula_says(stored):
    runs = [
        run for run in stored["starts"] + stored["levenberg_marquardt"] if run["word"] == "never"
    ]
    assert len(runs) >= 4
    for run in runs:
        expected = price(0.5, 0.1, run.get("infected", 0.01), run.get("days", 60))
        assert 0.8 < run["loss"] / expected < 1.5, run


def test_a_late_epidemic_may_cost_more_than_its_least_and_the_page_says_least(stored):
    """Training that is stopped stands above 2λI₀²/T too: only the least loss of a delay is bounded by it."""
    late = [run["loss"] for run in stored["other"] if run["word"] == "late"]
    assert max(late) > 2 * price(0.3, 0.1, 0.01, 160)
    remembered = PAGE.read_text(encoding="utf-8").split("## What to remember")[1]
    remembered = remembered.split("Compute such a number")[0]
    assert "the least loss is" in remembered and "it is no larger" in remembered


def test_causal_weights_work_between_blind_and_stuck(stored):
    right = {}
    for run in stored["causal"]:
        right.setdefault(run["epsilon"], []).append(run["word"] == "right")
    unit = 1 / price(0.5, 0.1, 0.01, 60)
    for epsilon, ones in right.items():
        if epsilon < unit or epsilon > 1e4 * unit:
            assert not any(ones), epsilon
        elif epsilon < 100 * unit:
            assert all(ones), epsilon


def test_windows_are_right_when_short_and_wrong_when_long(stored):
    assert {run["word"] for run in stored["windows"] if run["pieces"] >= 6} == {"right"}
    assert "right" not in {run["word"] for run in stored["windows"] if run["pieces"] <= 3}


def test_the_logarithm_always_works(stored):
    errors = [r["error"] for r in stored["logarithm"] if r["method"] == "Levenberg-Marquardt"]
    assert max(errors) < 1e-3
    assert median(errors) < 1e-4


def test_a_short_run_of_the_chapter_is_right(names):
    stages = [names["LevenbergMarquardt"](15)]
    _, about = names["train"](names["FAST"], stages, 0, log=True)
    assert about["error"] < 0.1
    assert abs(about["late"]) < 1


def test_a_row_has_four_digits_and_no_nan():
    assert row({"error": 0.123456, "late": float("nan"), "seed": 3}, days=60) == {
        "days": 60,
        "error": 0.1235,
        "late": None,
        "seed": 3,
    }
