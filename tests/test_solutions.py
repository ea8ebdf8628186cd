"""The figures and the ledger of Part III as data."""

import math
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
import torch

from companion.pinn import MLP, Adam, Box, History, LevenbergMarquardt, Problem, fit
from companion.problems import oscillator, poisson_lshape, poisson_square
from companion.show.runs import Runs, ledger_of_runs
from companion.show.solutions import error_map, history_curves, phase_plane, ridge, solutions

mpl.use("agg")
import matplotlib.pyplot as plt

T = np.linspace(0, 6, 31)


@pytest.fixture(autouse=True)
def _no_figures_left():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def history():
    problem = oscillator(hard=False)
    network = MLP(problem.domain, (6,))
    stages = [Adam(4), LevenbergMarquardt(4)]
    return fit(problem, network, stages, points=16, log_interval=2, progress=False).history


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_solutions_draws_every_curve_and_the_exact_one_dashed():
    column = torch.sin(torch.from_numpy(T))[:, None].requires_grad_()
    ax = solutions(T, {"network": column, "sine": np.sin(T)}, xlabel="t", ylabel="y", exact="sine")
    network, sine = ax.lines
    assert np.allclose(network.get_ydata(), np.sin(T))
    assert (network.get_linestyle(), sine.get_linestyle()) == ("-", "--")
    assert legend(ax) == ["network", "sine"]


def test_an_error_map_shows_the_error_at_each_point_and_nothing_outside_the_domain():
    problem = poisson_lshape()
    ax = error_map(problem, lambda x: problem.exact(x) + 1e-3 * (2 + x[:, :1]), n=5)
    (picture,) = ax.images
    shown = np.ma.filled(picture.get_array(), np.nan)  # rows are y, from below
    assert np.allclose(shown[4], 1e-3 * np.array([1, 1.5, 2, 2.5, 3]))
    assert np.isnan(shown[:2, 3:]).all()
    assert np.isfinite(shown[2:]).all()
    assert picture.get_extent() == [-1, 1, -1, 1]


def test_error_maps_can_share_a_scale():
    problem = poisson_square()
    ax = error_map(problem, problem.exact, n=5, limits=(1e-8, 1e-2))
    assert (ax.images[0].norm.vmin, ax.images[0].norm.vmax) == (1e-8, 1e-2)
    assert ax.images[0].get_array().min() == 1e-8


def test_an_error_map_brings_the_points_to_the_network_and_its_values_home():
    problem = poisson_square(hard=False)
    network = MLP(problem.domain, (4,)).float()
    ax = error_map(problem, network, n=5)
    x = problem.domain.points((5, 5), "grid")
    error = (network(x.float()).double() - problem.exact(x)).abs().detach().reshape(5, 5).T
    assert np.allclose(ax.images[0].get_array(), error)
    with pytest.raises(
        ValueError, match=r"points of torch\.float64 on cpu: .*write lambda x: u\(x"
    ):
        error_map(problem, lambda x: network(x), n=5)


def two_outputs():
    def exact(x):
        return torch.cat([x[:, :1], x[:, 1:]], 1)

    return Problem(Box(x=(0, 1), y=(0, 1)), lambda u, x: u(0), exact=exact, outputs=2)


def test_an_error_map_shows_the_output_that_is_asked_for():
    problem = two_outputs()
    off = torch.tensor([1e-3, 1e-2]).double()
    for component in (0, 1):
        ax = error_map(problem, lambda x: problem.exact(x) + off, component=component, n=3)
        assert np.allclose(ax.images[0].get_array(), off[component])
        assert ax.figure.axes[1].get_ylabel() == f"absolute error of output {component}"
    with pytest.raises(ValueError, match=r"component is one of 0 to 1, the outputs .*; got 2"):
        error_map(problem, problem.exact, component=2)


def test_an_error_map_refuses_values_of_another_shape():
    for wrong, shape in ((lambda x: x[:, 0], r"\(9,\)"), (lambda x: x[:, :1], r"\(9, 1\)")):
        message = rf"shape {shape} at 9 points, but the problem has 2 outputs: expected \(9, 2\)"
        with pytest.raises(ValueError, match=message):
            error_map(two_outputs(), wrong, n=3)


