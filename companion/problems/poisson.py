"""−Δu = f on an interval, a square and an L, with u known on the edge. Chapter 15."""

import math
from itertools import pairwise
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from companion.pinn import Box, Condition, Problem

PI = math.pi


def poisson_interval(hard: bool = True) -> Problem:
    """u″ = −f on (0, 1), u(0) = u(1) = 0; manufactured: u = sin πx + ½ sin 4πx.

    >>> from companion.pinn import check
    >>> check(poisson_interval())["equation"] < 1e-12
    True

    Source: chapter 15.
    """

    def exact(x: Tensor) -> Tensor:
        return torch.sin(PI * x) + 0.5 * torch.sin(4 * PI * x)

    def source(x: Tensor) -> Tensor:
        return PI**2 * torch.sin(PI * x) + 8 * PI**2 * torch.sin(4 * PI * x)

    ends = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    return Problem(
        domain=Box(x=(0.0, 1.0)),
        residual=lambda u, x: u(0, 0) + source(x),
        conditions=() if hard else (Condition("edge", ends, weight=1e3),),
        ansatz=(lambda x, n: x * (1 - x) * n) if hard else None,
        exact=exact,
        order=2,
    )


def poisson_square(hard: bool = True, edge_points: int = 40) -> Problem:
    """Δu = −f on (0, 1)², u = 0 on the edge; manufactured: u = sin πx sin πy.

    >>> from companion.pinn import check
    >>> check(poisson_square(hard=False))["edge"] < 1e-15
    True

    Source: chapter 15.
    """

    def exact(x: Tensor) -> Tensor:
        return torch.sin(PI * x[:, :1]) * torch.sin(PI * x[:, 1:])

    box = Box(x=(0.0, 1.0), y=(0.0, 1.0))
    sides = [box.edge(edge_points, None, 0, **{axis: end}) for axis in "xy" for end in (0.0, 1.0)]
    return Problem(
        domain=box,
        residual=lambda u, x: u.laplacian() + 2 * PI**2 * exact(x),
        conditions=() if hard else (Condition("edge", torch.cat(sides), weight=1e2),),
        ansatz=(lambda x, n: (x * (1 - x)).prod(1, keepdim=True) * n) if hard else None,
        exact=exact,
        order=2,
    )


class LShape(Box):
    """[−1, 1]² without its lower right quarter, x > 0 and y < 0.

    points, edge and rim keep to the L. Raises what a Box raises.

    >>> LShape().edge(3, x=1.0).tolist()
    [[1.0, 0.0], [1.0, 0.5], [1.0, 1.0]]
    >>> len(LShape().points(100)), len(LShape().rim(16))
    (100, 16)

    Source: chapter 15c.
    """

    def __init__(self) -> None:
        super().__init__(x=(-1.0, 1.0), y=(-1.0, 1.0))

    def points(self, n: int | tuple[int, ...], how: str = "sobol", seed: int = 0) -> Tensor:
        """About n points, of those of the square which lie in the L; never none."""
        wanted = max(math.ceil(4 * n / 3), 8) if isinstance(n, Integral) and n > 0 else n
        drawn = super().points(wanted, how, seed)
        return drawn[~((drawn[:, 0] > 0) & (drawn[:, 1] < 0))]

    def edge(self, n: int, how: str | None = None, seed: int = 0, **fixed: Any) -> Tensor:
        """n points of the L where the named axes have the given values.

        Raises ValueError when there are none, as at x = 1, y = −1.
        """
        super().edge(1, **fixed)  # refuses what lies outside the square
        x, y = fixed.get("x", 0.0), fixed.get("y", 0.0)
        if x > 0 and y < 0:
            raise ValueError(f"x={x}, y={y} lies in the quarter that the L has not")
        part = Box(x=(-1.0, 0.0 if y < 0 else 1.0), y=(0.0 if x > 0 else -1.0, 1.0))
        return part.edge(n, how, seed, **fixed)

    def rim(self, n: int) -> Tensor:
        """8 ⌊n/8⌋ points, at least 8, evenly on the edge, its six corners among them."""
        corners = [(0, 0), (1, 0), (1, 1), (-1, 1), (-1, -1), (0, -1), (0, 0)]
        corners = torch.tensor(corners, dtype=torch.float64)
        per_unit, pieces = max(n // 8, 1), []
        for a, b in pairwise(corners):
            count = per_unit * round((b - a).norm().item())
            steps = torch.arange(count, dtype=torch.float64)[:, None] / count
            pieces.append(a + steps * (b - a))
        return torch.cat(pieces)


def poisson_lshape(rim_points: int = 240) -> Problem:
    """Δu = 0 on the L, u given on its edge; u = r^{2/3} sin(2θ/3), not smooth at the corner.

    θ is the angle from the positive x axis, between 0 and 3π/2 in the L. |∇u| grows as
    r^{−1/3} at the corner: smooth networks suffer.

    >>> from companion.pinn import check
    >>> check(poisson_lshape())["edge"] < 1e-14
    True

    Source: the standard test of Grisvard, *Elliptic problems in nonsmooth domains*;
    chapter 15c.
    """

    def exact(x: Tensor) -> Tensor:
        r2 = x.square().sum(1, keepdim=True)
        angle = torch.atan2(x[:, 1:], x[:, :1])
        angle = torch.where(angle < -1e-12, angle + 2 * PI, angle)
        return r2 ** (1 / 3) * torch.sin(2 * angle / 3)

    domain = LShape()
    rim = domain.rim(rim_points)
    return Problem(
        domain=domain,
        residual=lambda u, x: u.laplacian(),
        conditions=(Condition("edge", rim, exact(rim), weight=100.0),),
        exact=exact,
        order=2,
    )
