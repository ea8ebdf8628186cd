"""check: interfaces, references that leave torch, networks that stand for unknowns."""

import dataclasses
import math
import re
from functools import partial

import numpy as np
import pytest
import torch
from scipy.interpolate import CubicSpline
from torch import nn

from companion.pinn import MLP, Adam, Box, Condition, Field, Problem, Unknown, check, fit
from companion.pinn.checks import jumps
from companion.problems import oscillator, poisson_lshape, poisson_square
from tests.fits import LINE, column, train

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


# --- interfaces --------------------------------------------------------------------------------

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
        bends[equation] = k(x) * bends[equation]
        return torch.cat(bends, 1)

    problem = Problem(HALVES, residual, order=2, outputs=2, exact=lambda x: torch.cat([x, -x], 1))
    with pytest.raises(ValueError, match=JUMPS):
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


SLAB = Box(x=(0.0, 100.0), y=(0.0, 1.0))


def slab(axis, *conditions):
    """An interface across one axis, at 0.7 of its length."""
    length = SLAB.high[axis].item()
    layers = lambda p: torch.where(p[:, axis : axis + 1] < 0.7 * length, 1.0, 4.0)
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
        (0, {"x": 70.0}, True),
        (0, {"x": 70.5}, True),  # of 129 points on the line, no other lies between
        (0, {"x": 69.5}, True),
        (0, {"x": 72.0}, False),
        (0, {"y": 0.7}, False),
        (1, {"y": 0.7}, True),
        (1, {"y": 0.704}, True),
        (1, {"y": 0.72}, False),
        (1, {"y": 0.3}, False),
        (1, {"x": 70.0}, False),
    ],
)
def test_a_condition_counts_where_it_lies_across_the_axis_of_the_jump(axis, fixed, tied):
    there = Condition("flux", SLAB.edge(9, **fixed), 1.0, of=lambda u, p: u(axis))
    if tied:
        check(slab(axis, there))
    else:
        at = ["x = 70", r"y = 0\.7"][axis]
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
    box, asked = Box(t=(50.0, 60.0), x=(-3.0, -1.0)), []

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


# --- references made with NumPy ------------------------------------------------------------------


def of_numpy(f):
    return lambda x: torch.from_numpy(f(x.detach().numpy()))


def test_a_reference_made_with_numpy_is_said_and_has_right_derivatives():
    problem = dataclasses.replace(oscillator(hard=False), exact=of_numpy(np.sin))
    with pytest.warns(
        UserWarning, match=r"leaves torch \(NumPy, SciPy, detach\).*by differences"
    ) as said:
        found = check(problem)
    assert max(found.values()) < 1e-5 and said[0].filename == __file__
    wrong = dataclasses.replace(problem, exact=of_numpy(lambda t: np.sin(1.01 * t)))
    with (
        pytest.warns(UserWarning, match="by differences"),
        pytest.raises(ValueError, match=r"a residual above 0\.0001: equation .*slope"),
    ):
        check(wrong)


@pytest.mark.parametrize("n", [1, 2, 17])
@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize(
    "sine",
    [
        of_numpy(np.sin),
        lambda t: t.detach().sin(),
        lambda t: np.sin(t.detach().numpy()),
        lambda t: np.sin(t.numpy()),
    ],
)
def test_it_may_leave_torch_in_any_way_and_be_asked_at_any_number_of_points(sine, hard, n):
    problem = dataclasses.replace(oscillator(hard=hard), exact=sine)
    with pytest.warns(UserWarning, match="by differences"):
        found = check(problem, n=n)
    assert max(found.values()) < 1e-5 and ("ansatz" in found) == hard


@pytest.mark.parametrize("exact", [torch.sin, of_numpy(np.sin)])
@pytest.mark.filterwarnings("ignore:the exact solution leaves torch")
def test_a_tolerance_that_is_given_is_the_one_that_holds(exact):
    """u″ + 1.001 u leaves 1e-3 sin t."""
    off = dataclasses.replace(
        oscillator(hard=False), residual=lambda u, t: u(0, 0) + 1.001 * u(), exact=exact
    )
    assert check(off, tolerance=2e-3)["equation"] == pytest.approx(1e-3, rel=0.01)
    with pytest.raises(ValueError, match=r"residual above 0\.0005: equation 0\.001$"):
        check(off, tolerance=5e-4)