def test_an_error_map_needs_a_plane():
    with pytest.raises(
        ValueError, match=r"needs a domain of two axes and an exact solution; got Box"
    ):
        error_map(oscillator(), torch.sin)


def test_a_history_is_drawn_term_by_term_with_its_error_and_its_stages(history):
    ax = history_curves(history)
    assert legend(ax) == ["equation", "start", "slope", "relative error"]
    assert np.array_equal(ax.lines[0].get_ydata(), history.column("equation"))
    assert [text.get_text() for text in ax.texts] == ["LevenbergMarquardt"]
    ax = history_curves(history, x="seconds", what="norms")
    assert legend(ax) == ["equation", "start", "slope"]
    assert np.array_equal(ax.lines[1].get_xdata(), history.column("seconds"))


def records(*stages):
    """Two records of each stage (its number, its name)."""
    places = [stage for stage in stages for _ in range(2)]
    return [
        {
            "stage": name,
            "number": number,
            "step": 10 * k,
            "equation": 1.0,
            "norms": {"equation": 1.0},
        }
        for k, (number, name) in enumerate(places)
    ]


def test_two_stages_of_one_name_have_a_line_between_them_where_the_first_ends():
    ax = history_curves(History(records((0, "Adam"), (1, "Adam"), (2, "LBFGS"))))
    assert [line.get_xdata()[0] for line in ax.lines[1:]] == [10, 30]


def test_a_name_that_has_room_only_left_of_its_line_points_to_the_right():
    ax = history_curves(History(records((0, "Adam"), (1, "Adam"), (2, "LBFGS"))))
    assert [text.get_text() for text in ax.texts] == ["Adam", "LBFGS"]
    assert [text.get_ha() for text in ax.texts] == ["left", "left"]
    ax = history_curves(History(records((0, "Adam"), (1, "Adam"), (2, "Adam"), (3, "LBFGS"))))
    assert [text.get_text() for text in ax.texts] == ["Adam", "Adam", "LBFGS →"]


def test_a_history_without_numbers_is_marked_by_name():
    old = [
        {k: v for k, v in r.items() if k != "number"} for r in records((0, "Adam"), (1, "LBFGS"))
    ]
    assert [text.get_text() for text in history_curves(History(old)).texts] == ["LBFGS"]


@pytest.mark.parametrize("wrong", [{"x": "epoch"}, {"what": "gradients"}])
def test_a_history_has_two_axes_and_two_contents(history, wrong):
    with pytest.raises(
        ValueError, match=r'x is "step" or "seconds", what "losses" or "norms"; got'
    ):
        history_curves(history, **wrong)


def test_an_empty_history_is_refused():
    with pytest.raises(ValueError, match="the history is empty: fit a step or more"):
        history_curves(History())


def test_a_phase_plane_has_paths_with_a_start_and_an_end_and_arrows_of_the_field():
    paths = {"circle": (np.cos(T), np.sin(T)), "rest": (0 * T, 0 * T)}
    ax = phase_plane(paths, field=lambda x, y: (-y, x), xlabel="y", ylabel="y′", exact="circle")
    path, start, end = ax.lines[:3]
    assert path.get_linestyle() == "--"
    assert (start.get_xdata()[0], end.get_xdata()[0]) == (1, np.cos(6))
    (arrows,) = [c for c in ax.collections if isinstance(c, mpl.quiver.Quiver)]
    assert arrows.angles == "xy"
    along = arrows.U * -arrows.Y + arrows.V * arrows.X
    assert np.allclose(along, np.hypot(arrows.X, arrows.Y))  # each arrow points as the field does


