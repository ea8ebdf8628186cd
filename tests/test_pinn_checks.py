"""check: interfaces, references that leave torch, networks that stand for unknowns."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from scipy.interpolate import CubicSpline

from companion.pinn import MLP, Box, Condition, Field, Problem, Unknown, check
from companion.pinn.checks import jumps
from companion.pinn.differences import by_differences, has_graph
from companion.problems import oscillator, poisson_lshape, poisson_square
from tests.fits import LINE, column

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
    with pytest.warns(UserWarning, match=r"leaves torch \(NumPy, SciPy, detach\).*by differences"):
        found = check(problem)
    assert max(found.values()) < 1e-5
    wrong = dataclasses.replace(problem, exact=of_numpy(lambda t: np.sin(1.01 * t)))
    with (
        pytest.warns(UserWarning, match="by differences"),
        pytest.raises(ValueError, match=r"a residual above 0\.0001: equation .*slope"),
    ):
        check(wrong)


def test_a_spline_of_scipy_is_a_reference_too():
    t = np.linspace(0, 2 * math.pi, 400)
    spline = CubicSpline(t, np.sin(t))
    problem = dataclasses.replace(oscillator(hard=False), exact=of_numpy(lambda t: spline(t)))
    with pytest.warns(UserWarning, match="by differences"):
        assert max(check(problem, tolerance=1e-3).values()) < 1e-3


@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivatives_by_differences_are_those_of_the_function(order):
    from companion.operators import Partials

    box = Box(t=(0.0, 2.0), x=(-1.0, 3.0))
    f = lambda p: np.exp(p[:, :1]) * np.sin(p[:, 1:])
    torch_f = lambda p: torch.exp(p[:, :1]) * torch.sin(p[:, 1:])
    x = torch.cat([box.points(20), box.points((2, 2), "grid")])  # the corners too
    found = Partials(by_differences(of_numpy(f), box), x)
    wanted = Partials(torch_f, x)
    for axes in {(0,) * order, (1,) * order, (0,) + (1,) * (order - 1)}:
        limit = 10.0 ** (-9 + 2 * order)
        assert (found(*axes) - wanted(*axes)).abs().max() < limit, axes


def test_what_leaves_torch_is_found_out_and_a_constant_does_not():
    x = LINE.points(5)
    assert has_graph(torch.sin, x) and has_graph(lambda x: 0 * x + 2, x)
    assert has_graph(lambda x: torch.ones(len(x), 1).double(), x)
    assert not has_graph(lambda x: x.detach() ** 2, x)
    assert not has_graph(of_numpy(np.sin), x)
    assert not has_graph(lambda x: torch.from_numpy(np.sin(x.numpy())), x)


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
