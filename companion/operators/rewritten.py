"""A graph of torch's operations, written so that torch's compiler makes the right program of it, and a fast one.

On a processor the compiler computes exp(x) − 1 as these symbols say, so that no digit is left where x is
small, and artanh and elu likewise: here they are written by functions that it gets right. Its tanh is
right, and takes three times as long as exp; here it is written by exp.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch.fx import GraphModule, Node, Proxy

Values: TypeAlias = Any  # a tensor, or a place in a graph where one will be


def rewrite(graph: GraphModule) -> None:
    """Write the graph of torch_private.traced anew, in place, where the compiler would lose digits or time."""
    for node in list(graph.graph.nodes):
        inputs = node.meta.get("inputs")  # make_fx notes none
        if not inputs or node.target not in RIGHT:
            continue
        if inputs[0].device == "cpu" and inputs[0].dtype.is_floating_point:
            args = [Proxy(of) if isinstance(of, Node) else of for of in node.args]
            with graph.graph.inserting_before(node):
                found = RIGHT[node.target](*args)
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


def tanh(x: Values) -> Values:
    """tanh x = 2σ(2x) − 1, to four units in the last place.

    Near 0 that difference has no digits; there it is Lambert's fraction, x/(1 + x²/(3 + x²/(5 + …))), of
    eight terms.

    >>> tanh(torch.tensor([1e-10, -1.0, torch.inf]))
    tensor([ 1.0000e-10, -7.6159e-01,  1.0000e+00])
    """
    z = x * x
    above = x * (2027025 + z * (270270 + z * (6930 + z * 36)))
    below = 2027025 + z * (945945 + z * (51975 + z * (630 + z)))
    return torch.where(x.abs() < 0.6, above / below, 2 * (2 * x).sigmoid() - 1)


RIGHT: dict[Any, Callable[..., Values]] = {
    torch.ops.aten.tanh.default: tanh,
    torch.ops.aten.expm1.default: expm1,
    torch.ops.aten.atanh.default: atanh,
    torch.ops.aten.elu.default: elu,
}
