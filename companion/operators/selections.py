"""Rules of what selects, sorts and spreads: piecewise linear functions, variances, running products.

A maximum, a median, a quantile is linear on each piece of its domain: all coefficients but the
primal go through its Jacobian, which the installed torch is asked for. So a tie is what torch makes
of it, for each function in its own way, and nothing of that stands here.
"""

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from companion.operators.activations import cornered, log1pexp
from companion.operators.dispatch import RULES, Operand, Series
from companion.operators.fallback import alive, leaves, rebuilt
from companion.operators.rules import aligned, mul, step, straight, where

SELECTIONS = """max min amax amin aminmax median nanmedian mode kthvalue sort msort topk cummax cummin
    quantile nanquantile""".split()


def piecewise(function: Callable) -> Callable:
    """The rule of a function of one result or more that is linear on each piece of its domain.

    The Jacobian is the transpose of torch's walk back, which is linear: a walk back over that walk.
    """

    def rule(*args: Any, **options: Any) -> Any:
        given: dict[Any, Any] = {**dict(enumerate(args)), **options}
        places = [place for place, a in given.items() if isinstance(a, Series)]
        kind, rows = aligned(*[given[place] for place in places])

        def at(*primals: Tensor) -> tuple[tuple[Tensor, ...], Any]:
            here: dict[Any, Any] = given | dict(zip(places, primals))
            tree = function(*[here.pop(i) for i in range(len(args))], **here)
            return tuple(filter(_varies, leaves(tree))), tree

        with torch.inference_mode(False), torch.enable_grad():
            primals = [alive(r[0]) for r in rows]
            found: Any = torch.func.vjp(at, *primals, has_aux=True)
            ys, back, tree = found
            forth = torch.func.vjp(back, tuple(map(torch.zeros_like, ys)))[1]
            (higher,) = torch.vmap(lambda *row: forth(row))(*[alive(r[1:]) for r in rows])
        results = iter([kind.like(torch.cat([y[None], h])) for y, h in zip(ys, higher)])
        return rebuilt(tree, lambda y: next(results) if _varies(y) else y)

    return rule


def _varies(y):
    return isinstance(y, torch.Tensor) and y.is_floating_point()


def _spread(x, *args, **options):
    """(mean, variance, dim, keepdim) as torch.var takes its arguments: dim, unbiased, keepdim."""
    unbiased = args and isinstance(args[0], bool)  # torch.var(x, unbiased)
    names = ("unbiased",) if unbiased else ("dim", "unbiased", "keepdim")
    options = {**dict(zip(names, args)), **options}
    dim, keepdim = options.pop("dim", options.pop("axis", None)), options.pop("keepdim", False)
    correction = options.pop("correction", None)
    correction = int(options.pop("unbiased", True)) if correction is None else correction
    if options:
        raise NotImplementedError(f"var and std of a series take no option {', '.join(options)}")
    dim = tuple(range(x.ndim)) if dim is None or dim == () or dim == [] else dim
    count = x.primal.numel() // max(1, x.primal.sum(dim).numel()) if x.ndim else 1
    mean = x.mean(dim, keepdim=True) if x.ndim else x
    apart = x - mean
    total = (apart * apart).sum(dim, keepdim=True) if x.ndim else apart * apart
    variance = total / max(0.0, count - correction) if count > correction else total * math.nan
    return [y if keepdim or not x.ndim else _flat(y, dim) for y in (mean, variance)]


def _flat(y, dim):
    """y without its axes of length 1 that were summed over."""
    axes = sorted({d % y.ndim for d in (dim if isinstance(dim, tuple | list) else (dim,))})
    return reduce(lambda y, d: y.squeeze(d), reversed(axes), y)


def _root(variance):
    """√ of a variance; of equal numbers 0 and flat, as torch has it."""
    equal = variance.primal == 0
    return where(equal, 0.0, torch.sqrt(where(equal, 1.0, variance)))


def var_mean(x: Operand, *args: Any, **options: Any) -> Any:
    """(Σ (xᵢ − m)² / (n − correction), m)."""
    mean, variance = _spread(x, *args, **options)
    return variance, mean


def std_mean(x: Operand, *args: Any, **options: Any) -> Any:
    """(the root of the variance, the mean)."""
    mean, variance = _spread(x, *args, **options)
    return _root(variance), mean


def nanmean(
    x: Any, dim: Any = None, keepdim: bool = False, dtype: torch.dtype | None = None
) -> Any:
    """The mean of what is a number."""
    x = x if dtype is None else x.to(dtype)
    known = ~torch.isnan(x)
    dim = tuple(range(x.ndim)) if dim is None else dim
    return where(known, x, 0.0).sum(dim, keepdim) / known.sum(dim, keepdim)


def cumprod(x: Any, dim: int, dtype: torch.dtype | None = None) -> Any:
    """Π_{j ≤ i} xⱼ along an axis, factor by factor."""
    x = x if dtype is None else x.to(dtype)
    if not x.ndim:
        return x
    found: list[Any] = []
    for factor in x.unbind(dim):
        found.append(mul(found[-1], factor) if found else factor)
    return torch.stack(found, dim)


