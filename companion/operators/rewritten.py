"""A graph of torch's operations, written so that torch's compiler makes the right program of it, and a fast one.

On a processor the compiler computes exp(x) − 1 as these symbols say, so that no digit is left where x is
small, and artanh and elu likewise: here they are written by functions that it gets right. Its tanh is
right, and slow; here it is by a fraction of polynomials. A product of the size of a layer takes less time
than the library that the compiler calls for it: here it is a sum.
"""

from collections.abc import Callable
from functools import partial, reduce
from operator import add
from typing import Any, TypeAlias

import torch
from torch.fx import Graph, GraphModule, Node, Proxy

from companion import torch_private
from companion.torch_private import Kind

aten = torch.ops.aten
RESHAPED = tuple(  # in place, so that a tensor and its views part
    f"aten.{name}" for name in "t_ transpose_ squeeze_ unsqueeze_ as_strided_ resize set_".split()
)
PRODUCTS = aten.bmm.default, aten.mm.default, aten.sum.dim_IntList  # new tensors, in a Jacobian
VIEWS = aten.view.default, aten._unsafe_view.default, aten.expand.default  # to a shape
THIN, VECTOR, NEAR = 3, 8, 2**16  # columns of A, entries of a row of B, entries of B
AT_ONCE = 8  # rows of A
REAL = torch.float64, torch.float32  # a sum of others has another dtype, or is rounded otherwise
Values: TypeAlias = Any  # a tensor, or a place in a graph where one will be


def rewrite(graph: GraphModule) -> None:
    """Write the graph of torch_private.traced anew, in place, where the compiler would lose digits or time."""
    for node in list(graph.graph.nodes):
        inputs = node.meta.get("inputs")  # make_fx notes none
        if not inputs or inputs[0].device != "cpu" or not inputs[0].dtype.is_floating_point:
            continue
        right = RIGHT.get(inputs[0].dtype, DIGITS).get(node.target)
        if right is not None:
            args = [Proxy(of) if isinstance(of, Node) else of for of in node.args]
            with graph.graph.inserting_before(node):
                found = right(*args)
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


def products_as_sums(graph: GraphModule) -> None:
    """Write matrix products as sums, in place, which become part of the kernels around them.

    The library that torch calls for them is made for large ones. Those of REAL numbers whose inner axis is
    THIN are written so; on a processor also those whose B (k, n) has rows to fill a VECTOR, and stays in
    memory NEAR by.
    """
    for node in graph.graph.find_nodes(op="call_function", target=aten.mm.default):
        known = node.meta.get("inputs")  # make_fx, the other way to write a graph down, has none
        if not known or known[0].dtype not in REAL or 0 in known[0].shape:
            continue
        k, n = known[1].shape
        if k <= THIN:
            product = by_columns
        elif known[0].device == "cpu" and VECTOR <= n <= NEAR / k:
            product = by_rows
        else:
            continue
        factors: list[Any] = [of for of in node.args if isinstance(of, Node)]
        with graph.graph.inserting_before(node):
            whole = product(*factors, *known)
        node.replace_all_uses_with(whole.node)
        graph.graph.erase_node(node)
    graph.recompile()


def by_columns(a: Node, b: Node, left: Kind, right: Kind) -> Any:
    """Σⱼ aⱼ bⱼᵀ over the columns of A (m, k) and the rows of B (k, n)."""
    columns: Any = Proxy(a)
    rows: Any = Proxy(b)
    outer = [columns.narrow(1, j, 1) * rows.narrow(0, j, 1) for j in range(left.shape[1])]
    return reduce(add, outer)


def by_rows(a: Node, b: Node, left: Kind, right: Kind) -> Any:
    """A (m, k) @ B (k, n), AT_ONCE rows of A at a time, of which torch's compiler makes one loop over k.

    In it a row of B is loaded once for all of them, and their sums stay in registers.
    """
    (m, k), n = left.shape, right.shape[1]
    turned = left.strides[0] < left.strides[1]
    rows: Any = torch_private.in_memory(a, (1, m) if turned else (k, 1)).unsqueeze(2)
    columns: Any = torch_private.in_memory(b, (n, 1))
    many, parts = m - m % AT_ONCE, []
    if many:
        first = rows.narrow(0, 0, many) if many < m else rows
        each = first.unflatten(0, (-1, AT_ONCE)).unbind(1)
        sums = [(each[i] * columns).sum(1) for i in range(AT_ONCE)]
        parts.append(torch.stack(sums, 1).flatten(0, 1))
    if many < m:
        parts.append((rows.narrow(0, many, m - many) * columns).sum(1))
    return torch.cat(parts) if len(parts) > 1 else parts[0]


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


def tanh(x: Values, end: float = 19.0) -> Values:
    """tanh x = 2r / (1 + r²) with r = tanh x/2 ≈ x P(x²) / Q(x²), to four units in the last place.

    Rounding in r counts for less and less as tanh comes to 1. Beyond the end r is cut at 1, so that
    1 − tanh² is 0 there, as torch's is, and a saturated unit learns nothing.

    >>> tanh(torch.tensor([1e-10, -1.0, torch.inf]))
    tensor([ 1.0000e-10, -7.6159e-01,  1.0000e+00])
    """
    z = x.square().clamp(max=end**2)
    r = (x * horner(P, z) / horner(Q, z)).clamp(-1, 1)
    return 2 * r / (1 + r.square())


def horner(coefficients: list[float], z: Values) -> Values:
    """The polynomial whose first coefficient is that of the highest power, at z."""
    return reduce(lambda value, coefficient: value * z + coefficient, coefficients)


# Where tanh is 1 but for half a unit in the last place.
ENDS = {torch.float64: 19.0, torch.float32: 9.0}

# The polynomials of degrees 5 and 6 by which tanh comes nearest on (0, 19): to 5e-17 of it, and to 1e-16 with
# these digits. Lawson's weights for least squares found them, in 50 digits.
P = [
    9.08786219550512691e-14, 4.03457700428036041e-10, 4.26387170590909366e-7,
    1.5163680402048214e-4, 1.80115887727608718e-2, 0.499999999999999976,
]  # fmt: skip
Q = [
    5.21525690724805964e-16, 7.59594392780274216e-12, 1.51811663715152504e-8, 9.16216704430535788e-6,
    1.91631618127954738e-3, 0.119356510878854585, 1.0,
]  # fmt: skip

Rules: TypeAlias = dict[Any, Callable[..., Values]]
DIGITS: Rules = {  # that the compiler would lose
    aten.expm1.default: expm1,
    aten.atanh.default: atanh,
    aten.elu.default: elu,
}
RIGHT: dict[torch.dtype, Rules] = {
    dtype: {**DIGITS, aten.tanh.default: partial(tanh, end=end)} for dtype, end in ENDS.items()
}
