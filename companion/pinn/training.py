"""fit: run with its usual parts. Stop on NaN, record, checkpoint, progress, Ctrl-C. Chapters 12 to 14.

A part is called with the event of a step; it may look at it, and stop the run. They are plain objects
in a list, and callbacks of one's own stand beside them.
"""

import hashlib
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from numbers import Integral
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from companion.pinn.arguments import need_function, need_kind, need_whole
from companion.pinn.batches import Batches, fixed, refuse_points, sampled
from companion.pinn.doubts import warn_of_beyond, warn_of_unseen, warn_of_untied
from companion.pinn.loop import Event, first_state, refuse_untrainable, started, steps
from companion.pinn.missing import missing
from companion.pinn.parts import Checkpoint, Due, Guard, Interrupt, Metric, Progress, number, record
from companion.pinn.problem import RECORDED, Problem
from companion.pinn.processes import ALONE, Processes
from companion.pinn.solution import History, Solution
from companion.pinn.stages import Stage
from companion.pinn.state import State, load
from companion.pinn.strangers import warn_of_idle
from companion.pinn.trial import Causal, Objective
from companion.pinn.units import warn_of_units

Callback: TypeAlias = Callable[[Event], Any]

OFTEN = 10  # steps from one draw of points to the next, in two axes or more
SELDOM = 1000  # steps; after so many at the latest it is seen whether all is finite
SHUT = 0.5  # a causal weight below this, at the end, is worth a word


def fit(
    problem: Problem,
    network: nn.Module,
    stages: Sequence[Stage],
    *,
    points: int | tuple[int, ...] | Tensor | Batches = 256,
    sampler: str = "sobol",
    seed: int = 0,
    resample: int | None = None,
    causal: Causal | None = None,
    balance: int = 0,
    log_interval: int | timedelta = 100,
    metrics: Mapping[str, Metric] | None = None,
    callbacks: Sequence[Callback] = (),
    checkpoint: str | Path | None = None,
    progress: bool = True,
    method: str | None = None,
    processes: Processes = ALONE,
) -> Solution:
    """Train the network (in place) until it obeys the problem; returns the Solution.

    network: a module from points to what the ansatz takes, or a Solution, to go on from it. stages:
    Adam(...), LBFGS(...), LevenbergMarquardt(...), one after another. points: how many collocation
    points, drawn by `sampler` from the seed (see Box.points), anew every `resample` steps unless 0; or
    the points themselves (n, d); or Batches, a source of points, as refined(...). Where resample is
    None, points in two axes or more are drawn anew every 10 steps (every `compiled` steps, if an Adam
    makes more at once), since a network may learn few points by heart; in one axis, or on a grid, they
    stay. causal: Causal(...) or None. balance:
    every so many steps the gradient norms of all terms are brought closer to each other; 0: never.

    log_interval: steps, or a timedelta, between two records; at each the losses are looked at too.
    metrics: {name: function of the Solution}, recorded, and tried once before the first step.
    callbacks: called with the Event of each step, to look at it; where a record was made it is
    event.record; event.stop("why") ends the fit. checkpoint: a file; written with every record and when
    the fit is interrupted, and if it is there the fit goes on from it, to the same bits; more stages may
    follow those it was written in, and other log intervals.
    processes: joined(), where several make this fit (see pinn.processes): each calls fit with the same
    arguments and gets the same solution; the first shows the bar and writes the checkpoint.

    Ctrl-C keeps what was reached; a NaN goes back to the last parameters with a finite loss, and
    leaves the checkpoint alone; a checkpoint that cannot be written ends the fit; all three warn. So
    does a fit that begins with a condition missing, one that ends without having arrived, unless a
    callback stops it, and one whose equation holds at its points alone. Raises ValueError for what
    cannot work: a network that does not fit the problem (its shape, its activation), another fit's
    checkpoint.

    Source: chapter 12.
    """
    refuse_settings(seed, balance, metrics, callbacks, checkpoint)
    objective = started(problem, network, stages, causal, method, processes)
    refuse_times(log_interval, processes)
    if resample is None:
        resample = usual_resample(problem, stages, points, sampler)
    batches = source(problem, points, sampler, seed, resample)
    identity = identity_of(stages, points, sampler, seed, resample, causal, balance, method)
    state = on_disk(checkpoint, objective, identity) or first_state(objective, batches)
    refuse_untrainable(objective, stages, state)
    parts = Parts(
        Due(log_interval),
        Guard(state, lambda good: steps(objective, stages, batches, balance, good, most=1)),
        metrics or {},
        Progress(progress and not processes.rank, sum(stage.steps for stage in stages), state.step),
        Checkpoint(checkpoint, identity) if checkpoint else None,
    )
    try_metrics(metrics or {}, objective, state)
    if not state.step and not isinstance(network, Solution):
        warn_of_units(objective, state)
        warn_of_idle(objective, state)
        warn_of_beyond(objective, state)
        warn_of_untied(objective)
        if said := missing(problem):
            objective.warn("missing", said)
    with Interrupt(processes.count == 1) as ctrl_c, parts.progress:
        event = None
        for event in steps(objective, stages, batches, balance, state):
            if ctrl_c.pressed:
                event.break_off(f"interrupted after step {event.step}")
            parts.see(event, callbacks)
    if event is None:
        return Solution(objective.trial, History(list(state.records)))
    return ended(event)


