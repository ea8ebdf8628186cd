"""Taylor mode through an unchanged torch function: any order, at polynomial cost.

A Jet is x₀ + x₁ t + … + xₙ tⁿ, its coefficients the rows of one tensor, so that a layer is one
matrix product for all orders. It walks through nn.Modules and torch functions as dispatch.py says,
and what each of them does to it stands in rules.py. The walk back to the parameters is torch's own,
with one autograd.Function for all pointwise functions. Sources: Griewank & Walther, ch. 13;
Bettencourt, Johnson & Duvenaud (2019); chapter 10.
"""

from collections.abc import Callable
from math import factorial
from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor

from companion import torch_private
from companion.operators import activations as activations  # these fill the table of rules
from companion.operators import affine as affine
from companion.operators import attention as attention
from companion.operators import complexes as complexes
from companion.operators import linear_algebra as linear_algebra
from companion.operators import losses as losses
from companion.operators import normalising as normalising
from companion.operators import powers as powers
from companion.operators import products as products
from companion.operators import recurrent as recurrent
from companion.operators import selections as selections
from companion.operators import special as special
from companion.operators.dispatch import Expansion, Series, quickly
from companion.operators.recurrences import SeriesRule, product


class Pointwise(torch.autograd.Function):
    """v = f(u), and the walk back ūⱼ = Σ_{k≥j} wₖ₋ⱼ v̄ₖ, where w is the series of f′(u).

    Of complex coefficients the walk back takes the conjugate of w, as all of torch does.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(rows: Tensor, rule: SeriesRule, order: int) -> tuple[Tensor, ...]:
        v, w = rule(rows.unbind(), order)
        return torch.stack(v), *w

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        rows, ctx.rule, ctx.order = inputs
        ctx.save_for_backward(rows, *output[1:])
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor | None, *_: Any) -> tuple[Tensor | None, None, None]:
        if cotangent is None:
            return None, None, None
        rows, *w = ctx.saved_tensors
        if torch.is_grad_enabled():  # this walk will be differentiated: w must know of u
            w = ctx.rule(rows.unbind(), ctx.order)[1]
        w = [c.conj() for c in w] if cotangent.is_complex() else w
        back = [_transposed(w, cotangent, j) for j in range(len(rows))]
        return torch.stack(back), None, None


pointwise = quickly(Pointwise)


def _transposed(w, cotangent, j):
    """ūⱼ = Σ_{k≥j} wₖ₋ⱼ v̄ₖ."""
    total = w[0] * cotangent[j]
    for k in range(j + 1, min(len(cotangent), j + len(w))):
        total = torch.addcmul(total, w[k - j], cotangent[k])
    return total


class Jet(Series):
    """x₀ + x₁ t + … + xₙ tⁿ by its normalised coefficients, in the place of a tensor.

    rows: (m + 1, *shape), the coefficients up to a degree m ≤ n; those above are zero. order: n.

    >>> torch.exp(Jet(torch.tensor([0.0, 1.0]), order=3)).rows
    tensor([1.0000, 1.0000, 0.5000, 0.1667])

    Raises NotImplementedError at a torch function without a rule, and says how to add it. Source:
    chapter 10.
    """

    def __init__(self, rows: Tensor, order: int, expansion: Expansion | None = None) -> None:
        super().__init__(rows)
        self.order, self.expansion = order, expansion

    def like(self, rows: Tensor) -> "Jet":
        """A jet of the same expansion with other rows."""
        self.check()
        rows = rows if len(rows) <= self.order + 1 else rows[: self.order + 1]
        return Jet(rows, self.order, self.expansion)

    def pointwise(self, rule: SeriesRule) -> "Jet":
        """f of this jet, by the rule of f."""
        if torch_private.forward_mode():  # torch loses outer tangents in the jvp of a Function
            return self.in_the_open(rule)
        return self.like(pointwise(self.rows, rule, self.order)[0])

    def in_the_open(self, rule: SeriesRule) -> "Jet":
        """The same by torch's own operations; for a rule that holds tensors, which torch.func must see."""
        return self.like(torch.stack(rule(self.rows.unbind(), self.order)[0]))

    def times(self, other: Series, multiply: Callable[[Tensor, Tensor], Tensor]) -> "Jet":
        """The product with another jet of this expansion."""
        u, w = self.padded(self, len(self.rows)), self.padded(other, len(other.rows))
        return self.like(torch.stack(product(u, w, self.order, multiply)))

    def stepwise(self, expand: Callable[..., Any], rows: list[Tensor]) -> Any:
        """A function without a rule, of series with these rows: the curve is the series itself."""
        return expand(rows, self.order, self.like)


