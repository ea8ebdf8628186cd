"""check: where a coefficient jumps, a condition for the flux stands, or the problem is refused."""

import dataclasses
import re

import pytest
import torch

from companion.pinn import MLP, Adam, Box, Condition, Field, Problem, check, fit
from companion.pinn.interfaces import jumps
from companion.problems import oscillator, poisson_lshape, poisson_square
from tests.fits import column

HALVES = Box(x=(0.0, 1.0))
ENDS = Condition("ends", column(0.0, 1.0), column(0.0, 1.0))


def k(x):
    return torch.where(x < 0.5, 1.0, 10.0)


def two_materials(x):
    """k u′ is the same on both sides: 20/11 · 1 = 2/11 · 10."""
    return torch.where(x < 0.5, 20 * x / 11, 1 - 2 * (1 - x) / 11)


def interface(*conditions, jump=k):
    return Problem(
        HALVES, lambda u, x: jump(x) * u(0, 0), (ENDS, *conditions), order=2, exact=two_materials
    )


JUMPS = r"jumps at x = 0\.5, and no condition stands there: .*flux.*outputs=2"


def test_an_interface_without_a_condition_for_the_flux_is_refused():
    with pytest.raises(ValueError, match=JUMPS):
        check(interface())


def test_with_a_condition_there_it_is_accepted():
    tied = Condition("flux", column(0.5 - 1e-3), 20 / 11, of=lambda u, x: u(0))
    assert check(interface(tied))["flux"] < 1e-12


def test_with_the_flux_as_an_output_of_its_own_there_is_no_second_derivative():
    """k u′ = q and q′ = 0."""
    flux = lambda x: torch.cat([two_materials(x), 0 * x + 20 / 11], 1)
    mixed = Problem(
        HALVES,
        lambda u, x: torch.cat([k(x) * u(0)[:, :1] - u()[:, 1:], u(0)[:, 1:]], 1),
        exact=flux,
        outputs=2,
    )
    assert check(mixed)["equation"] < 1e-12


@pytest.mark.parametrize("at", [0.1003, 1 / 3, 0.5, 0.77777])
def test_a_jump_is_found_wherever_it_is(at):
    step = lambda x: torch.where(x < at, 1.0, 3.0)
    flat = dataclasses.replace(interface(jump=step), exact=lambda x: x)
    with pytest.raises(ValueError, match=rf"jumps at x = {at:.4g}, and"):
        check(flat)
    x = torch.linspace(0, 1, 129).double()[:, None]
    (found,) = jumps(step(x), x, step, 0)
    assert found == pytest.approx(at, abs=1e-6)


@pytest.mark.parametrize("ends", [(-1.0, 1.0), (100.0, 101.0), (0.0, 1e-3), (-4e3, 1e3)])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.99])
def test_it_is_found_in_a_box_of_any_length_wherever_it_lies(ends, share):
    at = ends[0] + share * (ends[1] - ends[0])
    layers = Problem(
        Box(x=ends),
        lambda u, x: torch.where(x < at, 1.0, 3.0) * u(0, 0),
        order=2,
        exact=lambda x: x,
    )
    with pytest.raises(ValueError, match=re.escape(f"jumps at x = {at:.4g}, and")):
        check(layers)


@pytest.mark.parametrize("size", [1e-12, 1e-5, 1e5, 1e12])
def test_the_size_of_the_coefficient_does_not_matter(size):
    flat = lambda jump: dataclasses.replace(interface(jump=jump), exact=lambda x: x)
    for large in (1.1, 3.0):
        with pytest.raises(ValueError, match=r"jumps at x = 0\.3, and"):
            check(flat(lambda x: size * torch.where(x < 0.3, 1.0, large)))
    check(flat(lambda x: size * (1 + x**2)))


def test_of_two_the_one_without_a_condition_is_named():
    """u = x is no solution in three materials, but k u″ = 0 cannot see it."""
    layers = lambda x: torch.where(x < 0.25, 1.0, 4.0) + torch.where(x < 0.75, 0.0, 9.0)
    for tied, other in [(0.25, 0.75), (0.75, 0.25)]:
        there = Condition("flux", column(tied), 1.0, of=lambda u, x: u(0))
        problem = dataclasses.replace(interface(there, jump=layers), exact=lambda x: x)
        with pytest.raises(ValueError, match=rf"jumps at x = {other}, and"):
            check(problem)


@pytest.mark.parametrize("equation", [0, 1])
def test_it_is_found_in_each_of_several_equations(equation):
    def residual(u, x):
        bends = [u(0, 0)[:, :1], u(0, 0)[:, 1:]]
        bends[equation] = torch.where(x < 0.3, 1.0, 10.0) * bends[equation]
        return torch.cat(bends, 1)

    problem = Problem(HALVES, residual, order=2, outputs=2, exact=lambda x: torch.cat([x, -x], 1))
    with pytest.raises(ValueError, match=r"jumps at x = 0\.3, and"):
        check(problem)


def test_it_is_found_in_the_truth_of_a_field():
    field = Field(MLP(HALVES, (3,)), truth=lambda x: k(x).double())
    problem = Problem(
        HALVES, lambda u, x, k: k() * u(0, 0), unknowns={"k": field}, order=2, exact=lambda x: x
    )
    with pytest.raises(ValueError, match=JUMPS):
        check(problem)


