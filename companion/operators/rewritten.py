"""A graph of torch's operations, written so that torch's compiler makes the right program of it, and soon.

On a processor the compiler computes exp(x) − 1 as these symbols say, so that no digit is left where x is
small, and artanh and elu likewise: here they are written by functions that it gets right. A matrix
product it leaves to a library, which takes long for a few columns, and in float64 for many rows.
"""

from collections.abc import Callable
from functools import reduce
from operator import add
from typing import Any, TypeAlias

import torch
from torch.fx import GraphModule, Node, Proxy

Values: TypeAlias = Any  # a tensor, or a place in a graph where one will be
THIN = 3  # columns: a call of the library costs more than the product


def rewrite(graph: GraphModule) -> None:
    """Write the graph of torch_private.traced anew, in place."""
    for node in list(graph.graph.nodes):
        inputs = node.meta.get("inputs")  # make_fx notes none
        if inputs and node.target in WAYS:
            args = [Proxy(of) if isinstance(of, Node) else of for of in node.args]
            with graph.graph.inserting_before(node):
                found = WAYS[node.target](inputs, *args)
            if found is not None:
                node.replace_all_uses_with(found.node)
                graph.graph.erase_node(node)
    graph.recompile()


def expm1(x: Values) -> Values:
    """exp(x) − 1 = 2 sinh(x/2) exp(x/2), to four units in the last place.

    >>> expm1(torch.tensor([1e-10, -torch.inf]))
    tensor([ 1.0000e-10, -1.0000e+00])
    """
    half = x.clamp(min=-80) / 2  # at −∞ it would be ∞ · 0
    return 2 * half.sinh() * half.exp()


def atanh(x: Values) -> Values:
    """artanh x = ½ log(1 + 2|x| / (1 − |x|)), with the sign of x, to four units in the last place.

    >>> atanh(torch.tensor([1e-10, -1.0, 2.0]))
    tensor([1.0000e-10,       -inf,        nan])
    """
    return (2 * x.abs() / (1 - x.abs())).log1p().mul(0.5).copysign(x)


def elu(x: Values, alpha: float = 1.0, scale: float = 1.0, inner: float = 1.0) -> Values:
    """scale · x where x > 0, else scale · α (exp(inner · x) − 1): elu, selu and celu."""
    return torch.where(x > 0, scale * x, scale * alpha * expm1(inner * x))


def thin(a: Values, b: Values, k: int) -> Values:
    """A (m, k) @ B (k, n) as Σⱼ aⱼ bⱼᵀ, which a compiler makes part of the loops around it."""
    return reduce(add, [a.narrow(1, j, 1) * b.narrow(0, j, 1) for j in range(k)])


def tall(a: Values, b: Values) -> Values:
    """A (m, k) @ B (k, n) as (Bᵀ Aᵀ)ᵀ: for many rows m, MKL takes two thirds of the time for that."""
    return (b.t() @ a.t()).t().contiguous()


def _product(inputs: list, a: Values, b: Values) -> Values | None:
    ((m, k), dtype, device), ((_, n), _, _) = inputs
    if 0 < k <= THIN:
        return thin(a, b, k)
    return tall(a, b) if m > n and dtype == torch.float64 and device == "cpu" else None


def _pointwise(right: Callable[..., Values]) -> Callable[..., Values | None]:
    def way(inputs: list, *args: Any) -> Values | None:
        ((_, dtype, device),) = inputs
        return right(*args) if dtype.is_floating_point and device == "cpu" else None

    return way


WAYS: dict[Any, Callable[..., Values | None]] = {
    torch.ops.aten.mm.default: _product,
    torch.ops.aten.expm1.default: _pointwise(expm1),
    torch.ops.aten.atanh.default: _pointwise(atanh),
    torch.ops.aten.elu.default: _pointwise(elu),
}
