"""What torch's functions do to a series: the table RULES, by the kind of the function.

Linear functions act on every coefficient alike, products convolve, pointwise functions follow the
recurrences of recurrences.py, and the rest are written with those, here and in activations.py.
Piecewise constant functions and comparisons see the primal only. What a slope is at a corner is
torch's choice, another one in another release (clamp's at its bounds), so it stands nowhere here:
the installed torch is asked.
"""

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from companion import torch_private
from companion.operators.dispatch import RULES, Operand, Series, quickly
from companion.operators.fallback import alone
from companion.operators.recurrences import POINTWISE, SeriesRule

UNARY_LINEAR = """reshape view flatten unflatten squeeze unsqueeze transpose
    movedim permute t expand broadcast_to repeat tile select narrow index_select take_along_dim
    gather roll flip cumsum sum mean trace diagonal diag tril triu clone adjoint
    contiguous cpu cuda float double half neg unbind split chunk tensor_split hsplit vsplit
    repeat_interleave atleast_1d atleast_2d""".split()
JOINT_LINEAR = "cat stack hstack vstack dstack".split()
STRAIGHT = """abs maximum minimum clamp clamp_min clamp_max relu relu6 hardtanh
    leaky_relu""".split()
STEPS = """lt le gt ge eq ne isnan isinf isfinite sign sgn floor ceil round trunc floor_divide
    heaviside argmax argmin int long bool allclose equal any all""".split()
FACTS = """detach size dim numel stride is_floating_point is_complex is_contiguous get_device
    zeros_like ones_like full_like empty_like rand_like randn_like new_empty new_zeros new_ones new_full
    new_tensor""".split()


def first(*values: Operand) -> Series:
    """The first series among the values; it knows how to treat the others."""
    return next(v for v in values if isinstance(v, Series))


def linear(function: Callable) -> Callable:
    """The rule of a function that is linear in its first argument."""

    def rule(x: Series, *args: Any, **kwargs: Any) -> Any:
        if any(isinstance(a, Series) for a in (*args, *kwargs.values())):
            return alone(function, (x, *args), kwargs, Series)
        return x.each(lambda row: function(row, *args, **kwargs))

    return rule


def joint(function: Callable) -> Callable:
    """The rule of a function that is linear in a list of tensors; constants stand in row 0."""

    def rule(tensors: Any, *args: Any, **kwargs: Any) -> Any:
        kind, rows = aligned(*tensors)
        return kind.like(torch.vmap(lambda *row: function(row, *args, **kwargs))(*rows))

    return rule


def aligned(*values: Operand) -> tuple[Series, list[Tensor]]:
    """(a series, the rows of all), with equally many rows."""
    kind = first(*values)
    count = max(len(v.rows) for v in values if isinstance(v, Series))
    return kind, [kind.padded(v, count) for v in values]


def moved(x: Operand, *args: Any, **kwargs: Any) -> Any:
    """x.to(…): another dtype or device; also a constant's, to those of a series."""
    args = [a.primal if isinstance(a, Series) else a for a in args]
    if not isinstance(x, Series):
        return x.to(*args, **kwargs)
    return x.each(lambda row: row.to(*args, **kwargs))  # type: ignore[arg-type]


def prod(
    x: Series, dim: int | None = None, keepdim: bool = False, dtype: torch.dtype | None = None
) -> Any:
    """Π xᵢ along an axis, or of all elements."""
    x = x if dtype is None else x.to(dtype)
    if x.ndim == 0:
        return x
    if dim is None:
        return reduce(mul, x.flatten().unbind())
    result = reduce(mul, x.unbind(dim))
    return result.unsqueeze(dim) if keepdim else result


def add(x: Operand, y: Operand, alpha: float = 1) -> Any:
    """x + alpha y; a constant touches the primal alone."""
    kind, rows = aligned(x, y)
    if all(r.ndim == rows[0].ndim for r in rows):
        return kind.like(torch.add(*rows, alpha=alpha))
    return kind.like(torch.vmap(lambda a, b: torch.add(a, b, alpha=alpha))(*rows))


def mul(x: Operand, y: Operand) -> Any:
    """x y."""
    if isinstance(x, Series) and isinstance(y, Series):
        return x.times(y, torch.mul)
    return scaled(x, y, torch.mul) if isinstance(x, Series) else scaled(y, x, torch.mul)


