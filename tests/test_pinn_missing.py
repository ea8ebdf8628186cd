"""A condition that was forgotten is said before the first step, and none that was not."""

import warnings

import pytest
import torch

from companion.pinn import (
    MLP,
    Adam,
    Box,
    Condition,
    Dirichlet,
    Neumann,
    Periodic,
    Problem,
    Start,
    Unknown,
    fit,
)
from companion.pinn.missing import missing, short, unseen

T, X = 0, 1
LINE, PLANE = Box(t=(0.0, 6.0)), Box(t=(0.0, 1.0), x=(0.0, 1.0))
ROOM = Box(t=(0.0, 1.0), x=(0.0, 1.0), y=(0.0, 1.0))


def at(place, of=lambda u, x: u(), name="start"):
    return Condition(name, torch.tensor([[place]]).double(), 0.0, of=of)


def face(name, of=lambda u, x: u(), **fixed):
    return Condition(name, PLANE.edge(9, **fixed), 0.0, of=of)


def slope(u, x):
    return u(0)


def oscillation(u, t):
    return u(T, T) + u()


def hunt(u, t):
    hares, lynxes = u().split(1, 1)
    return u(T) - torch.cat([hares - hares * lynxes, hares * lynxes - lynxes], 1)


def heat(u, x):
    return u(T) - 0.1 * u(X, X)


def wave(u, x):
    return u(T, T) - 4 * u(X, X)


ENDS = face("left", x=0.0), face("right", x=1.0)
BEGIN, PUSH = face("begin", t=0.0), face("push", slope, t=0.0)

FORGOTTEN = {  # what is there, and what is wanted
    "a slope": (Problem(LINE, oscillation, (at(0.0),)), "along t it is of order 2, and 1 of 2"),
    "everything": (Problem(LINE, oscillation), "0 of 2"),
    "a slope, hard": (Problem(LINE, oscillation, hard=(Start(0.0),)), "1 of 2"),
    "a slope, ansatz": (Problem(LINE, oscillation, ansatz=lambda t, n: 1 + t * n), "1 of 2"),
    "a start": (Problem(LINE, lambda u, t: u(T) - u() * (1 - u())), "0 of 1"),
    "the lynxes": (
        Problem(LINE, hunt, (at(0.0, lambda u, t: u()[:, :1]),), outputs=2),
        "1 of 2",
    ),
    "a rate is unknown too": (
        Problem(LINE, lambda u, t, k: u(T) + k * u(), unknowns={"k": Unknown(1.0)}),
        "0 of 1",
    ),
    "a term has nothing to do with u": (
        Problem(
            LINE,
            lambda u, t, k: u(T) + k * u(),
            (at(3.0, lambda u, t, k: k + 0 * t, "rate"),),
            unknowns={"k": Unknown(1.0)},
            outputs=2,
        ),
        "1 of 2",
    ),
    "the end of a beam": (
        Problem(
            Box(x=(0.0, 1.0)),
            lambda u, x: u(0, 0, 0, 0) - 1,
            (at(0.0), at(0.0, slope, "flat"), at(1.0, lambda u, x: u(0, 0), "free")),
        ),
        "3 of 4",
    ),
    "the start of heat": (Problem(PLANE, heat, ENDS), "along t it is of order 1, and 0 of 1"),
    "an end of heat": (Problem(PLANE, heat, (ENDS[0], BEGIN)), "along x it is of order 2, and 1 of 2"),
    "the start of heat, hard": (Problem(PLANE, heat, hard=(Neumann("x"),)), "0 of 1"),
    "the push of a string": (Problem(PLANE, wave, (*ENDS, BEGIN)), "along t it is of order 2, and 1"),
    "the start of a stream": (Problem(PLANE, lambda u, x: u(T) + u(X), hard=(Periodic("x"),)), "0 of 1"),
    "the start of heat in a room": (
        Problem(
            ROOM,
            lambda u, x: u(0) - 0.1 * u.laplacian(1, 2),
            hard=(Dirichlet("x"), Dirichlet("y")),
        ),
        "along t",
    ),
}  # fmt: skip

COMPLETE = {
    "an oscillation": Problem(LINE, oscillation, (at(0.0), at(0.0, slope, "push"))),
    "both ends": Problem(Box(t=(0.0, 2.0)), oscillation, (at(0.0), at(2.0, name="end"))),
    "the ends of a period": Problem(LINE, oscillation, hard=(Periodic("t"),)),
    "an ansatz": Problem(LINE, oscillation, ansatz=lambda t, n: t + t**2 * n),
    "readings": Problem(PLANE, heat, (Condition("seen", PLANE.points(30), 0.0),)),
    "heat": Problem(PLANE, heat, (*ENDS, BEGIN)),
    "heat, hard": Problem(PLANE, heat, hard=(Neumann("x"), Start(0.0))),
    "a string": Problem(PLANE, wave, (*ENDS, BEGIN, PUSH)),
    "no derivative": Problem(LINE, lambda u, t: u() - t),
    # at 0 the equation is of the first order: that u is smooth there is a condition
    "a star": Problem(Box(r=(0.0, 1.0)), lambda u, r: r * u(0, 0) + 2 * u(0) + r * u(), (at(0.0),)),
}


@pytest.mark.parametrize(("problem", "words"), FORGOTTEN.values(), ids=list(FORGOTTEN))
def test_what_was_forgotten_is_said(problem, words):
    said = missing(problem)
    assert said.startswith(
        "the equation and its conditions leave the solution free: it can change by 1"
    )
    assert words in said and said.endswith("Add a Condition, or a hard one")


@pytest.mark.parametrize("problem", COMPLETE.values(), ids=list(COMPLETE))
def test_where_nothing_was_nothing_is(problem):
    assert missing(problem) == ""


def test_a_star_has_fewer_conditions_and_is_not_free():
    star = COMPLETE["a star"]
    assert short(star) == [("r", 2, 1, 2)] and unseen(star) > 1e-2


def test_fit_says_it_before_the_first_step_and_once():
    problem = Problem(LINE, oscillation, (at(0.0),), order=2)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        solution = fit(problem, MLP(LINE, (6,)), [Adam(2)], progress=False)
        fit(problem, solution, [Adam(2)], progress=False)
    assert sum("Is a condition missing?" in str(w.message) for w in found) == 1


def test_what_it_cannot_try_it_does_not_doubt():
    """Four axes; and a residual that leaves torch."""
    box = Box(a=(0, 1), b=(0, 1), c=(0, 1), d=(0, 1))
    assert missing(Problem(box, lambda u, x: u(0))) == ""
    assert missing(Problem(LINE, lambda u, t: u(0) - u().detach().numpy())) == ""
