"""Boxes, conditions, unknowns, problems, and what check says of them."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from companion.operators import Partials
from companion.pinn import Box, Condition, Problem, Unknown, batch_of, check
from companion.problems import poisson_interval, poisson_square

BOX = Box(t=(-1.0, 2 * math.pi), x=(0.1, 0.3))


def column(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None]


# --- Box ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["grid", "uniform", "latin", "sobol"])
def test_points_lie_in_the_box_in_float64_and_repeat(how):
    x = BOX.points(64, how, seed=3)
    assert x.shape == (64, 2) and x.dtype == torch.float64
    assert ((x >= BOX.low) & (x <= BOX.high)).all()
    assert torch.equal(x, BOX.points(64, how, seed=3))
    assert torch.equal(x, BOX.points(64, how, seed=4)) == (how == "grid")


def test_ends_are_kept_to_the_last_bit():
    assert BOX.high.tolist() == [2 * math.pi, 0.3] and BOX.ends()["x"] == (0.1, 0.3)
    grid = Box(t=(0, 1)).points(7, "grid")[:, 0].numpy()
    assert np.abs(grid - np.linspace(0, 1, 7)).max() < 1e-15


def test_a_grid_takes_a_number_for_each_axis_and_both_ends():
    x = BOX.points((3, 5), "grid")
    assert x.shape == (15, 2)
    assert x[0].tolist() == [-1.0, 0.1] and x[-1].tolist() == pytest.approx([2 * math.pi, 0.3])


def test_latin_hypercube_has_one_point_in_every_slice_and_sobol_one_in_every_cell():
    unit = Box(a=(0, 1), b=(0, 1))
    for axis in (0, 1):
        slices = (unit.points(50, "latin")[:, axis] * 50).long()
        assert sorted(slices.tolist()) == list(range(50))
    cells = (unit.points(64, "sobol") * 8).long()
    assert len({tuple(cell) for cell in cells.tolist()}) == 64


def test_uniform_points_are_independent_so_that_slices_of_a_latin_square_are_empty():
    unit = Box(x=(0.0, 1.0))
    slices = (unit.points(50, "uniform")[:, 0] * 50).long()
    assert len(slices.unique()) < 45


@pytest.mark.parametrize("how", ["grid", "uniform", "latin", "sobol"])
def test_one_point_is_enough_and_sobol_takes_any_number(how):
    assert BOX.points(1, how).shape == (1, 2)
    assert Box(t=(0, 1)).points(37, how).shape == (37, 1)


def test_centred_goes_from_the_box_to_the_cube_and_keeps_the_dtype():
    ends = torch.stack([BOX.low, BOX.high])
    assert torch.allclose(BOX.centred(ends), column(-1.0, 1.0).expand(2, 2), atol=1e-15)
    assert BOX.centred(ends.float()).dtype == torch.float32


def test_an_edge_fixes_some_axes_and_fills_the_others():
    edge = BOX.edge(5, x=0.3)
    assert edge.shape == (5, 2) and (edge[:, 1] == 0.3).all()
    assert edge[[0, -1], 0].tolist() == [-1.0, 2 * math.pi]
    assert BOX.edge(5, t=0.0, x=0.2).tolist() == [[0.0, 0.2]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Box(), r"at least one axis: Box\(t=\(0\.0, 1\.0\)\)"),
        (lambda: Box(t=(1.0, 1.0)), r"axis t needs two ends.*t=\(0\.0, 1\.0\); got \(1\.0, 1\.0\)"),
        (lambda: Box(t=5.0), r"low < high, both finite: t=\(0\.0, 1\.0\); got 5\.0"),
        (lambda: Box(t=(0, 1, 2)), r"got \(0, 1, 2\)"),
        (lambda: Box(t=("a", 1)), r"got \('a', 1\)"),
        (lambda: BOX.column("z"), "z: this box has t, x"),
        (lambda: Box(t=(0.0, math.inf)), "both finite"),
        (lambda: Box(t=(0, 1), units={"s": "days"}), "units for axes that are not there: s"),
        (lambda: BOX.points(0), "1 or more.* got 0"),
        (
            lambda: BOX.points((3, 3), "sobol"),
            r"\(3, 3\).*how is 'sobol'; write how=\"grid\", or sampler=\"grid\" in",
        ),
        (lambda: BOX.points([4, 4], "grid"), r"a tuple with one for each of 2.*got \[4, 4\]"),
        (lambda: BOX.points(4.0), r"expected one number of points.*got 4\.0"),
        (lambda: BOX.points((3,), "grid"), r"one for each of 2 axes; got \(3,\)"),
        (lambda: BOX.points(3, "halton"), "grid, uniform, latin, sobol; got 'halton'"),
        (lambda: BOX.points(3, seed=-1), "seed is a whole number, 0 or more; got -1"),
        (lambda: BOX.edge(3, y=0.0), "y: this box has t, x"),
        (lambda: BOX.edge(3, x=0.5), r"x=0\.5 lies outside Box\(t=\(-1, 6\.28319\), x="),
    ],
)
def test_a_box_refuses(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# --- Condition, Unknown, Problem ---------------------------------------------------------------


def test_values_become_one_row_for_each_point_in_float64():
    same = Condition("c", column(0.0, 1.0), 0.1)
    batch = batch_of(line(conditions=(same,)), column(0.5))
    assert batch["c"].values.tolist() == [[0.1], [0.1]] and batch["c"].weight.tolist() == [[1.0]]
    assert dataclasses.replace(same, weight=2.0).values.ndim == 0  # still one number for all
    kept = Condition("c", torch.tensor([[0], [1]]), np.array([[0.1], [0.2]]))
    assert kept.points.dtype == kept.values.dtype == torch.float64
    assert kept.values.tolist() == [[0.1], [0.2]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.zeros(3), 0.0), r"condition 'c' needs points \(k, d\), one or more; got \(3,\)"),
        ((torch.zeros(0, 1), 0.0), r"one or more; got \(0, 1\)"),
        (
            (torch.zeros(3, 1), torch.zeros(3)),
            r"values \(3,\); expected values \(3, c\).*\[:, None",
        ),
        ((torch.zeros(3, 1), torch.zeros(2, 1)), r"values \(2, 1\); expected values \(3, c\)"),
        ((torch.zeros(3, 1), 0.0, lambda u, x: u(), 0.0), "weight above 0; got 0.0"),
    ],
)
def test_a_condition_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        Condition("c", *arguments)


def test_data_of_one_column_is_not_spread_over_two_outputs_but_a_number_is():
    points = column(0.0, 1.0)
    u = Partials(lambda x: torch.cat([x, x], 1), points)
    data, number = Condition("c", points, column(0.0, 1.0)), Condition("c", points, 1.0)
    assert number.residual(u, points, number.values).shape == (2, 2)
    with pytest.raises(
        ValueError, match=r"has shape \(2, 2\) and the values \(2, 1\); broadcasting"
    ):
        data.residual(u, points, data.values)
    flat = dataclasses.replace(data, of=lambda u, x: u()[:, 0])
    with pytest.raises(
        ValueError, match=r"has shape \(2,\) and the values \(2, 1\).*u\(\)\[:, :1\]"
    ):
        flat.residual(u, points, flat.values)


@pytest.mark.parametrize(
    "bounds",
    [{}, {"low": 0.0}, {"high": 1.0}, {"low": 0.0, "high": 1.0}, {"low": -5.0, "high": 9.0}],
)
def test_an_unknown_starts_at_its_guess_and_never_leaves_its_bounds(bounds):
    unknown = Unknown(0.3, **bounds)
    assert unknown.value(unknown.free()).item() == pytest.approx(0.3, abs=1e-14)
    far = unknown.value(torch.linspace(-30, 30, 99).double())
    assert ((far >= unknown.low) & (far <= unknown.high)).all()


def test_an_unknown_refuses_what_is_outside():
    with pytest.raises(ValueError, match=r"low < guess < high; got 0\.0, 0\.0, inf"):
        Unknown(0.0, low=0.0)
    with pytest.raises(ValueError, match=r"truth 2\.0 lies outside \(0\.0, 1\.0\)"):
        Unknown(0.5, low=0.0, high=1.0, truth=2.0)


def line(residual=lambda u, x: u(0) - 1, **rest):
    return Problem(Box(x=(0, 1)), residual, **{"exact": lambda x: x, **rest})


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (lambda: line(exact=None), r"check needs Problem\(exact=\.\.\.\)"),
        (lambda: line(exact=lambda x: x[:, 0]), r"exact at 200 points has shape \(200,\)"),
        (lambda: line(outputs=2), r"2 outputs: expected \(200, 2\)"),
        (
            lambda: line(lambda u, x: u() - x[:, 0]),
            r"\(16, 16\) at 16 points.*row \(n,\).*\[:, :1\]",
        ),
        (lambda: line(lambda u, x: u(0)[:, 0] - 1), r"\(16, k\); got \(16,\).*torch\.cat"),
        (lambda: line(lambda u, x: (u(0) - 1).mean(0, keepdim=True)), r"got \(1, 1\)"),
        (lambda: line(lambda u, x: u(0) - 2), "residual above 1e-10: equation 1$"),
        (lambda: line(lambda u, x: u(0) / 0 * 0), "residual above 1e-10: equation nan"),
        (lambda: line(conditions=(Condition("end", column(1.0), 1.5),)), "1e-10: end 0.5"),
        (
            lambda: line(conditions=(Condition("c", torch.zeros(2, 2)),)),
            r"\(2, 2\).*expected \(k, 1\)",
        ),
        (
            lambda: line(conditions=(Condition("equation", column(0.0)),)),
            "name of its own; got equation",
        ),
    ],
)
def test_check_refuses(problem, message):
    with pytest.raises(ValueError, match=message):
        check(problem())


@pytest.mark.parametrize(
    ("ansatz", "size"),
    [
        (lambda x, n: x * (1 - x) * n + 0.5, "0.5"),
        (lambda x, n: x * (1 - x) * n + 0.25 * x, "0.25"),
        (lambda x, n: x**2 * n, "9.4"),  # the slope at 0 is π + 2π, not 0
        (lambda x, n: x * n / x, "nan"),
    ],
)
def test_check_sees_an_ansatz_that_fixes_what_the_solution_is_not(ansatz, size):
    message = f"residual above 1e-10: ansatz {size}. The ansatz fixes other values, or slopes"
    with pytest.raises(ValueError, match=message):
        check(dataclasses.replace(poisson_interval(), ansatz=ansatz))


def test_check_sees_an_ansatz_wrong_on_one_side_of_a_square():
    square = poisson_square()
    check(square)
    wrong = dataclasses.replace(
        square, ansatz=lambda x, n: square.ansatz(x, n) + 1e-6 * x[:, :1] * x[:, 1:]
    )
    with pytest.raises(ValueError, match="ansatz 1e-06"):
        check(wrong)


def test_an_ansatz_has_the_outputs_of_the_problem():
    flat = dataclasses.replace(poisson_square(), ansatz=lambda x, n: n[:, 0])
    with pytest.raises(ValueError, match=r"the ansatz at 80 points has shape \(80,\).*\(80, 1\)"):
        check(flat)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: line(lambda u, x: torch.cat([u(0) - 1 + 0 * u()[:, 0], u(0) - 1], 1)),
            "equation has 17 columns at 16 points and 16 at 15: a column",
        ),
        (
            lambda: line(
                conditions=(
                    Condition("ends", column(0.0, 1.0), 0.0, of=lambda u, x: u() - x[:, 0]),
                )
            ),
            r"ends has shape \(2, 2\) at 2 points: a column",
        ),
    ],
)
def test_check_sees_pairs_of_rows_that_do_not_belong_together(make, message):
    with pytest.raises(ValueError, match=message):
        check(make())


@pytest.mark.parametrize("at", [(0.0, 1.0), (0.0, 0.5, 1.0)])
def test_a_condition_may_hold_a_row_for_each_of_its_points(at):
    size = 1 + column(*at)
    own = Condition("own", column(*at), 0.0, of=lambda u, x: size * (u() - x))
    assert check(line(conditions=(own,)))["own"] == 0


def test_a_higher_derivative_than_the_order_says_is_refused():
    bent = line(lambda u, x: u(0) - 1 + u(0, 0))
    with pytest.raises(ValueError, match=r"order 2, but the problem says order=1. Write .*order=2"):
        check(bent)
    check(dataclasses.replace(bent, order=2))
    round_ = dataclasses.replace(poisson_square(), order=1)
    with pytest.raises(ValueError, match="derivatives of order 2"):
        check(round_)


@pytest.mark.parametrize(
    "name", ["step", "loss", "error", "ansatz", "norms", "unweighted", "smallest_weight", "u"]
)
def test_a_condition_is_not_called_as_the_history_calls_something_else(name):
    with pytest.raises(ValueError, match=f"something else {name}: give the condition"):
        line(conditions=(Condition(name, column(0.0)),))


def test_data_outside_the_domain_are_refused():
    days = Condition("data", column(0.5, 7.0, 70.0), 1.0)
    with pytest.raises(ValueError, match=r"'data' has 2 of 3 points outside Box\(x=\(0, 1\)\)"):
        line(conditions=(days,))


def test_a_residual_is_a_tensor():
    with pytest.raises(TypeError, match=r"equation returns a tensor \(n, k\); got tuple"):
        check(line(lambda u, x: (u(), u(0))))


@pytest.mark.parametrize("outside", [-0.02, 1.001, 1.02])
def test_a_condition_a_little_outside_the_domain_is_refused_and_rounding_is_not(outside):
    with pytest.raises(ValueError, match="has 1 of 2 points outside Box"):
        line(conditions=(Condition("data", column(0.5, outside), 1.0),))
    line(conditions=(Condition("data", column(-1e-12, 0.0, 1.0, 1 + 1e-12), 1.0),))


def equations(k):
    """k equations for two outputs, of which u = (x, x) is a solution."""
    residual = lambda u, x: torch.cat([(j + 1.0) * (u(0)[:, :1] - 1) for j in range(k)], 1)
    return Problem(Box(x=(0, 1)), residual, exact=lambda x: torch.cat([x, x], 1), outputs=2)


@pytest.mark.parametrize("n", [1, 2, 3, 15, 16, 17, 200])
@pytest.mark.parametrize("k", [1, 2, 15, 16, 17])
def test_as_many_equations_as_points_are_no_pairs(k, n):
    assert check(equations(k), n=n)["equation"] == 0
    values = equations(k).conditions
    at = column(*np.linspace(0, 1, n))
    several = Condition("several", at, 0.0, of=lambda u, x: (u()[:, :1] - x).expand(-1, k))
    assert values == () and check(line(conditions=(several,)))["several"] == 0


@pytest.mark.parametrize("n", [1, 2, 16, 17])
@pytest.mark.parametrize("outputs", [1, 2, 16])
def test_pairs_are_seen_at_any_number_of_points_and_outputs(n, outputs):
    problem = Problem(
        Box(x=(0, 1)),
        lambda u, x: u()[:, :1] - x[:, 0],
        exact=lambda x: x.expand(-1, outputs),
        outputs=outputs,
    )
    with pytest.raises(
        ValueError, match=r"equation has shape \(16, 16\) at 16 points: a column .* all"
    ):
        check(problem, n=n)
