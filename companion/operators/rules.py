"""What torch's functions do to a series: the table RULES, by the kind of the function.

Linear functions act on every coefficient alike, products convolve, pointwise functions follow the
recurrences of recurrences.py, and the rest are written with those. Piecewise constant functions and
comparisons see the primal only. What a slope is at a corner is torch's choice, another one in
another release (clamp's at its bounds), so it stands nowhere here: the installed torch is asked.
"""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from companion.operators.dispatch import RULES, Operand, Series, quickly_bound
from companion.operators.recurrences import POINTWISE, SeriesRule, composed, power

UNARY_LINEAR = """reshape view flatten unflatten squeeze unsqueeze transpose swapaxes
    movedim permute t expand broadcast_to repeat tile select narrow index_select take_along_dim
    gather roll flip cumsum sum mean trace diagonal diag tril triu clone adjoint
    contiguous cpu cuda float double half neg unbind split chunk tensor_split hsplit vsplit
    repeat_interleave atleast_1d atleast_2d""".split()
JOINT_LINEAR = "cat concat concatenate stack hstack vstack dstack".split()
STRAIGHT = "abs maximum minimum clamp clamp_min clamp_max".split()  # torch's, and those of F:
STRAIGHT_LAYERS = "relu relu6 hardtanh leaky_relu".split()
STEPS = """lt le gt ge eq ne less less_equal greater greater_equal not_equal isnan isinf isfinite
    sign sgn floor ceil round trunc heaviside argmax argmin int long bool allclose equal any
    all""".split()
FACTS = """detach size dim numel stride is_floating_point is_complex is_contiguous get_device
    zeros_like ones_like full_like empty_like rand_like randn_like new_zeros new_ones new_full
    new_tensor""".split()
ALIASES = {
    "multiply": "mul", "rmul": "mul", "radd": "add", "subtract": "sub", "negative": "neg",
    "truediv": "div", "divide": "div", "true_divide": "div", "rdiv": "rtruediv",
    "special_expit": "sigmoid", "special_erf": "erf", "special_expm1": "expm1",
    "special_log1p": "log1p", "special_softmax": "softmax", "special_log_softmax": "log_softmax",
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arcsinh": "asinh", "arccosh": "acosh",
    "arctanh": "atanh", "absolute": "abs", "mm": "matmul", "bmm": "matmul", "mv": "matmul",
    "special_logsumexp": "logsumexp", "clip": "clamp", "dot": "matmul",
}  # fmt: skip


def first(*values: Operand) -> Series:
    """The first series among the values; it knows how to treat the others."""
    return next(v for v in values if isinstance(v, Series))


def linear(function: Callable) -> Callable:
    """The rule of a function that is linear in its first argument."""

    def rule(x: Series, *args: Any, **kwargs: Any) -> Any:
        if any(isinstance(a, Series) for a in (*args, *kwargs.values())):
            raise TypeError(f"a series as an option of {function.__name__}; use its .primal")
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


def prod(x: Series, dim: int | None = None, keepdim: bool = False) -> Any:
    """Π xᵢ along an axis, or of all elements."""
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
    if not isinstance(factor, torch.Tensor) or factor.ndim <= x.ndim:
        return x.like(multiply(x.rows, factor))
    return x.each(lambda row: multiply(row, factor))


def matmul(x: Operand, y: Operand) -> Any:
    """x @ y."""
    if isinstance(x, Series) and isinstance(y, Series):
        return x.times(y, torch.matmul)
    if isinstance(y, Series):
        return y.each(lambda row: x @ row)
    return x.like(x.rows @ y) if y.ndim == 2 else x.each(lambda row: row @ y)


