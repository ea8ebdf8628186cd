"""The three kinds of operation.

Every operation is linear, bilinear or pointwise. Its kind and one fact (the adjoint; the two
one-sided adjoints; the slope) give all three modes of differentiation. The facts are written with
the engine's own functions, so that what they return can be differentiated again.

=========== ================= ======================= ========================================
kind        forward           reverse                 Taylor
=========== ================= ======================= ========================================
linear L    L(ẋ)              adjoint(ȳ)              L(uₖ)
bilinear B  B(ẋ, y) + B(x, ẏ) left(ȳ, y), right(ȳ, x) Σ_j B(uⱼ, wₖ₋ⱼ)
pointwise f f′ · ẋ            ȳ · f′                  k vₖ = Σ_j j uⱼ cₖ₋ⱼ, c the series of f′
=========== ================= ======================= ========================================

Values that an equation defines, as solve and cholesky do, are of a fourth kind: implicit.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce
from operator import add, mul
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from companion.engines.values import UFUNCS, Number, Plain, V, Value, number, shape, zeros_like
from companion.series import product_coefficient

if TYPE_CHECKING:
    from companion.engines.jet import Jet

TABLE: dict[str, Rule] = {}  # name -> rule: every operation that the engines know
OUTSIDE = (
    ValueError,
    OverflowError,
    ZeroDivisionError,
)  # what math raises where NumPy gives inf or nan
Function = Callable[..., Any]
Numbers = Sequence[Number]
Tangents = Sequence[Any]  # for each argument its tangents, one for each seed; None for a constant
Params = dict[str, Any]  # the options of an operation, by name


class Rule:
    """One elementary operation: its value, and by its kind all its derivatives.

    `scalar` is a faster form of the value for Python floats; where it raises (math.log(0)) the
    NumPy form answers.
    """

    def __init__(self, name: str, value: Function, scalar: Function | None = None) -> None:
        self.name, self.value, self.scalar = name, value, scalar
        TABLE[name] = self
        if isinstance(value, np.ufunc):
            UFUNCS.setdefault(value, self)  # np.sin stays the sin of the table

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    if TYPE_CHECKING:  # what a kind says of itself

        def forward(self, xs: Numbers, v: Number, tangents: Tangents, params: Params) -> tuple: ...
        def reverse(self, g: Number, i: int, xs: Numbers, v: Number, params: Params) -> Any: ...
        def taylor(self, us: Sequence[Jet], v: Jet, params: Params) -> Callable[[int], Any]: ...

    def __call__(self, *args: Any, **params: Any) -> Any:
        newest = None
        for a in args:
            if isinstance(a, Value) and (newest is None or a.tag > newest.tag):
                newest = a
        if newest is None:
            return self.evaluate(*[number(a) for a in args], **params)
        return newest.apply(self, args, params)

    def evaluate(self, *xs: Any, **params: Any) -> Any:
        """The value at plain floats or arrays."""
        if self.scalar is not None and type(xs[0]) is float and type(xs[-1]) is float:
            try:
                return self.scalar(*xs)
            except OUTSIDE:
                pass
        v = self.value(*xs, **params)
        return v.item() if type(v) is np.float64 or type(v) is np.complex128 else v


class Linear(Rule):
    """v = L(x₁, x₂, …), linear in all its arguments together. The fact: adjoint(ȳ, i, xs) -> x̄ᵢ."""

    def __init__(
        self, name: str, value: Function, adjoint: Function, scalar: Function | None = None
    ) -> None:
        super().__init__(name, value, scalar)
        self.adjoint = adjoint

    def forward(self, xs: Numbers, v: Number, tangents: Tangents, params: Params) -> tuple:
        """L(ẋ), once for each seed; a constant has tangent zero."""
        if len(xs) == 1:
            return tuple([self(dx, **params) for dx in tangents[0]])
        seeds = next(len(t) for t in tangents if t is not None)
        rows = [(zeros_like(x),) * seeds if t is None else t for x, t in zip(xs, tangents)]
        return tuple([self(*dxs, **params) for dxs in zip(*rows)])

    def reverse(self, g: Number, i: int, xs: Numbers, v: Number, params: Params) -> Any:
        """adjoint(ȳ)."""
        return self.adjoint(g, i, xs, **params) if params else self.adjoint(g, i, xs)

    def taylor(self, us: Sequence[Jet], v: Jet, params: Params) -> Callable[[int], Any]:
        """vₖ = L(uₖ)."""
        return lambda k: self(*[u.coefficient(k) for u in us], **params)


class Bilinear(Rule):
    """v = B(x, y), linear in each argument. The facts: left(v̄, x, y) -> x̄, right(v̄, x, y) -> ȳ."""

    def __init__(
        self,
        name: str,
        value: Function,
        left: Function,
        right: Function,
        scalar: Function | None = None,
    ) -> None:
        super().__init__(name, value, scalar)
        self.left, self.right = left, right

    def forward(self, xs: Numbers, v: Number, tangents: Tangents, params: Params) -> tuple:
        """B(ẋ, y) + B(x, ẏ), once for each seed."""
        (x, y), (dxs, dys) = xs, tangents
        if dys is None:
            return tuple([self(dx, y, **params) for dx in dxs])
        if dxs is None:
            return tuple([self(x, dy, **params) for dy in dys])
        return tuple([self(dx, y, **params) + self(x, dy, **params) for dx, dy in zip(dxs, dys)])

    def reverse(self, g: Number, i: int, xs: Numbers, v: Number, params: Params) -> Any:
        """left(v̄, y) for the first argument, right(v̄, x) for the second."""
        (x, y), fact = xs, self.right if i else self.left
        return fact(g, x, y, **params) if params else fact(g, x, y)

    def taylor(self, us: Sequence[Jet], v: Jet, params: Params) -> Callable[[int], Any]:
        """vₖ = Σ_j B(uⱼ, wₖ₋ⱼ)."""
        u, w = us
        times = partial(self, **params) if params else self
        if u.constant:
            return lambda k: times(u.coefficients[0], w.coefficient(k))
        if w.constant:
            return lambda k: times(u.coefficient(k), w.coefficients[0])
        return lambda k: product_coefficient(u.upto(k), w.upto(k), k, times)


class Pointwise(Rule):
    """v = f(x), element by element, of one or more arguments.

    The fact: one slope for each argument, slope(*xs, v) -> ∂f/∂xᵢ.

    A slope may use the inputs or the output, whichever is shorter: `lambda x, v: cos(x)` for sin,
    `lambda x, v: 1 - v * v` for tanh.
    """

    def __init__(
        self, name: str, value: Function, *slopes: Function, scalar: Function | None = None
    ) -> None:
        if not slopes:
            raise TypeError(
                f"Pointwise({name!r}, ...) needs a slope for each argument, "
                f"e.g. lambda x, v: cos(x)"
            )
        super().__init__(name, value, scalar)
        self.slopes = slopes
        self.shortcuts: dict[type, Callable] = (
            {float: scalar} if scalar else {}
        )  # type of one argument -> what to call

    @overload
    def __call__(self, x: float, *others: float) -> float: ...
    @overload
    def __call__(self, x: V, *others: V | Plain) -> V: ...
    @overload
    def __call__(self, x: Number, *others: Number) -> Any: ...
    def __call__(self, x: Any, *others: Any) -> Any:
        shortcut = self.shortcuts.get(type(x))
        if shortcut and not others:
            try:
                return shortcut(x)
            except OUTSIDE:
                pass  # the general way has an answer: inf or nan, with NumPy's warning
        return super().__call__(x, *others)

    def forward(self, xs: Numbers, v: Number, tangents: Tangents, params: Params) -> tuple:
        """f′ · ẋ, summed over the arguments, once for each seed; the slopes are computed once."""
        if len(xs) == 1:
            slope = self.slopes[0](*xs, v)
            return tuple([slope * dx for dx in tangents[0]])
        active = [i for i, t in enumerate(tangents) if t is not None]
        slopes = [self.slopes[i](*xs, v) for i in active]
        found = [reduce(add, map(mul, slopes, dxs)) for dxs in zip(*[tangents[i] for i in active])]
        return tuple([_filled(t, v) for t in found])

    def reverse(self, g: Number, i: int, xs: Numbers, v: Number, params: Params) -> Any:
        """v̄ · f′."""
        return g * self.slopes[i](*xs, v)

    def taylor(self, us: Sequence[Jet], v: Jet, params: Params) -> Callable[[int], Any]:
        """k vₖ = Σ_j j uⱼ cₖ₋ⱼ, summed over the arguments.

        The slope may use v itself (tanh: c = 1 − v²). That is no circle: cₖ₋₁ needs v only up to k
        − 1. So the slope is evaluated on series whose coefficients are computed when asked for, and
        the knot is tied.
        """
        xs = [u.coefficients[0] if u.constant else u.growing(v.order - 1) for u in us]
        active = [i for i, u in enumerate(us) if not u.constant]
        if len(us) == 1:
            xs[0].remember(self, v)
        slopes: list[Jet] = []

        def coefficient(k: int) -> Any:
            if k == 0:
                return self(*[u.coefficient(0) for u in us])
            if not slopes:
                lower = v.growing(v.order - 1)
                slopes.extend(v.like(self.slopes[i](*xs, lower)) for i in active)
            return _filled(reduce(add, [c.chain(us[i], k) for c, i in zip(slopes, active)]), v)

        return coefficient


def _filled(t, v):
    """t in the shape of v; smaller only where a slope is a number and the arguments broadcast."""
    return t if shape(t) == shape(v) else t + zeros_like(v)
