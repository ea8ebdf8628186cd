"""The parts of fit, each an object that is shown the event of a step. Chapters 12 to 14.

Due         whether a report is due
Guard       stop on NaN, at the last state without
record      what the history keeps
Progress    a bar, by time
Checkpoint  the state on disk
Interrupt   Ctrl-C waits for the end of a step
"""

import math
import signal
import threading
import time
from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from datetime import timedelta
from numbers import Real
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor
from tqdm import tqdm

from companion.pinn.arguments import need_whole
from companion.pinn.loop import Event
from companion.pinn.residuals import losses_of
from companion.pinn.solution import Solution, relative_error
from companion.pinn.state import State, save
from companion.pinn.trial import Objective
from companion.pinn.unknowns import Unknown

Metric: TypeAlias = Callable[[Solution], Any]
Measured: TypeAlias = tuple[dict[str, Tensor], dict[str, Tensor]]  # losses and norms, by term


class Due:
    """Whether a report is: every so many steps, or after so much time, and at the end of each stage."""

    def __init__(self, interval: int | timedelta) -> None:
        if isinstance(interval, timedelta):
            if interval <= timedelta(0):
                raise ValueError(f"log_interval is above 0; got {interval}")
        else:
            need_whole("log_interval (or a timedelta)", interval, 1)
        self.interval, self.last = interval, time.monotonic()

    def __call__(self, event: Event) -> bool:
        if isinstance(self.interval, timedelta):
            now = time.monotonic()
            due = now - self.last >= self.interval.total_seconds()
            self.last = now if due else self.last
        else:
            due = event.step // self.interval > event.before.step // self.interval
        return due or event.last or event.stopped is not None


class Guard:
    """Stop on NaN: the losses are added up, and looked at when a report is due.

    A sum that is not finite leads back to the last state that was looked at, and on from there step
    by step, until the one that fails is found.
    """

    def __init__(self, state: State, singly: Callable[[State], Any]) -> None:
        self.good, self.singly, self.failed = state, singly, False
        self.sum: Any = 0.0

    def add(self, event: Event) -> None:
        """Add the losses of one event."""
        self.sum = self.sum + torch.cat(list(event.losses.values())).sum()

    def look(self, event: Event) -> Measured:
        """Stop the event's run if something is not finite, at the last state that was.

        Returns the losses and the gradient norms of the state that is left.
        """
        if not self.failed and not (math.isfinite(self.sum) and finite(event.state.theta)):
            self.fail(event, *self.found())
        losses, norms = measured(event)
        wrong = [term for term in losses if not finite(losses[term])]
        wrong += [
            f"the gradient of {term}"
            for term in norms
            if term not in wrong and not finite(norms[term])
        ]
        if wrong and not self.failed:
            where = f"the end of step {event.step} of {type(event.stage).__name__}"
            why = f"NaN or infinity in {', '.join(wrong)} at {where}"
            self.fail(event, self.before(event), why)
            return measured(event)
        if not self.failed:
            self.good, self.sum = event.state, 0.0
        return losses, norms

    def fail(self, event: Event, state: State, why: str) -> None:
        """Stop at a good state."""
        self.failed = True
        event.state = replace(state, records=event.state.records)
        event.break_off(why)

    def before(self, event: Event) -> State:
        """The state before the last step of an event, one of several made at once too."""
        if event.step - event.before.step > 1:
            for single in self.singly(event.before):
                if single.step >= event.step:
                    return single.before
        return event.before

    def found(self) -> tuple[State, str]:
        """(the last state whose loss is finite, what failed after it)."""
        good = self.good
        for event in self.singly(self.good):
            where = f"step {event.before.made} of {type(event.stage).__name__}"
            wrong = [term for term, loss in event.losses.items() if not loss.isfinite().all()]
            if wrong:  # before this step already: the one before led here
                return good, f"NaN or infinity in {', '.join(wrong)} at {where}"
            if not finite(event.state.theta):
                _, norms = event.objective.norms(event.before.theta, event.before.weighted())
                bad = [f"the gradient of {t}" for t in norms if not finite(norms[t])]
                said = ", ".join(bad) or "the parameters"
                return event.before, f"NaN or infinity in {said} at {where}"
            good = event.before
        return self.good, "NaN or infinity in a block of compiled steps, which singly are finite"


def measured(event: Event) -> Measured:
    """({term: its loss}, {term: its gradient norm}) of the state after an event."""
    return event.objective.norms(event.state.theta, event.state.weighted())


def finite(t: Tensor) -> bool:
    """Whether all entries are."""
    return bool(t.isfinite().all())