def ended(event: Event) -> Solution:
    """The solution of a fit, and what is to be said of how it ended."""
    solution = event.solution
    if event.broken:
        warnings.warn(f"fit stopped early: {solution.history.stopped}", stacklevel=3)
    stuck = getattr(event.stage, "stuck", None)
    if stuck and not event.stopped and (said := stuck(event.state.memory)):
        warnings.warn(said, stacklevel=3)
    if not event.broken:
        warn_of_unseen(event.objective, event.state)
    smallest = (solution.history.records or [{}])[-1].get("smallest_weight", 1.0)
    if smallest < SHUT:
        last = solution.history.records[-1]
        warnings.warn(
            f"the causal weights have not opened: the smallest is {smallest:.1e}, so the loss of "
            f"{last['loss']:.1e} hides one of {last['unweighted']:.1e} without them. More steps, or a "
            "smaller epsilon",
            stacklevel=3,
        )
    return solution


class Parts:
    """What fit does with each event: look for NaN, record, show, save."""

    def __init__(
        self,
        due: "Due",
        guard: "Guard",
        metrics: Mapping[str, Metric],
        progress: "Progress",
        checkpoint: "Checkpoint | None",
    ) -> None:
        self.due, self.guard, self.metrics = due, guard, metrics
        self.progress, self.checkpoint = progress, checkpoint

    def see(self, event: Event, callbacks: Sequence[Callback]) -> None:
        """All of it, for one event."""
        self.guard.add(event)
        if self.due(event):
            self.look(event)
        elif event.step // SELDOM > event.before.step // SELDOM:
            self.guard.look(event)  # where reports are far between
        for callback in callbacks:
            callback(event)
        if event.stopped and event.record is None:
            self.look(event)
        self.progress.show(event)
        if self.checkpoint and event.record is not None and not self.guard.failed:
            self.checkpoint.write(event)

    def look(self, event: Event) -> None:
        """A report: whether all is finite, the record, and whether the stage has arrived."""
        event.objective.processes.refuse_different({"parameters": event.state.theta})
        record(event, self.guard.look(event), self.metrics)
        finished = getattr(event.stage, "finished", None)
        if finished and not (event.stopped or event.last) and finished(event.state.memory):
            event.next_stage()


def on_disk(
    path: str | Path | None, objective: Objective, identity: dict[str, Any]
) -> State | None:
    """The state of a checkpoint, if there is one. Raises ValueError for a place that takes none."""
    if path is None:
        return None
    path = Path(path)
    if path.exists() and not path.is_file():
        raise ValueError(f"the checkpoint {path} is no file; give the name of one")
    if path.exists():
        return load(path, objective.trial, identity)
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise ValueError(
            f"the checkpoint {path} cannot be written: {path.parent} is no folder that can be written "
            "to. Make it first"
        )
    return None


