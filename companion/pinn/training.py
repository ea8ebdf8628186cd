"""fit: a visible loop over stages, Adam → L-BFGS → Gauss–Newton.

Every stage sees the same Objective and makes a step at a time (compiled, a block of them); the loop
around them reports, stops on NaN, saves and resumes. Chapters 12 to 14.
"""

import math
import signal
import threading
import time
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from tqdm import tqdm

from companion.pinn.networks import Kinks
from companion.pinn.objective import Objective, Trial, relative_error
from companion.pinn.problem import refuse_shape


@dataclass
class History:
    """What happened: one record for each report, and how the fit ended.

    records: dictionaries with stage, step (counted over all stages), seconds, loss, one entry for
    each term, norms (the gradient norm of each term), error (relative L2, where the problem has an
    exact solution) and the unknowns. stopped: why it ended early, or None.
    """

    records: list = field(default_factory=list)
    stopped: str | None = None

    @property
    def error(self):
        """The last relative L2 error; None without an exact solution."""
        return self.records[-1].get("error") if self.records else None

    @property
    def unknowns(self):
        """The last values of the unknowns."""
        return self.records[-1]["unknowns"] if self.records else {}

    def column(self, name):
        """One entry of all records."""
        return [record.get(name) for record in self.records]


def fit(
    problem,
    network,
    stages,
    *,
    points=256,
    sampler="sobol",
    seed=0,
    causal=None,
    balance=False,
    resample=0,
    report=100,
    checkpoint=None,
    progress=True,
    method=None,
):
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
            if run.done % report == 0 or run.done == run.total or run.history.stopped:
                bar.set_postfix({name: f"{value:.1e}" for name, value in run.record().items()})
                if checkpoint and not run.failed:
                    run.save(checkpoint)
    if run.history.stopped:
        warnings.warn(f"fit stopped early: {run.history.stopped}", stacklevel=2)
    return run.history


class Interrupt:
    """Ctrl-C inside this block waits until a step is finished; a second one does not."""

    def __enter__(self):
        self.pressed, self._before = False, None
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._press)
        return self

    def _press(self, *_):
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True

    def __exit__(self, *_):
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

    def __post_init__(self):
        if self.report < 1 or self.resample < 0:
            raise ValueError(
                f"needed are report ≥ 1 and resample ≥ 0 steps; got {self.report}, {self.resample}"
            )
        if self.resample and self.sampler == "grid":
            raise ValueError('a grid is the same each time: resample with sampler="sobol"')


class Run:
    """The state of a fit: everything that a checkpoint holds."""

    def __init__(self, problem, network, stages, plan, causal, method):
        refuse_stages(stages)
        refuse_misfits(problem, network)
        self.problem, self.stages, self.plan = problem, tuple(stages), plan
        self.trial, self.history = Trial(problem, network), History()
        self.done, self.draws, self.seconds = 0, 0, 0.0
        self.good, self.failed = None, False
        self.like = next(network.parameters())  # the dtype and the device of the points
        self.objective = Objective(problem, self.trial, self.drawn(), causal, method)
        self.steppers = [stage.begin(self.objective) for stage in self.stages]
        self.total = sum(stage.steps for stage in self.stages)

    def drawn(self):
        """The collocation points: draw after draw, other ones of the seed."""
        seed = self.plan.seed + 1_000_003 * self.draws
        return self.problem.domain.points(self.plan.points, self.plan.sampler, seed).to(self.like)

    def place(self, done):
        """(the number of the stage, the step in it) after so many steps."""
        for number, stage in enumerate(self.stages):
            if done < stage.steps:
                return number, done
            done -= stage.steps
        raise IndexError("the fit is finished")

    def prepare(self):
        """Other points, other weights, when their time has come."""
        plan = self.plan
        if plan.resample and self.done and self.done % plan.resample == 0:
            self.draws += 1
            self.objective.x = self.drawn()
        if plan.balance and self.done % plan.report == 0:
            self.objective.rebalance()

    def step(self):
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

    def room(self):
        """How many steps there are until something is to be done between two of them."""
        number, step = self.place(self.done)
        every = [n for n in (self.plan.report, self.plan.resample) if n]
        return min([self.stages[number].steps - step, *(n - self.done % n for n in every)])

    def block(self, stepper, step, before):
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

    def finite(self):
        """Whether all parameters are."""
        return all(p.isfinite().all() for p in self.trial.parameters())

    def restore(self, values):
        """Set the parameters."""
        with torch.no_grad():
            for p, value in zip(self.trial.parameters(), values):
                p.copy_(value)

    def single(self, number, step, before):
        """One step, and the end of the fit if it fails."""
        losses = self.steppers[number].step(step)
        wrong = [name for name, loss in losses.items() if not loss.isfinite()]
        if not wrong:
            self.good = before  # the last parameters known to have a finite loss
        if wrong or not self.finite():
            self.fail(wrong, f"step {step} of {type(self.stages[number]).__name__}")

    def fail(self, wrong, where):
        """Go back to the last good parameters, and say what went wrong."""
        self.restore(self.good or ())
        if not wrong:
            _, norms = self.objective.losses_and_norms()
            bad = [name for name, norm in norms.items() if not math.isfinite(norm)]
            wrong = [f"the gradient of {name}" for name in bad] or ["the parameters"]
        self.failed = True
        self.history.stopped = f"NaN or infinity in {', '.join(wrong)} at {where}"

    def record(self):
        """Add one record to the history, of the parameters as they are; returns the terms."""
        losses, norms = self.objective.losses_and_norms()
        stage = self.stages[self.place(self.done - 1)[0]]
        record = {"stage": type(stage).__name__, "step": self.done, "seconds": self.seconds}
        record |= {"loss": sum(losses.values()), **losses, "norms": norms}
        record["unknowns"] = {n: v.item() for n, v in self.trial.unknowns().items()}
        if self.problem.exact:
            record["error"] = relative_error(self.trial, self.problem)
        self.history.records.append(record)
        return losses

    def settings(self):
        """All but the stages that makes this fit another one."""
        how = {"causal": repr(self.objective.causal), "method": self.objective.method}
        return asdict(self.plan) | how

    def save(self, path):
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

    def load(self, path):
        """Take up where a checkpoint was written."""
        state = torch.load(path, map_location="cpu", weights_only=True)
        plan, stages = self.settings(), [repr(stage) for stage in self.stages]
        begun = len(state["stages"])
        if state["plan"] != plan or state["stages"] != stages[:begun]:
            raise ValueError(
                f"{path} is the checkpoint of another fit: {state['stages']}, {state['plan']}; this "
                f"one is {stages}, {plan}. Give the same, or another file"
            )
        self.trial.load_state_dict(state["trial"])
        self.steppers[begun - 1].load_state_dict(state["stage"])
        self.objective.balance = state["balance"]
        self.history.records = state["records"]
        self.done, self.draws, self.seconds = state["counts"]
        self.objective.x = self.drawn()


