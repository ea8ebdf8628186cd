"""fit: a visible loop over stages, Adam → L-BFGS → Gauss–Newton.

Every stage sees the same Objective and makes a step at a time (compiled, a block of them); the loop
around them reports, stops on NaN, saves and resumes. Chapters 12 to 14.
"""

import math
import signal
import threading
import time
import warnings
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from companion.pinn.checks import refuse_misfits
from companion.pinn.objective import Causal, Objective, Trial, relative_error
from companion.pinn.problem import Problem
from companion.pinn.stages import Stage


@dataclass
class History:
    """What happened: one record for each report, and how the fit ended.

    records: dictionaries with stage, its number, step (counted over all stages), seconds, loss, one
    entry for each term, norms (the gradient norm of each term), error (relative L2, where the problem
    has an exact solution) and the unknowns. stopped: why it ended early, or None.
    """

    records: list[dict[str, Any]] = field(default_factory=list)
    stopped: str | None = None

    @property
    def error(self) -> float | Any:
        """The last relative L2 error; None without an exact solution."""
        return self.records[-1].get("error") if self.records else None

    @property
    def unknowns(self) -> dict[str, float]:
        """The last values of the unknowns."""
        return self.records[-1]["unknowns"] if self.records else {}

    def column(self, name: str) -> list[Any]:
        """One entry of all records."""
        return [record.get(name) for record in self.records]


def fit(
    problem: Problem,
    network: nn.Module,
    stages: Sequence[Stage],
    *,
    points: int | tuple[int, ...] = 256,
    sampler: str = "sobol",
    seed: int = 0,
    causal: Causal | None = None,
    balance: bool = False,
    resample: int = 0,
    report: int = 100,
    checkpoint: str | Path | None = None,
    progress: bool = True,
    method: str | None = None,
) -> History:
    """Train the network (in place) until its solution obeys the problem; returns the History.

    stages: Adam(...), LBFGS(...), GaussNewton(...), one after another. points: how many collocation
    points, drawn by `sampler` from the seed (see Box.points), anew every `resample` steps unless 0.
    causal: Causal(...) or None. balance: keep the gradient norms of all terms equal, looked at
    every `report` steps. report: steps between two records. checkpoint: a file; written at every
    report and when the fit is interrupted, and if it is there the fit goes on from it, to the same
    bits; more stages may follow those it was written in. Ctrl-C keeps what was reached; a NaN goes
    back to the last parameters with a finite loss, and leaves the checkpoint alone; both warn, a NaN
    with its step and term. Raises ValueError for what cannot work: a network that does not fit the
    problem (its shape, its activation), a stage too large, another fit's checkpoint.

    Source: chapter 12.
    """
    plan = Plan(points, sampler, seed, balance, resample, report)
    run = Run(problem, network, stages, plan, causal, method)
    if checkpoint and Path(checkpoint).exists():
        run.load(checkpoint)
    with (
        tqdm(total=run.total, initial=run.done, disable=not progress) as bar,
        Interrupt() as ctrl_c,
    ):
        while run.done < run.total and not run.history.stopped:
            bar.update(run.step())
            if ctrl_c.pressed and not run.history.stopped:
                run.history.stopped = f"interrupted after step {run.done}"
            if run.due() or run.history.stopped:
                bar.set_postfix({name: f"{value:.1e}" for name, value in run.record().items()})
                if checkpoint and not run.failed:
                    run.save(checkpoint)
    if run.history.stopped:
        warnings.warn(f"fit stopped early: {run.history.stopped}", stacklevel=2)
    return run.history


class Interrupt:
    """Ctrl-C inside this block waits until a step is finished; a second one does not."""

    def __enter__(self) -> "Interrupt":
        self.pressed, self._before = False, None
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._press)
        return self

    def _press(self, *_):
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)


@dataclass(frozen=True)
class Plan:
    """Where the collocation points come from, and how often things are done; see fit."""

    points: int | tuple[int, ...]
    sampler: str
    seed: int
    balance: bool
    resample: int
    report: int

    def __post_init__(self) -> None:
        if self.report < 1 or self.resample < 0:
            raise ValueError(
                f"needed are report ≥ 1 and resample ≥ 0 steps; got {self.report}, {self.resample}"
            )
        if self.resample and self.sampler == "grid":
            raise ValueError('a grid is the same each time: resample with sampler="sobol"')


