"""Estimates and their error bars against least squares; fields, that is unknown functions."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from companion.pinn import (
    MLP,
    Box,
    Condition,
    Estimate,
    Field,
    LevenbergMarquardt,
    Problem,
    Unknown,
    fit,
)
from companion.problems import Epidemic, sir_inverse
from tests.fits import LINE, Powers, column

T = LINE.points(20, "grid")
SIGMA = 0.01
x = T[:, 0].numpy()


def covariance(columns, sigma=SIGMA):
    """(AᵀA/σ²)⁻¹ by NumPy."""
    a = np.stack(columns, 1) / np.reshape(sigma, (-1, 1))
    return np.linalg.inv(a.T @ a)


def solved(problem, net=None, steps=30):
    return fit(problem, net or Powers(), [LevenbergMarquardt(steps)], points=40, progress=False)


def robin(sigma=SIGMA, **unknown):
    """u″ = u, u′(0) = h u(0), data of a cosh x + b sinh x: h = b / a."""
    data = Condition("data", T, torch.cosh(T) + 0.5 * torch.sinh(T), sigma=sigma)
    edge = Condition("edge", column(0.0), of=lambda u, x, h: 10 * (u(0) - h * u()))
    unknowns = {"h": Unknown(0.1, **unknown)}
    return Problem(
        LINE, lambda u, x: 10 * (u(0, 0) - u()), (edge, data), order=2, unknowns=unknowns
    )


@pytest.mark.filterwarnings("ignore:Levenberg–Marquardt could not improve")
@pytest.mark.parametrize("bounds", [{}, {"low": 0.0}, {"low": 0.0, "high": 2.0}, {"scale": 7.0}])
def test_a_robin_coefficient_has_the_error_of_least_squares(bounds):
    """Whatever stands behind h: itself, a logarithm, a logit, a multiple."""
    found = solved(robin(**bounds)).unknowns["h"]
    c = covariance([np.cosh(x), np.sinh(x)])
    gradient = np.array([-0.5, 1.0])  # of b / a at (1, ½)
    assert found == pytest.approx(0.5, abs=1e-3)
    assert found.error == pytest.approx(math.sqrt(gradient @ c @ gradient), rel=0.05)


@pytest.mark.filterwarnings("ignore:Levenberg–Marquardt could not improve")
def test_sigmas_for_each_point_count_in_the_error():
    sigma = torch.linspace(0.002, 0.05, 20).double()[:, None]
    found = solved(robin(sigma)).unknowns["h"]
    c = covariance([np.cosh(x), np.sinh(x)], sigma[:, 0].numpy())
    gradient = np.array([-0.5, 1.0])
    assert found.error == pytest.approx(math.sqrt(gradient @ c @ gradient), rel=0.05)


@pytest.mark.filterwarnings("ignore:Levenberg–Marquardt could not improve")
def test_twice_the_sigma_is_twice_the_error():
    one, two = (solved(robin(s)).unknowns["h"].error for s in (SIGMA, 2 * SIGMA))
    assert two == pytest.approx(2 * one, rel=0.03)


def test_the_rates_of_an_epidemic_have_the_errors_of_scipys_least_squares():
    times = np.linspace(0, 160, 31)[1:]
    noise = 0.01 * np.random.default_rng(0).standard_normal(30)
    measured = Epidemic().solve(times)[1] + noise
    problem = sir_inverse(times, measured, 0.01)
    net = MLP(problem.domain, (20,), 2, spread=3.0)
    solution = fit(
        problem, net, [LevenbergMarquardt(40)], points=128, sampler="grid", progress=False
    )
    best = least_squares(
        lambda p: (Epidemic(*p).solve(times)[1] - measured) / 0.01, (0.4, 0.2), xtol=1e-12
    )
    errors = np.sqrt(np.diag(np.linalg.inv(best.jac.T @ best.jac)))
    for name, value, error in zip(("beta", "gamma"), best.x, errors):
        found = solution.unknowns[name]
        assert abs(found - value) < 0.5 * error
        assert found.error == pytest.approx(error, rel=0.25)
        assert solution.scatter[name].error == pytest.approx(error, rel=0.05)
    profile = solution.profile("beta", best.x[0] + 2 * errors[0] * np.array([-1, 1]))
    assert profile.rise == pytest.approx(scanned(times, measured, profile.values, best), abs=0.3)


def scanned(times, measured, betas, best):
    """Δχ² at each β, by SciPy: γ fitted again."""
    rows = lambda beta, gamma: (Epidemic(beta, gamma).solve(times)[1] - measured) / 0.01
    found = [least_squares(lambda p, b=b: rows(b, p[0]), best.x[1:]).cost for b in betas]
    return [2 * (cost - best.cost) for cost in found]


@pytest.mark.filterwarnings("ignore:Levenberg–Marquardt could not improve")
@pytest.mark.filterwarnings("ignore:no residual answers to h")
def test_what_the_data_do_not_see_has_a_large_error_or_none():
    """h stands beside a zero: no data could tell it."""
    data = Condition("data", T, torch.cosh(T), sigma=SIGMA)
    blind = Problem(
        LINE, lambda u, x, h: u(0, 0) - u() + 0 * h, (data,), order=2, unknowns={"h": Unknown(0.1)}
    )
    found = solved(blind, steps=20).unknowns["h"]
    assert found.error is None or not found.error < 10


@pytest.mark.filterwarnings("ignore:Levenberg–Marquardt could not improve")
def test_two_that_are_seen_as_a_product_alone_have_large_errors_or_none():
    """u′ = −k m u: that k m = 1 is known, and neither of them."""
    data = Condition("data", T, torch.exp(-T), sigma=SIGMA)
    unknowns = {"k": Unknown(0.5), "m": Unknown(0.9)}
    problem = Problem(
        LINE, lambda u, t, k, m: 10 * (u(0) + k * m * u()), (data,), unknowns=unknowns
    )
    found = solved(problem, steps=40).unknowns
    assert found["k"] * found["m"] == pytest.approx(1.0, abs=0.01)
    assert all(e.error is None or not e.error < 1.0 for e in found.values())


@pytest.mark.filterwarnings("ignore:fit stopped early. NaN")
def test_where_rows_are_no_numbers_the_errors_are_none():
    problem = robin()
    broken = replace(problem, residual=lambda u, x: torch.cat([u(0, 0) - u(), math.nan * u()], 1))
    found = solved(broken)
    assert found.unknowns["h"] == 0.1
    assert math.isnan(found.unknowns["h"].error) and math.isnan(found.scatter["h"].error)
    assert repr(found.unknowns["h"]) == "0.1"


def test_without_a_sigma_there_is_no_error():
    data = Condition("data", T, torch.exp(-T), weight=1e4)
    problem = Problem(LINE, lambda u, t, k: u(0) + k * u(), (data,), unknowns={"k": Unknown(0.5)})
    found = fit(problem, Powers(), [LevenbergMarquardt(20)], points=20, progress=False).unknowns[
        "k"
    ]
    assert found.error is None and isinstance(found, float) and repr(found) == "1"


@pytest.mark.parametrize(
    ("estimate", "shown"),
    [
        (Estimate(0.09834, 0.00123), "0.0983 ± 0.0012"),
        (Estimate(123.456, 7.89), "123.5 ± 7.9"),
        (Estimate(123.456, 12.0), "123 ± 12"),
        (Estimate(0.5, None), "0.5"),
        (Estimate(0.5, math.inf), "0.5 ± ∞"),
        (Estimate(0.5, math.nan), "0.5"),
        (Estimate(0.5, 0.0), "0.5"),
        (Estimate(2.0, 0.05), "2.000 ± 0.050"),
    ],
)
def test_an_estimate_is_a_float_that_shows_its_error(estimate, shown):
    assert repr(estimate) == shown and estimate + 1 == float(estimate) + 1


# --- fields --------------------------------------------------------------------------------------


def test_a_coefficient_is_found_as_a_function():
    """(a u′)′ = −f with u = sin πx known, and a(0): a(x) = 1 + x² comes out."""
    pi, box = math.pi, Box(x=(0.0, 1.0))
    a = lambda x: 1 + x**2
    u = lambda x: torch.sin(pi * x)
    f = lambda x: -(2 * x * pi * torch.cos(pi * x) - a(x) * pi**2 * torch.sin(pi * x))
    points = box.points(60, "grid")
    problem = Problem(
        box,
        lambda u, x, a: a(0) * u(0) + a() * u(0, 0) + f(x),
        (
            Condition("data", points, u(points), weight=1e4),
            Condition("edge", points[:1], 1.0, of=lambda u, x, a: a()),
        ),
        unknowns={"a": Field(MLP(box, (12,), spread=2.0), truth=a)},
        exact=u,
        order=2,
    )
    net = MLP(box, (16,), spread=2.0)
    solution = fit(
        problem, net, [LevenbergMarquardt(80)], points=60, sampler="grid", progress=False
    )
    at = box.points(101, "grid")
    assert (solution.fields["a"](at) - a(at)).abs().max() < 0.02
    assert solution.error < 1e-3 and solution.unknowns == {}


def test_a_field_of_one_axis_is_a_function_of_that_axis_alone():
    """u_t = a(x) with u = t (1 + x): a = 1 + x, from a network of x."""
    plane = Box(t=(0.0, 1.0), x=(-1.0, 1.0))
    field = Field(MLP(Box(x=(-1.0, 1.0)), (6,)), axes=("x",))
    points = plane.points(50)
    data = Condition("data", points, points[:, :1] * (1 + points[:, 1:]), weight=10.0)
    problem = Problem(plane, lambda u, x, a: u(0) - a(), (data,), unknowns={"a": field})
    solution = fit(problem, MLP(plane, (12,)), [LevenbergMarquardt(80)], points=50, progress=False)
    x = plane.points(40)
    moved = torch.cat([x[:, :1] * 0.5, x[:, 1:]], 1)
    a = solution.fields["a"]
    assert torch.equal(a(x), a(moved)) and (a(x) - 1 - x[:, 1:]).abs().max() < 0.02


def test_the_network_of_a_field_is_trained_in_place_and_saved_with_the_solution(tmp_path):
    field = MLP(LINE, (4,), seed=3)
    before = [p.detach().clone() for p in field.parameters()]
    problem = Problem(
        LINE,
        lambda u, t, f: u(0) - f(),
        (Condition("data", T, torch.sin(T)),),
        unknowns={"f": Field(field)},
    )
    solution = fit(problem, MLP(LINE, (6,)), [LevenbergMarquardt(20)], points=20, progress=False)
    assert not any(torch.equal(a, b) for a, b in zip(before, field.parameters()) if a.ndim > 1)
    assert (solution.fields["f"](T) - torch.cos(T)).abs().max() < 0.1
    solution.save(tmp_path / "u.pt")
    values = solution.fields["f"](T)
    with torch.no_grad():
        for p in field.parameters():
            p.zero_()
    again = type(solution).load(tmp_path / "u.pt", problem, MLP(LINE, (6,), seed=5))
    assert torch.equal(again.fields["f"](T), values)