def layer(x: Operand, weight: Tensor, bias: Tensor | None = None) -> Any:
    """x Wᵀ + b: one product for all coefficients, and the bias to the primal."""
    if not isinstance(x, Series) or isinstance(weight, Series):
        raise TypeError("linear takes a series as its input only; its weight is a tensor")
    return x.like(F.linear(x.rows, weight) if bias is None else Layer.apply(x.rows, weight, bias))


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
        rows, weight = ctx.saved_tensors
        to_rows = cotangent @ weight if ctx.needs_input_grad[0] else None
        to_weight = cotangent.flatten(0, -2).T @ rows.flatten(0, -2)
        return to_rows, to_weight, cotangent[:1].flatten(0, -2).sum(0)


quickly_bound(Layer)


def div(x: Operand, y: Operand, rounding_mode: str | None = None) -> Any:
    """x / y."""
    if rounding_mode is not None:
        raise NotImplementedError("div with a rounding_mode has no derivative worth a series")
    if isinstance(y, Series):
        return mul(x, torch.reciprocal(y))  # type: ignore[arg-type]
    return scaled(x, y, torch.div)


def pow(x: Operand, n: Operand) -> Any:
    """xⁿ: whole numbers n by repeated squaring, right at x = 0 too; others, and tensors n, need x₀ ≠ 0."""
    if isinstance(n, (Series, torch.Tensor)) or not isinstance(x, Series):
        return _exponential(x, n)
    if float(n).is_integer():
        return _whole_power(x, int(n)) if n >= 0 else torch.reciprocal(_whole_power(x, -int(n)))
    return x.pointwise(power(float(n)))


def _exponential(x, n):
    """±e^{n log |x|}, the sign that of x₀ⁿ (NaN where x₀ < 0 and n is not whole)."""
    x = x if isinstance(x, Series) else torch.as_tensor(x, device=n.device).to(n.dtype)
    value = (x.primal if isinstance(x, Series) else x) ** (n.primal if isinstance(n, Series) else n)
    sign = torch.where(value < 0, -1.0, 1.0).masked_fill(torch.isnan(value), math.nan)
    return torch.exp(n * torch.log(torch.abs(x))) * sign.to(value.dtype)  # type: ignore[arg-type]


def _whole_power(x, n):
    result = torch.ones_like(x) if n == 0 else None
    while n:
        if n & 1:
            result = x if result is None else result * x
        n >>= 1
        x = x * x if n else x
    return result


def where(condition: Operand, x: Operand, y: Operand) -> Any:
    """x where the condition holds, y elsewhere."""
    if getattr(condition, "dtype", None) != torch.bool:  # x.where(condition, y)
        condition, x = x, condition
    kind, rows = aligned(x, y)
    return kind.like(torch.vmap(lambda a, b: torch.where(condition, a, b))(*rows))


def straight(function: Callable) -> Callable:
    """The rule of an elementwise function that is made of straight lines, of one argument or more.

    All coefficients but the primal are multiplied by its slope there: torch's own walk back does it,
    at a corner as at any other place.
    """

    def rule(*args: Any, **options: Any) -> Any:
        named = {k: options.pop(k) for k in ("min", "max") if isinstance(options.get(k), Series)}
        places: list[Any] = [*[i for i, a in enumerate(args) if isinstance(a, Series)], *named]
        kind, rows = aligned(*[named[i] if i in named else args[i] for i in places])

        def at(*primals: Tensor) -> Tensor:
            filled: dict[Any, Tensor] = dict(zip(places, primals))
            here = [filled.pop(i, a) for i, a in enumerate(args)]
            return function(*here, **filled, **options)

        with torch.inference_mode(False), torch.enable_grad():
            shape = at(*[r[0].detach() for r in rows]).shape
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


