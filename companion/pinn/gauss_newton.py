"""Gauss–Newton with Levenberg's damping: the stage that takes a small network to six digits.

The loss is ½|r(θ)|² over all weighted residuals r, and near a solution its Hessian is JᵀJ. J has
one row for each residual and one column for each parameter; since residuals at different points
are independent, it is computed per point, vmap(jacrev), which costs a small multiple of r itself.
What it does is written down once (make_fx) and then repeated without Python in between: a small
network's step is five times as fast. Where torch fails to write it down, it is computed as it stands.
Source: Levenberg (1944), Marquardt (1963); Müller & Zeinhofer (2023) for networks; chapter 14.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.func import functional_call, jacrev, vmap
from torch.fx import Graph, GraphModule

from companion import torch_private
from companion.operators.tracing import Looking
from companion.pinn.objective import Objective, nearby
from companion.pinn.stages import Stage, need_positive, need_whole

Parameters: TypeAlias = dict[str, Tensor]  # by name
Way: TypeAlias = Callable[..., Any]  # a graph; where torch traces none, the function itself

LARGE = 3000  # parameters; beyond, JᵀJ and its Cholesky factor take seconds a step


@dataclass(frozen=True)
class GaussNewton(Stage):
    """steps of θ ← θ − (JᵀJ + μI)⁻¹ Jᵀr, by Cholesky; μ falls when a step succeeds, else rises.

    With fewer residuals than parameters it is the same step as Jᵀ(JJᵀ + μI)⁻¹ r, and cheaper so.
    The residual is traced when the fit begins and not called again, but for a new number of points:
    it must depend on u, x and the unknowns alone (tensors that it uses may be changed in place), at
    its own point alone. damping: the first μ. tries: how often μ may rise in one step.

    Raises ValueError beyond about 3000 parameters, where JᵀJ no longer fits the method, for a term
    that looks at values or at other points, and for settings that no step can be made with;
    NotImplementedError for an operation without a Taylor rule.

    >>> from companion.pinn import MLP, fit
    >>> from companion.pinn.oscillator import oscillator
    >>> problem = oscillator()
    >>> network, stages = MLP(problem.domain, (10,), spread=3.0), [GaussNewton(30)]
    >>> fit(problem, network, stages, points=40, progress=False).error < 1e-2
    True

    Source: Levenberg (1944), Marquardt (1963); chapter 14.
    """

    steps: int
    damping: float = 1e-3
    tries: int = 12

    def __post_init__(self) -> None:
        need_whole(self, steps=1, tries=1)
        need_positive(self, "damping")

    def begin(self, objective: Objective) -> "Stepper":
        """The stepper of this stage."""
        return Stepper(self, objective)


def linearisation(
    of_point: Callable[..., Tensor], names: Sequence[str], *tensors: Tensor
) -> tuple[Tensor, Tensor]:
    """r (n, k) and J (n, k, parameters) of a residual given at one point.

    tensors: the parameters of these names, the points (n, d) and the values there.
    """
    *parameters, x, values = tensors
    parameters = dict(zip(names, parameters))
    both = jacrev(lambda *at: (of_point(*at),) * 2, has_aux=True)
    jacobian, r = vmap(both, (None, 0, 0))(parameters, x, values)
    return r, torch.cat([jacobian[n].reshape(*r.shape, -1) for n in parameters], 2)


def one_by_one(
    of_point: Callable[..., Tensor], names: Sequence[str], *tensors: Tensor
) -> tuple[Tensor, Tensor]:
    """The same as linearisation, point after point and row after row: for what vmap cannot do."""
    *parameters, x, values = tensors
    parameters = dict(zip(names, parameters))
    both = jacrev(lambda *at: (of_point(*at),) * 2, has_aux=True, chunk_size=1)
    jacobians, rows = zip(*[both(parameters, *at) for at in zip(x, values)])
    r = torch.stack(rows)
    blocks = [torch.stack([j[n] for j in jacobians]).reshape(*r.shape, -1) for n in parameters]
    return r, torch.cat(blocks, 2)


def traced(f: Callable[..., Any], *args: Tensor) -> tuple[GraphModule, GraphModule]:
    """f(*args) → (r, J) as two graphs of torch operations: one gives (r, J), the other r alone.

    One mode for the shapes of all nodes: make_fx would make a new one at each, which takes longer
    than all the rest.
    """
    with torch_private.one_mode():
        whole = torch_private.traced(f, args)
    part = Graph()
    part.output(part.graph_copy(whole.graph, {})[0])  # type: ignore[index]
    found = whole, GraphModule(whole, part)
    for module in found:
        module.graph.eliminate_dead_code()
        module.recompile()
    return found


def damped_step(jacobian: Tensor, rows: Tensor, gram: Tensor, damping: float) -> Tensor | None:
    """(JᵀJ + μI)⁻¹ Jᵀr; None where it has no Cholesky factor.

    gram: JᵀJ, or JJᵀ where J has fewer rows than columns; Jᵀ(JJᵀ + μI)⁻¹ r is the same step.
    """
    eye = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    factor, failed = torch.linalg.cholesky_ex(gram + damping * eye)
    if failed:
        return None
    if len(rows) < jacobian.shape[1]:
        return jacobian.T @ torch.cholesky_solve(rows[:, None], factor)[:, 0]
    return torch.cholesky_solve((jacobian.T @ rows)[:, None], factor)[:, 0]


class Stepper:
    """Gauss–Newton's state: the damping μ, and the graphs of its residuals."""

    def __init__(self, stage: GaussNewton, objective: Objective) -> None:
        self.stage, self.objective, self.damping = stage, objective, stage.damping
        self.known: dict[Any, tuple[Way, Way]] = {}  # see graphs
        parameters = self.parameters()
        count = sum(p.numel() for p in parameters.values())
        if count > LARGE:
            raise ValueError(
                f"GaussNewton solves for all parameters at once, up to about {LARGE}; got {count}. "
                "Take a smaller network, or LBFGS"
            )
        for name, (x, values, _) in objective.terms().items():  # what fails, fails before the fit
            self.graphs(name, parameters, x, values)

    def parameters(self) -> dict[str, Tensor]:
        """{name: value} of all that is trained."""
        return {n: p.detach() for n, p in self.objective.trial.free().items()}

    def step(self, number: int) -> dict[str, Tensor]:
        """One accepted step (or none, when no damping helps); returns the terms before it."""
        parameters = self.parameters()
        terms, rows, jacobian, scales = self.linearised(parameters)
        wide = len(rows) < jacobian.shape[1]
        gram = jacobian @ jacobian.T if wide else jacobian.T @ jacobian
        before = rows.square().sum()
        for _ in range(self.stage.tries):
            step = damped_step(jacobian, rows, gram, self.damping)
            moved = None if step is None else self.moved(parameters, step)
            if moved is not None and self.squares(moved, scales) < before:
                self.damping = max(self.damping / 3, 1e-15)
                with torch.no_grad():
                    for name, p in self.objective.trial.free().items():
                        p.copy_(moved[name])
                break
            self.damping = min(self.damping * 4, 1e10)
        return terms

    def moved(self, parameters: Parameters, step: Tensor) -> dict[str, Tensor]:
        """The parameters θ − step."""
        pieces = step.split([p.numel() for p in parameters.values()])
        return {n: p - d.view_as(p) for (n, p), d in zip(parameters.items(), pieces)}

    def linearised(
        self, parameters: Parameters
    ) -> tuple[dict[str, Tensor], Tensor, Tensor, dict[str, Tensor]]:
        """The terms of the loss, the residuals r under their weights, J = ∂r/∂θ, and the weights."""
        terms, rows, blocks, scales = {}, [], [], {}
        for name, (x, values, weight) in self.objective.terms().items():
            whole, _ = self.graphs(name, parameters, x, values)
            r, flat = whole(*parameters.values(), x, values)
            scales[name] = scale = self.scale(name, x, r, weight)
            rows.append((scale * r).flatten())
            blocks.append((scale[:, :, None] * flat).flatten(0, 1))
            terms[name] = rows[-1].square().sum()
            if not blocks[-1].isfinite().all():
                terms[name] = torch.full_like(terms[name], math.nan)  # no step can be made of it
        return terms, torch.cat(rows), torch.cat(blocks), scales

    def scale(self, name: str, x: Tensor, r: Tensor, weight: float) -> Tensor:
        """√(weight / n) for every row of the residual r (n, k): (n, 1)."""
        scale = torch.full_like(x[:, :1], weight / len(x)).sqrt()
        if self.objective.causal and name == "equation":
            scale = scale * self.objective.causal.weights(r, x).sqrt()
        return scale

    def squares(self, parameters: Parameters, scales: Mapping[str, Tensor]) -> Tensor:
        """|r|² at other parameters, under the same weights."""
        found: Any = 0.0
        for name, (x, values, _) in self.objective.terms().items():
            _, residual = self.graphs(name, parameters, x, values)
            r = residual(*parameters.values(), x, values)
            found = found + (scales[name] * r).square().sum()
        return found

    def graphs(
        self, name: str, parameters: Parameters, x: Tensor, values: Tensor
    ) -> tuple[Way, Way]:
        """The graphs of a term, traced and compared at the first call with this number of points."""
        key = name, x.shape
        if key not in self.known:
            found = self.ways(name, list(parameters), (*parameters.values(), x, values))
            self.compare(found[1], name, parameters, x, values)
            self.known[key] = found
        return self.known[key]

    def ways(self, name: str, names: Sequence[str], inputs: Sequence[Tensor]) -> tuple[Way, Way]:
        """(r, J) of a term and r alone, by the first way that torch can go: traced, as it stands, or
        point by point. That it is a slow one is said once.
        """
        whole = partial(linearisation, self.point(name), names)
        try:
            return traced(whole, *inputs)
        except Exception as error:  # torch's, or the user's: the next way tells
            first = error
        try:
            whole(*inputs)
        except NotImplementedError as error:
            raise NotImplementedError(
                f"{error}. GaussNewton differentiates {name} by jets, so it needs the rule; Adam "
                "and LBFGS do not"
            ) from error
        except (RuntimeError, ValueError) as error:
            self.refuse_own_fault(name, names, inputs, error)
            first, whole = error, partial(one_by_one, self.point(name), names)
            how = "point by point, hundreds of times slower"
        else:
            how = "by Python at each step, about five times slower"
        self.objective.warn(
            "slow",
            f"GaussNewton computes {name} {how}: torch {torch.__version__} fails on the faster way "
            f"({type(first).__name__}: {first}). The steps are the same",
        )
        return whole, lambda *at: whole(*at)[0]

    def refuse_own_fault(
        self, name: str, names: Sequence[str], inputs: Sequence[Tensor], error: Exception
    ) -> None:
        """Raise ValueError if a term looks at values, or cannot be evaluated at a point alone."""
        *parameters, x, values = inputs
        try:
            with Looking() as looking:
                self.rows(name, dict(zip(names, parameters)), x[:1], values[:1])
        except (RuntimeError, ValueError) as own:
            raise ValueError(f"{untraceable(name)} torch says: {own}") from own
        if looking.seen:
            raise ValueError(f"{untraceable(name)} torch says: {error}") from error

    def compare(
        self, alone: Way, name: str, parameters: Parameters, x: Tensor, values: Tensor
    ) -> None:
        """Raise ValueError unless the residual, point by point, is that of all points at once.

        It is taken at other parameters and points than those of the tracing: near a solution there
        would be rounding alone to be compared.
        """
        moved, x = nearby(parameters.values(), x)
        together = self.rows(name, dict(zip(parameters, moved)), x, values)
        size = together.nan_to_num(0, 0, 0).abs().max().clamp(min=1e-6).item()
        limit = 10 * torch.finfo(x.dtype).eps ** 0.5 * size
        r = alone(*moved, x, values)
        if not torch.allclose(r, together, rtol=0, atol=limit, equal_nan=True):
            worst = (r - together).nan_to_num().abs().max().item()
            raise ValueError(
                f"{untraceable(name)} Near here it is {size:.1e} among all points, and differs by "
                f"{worst:.1e} when each is alone"
            )

    def point(self, name: str) -> Callable[[Parameters, Tensor, Tensor], Tensor]:
        """The residual of one term at one point, as a function of the parameters: (k,)."""
        return lambda parameters, x, values: self.rows(name, parameters, x[None], values[None])[0]

    def rows(self, name: str, parameters: Parameters, x: Tensor, values: Tensor) -> Tensor:
        """The residual (n, k) of one term at its points, as a function of the parameters."""
        trial = self.objective.trial

        def u(points: Tensor) -> Tensor:
            return functional_call(trial, parameters, (points,))

        free = {n: parameters[f"thetas.{n}"] for n in trial.thetas}
        unknowns = {n: trial.problem.unknowns[n].value(free[n]) for n in free}
        return trial.problem.rows(name, u, unknowns, x, values, "taylor")

    def state_dict(self) -> dict[str, Any]:
        """What resuming needs."""
        return {"damping": self.damping}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up where state_dict() was written."""
        self.damping = state["damping"]


def untraceable(name: str) -> str:
    """What is said of a term that is no function of its own point."""
    return (
        f"GaussNewton cannot trace {name} at a single point. Does it look at a value (if …, "
        "float(…), .item(), numpy), or at other points than its own? Write torch.where(...) for a "
        "choice, or take LBFGS."
    )
