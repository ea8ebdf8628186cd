"""Hard conditions hold for any network, compose, and are refused where they contradict each other."""

import math
from dataclasses import replace

import pytest
import torch

from companion.operators import Partials
from companion.pinn import (
    LBFGS,
    MLP,
    Adam,
    Box,
    Dirichlet,
    Fourier,
    LevenbergMarquardt,
    Neumann,
    Periodic,
    Problem,
    Siren,
    Start,
    check,
    fit,
    scaled,
)

T, X, Y = 0, 1, 2
PI = math.pi


def at(box, n=20, **fixed):
    return box.edge(n, "sobol", 5, **fixed)


def lively(problem, seed=0):
    """u by a network far from zero."""
    return problem.solution(MLP(problem.domain, (20,), problem.outputs, spread=3.0, seed=seed))


def nothing(u, x):
    return u()


CUBE = Box(t=(0.0, 2.0), x=(-1.0, 1.0), y=(0.0, 3.0))


def test_a_start_and_its_slopes_hold_on_the_whole_face():
    g, h = (lambda x: torch.sin(x[:, 1:2]) * x[:, 2:]), (lambda x: x[:, 1:2] - x[:, 2:])
    problem = Problem(CUBE, nothing, hard=(Start(g, h),))
    x = at(CUBE, t=0.0)
    u = Partials(lively(problem), x)
    torch.testing.assert_close(u(), g(x))
    torch.testing.assert_close(u(T), h(x))
    assert (u(T, T).std() > 0.1).all()  # nothing more is fixed


def test_values_on_edges_and_corners_in_three_dimensions():
    exact = lambda x: torch.exp(x[:, :1]) * torch.cos(x[:, 1:2]) + x[:, 2:] ** 2 * x[:, 1:2]
    hard = (Start(exact), Dirichlet("x", exact), Dirichlet("y", exact, "low"))
    problem = Problem(CUBE, nothing, hard=hard)
    u = lively(problem)
    for face in ({"t": 0.0}, {"x": -1.0}, {"x": 1.0}, {"y": 0.0}):
        x = at(CUBE, **face)
        torch.testing.assert_close(u(x), exact(x))
    free = at(CUBE, y=3.0)
    assert (u(free) - exact(free)).abs().max() > 0.1


def test_slopes_with_values_opposite_and_beside_them():
    exact = lambda x: (x[:, 2:] - 3) ** 2 + 0.5 * x[:, 1:2]  # ∂u/∂x = ½, ∂u/∂y = 0 at y = 3
    hard = (
        Start(exact),
        Neumann("x", 0.5, "low"),
        Dirichlet("x", exact, "high"),
        Neumann("y", 0.0, "high"),
    )
    problem = Problem(CUBE, nothing, hard=hard)
    u = lively(problem)
    low, high, top = at(CUBE, x=-1.0), at(CUBE, x=1.0), at(CUBE, y=3.0)
    assert (Partials(u, low)(X) - 0.5).abs().max() < 1e-12
    assert (Partials(u, top)(Y)).abs().max() < 1e-12
    torch.testing.assert_close(u(high), exact(high))
    torch.testing.assert_close(u(at(CUBE, t=0.0)), exact(at(CUBE, t=0.0)))
    assert u(low).std() > 0.1 and Partials(u, low)(X, X).std() > 0.1


@pytest.mark.parametrize("side", ["low", "high", None])
def test_a_slope_at_either_side_or_both(side):
    box = Box(x=(1.0, 3.0))
    u = Partials(lively(Problem(box, nothing, hard=(Neumann("x", -2.0, side),))), at(box, x=1.0))
    v = Partials(lively(Problem(box, nothing, hard=(Neumann("x", -2.0, side),))), at(box, x=3.0))
    held = [abs(w(0).item() + 2) < 1e-12 for w in (u, v)]
    assert held == {"low": [True, False], "high": [False, True], None: [True, True]}[side]