def test_a_tolerance_of_0_asks_for_the_bits():
    line = Problem(HALVES, lambda u, x: u(0) - 1, exact=lambda x: x)
    assert check(line, tolerance=0) == {"equation": 0}
    with pytest.raises(ValueError, match="tolerance is a number 0 or more, and finite; got -1"):
        check(line, tolerance=-1)


def test_a_spline_of_scipy_is_a_reference_too():
    t = np.linspace(0, 2 * math.pi, 400)
    spline = CubicSpline(t, np.sin(t))
    problem = dataclasses.replace(oscillator(hard=False), exact=of_numpy(lambda t: spline(t)))
    with pytest.warns(UserWarning, match="by differences"):
        assert max(check(problem, tolerance=1e-3).values()) < 1e-3


# --- unknowns, complex numbers --------------------------------------------------------------------


def test_the_truth_of_an_unknown_and_of_a_field_is_what_is_checked():
    net = MLP(LINE, (3,))
    problem = Problem(
        LINE,
        lambda u, t, k, a: u(0) + k * u() - a() - a(0),
        unknowns={"k": Unknown(0.5, truth=2.0), "a": Field(net, truth=torch.sin)},
        exact=lambda t: 0 * t,
    )
    with pytest.raises(ValueError, match=r"equation 1\.[34]"):  # sin + cos
        check(problem)
    solved = dataclasses.replace(
        problem, residual=lambda u, t, k, a: u(0) + k * u() - a() + t.sin()
    )
    assert check(solved)["equation"] < 1e-12


def test_without_a_truth_the_guess_counts_and_a_truth_of_0_is_one():
    """k = 0.1 has more digits than float32."""
    problem = lambda k: Problem(
        LINE,
        lambda u, t, k: u(0) - k * u(),
        unknowns={"k": k},
        exact=lambda t: torch.exp(0.1 * t),
    )
    assert check(problem(Unknown(0.1)))["equation"] < 1e-15
    assert check(problem(Unknown(0.0, truth=0.1)))["equation"] < 1e-15
    with pytest.raises(ValueError, match=r"equation 0\.11$"):
        check(problem(Unknown(0.1, truth=0.0)))


def test_a_field_without_a_truth_is_its_network_on_its_own_axes():
    box = Box(t=(0.0, 1.0), x=(2.0, 3.0))
    double = nn.Linear(1, 1, bias=False).double()
    nn.init.constant_(double.weight, 2.0)
    problem = Problem(
        box,
        lambda u, p, a: u(1) - a(),
        unknowns={"a": Field(double, axes=("x",))},
        exact=lambda p: p[:, 1:] ** 2,
    )
    assert check(problem)["equation"] < 1e-12


def test_complex_rows_and_complex_solutions_are_refused_with_what_to_do():
    wave = Problem(LINE, lambda u, t: u(0) - 1j * u(), exact=lambda t: torch.exp(1j * t))
    with pytest.raises((TypeError, ValueError), match=r"complex|real and the imaginary"):
        check(wave)
    rows = Problem(LINE, lambda u, t: u(0) * 1j, exact=torch.sin)
    with pytest.raises(TypeError, match=r"equation has complex rows: .*r\.real, r\.imag"):
        check(rows)


def test_an_unknown_that_is_a_network_stands_as_a_function_in_the_residual():
    """The Field's own Partials: a(x), a(0)."""
    seen = []

    def residual(u, t, a):
        seen.append((a().shape, a(0).shape))
        return u(0) - a()

    problem = Problem(
        LINE, residual, unknowns={"a": Field(MLP(LINE, (3,)), truth=torch.cos)}, exact=torch.sin
    )
    assert check(problem)["equation"] < 1e-12 and seen[0] == ((16, 1), (16, 1))


@pytest.mark.parametrize(
    ("of", "message"),
    [
        (
            lambda u, x: u() + torch.ones(7, 1),
            "end cannot be evaluated at 2 points of torch.float64",
        ),
        (lambda u, x: u() - x[:, 0], r"end has shape \(2, 2\) at 2 points"),
        (lambda u, x: u() + torch.rand_like(x), "two calls of end differ"),
        (lambda u, x: u(0, 0), "end takes derivatives of order 2, but the problem says order=1"),
        (lambda u, x: u(0), r"above 1e-10: end 1$"),
    ],
)
def test_what_is_wrong_with_a_condition_is_said_with_its_name(of, message):
    fine = Condition("begin", column(0.0))
    end = Condition("end", column(0.0, 1.0), 0.0, of=of)
    with pytest.raises(ValueError, match=message):
        check(Problem(HALVES, lambda u, x: u(0) - 1, (fine, end), exact=lambda x: x))


