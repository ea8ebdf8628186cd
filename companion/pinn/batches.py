"""Where the points come from: fixed, resampled, refined where the residual is large, mini-batches.

fixed, sampled  the same, or others every so many steps
refined         more of them where the residual is large, some anew at a time, with weights
grown           more and more of them, where it is greatest

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

from companion.pinn.arguments import asked_by, need_function, need_kind, need_number, need_whole
from companion.pinn.domain import Box
from companion.pinn.problem import Problem
from companion.pinn.residuals import Batch, Points, batch_of

Squares: TypeAlias = Callable[[Tensor], Tensor]  # x (n, d) → |residual of the equation|² (n,)
Drawn: TypeAlias = Tensor | tuple[Tensor, Tensor]  # x (n, d), or x with weights (n, 1)
BOX = "a Box, as problem.domain"  # what the sources of points take
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
        need_whole("seed", self.seed, 0)
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
    need_kind("box", box, Box, BOX)
    need_whole("seed", seed, 0)
    need_whole("every", every, 0)
    if every and how == "grid":
        raise ValueError('a grid is the same each time: resample with sampler="sobol"')
    box.points(n, how, seed)  # refused now, or never
    return Batches(
        lambda number, squares: box.points(n, how, mixed(seed, number)), every, seed=seed
    )


def refined(
    box: Box,
    n: int,
    every: int,
    candidates: int | None = None,
    power: float = 1.0,
    renewed: float = 0.2,
    weighted: bool = True,
    seed: int = 0,
) -> Batches:
    """n points of the box, where the residual is large; a share of them is new every so many steps.

    Of the candidates (4 n if not said), spread over the box, each is taken with a chance
    π ∝ 1 + |r|^{2·power} / mean, at most 1. weighted: each point has the weight 1 / π, up to a factor,
    so that the loss is the same integral as with points spread evenly, found with less chance; else
    the loss counts as more where the residual is larger. renewed: the share of the points that is
    replaced at a time, the oldest first: after a draw a fit has less to mend where most of its points
    are known to it. The first points are spread evenly. Raises ValueError for settings that are no
    counts, and a share that is not above 0 and at most 1.

    >>> box = Box(x=(-1.0, 1.0))
    >>> steep = refined(box, 100, every=5, renewed=1.0)
    >>> x, weight = steep.draw(1, lambda x: torch.exp(-50 * x[:, 0] ** 2), None)
    >>> bool((x.abs() < 0.3).double().mean() > 0.45)                    # more of them there,
    True
    >>> bool(((weight * x**2).mean() - 1 / 3).abs() < 0.05)             # but the same integral
    True

    Source: Wu, Zhu, Tan, Kartha & Lu, *A comprehensive study of non-adaptive and residual-based
    adaptive sampling for physics-informed neural networks* (2023), there RAD: without weights, and
    all points at a time; the weights, Nabian, Gladstone & Meidani, *Efficient training of
    physics-informed neural networks via importance sampling* (2021).
    """
    need_kind("box", box, Box, BOX)
    need_whole("n", n, 1)
    need_whole("every", every, 1)
    need_number("power", power, least=0)
    need_number("renewed", renewed, above=0)
    if renewed > 1:
        raise ValueError(
            f"renewed is a share of the points, above 0 and at most 1; got {renewed!r}"
        )
    need_kind("weighted", weighted, bool, "True or False")
    need_whole("seed", seed, 0)
    many = 4 * n if candidates is None else candidates
    need_whole("candidates", many, n)
    fresh = max(1, round(renewed * n))

    def draw(number: int, squares: Squares, last: Points | None) -> Drawn:
        if not number:
            return box.points(n, "sobol", seed), torch.ones(n, 1, dtype=torch.float64)
        x = box.points(many, "sobol", mixed(seed, number))
        size = squares(x).detach().cpu().double() ** power
        chance = (1 + size / size.mean().clamp(min=1e-300)).nan_to_num(1.0, 1.0, 1.0)
        share = shares(chance, fresh)
        taken = systematic(share, mixed(seed, number))
        weight = fresh / (many * share[taken, None]) if weighted else torch.ones(fresh, 1).double()
        if fresh == n or last is None:
            return x[taken], weight
        old, known = (t.cpu().double()[fresh:] for t in (last.x, last.weight.expand(n, 1)))
        return torch.cat([old, x[taken]]), torch.cat([known, weight])

    return Batches(draw, every, seed=seed)


def shares(chance: Tensor, n: int) -> Tensor:
    """π = min(1, c · chance), the share of each candidate in n points: Σ π = n.

    >>> shares(torch.tensor([8.0, 1.0, 1.0, 2.0]), 2)
    tensor([1.0000, 0.2500, 0.2500, 0.5000])
    """
    falling = chance.sort(descending=True).values
    left = falling.flip(0).cumsum(0).flip(0)  # of the chances, from each on
    scale = (n - torch.arange(len(chance))) / left  # where all before are taken for sure
    first = int((scale * falling <= 1 + 1e-12).to(torch.uint8).argmax())
    return (scale[first] * chance).clamp(max=1)


def systematic(share: Tensor, seed: int) -> Tensor:
    """The places of those that are taken: each with the chance π, Σ π of them, none of them twice.

    Marks at equal distances on the sum of the shares, in an order by chance: in their own, points of
    Sobol's sequence would come from one half of the box.

    Source: Madow, *On the theory of systematic sampling, II* (1949).
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(share), generator=generator)
    ends = share[order].cumsum(0)
    n = round(ends[-1].item())
    offset = torch.rand(1, generator=generator, dtype=torch.float64)
    marks = (torch.arange(n) + offset) * (ends[-1] / n)
    return order[torch.searchsorted(ends, marks, right=True).clamp(max=len(share) - 1)]


def grown(
    box: Box, n: int, every: int, more: int, candidates: int | None = None, seed: int = 0
) -> Batches:
    """n points of the box, and every so many steps `more` of them, where the residual is greatest.

    The greatest among the candidates (4 n if not said), others each time. The first are spread evenly,
    and none is ever left out: LevenbergMarquardt and compiled steps begin anew with each number of
    points, so let the set grow seldom. Raises ValueError for settings that are no counts.

    >>> box = Box(x=(-1.0, 1.0))
    >>> source = grown(box, 50, every=100, more=10)
    >>> first = source.draw(0, None, None)
    >>> source.draw(1, lambda x: -x[:, 0].abs(), Points(first, first, first, {})).shape
    torch.Size([60, 1])

    Source: Lu, Meng, Mao & Karniadakis, *DeepXDE: a deep learning library for solving differential
    equations* (2021), there RAR.
    """
    need_kind("box", box, Box, BOX)
    need_whole("n", n, 1)
    need_whole("every", every, 1)
    need_whole("more", more, 1)
    need_whole("seed", seed, 0)
    many = max(4 * n, more) if candidates is None else candidates
    need_whole("candidates", many, more)

    def draw(number: int, squares: Squares, last: Points | None) -> Tensor:
        if not number or last is None:
            return box.points(n, "sobol", seed)
        x = box.points(many, "sobol", mixed(seed, number))
        size = squares(x).detach().cpu().double().nan_to_num(0.0, 0.0, 0.0)
        return torch.cat([last.x.cpu().double(), x[size.topk(more).indices]])

    return Batches(draw, every, seed=seed)
