"""experiments/conditioning.py: what it stored is what chapter 14 runs."""

import json

import pytest
import torch

from experiments.conditioning import DTYPES, RESULT, SEEDS, WEIGHTS, experiment


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


def first_steps(stage, steps):
    """The first steps of a long stage of Adam, at its rates."""

    class First(type(stage)):
        def rate(self, step):
            return stage.rate(step)

    return First(steps, lr=stage.lr)
