"""Interfaces: where a coefficient of a second derivative jumps, and nothing ties the flux on its two sides.

check refuses such a problem, and fit warns of it.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from companion.pinn.problem import Problem
from companion.pinn.residuals import all_parts, equation_at, term_rows

TIE = (
    "nothing ties the flux on its two sides. Write the equation as two of the first order, with the flux "
    "as an output of its own (outputs=2), or give a Condition at the interface"
)


def refuse_interfaces(problem: Problem, params: Mapping[str, Any], n: int = 129) -> None:
    """Raise ValueError for a coefficient of a second derivative that jumps where no condition stands."""
    for name, place in untied(problem, params, n):
        raise ValueError(
            f"the coefficient of the second derivative jumps at {name} = {place:.4g}, and no "
            f"condition stands there: {TIE}"
        )


def untied(
    problem: Problem, params: Mapping[str, Any], n: int = 129
) -> Iterator[tuple[str, float]]:
    """(axis, place) of each jump of a coefficient of a second derivative where no condition stands.

    k(x) u″ = 0 says nothing at a jump of k: that k u′ is the same on both sides is one equation more.
    The coefficient is the answer of the residual to a bend of u. It is looked at on lines along each
    axis; a jump stays as large when the points around it are moved together.
    """
    box = problem.domain
    if problem.order < 2:
        return
    for axis, name in enumerate(box.names):
        middle = (box.low + box.high) / 2
        line = torch.linspace(0, 1, n, dtype=torch.float64)[:, None]
        x = middle.expand(n, -1).clone() + 0.0137 * (box.high - box.low)
        x[:, axis : axis + 1] = box.low[axis] + line * (box.high[axis] - box.low[axis])
        k = bend_coefficient(problem, params, x, axis)
        again = partial(bend_coefficient, problem, params, axis=axis)
        for place in jumps(k, x, again, axis):
            width = (box.high[axis] - box.low[axis]).item() / n
            near = [c.points[:, axis] - place for c in problem.conditions]
            if not any((d.abs() <= width).any() for d in near):
                yield name, place


def bend_coefficient(problem: Problem, params: Mapping[str, Any], x: Tensor, axis: int) -> Tensor:
    """How much the residual answers to a bend of u along an axis at points x: (n, k)."""
    exact, at = params["u"], equation_at(x)
    places = x[:, axis : axis + 1].detach()

    def bent(points: Tensor) -> Tensor:  # 0, with slope 0, at each point itself
        return exact(points) + (points[:, axis : axis + 1] - places) ** 2 / 2

    parts = all_parts(problem, params, "equation", x)  # the bend is at x, not in an integral
    plain, answer = (
        term_rows(problem, "equation", {**params, "u": u}, at, None, parts) for u in (exact, bent)
    )
    return (answer - plain).detach()


def jumps(
    k: Tensor, x: Tensor, again: Callable[[Tensor], Tensor], axis: int, halvings: int = 30
) -> list[float]:
    """Where k (n, ·) jumps along a line of points x; all places are looked at together."""
    steps = (k[1:] - k[:-1]).abs().nan_to_num(0, 0, 0).amax(1)
    size = k.abs().nan_to_num(0, 0, 0).max().clamp(min=1e-300)
    i = (steps > 0.05 * size).nonzero()[:, 0]
    low, high, at_low, at_high = x[i], x[i + 1], k[i], k[i + 1]
    for _ in range(halvings if len(i) else 0):
        middle = (low + high) / 2
        value = again(middle)
        left = ((value - at_low).abs().amax(1) < (value - at_high).abs().amax(1))[:, None]
        low, at_low = torch.where(left, middle, low), torch.where(left, value, at_low)
        high, at_high = torch.where(left, high, middle), torch.where(left, at_high, value)
    found = (at_high - at_low).abs().amax(1) > 0.04 * size
    return low[found, axis].tolist()
