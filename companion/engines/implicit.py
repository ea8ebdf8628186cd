"""The fourth kind: a value that is defined by an equation, not by a formula.

v is where Q(x, v) = 0, as A v = b defines solve. The derivative of such a value needs no derivative
of the way it was found: differentiating the equation gives Q_x ẋ + Q_v v̇ = 0, a linear equation for
v̇. One fact, `correct`, solves it, and the same solution serves all modes.

======= ============================================================================================
forward v̇ = correct(Q_x ẋ), where correct(r) = −Q_v⁻¹ r
reverse λ = correctᵀ(v̄), then x̄ = Q_xᵀ λ
Taylor  vₖ = correct(rₖ), where rₖ is the k-th coefficient of Q(x, v) with vₖ set to 0
======= ============================================================================================

Source: the implicit function theorem; Griewank & Walther, *Evaluating Derivatives*, ch. 15.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from companion.engines.dual import jvp
from companion.engines.kinds import Function, Numbers, Params, Rule, Tangents
from companion.engines.tape import vjp
from companion.engines.values import Number, zeros_like

if TYPE_CHECKING:
    from companion.engines.jet import Jet


class Implicit(Rule):
    """v = value(*xs), which solves residual(*xs, v) = 0.

    The fact: correct(r, *xs, v) -> v̇ with Q_v v̇ = −r. Its transpose, adjoint(v̄, *xs, v) -> λ, is
    found by reverse mode where it is not given. All are written with the functions of the engines.

    >>> from companion.engines import derivative
    >>> from companion.engines.kinds import TABLE
    >>> third = Implicit(  # v with v³ = x, though the power ⅓ is what NumPy calls it
    ...     "third",
    ...     lambda x: x ** (1 / 3),
    ...     lambda x, v: x - v * v * v,
    ...     lambda r, x, v: r / (3 * v * v),
    ... )
    >>> round(derivative(third, order=2)(8.0), 12), TABLE.pop("third")
    (-0.006944444444, Implicit('third'))
    """

    def __init__(
        self,
        name: str,
        value: Function,
        residual: Function,
        correct: Function,
        adjoint: Function | None = None,
    ) -> None:
        super().__init__(name, value)
        self.residual, self.correct, self.adjoint = residual, correct, adjoint

    def forward(self, xs: Numbers, v: Number, tangents: Tangents, params: Params) -> tuple:
        """v̇ = correct(Q_x ẋ), once for each seed."""
        seeds = next(len(t) for t in tangents if t is not None)
        rows = [(zeros_like(x),) * seeds if t is None else t for x, t in zip(xs, tangents)]
        at_v = lambda *moved: self.residual(*moved, v)
        return tuple([self.correct(jvp(at_v, tuple(xs), dxs)[1], *xs, v) for dxs in zip(*rows)])

    def reverse(self, g: Number, i: int, xs: Numbers, v: Number, params: Params) -> Any:
        """λ = correctᵀ(v̄), x̄ = Q_xᵀ λ."""
        if self.adjoint:
            multiplier = self.adjoint(g, *xs, v)
        else:
            start = zeros_like(self.residual(*xs, v))
            multiplier = vjp(lambda r: self.correct(r, *xs, v), start)[1](g)[0]
        at_v = lambda x: self.residual(*xs[:i], x, *xs[i + 1 :], v)
        return vjp(at_v, xs[i])[1](multiplier)[0]

    def taylor(self, us: Sequence[Jet], v: Jet, params: Params) -> Callable[[int], Any]:
        """vₖ = correct(rₖ), order by order."""

        def coefficient(k: int) -> Any:
            first = [u.coefficient(0) for u in us]
            if k == 0:
                return self(*first)
            xs = [x if u.constant else u.rebuild(u.upto(k)[: k + 1]) for u, x in zip(us, first)]
            known = v.upto(k - 1)[:k]
            so_far = v.rebuild([*known, zeros_like(known[0])])
            return self.correct(self.residual(*xs, so_far).coefficient(k), *first, known[0])

        return coefficient
