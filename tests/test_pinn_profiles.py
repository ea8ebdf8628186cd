"""Scatter and profiles: against least squares by NumPy, and against draws of the noise."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from companion.pinn import (
    MLP,
    Condition,
    Field,
    History,
    LevenbergMarquardt,
    Problem,
    Profile,
    Solution,
    Unknown,
    batch_of,
    fit,
)
from companion.pinn.estimates import POINTS
from companion.pinn.profiles import lowest
from tests.fits import LINE, Powers, column, objective

T = LINE.points(20, "grid")
SIGMA = 0.1
NOISE = torch.from_numpy(np.random.default_rng(3).normal(0, SIGMA, (20, 1)))


def line(weak=1.0, sigma=SIGMA, **unknown):
    """u′ = k t, weakly; data of t²: linear in all that is trained, k = 2."""
    data = Condition("data", T, T**2 + NOISE, sigma=sigma)
    unknowns = {"k": Unknown(1.0, **unknown)}
    return Problem(LINE, lambda u, t, k: weak * (u(0) - k * t), (data,), unknowns=unknowns)


def design(weak):
    """The rows of line by NumPy: equation over data; columns: the powers of (t − 1), and k."""
    x, t, p = LINE.points(POINTS).numpy(), T.numpy(), np.arange(4)
    slopes = p * (x - 1) ** np.maximum(p - 1, 0)
    equation = weak * np.concatenate([slopes, -x], 1)
    return equation, np.concatenate([(t - 1) ** p, 0 * t], 1)


def solved(problem, net=None, steps=30, points=None):
    points = LINE.points(POINTS) if points is None else points
    return fit(
        problem, net or Powers(4), [LevenbergMarquardt(steps)], points=points, progress=False
    )


# --- the sandwich --------------------------------------------------------------------------------


@pytest.mark.parametrize("weak", [0.1, 30.0])
def test_the_scatter_is_that_of_the_weighted_fit(weak):
    """An estimate is a linear function of the data: its deviation is exact, and so is that of draws."""
    found = solved(line(weak)).scatter["k"]
    equation, data = design(weak)
    n, m = len(equation), len(data)
    rows = np.concatenate([equation / math.sqrt(n), data / (SIGMA * math.sqrt(m))])
    answers = np.linalg.pinv(rows)[-1, n:] / math.sqrt(m)  # to errors of the data, in σ
    assert found.error == pytest.approx(np.linalg.norm(answers), rel=1e-6)
    draws = np.random.default_rng(0).standard_normal((m, 4000))
    assert (answers @ draws).std() == pytest.approx(found.error, rel=0.05)


def test_an_equation_that_weighs_little_has_another_scatter_than_one_that_weighs_much():
    soft, hard = (solved(line(weak)).scatter["k"].error for weak in (0.1, 1e3))
    bend = (T**2 / 2).numpy()
    constrained = SIGMA / np.linalg.norm(bend - bend.mean())
    assert hard == pytest.approx(constrained, rel=1e-3)  # u = a + k t²/2
    assert soft > 1.1 * hard


def test_unknowns_within_bounds_scatter_in_their_own_units():
    plain, bounded = (solved(line(1.0, **b)).scatter["k"] for b in ({}, {"low": 0.0, "high": 9.0}))
    assert bounded.error == pytest.approx(plain.error, rel=1e-3)


# --- the profile ---------------------------------------------------------------------------------


def test_the_profile_of_a_linear_problem_is_the_parabola_of_its_error_bar():
    solution = solved(line(3.0, low=0.0))
    before = solution.trial.theta()
    error = solution.unknowns["k"].error
    best = solution.profile("k", [2.0]).best
    values = [best + error * z for z in (-2, -1, 0.5, 1, 2)]
    found = solution.profile("k", values)
    assert found.rise == pytest.approx([4, 1, 0.25, 1, 4], rel=1e-3)
    assert found.values == pytest.approx(values) and found.best == pytest.approx(best, abs=1e-6)
    low, high = found.interval()
    assert (low, high) == pytest.approx((best - error, best + error), rel=1e-3)
    low, high = found.interval(3.84)
    assert high - low == pytest.approx(2 * math.sqrt(3.84) * error, rel=1e-3)
    assert found.interval(5.0) == (-math.inf, math.inf)
    assert torch.equal(solution.trial.theta(), before)


class Exponential(nn.Module):
    """a e^{b t}."""

    def __init__(self):
        super().__init__()
        self.p = nn.Parameter(torch.zeros(2, dtype=torch.float64))

    def forward(self, t):
        return torch.exp(self.p[0] + self.p[1] * t)


def test_the_profile_of_a_nonlinear_problem_is_that_of_a_scan():
    """u = a e^{−kt}: at each k the best a is linear least squares. The ends are not symmetric."""
    t = column(0.1, 0.4, 0.7, 1.0)
    u = torch.exp(-3 * t) + torch.tensor([0.05, -0.03, 0.02, -0.04]).double()[:, None]
    data = Condition("data", t, u, sigma=0.1)
    equation = lambda u, t, k: 1e3 * (u(0) + k * u())
    problem = Problem(LINE, equation, (data,), unknowns={"k": Unknown(2.0)})
    solution = solved(problem, Exponential(), 60, LINE.points(20))
    k = np.linspace(0.0, 12.0, 25)
    found = solution.profile("k", k)
    curves = np.exp(-np.outer(k, t[:, 0].numpy()))
    wanted = u[:, 0].numpy()
    amplitude = curves @ wanted / (curves**2).sum(1)
    chi2 = (((wanted - amplitude[:, None] * curves) / 0.1) ** 2).sum(1)
    assert np.array(found.rise) - min(found.rise) == pytest.approx(chi2 - chi2.min(), abs=1e-2)
    low, high = found.interval(3.84)
    assert high - found.best > 1.2 * (found.best - low)


def test_bars_of_twenty_draws_cover_the_truth():
    """u′ = −k u, u(0) = 1, k = 1.5: 20 readings, each draw of the noise fitted anew.

    The readings are an input of what was traced, so that a draw costs no more than its steps.
    """
    t = LINE.points(20, "grid")
    data = Condition("data", t, torch.exp(-1.5 * t), sigma=0.02)
    problem = Problem(
        LINE,
        lambda u, t, k: 300 * (u(0) + k * u()),
        (data,),
        ansatz=lambda t, n: 1 + t * n,
        unknowns={"k": Unknown(1.0)},
    )
    goal = objective(problem, Powers(8))
    start, batch, bars = goal.trial.theta(), batch_of(problem, t), []
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(0, 0.02, (20, 1))
        drawn = batch["data"]._replace(values=data.values + torch.from_numpy(noise))
        theta, _, _ = lowest(goal, start, {**batch, "data": drawn}, 20)
        goal.trial.load(theta)
        bars.append(Solution(goal.trial, History()).unknowns["k"])
    assert 17 <= sum(abs(k - 1.5) < 1.96 * k.error for k in bars) <= 20
    assert np.std(bars) == pytest.approx(np.mean([k.error for k in bars]), rel=0.4)


def test_an_unknown_that_no_data_see_has_no_ends():
    data = Condition("data", T, T**2, sigma=SIGMA)
    unknowns = {"k": Unknown(1.0), "m": Unknown(1.0)}
    problem = Problem(LINE, lambda u, t, k, m: u(0) - k * m * t, (data,), unknowns=unknowns)
    found = solved(problem).profile("k", [0.5, 1.0, 4.0])
    assert max(found.rise) < 1e-3 and found.interval() == (-math.inf, math.inf)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda s: s.profile("q", [1.0]), "'q' is no unknown number: there are k"),
        (lambda s: s.profile("f", [1.0]), "'f' is no unknown number: there are k"),
        (lambda s: s.profile("k", [-1.0]), "expected low < guess < high; got 0.0, -1.0, inf"),
        (lambda s: s.profile("k", [1.0], steps=0), "steps is a whole number, 1 or more; got 0"),
        (
            lambda s: s.profile("k", [1.0]).interval(0.0),
            "q is a number above 0, and finite; got 0.0",
        ),
    ],
)
def test_what_has_no_profile_is_refused(call, said):
    field = Field(MLP(LINE, (2,)))
    data = Condition("data", T, T**2, sigma=SIGMA)
    unknowns = {"k": Unknown(1.0, low=0.0), "f": field}
    problem = Problem(LINE, lambda u, t, k, f: u(0) - k * t + f(), (data,), unknowns=unknowns)
    with pytest.raises(ValueError, match=said):
        call(solved(problem, steps=2))


def test_without_a_sigma_there_is_no_profile_and_no_scatter():
    data = Condition("data", T, T**2)
    problem = Problem(LINE, lambda u, t, k: u(0) - k * t, (data,), unknowns={"k": Unknown(1.0)})
    solution = solved(problem)
    assert solution.scatter["k"].error is None
    with pytest.raises(
        ValueError, match=r"a profile is a difference of χ², which needs the σ of the"
    ):
        solution.profile("k", [1.0])


def test_a_profile_that_has_not_settled_says_so():
    t = column(0.1, 0.4, 0.7, 1.0)
    data = Condition("data", t, torch.exp(-3 * t), sigma=0.01)
    problem = Problem(LINE, lambda u, t, k: u(0) + k * u(), (data,), unknowns={"k": Unknown(2.0)})
    solution = solved(problem, Exponential(), 60, LINE.points(20))
    with pytest.warns(
        UserWarning, match="the profile of k has not settled at 30: χ² still falls by"
    ):
        solution.profile("k", [30.0], steps=2)


def test_a_profile_is_read_between_its_values():
    ramp = Profile("k", (0.0, 1.0, 3.0), (9.0, 0.0, 1.0), best=1.0)
    assert ramp.interval() == (pytest.approx(2 / 3), 3.0)
    assert ramp.interval(2.25) == (pytest.approx(0.5), math.inf)
