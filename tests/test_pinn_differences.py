"""Derivatives of a function that leaves torch, by differences of its values."""

from functools import reduce
from itertools import combinations_with_replacement

import numpy as np
import pytest
import sympy
import torch

from companion.operators import Partials
from companion.pinn import MLP, Adam, Box, Problem, check, fit
from companion.pinn.differences import STEP, by_differences, has_graph
from tests.fits import LINE

BOXES = {
    "at 0": Box(x=(0.0, 1.0)),
    "around 0": Box(x=(-1.0, 1.0)),
    "far away": Box(x=(100.0, 101.0)),
    "small": Box(x=(-2e-3, -1e-3)),
    "large": Box(x=(-1e4, 3e4)),
    "of two lengths": Box(x=(-1e-2, 1e-2), y=(100.0, 400.0)),
}
boxes = pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)


def of_numpy(f):
    return lambda x: torch.from_numpy(f(x.detach().numpy()))


def near_faces(box):
    """(n, d): inside, the corners, and 0 to 6 steps from each face."""
    steps = STEP * torch.arange(0, 6.5, 0.5, dtype=torch.float64)
    along = torch.cat([steps, 1 - steps, torch.full_like(steps, 0.4)])
    unit = torch.stack([along.roll(len(steps) * axis) for axis in range(box.dimension)], 1)
    corners = box.points((2,) * box.dimension, "grid")
    return torch.cat([box.points(8), box.scaled(unit), corners])


@boxes
@pytest.mark.parametrize("order", [1, 2])
def test_the_function_is_asked_in_the_box_alone(box, order):
    """Beyond it a table has no values, and a spline is extrapolated."""
    asked = []

    def cubes(x):
        asked.append(x.clone())
        return (box.centred(x) ** 3).sum(1, keepdim=True)

    u = Partials(by_differences(cubes, box), near_faces(box))
    for axis in range(box.dimension):
        u(*[axis] * order)
    x = torch.cat(asked)
    assert len(asked) > 5 and ((x >= box.low) & (x <= box.high)).all()


@boxes
@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivatives_by_differences_are_those_of_the_function(box, order):
    """SymPy's, in units of the box: wherever it lies, and however long it is."""
    names = sympy.symbols("a b")[: box.dimension]
    f = sympy.sin(names[0]) * sympy.exp(names[-1] / 2)

    def derivative(*axes):
        formula = sympy.lambdify(names, reduce(sympy.diff, [names[a] for a in axes], f))
        return lambda x: formula(*box.centred(torch.as_tensor(x)).numpy().T)[:, None]

    x = near_faces(box)
    found = Partials(by_differences(of_numpy(derivative()), box), x)
    for axes in combinations_with_replacement(range(box.dimension), order):
        length = np.prod([(box.high - box.low)[a].item() / 2 for a in axes])
        error = found(*axes).detach().numpy() * length - derivative(*axes)(x)
        assert np.abs(error).max() < 1e-12 * 1e3**order, axes


def test_each_output_has_derivatives_of_its_own():
    x = near_faces(LINE)
    circle = of_numpy(lambda t: np.concatenate([np.cos(t), np.sin(t)], 1))
    u, (cos, sin) = Partials(by_differences(circle, LINE), x), (x.cos(), x.sin())
    assert (u(0) - torch.cat([-sin, cos], 1)).abs().max() < 1e-9
    assert (u(0, 0) + torch.cat([cos, sin], 1)).abs().max() < 1e-6


def test_what_leaves_torch_is_found_out_and_a_constant_does_not():
    x = LINE.points(5)
    assert has_graph(torch.sin, x) and has_graph(lambda x: 0 * x + 2, x)
    assert has_graph(lambda x: torch.ones(len(x), 1).double(), x)
    assert not has_graph(lambda x: x.detach() ** 2, x)
    assert not has_graph(of_numpy(np.sin), x)
    assert not has_graph(lambda x: torch.from_numpy(np.sin(x.numpy())), x)
    assert not has_graph(lambda x: np.sin(x.detach().numpy()), x)


def test_a_reference_of_numpy_measures_a_fit_as_one_of_torch_does():
    errors = []
    for exact in (torch.exp, lambda t: np.exp(t.numpy())):
        problem = Problem(LINE, lambda u, t: u(0) - u(), ansatz=lambda t, n: 1 + t * n, exact=exact)
        solution = fit(problem, MLP(LINE, (4,)), [Adam(2)], points=8, progress=False)
        assert solution.history.error == solution.error
        errors.append(solution.error)
    assert errors[0] == errors[1]


@pytest.mark.parametrize(("length", "order"), [(100.0, 2), (1.0, 4), (6.0, 3)])
def test_check_does_not_blame_a_right_reference_for_the_error_of_its_differences(length, order):
    """u⁽ᵏ⁾ of sin t by its signs; and the same with another factor is wrong."""
    axes, sign = [0] * order, [None, None, -1, -1, 1][order]
    box, sine = Box(t=(0.0, length)), of_numpy(np.sin)
    right = Problem(
        box, lambda u, t: u(*axes) - sign * u(*[0] * (order % 2)), exact=sine, order=order
    )
    with pytest.warns(UserWarning, match="by differences"):
        check(right)
    wrong = Problem(
        box, lambda u, t: u(*axes) - 1.1 * sign * u(*[0] * (order % 2)), exact=sine, order=order
    )
    said = pytest.warns(UserWarning, match="by differences")
    with said, pytest.raises(ValueError, match=r"above 0\.0001: equation"):
        check(wrong)