@pytest.mark.parametrize("make", [MLP, Fourier, Siren])
def test_a_period_holds_in_every_derivative(make):
    problem = Problem(CUBE, nothing, hard=(Periodic("x"),), order=4)
    u = problem.solution(make(problem.domain))
    low, high = at(CUBE, x=-1.0), at(CUBE, x=1.0)
    one, other = Partials(u, low), Partials(u, high)
    for order in range(5):
        size = 1 + one(*[X] * order).abs().max()
        assert (one(*[X] * order) - other(*[X] * order)).abs().max() < 1e-9 * size


def test_some_outputs_only():
    box = Box(x=(0.0, 1.0), y=(0.0, 1.0))
    hard = (
        Dirichlet("x", torch.tensor([[2.0, 3.0]]), "low", (0, 2)),
        Dirichlet("x", 7.0, "low", (1,)),
    )
    problem = Problem(box, nothing, hard=(*hard, Dirichlet("y", 2.0, "low", (0,))), outputs=3)
    u = lively(problem)
    torch.testing.assert_close(
        u(at(box, x=0.0)), torch.tensor([[2.0, 7, 3]]).double().expand(20, 3)
    )
    assert (u(at(box, y=0.0))[:, 0] == 2).all() and u(at(box, y=0.0))[:, 1].std() > 0.1


@pytest.mark.parametrize(
    ("domain", "residual", "hard", "wanted"),
    [
        (Box(t=(0, 1), x=(0, 2 * PI)), lambda u, x: u(T) + 30 * u(X),
         (Start(lambda x: torch.sin(x[:, 1:])), Periodic("x")), 1 / 30),
        (Box(t=(0, 9)), lambda u, x: u(T, T) + 4 * u(), (Start(1.0, 0.0),), 1 / 2),
        (Box(t=(0, 9)), lambda u, x: 7 * u(T) + 14 * u(), (Start(5.0),), 1 / 2),
        (Box(t=(0, 1)), lambda u, x: u(T), (Start(5.0),), 1.0),
        (Box(t=(0, 1)), lambda u, x: u(T) + 1e6 * u(), (Start(5.0),), 0.01),
    ],
)  # fmt: skip
def test_the_time_scale_is_that_of_the_equation(domain, residual, hard, wanted):
    problem = Problem(domain, residual, hard=hard, order=2)
    assert problem.form.scale == pytest.approx(wanted, rel=0.02)


def test_a_time_scale_may_be_given_and_uses_the_guesses_of_unknowns():
    from companion.pinn import Unknown

    box, residual = Box(t=(0, 1)), lambda u, t, k: u(T) + k * u()
    unknown = {"k": Unknown(8.0)}
    assert Problem(box, residual, hard=(Start(1.0),), unknowns=unknown).form.scale == 1 / 8
    assert Problem(box, residual, hard=(Start(1.0, scale=0.3),), unknowns=unknown).form.scale == 0.3


WAVE = Problem(
    Box(t=(0.0, 0.5), x=(0.0, 1.0)),
    lambda u, x: u(T, T) - 4 * u(X, X),
    hard=(Start(lambda x: torch.sin(PI * x[:, 1:]), 0.0), Dirichlet("x")),
    exact=lambda x: torch.cos(2 * PI * x[:, :1]) * torch.sin(PI * x[:, 1:]),
    order=2,
)


def test_check_sees_what_is_built_in():
    assert max(check(WAVE).values()) < 1e-10
    wrong = Problem(WAVE.domain, WAVE.residual, exact=WAVE.exact, order=2, hard=(
        Start(lambda x: 1.1 * torch.sin(PI * x[:, 1:]), 0.0), Dirichlet("x")))  # fmt: skip
    with pytest.raises(ValueError, match=r"ansatz 0\.31"):
        check(wrong)


@pytest.mark.parametrize(
    ("stages", "reach"),
    [
        ([LevenbergMarquardt(40)], 1e-3),
        ([Adam(20), LBFGS(10)], 0.5),
    ],
    ids=["lm", "lbfgs"],
)
def test_every_stage_takes_them(stages, reach):
    network = MLP(WAVE.domain, (20,), spread=2.0)
    assert fit(WAVE, network, stages, points=200, progress=False).error < reach


