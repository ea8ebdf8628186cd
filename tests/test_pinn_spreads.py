"""spread_of: how steep the first layer should be along each axis, found from the problem alone."""

import math

import pytest
import torch

from companion.pinn import (
    MLP,
    Box,
    Condition,
    Field,
    LevenbergMarquardt,
    Problem,
    Unknown,
    fit,
    spread_of,
    spreads,
)

T, X = 0, 1


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Fewer ramps than for real problems."""
    monkeypatch.setattr(spreads, "RAMPS", 100)


def oscillator(frequency, end=1.0):
    """u″ + ω² u = 0, u(0) = 0, u′(0) = ω, in units in which u″ is about 1."""
    return Problem(
        Box(t=(0.0, end)),
        lambda u, t: u(0, 0) / frequency**2 + u(),
        ansatz=lambda t, n: frequency * t * (1 + t * n),
        exact=lambda t: torch.sin(frequency * t),
        order=2,
    )


def wave(t, x, speed=10.0):
    """u_t + c u_x = 0 with u = sin x at t = 0, on a box with the time in column t."""
    axes = {"x": (0.0, 3.0), "t": (0.0, 1.0)} if t else {"t": (0.0, 1.0), "x": (0.0, 3.0)}
    return Problem(
        Box(None, **axes),
        lambda u, p: u(t) / speed + u(x),
        (Condition("inflow", Box(None, **axes).edge(40, x=0.0), 0.0, of=inflow(t, speed)),),
        ansatz=lambda p, n: torch.sin(p[:, x : x + 1]) + p[:, t : t + 1] * n,
        exact=lambda p: torch.sin(p[:, x : x + 1] - speed * p[:, t : t + 1]),
    )


def inflow(t, speed):
    return lambda u, p: u() + torch.sin(speed * p[:, t : t + 1])


def error(problem, spread, widths, steps, points):
    net = MLP(problem.domain, widths, spread=spread)
    return fit(problem, net, [LevenbergMarquardt(steps)], points=points, progress=False).error


@pytest.mark.filterwarnings("ignore:Levenberg")
def test_a_fast_oscillation_wants_steep_ramps_and_is_found_with_them():
    problem = oscillator(20.0)
    spread = spread_of(problem)
    assert spread["t"] >= 4 and spread == spread_of(problem)
    assert error(problem, spread, (30,), 30, 100) < 0.1 * error(problem, 1.0, (30,), 30, 100)


def test_the_faster_the_steeper_and_the_length_of_the_box_counts_as_the_frequency_does():
    found = [spread_of(oscillator(w))["t"] for w in (2.0, 10.0, 50.0)]
    assert found[0] <= found[1] < found[2]
    assert spread_of(oscillator(1.0, end=10.0)) == spread_of(oscillator(10.0))


def test_where_the_solution_turns_faster_along_an_axis_the_ramps_are_steeper():
    problem = wave(t=0, x=1)
    spread = spread_of(problem)
    assert spread["t"] >= 2 * spread["x"]
    turned = spread_of(wave(t=1, x=0))
    assert turned["t"] >= 2 * turned["x"]
    assert error(problem, spread, (20,), 20, 150) < 0.3 * error(problem, 1.0, (20,), 20, 150)


def test_unknowns_and_fields_are_left_as_they_are_and_so_is_chance():
    line = Box(x=(0.0, 1.0))
    bend = MLP(line, (4,))
    before = [p.clone() for p in bend.parameters()]
    data = Condition("data", line.points(20, "grid"), line.points(20, "grid") ** 2)
    unknowns = {"k": Unknown(0.5), "f": Field(bend)}
    problem = Problem(line, lambda u, x, k, f: u(0) - k * f(), (data,), unknowns=unknowns)
    state = torch.get_rng_state()
    assert set(spread_of(problem)) == {"x"}
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(p, q) for p, q in zip(before, bend.parameters()))
    assert all(p.requires_grad and p.grad is None for p in bend.parameters())


def test_every_spread_lies_between_a_half_and_64_even_where_nothing_helps():
    wild = Problem(Box(x=(0.0, 1.0)), lambda u, x: u() - torch.sin(1e5 * x))
    assert 0.5 <= spread_of(wild)["x"] <= 64
    endless = Problem(Box(x=(0.0, 1.0)), lambda u, x: u() + math.inf)
    assert spread_of(endless) == {"x": 0.5}


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: spread_of(Box(t=(0, 1))), TypeError, r"problem is a Problem; got Box\(t"),
        (lambda: spread_of(oscillator(1.0), seed=-1), ValueError, "seed is a whole number, 0 or"),
        (
            lambda: spread_of(Problem(Box(t=(0, 1)), lambda u, t: u(0, 0) + u())),
            ValueError,
            r"Write Problem\(\.\.\., order=2\)",
        ),
    ],
)
def test_spread_of_refuses(make, error, message):
    with pytest.raises(error, match=message):
        make()