class Run:
    """The state of a fit: everything that a checkpoint holds."""

    def __init__(
        self,
        problem: Problem,
        network: nn.Module,
        stages: Sequence[Stage],
        plan: Plan,
        causal: Causal | None,
        method: str | None,
    ) -> None:
        refuse_stages(stages)
        refuse_blocks(stages, plan)
        self.problem, self.stages, self.plan = problem, tuple(stages), plan
        self.trial, self.history = Trial(problem, network), History()
        refuse_misfits(self.trial)
        self.done, self.draws, self.seconds = 0, 0, 0.0
        self.good: list[Tensor] | None = None
        self.failed = False
        self.like = next(network.parameters())  # the dtype and the device of the points
        self.objective = Objective(problem, self.trial, self.drawn(), causal, method)
        self.steppers = [stage.begin(self.objective) for stage in self.stages]
        self.total = sum(stage.steps for stage in self.stages)

    def drawn(self) -> Tensor:
        """The collocation points: draw after draw, other ones of the seed."""
        seed = self.plan.seed + 1_000_003 * self.draws
        return self.problem.domain.points(self.plan.points, self.plan.sampler, seed).to(self.like)

    def due(self) -> bool:
        """Whether a record is: every so many steps, and at the end of each stage."""
        return self.done % self.plan.report == 0 or self.place(self.done)[1] == 0

    def place(self, done: int) -> tuple[int, int]:
        """(the number of the stage, the step in it) after so many steps."""
        for number, stage in enumerate(self.stages):
            if done < stage.steps:
                return number, done
            done -= stage.steps
        return len(self.stages), 0

    def prepare(self) -> None:
        """Other points, other weights, when their time has come."""
        plan = self.plan
        if plan.resample and self.done and self.done % plan.resample == 0:
            self.draws += 1
            self.objective.x = self.drawn()
        if plan.balance and self.done % plan.report == 0:
            self.objective.rebalance()

    def step(self) -> int:
        """One step of the stage whose turn it is, or a block of them; returns how many were made.

        A NaN ends the fit before it does harm.
        """
        start = time.perf_counter()
        self.prepare()
        number, step = self.place(self.done)
        before = [p.detach().clone() for p in self.trial.parameters()]
        made = self.block(self.steppers[number], step, before)
        if not made:
            self.single(number, step, before)
        self.done += made or 1
        self.seconds += time.perf_counter() - start
        return made or 1

    def room(self) -> int:
        """How many steps there are until something is to be done between two of them."""
        number, step = self.place(self.done)
        every = [n for n in (self.plan.report, self.plan.resample) if n]
        return min([self.stages[number].steps - step, *(n - self.done % n for n in every)])

    def block(self, stepper: Any, step: int, before: list[Tensor]) -> int:
        """Several steps at once, if the stepper can and there is room for them; how many were made.

        A block that meets a NaN is undone, and its steps are made singly from then on: so the one
        that fails is found, as without blocks.
        """
        size = getattr(stepper, "block", 0)
        if not 0 < size <= self.room():
            return 0
        losses = stepper.steps(step)
        if all(loss.isfinite().all() for loss in losses.values()) and self.finite():
            self.good = before
            return size
        self.restore(before)
        stepper.undo()
        stepper.block = 0
        return 0

    def finite(self) -> bool:
        """Whether all parameters are."""
        return all(p.isfinite().all() for p in self.trial.parameters())

    def restore(self, values: Sequence[Tensor]) -> None:
        """Set the parameters."""
        with torch.no_grad():
            for p, value in zip(self.trial.parameters(), values):
                p.copy_(value)

    def single(self, number: int, step: int, before: list[Tensor]) -> None:
        """One step, and the end of the fit if it fails."""
        losses = self.steppers[number].step(step)
        wrong = [name for name, loss in losses.items() if not loss.isfinite()]
        if not wrong:
            self.good = before  # the last parameters known to have a finite loss
        if wrong or not self.finite():
            self.fail(wrong, f"step {step} of {type(self.stages[number]).__name__}")

    def fail(self, wrong: list[str], where: str) -> None:
        """Go back to the last good parameters, and say what went wrong."""
        self.restore(self.good or ())
        if not wrong:
            _, norms = self.objective.losses_and_norms()
            bad = [name for name, norm in norms.items() if not math.isfinite(norm)]
            wrong = [f"the gradient of {name}" for name in bad] or ["the parameters"]
        self.failed = True
        self.history.stopped = f"NaN or infinity in {', '.join(wrong)} at {where}"

    def record(self) -> dict[str, float]:
        """Add one record to the history, of the parameters as they are; returns the terms."""
        number, _ = self.place(self.done - 1)
        stage = type(self.stages[number]).__name__
        losses, norms = self.objective.losses_and_norms()
        wrong = [n for n in losses if not math.isfinite(losses[n] + norms[n])]
        if wrong and self.good and not self.failed:  # the last step led here
            self.fail(wrong, f"the end of step {self.done} of {stage}")
            losses, norms = self.objective.losses_and_norms()
        record = {"stage": stage, "number": number, "step": self.done, "seconds": self.seconds}
        record |= {"loss": sum(losses.values()), **losses, "norms": norms}
        record["unknowns"] = {n: v.item() for n, v in self.trial.unknowns().items()}
        if self.problem.exact:
            record["error"] = relative_error(self.trial, self.problem)
        self.history.records.append(record)
        return losses

    def settings(self) -> dict[str, Any]:
        """All but the stages that makes this fit another one."""
        how = {"causal": repr(self.objective.causal), "method": self.objective.method}
        return asdict(self.plan) | how

    def save(self, path: str | Path) -> None:
        """Write the state, whole or not at all."""
        number, _ = self.place(self.done - 1)
        state = {
            "trial": self.trial.state_dict(),
            "stage": self.steppers[number].state_dict(),
            "stages": [repr(stage) for stage in self.stages[: number + 1]],
            "plan": self.settings(),
            "balance": self.objective.balance,
            "records": self.history.records,
            "counts": (self.done, self.draws, self.seconds),
        }
        partly = Path(f"{path}.part")
        torch.save(state, partly)
        partly.replace(path)

    def load(self, path: str | Path) -> None:
        """Take up where a checkpoint was written; raise ValueError if it was in another fit."""
        state = torch.load(path, map_location="cpu", weights_only=True)
        plan, stages = self.settings(), [repr(stage) for stage in self.stages]
        begun, before = len(state["stages"]), deepcopy(self.trial.state_dict())
        if state["plan"] != plan or state["stages"] != stages[:begun]:
            raise ValueError(
                f"{path} is the checkpoint of another fit: {state['stages']}, {state['plan']}; this "
                f"one is {stages}, {plan}. Give the same, or another file"
            )
        try:
            self.trial.load_state_dict(state["trial"])
            self.steppers[begun - 1].load_state_dict(state["stage"])
            self.objective.balance = state["balance"]
            self.history.records = state["records"]
            self.done, self.draws, self.seconds = state["counts"]
            self.objective.x = self.drawn()
            self.good = [p.detach().clone() for p in self.trial.parameters()]
            self.refuse_another_problem()
        except (RuntimeError, ValueError) as error:
            self.trial.load_state_dict(before)
            raise ValueError(
                f"{path} is the checkpoint of another problem or network: {error}. Give the same, or "
                "another file"
            ) from error

    def refuse_another_problem(self) -> None:
        """Raise ValueError unless the losses are those of the last record."""
        last, (now, _) = self.history.records[-1], self.objective.losses_and_norms()
        for name, loss in now.items():
            then = last.get(name)
            if then is None or not math.isclose(loss, then, rel_tol=1e-2, abs_tol=1e-20):
                raise ValueError(f"{name} is {loss:.4g} in this one, and was {then} there")


def refuse_stages(stages: Sequence[Stage]) -> None:
    """Raise ValueError or TypeError unless stages is a list of them."""
    if not isinstance(stages, (list, tuple)):
        raise TypeError(f"stages come as a list: [{stages!r}]")
    if not stages:
        raise ValueError("fit needs a stage, e.g. [Adam(2000), LBFGS(200)]")
    for stage in stages:
        if isinstance(stage, type) or not hasattr(stage, "begin"):
            raise TypeError(f"a stage is Adam(...), LBFGS(...) or GaussNewton(...); got {stage!r}")


def refuse_blocks(stages: Sequence[Stage], plan: Plan) -> None:
    """Raise ValueError for a compiled stage whose steps would all be made singly."""
    for stage in stages:
        block = getattr(stage, "compiled", 0)
        for name, every in (("report", plan.report), ("resample", plan.resample)):
            if 0 < every < block:
                raise ValueError(
                    f"compiled={block} steps never fit between two of {name}={every}; write "
                    f"{name}={block}, or a multiple"
                )
