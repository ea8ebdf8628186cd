"""What torch does in a function, written down as one graph, or why that cannot be.

A graph knows no values: where a function looks at one (if …, float(…), .item()), what it does next
may be another thing at other points. What torch cannot write down for a reason of its own is told
apart from that, and from what the function itself raises.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule
from torch.overrides import TorchFunctionMode

from companion import torch_private

LOOKS = "__bool__ __float__ __int__ __index__ __complex__ __array__ item tolist numpy".split()


class Looking(TorchFunctionMode):
    """The functions called inside this block that hand the value of a tensor to Python.

    What a program does with them, neither a graph nor torch.func can follow.

    >>> with Looking() as looking:
    ...     y = float(torch.ones(()).sum())
    >>> looking.seen
    {'__float__'}
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_function__(
        self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        if function.__name__ in LOOKS:
            self.seen.add(function.__name__)
        return function(*args, **(kwargs or {}))


class Untraced(RuntimeError):
    """torch fails to write a function down, for a reason of its own."""


def traced(function: Callable[..., Any], inputs: Sequence[Tensor], untraceable: str) -> GraphModule:
    """The operations of function at these inputs, as a graph of torch.fx.

    Raises ValueError, which begins with `untraceable`, when what is done depends on the values; what
    the function itself raises; and Untraced when torch fails for a reason of its own.
    """
    fresh = lambda: [value.clone() for value in inputs]
    try:
        with torch.no_grad(), torch.random.fork_rng():
            return torch_private.traced(function, fresh())
    except Exception as error:  # torch's, or the function's own: which, another call tells
        with torch.no_grad(), torch.random.fork_rng(), Looking() as looking:
            function(*fresh())
        if looking.seen:
            raise ValueError(f"{untraceable} torch says: {first_line(error)}") from error
        raise Untraced(
            f"torch {torch.__version__} fails to write it down ({type(error).__name__}: "
            f"{first_line(error)})"
        ) from error


def refuse_constants(
    graph: GraphModule, function: Callable[..., Any], inputs: Sequence[Tensor], untraceable: str
) -> None:
    """Raise ValueError unless the graph of a function gives what the function gives at inputs.

    A trace refuses an if, float and .item(); what numpy or tolist has taken out of a tensor is a
    constant of the graph, and seen only at other inputs than those of the tracing.
    """
    found = []
    for f in (graph, function):
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(0)
            found.append(f(*[value.clone() for value in inputs]))
    if not all(torch.allclose(a, b, equal_nan=True) for a, b in zip(*found)):
        raise ValueError(f"{untraceable} At other points the graph would be another function")


def first_line(error: BaseException) -> str:
    """The first line of an error that says something."""
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
