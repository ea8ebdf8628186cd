"""How large a graph is, what it keeps, and which tensors never die.

graph_size    how many operations a result remembers
saved_bytes   how much memory it keeps for its backward
LeakProbe     which tensors outlive their last name, and by how much memory grew
"""

import gc
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

from companion import torch_private
from companion._project import require

__all__ = ["LeakProbe", "graph_leaves", "graph_nodes", "graph_size", "saved_bytes"]


def graph_size(tensor: Tensor | Iterable[Tensor]) -> int:
    """The number of nodes of the autograd graph behind a tensor: the operations it remembers.

    Counted are all nodes that `grad_fn` leads to, each once, those that feed a leaf included; a
    tensor without a graph has 0. Of several tensors (a list, a tuple) the union is counted. Raises
    TypeError for what is not a tensor.

    >>> x = torch.ones(3, requires_grad=True)
    >>> graph_size(x.sin().sum())  # sum, sin, and the node that feeds x
    3
    >>> graph_size(x)
    0

    Source: chapter 9.
    """
    return len(graph_nodes(_tensors(tensor, "graph_size")))


def saved_bytes(tensor: Tensor | Iterable[Tensor] | Callable[[], Any]) -> int:
    """The memory, in bytes, that the graph behind a tensor keeps for its backward.

    Each storage is counted once, however many operations saved it. The leaves of the graph
    (parameters, and inputs that require a gradient) are not counted: they would be there anyway.
    Of several tensors (a list, a tuple) the union is counted.

    Of a function `() -> tensor(s)` it is found by another way: the function is called while every
    tensor that an operation saves passes through torch.autograd.graph.saved_tensors_hooks, and
    what is still held for its result is counted. It is a second way to the same number, but for the
    Python numbers in a formula, of 8 bytes each, which torch saves past the hooks.

    Raises TypeError for what is neither, ValueError if the graph has been freed, and
    NotImplementedError for a tensor where torch does not tell what its graph saved.

    >>> x = torch.ones(1000, dtype=torch.float64)
    >>> w = torch.ones(1000, dtype=torch.float64, requires_grad=True)
    >>> saved_bytes((w * x).sin())  # x, and w * x
    16000
    >>> saved_bytes(lambda: (w * x).sin())
    16000

    Source: PyTorch's notes "Hooks for autograd saved tensors"; chapter 9.
    """
    if callable(tensor) and not isinstance(tensor, Tensor | nn.Module):
        return _saved_by_hooks(tensor)
    results = _tensors(tensor, "saved_bytes")
    if not torch_private.tells_saved():
        raise NotImplementedError(
            f"torch {torch.__version__} does not tell what a graph that is there has saved; hand "
            "over the function that builds it, saved_bytes(lambda: ...), for the same number"
        )
    nodes = graph_nodes(results)
    return _bytes((t for node in nodes for t in _saved(node)), graph_leaves(results))


def _tensors(value, who):
    """The tensors in a tensor or a nest of lists and tuples."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, list | tuple):
        return [t for item in value for t in _tensors(item, who)]
    raise TypeError(f"{who} needs a tensor, or a list or tuple of tensors; got {_kind(value)}")


def _kind(value):
    return "None" if value is None else f"a {type(value).__name__}"


def graph_nodes(tensors: Iterable[Tensor], until: Iterable[Tensor] = ()) -> set[Node]:
    """All nodes of the graphs behind these tensors, by a walk with a stack: depth costs nothing.

    until: tensors in these graphs at which the walk ends; what they were computed from is left out.
    """
    ends = {t.grad_fn for t in until if t.grad_fn is not None}
    stack = [t.grad_fn for t in tensors if t.grad_fn is not None and t.grad_fn not in ends]
    seen = ends.union(stack)
    while stack:
        for node, _ in stack.pop().next_functions:
            if node is not None and node not in seen:
                seen.add(node)
                stack.append(node)
    return seen - ends


def graph_leaves(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The leaves that require a gradient, and that these tensors are or were computed from."""
    own = [t for t in tensors if t.is_leaf and t.requires_grad]
    fed = [torch_private.leaf(node) for node in graph_nodes(tensors)]
    return own + [leaf for leaf in fed if leaf is not None]


