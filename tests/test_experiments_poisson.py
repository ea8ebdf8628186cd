"""The stored repetitions of chapter 15 are those that its script makes, and say what the page says."""

import json
from statistics import median

import pytest
import torch

from experiments.poisson import (
    LINE_POINTS,
    PLANE_POINTS,
    RESULT,
    SAMPLERS,
    SEEDS,
    THREE,
    WEIGHTS,
    cures,
    experiment,
)


@pytest.fixture(scope="module")
def names():
    return experiment()


@pytest.fixture(scope="module")
def record():
    return json.loads(RESULT.read_text(encoding="utf-8"))


def errors(rows, **where):
    return [row["error"] for row in rows if all(row[k] == v for k, v in where.items())]


def test_every_run_is_stored(record, names):
    assert [(r["weight"], r["seed"]) for r in record["weights"]] == [
        (weight, seed) for weight in WEIGHTS for seed in THREE
    ]
    assert len(record["runs"]) == 4 * len(SEEDS["Gauss-Newton"]) + 2 * len(SEEDS["Adam + L-BFGS"])
    assert len(record["line"]) == len(LINE_POINTS) * len(THREE)
    assert len(record["points"]) == len(PLANE_POINTS) * len(SAMPLERS) * len(THREE)
    assert [row["what"] for row in record["corner"][:: len(THREE)]] == list(cures(names))


def test_the_hard_edge_is_better_than_the_soft_one_for_every_seed_of_gauss_newton(record):
    hard = errors(record["runs"], d=2, edge="hard", method="Gauss-Newton")
    soft = errors(record["runs"], d=2, edge="soft", method="Gauss-Newton")
    assert max(hard) < min(soft) < max(soft) < 1e-2


def test_few_points_give_no_loss_and_no_solution(record):
    few = [row for row in record["line"] if row["n"] == min(LINE_POINTS)]
    assert max(row["loss"] for row in few) < 1e-20 < 0.1 < min(row["error"] for row in few)
    assert median(errors(record["line"], n=max(LINE_POINTS))) < 1e-3


def test_the_singular_function_is_the_cure_that_helps(record):
    cured = errors(record["corner"], what="32 units + K s")
    others = [row["error"] for row in record["corner"] if "K" not in row]
    assert max(cured) < min(others)
    assert all(abs(row["K"] - 1) < 0.05 for row in record["corner"] if "K" in row)


def test_the_problems_of_the_page_have_the_solutions_that_they_claim(names):
    for problem in (names["interval"](True), names["square"](False), names["mixed"]()):
        assert max(names["check"](problem).values()) < 1e-10
    x = names["LShape"]().rim(48)
    assert (names["corner"](x)[x[:, 1] == 0].abs()).min() < 1e-12


def test_a_stored_run_is_repeated_within_a_factor(record, names):
    (stored,) = errors(record["points"], n=25, sampler="sobol", seed=0)
    stages = [names["GaussNewton"](20)]
    _, history = names["solve"](names["square"](True), stages, points=25)
    assert history.records[-1]["loss"] < 1e-15
    assert stored / 30 < history.error < 30 * stored
    assert torch.get_default_dtype() == torch.float32  # a script leaves no settings behind