def record(event: Event, found_there: Measured, metrics: Mapping[str, Metric]) -> None:
    """Add a record of the state to its history, and hand it to the event."""
    objective, state, (losses, norms) = event.objective, event.state, found_there
    problem, trial = objective.trial.problem, objective.trial
    values = {term: loss.item() for term, loss in losses.items()}
    found = {
        "stage": type(event.stage).__name__,
        "number": state.stage,
        "step": state.step,
        "seconds": state.seconds,
        "loss": sum(values.values()),
        **values,
        "norms": {term: norm.item() for term, norm in norms.items()},
        **hidden(objective, state),
    }
    solution = event.solution
    params = trial.params()
    found["unknowns"] = {
        name: params[name].item() for name, p in problem.unknowns.items() if isinstance(p, Unknown)
    }
    if problem.exact:
        found["error"] = relative_error(solution, problem)
    for name, metric in metrics.items():
        found[name] = number(name, metric(solution), found)
    event.record = found
    event.state = replace(state, records=(*state.records, found))


def hidden(objective: Objective, state: State) -> dict[str, float]:
    """Under causal weights: the loss without them, and the smallest of them."""
    if objective.causal is None:
        return {}
    processes, batch = objective.processes, objective.processes.share(state.weighted())
    with torch.no_grad():
        found = objective.trial.at(state.theta, batch, objective.method)
    rows, weight = found["equation"]
    causal = objective.causal.weights(weight.sqrt() * rows, batch["equation"].x, processes)
    (whole,) = processes.total(torch.stack(list(losses_of(found).values())).sum())
    smallest = processes.gathered(causal.min()[None]).min()
    return {"unweighted": whole.item(), "smallest_weight": smallest.item()}


def number(name: str, value: Any, taken: Container[str]) -> float:
    """A metric's value as a float. Raises ValueError for a name that is taken, or for no number."""
    if name in taken:
        raise ValueError(f"the history calls something else {name}: give the metric another name")
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        value = value.item()
    if not isinstance(value, Real):
        raise ValueError(f"a metric gives one number; {name} gave {value!r}")
    return float(value)


class Progress:
    """A bar with the loss, the error and the unknowns: now and then, by time, in every stage alike."""

    def __init__(self, shown: bool, total: int, done: int, every: float = 0.5) -> None:
        self.shown, self.every, self.last, self.done = shown, every, 0.0, done
        self.bar = tqdm(total=total, initial=done, disable=not shown)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def show(self, event: Event) -> None:
        """Move the bar; look at values if it is time."""
        self.bar.update(event.step - self.done)
        self.done, now = event.step, time.monotonic()
        if self.shown and (event.record is not None or now - self.last > self.every):
            self.last = now
            self.bar.set_postfix(said_of(event))


def said_of(event: Event) -> dict[str, str]:
    """What a bar says: of the record, or of the state as it is."""
    if event.record is not None:
        found: dict[str, Any] = {"loss": event.record["loss"], "error": event.record.get("error")}
        found |= event.record["unknowns"]
    else:
        found = {"loss": sum(loss[-1].item() for loss in event.losses.values())}
        solution = event.solution
        found["error"] = (
            relative_error(solution, solution.problem) if solution.problem.exact else None
        )
        params = solution.trial.params()
        found |= {name: params[name].item() for name in solution.trial.thetas}
    return {name: f"{value:.2e}" for name, value in found.items() if value is not None}


class Checkpoint:
    """Write the state to a file, whole or not at all; where that fails, the run ends.

    Of several processes the first one writes, and tells the others whether it could.
    """

    def __init__(self, path: str | Path, identity: dict[str, Any]) -> None:
        self.path, self.identity = Path(path), identity

    def write(self, event: Event) -> None:
        """The state after this event."""
        begun = event.state.stage + 1
        identity = self.identity | {"stages": self.identity["stages"][:begun]}
        state = event.state.next_stage() if event.ended else event.state
        processes, failed = event.objective.processes, ""
        try:
            if not processes.rank:
                save(self.path, state, event.objective.trial, identity)
        except OSError as error:
            failed = str(error)
        if processes.any(bool(failed), state.theta):
            event.break_off(failed or f"the checkpoint {self.path} cannot be written")


class Interrupt:
    """Ctrl-C inside this block waits until a step is finished; a second one does not.

    alone: else it ends this process where it is, for the others may be at another step.
    """

    def __init__(self, alone: bool = True) -> None:
        self.alone = alone

    def __enter__(self) -> "Interrupt":
        self.pressed, self._before = False, None
        if self.alone and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._press)
        return self

    def _press(self, *_):
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
