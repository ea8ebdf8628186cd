"""Pictures of solutions and of their training: curves, error maps, histories, phase planes, ridges.

Every function takes data, draws it on the given or a new Axes and returns the Axes. Curves and
points may be arrays or tensors, of any device.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.lines import Line2D

from companion.show.curves import BACKGROUND, COLOURS, INK

if TYPE_CHECKING:
    import torch

    from companion.pinn import History, Problem

__all__ = ["error_map", "history_curves", "phase_plane", "ridge", "solutions"]

Numbers: TypeAlias = "Sequence[float] | np.ndarray | torch.Tensor"


def _array(values):
    """(n,) or (n, 1), tensor or array, as an array."""
    if hasattr(values, "detach"):  # a tensor; whoever has one has torch
        values = values.detach().cpu().numpy()
    return np.squeeze(np.asarray(values, dtype=float))


def solutions(
    t: Numbers,
    curves: Mapping[str, Numbers],
    *,
    xlabel: str,
    ylabel: str,
    exact: str = "exact",
    ax: Axes | None = None,
) -> Axes:
    """u against t, one line for each label; the one named by `exact` is dashed, in ink, on top.

    t: (n,); each curve: (n,). Raises ValueError for no curves, or for one of another length.

    >>> t = np.linspace(0, 6, 50)
    >>> ax = solutions(t, {"network": 0 * t, "exact": np.sin(t)}, xlabel="t", ylabel="y")
    >>> [line.get_linestyle() for line in ax.lines]
    ['-', '--']
    """
    _some(curves)
    t, ax = _array(t), ax or plt.subplots()[1]
    ax.set(xlabel=xlabel, ylabel=ylabel)
    for label, values in curves.items():
        u = _array(values)
        if u.shape != t.shape:
            raise ValueError(
                f"{label} has shape {u.shape}, but t has {t.shape}: one value for each t"
            )
        if label == exact:
            ax.plot(t, u, "--", color=INK, linewidth=1.4, label=label, zorder=4)
        else:
            ax.plot(t, u, label=label)
    _legend_above(ax)
    return ax


def error_map(
    problem: Problem,
    u_of: Callable[[torch.Tensor], torch.Tensor],
    *,
    component: int = 0,
    n: int = 101,
    limits: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """|u − u*| over a domain of two axes, coloured by its logarithm; white outside the domain.

    u_of: points (k, 2) → (k, outputs), as problem.solution(network). component: which output.
    limits: (smallest, largest) error of the colours, so that several maps share one scale. A module
    gets the points in its own type and on its own device. Raises ValueError for a domain of another
    dimension, for a problem without an exact solution, and for values of another shape than its.

    >>> from companion.problems import poisson_square
    >>> problem = poisson_square()
    >>> ax = error_map(problem, lambda x: problem.exact(x) + 1e-3, n=11, limits=(1e-6, 1e-2))
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('x', 'y')
    """
    box = problem.domain
    if box.dimension != 2 or problem.exact is None:
        raise ValueError(
            f"an error map needs a domain of two axes and an exact solution; got {box}, exact "
            f"{'given' if problem.exact else 'missing'}"
        )
    import torch  # as the problem did

    from companion.pinn.trial import exact_of

    x = box.points((n, n), "grid")  # of an L, those in the L
    with torch.no_grad():
        error = (_values(u_of, x, problem) - exact_of(problem)(x)).abs()
    error = _array(error[:, _component(component, problem)])
    at, size = _cells(x, box, n), np.full((n, n), np.nan)
    size[at] = error
    low, high = limits or (max(error.max() * 1e-4, 1e-17), max(error.max(), 1e-16))
    ax = ax or plt.subplots(figsize=(5.2, 4.2))[1]
    (x0, x1), (y0, y1) = box.ends().values()
    picture = ax.imshow(
        np.clip(size.T, low, high),
        origin="lower",
        extent=(x0, x1, y0, y1),
        norm=LogNorm(low, high),
        cmap="cividis",
    )
    ax.set(xlabel=box.label(box.names[0]), ylabel=box.label(box.names[1]))
    ax.grid(visible=False)
    of = f" of output {component}" if problem.outputs > 1 else ""
    ax.figure.colorbar(picture, ax=ax, label=f"absolute error{of}", shrink=0.85)
    return ax


def _values(u_of, x, problem):
    """u (k, outputs) at points of float64 on the CPU, there again."""
    import torch

    like = next(u_of.parameters(), x) if isinstance(u_of, torch.nn.Module) else x
    try:
        u = u_of(x.to(like)).to(x)
    except RuntimeError as error:
        raise ValueError(
            f"u_of cannot be evaluated at points of {like.dtype} on {like.device}: {error}. If its "
            "network is of another kind, write lambda x: u(x.to(next(network.parameters())))"
        ) from error
    if u.shape != (len(x), problem.outputs):
        raise ValueError(
            f"u_of has shape {tuple(u.shape)} at {len(x)} points, but the problem has "
            f"{problem.outputs} outputs: expected ({len(x)}, {problem.outputs})"
        )
    return u


def _component(component, problem):
    if component not in range(problem.outputs):
        raise ValueError(
            f"component is one of 0 to {problem.outputs - 1}, the outputs of the problem; got "
            f"{component!r}"
        )
    return component


def _cells(x, box, n):
    """The place of every grid point in an n × n picture."""
    steps = (x - box.low) / (box.high - box.low) * (n - 1)
    return tuple(steps.round().long().numpy().T)


def history_curves(
    history: History, *, x: str = "step", what: str = "losses", ax: Axes | None = None
) -> Axes:
    """A fit as curves: every term of the loss, or its gradient norm, and the error where there is one.

    x: "step" or "seconds". what: "losses" or "norms". A grey line marks where a stage ends
    and the next begins. Raises ValueError for another name, and for a history without records.

    >>> from companion.pinn import History                               # fit(...).history is one
    >>> entry = {"stage": "Adam", "equation": 0.1, "norms": {"equation": 2.0}, "error": 0.5}
    >>> history = History([entry | {"step": 100}, entry | {"step": 200}])
    >>> [line.get_label() for line in history_curves(history).lines]
    ['equation', 'relative error']
    """
    if x not in ("step", "seconds") or what not in ("losses", "norms"):
        raise ValueError(f'x is "step" or "seconds", what "losses" or "norms"; got {x!r}, {what!r}')
    if not history.records:
        raise ValueError("the history is empty: fit a step or more")
    ax = ax or plt.subplots()[1]
    label = "time (s)" if x == "seconds" else "step"
    ax.set(yscale="log", xlabel=label, ylabel="loss" if what == "losses" else "gradient norm")
    at = history.column(x)
    for name in history.records[0]["norms"]:
        sizes = [r[name] if what == "losses" else r["norms"][name] for r in history.records]
        ax.plot(at, sizes, label=name)
    if what == "losses" and history.error is not None:
        ax.plot(at, history.column("error"), "--", color=INK, label="relative error")
        ax.set(ylabel="loss, error")
    _mark_stages(ax, at, history.records)
    _legend_above(ax)
    return ax


def _mark_stages(ax, at, records):
    """A line where a stage begins, with its name where there is room: curves fall to the right."""
    stages = [record["stage"] for record in records]
    numbers = [record.get("number", record["stage"]) for record in records]
    for i in range(1, len(stages)):
        if numbers[i] != numbers[i - 1]:
            late = at[i - 1] > 0.6 * at[-1]
            ax.axvline(at[i - 1], color=COLOURS["grey"], linewidth=1)
            ax.annotate(
                f"{stages[i]} →" if late else stages[i],  # the name of what is right of the line
                (at[i - 1], 0 if late else 1),
                xytext=(-4, 6) if late else (4, -12),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha="right" if late else "left",
                color=COLOURS["grey"],
            )


def phase_plane(
    paths: Mapping[str, tuple[Numbers, Numbers]],
    *,
    field: Callable[[np.ndarray, np.ndarray], Any] | None = None,
    xlabel: str,
    ylabel: str,
    exact: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Paths in the plane of two unknowns, each from a dot to a ring, over the arrows of a field.

    paths: {label: (first (n,), second (n,))}; field(x, y) → (dx/dt, dy/dt), on arrays. The one
    named by `exact` is dashed, in ink. Arrows show the direction; all have the same length. Raises
    ValueError for no paths.

    >>> t = np.linspace(0, 6, 50)
    >>> ax = phase_plane({"circle": (np.cos(t), np.sin(t))}, xlabel="y", ylabel="y′",
    ...                  field=lambda x, y: (-y, x))
    """
    _some(paths)
    ax = ax or plt.subplots()[1]
    ax.set(xlabel=xlabel, ylabel=ylabel)
    for label, (first, second) in paths.items():
        x, y = _array(first), _array(second)
        style = {"linestyle": "--", "color": INK, "zorder": 4} if label == exact else {"zorder": 3}
        (line,) = ax.plot(x, y, label=label, **style)
        colour = line.get_color()
        ax.plot(x[:1], y[:1], "o", color=colour, zorder=5)
        ax.plot(x[-1:], y[-1:], "o", color=colour, mfc=BACKGROUND, mew=2, markersize=8, zorder=5)
    if field is not None:
        (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
        x, y = np.meshgrid(np.linspace(x0, x1, 17)[1:-1], np.linspace(y0, y1, 13)[1:-1])
        u, v = field(x, y)
        size = np.hypot(u, v)
        size = np.where(size > 0, size, 1)
        arrows: dict[str, Any] = {
            "angles": "xy",
            "pivot": "mid",
            "width": 0.004,
            "color": "#b9b6ad",
            "zorder": 1,
        }
        ax.quiver(x, y, u / size, v / size, **arrows)
    _legend_above(ax)
    return ax


def ridge(
    x: Numbers,
    y: Numbers,
    cost: Numbers,
    *,
    best: Sequence[float],
    xlabel: str,
    ylabel: str,
    truth: Sequence[float] | None = None,
    levels: Sequence[float] = (2.30, 5.99),
    ax: Axes | None = None,
) -> Axes:
    """Where two parameters are as good as the best: regions of χ² − min χ² below some levels.

    x: (k,), y: (l,), cost: (l, k), each χ² at (x, y). best and truth: (x, y). The region below a
    level ℓ holds 1 − e^{−ℓ/2} of the confidence in two parameters, and is labelled so: 2.30 with
    68 %, 5.99 with 95 %. Raises ValueError for a cost of another shape, and for levels that do not
    rise from above 0.

    >>> x = np.linspace(-3, 3, 61)
    >>> ax = ridge(x, x, x[None] ** 2 + x[:, None] ** 2, best=(0, 0), xlabel="β", ylabel="γ")
    """
    x, y, cost = _array(x), _array(y), _array(cost)
    if cost.shape != (len(y), len(x)):
        raise ValueError(
            f"cost has shape {cost.shape}; expected (len(y), len(x)) = {(len(y), len(x))}"
        )
    levels = tuple(levels)
    if not levels or list(levels) != sorted({*levels}) or levels[0] <= 0:
        raise ValueError(f"levels rise from above 0, as (2.30, 5.99); got {levels}")
    ax = ax or plt.subplots()[1]
    above = cost - cost.min()
    shades = LinearSegmentedColormap.from_list("", ["#0a5fb8", "#9cc3ea"])(
        np.linspace(0, 1, max(len(levels), 2))[: len(levels)]
    )
    ax.contourf(x, y, above, levels=[0, *levels], colors=shades)
    ax.plot(*best, "o", color=INK, label="least squares")
    if truth is not None:
        ax.plot(*truth, "x", color=COLOURS["vermillion"], mew=2.5, markersize=9, label="truth")
    ax.set(xlabel=xlabel, ylabel=ylabel)
    handles, _ = ax.get_legend_handles_labels()
    regions = [
        Line2D([], [], color=shade, linewidth=7, label=_confidence(level))
        for shade, level in zip(shades, levels)
    ]
    _legend_above(ax, handles=[*handles, *regions])
    return ax


def _confidence(level):
    """The share of χ² of two degrees of freedom that lies below a level."""
    percent = -100 * np.expm1(-level / 2)
    return f"{percent:.0f} %" if percent < 99 else f"{percent:.3g} %"


def _legend_above(ax, **options):
    ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.3, borderpad=0, ncols=2, **options
    )


def _some(curves):
    if not curves:
        raise ValueError("nothing to draw; give a dictionary from a label to its arrays")