@lru_cache(maxsize=256)
def asked(
    function: Callable[..., Tensor], x: float, order: int, *options: float
) -> tuple[float, ...]:
    """[f(x), f′(x), …] of torch's f at a number, by nested reverse mode; cached.

    In a thread of its own, where no mode or transform of the caller's is looking on.
    """

    def derivatives() -> tuple[float, ...]:
        at = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        found = [function(at, *options)]
        for _ in range(order):
            (slope,) = (
                torch.autograd.grad(found[-1], at, create_graph=True, materialize_grads=True)
                if found[-1].requires_grad
                else (torch.zeros_like(at),)
            )
            found.append(slope)
        return tuple(d.item() for d in found)

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(derivatives).result()


def cornered(
    x: Series, corner: float, smooth: Series, function: Callable[..., Tensor], *options: float
) -> Any:
    """The series `smooth` of f(x), but where x is the corner, that of torch's derivatives there."""
    rule = lambda u, order: composed(asked(function, corner, order + 1, *options), u, order)
    return where(x.primal == corner, x.pointwise(rule), smooth)


def _along(x, dim, dtype):
    """x in the dtype that is asked for; F's softmax takes it after an option of its own."""
    if dim is None:
        raise TypeError("softmax needs the axis that it sums over: softmax(x, dim=-1)")
    return x if dtype is None else x.to(dtype)


def log_softmax(x: Operand, dim: int | None = None, dtype: torch.dtype | None = None) -> Any:
    """xᵢ − log Σ e^{xⱼ}."""
    x = _along(x, dim, dtype)
    return x - logsumexp(x, dim, True)


def softmax(x: Operand, dim: int | None = None, dtype: torch.dtype | None = None) -> Any:
    """e^{xᵢ} / Σ e^{xⱼ}."""
    x = _along(x, dim, dtype)
    e = torch.exp(x - x.primal.detach().amax(dim, keepdim=True))
    return e / e.sum(dim, keepdim=True)


def logsumexp(x: Operand, dim: Any, keepdim: bool = False) -> Any:
    """log Σ e^{xⱼ}, the largest taken out first (0 where it is infinite, as torch does)."""
    largest = x.primal.detach().amax(dim, keepdim=True)
    largest = largest.masked_fill(largest.isinf(), 0.0)
    total = torch.log(torch.exp(x - largest).sum(dim, keepdim=True)) + largest
    return total if keepdim else total.squeeze(dim)


def gelu(x: Operand, approximate: str = "none") -> Any:
    """x Φ(x), or its approximation by tanh."""
    if approximate == "none":
        return x.pointwise(POINTWISE["gelu"])
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    return 0.5 * x * (1 + torch.tanh(inner))


