"""Levenberg–Marquardt: θ ← θ − (JᵀJ + μD²)⁻¹ Jᵀr, in parts: linearise, solve, acceleration, damping,
stopping.

A step is tried; if |r|² falls it is taken and μ falls, else θ stays and μ rises (gain ratio). Taking
or leaving is a choice between tensors: no value is looked at until the fit reports. Chapter 14.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

from companion.pinn.arguments import is_one, need_kind, need_number, need_whole
from companion.pinn.linearise import Linearised, Products, linearised, rows_at
from companion.pinn.outer_products import OuterProducts, outer_products
from companion.pinn.processes import ALONE, Processes
from companion.pinn.residuals import Batch
from companion.pinn.stages import At, Losses, Stage
from companion.pinn.trial import Objective

Memory: TypeAlias = dict[str, Tensor]  # μ and its unit, how fast it rises, the tries in vain, …
Solve: TypeAlias = Callable[[Tensor], Tensor]  # rows → (JᵀJ + μI)⁻¹ Jᵀ rows

ROOM = 2**30  # bytes of J; beyond, its products with vectors take its place
SOLVERS = ("cholesky", "qr", "cg")
ENOUGH = 30  # tries in vain in a row end the stage
IDLE, ARRIVED = 5, 1e-3  # fewer, at such a gradient, are worth a word
SLOW = 1e-4  # of |r|², taken off by a try: at such a gradient, too
ROUNDING = 100  # times what it makes of |r|²: nothing else is left
NEAR = 0.1  # of a step: where the second derivative along it is measured


@dataclass(frozen=True)
class LevenbergMarquardt(Stage):
    """steps of θ ← θ − (JᵀJ + μD²)⁻¹ Jᵀr, each a try: taken if |r|² falls, and then μ falls too.

    r are the weighted residuals, J = ∂r/∂θ. damping: the first μ, as a share of the largest number on
    the diagonal of JᵀJ (of |JJᵀr|² / |Jᵀr|² with conjugate gradients). marquardt: D² is that diagonal,
    so that the units of the parameters do not matter; else D is 1. acceleration: the step h is bent by
    a/2, where a answers to the second derivative of r along h, if 2 |a| is at most so many times |h|; 0:
    never. solver: "cholesky" of the smaller of JᵀJ and JJᵀ; "qr" of J over √μ D, where that is too ill
    conditioned, as in float32; "cg", conjugate gradients on products with J, which is never made, nor
    the step bent; None takes the third where J would take more than a gibibyte, and says so, else the
    first in float64 and the second in float32. Of many more parameters than rows, the first makes JJᵀ
    from outer products, without J. iterations: of conjugate gradients, at most, for a step.
    The stage ends early, at a report, when the gradient ‖Jᵀr‖ is below `tolerance` times ‖J‖ ‖r‖, or
    when 30 tries in a row change nothing.

    A residual is traced at the first step and not called again, but for a new number of points: it
    must depend on u, x and the unknowns alone (tensors that it uses may be changed in place), at its
    own point alone. Raises ValueError for a term that looks at values or at other points, and for
    settings that no step can be made with; NotImplementedError for an operation without a Taylor rule.

    >>> from companion.pinn import MLP, fit
    >>> from companion.problems import oscillator
    >>> problem = oscillator()
    >>> network, stages = MLP(problem.domain, (10,), spread=3.0), [LevenbergMarquardt(30)]
    >>> fit(problem, network, stages, points=40, progress=False).error < 1e-2
    True

    Source: Levenberg (1944), Marquardt (1963), Nielsen, *Damping parameter in Marquardt's method*
    (1999), Transtrum and Sethna, *Improvements to the Levenberg–Marquardt algorithm* (2012); chapter 14.
    """

    steps: int
    damping: float = 1e-3
    marquardt: bool = False
    solver: str | None = None
    iterations: int = 100
    tolerance: float = 0.0
    acceleration: float = 0.75

    def __post_init__(self) -> None:
        need_whole("steps", self.steps, 1, self)
        need_whole("iterations", self.iterations, 1, self)
        need_number("damping", self.damping, above=0, got=self)
        need_kind("marquardt", self.marquardt, bool, "True or False")
        if self.solver is not None and not is_one(self.solver, SOLVERS):
            raise ValueError(f"solver is one of {', '.join(SOLVERS)}, or None; got {self!r}")
        if self.marquardt and self.solver == "cg":
            raise ValueError(f"conjugate gradients have no diagonal of JᵀJ to take; got {self!r}")
        need_number("acceleration", self.acceleration, least=0, got=self)
        if not (isinstance(self.tolerance, Real) and 0 <= self.tolerance < 1):
            raise ValueError(f"tolerance is 0 or more, and below 1; got {self!r}")

    def init(self, objective: Objective, theta: Tensor, batch: Batch) -> Memory:
        """The first damping. What cannot be linearised fails here."""
        if (self.solver or chosen(objective, theta, batch)) == "cg":
            line = Products(objective, theta, batch)
            slope = line.transposed(line.rows.detach())
            (image,) = objective.processes.total(line.forward(slope).square().sum())
            peak = image / slope.square().sum()
        else:
            j = linearised(objective, theta, batch).jacobian
            (squares,) = objective.processes.total(j.square().sum(0))
            peak = j.new_ones(()) if self.marquardt else squares.max()
        peak = torch.where(peak > 0, peak, 1.0).double()
        zero = torch.zeros_like(peak)
        return {
            "peak": peak,  # the unit of all dampings
            "damping": self.damping * peak,
            "rise": zero + 2,  # the factor of the next damping, if the try is in vain
            "idle": zero,  # how many tries in a row changed nothing
            "gain": zero + 1,  # what a try takes off |r|², as a share of it: the mean of some five
            "slope": zero + math.inf,  # ‖Jᵀr‖ / (‖J‖ ‖r‖), 0 where nothing is left to gain
            "left": zero + math.inf,  # |r|², as a multiple of what rounding makes of it
        }

    def step(self, objective: Objective, at: At, batch: Batch, room: int) -> tuple[At, Losses]:
        """One try."""
        damping = at.memory["damping"].to(at.theta)
        line, model = self.damped_model(objective, at.theta, batch, damping)
        rows = lambda h: rows_at(objective, at.theta - h / model.units, batch, line.scales)
        h = model.solve(line.rows)
        predicted = h @ (model.slope + damping * h)
        if self.acceleration and model.factored:
            h = bent(model, h, line.rows, rows(NEAR * h), self.acceleration)
        new = at.theta - h / model.units
        before, after = objective.processes.total(line.rows.square().sum(), rows(h).square().sum())
        taken = after < before  # not if it is NaN
        memory = next_damping(at.memory, (before - after) / predicted, taken)
        small = (before - after).abs() <= torch.finfo(before.dtype).eps * before
        memory["idle"] = torch.where(taken & ~small, 0.0, at.memory["idle"] + 1)
        share = torch.where(taken, (before - after) / before, 0.0)
        memory["gain"] = 0.8 * at.memory["gain"] + 0.2 * share
        rounding = torch.finfo(before.dtype).eps * model.size * at.theta.norm()
        memory["slope"] = (model.slope.norm() / (model.size * before.sqrt())).double()
        memory["left"] = (before / rounding**2).double()
        losses = {term: loss[None] for term, loss in line.losses.items()}
        return At(torch.where(taken, new, at.theta), memory, at.made + 1), losses

    def damped_model(
        self, objective: Objective, theta: Tensor, batch: Batch, damping: Tensor
    ) -> tuple[Linearised | OuterProducts | Products, "Model"]:
        """r and J, or its products, and how (JᵀJ + μD²) h = Jᵀr is solved."""
        solver = self.solver or chosen(objective, theta, batch)
        if solver == "cg":
            products = Products(objective, theta, batch)
            return products, by_products(products, damping, self.iterations)
        if solver == "cholesky" and not self.marquardt:
            found = outer_products(objective, theta, batch)
            if found is not None:
                return found, by_outer_products(found, damping)
        line, factor = linearised(objective, theta, batch), by_qr if solver == "qr" else by_cholesky
        return line, by_matrix(line, damping, self.marquardt, factor, objective.processes)

    def finished(self, memory: Memory) -> str | None:
        """Why no further step is of use, or None; for a report, since it looks at values."""
        idle, slope = int(memory["idle"]), memory["slope"].item()
        if slope <= self.tolerance:
            return f"the gradient is {slope:.1e} of what the residuals could give"
        return f"{idle} tries in a row changed nothing" if idle >= ENOUGH else None

    def stuck(self, memory: Memory) -> str | None:
        """What is to be said of a stage that ends without having arrived, or None."""
        idle, slope = int(memory["idle"]), memory["slope"].item()
        if slope < ARRIVED or memory["left"] < ROUNDING:
            return None
        left = f"gradient {slope:.0e} of what the residuals could give)"
        if idle >= IDLE:
            return (
                f"Levenberg–Marquardt could not improve in its last {idle} steps (damping "
                f"{memory['damping'].item():.0e}, {left}. Are the units far from 1? Train "
                "scaled(problem). Are the digits of float32 used up? Take "
                'solver="qr", or float64. Is the first layer too flat for the solution? Take '
                "MLP(..., spread=spread_of(problem)). Else begin with Adam"
            )
        if memory["gain"] < SLOW:
            return (
                f"Levenberg–Marquardt has stalled: a step takes {memory['gain'].item():.0e} off the loss "
                f"({left}. Do the equation and the conditions contradict each other? Is the solution too "
                "steep for this network? Take MLP(..., spread=spread_of(problem)), or march(...) in windows"
            )
        return None


class Model(NamedTuple):
    """The damped linear model of the rows at θ, with the parameters in units of 1 / D.

    forward(h) = J D⁻¹ h; solve(r) is the h that makes |J D⁻¹ h − r|² + μ |h|² least, cheap a second
    time if its matrix is factored.
    """

    solve: Solve
    forward: Callable[[Tensor], Tensor]
    units: Tensor  # D
    slope: Tensor  # D⁻¹ Jᵀ r
    size: Tensor  # ‖J D⁻¹‖
    factored: bool = True


def bent(model: Model, h: Tensor, rows: Tensor, near: Tensor, most: float) -> Tensor:
    """The step h + a/2, where a answers to the bend of the rows along h; h itself where 2 |a| > most |h|.

    near: the rows at θ − NEAR h. r(θ − s h) = r − s J h + s²/2 ∂²ₕr + …, so that they give ∂²ₕr, up to
    what the third derivative makes of a tenth of a step.

    Source: Transtrum and Sethna (2012), geodesic acceleration.
    """
    bend = (near - rows + NEAR * model.forward(h)) * (2 / NEAR**2)
    a = model.solve(bend)
    return torch.where(2 * a.norm() <= most * h.norm(), h + a / 2, h)  # not if it is NaN


def next_damping(memory: Memory, gain: Tensor, taken: Tensor) -> Memory:
    """μ and its factor after a try: by the gain ratio, what |r|² lost over what was predicted.

    Taken: μ ← μ max(⅓, 1 − (2 gain − 1)³). In vain: μ ← 2 μ, then 4 μ, 8 μ and so on. μ stays within
    fifteen decades of the peak, either way.

    >>> one = torch.ones((), dtype=torch.float64)
    >>> memory = {"peak": one, "damping": one, "rise": 2 * one}
    >>> right = next_damping(memory, gain=one, taken=one > 0)
    >>> wrong = next_damping(memory, gain=-one, taken=one < 0)
    >>> round(right["damping"].item(), 6), wrong["damping"].item(), wrong["rise"].item()
    (0.333333, 2.0, 4.0)

    Source: Nielsen (1999).
    """
    damping, rise, peak = memory["damping"], memory["rise"], memory["peak"]
    fall = (1 - (2 * gain.double() - 1) ** 3).clamp(min=1 / 3, max=2)
    new = torch.where(taken, damping * fall, damping * rise)
    return {
        "peak": peak,
        "damping": new.clamp(1e-15 * peak, 1e15 * peak),
        "rise": torch.where(taken, 2.0, (2 * rise).clamp(max=64)),
    }


def by_matrix(
    line: Linearised,
    damping: Tensor,
    marquardt: bool,
    factor: Callable[[Tensor, Tensor, Processes], Solve],
    processes: Processes = ALONE,
) -> Model:
    """The model from J itself; D² is the diagonal of JᵀJ, or 1."""
    j = line.jacobian
    units = torch.ones((), dtype=j.dtype, device=j.device)
    if marquardt:
        units = processes.norm(j, 0).clamp(min=torch.finfo(j.dtype).tiny)
        j = j / units
    (slope,) = processes.total(j.T @ line.rows)
    solve = factor(j, damping, processes)
    return Model(solve, lambda h: j @ h, units, slope, processes.norm(j))


def by_cholesky(j: Tensor, damping: Tensor, processes: Processes = ALONE) -> Solve:
    """(JᵀJ + μI)⁻¹ Jᵀr, or the same as Jᵀ(JJᵀ + μI)⁻¹ r where J has fewer rows than columns.

    Several processes always take the first, the sum of their JᵀJ.
    """
    wide = processes.count == 1 and len(j) < j.shape[1]
    (gram,) = processes.total(gram_of(j.T if wide else j))
    inverse = inverted(gram, damping)
    if wide:
        return lambda rows: j.T @ inverse(rows)
    return lambda rows: inverse(*processes.total(j.T @ rows))


def by_outer_products(line: OuterProducts, damping: Tensor) -> Model:
    """The model without J: h = Jᵀ(JJᵀ + μI)⁻¹ r, where JJᵀ comes from outer products."""
    gram = line.gram()
    size = gram.trace().sqrt()
    inverse = inverted(gram, damping)
    solve = lambda rows: line.transposed(inverse(rows))
    return Model(solve, line.forward, torch.ones_like(damping), line.transposed(line.rows), size)


def inverted(gram: Tensor, damping: Tensor) -> Solve:
    """v ↦ (G + μI)⁻¹ v by Cholesky's factor, which takes the place of the symmetric G.

    Of G its upper half is read. NaN where there is no factor: the try is in vain.
    """
    gram.diagonal().add_(damping)
    failed = torch.zeros((), dtype=torch.int32, device=gram.device)
    factor, _ = torch.linalg.cholesky_ex(gram.T, out=(gram.T, failed))  # of the lower half of Gᵀ

    def inverse(v: Tensor) -> Tensor:
        left = torch.linalg.solve_triangular(factor, v[:, None], upper=False)
        found = torch.linalg.solve_triangular(factor.T, left, upper=True)[:, 0]
        return torch.where(failed == 0, found, math.nan)

    return inverse


def by_qr(j: Tensor, damping: Tensor, processes: Processes = ALONE) -> Solve:
    """The same from the QR factors of J over √μ I: JᵀJ, which squares the condition, is not made.

    Where J has fewer rows than columns, of Jᵀ over √μ I: that is the smaller matrix then.
    """
    if processes.count > 1:
        return by_qr_of_shares(j, damping, processes)
    wide = len(j) < j.shape[1]
    tall = j.T if wide else j
    eye = torch.eye(tall.shape[1], dtype=j.dtype, device=j.device)
    q, upper = torch.linalg.qr(torch.cat([tall, damping.sqrt() * eye]))
    q = q[: len(tall)]

    def solve(rows: Tensor) -> Tensor:
        if wide:
            return q @ torch.linalg.solve_triangular(upper.T, rows[:, None], upper=False)[:, 0]
        return torch.linalg.solve_triangular(upper, (q.T @ rows)[:, None], upper=True)[:, 0]

    return solve


def by_qr_of_shares(j: Tensor, damping: Tensor, processes: Processes) -> Solve:
    """The same where each process has some rows of J: Jₛ = QₛRₛ, and all Rₛ over √μ I = Q̂ R.

    Then the rows of Q that belong to Jₛ are Qₛ Q̂ₛ, so Qᵀr = Σₛ Q̂ₛᵀ Qₛᵀ rₛ.

    Source: Demmel, Grigori, Hoemmen & Langou, *Communication-optimal parallel and sequential QR and LU
    factorizations* (2012).
    """
    own, share = torch.linalg.qr(j)
    eye = torch.eye(j.shape[1], dtype=j.dtype, device=j.device)
    q, upper = torch.linalg.qr(torch.cat([processes.gathered(share), damping.sqrt() * eye]))
    q = own @ q[processes.rank * len(share) :][: len(share)]

    def solve(rows: Tensor) -> Tensor:
        (left,) = processes.total(q.T @ rows)
        return torch.linalg.solve_triangular(upper, left[:, None], upper=True)[:, 0]

    return solve


def by_products(line: Products, damping: Tensor, iterations: int) -> Model:
    """The model without J: its products with vectors, and conjugate gradients on v ↦ JᵀJv + μv.

    Once the residual of the equation is small enough, what follows changes nothing.
    """
    slope = line.transposed(line.rows.detach())

    def solve(rows: Tensor) -> Tensor:
        left = line.transposed(rows)
        h, direction, size = torch.zeros_like(left), left, left @ left
        enough = 1e-12 * size  # |left| down to 1e-6 of what it was
        for _ in range(iterations):
            image = line.transposed(line.forward(direction)) + damping * direction
            rate = torch.where(size > enough, size / (direction @ image), 0.0)
            h, left = h + rate * direction, left - rate * image
            new = left @ left
            direction, size = left + (new / size) * direction, new
        return h

    largest = (
        line.processes.norm(line.forward(slope)) / slope.norm()
    )  # of ‖J‖, what the gradient sees
    return Model(solve, line.forward, torch.ones_like(damping), slope, largest, factored=False)


def gram_of(j: Tensor) -> Tensor:
    """JᵀJ (P, P). NumPy sees that it will be symmetric, and does half the work."""
    if j.device.type != "cpu":
        return j.T @ j
    columns = j.numpy()
    with np.errstate(all="ignore"):  # what is not finite has no Cholesky factor
        return torch.from_numpy(columns.T @ columns)


def chosen(objective: Objective, theta: Tensor, batch: Batch) -> str:
    """The solver where none is named."""
    processes = objective.processes
    counts = [len(at.x) for at in processes.share(batch).values()]
    rows = sum(counts) * objective.trial.problem.outputs
    if processes.count > 1:  # JᵀJ is made, however few the rows
        rows = max(rows, len(theta))
    needed = rows * len(theta) * theta.element_size()
    if needed <= ROOM:
        return "qr" if theta.dtype == torch.float32 else "cholesky"
    objective.warn(
        "products",
        f"J would have about {rows} × {len(theta)} entries, {needed / 2**30:.1f} GiB: "
        "LevenbergMarquardt takes conjugate gradients on its products with vectors instead. For the "
        'other way, LevenbergMarquardt(solver="cholesky")',
    )
    return "cg"
