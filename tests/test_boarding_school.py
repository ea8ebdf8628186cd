"""The epidemic of the boarding school: its readings, and the network against SciPy's least squares."""

import warnings

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.optimize import least_squares

from companion.operators import Partials
from companion.pinn import MLP, LevenbergMarquardt, fit
from companion.problems import boarding_school
from companion.problems.boarding_school import BOYS, CONVALESCENT, DAYS, FELL_ILL, IN_BED

# β, γ and I₀ near the best, for the tests that need no fit.
NEAR = np.array([1.79, 0.455, 0.55])


def curve(p, times):
    """(S, I) in boys, by SciPy, in the plain variables; the companion's are others."""

    def rates(t, y):
        new = p[0] * y[0] * y[1] / BOYS
        return -new, new - p[1] * y[1]

    start = BOYS - p[2], p[2]
    return solve_ivp(
        rates, (0, 14), start, "DOP853", dense_output=True, rtol=1e-11, atol=1e-11
    ).sol(times)


@pytest.fixture(scope="module")
def classical():
    """((β, γ, I₀), their standard errors, σ)."""
    found = least_squares(
        lambda p: curve(p, DAYS)[1] - IN_BED, NEAR, "3-point", x_scale="jac", xtol=1e-12
    )
    sigma = np.sqrt(2 * found.cost / (len(DAYS) - 3))
    covariance = np.linalg.inv(found.jac.T @ found.jac) * sigma**2
    return found.x, np.sqrt(np.diag(covariance)), sigma


def test_the_readings_are_one_for_each_day_and_add_up():
    assert DAYS.shape == IN_BED.shape == CONVALESCENT.shape == (14,)
    assert (IN_BED + CONVALESCENT).max() < FELL_ILL < BOYS
    assert 3 < (IN_BED + CONVALESCENT).sum() / FELL_ILL < 7  # days away from class, by the report


def test_the_network_finds_what_least_squares_finds_with_the_same_bars(classical):
    best, bars, sigma = classical
    problem = boarding_school(sigma)
    network = MLP(problem.domain, (12, 12), outputs=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = fit(problem, network, [LevenbergMarquardt(60)], points=64, progress=False).unknowns
    assert np.abs((np.array(list(found.values())) - best) / bars).max() < 0.05
    assert np.allclose([rate.error for rate in found.values()], bars, rtol=0.05)


def test_the_default_sigma_is_what_least_squares_leaves(classical):
    assert float(boarding_school().conditions[0].sigma) == pytest.approx(classical[2], abs=0.5)


def terms(f, values=NEAR):
    """The rows of the equation and of both conditions, for a function of t and (β, γ, I₀)."""
    problem = boarding_school()
    beta, gamma, ill = (torch.tensor(v, dtype=torch.float64) for v in values)
    at = torch.linspace(0, 14, 40, dtype=torch.float64)[:, None]
    yield problem.residual(Partials(f, at), at, beta, gamma)
    for c in problem.conditions:
        values = torch.as_tensor(c.values).expand(len(c.points), 2 if c.name == "start" else 1)
        yield c.residual(Partials(f, c.points), c.points, values, {"ill": ill})


def by_scipy(t):
    """(S, ln I) in shares as a function of torch, with the slopes that the equations give."""
    s, i = torch.from_numpy(curve(NEAR, t.detach().numpy()[:, 0])) / BOYS
    ds = -NEAR[0] * s * i
    dlog = NEAR[0] * s - NEAR[1]
    step = t - t.detach()  # 0, with the slope 1
    return torch.stack([s, torch.log(i)], 1) + torch.stack([ds, dlog], 1) * step


def test_a_curve_of_scipy_leaves_nothing_but_the_misfit():
    equation, in_bed, start = terms(by_scipy)
    assert equation.abs().max() < 1e-5
    assert start.abs().max() < 1e-9
    assert np.allclose(in_bed[:, 0].detach(), curve(NEAR, DAYS)[1] - IN_BED, atol=1e-6)


@pytest.mark.parametrize("which", range(3))
def test_another_rate_or_start_is_noticed(which):
    moved = NEAR * (1 + 0.1 * np.eye(3)[which])
    equation, _, start = terms(by_scipy, moved)
    wrong = start if which == 2 else equation
    assert wrong.abs().max() > 1e-3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"sigma": 0.0}, "sigma"),
        ({"guess": (1.5, 0.5, 0.0)}, "low < guess < high"),
    ],
)
def test_what_cannot_be_is_refused(given, said):
    with pytest.raises(ValueError, match=said):
        boarding_school(**given)
