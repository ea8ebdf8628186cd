"""Where the points come from: fixed, resampled, refined where the residual is large, mini-batches.

Batches(draw, every) says it all: draw(number, squares) gives the points of the equation, the first
ones with number 0, and others every so many steps. What is drawn follows from the seed and the number
alone, so a resumed fit draws what it would have drawn.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Integral
from typing import TypeAlias

import torch
from torch import Tensor

from companion.pinn.domain import Box
from companion.pinn.problem import Problem
from companion.pinn.residuals import Batch, batch_of

Squares: TypeAlias = Callable[[Tensor], Tensor]  # x (n, d) → |residual of the equation|² (n,)
Draw: TypeAlias = Callable[[int, Squares], Tensor]  # (number, squares) → x (n, d)


@dataclass(frozen=True)
class Batches:
    """The points of the equation, x = draw(number, squares), anew every so many steps unless 0.

    squares(x) is |residual|² of the equation at points x, as the fit stands. rows: {condition: how many
    of its points at a time}, drawn by chance each time; a condition that is not named keeps all.

    >>> box = Box(t=(0.0, 1.0))
    >>> late = Batches(lambda number, squares: 0.5 + 0.5 * box.points(64, "uniform", number), every=10)
    >>> late.draw(0, lambda x: x[:, 0]).shape
    torch.Size([64, 1])
    """

    draw: Draw
    every: int = 0
    rows: Mapping[str, int] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        need_count("every", self.every, 0)
        for name, count in self.rows.items():
            need_count(f"rows of {name}", count, 1)
        if self.rows and not self.every:
            raise ValueError("rows are drawn anew every so many steps: Batches(..., every=1)")

    def batch(self, problem: Problem, number: int, squares: Squares, like: Tensor) -> Batch:
        """The batch of a number, of the type and on the device of a tensor.

        Raises ValueError for points that are not (n, d) or not finite, or a condition that is not
        there.
        """
        x = torch.as_tensor(self.draw(number, squares)).detach()
        wanted = problem.domain.dimension
        if x.ndim != 2 or x.shape[1] != wanted or not len(x) or not x.isfinite().all():
            raise ValueError(
                f"expected points (n, {wanted}), one or more, all finite; the source of points gave "
                f"{tuple(x.shape)} for draw {number}"
            )
        found = batch_of(problem, x.to(like))
        generator = torch.Generator().manual_seed(mixed(self.seed, number))
        for name, count in self.rows.items():
            if name not in found:
                raise ValueError(f"rows of {name}: this problem has {', '.join(list(found)[1:])}")
            at = found[name]
            chosen = torch.randperm(len(at.x), generator=generator)[:count].to(like.device)
            found[name] = at.take(chosen)
        return found


def mixed(seed: int, number: int) -> int:
    """The seed of a draw: other ones, whatever the seed."""
    return seed + 1_000_003 * number


def fixed(x: Tensor) -> Batches:
    """The same points x (n, d) at every step."""
    x = torch.as_tensor(x)
    return Batches(lambda number, squares: x)


def sampled(
    box: Box, n: int | tuple[int, ...] = 256, how: str = "sobol", seed: int = 0, every: int = 0
) -> Batches:
    """About n points of the box (see Box.points), anew every so many steps unless 0.

    Raises ValueError for what Box.points refuses, and for a grid that is to be drawn anew.
    """
    if every and how == "grid":
        raise ValueError('a grid is the same each time: resample with sampler="sobol"')
    box.points(n, how, seed)  # refused now, or never
    return Batches(
        lambda number, squares: box.points(n, how, mixed(seed, number)), every, seed=seed
    )


def refined(
    box: Box, n: int, every: int, candidates: int | None = None, power: float = 1.0, seed: int = 0
) -> Batches:
    """n points of the box, drawn anew every so many steps where the residual is large.

    Of the candidates (4 n if not said) each is taken with a chance ∝ 1 + |r|^{2·power} / mean. The
    first are spread evenly. Raises ValueError for settings that are no counts.

    >>> box = Box(x=(-1.0, 1.0))
    >>> steep = refined(box, 100, every=5).draw(1, lambda x: torch.exp(-50 * x[:, 0] ** 2))
    >>> bool((steep.abs() < 0.3).double().mean() > 0.45)
    True

    Source: Wu, Zhu, Tan, Kartha & Lu, *A comprehensive study of non-adaptive and residual-based
    adaptive sampling for physics-informed neural networks* (2023).
    """
    need_count("n", n, 1)
    need_count("every", every, 1)
    many = 4 * n if candidates is None else candidates
    need_count("candidates", many, n)

    def draw(number: int, squares: Squares) -> Tensor:
        if not number:
            return box.points(n, "sobol", seed)
        x = box.points(many, "sobol", mixed(seed, number))
        size = squares(x).detach().cpu().double() ** power
        chance = 1 + size / size.mean().clamp(min=1e-300)
        generator = torch.Generator().manual_seed(mixed(seed, number))
        chance = chance.nan_to_num(1.0, 1.0, 1.0)
        return x[torch.multinomial(chance, min(n, len(x)), generator=generator)]

    return Batches(draw, every, seed=seed)


def need_count(what: str, value: object, least: int) -> None:
    """Raise ValueError unless a setting is a whole number, so much or more."""
    if not isinstance(value, Integral) or isinstance(value, bool) or int(value) < least:
        raise ValueError(f"{what} is a whole number, {least} or more; got {value!r}")
