"""The benchmarks' own statement of the problems of Part III agrees with the companion's."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from companion.operators import Partials
from companion.problems import sir
from companion.problems.recipes import RECIPES, SIGMA, measured

sys.path.append(str(Path(__file__).parent.parent / "benchmarks/peers"))

from problems import GUESS, PROBLEMS, SIGMA as THEIR_SIGMA  # noqa: I001
from run import Failed, last_line, run_peer
from watch import Watch
import run

OURS = {name: recipe.problem for name, recipe in RECIPES.items()}
OURS["sir_raw"] = lambda: sir(log=False)


def network(x):
    """A smooth function of any number of variables, two components."""
    s = x.sum(1, keepdim=True)
    return torch.cat([torch.sin(s / 7), torch.cos(s / 5)], 1)


@pytest.mark.parametrize("name", OURS)
def test_the_peers_solve_the_companions_problem(name):
    ours, theirs = OURS[name](), PROBLEMS[name]
    x = ours.domain.points(50)
    n = network(x)[:, : ours.outputs]
    u_of = lambda x: ours.ansatz(x, network(x)[:, : ours.outputs])
    assert torch.allclose(u_of(x), theirs.ansatz(torch, x, n), atol=1e-14)
    u = Partials(u_of, x)
    axes = range(len(theirs.box))
    du = [u(i) for i in axes]
    ddu = [u(i, i) for i in axes] if theirs.order == 2 else None
    known = {}
    scale = 1.0
    if name == "sir_inverse":
        known = dict(zip(("beta", "gamma"), GUESS))
        scale = 10 / SIGMA
    rows = torch.stack(theirs.residual(torch, x, u(), du, ddu, *known.values()), 1)
    known = {k: torch.tensor(v) for k, v in known.items()}
    assert torch.allclose(ours.residual(u, x, **known), scale * rows, atol=1e-10 * scale)


@pytest.mark.parametrize("name", OURS)
def test_errors_are_taken_against_the_same_solution(name):
    ours, theirs = OURS[name](), PROBLEMS[name]
    assert ours.domain.ends().values() != () and ours.order == theirs.order
    assert [*ours.domain.ends().values()] == [*theirs.box]
    assert theirs.error(ours.exact(torch.from_numpy(theirs.grid)).numpy()) < 1e-9


def test_the_data_and_their_least_squares_are_the_same():
    problem = PROBLEMS["sir_inverse"]
    times, infected = measured()
    assert np.allclose(problem.data[0][:, 0], times) and SIGMA == THEIR_SIGMA
    assert np.allclose(problem.data[1], infected, atol=1e-10)
    estimate, spread = problem.best
    assert np.all(np.abs(estimate - (0.3, 0.1)) < 4 * spread)  # the truth is where it should be
    assert problem.rates_error(*(estimate + spread * (0.5, -2))) == pytest.approx(2)


def test_a_watch_stands_still_while_it_looks():
    errors = iter([1.0, 1e-3, 1e-5])
    watch = Watch(lambda: sum(range(10**6)) * 0 + next(errors), budget=60, enough=1e-4)
    assert not watch.look() and not watch.look(5) and watch.look()
    assert watch.steps == 7 and watch.reached(1e-2) == watch.curve[1][0]
    assert watch.reached(1e-9) is None and watch.at(60) == 1e-5 and watch.at(-1) == float("inf")
    assert watch.paused > 0


def test_a_watch_stops_after_so_many_steps():
    watch = Watch(lambda: 1.0, budget=60, most=10)
    assert not watch.look(5) and watch.spent == 0.5
    assert watch.look(5) and watch.curve[-1][1] == 1.0


def test_the_raw_epidemic_says_its_loss_and_its_delay():
    problem, start = PROBLEMS["sir_raw"], np.array([[0.99, 0.01]])
    found = problem.more(problem.solution)
    assert found["loss"] < 1e-15 and found["late"] == 0
    still = problem.more(lambda t: np.repeat(start, len(t), 0))
    assert still["late"] is None
    slopes = 0.3 * 0.99 * 0.01, 0.3 * 0.99 * 0.01 - 0.1 * 0.01
    assert still["loss"] == pytest.approx(slopes[0] ** 2 + slopes[1] ** 2)
    late = problem.more(lambda t: problem.solution(np.maximum(t - 5, 0)))["late"]
    assert late == pytest.approx(5, abs=0.05)


def test_a_peer_that_fails_says_why(monkeypatch):
    def refused(name):
        raise Failed("cannot be installed: no such package")

    monkeypatch.setattr(run, "environment", refused)
    assert run_peer("jax", "sir") == {"failed": "cannot be installed: no such package"}
    monkeypatch.setattr(run, "environment", lambda name: sys.executable)
    monkeypatch.setattr(run, "HERE", Path(__file__).parent / "no such folder")
    assert "can't open file" in run_peer("jax", "sir", budget=1)["failed"]
    assert last_line("Traceback\n\nValueError: no\n \n") == "ValueError: no"