# --- what an ansatz fixes --------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["x = 0", "x = 1", "y = 0", "y = 1"])
def test_an_ansatz_that_is_wrong_on_one_side_alone_is_seen(side):
    """By 1e-6 t²(1 − t)² along the side, whose slope is at most √3/9 1e-6; nothing at the corners."""
    square = poisson_square()

    def wrong(p, n):
        x, y = p[:, :1], p[:, 1:]
        there = {"x = 0": 1 - x, "x = 1": x, "y = 0": 1 - y, "y = 1": y}[side]
        t = y if side[0] == "x" else x
        return square.ansatz(p, n) + 1e-6 * there * (t * (1 - t)) ** 2

    with pytest.raises(ValueError, match=r"above 1e-10: ansatz 1\.9e-07\. The ansatz fixes"):
        check(dataclasses.replace(square, ansatz=wrong))


# --- before a fit ----------------------------------------------------------------------------------


def test_a_network_that_cannot_be_called_is_told_of_the_axes_and_the_outputs():
    box = Box(t=(0.0, 1.0), x=(0.0, 1.0))
    problem = Problem(box, lambda u, p: u(0), outputs=3)
    with pytest.raises(
        ValueError, match=r"from \(n, 2\) to \(n, 3\), .* at 16 points it fails: mat1"
    ):
        fit(problem, nn.Linear(5, 3).double(), [Adam(1)], progress=False)


def test_straight_lines_are_enough_for_an_equation_of_the_first_order():
    relu = MLP(LINE, (4,), activation="relu")
    train([Adam(1)], Problem(LINE, lambda u, t: u(0) - 1), relu)


def parameter(*values):
    return nn.Parameter(torch.tensor(values, dtype=torch.float64))


class Law:
    def __init__(self):
        self.of_law = parameter(0.2)

    def __call__(self, u, t):
        return u(0) + self.of_law * u()


class Network(nn.Module):
    def __init__(self, learns):
        super().__init__()
        self.own = parameter(0.2).requires_grad_(learns == "own")
        self.inner = nn.Linear(1, 1, bias=False).double().requires_grad_(learns == "inner")

    def forward(self, u, t):
        return u(0) + self.own * self.inner(u())


EVERYWHERE = parameter(0.2)


def strangers():
    """{what it is called in the message: a residual that uses it}."""
    k, other = parameter(0.2), parameter(1.0, 2.0)
    net = nn.Sequential(nn.Linear(1, 1, bias=False)).double()
    product = lambda a, b, u, t: u(0) + a * b * u()
    return {
        "EVERYWHERE (1,)": lambda u, t: u(0) + EVERYWHERE * u(),
        "k (1,)": lambda u, t: u(0) + k * u(),
        "decay (1,)": lambda u, t, decay=k: u(0) + decay * u(),
        "net.0.weight (1, 1)": lambda u, t: u(0) + net(u()),
        "law.0.weight (1, 1)": lambda u, t, law=net: u(0) + law(u()),
        "argument 1 (1,)": partial(product, k, 2.0),
        "argument 2 (1,)": partial(product, 2.0, k),
        "rate (1,)": partial(lambda u, t, rate: u(0) + rate * u(), rate=k),
        "within (1,)": partial(lambda a, u, t, within=k: u(0) + a * within * u(), 2.0),
        "of_law (1,)": Law(),
        "own (1,)": Network("own"),
        "inner.weight (1, 1)": Network("inner"),
        "a tensor (1,)": lambda u, t, twice=2 * k: u(0) + twice * u(),
        "k (1,), other (2,)": lambda u, t: other[0] * u(0) + k * u(),
    }


@pytest.mark.parametrize(("name", "residual"), strangers().items(), ids=strangers())
def test_what_is_not_trained_is_called_as_the_function_calls_it(name, residual):
    with pytest.raises(ValueError, match=re.escape(f"does not train: {name}. Make it")):
        train([Adam(1)], Problem(LINE, residual))
