"""Where the points come from: fixed, resampled, refined where the residual is large, mini-batches.

Batches(draw, every) says it all: draw(number, squares) gives the points of the equation, the first
ones with number 0, and others every so many steps; it may ask for `last`, the points until now. What
is drawn follows from the seed, the number and the state of the fit, so a resumed fit draws what it
would have drawn.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from torch import Tensor

from companion.pinn.arguments import need_function, need_kind, need_number, need_whole
from companion.pinn.domain import Box
from companion.pinn.problem import Problem, asked_by
from companion.pinn.residuals import Batch, Points, batch_of

Squares: TypeAlias = Callable[[Tensor], Tensor]  # x (n, d) → |residual of the equation|² (n,)
Drawn: TypeAlias = Tensor | tuple[Tensor, Tensor]  # x (n, d), or x with weights (n, 1)
Draw: TypeAlias = Callable[..., Drawn]  # (number, squares), and last: Points if it asks for it


@dataclass(frozen=True)
class Batches:
    """The points of the equation, x = draw(number, squares), anew every so many steps unless 0.

    squares(x) is |residual|² of the equation at points x, as the fit stands. A draw that names `last`
    gets the Points until now (last.x, last.weight; None for number 0), and it may give weights (n, 1)
    too, as (x, weight): the loss is mean weight · |residual|². rows: {condition: how many of its points
    at a time}, drawn by chance each time; a condition that is not named keeps all.

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
        need_whole("every", self.every, 0)
        need_kind("rows", self.rows, Mapping, "a dictionary, {condition: how many of its points}")
        for name, count in self.rows.items():
            need_whole(f"rows of {name}", count, 1)
        if self.rows and not self.every:
            raise ValueError("rows are drawn anew every so many steps: Batches(..., every=1)")
        need_function("draw", self.draw, "draw(number, squares) → points (n, d)")

    def batch(
        self,
        problem: Problem,
        number: int,
        squares: Squares,
        like: Tensor,
        last: Points | None = None,
    ) -> Batch:
        """The batch of a number, of the type and on the device of a tensor; last: the points until now.

        Raises ValueError for points that are not (n, d) or not finite, for weights that are not
        (n, 1), or a condition that is not there.
        """
        x, weight = self.drawn(problem.domain, number, squares, last)
        found = batch_of(problem, x.to(like))
        if weight is not None:
            found["equation"] = found["equation"]._replace(weight=weight.to(like))
        generator = torch.Generator().manual_seed(mixed(self.seed, number))
        for name, count in self.rows.items():
            if name not in found:
                raise ValueError(f"rows of {name}: this problem has {', '.join(list(found)[1:])}")
            at = found[name]
            chosen = torch.randperm(len(at.x), generator=generator)[:count].to(like.device)
            found[name] = at.take(chosen)
        return found

    def drawn(
        self, box: Box, number: int, squares: Squares, last: Points | None
    ) -> tuple[Tensor, Tensor | None]:
        """(x, its weights or None) of a draw, if these are points of the box, and their weights."""
        found = self.draw(number, squares, **asked_by(self.draw, {"last": last}))
        x, weight = found if isinstance(found, tuple) and len(found) == 2 else (found, None)
        expected = "a tensor of points (n, d), or such a tensor with weights, (x, weight)"
        need_kind("what the source of points gives", x, torch.Tensor, expected)
        try:
            x = refuse_points(box, x.detach())
        except ValueError as error:
            raise ValueError(f"{error}. The source of points gave them for draw {number}") from None
        if weight is None:
            return x, None
        need_kind("what the source of points gives as weights", weight, torch.Tensor, "(n, 1)")
        if weight.shape != (len(x), 1) or not (weight.isfinite() & (weight > 0)).all():
            raise ValueError(
                f"expected a weight above 0 for each of {len(x)} points, ({len(x)}, 1); got "
                f"{tuple(weight.shape)} for draw {number}. Write weight[:, None]"
            )
        return x, weight.detach()


def refuse_points(box: Box, x: Tensor) -> Tensor:
    """x, if these are points (n, d) of a box. Raises ValueError."""
    wanted = box.dimension
    if x.ndim != 2 or x.shape[1] != wanted or not len(x) or x.is_complex():
        raise ValueError(
            f"expected real points (n, {wanted}), one or more; got {x.dtype} of {tuple(x.shape)}"
        )
    if not x.isfinite().all():
        raise ValueError("expected points that are all finite; some are NaN or infinite")
    outside = (box.centred(x.double()).abs() > 1 + 1e-6).any(1)
    if outside.any():
        raise ValueError(f"{int(outside.sum())} of {len(x)} points lie outside {box}")
    return x


def mixed(seed: int, number: int) -> int:
    """The seed of a draw: other ones, whatever the seed."""
    return seed + 1_000_003 * number


def fixed(x: Tensor) -> Batches:
    """The same points x (n, d) at every step."""
    return Batches(lambda number, squares: x)


def sampled(
    box: Box, n: int | tuple[int, ...] = 256, how: str = "sobol", seed: int = 0, every: int = 0
) -> Batches:
    """About n points of the box (see Box.points), anew every so many steps unless 0.

    Raises ValueError for what Box.points refuses, and for a grid that is to be drawn anew.
    """
    need_whole("seed", seed, 0)
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
    need_whole("n", n, 1)
    need_whole("every", every, 1)
    need_number("power", power, least=0)
    need_whole("seed", seed, 0)
    many = 4 * n if candidates is None else candidates
    need_whole("candidates", many, n)

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