def scaled(x: Series, factor: Operand, multiply: Callable) -> Any:
    """multiply(x, factor), for a factor that is constant: a number, an array, a tensor."""
    factor = x.constant(factor) if isinstance(factor, np.ndarray) else factor
    if not isinstance(factor, torch.Tensor) or (factor.ndim <= x.ndim and x.ndim):
        return x.like(multiply(x.rows, factor))
    return x.each(lambda row: multiply(row, factor))


def matmul(x: Operand, y: Operand) -> Any:
    """x @ y."""
    if isinstance(x, Series) and isinstance(y, Series):
        return x.times(y, torch.matmul)
    if isinstance(y, Series):
        x = y.constant(x)
        return y.each(lambda row: x @ row)
    y = x.constant(y)
    return x.like(x.rows @ y) if y.ndim == 2 else x.each(lambda row: row @ y)


def layer(x: Operand, weight: Tensor, bias: Tensor | None = None) -> Any:
    """x Wᵀ + b: one product for all coefficients, and the bias to the primal."""
    if not isinstance(x, Series) or isinstance(weight, Series) or isinstance(bias, Series):
        y = matmul(x, weight.mT if weight.ndim > 1 else weight)
        return y if bias is None else y + bias
    if bias is None or torch_private.forward_mode():
        y = x.like(F.linear(x.rows, weight))
        return y if bias is None else y + bias
    return x.like(affine_layer(x.rows, weight, bias))


