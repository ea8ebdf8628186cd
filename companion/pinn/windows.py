"""march: one time window after another, the end of one the start of the next. The gallery.

Over a long time a network must hold many turns at once, and a fit finds the solution that stands still
before it finds the right one. Over a window it holds a few, and begins where it is right.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from companion.pinn.arguments import asked_by, need_function, need_kind, need_number, need_whole
from companion.pinn.conditions import Start
from companion.pinn.domain import Box
from companion.pinn.forms import Form, rms
from companion.pinn.loop import Event
from companion.pinn.problem import Condition, Problem
from companion.pinn.residuals import batch_of, residuals
from companion.pinn.solution import History, Solution
from companion.pinn.stages import Stage
from companion.pinn.starts import written
from companion.pinn.training import fit
from companion.pinn.trial import Trial
from companion.pinn.units import sizes_of

HALVINGS = 6  # of a window, at most, before the march goes on as it is


def march(
    problem: Problem,
    network_of: Callable[[Problem], nn.Module],
    stages: Sequence[Stage],
    windows: int = 10,
    *,
    tolerance: float | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = True,
    **options: Any,
) -> Solution:
    """Solve a problem window after window along its time axis; returns one Solution over all of them.

    The start is that of `hard`, a Start, or the soft conditions whose points all lie at the first time: in
    a later window they ask for what the solution before it has there, of = of(before). Other conditions
    keep the points that a window holds. network_of(problem): the network of a window, made for its
    problem; it begins with the parameters of the one before, where that has as many of each shape. stages and
    options: those of fit; points may be a function of the problem of a window, too, as
    lambda part: refined(part.domain, 500, every=5). windows: how many of the same length. tolerance: a
    window whose residuals, at points of their own, speak of a larger error of u is solved again as two halves,
    six times at most, and then it is said. checkpoint: a folder; a march that was killed goes on from it;
    one whose fit is broken off, by Ctrl-C or NaN, ends there, and says so.

    Raises ValueError for a problem without a start, with unknowns (all times tell of them: fit), or with
    an ansatz of one's own, for a network that two windows share, and as fit does.

    >>> from companion.pinn import MLP, LevenbergMarquardt
    >>> turns = Problem(Box(t=(0.0, 20.0)), lambda u, t: u(0, 0) + u(), hard=(Start(1.0, 0.0),),
    ...                 exact=torch.cos, order=2)
    >>> network_of = lambda part: MLP(part.domain, (14,), spread=2.0)
    >>> march(turns, network_of, [LevenbergMarquardt(25)], 8, points=40, progress=False).error < 1e-3
    True

    Source: Wang & Perdikaris, *Long-time integration of parametric evolution equations with
    physics-informed DeepONets* (2023); the gallery.
    """
    refuse_march(problem, network_of, windows, checkpoint)
    if tolerance is not None:
        need_number("tolerance", tolerance, above=0)
    axis = problem.domain.names[time_column(problem)]
    begin, end = problem.domain.ends()[axis]
    edges = [begin + (end - begin) * k / windows for k in range(windows)] + [end]
    left = [(low, high, 0) for low, high in pairwise(edges)]
    parts: list[Solution] = []
    with tqdm(total=end - begin, desc=axis, disable=not progress) as bar:
        while left:
            low, high, halved = left.pop(0)
            part = window(problem, axis, low, high, parts[-1] if parts else None)
            network = handed_on(parts[-1] if parts else None, network_of(part))
            found, broken = fitted(part, network, stages, checkpoint, bool(parts), options)
            if broken:
                parts, left = [*parts, found], []
                warnings.warn(
                    f"the march ends in {part.domain}: what comes later is not solved", stacklevel=2
                )
            elif good_enough(part, found, tolerance, halved):
                parts.append(found)
                bar.update(high - low)
            else:
                middle = (low + high) / 2
                left[:0] = [(low, middle, halved + 1), (middle, high, halved + 1)]
    return joined(problem, axis, parts)


def handed_on(before: Solution | None, network: nn.Module) -> nn.Module:
    """The network with the parameters of the window before, if it has as many of each shape."""
    need_kind("what network_of gives", network, nn.Module, "an nn.Module, MLP(part.domain) for one")
    if before is None:
        return network
    old, own = (list(net.parameters()) for net in (before.network, network))
    if any(p is q for p in own for q in old):
        raise ValueError(
            "network_of gave the network of the window before, whose solution it is: make a new one "
            "each time, as lambda part: MLP(part.domain, (20,))"
        )
    if [p.shape for p in own] == [q.shape for q in old]:
        with torch.no_grad():
            for p, q in zip(own, old, strict=True):
                p.copy_(q)
    return network


def fitted(
    part: Problem,
    network: nn.Module,
    stages: Sequence[Stage],
    folder: str | Path | None,
    later: bool,
    options: dict[str, Any],
) -> tuple[Solution, bool]:
    """(the solution of one window, whether its fit was broken off); its checkpoint is a file in the folder."""
    axis = part.domain.names[time_column(part)]
    low, high = part.domain.ends()[axis]
    if callable(points := options.get("points")):
        options = {**options, "points": points(part)}
    path = None if folder is None else Path(folder) / f"{low:.6g}-{high:.6g}.pt"
    with warnings.catch_warnings():
        if later:  # over a short time a solution changes little, which is no fault of its units
            warnings.filterwarnings("ignore", "the solution seems to be of the size")
        callbacks = options.get("callbacks", ())
        need_kind("callbacks", callbacks, (list, tuple), "a list of functions, [callback]")
        last: dict[str, Event] = {}
        options = {**options, "callbacks": [*callbacks, lambda event: last.update(event=event)]}
        found = fit(part, network, stages, checkpoint=path, progress=False, **options)
    return found, any(event.broken for event in last.values())


def good_enough(part: Problem, found: Solution, tolerance: float | None, halved: int) -> bool:
    """Whether the error that the residuals of a window speak of is small; said where no half is left."""
    if tolerance is None or (error := estimated_error(part, found)) <= tolerance:
        return True
    if halved < HALVINGS:
        return False
    warnings.warn(
        f"the residuals in {part.domain} speak of an error of {error:.1e}, above the tolerance "
        f"{tolerance:.1e}, and it was halved {HALVINGS} times: give it more steps, or a wider network",
        stacklevel=3,
    )
    return True


def estimated_error(part: Problem, found: Solution, n: int = 256) -> float:
    """U times the largest √(mean r²)/R at points that the fit has not seen.

    A network's output of the size U makes residuals of the size R (see sizes_of), so residuals of the size r
    are those of a change U r/R of u, were it as smooth.
    """
    x = part.domain.points(n, "uniform", seed=1).to(next(found.parameters()))
    params, sizes = found.trial.params(), sizes_of(part)
    rows = residuals(part, params, batch_of(part, x))
    shares = [rms(r) / sizes.terms[term].to(r) for term, (r, _) in rows.items()]
    return (torch.cat(shares).max() * sizes.outputs.max()).item()


def time_column(problem: Problem) -> int:
    """The column of time: that of the Start, else "t", else the first one."""
    for condition in problem.hard:
        if isinstance(condition, Start):
            return condition.column(problem.domain)
    return problem.domain.column("t") if "t" in problem.domain.names else 0


def window(
    problem: Problem, axis: str, low: float, high: float, before: Solution | None
) -> Problem:
    """The problem between two times, its start where the solution before it ends."""
    box = between(problem.domain, axis, low, high)
    conditions = [cut(c, box, problem, before) for c in problem.conditions]
    hard = problem.hard
    if before is not None:
        others = tuple(c for c in hard if not isinstance(c, Start))
        edges = Form(before.problem.domain, others, problem.outputs)
        hard = tuple(
            written(c, box, axis, edges, before) if isinstance(c, Start) else c for c in hard
        )
    kept = tuple(c for c in conditions if c is not None)
    return replace(problem, domain=box, conditions=kept, hard=hard)


def between(box: Box, axis: str, low: float, high: float) -> Box:
    """The part of a box between two places of an axis."""
    found = copy(box)  # of its own class, which may have points of its own
    place = torch.arange(box.dimension) == box.column(axis)
    found.low = torch.where(place, low, box.low)
    found.high = torch.where(place, high, box.high)
    return found


def cut(c: Condition, box: Box, problem: Problem, before: Solution | None) -> Condition | None:
    """A condition in a window: a start asks for what was before, others keep the points that lie in it."""
    i = time_column(problem)
    time = c.points[:, i]
    if (time == problem.domain.low[i]).all():
        if before is None:
            return c
        points = c.points.clone()
        points[:, i] = box.low[i]
        values = c.of(before.partials(points), points, **asked_by(c.of, c.given))
        weight = c.weight if c.sigma is None else 1.0
        return replace(c, points=points, values=values.detach(), weight=weight)
    slack = 1e-9 * (box.high[i] - box.low[i])
    inside = (time >= box.low[i] - slack) & (time <= box.high[i] + slack)
    return taken(c, inside) if inside.any() else None


def taken(c: Condition, rows: Tensor) -> Condition:
    """A condition at some of its points."""

    def some(table: Any) -> Any:
        return table[rows] if torch.as_tensor(table).ndim else table

    return replace(
        c,
        points=c.points[rows],
        values=some(c.values),
        weight=some(c.weight) if c.sigma is None else 1.0,
        sigma=None if c.sigma is None else some(c.sigma),
        given={name: some(table) for name, table in c.given.items()},
    )


class Piecewise(nn.Module):
    """u of the window that a time lies in; at a time between two, of the later one."""

    def __init__(self, column: int, parts: Sequence[Solution]) -> None:
        super().__init__()
        self.column, self.parts = column, nn.ModuleList(parts)
        ends = [part.problem.domain.high[column].item() for part in parts[:-1]]
        self.spans = list(pairwise([-math.inf, *ends, math.inf]))

    def forward(self, x: Tensor) -> Tensor:
        i = self.column
        time = x[:, i : i + 1]
        found = torch.zeros_like(time)
        for part, (low, high) in zip(self.parts, self.spans, strict=True):
            own = torch.cat([x[:, :i], time.clamp(low, high), x[:, i + 1 :]], 1)
            u = part(own)  # far from its window it may be infinite: it is never asked there
            found = torch.where(time < low, found, u)
        return found


def joined(problem: Problem, axis: str, parts: list[Solution]) -> Solution:
    """One solution of all windows, with their records one after another, each with its window."""
    network = Piecewise(problem.domain.column(axis), parts)
    records: list[dict[str, Any]] = []
    step, seconds = 0, 0.0
    for number, part in enumerate(parts):
        for record in part.history.records:
            later = {"step": step + record["step"], "seconds": seconds + record["seconds"]}
            records.append({**record, **later, "window": number})
        if records:
            step, seconds = records[-1]["step"], records[-1]["seconds"]
    stopped = next((p.history.stopped for p in parts if p.history.stopped), None)
    whole = replace(problem, hard=(), domain=problem.domain)
    found = Solution(Trial(whole, network), History(records, stopped))
    if records and problem.exact is not None:
        records[-1]["error"] = found.error
    return found


def refuse_march(problem: Problem, network_of: Any, windows: int, folder: Any) -> None:
    """Raise TypeError or ValueError for what cannot be solved window after window."""
    need_kind("problem", problem, Problem, "a Problem")
    need_function("network_of", network_of, "of the problem of a window, → nn.Module")
    need_whole("windows", windows, 1)
    need_kind("checkpoint", folder, (str, Path, type(None)), "the name of a folder")
    if folder is not None and not Path(folder).is_dir():
        raise ValueError(f"the checkpoint of a march is a folder that exists; got {folder!r}")
    if problem.unknowns:
        raise ValueError(
            f"all times tell of {', '.join(problem.unknowns)}, so no window can be solved alone: use fit"
        )
    if problem.ansatz is not None:
        raise ValueError(
            "an ansatz, of your own or of scaled(…), holds at the first start alone: give hard=(Start(…),), "
            "or a Condition"
        )
    i = time_column(problem)
    time = problem.domain.names[i]
    across = [
        n for n, whole in problem.integrals.items() if time in whole.box(problem.domain).names
    ]
    across += [c.name for c in problem.conditions if c.beside or asked_by(c.of, problem.integrals)]
    if across:
        raise ValueError(
            f"{', '.join(across)}: an integral along {time}, or a condition with an integral or with points "
            "beside it, may see other windows: use fit"
        )
    first = [(c.points[:, i] == problem.domain.low[i]).all() for c in problem.conditions]
    if not any(first) and not any(isinstance(c, Start) for c in problem.hard):
        raise ValueError(
            f"no condition stands at the start of {problem.domain.names[i]}: hard=(Start(…),), or a "
            "Condition whose points all lie there"
        )