def taylor(
    f: Callable[[Tensor], Tensor], x: Tensor, v: Tensor | float = 1.0, *, order: int
) -> list[Tensor]:
    """[y₀, …, yₙ], the normalised Taylor coefficients of t ↦ f(x + t v) at t = 0.

    yₖ = (1/k!) dᵏ/dtᵏ f(x + t v). f: a torch function or an nn.Module, as it is; x: a tensor of
    floats; v: a direction of its shape, or a number for all elements. Differentiable with respect
    to x, v and the parameters of f. Raises TypeError when x is not a floating tensor, v is complex or
    f does not return a tensor, ValueError for a negative order or a v of another shape,
    NotImplementedError at a function without a rule.

    >>> x = torch.tensor(1.0, dtype=torch.float64)
    >>> [float(y) for y in taylor(lambda x: x**4, x, order=5)]
    [1.0, 4.0, 6.0, 4.0, 1.0, 0.0]

    Source: Griewank & Walther, ch. 13; chapter 10.
    """
    if not isinstance(order, (int, Integral)) or order < 0:
        raise ValueError(f"order is a whole number, 0 or more; got {order!r}")
    check_points(x)
    if v.is_complex() if isinstance(v, torch.Tensor) else np.iscomplexobj(v):
        raise TypeError(f"a direction is real, as x is; got {v!r}")
    v = torch.as_tensor(v, dtype=x.dtype, device=x.device)
    if v.ndim and v.shape != x.shape:
        raise ValueError(f"a direction has the shape of x, {tuple(x.shape)}; got {tuple(v.shape)}")
    rows = torch.stack([x, v.expand_as(x)])[: order + 1]
    expansion = Expansion()
    stand_in: Any = Jet(rows, order, expansion)
    y: Any = evaluated(f, stand_in, x)
    expanded = isinstance(y, Jet) and y.expansion is expansion
    coefficients = list(y.rows) if expanded else [check_value(y)]
    zeros = torch.zeros_like(coefficients[0])
    return coefficients + [zeros] * (order + 1 - len(coefficients))


def evaluated(f: Callable[..., Any], series: Any, x: Tensor) -> Any:
    """f of a series. What it raises is said to be the series' fault where f takes a tensor."""
    try:
        return f(series)
    except (NotImplementedError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        if not _takes(f, x):
            raise
        raise NotImplementedError(
            f"f hands a series to what takes nothing but tensors, such as an autograd.Function, a "
            f"transform of torch.func, a scripted function or torch.tensor(...): "
            f"{type(error).__name__}: {error}. Write it with torch's functions, x.detach() for "
            "what is to be constant, or take Partials(f, x, method='reverse')"
        ) from error


def _takes(f, x):
    """Whether f can be evaluated at a tensor with a graph."""
    try:
        with torch.enable_grad():
            f(x.detach().clone().requires_grad_())
    except Exception:
        return False
    return True


def check_points(x: Any) -> None:
    """Refuse what cannot be differentiated at."""
    if isinstance(x, Series):
        raise NotImplementedError(
            "a function that is being expanded cannot expand again inside. "
            "Ask for the mixed derivative with Partials(f, x)(T, X)"
        )
    if not isinstance(x, torch.Tensor):
        raise TypeError(
            f"x is a tensor, e.g. torch.tensor([0.5], dtype=torch.float64); got {type(x).__name__}"
        )
    if not x.is_floating_point():
        raise TypeError(f"x is a tensor of floats; got {x.dtype}. Write x.double()")


def check_value(y: Any) -> Tensor:
    """y, which f returned, if it is a tensor."""
    if not isinstance(y, torch.Tensor) or isinstance(y, Series):
        raise TypeError(f"f returns one tensor; got {type(y).__name__}. Join several by torch.cat")
    return y


def derivatives(f: Callable[[Tensor], Tensor], x: Tensor, order: int) -> list[Tensor]:
    """[f(x), f′(x), …, f⁽ⁿ⁾(x)], in one pass, each of the shape of f(x).

    f acts element by element on a tensor of any shape, or row by row on points (n, 1), like a
    network of one variable: (n, 1) → (n, m). Raises ValueError for other shapes, and what taylor
    raises.

    >>> x = torch.tensor([0.0, 1.0], dtype=torch.float64)
    >>> [d.tolist() for d in derivatives(lambda x: x**3, x, 3)]
    [[0.0, 1.0], [0.0, 3.0], [0.0, 6.0], [6.0, 6.0]]

    Source: asked for in *High order derivatives in loss terms*; answered in chapter 10.
    """
    coefficients = taylor(f, x, order=order)
    y = coefficients[0]
    one_variable = x.ndim and x.shape[-1] == 1 and y.shape[:-1] == x.shape[:-1]
    if y.shape != x.shape and not one_variable:
        raise ValueError(
            f"f took x of shape {tuple(x.shape)} to {tuple(y.shape)}, so it is not a function of "
            "one variable. Name the direction, taylor(f, x, v, order=...), or take Partials(f, x)"
        )
    return [c * float(factorial(k)) if k > 1 else c for k, c in enumerate(coefficients)]
