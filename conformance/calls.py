"""A torch function with its arguments, as torch's test databases give them, and what is done to it.

The arguments are a tree of lists, tuples and dicts with tensors for some of its leaves, and so are the
outputs. One tensor moves, or several at once; one output is looked at.
"""

import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from conformance import curves
from conformance.oracle import Finding

EXACT = (torch.float64, torch.complex128)
COLUMNS = 3  # of the points that a Laplacian is taken at


class Call(NamedTuple):
    """A function with its arguments, and which of its outputs is looked at."""

    function: Callable[..., Any]
    arguments: Any  # [first, args, kwargs]
    process: Callable[[Any], Any] = lambda y: y
    output: int = 0
    known: bool = True  # whether torch can differentiate it


# ---------------------------------------------------------------- trees of arguments


def leaves(tree: Any) -> list[Any]:
    """The leaves of lists, tuples and dicts."""
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, (list, tuple)):
        return [leaf for branch in tree for leaf in leaves(branch)]
    return [tree]


def size(tree: Any) -> int:
    """How many numbers the tensors of a tree have."""
    return sum(leaf.numel() for leaf in leaves(tree) if isinstance(leaf, Tensor))


def planted(tree: Any, values: Iterator[Any]) -> Any:
    """The same tree with other leaves, in the same order."""
    if isinstance(tree, dict):
        return {key: planted(branch, values) for key, branch in tree.items()}
    if isinstance(tree, (list, tuple)) and not hasattr(tree, "_fields"):
        return type(tree)(planted(branch, values) for branch in tree)
    return next(values)


def moving(tree: Any) -> list[int]:
    """Which leaves are tensors that torch would differentiate by."""
    return [
        i
        for i, leaf in enumerate(leaves(tree))
        if isinstance(leaf, Tensor)
        and leaf.dtype == torch.float64
        and leaf.layout == torch.strided
        and leaf.requires_grad
        and leaf.numel()
    ]


def evaluated(call: Call, changed: dict[int, Any]) -> Any:
    """The outputs as leaves, some arguments replaced; what is random is drawn alike each time."""
    values = [
        changed.get(i, leaf.detach() if isinstance(leaf, Tensor) else leaf)
        for i, leaf in enumerate(leaves(call.arguments))
    ]
    x, args, kwargs = planted(call.arguments, iter(values))
    torch.default_generator.manual_seed(0)  # torch.manual_seed asks for the GPUs too, a millisecond
    return leaves(call.process(call.function(x, *args, **kwargs)))


def outputs(call: Call) -> list[int]:
    """Which outputs depend on the arguments, and are finite somewhere."""
    live = {i: leaves(call.arguments)[i] for i in moving(call.arguments)}
    return [
        i
        for i, y in enumerate(evaluated(call, live))
        if isinstance(y, Tensor)
        and (y.requires_grad or not call.known)
        and y.numel()
        and y.dtype in EXACT
        and y.layout == torch.strided
    ]


# ---------------------------------------------------------------- ways to look at a sample


def ways(call: Call, generator: torch.Generator, often: bool) -> Iterator[tuple[str, Callable]]:
    """(what is done, a function that does it), for one sample."""
    first, *others = moving(call.arguments)
    yield "first tensor", lambda: along(call, [first], generator)
    if often and others:
        yield "another tensor", lambda: along(call, others[:1], generator)
        yield "all tensors", lambda: along(call, [first, *others], generator)
    if often:
        yield "laplacian", lambda: laplacian(call, first)
        yield "Partials", lambda: partials(call, first, generator)


def seen(call: Call, draw: random.Random) -> Call | None:
    """The same call with one of its outputs chosen; None if nothing in it moves."""
    found = outputs(call) if moving(call.arguments) else []
    return call._replace(output=draw.choice(found)) if found else None


def line(call: Call, places: list[int], generator: torch.Generator) -> curves.Line:
    """A random line in one argument, or in several that are joined to a vector."""
    at = [leaves(call.arguments)[i].detach() for i in places]
    v = [curves.direction(x, generator) for x in at]
    if len(at) == 1:
        return curves.Line(lambda x: evaluated(call, {places[0]: x})[call.output], at[0], v[0])
    sizes = [x.numel() for x in at]

    def joined(x: Tensor) -> Tensor:
        parts = [p.reshape(a.shape).clone() for p, a in zip(x.split(sizes), at)]
        return evaluated(call, dict(zip(places, parts)))[call.output]

    x, v = (torch.cat([part.reshape(-1) for part in parts]) for parts in (at, v))
    return curves.Line(joined, x, v)


def along(call: Call, places: list[int], generator: torch.Generator) -> Finding:
    """The companion along a random line."""
    return curves.along(line(call, places, generator), generator)


def laplacian(call: Call, place: int) -> Finding:
    """With the elements of one argument as a table of two or three columns, or one."""
    x = leaves(call.arguments)[place].detach()
    columns = next(c for c in range(COLUMNS, 0, -1) if x.numel() % c == 0)
    f = lambda z: evaluated(call, {place: z.reshape(x.shape)})[call.output]
    return curves.laplacian(f, x.reshape(-1, columns))


def partials(call: Call, place: int, generator: torch.Generator) -> Finding:
    """With the elements of one argument as one point, and two random sums of the values."""
    x = leaves(call.arguments)[place].detach()
    count = evaluated(call, {})[call.output].numel()
    mix = torch.rand(count, 2, generator=generator, dtype=torch.float64) + 0.5

    def f(z: Tensor) -> Tensor:
        y = evaluated(call, {place: z.reshape(x.shape)})[call.output]
        return y.reshape(1, -1) @ mix.to(y.dtype)

    return curves.partials(f, x.reshape(1, -1), int(x.nan_to_num(0.0).abs().argmax()))
