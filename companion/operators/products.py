"""Products of torch beside matmul: bilinear in two series, or written with those that are."""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import torch
from torch.nn import functional as F

from companion.operators.dispatch import RULES, Operand, Series
from companion.operators.fallback import alone


def both(multiply: Callable, x: Operand, y: Operand) -> Any:
    """multiply(x, y), bilinear, where each is a series or a constant."""
    if isinstance(x, Series) and isinstance(y, Series):
        return x.times(y, multiply)
    if isinstance(x, Series):
        return x.each(lambda row: multiply(row, y))
    return y.each(lambda row: multiply(x, row)) if isinstance(y, Series) else multiply(x, y)


def bilinear(function: Callable) -> Callable:
    """The rule of a function that is linear in its first argument and in its second."""

    def rule(x: Operand, y: Operand, *args: Any, **kwargs: Any) -> Any:
        return both(lambda a, b: function(a, b, *args, **kwargs), x, y)

    return rule


def otherwise(function: Callable, rule: Callable) -> Callable:
    """A rule, but where it says NotImplemented the function is differentiated alone (fallback.py)."""

    def either(*args: Any, **kwargs: Any) -> Any:
        found = rule(*args, **kwargs)
        return alone(function, args, kwargs, Series) if found is NotImplemented else found

    return either


def einsum(equation: Any, *operands: Any) -> Any:
    """Two operands at a time, from the left; what no later one needs is summed at once."""
    operands = (
        operands[0] if len(operands) == 1 and isinstance(operands[0], list | tuple) else operands
    )
    if not isinstance(equation, str):  # the form with lists of subscripts
        return NotImplemented
    given, arrow, out = equation.replace(" ", "").partition("->")
    terms, factors = given.split(","), list(operands)
    if not arrow:
        once = sorted(c for c in set(given) if c.isalpha() and given.count(c) == 1)
        out = "..." * ("..." in given) + "".join(once)
    while len(terms) > 2:
        left, right, *rest = terms
        needed = set("".join(rest) + out) | {"."}
        kept = sorted(c for c in set(left + right) if c.isalpha() and c in needed)
        pair = "..." * ("..." in left + right) + "".join(kept)
        factors[:2] = [_contracted(f"{left},{right}->{pair}", *factors[:2])]
        terms = [pair, *rest]
    return _contracted(f"{','.join(terms)}->{out}", *factors)


def _contracted(equation, *factors):
    if len(factors) == 1:
        return factors[0].each(lambda row: torch.einsum(equation, row))
    return both(lambda a, b: torch.einsum(equation, a, b), *factors)


def scaled_sum(multiply: Callable) -> Callable:
    """The rule of β x + α (a ⋆ b); where β is 0, x counts for nothing, even if it is nan."""

    def rule(
        x: Operand, *operands: Operand, beta: float = 1, alpha: float = 1, **named: Operand
    ) -> Any:
        left = [named.pop(name) for name in ("mat", "batch1", "vec1") if name in named]
        product = multiply(*left, *operands, *named.values())
        product = product if alpha == 1 else alpha * product
        if beta == 0:
            return torch.broadcast_to(product, torch.broadcast_shapes(x.shape, product.shape))
        return (x if beta == 1 else beta * x) + product

    return rule


def convolution(function: Callable, axes: int) -> Callable:
    """The rule of a convolution, of series as its input, its weight or its bias."""

    def rule(x: Operand, weight: Operand, bias: Operand = None, *args: Any, **kwargs: Any) -> Any:
        y = both(lambda a, b: function(a, b, None, *args, **kwargs), x, weight)
        return y if bias is None else y + bias.reshape(-1, *[1] * axes)

    return rule


def bilinear_layer(input1: Operand, input2: Operand, weight: Operand, bias: Operand = None) -> Any:
    """Σᵢⱼ xᵢ Wₖᵢⱼ yⱼ + bₖ."""
    found = torch.einsum("...i,kij,...j->...k", input1, weight, input2)
    return found if bias is None else found + bias


def chain(matrices: Sequence[Operand]) -> Any:
    """A B C …, from the left."""
    return reduce(torch.matmul, matrices)


def covariance(
    x: Operand, *, correction: int = 1, fweights: Operand = None, aweights: Operand = None
) -> Any:
    """Σ (x − x̄)(x − x̄)ᵀ / (n − correction), the observations in the columns."""
    if fweights is not None or aweights is not None or x.is_complex() or x.ndim > 2:
        return NotImplemented
    table = x if x.ndim == 2 else x.reshape(1, -1)
    about = table - table.mean(1, keepdim=True)
    found = about @ about.mT / max(table.shape[1] - correction, 0)
    return found.squeeze()


FUNCTIONS = {
    torch.einsum: otherwise(torch.einsum, einsum),
    torch.baddbmm: scaled_sum(torch.matmul),
    torch.addmv: scaled_sum(torch.matmul),
    torch.addbmm: scaled_sum(lambda a, b: (a @ b).sum(0)),
    torch.addr: scaled_sum(torch.outer),
    torch.chain_matmul: lambda *matrices: chain(matrices),
    torch.linalg.multi_dot: chain,
    torch.cov: otherwise(torch.cov, covariance),
    F.bilinear: bilinear_layer,
}
for _f in (torch.inner, torch.tensordot, torch.kron, torch.cross, torch.linalg.cross, torch.vdot,
           torch.linalg.vecdot):  # fmt: skip
    FUNCTIONS[_f] = bilinear(_f)
for _axes, _dims in ((1, "1d"), (2, "2d"), (3, "3d")):
    for _name in (f"conv{_dims}", f"conv_transpose{_dims}"):
        FUNCTIONS[getattr(F, _name)] = convolution(getattr(F, _name), _axes)
RULES.update(FUNCTIONS)
