"""Conditions that hold by construction: u = G + D n, whatever the network n is.

    Start       u, and u_t where it is given, at the beginning of an axis
    Dirichlet   u on the faces of an axis
    Neumann     the slope across the faces of an axis
    Periodic    one end of an axis is the other, in u and in every derivative

G fulfils all of them, and D is 0 where u is given, so that D n changes nothing there (forms.py). Slopes and periods
are those of the network itself, whose first columns have them: cos and sin of a periodic axis, ξ² and
ξ³ of one that is flat at its end. The gallery.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TypeAlias

from torch import Tensor

from companion.pinn.arguments import is_one, need_function, need_number
from companion.pinn.domain import SIDES, Box

Values: TypeAlias = (
    float | Tensor | Callable[[Tensor], Tensor]
)  # of u: numbers, or x (n, d) → (n, m)


@dataclass(frozen=True)
class Start:
    """u = values, and ∂u/∂t = slopes where they are given, at the beginning of a time axis.

    values, slopes: one number, one for each output (1, m), or a function x (n, d) → (n, m). axis: the
    name of the time axis; "t", or the only one, where it is None. scale: τ, how long the start is felt,
    found in the equation where it is None: u = g + τ φ h + φᵏ n with φ = 1 − e^{−(t − t₀)/τ}, and k = 1,
    or 2 with slopes.
    Raises ValueError for an axis that is not there, and for values of another shape.

    >>> import torch
    >>> from companion.operators import Partials
    >>> from companion.pinn import Problem
    >>> sine = Problem(Box(t=(0.0, 6.0)), lambda u, t: u(0, 0) + u(), hard=(Start(0.0, 1.0),), order=2)
    >>> u = Partials(sine.solution(torch.cos), torch.zeros(1, 1).double())
    >>> u().item(), round(u(0).item(), 12)
    (0.0, 1.0)

    Source: Lagaris, Likas & Fotiadis, *Artificial neural networks for solving ordinary and partial
    differential equations* (1998); the gallery.
    """

    values: Values
    slopes: Values | None = None
    axis: str | None = None
    scale: float | None = None

    def __post_init__(self) -> None:
        _refuse_values("the values of Start", self.values)
        if self.slopes is not None:
            _refuse_values("the slopes of Start", self.slopes)
        if self.scale is not None:
            need_number("scale", self.scale, above=0)

    def column(self, box: Box) -> int:
        """The column of its axis."""
        if self.axis is not None:
            return box.column(self.axis)
        if box.dimension > 1 and "t" not in box.names:
            raise ValueError(
                f"{self} does not say which axis is time: {box} has {', '.join(box.names)}. Write "
                f'Start(…, axis="{box.names[0]}")'
            )
        return box.column("t") if "t" in box.names else 0


@dataclass(frozen=True)
class Dirichlet:
    """u = values on the faces of an axis: one side, "low" or "high", or both where it is None.

    values: as those of Start. outputs: the columns of u that are given, all where it is None. With ξ
    from 0 to 1 along the axis, D has the factor ξ, 1 − ξ, or 4 ξ (1 − ξ). Raises ValueError as Start
    does, and for conditions that contradict each other where their faces meet.

    >>> import torch
    >>> from companion.pinn import Problem
    >>> edge = Dirichlet("x", lambda x: x[:, 1:])                        # u = y on both faces
    >>> plane = Problem(Box(x=(0, 1), y=(0, 1)), lambda u, x: u.laplacian(), hard=(edge,), order=2)
    >>> plane.solution(lambda x: x[:, :1].exp())(torch.tensor([[1.0, 0.25]]).double()).tolist()
    [[0.25]]

    Source: the gallery.
    """

    axis: str
    values: Values = 0.0
    side: str | None = None
    outputs: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        _refuse_values(f"the values of Dirichlet({self.axis!r})", self.values)
        _refuse_side(self)


@dataclass(frozen=True)
class Neumann:
    """∂u/∂x = slope on the faces of an axis: one side, "low" or "high", or both where it is None.

    Of all outputs, and along the axis: outwards at the high side, inwards at the low one. The network
    must be made for `problem.domain`: its columns ξ², ξ³ have the slope 0, and so has it. Raises
    ValueError as Dirichlet does.

    >>> import torch
    >>> from companion.operators import Partials
    >>> from companion.pinn import MLP, Problem
    >>> rod = Problem(Box(x=(0, 2)), lambda u, x: u(0, 0), hard=(Neumann("x", 0.5, "low"),), order=2)
    >>> u = Partials(rod.solution(MLP(rod.domain)), torch.zeros(1, 1).double())
    >>> round(u(0).item(), 12)
    0.5

    Source: the gallery.
    """

    axis: str
    slope: float = 0.0
    side: str | None = None

    def __post_init__(self) -> None:
        need_number(f"the slope of Neumann({self.axis!r})", self.slope)
        _refuse_side(self)


@dataclass(frozen=True)
class Periodic:
    """u and all its derivatives are the same at both ends of an axis.

    The network must be made for `problem.domain`: it sees the axis as cos and sin of one turn.

    >>> import torch
    >>> from companion.pinn import MLP, Problem
    >>> ring = Problem(Box(x=(0.0, 6.0)), lambda u, x: u(0), hard=(Periodic("x"),))
    >>> low, high = ring.solution(MLP(ring.domain))(torch.tensor([[0.0], [6.0]]).double())
    >>> abs(low - high).item() < 1e-14
    True

    Source: Dong & Ni, *A method for representing periodic functions and enforcing exactly periodic
    boundary conditions with deep neural networks* (2021); the gallery.
    """

    axis: str


Hard: TypeAlias = Start | Dirichlet | Neumann | Periodic
KINDS = (Start, Dirichlet, Neumann, Periodic)


def _refuse_values(what, values):
    """Raise TypeError or ValueError unless these are numbers, all finite, or a function."""
    if callable(values):
        need_function(
            what, values, "or numbers; what is not known at a face is a Condition", ("x",)
        )
        return
    if isinstance(values, Real):
        need_number(what, values)
    elif (
        not isinstance(values, Tensor)
        or values.ndim != 2
        or len(values) != 1
        or values.is_complex()
        or not values.isfinite().all()
    ):
        raise ValueError(
            f"{what} are one number, finite ones for each output (1, m), or a function of the points; "
            f"got {values!r}"
        )


def _refuse_side(condition):
    if condition.side is not None and not is_one(condition.side, SIDES):
        raise ValueError(f'side is "low", "high", or None for both; got {condition!r}')


def closed(box: Box, hard: Sequence[Hard]) -> Box:
    """The box whose networks have the periods and the slopes of these conditions by themselves.

    Raises ValueError for two conditions on one face, and for an axis that is not there.
    """
    taken: dict[tuple[str, str], Hard] = {}
    for condition in hard:
        for face in faces(condition, box):
            if face in taken and not apart(condition, taken[face]):
                axis, side = face
                raise ValueError(
                    f"two hard conditions on the {side} face of {axis}: {taken[face]} and {condition}. "
                    "Give one of them, or the other as a Condition"
                )
            taken[face] = condition
    periodic = {c.axis for c in hard if isinstance(c, Periodic)}
    flat = {face for face, c in taken.items() if isinstance(c, Neumann)}
    return box.closed(periodic, flat) if periodic or flat else box


def apart(one: Hard, other: Hard) -> bool:
    """Whether two conditions give different outputs, so that both may stand on one face."""
    if not (isinstance(one, Dirichlet) and isinstance(other, Dirichlet)):
        return False
    if one.outputs is None or other.outputs is None:
        return False
    return not set(one.outputs) & set(other.outputs)


def faces(condition: Hard, box: Box) -> Iterator[tuple[str, str]]:
    """(axis, side) of each face that a condition stands on."""
    if isinstance(condition, Start):
        yield box.names[condition.column(box)], "low"
    else:
        name = box.names[box.column(condition.axis)]
        side = getattr(condition, "side", None)
        yield from ((name, s) for s in SIDES if side in (None, s))


def sides(condition: Dirichlet | Neumann) -> tuple[str, ...]:
    """The sides that it stands on."""
    return SIDES if condition.side is None else (condition.side,)


def named(condition: Hard) -> str:
    """A condition in short, without its values."""
    kind = type(condition).__name__
    if isinstance(condition, Start):
        return kind
    side = getattr(condition, "side", None)
    return (
        f"{kind}({condition.axis!r})" if side is None else f"{kind}({condition.axis!r}, {side!r})"
    )