def refuse_settings(seed: int, balance: int, metrics: Any, callbacks: Any, checkpoint: Any) -> None:
    """Raise ValueError or TypeError for settings of fit that are not what they should be."""
    need_whole("seed", seed, 0)
    need_whole("balance", balance, 0)
    expected = "a dictionary, {name: function of the Solution}"
    need_kind("metrics", metrics, (Mapping, type(None)), expected)
    for name, metric in (metrics or {}).items():
        need_function(f"metric {name}", metric, "of the Solution")
    need_kind("callbacks", callbacks, (list, tuple), "a list of functions, [callback]")
    for callback in callbacks:
        need_function("a callback", callback, "of the Event")
    need_kind("checkpoint", checkpoint, (str, Path, type(None)), "the name of a file")


def try_metrics(metrics: Mapping[str, Metric], objective: Objective, state: State) -> None:
    """Raise what a metric would raise at the first record."""
    solution = Solution(objective.trial, History(list(state.records)))
    objective.trial.load(state.theta)
    for name, metric in metrics.items():
        number(name, metric(solution), RECORDED | set(state.batch))


def usual_resample(problem: Problem, stages: Sequence[Stage], points: Any, sampler: str) -> int:
    """After how many steps points are drawn anew, if nobody says it; 0: never."""
    if problem.domain.dimension == 1 or sampler == "grid" or not isinstance(points, Integral):
        return 0
    return max(OFTEN, *(getattr(stage, "compiled", 0) for stage in stages))


def refuse_times(log_interval: Any, processes: Processes) -> None:
    """Raise ValueError for reports by the time, which is another one in each process."""
    if processes.count > 1 and isinstance(log_interval, timedelta):
        raise ValueError(
            f"{processes.count} processes make a report after the same step, not at the same time: "
            f"log_interval=100, a number of steps; got {log_interval!r}"
        )


def source(problem: Problem, points: Any, sampler: str, seed: int, resample: int) -> Batches:
    """Where the points come from. Raises ValueError for settings of which one would be ignored."""
    need_whole("resample", resample, 0)
    if not isinstance(points, (Batches, torch.Tensor, Integral, tuple)):
        raise TypeError(
            "points is a number of points, a tensor (n, d), or Batches, a source of points; got "
            f"{type(points).__name__}. Write torch.from_numpy(x), or Batches(draw)"
        )
    if isinstance(points, (Batches, torch.Tensor)):
        if resample or sampler != "sobol":
            what = "these points" if isinstance(points, torch.Tensor) else "Batches"
            raise ValueError(
                f"resample and sampler say how points are drawn, but {what} say that themselves: leave "
                "them out, or write Batches(draw, every=…)"
            )
        if isinstance(points, Batches):
            return points
        return fixed(refuse_points(problem.domain, points))
    count: Any = points
    return sampled(problem.domain, count, sampler, seed, resample)


def identity_of(stages: Sequence[Stage], points: Any, *settings: Any) -> dict[str, Any]:
    """What makes this fit another one: all settings but the steps of the stages.

    Points are known by their numbers, a source of them by the name of its function.
    """
    names = ("sampler", "seed", "resample", "causal", "balance", "method")
    return {
        "points": points_named(points),
        **{name: repr(value) for name, value in zip(names, settings, strict=True)},
        "stages": [named(stage) for stage in stages],
    }


def points_named(points: Any) -> str:
    """Where points come from, in words that another source has not."""
    if isinstance(points, torch.Tensor):
        digits = points.detach().cpu().contiguous().numpy().tobytes()
        return f"points {tuple(points.shape)}, {hashlib.sha256(digits).hexdigest()[:12]}"
    if isinstance(points, Batches):
        name = getattr(points.draw, "__qualname__", type(points.draw).__name__)
        return f"{name}, every {points.every}, rows {dict(points.rows)}, seed {points.seed}"
    return repr(points)


def named(stage: Stage) -> str:
    """A stage with its settings, but for the number of its steps."""
    settings = [
        f"{name}={value!r}"
        for name, value in getattr(stage, "__dict__", {}).items()
        if name != "steps"
    ]
    return f"{type(stage).__name__}({', '.join(settings)})"
