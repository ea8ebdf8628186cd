"""The figures as data: axes, scales, lines, labels and colours, not pixels."""

import colorsys
import itertools

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from companion.engines.differences import difference
from companion.engines.error_curves import error_curve, error_theory, measured_best
from companion.show.curves import BACKGROUND, COLOURS, INK, cost_curves, error_curves, style

mpl.use("agg")
import matplotlib.pyplot as plt

HS = np.logspace(-10, 0, 201)


@pytest.fixture(autouse=True)
def _fresh_figures():
    with mpl.rc_context():
        yield
    plt.close("all")


def curve(scheme):
    return HS, error_curve(lambda h: difference(np.exp, 0.0, h, scheme=scheme), 1.0, HS)


def luminance(colour):
    channels = np.array(to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(first, second):
    low, high = sorted([luminance(first), luminance(second)])
    return (high + 0.05) / (low + 0.05)


# Machado, Oliveira and Fernandes (2009), severity 1.
BLINDNESS = {
    "none": np.eye(3),
    "protan": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deutan": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritan": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


def lab(rgb):
    """CIE Lab of a linear RGB colour, white D65."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(to_xyz) @ rgb / [0.9505, 1.0, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def seen(colour, blindness):
    channels = np.array(to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return lab(np.clip(BLINDNESS[blindness] @ linear, 0, 1))


def test_every_colour_can_be_read_as_text():
    for colour in [*COLOURS.values(), INK]:
        assert contrast(colour, BACKGROUND) >= 4.5, colour
        assert colorsys.rgb_to_hls(*to_rgb(colour))[1] < 0.5


@pytest.mark.parametrize("blindness", BLINDNESS)
def test_the_first_colours_stay_apart_for_every_eye(blindness):
    for first, second in itertools.combinations(list(COLOURS.values())[:4], 2):
        assert np.linalg.norm(seen(first, blindness) - seen(second, blindness)) > 14


def test_style_sets_rcparams_and_nothing_else():
    backend, figures = mpl.get_backend(), plt.get_fignums()
    style()
    assert mpl.rcParams["axes.prop_cycle"].by_key()["color"] == list(COLOURS.values())
    assert mpl.rcParams["figure.facecolor"] == mpl.rcParams["savefig.facecolor"] == BACKGROUND
    assert (mpl.get_backend(), plt.get_fignums()) == (backend, figures)


def test_letters_are_legible_on_a_phone():
    style()
    shrunk = 358 / (mpl.rcParams["figure.figsize"][0] * 96)  # 390 px less the margins; CSS pixels
    assert mpl.rcParams["xtick.labelsize"] * 96 / 72 * shrunk > 8


def test_error_curves_draws_a_u_for_each_scheme():
    curves = {"forward": curve("forward"), "central": curve("central")}
    ax = error_curves(curves)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step $h$", "absolute error")
    assert len(ax.lines) == 6  # for each: median, dots, ring
    rings = [line for line in ax.lines if line.get_marker() == "o"]
    for ring, (label, data) in zip(rings, curves.items(), strict=True):
        assert (ring.get_xdata()[0], ring.get_ydata()[0]) == measured_best(*data), label
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert [name.split(":")[0] for name in names] == ["forward", "central"]
    assert len({line.get_color() for line in ax.lines}) == 2


def test_the_legend_names_the_ring():
    ax = error_curves({"forward": (HS, HS + 1e-8 / HS)})
    (text,) = ax.get_legend().get_texts()
    assert text.get_text() == r"forward: $2.3\cdot10^{-4}$ at $h$ = $1.0\cdot10^{-4}$"


def test_theory_is_dashed_in_the_colour_of_its_curve():
    theory = error_theory(HS, 1.0, 1.0, scheme="forward")
    ax = error_curves({"central": curve("central"), "f": curve("forward")}, theory={"f": theory})
    (dashed,) = [line for line in ax.lines if line.get_linestyle() == "--"]
    np.testing.assert_array_equal(dashed.get_ydata(), np.maximum(*theory))
    (median,) = [line for line in ax.lines if line.get_label().startswith("f:")]
    assert dashed.get_color() == median.get_color()


def test_zero_errors_and_unsorted_steps():
    shuffled = np.random.default_rng(0).permutation(HS.size)
    errors = HS + 1e-8 / HS
    errors[::11] = 0
    ax = error_curves({"a": (HS[shuffled], errors[shuffled])})
    median, dots, _ = ax.lines
    assert (np.diff(median.get_xdata()) > 0).all()
    assert np.isnan(dots.get_ydata()).sum() == np.count_nonzero(errors == 0)
    drawn = np.isfinite(median.get_ydata())
    assert (median.get_ydata()[drawn] > 0).all()
    assert drawn.tolist() == [10**-9.52 < h < 10**-0.48 for h in HS]


def test_an_exact_estimate_is_drawn_too():
    ax = error_curves({"exact": (HS, np.zeros_like(HS)), "a": curve("central")})
    assert ax.get_legend().get_texts()[0].get_text().startswith("exact: 0 at")
    ax.figure.canvas.draw()


def test_few_ticks_all_powers_of_ten():
    style()
    ax = error_curves({"a": curve("central")})
    ax.figure.canvas.draw()
    for ticks in (ax.get_xticks(), ax.get_yticks()):
        assert 3 <= len(ticks) <= 11
        np.testing.assert_allclose(np.log10(ticks), np.round(np.log10(ticks)), atol=1e-9)
    assert not len(ax.get_xticks(minor=True))


def test_curves_are_drawn_on_the_given_axes():
    _, (left, right) = plt.subplots(1, 2)
    assert error_curves({"a": curve("central")}, ax=left) is left
    assert cost_curves({"a": ([1, 2], [1, 2])}, xlabel="n", ylabel="s", ax=right) is right
    assert plt.get_fignums() == [1]


def test_cost_curves_labels_each_line_at_its_end():
    style()
    orders = np.arange(1, 11)
    curves = {"nested": (orders[:8], 2.0 ** orders[:8]), "jet": (orders, orders**2)}
    ax = cost_curves(curves, xlabel="order of the derivative", ylabel="operations")
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "log")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("order of the derivative", "operations")
    assert ax.get_legend() is None
    for text, line, (x, y) in zip(ax.texts, ax.lines, curves.values(), strict=True):
        assert text.get_text() == line.get_label()
        assert text.get_color() == line.get_color()
        assert text.xy == (x[-1], y[-1])
    assert all(float(tick).is_integer() for tick in ax.get_xticks())


def test_labels_do_not_touch():
    style()
    x = np.arange(1, 6)
    curves = {f"method {i}": (x, (100 + i) * x) for i in range(4)} | {"far": (x, 1.0 * x)}
    ax = cost_curves(curves, xlabel="n", ylabel="operations", xscale="log")
    ax.figure.canvas.draw()
    boxes = sorted((text.get_window_extent() for text in ax.texts), key=lambda box: box.y0)
    for lower, upper in itertools.pairwise(boxes):
        assert lower.y1 <= upper.y0 + 1
    heights = [text.get_window_extent().y0 for text in ax.texts]
    assert heights[:4] == sorted(heights[:4])  # in the order of their lines
    assert heights[4] == min(heights)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: error_curves({}), "no curves to draw; give a dictionary"),
        (lambda: cost_curves({}, xlabel="", ylabel=""), "no curves to draw"),
        (lambda: error_curves({"a": (HS, HS)}, theory={"b": (HS, HS)}), r"theory for \['b'\], but"),
    ],
)
def test_messages(call, message):
    with pytest.raises(ValueError, match=message):
        call()