def test_a_ridge_has_its_regions_its_best_and_its_truth():
    x, y = np.linspace(-3, 3, 61), np.linspace(-4, 4, 41)
    cost = 7 + x[None] ** 2 + y[:, None] ** 2
    ax = ridge(x, y, cost, best=(0, 0), truth=(1, 1), xlabel="β", ylabel="γ")
    assert legend(ax) == ["least squares", "truth", "68 %", "95 %"]
    (regions,) = [c for c in ax.collections if isinstance(c, mpl.contour.ContourSet)]
    radius = np.abs(regions.get_paths()[0].vertices).max(0)
    assert radius == pytest.approx([math.sqrt(2.30)] * 2, rel=0.02)
    with pytest.raises(ValueError, match=r"cost has shape \(41, 61\); expected .* = \(61, 41\)"):
        ridge(y, x, cost, best=(0, 0), xlabel="β", ylabel="γ")


def test_the_regions_of_a_ridge_hold_what_their_labels_say():
    x = np.linspace(-6, 6, 41)
    cost = x[None] ** 2 + x[:, None] ** 2
    options = {"best": (0, 0), "xlabel": "β", "ylabel": "γ"}
    drawn = np.random.default_rng(0).chisquare(2, 100_000)
    for level, label in ((2.30, "68 %"), (5.99, "95 %"), (4.61, "90 %"), (11.83, "99.7 %")):
        assert legend(ridge(x, x, cost, levels=(level,), **options))[1:] == [label]
        assert 100 * (drawn < level).mean() == pytest.approx(float(label[:-2]), abs=0.5)
    ax = ridge(x, x, cost, levels=[2.30, 5.99, 9.21], **options)
    assert legend(ax)[1:] == ["68 %", "95 %", "99 %"]
    (regions,) = [c for c in ax.collections if isinstance(c, mpl.contour.ContourSet)]
    shades = [line.get_color() for line in ax.get_legend().get_lines()[1:]]
    assert np.allclose(regions.get_facecolors(), shades)
    assert len({tuple(shade) for shade in shades}) == 3


@pytest.mark.parametrize("levels", [(), (5.99, 2.30), (2.30, 2.30), (0.0, 2.30)])
def test_levels_rise_from_above_zero(levels):
    x = np.linspace(-1, 1, 3)
    with pytest.raises(ValueError, match=r"levels rise from above 0, as \(2\.30, 5\.99\); got"):
        ridge(x, x, np.ones((3, 3)), best=(0, 0), xlabel="β", ylabel="γ", levels=levels)


def test_nothing_to_draw_and_curves_of_another_length_are_refused():
    with pytest.raises(ValueError, match="nothing to draw; give a dictionary"):
        solutions(T, {}, xlabel="t", ylabel="y")
    with pytest.raises(ValueError, match="nothing to draw; give a dictionary"):
        phase_plane({}, xlabel="t", ylabel="y")
    with pytest.raises(ValueError, match=r"network has shape \(30,\), but t has \(31,\)"):
        solutions(T, {"network": T[1:]}, xlabel="t", ylabel="y")


def test_a_ledger_of_runs_counts_failures_and_shows_the_worst():
    runs = Runs("network", [1e-4, math.nan, 0.5, 2e-4, 3e-4], [1.0, 2.0, 3.0, 4.0, 5.0])
    ledger = ledger_of_runs("y′ = y", [runs, Runs("DOP853", [7e-11], [4e-3])])
    assert repr(ledger).splitlines()[-2:] == [
        "network     5       2       3.0e-04         none          3 s",
        "DOP853      1       0       7.0e-11      7.0e-11         4 ms",
    ]
    table = ElementTree.fromstring(ledger._repr_html_()).find("table")
    assert table.find("caption").text == "y′ = y; failed: a relative error above 0.1"
    assert [cell.text for cell in table.findall("tbody/tr")[0]][2] == "2"


def test_runs_need_errors_with_times_and_a_ledger_needs_rows():
    with pytest.raises(
        ValueError, match="Adam: expected one time for each error, one or more; got 2"
    ):
        Runs("Adam", [1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="got 0 errors and 0 times"):
        Runs("Adam", [], [])
    with pytest.raises(ValueError, match="a ledger has a row or more"):
        ledger_of_runs("y′ = y", [])


@pytest.mark.parametrize(("seconds", "text"), [(3e-5, "30 µs"), (0.0123, "12 ms"), (1.26, "1.3 s")])
def test_times_have_two_digits(seconds, text):
    assert Runs("a", [1.0], [seconds]).cells(0.1)[-1] == text
