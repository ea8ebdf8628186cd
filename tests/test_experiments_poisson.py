"""The stored repetitions of chapter 15 are those that its script makes, and say what the page says."""

import json
import math

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
    between,
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
    assert len(record["runs"]) == 4 * len(SEEDS["Levenberg-Marquardt"]) + 2 * len(
        SEEDS["Adam + L-BFGS"]
    )
    assert len(record["line"]) == len(LINE_POINTS) * len(THREE)
    assert len(record["points"]) == len(PLANE_POINTS) * len(SAMPLERS) * len(THREE)
    assert [row["what"] for row in record["corner"][:: len(THREE)]] == list(cures(names))
    assert all(row["seconds"] > 0 for row in record["runs"] + record["corner"])


def test_the_hard_edge_is_better_than_the_soft_one_for_every_seed_of_gauss_newton(record):
    hard = errors(record["runs"], d=2, edge="hard", method="Levenberg-Marquardt")
    soft = errors(record["runs"], d=2, edge="soft", method="Levenberg-Marquardt")
    assert max(hard) < min(soft) < max(soft) < 1e-2


def test_few_points_give_no_loss_and_no_solution(record):
    few = [row for row in record["line"] if row["n"] == min(LINE_POINTS)]
    assert max(row["loss"] for row in few) < 1e-20 < 0.1 < min(row["error"] for row in few)
    assert max(errors(record["line"], n=max(LINE_POINTS))) < 1e-6


def test_a_loss_of_zero_is_zero_on_the_points_only(record):
    zero = [row for row in record["line"] if row["loss"] < 1e-20]
    others = [row for row in record["line"] if row["loss"] >= 1e-20]
    assert {row["n"] for row in zero} == {8, 16, 32}
    assert min(row["between"] for row in zero) > 1e-3
    assert max(row["between"] for row in others) < 1e-6
    assert all(row["between"] < 5 * row["loss"] for row in others if row["n"] > 64)
    assert max(row["error"] for row in others) < min(row["error"] for row in zero)


def test_the_loss_between_the_points_is_that_of_the_equation(names):
    line = names["interval"](True)
    assert between(line, line.exact) < 1e-20
    load = 0.5 * math.pi**4 * (1 + 64)  # the mean of f squared
    assert between(line, lambda x: 0 * x) == pytest.approx(load, rel=0.1)


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
    stages = [names["LevenbergMarquardt"](40)]
    _, history = names["solve"](names["square"](True), stages, points=25)
    assert history.records[-1]["loss"] < 1e-15
    assert stored / 30 < history.error < 30 * stored
    assert torch.get_default_dtype() == torch.float32  # a script leaves no settings behind
