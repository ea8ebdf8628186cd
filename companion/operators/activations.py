"""Rules of activations and of what is composed: written with functions that have rules already."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from companion.operators.dispatch import RULES, Operand, Series
from companion.operators.recurrences import POINTWISE, composed
from companion.operators.rules import straight, where


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
    e = torch.exp(x - _largest(x, dim))
    return e / e.sum(dim, keepdim=True)


def _largest(x, dim):
    """The largest element along an axis, with its slopes: without them large ones would cancel."""
    if not x.ndim:
        return x
    return torch.take_along_dim(x, x.primal.detach().argmax(dim, keepdim=True), dim)


def logsumexp(x: Operand, dim: Any, keepdim: bool = False) -> Any:
    """log Σ e^{xⱼ}, the largest taken out first (0 where it is infinite, as torch does).

    Where all are −∞, as in a row that is masked, it is −∞ with slope 0.
    """
    largest = x.primal.detach().amax(dim, keepdim=True)
    masked = largest == -math.inf
    largest = largest.masked_fill(largest.isinf(), 0.0)
    x = torch.where(masked, 0.0, x)
    total = torch.log(torch.exp(x - largest).sum(dim, keepdim=True)) + largest
    total = torch.where(masked, -math.inf, total)
    return total if keepdim else total.squeeze(dim)


def gelu(x: Operand, approximate: str = "none") -> Any:
    """x Φ(x), or its approximation by tanh."""
    if approximate == "none":
        return x.pointwise(POINTWISE["gelu"])
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    return 0.5 * x * (1 + torch.tanh(inner))


def softplus(x: Operand, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """log(1 + e^{βx}) / β, and a line where βx is beyond the threshold, as in torch."""
    series = x if beta == 1 else beta * x
    smooth = log1pexp(series) if beta == 1 else log1pexp(series) / beta
    return where(series > threshold, x, smooth)


def log1pexp(x: Series) -> Any:
    """log(1 + eˣ), smooth everywhere; for what torch computes without softplus' threshold."""
    return x.pointwise(POINTWISE["softplus"])


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
        channels = (-1, *[1] * (x.ndim - 2)) if x.ndim > 1 else ()
        weight = weight.reshape(channels) if weight.ndim else weight
        return torch.where(x > 0, x, weight * x)
    return straight(lambda x: F.prelu(x, weight))(x)


def glu(x: Operand, dim: int = -1) -> Any:
    """a σ(b), for the halves a and b of x."""
    a, b = x.chunk(2, dim)
    return a * torch.sigmoid(b)


RULES.update({
    F.glu: glu, torch.selu: selu, torch.celu: celu, F.elu: elu, torch.prelu: prelu,
    F.gelu: gelu, F.softplus: softplus, F.logsigmoid: lambda x: -log1pexp(-x),
    F.mish: lambda x: x * torch.tanh(log1pexp(x)),
    F.tanhshrink: lambda x: x - torch.tanh(x),
    F.softsign: lambda x: x / (1 + torch.abs(x)),
    torch.softmax: softmax, torch.log_softmax: log_softmax, torch.logsumexp: logsumexp,
    F.softmin: lambda x, dim=None, **options: softmax(-x, dim, **options),
    torch.dropout: dropout,
    torch.atanh: lambda x: 0.5 * (torch.log1p(x) - torch.log1p(-x)),
    torch.acosh: lambda x: torch.log(x + torch.sqrt(x - 1) * torch.sqrt(x + 1)),
    torch.log2: lambda x: torch.log(x) / math.log(2),
    torch.log10: lambda x: torch.log(x) / math.log(10),
    torch.exp2: lambda x: torch.exp(x * math.log(2)),
})  # fmt: skip