def test_scaled_keeps_them():
    size = 1e4
    problem = Problem(
        Box(t=(0.0, 1.0), x=(0.0, 1.0)),
        lambda u, x: u(T) - u(X, X) / PI**2,
        hard=(Start(lambda x: size * torch.cos(PI * x[:, 1:])), Neumann("x")),
        exact=lambda x: size * torch.exp(-x[:, :1]) * torch.cos(PI * x[:, 1:]),
        order=2,
    )
    problem = scaled(problem)
    solution = fit(
        problem, MLP(problem.domain, (20,)), [LevenbergMarquardt(60)], points=200, progress=False
    )
    assert solution.error < 1e-5
    assert solution.partials(at(problem.domain, x=1.0))(X).abs().max() < 1e-9 * size


REFUSED = [
    ((Start(1.0), Start(2.0)), "two hard conditions on the low face of t"),
    ((Periodic("x"), Dirichlet("x", 0.0, "low")), "two hard conditions on the low face of x"),
    ((Dirichlet("z"),), "z: this box has t, x"),
    (
        (Start(1.0), Dirichlet("x")),
        "at t = 0, x = 0 .* leave the value 1 away from what Dirichlet.'x'. asks",
    ),
    (
        (Start(lambda x: x[:, 1:]), Neumann("x", 2.0)),
        "leave the slope 1 away from what Neumann.'x'. asks for",
    ),
    ((Start(0.0, 1.0), Dirichlet("x")), "the value 0.63 away from what Dirichlet.'x'."),
    ((Dirichlet("x", outputs=(1,)),), "a tuple of columns of u, 0 to 0"),
    ((Dirichlet("x", lambda x: x),), r"gives \(64, 2\) at 64 points; expected \(64, 1\)"),
]


@pytest.mark.parametrize(("hard", "message"), REFUSED)
def test_what_cannot_hold_is_refused(hard, message):
    with pytest.raises(ValueError, match=message):
        Problem(Box(t=(0.0, 1.0), x=(0.0, 1.0)), nothing, hard=hard)


def test_arguments_are_refused():
    with pytest.raises(ValueError, match='side is "low", "high", or None for both'):
        Dirichlet("x", 0.0, "left")
    with pytest.raises(ValueError, match="the values of Start is a number, and finite; got nan"):
        Start(math.nan)
    with pytest.raises(ValueError, match=r"finite ones for each output \(1, m\)"):
        Start(torch.ones(3))
    with pytest.raises(ValueError, match="scale is a number above 0"):
        Start(1.0, scale=-1)
    with pytest.raises(ValueError, match="does not say which axis is time"):
        Problem(Box(x=(0, 1), y=(0, 1)), nothing, hard=(Start(1.0),))
    with pytest.raises(TypeError, match="each of hard is a Start, Dirichlet, Neumann or Periodic"):
        Problem(Box(t=(0, 1)), nothing, hard=(1.0,))
    with pytest.raises(ValueError, match="make an ansatz of their own"):
        Problem(Box(t=(0, 1)), nothing, hard=(Start(1.0),), ansatz=lambda x, n: n)


@pytest.mark.parametrize(
    ("hard", "message"),
    [
        (Periodic("x"), "not the same at both ends of x"),
        (Neumann("x", 0.0, "high"), "not flat at the"),
    ],
)
def test_a_network_for_another_box_is_refused_before_it_is_trained(hard, message):
    box = Box(x=(0.0, 1.0))
    problem = Problem(box, lambda u, x: u(0) - 1, hard=(hard,))
    with pytest.raises(ValueError, match=message):
        fit(problem, MLP(box), [Adam(2)], progress=False)
    fit(
        replace(problem, residual=lambda u, x: u() - 1),
        MLP(problem.domain),
        [Adam(2)],
        progress=False,
    )
