"""run: the loop of a fit, as one can see it. for event in run(problem, network, stages, batches): …

Each event is one step, or as many as its stage makes at once. What is done between two events (a
report, a checkpoint, a stop) is the caller's: fit is this loop with its usual parts. Chapter 12.
"""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from companion.pinn.arguments import is_one, need_kind, need_whole
from companion.pinn.batches import Batches
from companion.pinn.checks import refuse_misfits
from companion.pinn.problem import Problem
from companion.pinn.processes import ALONE, Processes
from companion.pinn.residuals import Batch, equation_at
from companion.pinn.solution import History, Solution
from companion.pinn.stages import At, Losses, Stage
from companion.pinn.state import State, fingerprint
from companion.pinn.trial import Causal, Objective, Trial


@dataclass
class Event:
    """A step that was made: the states before and after it, its stage, the losses before it.

    losses: {term: (steps made,)}, tensors: to look at one makes a GPU wait. solution: u as it is now.
    stop(why) ends the run after this event; next_stage() goes on with the next one.
    """

    before: State
    state: State
    stage: Stage
    losses: Losses
    objective: Objective
    stages: Sequence[Stage]
    stopped: str | None = None
    record: dict[str, Any] | None = None  # made by fit at this event
    ended: bool = field(default=False, init=False)
    broken: bool = field(default=False, init=False)  # stopped by what nobody asked for

    @property
    def step(self) -> int:
        """How many steps were made, over all stages."""
        return self.state.step

    @property
    def last(self) -> bool:
        """Whether this is the last step of its stage."""
        return self.ended or self.state.made >= self.stage.steps

    @property
    def solution(self) -> Solution:
        """The solution as it is after this step; its parameters are the network's own."""
        trial = self.objective.trial
        trial.load(self.state.theta)
        return Solution(trial, History(list(self.state.records), self.stopped))

    def stop(self, why: str) -> None:
        """End the run here. Raises ValueError for a reason without words."""
        if not isinstance(why, str) or not why:
            raise ValueError(f'stop says why, in words: event.stop("good enough"); got {why!r}')
        self.stopped = self.stopped or why

    def break_off(self, why: str) -> None:
        """End the run here, for a reason that nobody asked for: fit warns of it."""
        self.stopped, self.broken = why, True

    def next_stage(self) -> None:
        """Go on with the next stage."""
        self.ended = True


def run(
    problem: Problem,
    network: nn.Module,
    stages: Sequence[Stage],
    batches: Batches,
    *,
    causal: Causal | None = None,
    balance: int = 0,
    method: str | None = None,
    processes: Processes = ALONE,
    state: State | None = None,
) -> Iterator[Event]:
    """Train the network step by step; each event is the caller's to look at, to record or to stop.

    stages, batches: what makes the steps, and where. balance: every so many steps the weights of the
    conditions move towards equal gradient norms; 0: never. processes: joined(), where several make
    this fit; each runs this loop and sees the same events. state: where to go on from. When the loop
    ends, however it does, the network's parameters are those of the last event. Raises what cannot
    work before the first step.

    >>> from companion.pinn import MLP, Adam, sampled
    >>> from companion.problems import oscillator
    >>> problem = oscillator()
    >>> batches = sampled(problem.domain, 20)
    >>> for event in run(problem, MLP(problem.domain, (10,)), [Adam(50, lr=1e-2)], batches):
    ...     if event.step == 20:
    ...         event.stop("seen enough")
    >>> event.state.made, event.stopped
    (20, 'seen enough')

    Source: chapter 12.
    """
    need_kind("batches", batches, Batches, "Batches, as sampled(problem.domain, 256) gives")
    need_whole("balance", balance, 0)
    need_kind("state", state, (State, type(None)), "the State of an event")
    objective = started(problem, network, stages, causal, method, processes)
    state = state or first_state(objective, batches)
    refuse_untrainable(objective, stages, state)
    return steps(objective, stages, batches, balance, state)


