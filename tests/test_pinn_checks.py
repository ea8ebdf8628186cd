"""check: references that leave torch, networks that stand for unknowns; and what a fit refuses."""

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
from companion.problems import oscillator, poisson_square
from tests.fits import LINE, column, train

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
    line = Problem(Box(x=(0.0, 1.0)), lambda u, x: u(0) - 1, exact=lambda x: x)
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
        check(Problem(Box(x=(0.0, 1.0)), lambda u, x: u(0) - 1, (fine, end), exact=lambda x: x))


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


class Root(nn.Module):
    """NaN at half of the points."""

    def __init__(self):
        super().__init__()
        self.a = parameter(1.0)

    def forward(self, t):
        return self.a * (t - 0.5).sqrt()


def test_a_network_that_is_nan_at_some_points_is_not_said_to_draw_at_random():
    with pytest.warns(UserWarning, match="NaN or infinity in equation at step 0"):
        train([Adam(1)], Problem(LINE, lambda u, t: u() - 1), Root())


def test_straight_lines_are_enough_for_an_equation_of_the_first_order():
    relu = MLP(LINE, (4,), activation="relu")
    train([Adam(1)], Problem(LINE, lambda u, t: u(0) - 1, ansatz=lambda t, n: t * n), relu)


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
    net = nn.Sequential(*[nn.Linear(1, 1, bias=False) for _ in range(2)]).double()
    net[0].requires_grad_(False)
    product = lambda a, b, u, t: u(0) + a * b * u()
    return {
        "EVERYWHERE (1,)": lambda u, t: u(0) + EVERYWHERE * u(),
        "k (1,)": lambda u, t: u(0) + k * u(),
        "decay (1,)": lambda u, t, decay=k: u(0) + decay * u(),
        "net.1.weight (1, 1)": lambda u, t: u(0) + net(u()),
        "law.1.weight (1, 1)": lambda u, t, law=net: u(0) + law(u()),
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