def _saved(node):
    """The tensors that one node keeps."""
    try:
        values = torch_private.saved(node).values()
    except RuntimeError as error:
        raise ValueError(
            "the graph has been freed by a backward, nothing is saved any more: measure before "
            "backward, or call backward(retain_graph=True)"
        ) from error
    flat = [v for value in values for v in (value if isinstance(value, list | tuple) else [value])]
    return [v for v in flat if isinstance(v, Tensor)]


def _bytes(tensors, leaves):
    """The bytes of the distinct storages of tensors that are not storages of leaves."""
    sizes = {_storage(t): t.untyped_storage().nbytes() for t in tensors}
    return sum(sizes[key] for key in sizes.keys() - {_storage(t) for t in leaves})


def _storage(tensor):
    return tensor.device, tensor.untyped_storage().data_ptr()


class _Held:
    """A tensor on its way through the hooks: it lives as long as the node that saved it."""

    def __init__(self, tensor):
        self.tensor = tensor


def _saved_by_hooks(function):
    held: weakref.WeakSet[_Held] = weakref.WeakSet()

    def pack(tensor):
        box = _Held(tensor.detach())
        held.add(box)
        return box

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda box: box.tensor):
        results = _tensors(function(), "saved_bytes(function): the function's result")
    return _bytes([box.tensor for box in held], graph_leaves(results))


# --- leaks ---------------------------------------------------------------------------------------


class LeakProbe:
    """Which tensors outlive their last name, and by how much memory grew.

    Inside the `with` block, pass tensors through `watch`. Afterwards delete your names for them:
    `survivors` are those that are still there, `alive` is how many they are. `grown` is the number
    of bytes by which this process (its resident memory, and what torch holds on CUDA devices) grew
    from the beginning of the block to its end. Memory that Python or the allocator keeps for reuse
    counts as grown: repeat a small leak until it is a large one. Raises TypeError if what is
    watched is not a tensor.

    >>> with LeakProbe() as probe:
    ...     x = probe.watch(torch.ones(3, requires_grad=True))
    ...     u = x.sin().sum()
    ...     du = torch.autograd.grad(u, x, create_graph=True)[0]
    >>> probe.alive
    1
    >>> del x, u, du
    >>> probe.alive
    0

    Source: chapter 9.
    """

    def __init__(self) -> None:
        self._watched: list[weakref.ref[Tensor]] = []
        self._start: int | None = None
        self._end: int | None = None

    def __enter__(self) -> "LeakProbe":
        gc.collect()
        self._start, self._end = _resident(), None
        return self

    def __exit__(self, *_: object) -> None:
        gc.collect()
        self._end = _resident()

    def watch(self, tensor: Tensor) -> Tensor:
        """Remember a tensor without keeping it alive, and give it back."""
        if not isinstance(tensor, Tensor):
            raise TypeError(f"watch needs a tensor: x = probe.watch(x); got {_kind(tensor)}")
        self._watched.append(weakref.ref(tensor))
        return tensor

    @property
    def survivors(self) -> list[Tensor]:
        """The watched tensors that are still there, now, after a garbage collection."""
        gc.collect()
        return [t for ref in self._watched if (t := ref()) is not None]

    @property
    def alive(self) -> int:
        """How many they are."""
        return len(self.survivors)

    @property
    def grown(self) -> int:
        """By how many bytes memory grew in the block; while in the block, up to now."""
        if self._start is None:
            raise RuntimeError("nothing measured yet: write `with LeakProbe() as probe: ...` first")
        return (_resident() if self._end is None else self._end) - self._start


def _resident():
    require("LeakProbe", "torch", "psutil")
    import psutil  # not needed by those who never look for a leak

    count = torch.cuda.device_count() if torch.cuda.is_initialized() else 0
    on_gpus = sum(torch.cuda.memory_allocated(i) for i in range(count))
    return psutil.Process().memory_info().rss + on_gpus
