"""The shipped problems on their own solutions: oscillator, Poisson, the L, the epidemic."""

import dataclasses
import importlib
import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from companion.operators import Partials
from companion.pinn import MLP, check
from companion.problems import (
    Epidemic,
    LShape,
    oscillator,
    poisson_interval,
    poisson_lshape,
    poisson_square,
    reference,
    sir,
    sir_inverse,
)


def column(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None]


def inverse(susceptible=False):
    times = np.linspace(0, 160, 30)
    s, i = Epidemic().solve(times)
    return sir_inverse(times, i, 1.0, susceptible=s if susceptible else None, weight=1.0)


PROBLEMS = {
    "oscillator": (oscillator, 1e-10),
    "oscillator, soft": (lambda: oscillator(10 * math.pi, hard=False), 1e-10),
    "interval": (poisson_interval, 1e-10),
    "interval, soft": (lambda: poisson_interval(hard=False), 1e-10),
    "square": (poisson_square, 1e-10),
    "square, soft": (lambda: poisson_square(hard=False), 1e-10),
    "L": (poisson_lshape, 1e-10),
    "sir": (sir, 1e-9),
    "sir, raw": (lambda: sir(log=False), 1e-9),
    "sir, inverse": (inverse, 1e-9),
    "sir, inverse from S and I": (lambda: inverse(True), 1e-9),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem_vanishes_on_its_solution_and_not_on_another(name):
    make, tolerance = PROBLEMS[name]
    problem = make()
    check(problem, tolerance=tolerance)
    exact = problem.exact
    for wrong in (
        lambda x: exact(x) + 1e-3 * (x**3).sum(1, keepdim=True),
        lambda x: exact(1.001 * x),
    ):
        with pytest.raises(ValueError, match=r"leaves a residual above 1e-07: (equation|edge)"):
            check(dataclasses.replace(problem, exact=wrong), tolerance=1e-7)


@pytest.mark.parametrize("name", [n for n in PROBLEMS if "L" not in n])
def test_a_residual_wrong_by_a_thousandth_is_seen(name):
    problem = PROBLEMS[name][0]()
    fake = {"laplacian": lambda u: 1.001 * u.laplacian()}

    class Broken:  # the highest derivative, times 1.001
        def __init__(self, u):
            self.u = u

        def __call__(self, *axes):
            return self.u(*axes) * (1.001 if len(axes) == problem.order else 1)

        def laplacian(self):
            return fake["laplacian"](self.u)

    broken = dataclasses.replace(
        problem, residual=lambda u, x, **p: problem.residual(Broken(u), x, **p)
    )
    with pytest.raises(ValueError, match="equation"):
        check(broken, tolerance=1e-6)


@pytest.mark.parametrize("seed", [0, 1])
def test_hard_conditions_hold_exactly_whatever_the_network(seed):
    def u(problem, x, size=3.0):
        net = MLP(problem.domain, outputs=problem.outputs, seed=seed)
        with torch.no_grad():
            for p in net.parameters():
                p.copy_(size * torch.randn(p.shape, generator=torch.Generator().manual_seed(seed)))
        return Partials(problem.solution(net), x)

    start = u(oscillator(), column(0.0))
    assert start().item() == 0.0 and start(0).item() == 1.0
    assert u(poisson_interval(), column(0.0, 1.0))().abs().max() == 0
    soft = poisson_square(hard=False)
    assert u(poisson_square(), soft.conditions[0].points)().abs().max() == 0
    assert u(sir(log=False), column(0.0))().tolist() == [[0.99, 0.01]]
    assert u(sir(), column(0.0))().tolist() == [[0.99, math.log(0.01)]]


# --- SIR ---------------------------------------------------------------------------------------

EPIDEMICS = [Epidemic(), Epidemic(3.0, 1.0, 1e-4, 60.0), Epidemic(0.5, 0.1, 1e-6, 300.0)]


@pytest.mark.parametrize("epidemic", EPIDEMICS)
def test_the_reference_is_scipys_solution(epidemic):
    t = np.linspace(0, epidemic.days, 501)
    raw = solve_ivp(  # in the variables themselves, not in the logarithm
        lambda t, y: (-epidemic.beta * y[0] * y[1], (epidemic.beta * y[0] - epidemic.gamma) * y[1]),
        (0, epidemic.days), epidemic.start, "DOP853", t_eval=t, rtol=1e-12, atol=1e-16,
    ).y  # fmt: skip
    assert np.abs(epidemic.solve(t) - raw).max() < 1e-10
    for log in (False, True):
        found = reference(epidemic, log)(torch.from_numpy(t)[:, None]).numpy().T
        assert np.abs(found - epidemic.solve(t, log)).max() < 3e-10
        seen = raw[1] > 1e-6  # below, raw has lost its digits
        mine, its = found[:, seen], raw[:, seen]
        assert np.abs(mine - [its[0], np.log(its[1]) if log else its[1]]).max() < 1e-8


@pytest.mark.parametrize("epidemic", EPIDEMICS)
def test_susceptible_infected_and_recovered_add_up_to_one(epidemic):
    u = reference(epidemic)
    nodes, weights = (torch.from_numpy(a) for a in np.polynomial.legendre.leggauss(400))
    for end in (0.3 * epidemic.days, epidemic.days):
        infected = u(end * (nodes[:, None] + 1) / 2)[:, 1]
        recovered = epidemic.gamma * end / 2 * (weights @ infected).item()  # R′ = γ I
        assert u(column(end)).sum().item() + recovered == pytest.approx(1.0, abs=1e-10)


@pytest.mark.parametrize(
    "wrong", [{"beta": -1.0}, {"infected": 0.0}, {"infected": 1.0}, {"days": 0.0}]
)
def test_an_epidemic_refuses(wrong):
    with pytest.raises(ValueError, match="rates and days above 0, infected between 0 and 1"):
        Epidemic(**wrong)


def test_an_epidemic_is_integrated_once(monkeypatch):
    calls = []
    module = importlib.import_module("companion.problems.sir")  # the package's sir is a function
    monkeypatch.setattr(module, "solve_ivp", lambda *a, **k: calls.append(a) or solve_ivp(*a, **k))
    reference(Epidemic(0.45, 0.11, 0.02, 50.0))
    Epidemic(0.45, 0.11, 0.02, 50.0).solve([1.0])
    assert len(calls) == 1


def test_an_epidemic_too_sharp_for_the_series_is_refused():
    with pytest.raises(ValueError, match="too sharp for a series of degree 2048"):
        reference(Epidemic(beta=40.0, gamma=5.0, days=2000.0))


@pytest.mark.parametrize("times", [[0.0, 200.0], [-1.0, 3.0], [math.nan]])
def test_times_outside_an_epidemic_are_refused(times):
    message = r"runs from day 0 to 160; got times from .*Epidemic\(days=\.\.\.\)"
    with pytest.raises(ValueError, match=message):
        Epidemic().solve(times)
    assert Epidemic().solve([0, 160]).shape == (2, 2)


# --- the L -------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["grid", "uniform", "latin", "sobol"])
def test_an_l_is_never_left_without_points(how):
    assert all(len(LShape().points(1, how, seed)) for seed in range(20))
    with pytest.raises(ValueError, match="1 or more"):
        LShape().points(0, how)


@pytest.mark.parametrize("how", ["grid", "uniform", "latin", "sobol"])
def test_points_of_the_l_are_not_in_its_missing_quarter(how):
    x = LShape().points(300, how)
    assert 240 <= len(x) <= 360 and (x.abs() <= 1).all()
    assert not ((x[:, 0] > 0) & (x[:, 1] < 0)).any()
    for a, b in ((-1, 1), (-1, -1), (1, 1)):  # each of the three quarters is filled
        assert ((x[:, 0] * a > 0) & (x[:, 1] * b > 0)).sum() > 60


def test_an_edge_of_the_l_lies_in_it_and_reaches_its_ends():
    domain = LShape()
    for fixed, free in (
        ({"x": 1.0}, (0, 1)),
        ({"x": 0.0}, (-1, 1)),
        ({"x": -1.0}, (-1, 1)),
        ({"y": -1.0}, (-1, 0)),
        ({"y": 0.0}, (-1, 1)),
        ({"y": 1.0}, (-1, 1)),
    ):
        edge = domain.edge(5, **fixed)
        assert edge.shape == (5, 2) and not ((edge[:, 0] > 0) & (edge[:, 1] < 0)).any()
        along = edge[:, 1 if "x" in fixed else 0]
        assert (along[0], along[-1]) == free
        assert len(domain.edge(1, **fixed)) == 1
    assert domain.edge(3, x=-1.0, y=-1.0).tolist() == [[-1.0, -1.0]]
    with pytest.raises(ValueError, match=r"x=1\.0, y=-1\.0 lies in the quarter that the L has not"):
        domain.edge(3, x=1.0, y=-1.0)
    with pytest.raises(ValueError, match=r"x=2\.0 lies outside Box"):
        domain.edge(3, x=2.0)
    with pytest.raises(ValueError, match="z: this box has x, y"):
        domain.edge(3, z=0.0)


def test_the_rim_of_the_l_is_its_edge_evenly():
    rim = LShape().rim(240)
    x, y = rim.T
    outer = (x.abs() == 1) | (y.abs() == 1)
    inner = ((x == 0) & (y <= 0)) | ((y == 0) & (x >= 0))
    assert len(rim) == 240 and (outer | inner).all() and not ((x > 0) & (y < 0)).any()
    steps = (rim - rim.roll(1, 0)).norm(dim=1)
    assert torch.allclose(steps, torch.full_like(steps, 8 / 240))
    assert {(0, 0), (1, 0), (1, 1), (-1, 1), (-1, -1), (0, -1)} <= {tuple(p) for p in rim.tolist()}
