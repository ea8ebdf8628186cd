"""Curves on logarithmic axes: error against step, cost against order or size.

Every function takes data, draws it on the given or a new Axes and returns the Axes. `style` is for
the top of a chapter; the functions do not depend on it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator

from companion.engines.error_curves import measured_best, running_median

__all__ = ["BACKGROUND", "COLOURS", "INK", "cost_curves", "error_curves", "style"]

Curves: TypeAlias = Mapping[str, Sequence[Any]]  # label: a pair of arrays

BACKGROUND, INK, GRID = "#fdfcf9", "#22262b", "#e4e1d8"
# The hues of Okabe and Ito, darkened until each has a contrast of 4.5 to the background.
COLOURS = {
    "blue": "#0a5fb8",
    "vermillion": "#c04a00",
    "green": "#007a5a",
    "purple": "#a2457e",
    "ochre": "#8a6500",
    "grey": "#5c6066",
}


def style() -> None:
    """Set matplotlib's rcParams for the figures of the book, and nothing else.

    An opaque light sheet with dark ink, so that a figure reads the same on a light and on a dark
    page; colours that stay apart for colour-blind readers; letters that are still legible when 6.4
    inches shrink to a phone.

    >>> style()
    >>> mpl.rcParams["figure.figsize"]
    [6.4, 4.0]
    """
    mpl.rcParams.update(
        {
            "figure.figsize": (6.4, 4.0),
            "figure.dpi": 150,
            "figure.constrained_layout.use": True,
            "figure.facecolor": BACKGROUND,
            "axes.facecolor": BACKGROUND,
            "savefig.facecolor": BACKGROUND,
            "font.size": 12,
            "axes.labelsize": 12,
            "axes.titlesize": 13,
            "xtick.labelsize": 11,
            "ytick.labelsize": 11,
            "legend.fontsize": 11,
            "text.color": INK,
            "axes.labelcolor": INK,
            "axes.edgecolor": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "axes.prop_cycle": mpl.rcsetup.cycler(color=COLOURS.values()),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": GRID,
            "grid.linewidth": 0.8,
            "lines.linewidth": 2.0,
            "lines.markersize": 5.0,
            "legend.frameon": False,
        }
    )


def error_curves(
    curves: Curves,
    *,
    theory: Curves | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Error against step, both logarithmic: one U per scheme, with its measured best step.

    `curves` maps a label to (hs, errors), each of shape (k,), as from `error_curve`. Every error is
    a faint dot, their running median a line (half a decade short at both ends), and its bottom a
    ring; the legend, above the axes, says where the ring is. `theory` maps some of the labels to
    (truncation, rounding) on the same steps, as from `error_theory`; the larger of the two is drawn
    dashed. An error of exactly zero has no place on the axis and is left out. Raises ValueError for
    no curves, and for a label in `theory` that is not among them.

    >>> hs = np.logspace(-8, 0, 161)
    >>> ax = error_curves({"forward": (hs, hs + 1e-16 / hs)})
    >>> ax.get_xscale(), ax.get_yscale()
    ('log', 'log')
    """
    theory = theory or {}
    _check_labels(curves, theory)
    ax = ax or plt.subplots()[1]
    ax.set(xscale="log", yscale="log", xlabel="step $h$", ylabel="absolute error")
    for label, (hs, errors) in curves.items():
        hs, errors = np.asarray(hs, dtype=float), np.asarray(errors, dtype=float)
        ascending = np.argsort(hs)
        hs, errors = hs[ascending], errors[ascending]
        h, error = measured_best(hs, errors)
        name = f"{label}: {_power(error)} at $h$ = {_power(h)}"
        whole = (np.sqrt(10) * hs[0] <= hs) & (hs <= hs[-1] / np.sqrt(10))  # the median's windows
        typical = np.where(whole, running_median(hs, errors), 0)
        (line,) = ax.plot(hs, _positive(typical), label=name, zorder=3)
        colour = line.get_color()
        ax.plot(hs, _positive(errors), ".", color=colour, markersize=2.5, alpha=0.3, zorder=2)
        ax.plot(h, error, "o", color=colour, mfc=BACKGROUND, mew=2, markersize=9, zorder=4)
        if label in theory:
            ax.plot(hs, np.maximum(*theory[label]), "--", color=colour, linewidth=1.2, zorder=2)
    _decades(ax)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.3, borderpad=0)
    return ax