def softplus(x: Operand, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """log(1 + e^{βx}) / β; smooth beyond the usual threshold too, where torch's is a line."""
    series = x if beta == 1 else beta * x
    smooth = series.pointwise(POINTWISE["softplus"]) / beta
    return smooth if threshold >= 20 else where(series > threshold, x, smooth)


def dropout(x: Operand, p: float = 0.5, training: bool = True) -> Any:
    """x with elements dropped, the same ones in every coefficient."""
    return x * F.dropout(torch.ones_like(x.primal), p, training)


def elu(x: Operand, alpha: float = 1.0) -> Any:
    """x where x > 0, α (eˣ − 1) elsewhere."""
    return cornered(x, 0.0, _elu(x, alpha), F.elu, alpha)


def _elu(x, alpha):
    return where(x > 0, x, alpha * torch.expm1(where(x > 0, 0.0, x)))


def celu(x: Operand, alpha: float = 1.0) -> Any:
    """α elu(x / α)."""
    return cornered(x, 0.0, alpha * _elu(x / alpha, 1.0), F.celu, alpha)


def selu(x: Operand) -> Any:
    """A multiple of elu, with the α that keeps the spread of a layer."""
    return cornered(x, 0.0, 1.0507009873554805 * _elu(x, 1.6732632423543772), F.selu)


def prelu(x: Operand, weight: Tensor) -> Any:
    """x where x > 0, weight · x elsewhere; the weight is a tensor."""
    if isinstance(weight, Series):
        raise TypeError("a series as the weight of prelu; write torch.where(x > 0, x, weight * x)")
    return straight(lambda x: F.prelu(x, weight))(x)


def glu(x: Operand, dim: int = -1) -> Any:
    """a σ(b), for the halves a and b of x."""
    a, b = x.chunk(2, dim)
    return a * torch.sigmoid(b)


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


def _torch(name):
    return getattr(torch.Tensor, name, None) or getattr(torch, name)


RULES.update({name: linear(_torch(name)) for name in UNARY_LINEAR})
RULES.update({name: joint(_torch(name)) for name in JOINT_LINEAR})
RULES.update({name: fact(_torch(name)) for name in FACTS})
RULES.update({name: step(_torch(name)) for name in STEPS})
RULES.update({name: straight(getattr(torch, name)) for name in STRAIGHT})
RULES.update({name: straight(getattr(F, name)) for name in STRAIGHT_LAYERS})
RULES["prelu"] = prelu
RULES["getitem"] = linear(torch.Tensor.__getitem__)
RULES.update({name: pointwise(f) for name, f in POINTWISE.items()})
RULES.update({
    "add": add, "mul": mul, "matmul": matmul, "linear": layer, "div": div, "pow": pow,
    "sub": lambda x, y, alpha=1: add(x, y, alpha=-alpha),
    "rsub": lambda x, y, alpha=1: add(y, x, alpha=-alpha),
    "rtruediv": lambda x, y: div(y, x),
    "rpow": lambda x, y: pow(y, x),
    "rmatmul": lambda x, y: matmul(y, x),
    "pos": lambda x: x,
    "square": lambda x: x * x,
    "T": lambda x: x.each(lambda row: row.T), "H": lambda x: x.each(lambda row: row.H),
    "mT": lambda x: x.each(lambda row: row.mT), "mH": lambda x: x.each(lambda row: row.mH),
    "real": lambda x: x.each(torch.real),
    "diff": lambda x, n=1, dim=-1: x.each(lambda row: row.diff(n, dim)),
    "nansum": lambda x, *args, **kwargs: where(torch.isnan(x), 0.0, x).sum(*args, **kwargs),
    "masked_fill": lambda x, mask, value: where(mask, value, x),
    "to": moved, "prod": prod,
    "type_as": lambda x, other: x.to(other.dtype),
    "outer": lambda x, y: x[:, None] * y,
    "expand_as": lambda x, other: x.expand(other.shape),
    "view_as": lambda x, other: x.view(other.shape),
    "reshape_as": lambda x, other: x.reshape(other.shape),
    "where": where, "glu": glu, "selu": selu, "celu": celu,
    "elu": elu, "gelu": gelu, "softplus": softplus, "softmax": softmax, "logsumexp": logsumexp,
    "log_softmax": log_softmax,
    "softmin": lambda x, dim=None, **options: softmax(-x, dim, **options),
    "logsigmoid": lambda x: -softplus(-x),
    "log_sigmoid": lambda x: -softplus(-x),
    "mish": lambda x: x * torch.tanh(softplus(x)),
    "tanhshrink": lambda x: x - torch.tanh(x),
    "softsign": lambda x: x / (1 + torch.abs(x)),
    "atanh": lambda x: 0.5 * (torch.log1p(x) - torch.log1p(-x)),
    "acosh": lambda x: torch.log(x + torch.sqrt(x * x - 1)),
    "log2": lambda x: torch.log(x) / math.log(2),
    "log10": lambda x: torch.log(x) / math.log(10),
    "exp2": lambda x: torch.exp(x * math.log(2)),
    "addcmul": lambda x, a, b, value=1: x + value * (a * b),
    "addmm": lambda x, a, b, beta=1, alpha=1: beta * x + alpha * (a @ b),
    "dropout": dropout,
})  # fmt: skip
RULES.update({alias: RULES[name] for alias, name in ALIASES.items() if name in RULES})