def started(
    problem: Problem,
    network: nn.Module,
    stages: Sequence[Stage],
    causal: Causal | None = None,
    method: str | None = None,
    processes: Processes = ALONE,
) -> Objective:
    """The objective of a fit, once everything is looked at that can be before the first step."""
    need_kind("problem", problem, Problem, "a Problem")
    need_kind("network", network, nn.Module, "an nn.Module, MLP(problem.domain) for one")
    need_kind("causal", causal, (Causal, type(None)), "Causal(axis, epsilon) or None")
    need_kind("processes", processes, Processes, "joined(), of companion.pinn.processes")
    if method is not None and not is_one(method, ("reverse", "taylor")):
        raise ValueError(f'method is "reverse", "taylor" or None; got {method!r}')
    refuse_stages(stages)
    if torch.is_inference_mode_enabled():
        raise ValueError("training needs gradients: call fit outside torch.inference_mode()")
    trial = network.trial if isinstance(network, Solution) else Trial(problem, network)
    if trial.problem is not problem:  # a solution goes on, in another problem
        trial = continued(problem, trial)
    refuse_misfits(trial)
    return Objective(trial, causal and causal.on(problem), method, processes)


def continued(problem: Problem, old: Trial) -> Trial:
    """The network of a trial in another problem; unknowns of the same names keep their values."""
    trial = Trial(problem, old.network)
    with torch.no_grad():
        for name, theta in trial.thetas.items():
            unknown: Any = problem.unknowns[name]
            before: Any = old.problem.unknowns.get(name)
            if name in old.thetas:
                value = before.value(old.thetas[name]).item()
                theta.copy_(replace(unknown, guess=value).free())
    return trial


def refuse_untrainable(objective: Objective, stages: Sequence[Stage], state: State) -> None:
    """Raise what any stage would raise when it begins, the last one too, before the first step."""
    refuse_different(objective, state)
    batch = state.weighted()
    for stage in stages[state.stage :]:
        refuse_memory(stage, stage.init(objective, state.theta, batch))


def refuse_memory(stage: Stage, memory: Any) -> None:
    """Raise TypeError for what a checkpoint could be written of, and not be read again."""
    if isinstance(memory, dict):
        inner = list(memory.values())
    elif isinstance(memory, (list, tuple)):
        inner = list(memory)
    else:
        need_kind(
            f"what {type(stage).__name__}.init gives, for a checkpoint,",
            memory,
            (Tensor, int, float, str, type(None)),
            "tensors, numbers, lists and dictionaries",
        )
        return
    for part in inner:
        refuse_memory(stage, part)


def refuse_different(objective: Objective, state: State) -> None:
    """Raise RuntimeError unless all processes begin with the same θ, points, steps and problem."""
    if objective.processes.count > 1:
        points = [t.flatten() for at in state.weighted().values() for t in at[:3]]
        problem = [number for term in fingerprint(objective.trial).values() for number in term]
        objective.processes.refuse_different(
            {
                "parameters": state.theta,
                "points": torch.cat(points),
                "steps": state.theta.new_tensor([state.step, state.stage, state.made]),
                "problem": state.theta.new_tensor(problem),
            }
        )


def first_state(objective: Objective, batches: Batches) -> State:
    """The state before the first step."""
    theta = objective.trial.theta()
    batch = batches.batch(objective.trial.problem, 0, squares_at(objective, theta), theta)
    return State(theta, batch)


def steps(
    objective: Objective,
    stages: Sequence[Stage],
    batches: Batches,
    balance: int,
    state: State,
    most: int | None = None,
) -> Iterator[Event]:
    """The loop itself; most: how many steps a stage may make at once."""
    event, state = None, on_from(state, stages)
    try:
        while state.stage < len(stages):
            stage = stages[state.stage]
            count = most or room(stage, state, batches, balance)
            after, losses = stepped(objective, stage, batches, balance, state, count)
            event = Event(state, after, stage, losses, objective, stages)
            yield event
            state = event.state
            if event.stopped:
                return
            state = state.next_stage() if event.last else state
    finally:
        if not sys.is_finalizing():  # or torch is half gone, for a loop that nobody ended
            objective.trial.load((event.state if event else state).theta)


def stepped(
    objective: Objective,
    stage: Stage,
    batches: Batches,
    balance: int,
    state: State,
    count: int,
) -> tuple[State, Losses]:
    """The state after one step of a stage, or after at most count of them, and the losses before."""
    begun = time.perf_counter()
    state = prepared(objective, batches, balance, state)
    batch, memory = state.weighted(), state.memory
    if memory is None:
        memory = stage.init(objective, state.theta, batch)
    before = At(state.theta, memory, state.made)
    with torch.no_grad():
        found = stage.step(objective, before, batch, count)
    at, losses = refuse_step(stage, found, before, batch, count)
    after = replace(
        state,
        theta=at.theta,
        memory=at.memory,
        made=at.made,
        step=state.step + at.made - state.made,
        seconds=state.seconds + time.perf_counter() - begun,
    )
    return after, losses


