"""Integrals that cannot be: each refused, in words that say what to write instead."""

import dataclasses
import math

import pytest
import torch

from companion.pinn import (
    MLP,
    Adam,
    Box,
    Condition,
    Integral,
    LevenbergMarquardt,
    Problem,
    Start,
    Unknown,
    fit,
    march,
)
from tests.fits import LINE, column, train

X = Box(x=(0.0, 1.0))
PLANE = Box(t=(0.0, 2.0), x=(0.0, 1.0))

MASS = Integral(*X.quadrature(3))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Integral(X.points(3)[:, 0], torch.ones(3, 1)), r"needs points \(m, d\), one or m"),
        (lambda: Integral(X.points(3), torch.ones(3)), r"expected weights \(3, 1\). Write weights\["),
        (lambda: Integral(X.points(3), torch.full((3, 1), math.nan)), "has 3 of 3 weights that are N"),
        (lambda: Integral(X.points(3), torch.ones(3, 1), upto=True), "needs the axes along which"),
        (
            lambda: Problem(X, lambda u, x, m: u() - m, integrals={"m": Integral(*LINE.quadrature(2), axes=("t",))}),
            "t: this box has x",
        ),
        (
            lambda: Problem(X, lambda u, x, m: u() - m, integrals={"m": Integral(2 + X.points(3), torch.ones(3, 1))}),
            "the integral m has 3 of 3 points outside",
        ),
        (
            lambda: Problem(PLANE, lambda u, x, m: u() - m, integrals={"m": MASS}),
            r"the integral m has points \(3, 1\), but Box\(t=.* has 2 axes: expected \(m, 2\)",
        ),
        (lambda: Problem(X, lambda u, x: u(), integrals={"m": MASS}), "no term asks for m: write"),
        (
            lambda: Problem(X, lambda u, x, m: u() - m, integrals={"m": MASS}, unknowns={"m": Unknown(1.0)}),
            "needs a name of its own; got equation, m, m",
        ),
        (
            lambda: Problem(
                X,
                lambda u, x, m: u() - m,
                (Condition("e", column(0.0), of=lambda u, x, m: m, given={"m": column(0.0)}),),
                integrals={"m": MASS},
            ),
            "m is given and an integral at once",
        ),
        (
            lambda: Problem(
                X, lambda u, x, m: u() - m, integrals={"m": dataclasses.replace(MASS, of=lambda u, y, a: a)}
            ),
            "of in the integral m is called with .u, x., by name: missing a required argument: 'a'",
        ),
        (
            lambda: Problem(
                X, lambda u, x, m: u() - m, integrals={"m": dataclasses.replace(MASS, kernel=lambda x, y, a: a)}
            ),
            "the kernel of m is called with",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_integrated_is_refused_when_it_is_declared(call, said):
    with pytest.raises(ValueError, match=said):
        call()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"of": lambda u, y: u()[:, 0]}, "m returns one row for each point, .3, k.; got .3,"),
        (
            {"kernel": lambda x, y: x + 0 * y[:, :1]},
            "the kernel of m is called with x .16, 1, 1. and y",
        ),
        ({"of": lambda u, y: u(0, 0)}, "m takes derivatives of order 2, but the problem says"),
        ({"of": lambda u, y: u() * torch.rand(1)}, "two calls of m differ"),
        (
            {"of": lambda u, y: u() * torch.ones(1, requires_grad=True)},
            "m uses a parameter that this",
        ),
    ],
)
def test_an_integrand_is_looked_at_before_the_first_step(change, said):
    problem = Problem(
        X, lambda u, x, m: u(0) - m, integrals={"m": dataclasses.replace(MASS, **change)}
    )
    with pytest.raises(ValueError, match=said):
        fit(problem, MLP(X, (4,)), [Adam(1)], progress=False)


def test_an_integral_is_of_another_kind():
    with pytest.raises(TypeError, match=r"the integral m is Integral\(points, weights\); got 3"):
        Problem(X, lambda u, x, m: u() - m, integrals={"m": 3})
    with pytest.raises(TypeError, match=r'axes in an Integral is a tuple of names, ."x",.; got .x'):
        Integral(*X.quadrature(2), axes="x")


def test_a_hard_start_finds_its_time_scale_in_an_equation_with_integrals():
    """u′ = −100 (u + ∫ u dy) from 1: it moves within hundredths, as in u′ = −200 u."""
    problem = Problem(
        LINE,
        lambda u, t, mean, past: u(0) + 100 * (u() + mean + 0 * past),
        hard=(Start(1.0),),
        integrals={
            "mean": Integral(*LINE.quadrature(4)),
            "past": Integral(*LINE.quadrature(4), axes=("t",), upto=True),
        },
    )
    assert problem.form.scale == pytest.approx(0.01, rel=0.05)  # the shortest that there is
    _, solution = train([LevenbergMarquardt(3)], problem)
    assert solution(column(0.0)).item() == 1.0


@pytest.mark.parametrize("name", ["whole", "past", "ends"])
def test_what_sees_other_times_is_not_marched(name):
    """∫ over all times, ∫ up to now, u at the end beside u at the start: no window knows them."""
    past = Integral(*LINE.quadrature(3), axes=("t",), upto=True)
    whole = {"whole": Integral(*LINE.quadrature(3)), "past": past}.get(name)
    ends = Condition(
        "ends", column(0.0), of=lambda u, t, end: u() - end(), beside={"end": column(1.0)}
    )
    residual = lambda u, t, **named: u(0) - sum(named.values(), 0 * t)
    problem = Problem(
        LINE,
        residual,
        () if whole else (ends,),
        hard=(Start(1.0),),
        integrals={name: whole} if whole else {},
    )
    with pytest.raises(
        ValueError, match=f"^{name}: an integral along t, or a condition with an integ"
    ):
        march(problem, lambda p: MLP(p.domain, (4,)), [Adam(1)], 2)
