"""A graph of torch's operations, written so that torch's compiler makes the right program of it, and a fast one.

On a processor the compiler computes exp(x) − 1 as these symbols say, so that no digit is left where x is
small, and artanh and elu likewise: here they are written by functions that it gets right. Its tanh is
right, and takes three times as long as exp; here it is written by exp.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch.fx import Graph, GraphModule, Node, Proxy

aten = torch.ops.aten
RESHAPED = tuple(  # in place, so that a tensor and its views part
    f"aten.{name}" for name in "t_ transpose_ squeeze_ unsqueeze_ as_strided_ resize set_".split()
)
PRODUCTS = aten.bmm.default, aten.mm.default, aten.sum.dim_IntList  # new tensors, in a Jacobian
VIEWS = aten.view.default, aten._unsafe_view.default, aten.expand.default  # to a shape
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


def tidy(graph: Graph) -> None:
    """Take out, in place, what moves nothing, and let torch.stack of torch.cat be one torch.cat.

    Of the graph of SIR's Jacobian, run as it stands, that is a fifth of the calls. A graph that reshapes a
    tensor in place, or writes where it is told, stays as it is, and what is written into is not joined.
    """
    names = {node: str(node.target) for node in graph.nodes}
    if any(name.startswith(RESHAPED) for name in names.values()):
        return
    if any(isinstance(out, Node) for node in names for out in node.kwargs.values()):
        return
    written = {origin(node) for node, name in names.items() if "_." in name}
    for node in names:
        source = as_it_was(node)
        if source is not None:
            node.replace_all_uses_with(source)
            graph.erase_node(node)
    for node in graph.find_nodes(op="call_function", target=aten.stack.default):
        rows, *dim = node.args
        if dim != [1] or not all(is_joined(row) for row in rows):
            continue
        pieces = [piece for row in rows for piece in row.args[0]]
        if written.isdisjoint(map(origin, [*rows, *pieces])):
            with graph.inserting_before(node):
                whole = Proxy(graph.call_function(aten.cat.default, (pieces, 1)))
                node.replace_all_uses_with(whole.unflatten(1, (len(rows), -1)).node)
    graph.eliminate_dead_code()


def origin(node: Node) -> Node:
    """What it is made of, first argument by first argument, back to a new tensor of PRODUCTS.

    Two tensors in one memory have the same.
    """
    while node.target not in PRODUCTS and node.args and isinstance(node.args[0], Node):
        node = node.args[0]
    return node


def as_it_was(node: Any) -> Node | None:
    """The tensor that it is a view of, if it has the same axes, of the same lengths; else None.

    A transposition of the same transposition is one, too.
    """
    known, rest = node.meta.get("inputs"), node.args[1:]
    if node.target in (aten.t.default, aten.transpose.int):
        source = node.args[0]
        same = source.target is node.target and source.args[1:] == rest
        return source.args[0] if same else None
    if node.target is aten.permute.default:
        same = bool(known) and rest == ([*range(len(known[0].shape))],)
    else:
        same = bool(known) and node.target in VIEWS and rest == ([*known[0].shape],)
    return node.args[0] if same else None


def is_joined(node: Node) -> bool:
    """Whether it is a torch.cat along axis 1, of use to one node alone."""
    return node.target is aten.cat.default and node.args[1:] == (1,) and len(node.users) == 1


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
    aten.tanh.default: tanh,
    aten.expm1.default: expm1,
    aten.atanh.default: atanh,
    aten.elu.default: elu,
}