def refuse_step(stage: Stage, found: Any, before: At, batch: Batch, room: int) -> tuple[At, Losses]:
    """What a stage gives for a step. Raises TypeError or ValueError unless it is (At, losses)."""
    what = f"{type(stage).__name__}.step gives"
    expected = "(At(theta, memory, made), {term: losses})"
    if not (isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], At)):
        raise TypeError(f"{what} {expected}; got {type(found).__name__}")
    at, losses = found
    need_kind(f"{what} theta,", at.theta, Tensor, "a tensor")
    if at.theta.shape != before.theta.shape or at.theta.dtype != before.theta.dtype:
        raise ValueError(
            f"{what} a theta as it was given, {tuple(before.theta.shape)} of {before.theta.dtype}; got "
            f"{tuple(at.theta.shape)} of {at.theta.dtype}"
        )
    need_kind(f"{what} made,", at.made, int, "a whole number")
    made = at.made - before.made
    if not 1 <= made <= room:
        raise ValueError(
            f"{what} at.made, of the step after it: expected {before.made + 1} to {before.made + room}; "
            f"got {at.made}. Write At(theta, memory, at.made + 1)"
        )
    need_kind(f"{what} the losses,", losses, Mapping, expected)
    shapes = {term: getattr(loss, "shape", None) for term, loss in losses.items()}
    if shapes != dict.fromkeys(batch, torch.Size([made])):
        raise ValueError(
            f"{what} the losses before each step, tensors ({made},) of {', '.join(batch)}; got {losses}. "
            "Write {term: loss[None] for term, loss in losses.items()}"
        )
    return at._replace(theta=at.theta.detach()), losses


def on_from(state: State, stages: Sequence[Stage]) -> State:
    """The state at the first step that is still to be made."""
    while state.stage < len(stages) and state.made >= stages[state.stage].steps:
        state = state.next_stage()
    return state


def room(stage: Stage, state: State, batches: Batches, balance: int) -> int:
    """How many steps there are until something is to be done between two of them."""
    due = [every - state.step % every for every in (batches.every, balance) if every]
    return min([stage.steps - state.made, *due])


def prepared(objective: Objective, batches: Batches, balance: int, state: State) -> State:
    """The state with other points and other weights, when their time has come."""
    step = state.step
    if batches.every and step and step % batches.every == 0:
        squares = squares_at(objective, state.theta)
        problem = objective.trial.problem
        last = state.batch["equation"]
        batch = batches.batch(problem, state.draws, squares, state.theta, last)
        state = replace(state, batch=batch, draws=state.draws + 1)
    if balance and step % balance == 0:
        state = replace(state, factors=balanced(objective, state))
    return state


def squares_at(objective: Objective, theta: Tensor) -> Any:
    """x (n, d) ↦ |residual of the equation|² (n,) at θ, without weights."""

    def squares(x: Tensor) -> Tensor:
        batch = {"equation": equation_at(x.to(theta))}
        with torch.no_grad():
            rows, _ = objective.trial.at(theta, batch, objective.method)["equation"]
        return rows.square().sum(1)

    return squares


def balanced(
    objective: Objective, state: State, inertia: float = 0.5
) -> tuple[tuple[str, float], ...]:
    """Factors on the weights of the conditions, moved towards those of equal gradient norms.

    The idea is that of Wang, Teng & Perdikaris, *Understanding and mitigating gradient flow
    pathologies* (2021); norms that are equal, that of Wang, Sankaran, Wang & Perdikaris, *An
    expert's guide to training physics-informed neural networks* (2023).
    """
    _, norms = objective.norms(state.theta, state.weighted())
    found = dict(state.factors)
    for term, norm in norms.items():
        factor = (norms["equation"] / norm).item()
        if term != "equation" and 0 < factor < float("inf"):
            found[term] = found.get(term, 1.0) * (inertia + (1 - inertia) * factor)
    return tuple(found.items())


def refuse_stages(stages: Sequence[Stage]) -> None:
    """Raise ValueError or TypeError unless stages is a list of them."""
    if not isinstance(stages, (list, tuple)):
        raise TypeError(f"stages come as a list: [{stages!r}]")
    if not stages:
        raise ValueError("fit needs a stage, e.g. [Adam(2000), LBFGS(200)]")
    for stage in stages:
        if isinstance(stage, type) or not all(hasattr(stage, n) for n in ("steps", "init", "step")):
            raise TypeError(
                f"a stage is Adam(...), LBFGS(...) or LevenbergMarquardt(...); got {stage!r}"
            )
        need_whole(f"steps of {type(stage).__name__}", stage.steps, 1)
