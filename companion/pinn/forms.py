"""u = G + D n: the ansatz that hard conditions make, and the time scale that it has. The gallery."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, TypeAlias

import torch
from torch import Tensor

from companion.operators import Partials
from companion.pinn.arguments import need_kind
from companion.pinn.conditions import (
    Dirichlet,
    Hard,
    Neumann,
    Periodic,
    Start,
    Values,
    faces,
    named,
    sides,
)
from companion.pinn.domain import SIDES, Box

Equation: TypeAlias = Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]  # (u, x) → (n, k)

SHORTEST = 0.01  # of the length of the time axis: no time scale is below
AGREE = 1e-7  # times the size of u: what two conditions may differ by where they meet


@dataclass(frozen=True)
class Form:
    """(x, n) ↦ G + D n: the ansatz that fulfils hard conditions.

    G is made condition by condition: what is missing on a face is added, times 1 on that face and 0 on
    the opposite one if u is given there too: v ← v + Σ w (values − v on the face). The start comes
    first, so that nothing after it changes u or u_t there, if the values agree where faces meet; and
    then a face where u = 0 has nothing missing.
    """

    box: Box
    hard: tuple[Hard, ...]
    outputs: int
    scale: float = 1.0  # τ, where there is a Start

    def __call__(self, x: Tensor, n: Tensor) -> Tensor:
        return self.given(x) + self.factor(x) * n

    def factor(self, x: Tensor) -> Tensor:
        """D (n, outputs)."""
        found = torch.ones_like(x[:, :1]) * x.new_ones(1, self.outputs)
        for start in self.of(Start):
            found = found * self.growth(start, x) ** (1 if start.slopes is None else 2)
        for edge in self.of(Dirichlet):
            chosen = self.places(edge, x).sum(0)
            for side in sides(edge):
                found = found * (1 - chosen + chosen * self.distance(edge.axis, side, x))
            if edge.side is None:
                found = found * (1 + 3 * chosen)  # 4 ξ (1 − ξ) is at most 1
        return found

    def given(self, x: Tensor) -> Tensor:
        """G (n, outputs)."""
        edges = [
            c for c in self.of(Dirichlet) if callable(c.values) or torch.as_tensor(c.values).any()
        ]
        return self.corrected(x, [*self.of(Start), *edges])

    def corrected(self, x: Tensor, steps: Sequence[Any]) -> Tensor:
        """G under the first conditions alone; under none of them, the parabolas of Neumann."""
        if not steps:
            zero = torch.zeros_like(x[:, :1]) * x.new_ones(1, self.outputs)
            return sum((self.parabola(c, x) for c in self.of(Neumann)), zero)
        *before, last = steps
        if isinstance(last, Start):
            first = self.onto(last, "low", x)
            found = self.asked(last.values, last, first)
            if last.slopes is None:
                return found
            slopes = self.asked(last.slopes, last, first)
            return found + self.scale * self.growth(last, x) * slopes
        found, chosen = self.corrected(x, before), self.places(last, x).sum(0)
        for side in sides(last):
            face = self.onto(last, side, x)
            missing = self.asked(last.values, last, face) - chosen * self.corrected(face, before)
            found = found + self.weight(last, side, x) * missing
        return found

    def of(self, kind: type) -> list[Any]:
        """The conditions of a kind, in order."""
        return [c for c in self.hard if isinstance(c, kind)]

    def axis(self, condition: Hard) -> str:
        """The name of its axis."""
        return next(faces(condition, self.box))[0]

    def unit(self, axis: str, x: Tensor) -> Tensor:
        """ξ (n, 1), from 0 to 1 along an axis."""
        i = self.box.column(axis)
        low, high = self.box.ends()[axis]
        return (x[:, i : i + 1] - low) / (high - low)

    def onto(self, condition: Hard, side: str, x: Tensor) -> Tensor:
        """x, brought to a face along its axis."""
        axis = self.axis(condition)
        place = torch.zeros(1, self.box.dimension).to(x)
        place[0, self.box.column(axis)] = 1.0
        return x * (1 - place) + place * self.box.ends()[axis][SIDES.index(side)]

    def growth(self, start: Start, x: Tensor) -> Tensor:
        """φ = 1 − e^{−(t − t₀)/τ}, (n, 1)."""
        axis = self.axis(start)
        low, high = self.box.ends()[axis]
        return -torch.expm1(-(high - low) / self.scale * self.unit(axis, x))

    def distance(self, axis: str, side: str, x: Tensor) -> Tensor:
        """From a face, (n, 1): 0 there, 1 on the opposite face, and flat where that is."""
        along = self.unit(axis, x)
        near = along if side == "low" else 1 - along
        return near * (2 - near) if (axis, opposite(side)) in self.box.flat else near

    def weight(self, edge: Dirichlet, side: str, x: Tensor) -> Tensor:
        """w (n, 1): 1 on a face, and 0 on the opposite one if u is given there."""
        along = self.unit(edge.axis, x)
        there = (edge.axis, opposite(side))
        if not any(there in faces(c, self.box) for c in self.of(Dirichlet)):
            return torch.ones_like(along)
        return 1 - along if side == "low" else along

    def parabola(self, condition: Neumann, x: Tensor) -> Tensor:
        """(n, 1): of the given slope on the faces of the condition, 0 and flat on the opposite one."""
        low, high = self.box.ends()[condition.axis]
        along = self.unit(condition.axis, x)
        bends = {"low": -((1 - along) ** 2) / 2, "high": along**2 / 2}
        height = condition.slope * (high - low)
        return height * torch.stack([bends[side] for side in sides(condition)]).sum(0)

    def asked(self, values: Values, condition: Start | Dirichlet, face: Tensor) -> Tensor:
        """The values on a face, (n, outputs); 0 for outputs that are left open."""
        places = self.places(condition, face)
        found = values(face) if callable(values) else torch.as_tensor(values).to(face)
        if found.ndim == 0 or (not callable(values) and found.shape[1] == 1):
            found = found * torch.ones_like(face[:, :1]) * face.new_ones(1, len(places))
        if not callable(values):
            found = found + 0 * face[:, :1]
        if found.shape != (len(face), len(places)):
            raise ValueError(
                f"{condition} gives {tuple(found.shape)} at {len(face)} points; expected "
                f"({len(face)}, {len(places)}), a column for each output that it fixes"
            )
        return found @ places

    def places(self, condition: Start | Dirichlet, like: Tensor) -> Tensor:
        """(c, outputs): 1 where the c-th of the given columns belongs."""
        chosen = getattr(condition, "outputs", None)
        every = torch.eye(self.outputs).to(like)
        return every if chosen is None else every[list(chosen)]


def opposite(side: str) -> str:
    """The other side."""
    return SIDES[1 - SIDES.index(side)]


def form_of(box: Box, hard: tuple[Hard, ...], outputs: int) -> Form:
    """The ansatz of these conditions, felt over the whole time axis until its scale is known.

    Raises ValueError for outputs that are not there, for values of another shape, and for conditions
    that contradict each other where their faces meet.
    """
    for c in hard:
        chosen = getattr(c, "outputs", None)
        if chosen is not None and not (
            isinstance(chosen, tuple)
            and chosen
            and all(isinstance(k, Integral) for k in chosen)
            and len(set(chosen)) == len(chosen)
            and set(chosen) <= set(range(outputs))
        ):
            raise ValueError(
                f"the outputs of {c} are a tuple of columns of u, 0 to {outputs - 1}, each once; got {chosen!r}"
            )
        refuse_values(box, c)
    starts = [c for c in hard if isinstance(c, Start)]
    scale = 1.0
    for start in starts:
        low, high = box.ends()[box.names[start.column(box)]]
        scale = start.scale or high - low
    form = Form(box, hard, outputs, scale)
    refuse_contradictions(form)
    return form


def refuse_values(box: Box, c: Hard, n: int = 64) -> None:
    """Raise TypeError or ValueError unless the functions of a condition give real, finite tensors."""
    for what in ("values", "slopes"):
        values: Any = getattr(c, what, None)
        for axis, side in faces(c, box) if callable(values) else ():
            x = box.edge(n, None, 0, **{axis: box.ends()[axis][SIDES.index(side)]})
            found = values(x)
            whose = f"the {what} of {named(c)}"
            need_kind(f"what {whose} give", found, Tensor, "a tensor (n, m), by functions of torch")
            if found.dtype != x.dtype:
                raise ValueError(
                    f"{whose} are {found.dtype} at points of {x.dtype}: write values(x).to(x), and a "
                    "complex one as two outputs"
                )
            if found.ndim != 2 or len(found) != len(x):
                continue  # which is refused where the columns are looked at
            wrong = ~found.isfinite().all(1)
            if wrong.any():
                place = x[int(wrong.int().argmax())].tolist()
                where = ", ".join(f"{n} = {v:g}" for n, v in zip(box.names, place))
                raise ValueError(f"{whose} are NaN or infinite at {where}")


def refuse_contradictions(form: Form, n: int = 64) -> None:
    """Raise ValueError unless G fulfils every condition on the whole of its faces."""
    for c in form.hard:
        for axis, side in faces(c, form.box):
            end = form.box.ends()[axis][SIDES.index(side)]
            x = form.box.edge(n, None, 0, **{axis: end})
            if isinstance(c, Periodic) and side == "low":
                continue  # it is compared with the other end, once
            for what, found, asked in claims(form, c, x, axis):
                off = (found - asked).detach().abs()
                if not off.max() <= AGREE * (1 + asked.detach().abs().max()):
                    at = x[off.amax(1).nan_to_num(math.inf).argmax()].tolist()
                    where = ", ".join(f"{n} = {v:g}" for n, v in zip(form.box.names, at))
                    raise ValueError(
                        f"the hard conditions contradict each other: at {where} those of the faces that "
                        f"meet there leave the {what} {off.max():.2g} away from what {named(c)} asks "
                        "for. Change one of them, or make it soft, a Condition"
                    )


def claims(form: Form, c: Hard, x: Tensor, axis: str) -> Iterator[tuple[Any, ...]]:
    """(what, as G has it, as it is asked for) on a face of a condition."""
    u, column = Partials(form.given, x), form.box.column(axis)
    if isinstance(c, Periodic):
        other = x.clone()
        other[:, column] = form.box.low[column]
        start = Partials(form.given, other)
        yield "value", u(), start()
        yield "slope", u(column), start(column)
        return
    if isinstance(c, Neumann):
        yield "slope", u(column), torch.full_like(u(column), c.slope)
        return
    chosen = form.places(c, x).sum(0)
    yield "value", chosen * u(), form.asked(c.values, c, x)
    if isinstance(c, Start) and c.slopes is not None:
        yield "slope", u(column), form.asked(c.slopes, c, x)


def timed(form: Form, equation: Equation, n: int = 64) -> Form:
    """The same form with the time scale that the equation has at the start.

    a ∂ᵏu/∂tᵏ + r = 0 moves u by its own size within τ = (a |u| / |r|)^{1/k}: r is the residual of G
    over the domain, a its answer to tᵏ/k! beside the start, k the order of the start; the shortest of all
    equations, within a hundredth of the time axis and the whole of it.
    """
    start = next((c for c in form.hard if isinstance(c, Start)), None)
    if start is None or start.scale is not None:
        return form
    order = 1 if start.slopes is None else 2
    axis, x = form.axis(start), form.box.points(n)
    low, high = form.box.ends()[axis]
    column = form.box.column(axis)
    first = form.onto(start, "low", x)

    def moved(x: Tensor) -> Tensor:  # at the start alone, or an integral would move too
        t = x[:, column : column + 1] - low
        return form.given(x) + t**order / order * torch.exp(-((t / (SHORTEST * (high - low))) ** 2))

    size = rms(form.given(x)).max()
    answer = rms(equation(moved, first) - equation(form.given, first))
    scales = (answer * size / rms(equation(form.given, x))) ** (1 / order)
    found = scales[(scales > 0) & scales.isfinite()]
    scale = found.min().item() if len(found) else high - low
    return replace(form, scale=min(max(scale, SHORTEST * (high - low)), high - low))


def rms(rows: Tensor) -> Tensor:
    """√ mean of the squares of each column."""
    return rows.detach().square().mean(0).sqrt()