def test_a_coordinate_that_is_singular_is_no_jump_and_hides_none():
    """The Laplacian in the plane, u″ + u′/r: 0/0 in the first point of the line, r = 0."""
    around = lambda k: Problem(
        Box(r=(0.0, 1.0)),
        lambda u, r: k(r) * (u(0, 0) + u(0) / r),
        order=2,
        exact=lambda r: 0 * r + 1,
    )
    check(around(lambda r: 1e-9 + 0 * r))
    with pytest.raises(ValueError, match=r"jumps at r = 0\.3, and"):
        check(around(lambda r: torch.where(r < 0.3, 1e-9, 3e-9)))


@pytest.mark.parametrize(
    "smooth",
    [
        lambda x: 1 + x**2,
        lambda x: 1 + 0.9 * torch.sin(40 * x),
        lambda x: 1.5 + torch.tanh((x - 0.5) / 0.02),
        lambda x: 1 + (x - 0.5).abs(),
        lambda x: x,
        lambda x: 0 * x + 1e-9,
    ],
)
def test_a_coefficient_that_is_only_steep_is_none(smooth):
    check(dataclasses.replace(interface(jump=smooth), exact=lambda x: x))


def test_in_the_plane_it_is_looked_at_along_each_axis():
    box = Box(x=(0.0, 1.0), y=(0.0, 2.0))
    layers = lambda p: torch.where(p[:, 1:] < 0.7, 1.0, 4.0)
    problem = Problem(
        box, lambda u, p: layers(p) * u.laplacian(), order=2, exact=lambda p: p[:, :1]
    )
    with pytest.raises(ValueError, match=r"jumps at y = 0\.7, and"):
        check(problem)


SLAB = Box(x=(-50.0, 50.0), y=(2.0, 3.0))


def slab(axis, *conditions):
    """An interface across one axis, at x = 20 or y = 2.7."""
    layers = lambda p: torch.where(p[:, axis : axis + 1] < (20, 2.7)[axis], 1.0, 4.0)
    return Problem(
        SLAB,
        lambda u, p: layers(p) * u.laplacian(),
        conditions,
        order=2,
        exact=lambda p: p[:, :1] + p[:, 1:],
    )


@pytest.mark.parametrize(
    ("axis", "fixed", "tied"),
    [
        (0, {"x": 20.0}, True),
        (0, {"x": 20.5}, True),  # of 129 points on the line, no other lies between
        (0, {"x": 19.5}, True),
        (0, {"x": 22.0}, False),
        (0, {"y": 2.7}, False),
        (1, {"y": 2.7}, True),
        (1, {"y": 2.704}, True),
        (1, {"y": 2.72}, False),
        (1, {"y": 2.3}, False),
        (1, {"x": 20.0}, False),
    ],
)
def test_a_condition_counts_where_it_lies_across_the_axis_of_the_jump(axis, fixed, tied):
    there = Condition("flux", SLAB.edge(9, **fixed), 1.0, of=lambda u, p: u(axis))
    if tied:
        check(slab(axis, there))
    else:
        at = ["x = 20", r"y = 2\.7"][axis]
        with pytest.raises(ValueError, match=f"jumps at {at}, and"):
            check(slab(axis, there))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("term", [lambda u, p: u() - 1, lambda u, p: u(0), lambda u, p: u(1)])
def test_a_jump_before_a_lower_derivative_needs_no_condition(term, axis):
    jump = lambda p: torch.where(p[:, axis : axis + 1] < 0.6, 1.0, 50.0)
    problem = Problem(
        Box(x=(0.0, 1.0), y=(0.0, 2.0)),
        lambda u, p: u.laplacian() + jump(p) * term(u, p),
        order=2,
        exact=lambda p: 0 * p[:, :1] + 1,
    )
    assert check(problem) == {"equation": 0}


def test_nothing_is_asked_outside_the_box():
    box, asked = Box(t=(500.0, 501.0), x=(-3.0, -1.0)), []

    def residual(u, p):
        asked.append(p.detach().clone())
        return u(0) - u(1, 1)

    check(Problem(box, residual, order=2, exact=lambda p: 2 * p[:, :1] + p[:, 1:] ** 2))
    x = torch.cat(asked)
    assert (box.centred(x).abs() <= 1 + 1e-12).all()
    for axis in range(2):  # and from face to face
        assert {x[:, axis].min().item(), x[:, axis].max().item()} == set(box.ends()["tx"[axis]])


@pytest.mark.parametrize(
    "make", [oscillator, poisson_square, lambda: poisson_lshape(rim_points=16)]
)
def test_the_shipped_problems_have_none(make):
    check(make())


def heard(problem, recwarn):
    fit(problem, MLP(problem.domain, (4,)), [Adam(1)], points=16, progress=False)
    return [str(w.message) for w in recwarn.list if "jumps at" in str(w.message)]


@pytest.mark.parametrize("known", [True, False])
def test_a_fit_says_that_nothing_ties_the_flux(known, recwarn):
    problem = interface() if known else dataclasses.replace(interface(), exact=None)
    (said,) = heard(problem, recwarn)
    assert re.search(JUMPS, said)


def test_a_fit_says_nothing_where_the_flux_is_tied_or_the_switch_is_of_the_solution(recwarn):
    tied = Condition("flux", column(0.5 - 1e-3), 20 / 11, of=lambda u, x: u(0))
    assert heard(interface(tied), recwarn) == []
    switch = lambda u, x: torch.where(u() > 0.1, 1.0, 3.0) * u(0, 0) + 1
    assert heard(Problem(HALVES, switch, (ENDS,), order=2), recwarn) == []