def cost_curves(
    curves: Curves,
    *,
    xlabel: str,
    ylabel: str,
    xscale: str = "linear",
    yscale: str = "log",
    ax: Axes | None = None,
) -> Axes:
    """Cost against order or size: one line per method, with its name at the end.

    `curves` maps a label to (x, cost), each of shape (k,). Labels that would touch are moved apart.
    The labels of the axes must name the quantity and its unit. Raises ValueError for no curves.

    >>> ax = cost_curves({"jet": ([1, 2, 3], [1, 4, 9]), "nested": ([1, 2, 3], [2, 8, 32])},
    ...                  xlabel="order of the derivative", ylabel="operations")
    >>> [text.get_text() for text in ax.texts]
    ['jet', 'nested']
    """
    _check_labels(curves, {})
    ax = ax or plt.subplots()[1]
    ax.set(xscale=xscale, yscale=yscale, xlabel=xlabel, ylabel=ylabel)
    lines = [ax.plot(x, cost, "o-", label=label)[0] for label, (x, cost) in curves.items()]
    places = [float(x) for line in lines for x in np.asarray(line.get_xdata())]
    if xscale == "linear" and all(x.is_integer() for x in places):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    _label_ends(ax, lines)
    return ax


def _label_ends(ax, lines):
    """Write each line's label to the right of its last point, at least one line of text apart."""
    ends = [(line.get_xdata()[-1], line.get_ydata()[-1]) for line in lines]
    ax.autoscale_view()  # the limits of the data, before the transformation is used
    size = mpl.rcParams["font.size"]
    points = 72 / ax.figure.dpi
    heights = [ax.transData.transform(end)[1] * points for end in ends]
    wishes = _spread(heights, 1.25 * size)
    for line, end, height, wish in zip(lines, ends, heights, wishes, strict=True):
        ax.annotate(
            line.get_label(),
            end,
            xytext=(8, wish - height),
            textcoords="offset points",
            va="center",
            color=line.get_color(),
            annotation_clip=False,
        )


def _spread(heights, gap):
    """Heights moved apart to at least `gap`, in their order, each cluster about its own middle."""
    clusters: list[Any] = []  # of [mean wish, indices]
    for i in np.argsort(heights, kind="stable"):
        clusters.append([heights[i], [i]])
        while len(clusters) > 1 and _overlap(clusters[-2], clusters[-1], gap):
            _, upper = clusters.pop()
            members = clusters.pop()[1] + upper
            clusters.append([np.mean([heights[j] for j in members]), members])
    moved = np.empty(len(heights))
    for middle, members in clusters:
        moved[members] = middle + gap * (np.arange(len(members)) - (len(members) - 1) / 2)
    return moved


def _overlap(lower, upper, gap):
    return upper[0] - lower[0] < gap * (len(lower[1]) + len(upper[1])) / 2


def _decades(ax):
    """A tick for a few whole powers of ten, no minor ticks."""
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(numticks=9))
        axis.set_minor_locator(mpl.ticker.NullLocator())


def _positive(values):
    return np.where(values > 0, values, np.nan)


def _power(number):
    """A number as mathematics: 1.4·10⁻⁵."""
    if not number:
        return "0"
    digits, power = f"{number:.1e}".split("e")
    return rf"${digits}\cdot10^{{{int(power)}}}$"


def _check_labels(curves, theory):
    if not curves:
        raise ValueError("no curves to draw; give a dictionary from a label to its two arrays")
    if stray := [label for label in theory if label not in curves]:
        raise ValueError(f"theory for {stray}, but the curves are {list(curves)}")
