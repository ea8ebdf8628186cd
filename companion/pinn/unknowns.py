"""What a problem does not know: a number, fitted from a guess, or a function, as a network. Chapter 17."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real

import torch
from torch import Tensor, nn

from companion.pinn.arguments import float_of, need_function, need_kind, need_names
from companion.pinn.domain import Box


@dataclass(frozen=True)
class Unknown:
    """A physical parameter to be fitted, from a guess, within open bounds.

    It is trained as a free number θ and seen as its value: low + eᶿ, high − eᶿ, or a sigmoid
    between the two; without bounds, scale · θ. truth: where it is known, to test with. Raises
    ValueError when the guess, or the truth, is not inside.

    A bound is also a door that closes: near it θ runs off, and the value hardly moves any more. When
    a fit ends at a bound, omit the bound and look again (chapter 17).

    >>> rate = Unknown(0.4, low=0.0)
    >>> round(float(rate.value(rate.free())), 6)
    0.4
    """

    guess: float
    low: float = -math.inf
    high: float = math.inf
    truth: float | None = None
    scale: float = 1.0

    def __post_init__(self) -> None:
        for what in ("guess", "low", "high", "scale"):
            need_kind(what, getattr(self, what), Real, "a number")
        need_kind("truth", self.truth, (Real, type(None)), "a number or None")
        if not self.low < self.guess < self.high or not math.isfinite(float_of(self.guess)):
            raise ValueError(
                f"expected low < guess < high; got {self.low}, {self.guess}, {self.high}"
            )
        if self.truth is not None and not self.low <= self.truth <= self.high:
            raise ValueError(f"the truth {self.truth} lies outside ({self.low}, {self.high})")
        if not 0 < float_of(self.scale) < math.inf:
            raise ValueError(f"scale is a number above 0, and finite; got {self!r}")

    def free(self) -> Tensor:
        """θ of the guess."""
        guess, low, high = (
            torch.tensor(v, dtype=torch.float64) for v in (self.guess, self.low, self.high)
        )
        if math.isfinite(self.low) and math.isfinite(self.high):
            return torch.logit((guess - low) / (high - low))
        if math.isfinite(self.low):
            return torch.log(guess - low)
        return torch.log(high - guess) if math.isfinite(self.high) else guess / self.scale

    def value(self, theta: Tensor) -> Tensor:
        """The parameter that θ stands for."""
        if math.isfinite(self.low) and math.isfinite(self.high):
            return self.low + (self.high - self.low) * torch.sigmoid(theta)
        if math.isfinite(self.low):
            return self.low + torch.exp(theta)
        return self.high - torch.exp(theta) if math.isfinite(self.high) else self.scale * theta


@dataclass(frozen=True)
class Field:
    """An unknown function of the points, as a network: a coefficient a(x), a source f(t).

    A residual that names it gets its Partials at the same points. axes: the names of the axes that
    it depends on, all when there are none; its network is made for these. truth: x (n, d) → (n, ·),
    where it is known. Raises TypeError for what is no module, no tuple of names, no function.

    >>> from companion.pinn import MLP, Problem
    >>> plane = Box(t=(0.0, 1.0), x=(-1.0, 1.0))
    >>> conductivity = Field(MLP(Box(x=(-1.0, 1.0)), (8,)), axes=("x",))
    >>> Problem(plane, lambda u, x, a: u(0) - a() * u(1, 1) - a(1) * u(1),
    ...         unknowns={"a": conductivity}, order=2).domain
    Box(t=(0, 1), x=(-1, 1))
    """

    network: nn.Module
    axes: tuple[str, ...] = ()
    truth: Callable[[Tensor], Tensor] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.network, nn.Module):
            raise TypeError(
                f"a Field has a network, an nn.Module; got {type(self.network).__name__}"
            )
        need_names("the axes of a Field", self.axes)
        if self.truth is not None:
            need_function("the truth of a Field", self.truth, "x (n, d) → (n, m)", ("x",))

    def function(self, box: Box) -> Callable[[Tensor], Tensor]:
        """x (n, d) → (n, ·), for the points of a box."""
        if not self.axes:
            return self.network
        columns = [box.column(name) for name in self.axes]
        return lambda x: self.network(x[:, columns])
