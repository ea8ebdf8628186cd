"""experiments/conditioning.py: what it stored is what chapter 14b runs."""

import json

import pytest
import torch

from experiments.conditioning import (
    BLOCK,
    DTYPES,
    RATES,
    RESULT,
    SEEDS,
    WEIGHTS,
    experiment,
    processor_time,
    started,
)


@pytest.fixture(scope="module")
def names():
    return experiment()


@pytest.fixture(scope="module")
def record():
    return json.loads(RESULT.read_text(encoding="utf-8"))


def test_every_run_is_stored(names, record):
    stored = {(run["method"], run["dtype"], run["seed"]) for run in record["race"]}
    assert stored == {(m, d, s) for m in names["METHODS"] for d in DTYPES for s in SEEDS}
    assert len(record["race"]) == len(stored)
    for run in record["race"]:
        stages, report = names["METHODS"][run["method"]]
        assert run["steps"][-1] == sum(stage.steps for stage in stages)
        assert run["steps"][0] == report
        assert len(run["steps"]) == len(run["error"]) == len(run["seconds"])
    balances = [(run["weight"], run["balance"]) for run in record["balance"]]
    assert balances == [(weight, balance) for weight in WEIGHTS for balance in (False, True)]


def test_the_runs_beside_the_race_are_stored(names, record):
    assert [row["lr"] for row in record["rates"]] == list(RATES)
    assert all(len(row["error"]) == len(SEEDS) for row in record["rates"])
    assert record["compiled"]["block"] == BLOCK and record["compiled"]["factor"] > 1
    precisions = [*DTYPES, *(f"float32, then {dtype}" for dtype in DTYPES)]
    scaled = [(run["seed"], run["precision"]) for run in record["scaled"]]
    assert scaled == [(seed, how) for seed in SEEDS for how in precisions]
    adam, lbfgs = (stage.steps // 10 for stage in names["SCALED"])
    for run in record["scaled"]:
        anew = "then" in run["precision"]
        assert len(run["error"]) == (lbfgs if anew else adam + lbfgs)


def test_the_factor_is_measured_on_the_run_of_the_race(names):
    events = started(names, compiled=0)
    assert processor_time(events, steps=3) > 0
    event = next(events)
    assert event.step == 4
    assert event.stage == names["METHODS"]["Adam"][0][0]


def test_the_stored_run_of_adam_starts_as_the_chapter_does(names, record):
    seed = SEEDS[0]
    (run,) = [
        run
        for run in record["race"]
        if (run["method"], run["dtype"], run["seed"]) == ("Adam", "float64", seed)
    ]
    stages, report = names["METHODS"]["Adam"]
    first = names["Adam"](stages[0].steps, lr=stages[0].lr)
    history = names["race"]([first_steps(first, report)], report, seed, torch.float64)
    assert history.error == pytest.approx(run["error"][0], rel=0.05)


def test_the_stored_run_on_a_large_residual_starts_as_the_chapter_does(names, record):
    run = record["scaled"][0]
    stage = names["SCALED"][0]
    net = names["cold"](run["seed"])
    (error,) = names["scaled_run"](net, [first_steps(stage, 10)], run["seed"])
    assert error == pytest.approx(run["error"][0], rel=0.05)


def first_steps(stage, steps):
    """The first steps of a long stage of Adam, at its rates."""

    class First(type(stage)):
        def rate(self, step):
            return stage.rate(step)

    return First(steps, lr=stage.lr)