def logaddexp(x: Operand, y: Operand) -> Any:
    """log(eˣ + eʸ): the larger one and log(1 + e^{−|x − y|})."""
    x, y = _broadcast(x, y)
    x0, y0 = x.primal, y.primal
    high, low = where(x0 >= y0, x, y), where(x0 >= y0, y, x)
    level = (x0 == y0) & x0.isinf()  # where x − y is not a number
    smooth = high + log1pexp(where(level, 0.0, low - where(level, 0.0, high)))
    return where(
        level, straight(torch.logaddexp)(where(level, x, 0.0), where(level, y, 0.0)), smooth
    )


def _broadcast(*values):
    """All as series of one shape."""
    kind, rows = aligned(*values)
    shape = torch.broadcast_shapes(*[r.shape[1:] for r in rows])
    return [kind.like(r).expand(shape) for r in rows]


def logcumsumexp(x: Any, dim: int) -> Any:
    """log Σ_{j ≤ i} e^{xⱼ}: sums over 1, 2, 4, … neighbours, each of two sums before it."""
    if not x.ndim:
        return x
    x, reach = x.movedim(dim, 0), 1
    while reach < len(x):
        x = torch.cat([x[:reach], _joined(x[reach:], x[:-reach])])
        reach *= 2
    return x.movedim(0, dim)


def _joined(x, y):
    """logaddexp, where what is −∞ adds nothing, nor does it to a slope."""
    nothing = (y.primal == -math.inf) | (x.primal == -math.inf)
    one = where(x.primal == -math.inf, y, x)
    return where(nothing, one, logaddexp(where(nothing, 0.0, x), where(nothing, 0.0, y)))


def remainder(x: Operand, y: Operand) -> Any:
    """x − y ⌊x / y⌋; torch has no derivative where x is a number."""
    return straight(torch.remainder)(x if isinstance(x, Series) else y.constant(x), y)


def lerp(start: Operand, end: Operand, weight: Operand) -> Any:
    """start + weight (end − start)."""
    return start + weight * (end - start)


def rrelu(x: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Any:
    """x, times a slope where x ≤ 0: in training drawn once for each, else the mean of the two."""
    one = torch.where(x.primal.detach() > 0, 1.0, -1.0).to(x.dtype)
    return x * (F.rrelu(one, lower, upper, training) * one)


def hardswish(x: Any) -> Any:
    """x (x + 3) / 6 from −3 to 3, 0 below, x above."""
    inside = (x.primal > -3) & (x.primal < 3)
    smooth = where(inside, x * (x + 3) / 6, where(x.primal < 0, 0.0, x))  # NaN stays
    return cornered(x, 3.0, cornered(x, -3.0, smooth, F.hardswish), F.hardswish)


def embedding(
    ids: Tensor,
    weight: Series,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Any:
    """Rows of a table that varies; that of padding_idx has no slope, as in torch."""
    if max_norm is not None or scale_grad_by_freq:
        raise NotImplementedError(
            "embedding of a series with max_norm or scale_grad_by_freq: the first changes the table "
            "in place, the second makes something else of a slope. Write weight[ids]"
        )
    found = weight.each(lambda rows: F.embedding(ids, rows))
    if padding_idx is None:
        return found
    padded = (ids == padding_idx % len(weight))[..., None]
    return where(padded, found.primal, found)


RULES.update({getattr(torch, name): piecewise(getattr(torch, name)) for name in SELECTIONS})
RULES.update({
    torch.argsort: step(torch.argsort),
    torch.var_mean: var_mean, torch.std_mean: std_mean,
    torch.var: lambda x, *args, **options: var_mean(x, *args, **options)[0],
    torch.std: lambda x, *args, **options: std_mean(x, *args, **options)[0],
    torch.nanmean: nanmean, torch.cumprod: cumprod, torch.logcumsumexp: logcumsumexp,
    torch.logaddexp: logaddexp,
    torch.logaddexp2: lambda x, y: logaddexp(x * math.log(2), y * math.log(2)) / math.log(2),
    torch.lerp: lerp,
    torch.remainder: remainder, torch.fmod: straight(torch.fmod),
    torch.Tensor.__rmod__: lambda y, x: remainder(x, y), torch.frac: straight(torch.frac),
    torch.copysign: straight(torch.copysign), torch.nan_to_num: straight(torch.nan_to_num),
    torch.float_power: lambda x, n: torch.pow(_double(x), _double(n)),
    torch.ldexp: lambda x, n: x * torch.pow(2.0, n),
    F.hardsigmoid: straight(F.hardsigmoid), F.softshrink: straight(F.softshrink),
    torch.hardshrink: straight(torch.hardshrink), F.threshold: straight(F.threshold),
    torch.rrelu: rrelu, F.hardswish: hardswish, F.embedding: embedding,
})  # fmt: skip


def _double(x):
    return x.double() if isinstance(x, Series | torch.Tensor) else x