def refuse_stages(stages):
    """Raise ValueError or TypeError unless stages is a list of them, each with a step or more."""
    if not isinstance(stages, (list, tuple)):
        raise TypeError(f"stages come as a list: [{stages!r}]")
    if not stages:
        raise ValueError("fit needs a stage, e.g. [Adam(2000), LBFGS(200)]")
    for stage in stages:
        if isinstance(stage, type) or not hasattr(stage, "begin"):
            raise TypeError(f"a stage is Adam(...), LBFGS(...) or GaussNewton(...); got {stage!r}")
        if stage.steps < 1:
            raise ValueError(f"a stage makes one step or more; got {stage!r}")


def refuse_misfits(problem, network):
    """Raise ValueError for a network that cannot solve the problem, before anything is trained."""
    parameters = list(network.parameters())
    if not parameters:
        raise ValueError("the network has no parameters; are its layers in a plain list?")
    refuse_mixtures(parameters)
    probe = problem.domain.points(16, "sobol")
    if problem.exact:
        refuse_shape("exact", problem.exact(probe), probe, problem.outputs)
    probe = probe.to(parameters[0])
    solution, unknowns = problem.solution(network), Trial(problem, network).unknowns()
    try:
        refuse_kinks(problem, network, probe)
        u = solution(probe)
    except RuntimeError as error:
        raise ValueError(
            f"needed is a network from (n, {problem.domain.dimension}) to (n, {problem.outputs}), or "
            f"to what the ansatz takes; at {len(probe)} points it fails: {error}"
        ) from error
    refuse_shape("the solution by this network", u, probe, problem.outputs)
    for name, (x, values, _) in problem.terms(probe).items():
        try:
            problem.rows(name, solution, unknowns, x, values)
        except RuntimeError as error:
            raise ValueError(
                f"{name} cannot be evaluated at points of {x.dtype} on {x.device}: {error}. If it "
                "uses tensors of its own, bring them to the points: values.to(x)"
            ) from error


def refuse_kinks(problem, network, x):
    """Raise ValueError for a network that cannot bend, in an equation of order 2 or more."""
    with Kinks() as kinks:
        network(x)
    if problem.order > 1 and kinks.seen:
        raise ValueError(
            f"{', '.join(sorted(kinks.seen))} is made of straight lines: its second derivative is 0, "
            f"and this problem takes derivatives of order {problem.order}. Use tanh, sin, silu, gelu "
            "or softplus (chapter 13)"
        )


def refuse_mixtures(parameters):
    """Raise ValueError unless all parameters are of one floating type and on one device."""
    kinds = sorted({f"{p.dtype} on {p.device}" for p in parameters})
    if len(kinds) > 1:
        raise ValueError(
            f"the network's parameters are {' and '.join(kinds)}; bring all to one place: "
            "network.to(device(), torch.float64)"
        )