class Layer(torch.autograd.Function):
    """All rows times Wᵀ, and b added to the first in place: one pass over memory less."""

    generate_vmap_rule = True

    @staticmethod
    def forward(rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        out = F.linear(rows, weight)
        out[0] += bias
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(*inputs[:2])

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        rows, weight = (t.conj() if t.is_complex() else t for t in ctx.saved_tensors)
        to_rows = cotangent @ weight if ctx.needs_input_grad[0] else None
        to_weight = cotangent.flatten(0, -2).T @ rows.flatten(0, -2)
        return to_rows, to_weight, cotangent[:1].flatten(0, -2).sum(0)


affine_layer = quickly(Layer)


def div(x: Operand, y: Operand, rounding_mode: str | None = None) -> Any:
    """x / y; rounded, it is flat, as it is for torch."""
    if rounding_mode is not None:
        return step(torch.div)(x, y, rounding_mode=rounding_mode)
    if isinstance(y, Series):
        return mul(x, torch.reciprocal(y))  # type: ignore[arg-type]
    return scaled(x, y, torch.div)


def diff(x: Any, n: int = 1, dim: int = -1, prepend: Operand = None, append: Operand = None) -> Any:
    """xᵢ₊₁ − xᵢ, n times; other values may come before and after."""
    if n == 0:  # then torch does not join them either
        return x
    parts = [part for part in (prepend, x, append) if part is not None]
    joined: Any = torch.cat(parts, dim) if len(parts) > 1 else x
    return joined.each(lambda row: row.diff(n, dim))


def where(condition: Operand, x: Operand, y: Operand) -> Any:
    """x where the condition holds, y elsewhere."""
    if getattr(condition, "dtype", None) != torch.bool:  # x.where(condition, y)
        condition, x = x, condition
    kind, rows = aligned(x, y)
    dtype = torch.result_type(*[r[0] for r in rows])
    a, b = (r.to(dtype) for r in rows)
    return kind.like(torch.vmap(lambda a, b: torch.where(condition, a, b))(a, b))


def straight(function: Callable) -> Callable:
    """The rule of an elementwise function that is made of straight lines, of one argument or more.

    All coefficients but the primal are multiplied by its slope there: torch's own walk back does it,
    at a corner as at any other place.
    """

    def rule(*args: Any, **options: Any) -> Any:
        if any(isinstance(a, Series) and a.is_complex() for a in args):
            return alone(function, args, options, Series)
        named = {k: options.pop(k) for k in ("min", "max") if isinstance(options.get(k), Series)}
        places: list[Any] = [*[i for i, a in enumerate(args) if isinstance(a, Series)], *named]
        kind, rows = aligned(*[named[i] if i in named else args[i] for i in places])

        def at(*primals: Tensor) -> Tensor:
            filled: dict[Any, Tensor] = dict(zip(places, primals))
            here = [filled.pop(i, a) for i, a in enumerate(args)]
            return function(*here, **filled, **options)

        with torch.inference_mode(False), torch.enable_grad():
            out = at(*[r[0].detach() for r in rows])
            shape, rows = out.shape, [r.to(out.dtype) for r in rows]
            primals = [_alive(r[0]).expand(shape) for r in rows]
            value, back = torch.func.vjp(at, *primals)  # type: ignore[misc]
            higher = [
                torch.vmap(lambda row, i=i: back(row.expand(shape))[i])(_alive(r[1:]))
                for i, r in enumerate(rows)
            ]
        return kind.like(torch.cat([value[None], sum(higher)]))

    return rule


def _alive(rows):
    return rows.clone() if rows.is_inference() else rows


def pointwise(f: SeriesRule) -> Callable[[Series], Any]:
    """The rule of a function that acts element by element."""
    return lambda x: x.pointwise(f)


def fact(function: Callable) -> Callable:
    """The rule of a function that looks at the value only."""
    value = lambda a: a.primal if isinstance(a, Series) else a
    return lambda *args, **kwargs: function(
        *map(value, args), **{k: value(v) for k, v in kwargs.items()}
    )


def step(function: Callable) -> Callable:
    """The rule of a function that is constant between its jumps."""

    def rule(*args: Any, **kwargs: Any) -> Any:
        first(*args, *kwargs.values()).check()
        return fact(function)(*args, **kwargs)

    return rule


def torchs(name: str) -> Callable:
    """torch's function of that name: a method, or one of torch, torch.nn.functional, torch.special."""
    places = (torch.Tensor, torch, F, torch.special)
    spaces = [space for space in places if hasattr(space, name)]
    return getattr(spaces[0], name)


RULES.update({torchs(name): linear(torchs(name)) for name in UNARY_LINEAR})
RULES.update({torchs(name): joint(torchs(name)) for name in JOINT_LINEAR})
RULES.update({torchs(name): fact(torchs(name)) for name in FACTS})
RULES.update({torchs(name): step(torchs(name)) for name in STEPS})
RULES.update({torchs(name): straight(torchs(name)) for name in STRAIGHT})
RULES.update({torchs(name): pointwise(f) for name, f in POINTWISE.items()})
RULES.update({
    getattr(torch.Tensor, name).__get__: lambda x, name=name: x.each(lambda row: getattr(row, name))
    for name in ("T", "H", "mT", "mH")
})  # fmt: skip
RULES.update({
    torch.Tensor.__getitem__: linear(torch.Tensor.__getitem__),
    torch.Tensor.__rfloordiv__: step(torch.Tensor.__rfloordiv__),
    torch.add: add, torch.mul: mul, F.linear: layer, torch.div: div,
    torch.matmul: matmul, torch.mm: matmul, torch.bmm: matmul, torch.mv: matmul, torch.dot: matmul,
    torch.sub: lambda x, y, alpha=1: add(x, y, alpha=-alpha),
    torch.rsub: lambda x, y, alpha=1: add(y, x, alpha=-alpha),
    torch.Tensor.__rdiv__: lambda x, y: div(y, x),
    torch.Tensor.__rmatmul__: lambda x, y: matmul(y, x),
    torch.positive: lambda x: x,
    torch.square: lambda x: x * x,
    torch.real: lambda x: x.each(torch.real),
    torch.diff: diff,
    torch.nansum: lambda x, *args, **kwargs: where(torch.isnan(x), 0.0, x).sum(*args, **kwargs),
    torch.masked_fill: lambda x, mask, value: where(mask, value, x).to(x.dtype),
    torch.Tensor.to: moved, torch.prod: prod, torch.where: where,
    torch.Tensor.type_as: lambda x, other: x.to(other.dtype),
    torch.outer: lambda x, y: x[:, None] * y,
    torch.Tensor.expand_as: lambda x, other: x.expand(other.shape),
    torch.Tensor.view_as: lambda x, other: x.view(other.shape),
    torch.Tensor.reshape_as: lambda x, other: x.reshape(other.shape),
    torch.addcmul: lambda x, a, b, value=1: x + value * (a * b),
    torch.addmm: lambda x, a, b, beta=1, alpha=1: beta * x + alpha * (a @ b),
})  # fmt: skip
