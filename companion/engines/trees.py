"""Trees: arguments that are lists, tuples and dicts of arrays, nested as one likes.

A leaf is a number, an array or an engine value. A list of nothing but numbers is no tree but an
array, as everywhere in this package: [1.0, 2.0] is one leaf, [np.ones(2), 1.0] are two.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from companion.engines.arrangements import ravel
from companion.engines.rules import concatenate, index, reshape
from companion.engines.values import Value, number, shape


def is_tree(x: Any) -> bool:
    """Whether x holds several leaves: a dict, or a list or tuple with an array or a tree inside.

    >>> from companion.engines.trees import is_tree
    >>> is_tree([1.0, 2.0]), is_tree({"rate": 1.0})
    (False, True)
    """
    if type(x) is float or type(x) is np.ndarray:
        return False
    return isinstance(x, dict) or (isinstance(x, (list, tuple)) and not _is_plain(x))


def _is_plain(x):
    """A number, or lists of numbers; what has named fields is more than a list."""
    if isinstance(x, (list, tuple)) and not hasattr(x, "_fields"):
        return all(_is_plain(item) for item in x)
    return isinstance(x, (numbers.Number, str)) and not isinstance(x, Value)


def leaves(tree: Any) -> Iterator[Any]:
    """The leaves of a tree, from left to right; dicts in their own order.

    >>> import numpy as np
    >>> from companion.engines.trees import leaves
    >>> list(leaves({"a": 1.0, "b": (np.ones(1), 2.0)}))
    [1.0, array([1.]), 2.0]
    """
    if not is_tree(tree):
        yield tree
        return
    for item in tree.values() if isinstance(tree, dict) else tree:
        yield from leaves(item)


def rebuilt(tree: Any, new: Iterator[Any]) -> Any:
    """A tree of the same shape with the next leaves of `new`.

    >>> import numpy as np
    >>> from companion.engines.trees import rebuilt
    >>> rebuilt({"a": 1.0, "b": (np.ones(1), 2.0)}, iter("xyz"))
    {'a': 'x', 'b': ('y', 'z')}
    """
    if not is_tree(tree):
        return next(new)
    if isinstance(tree, dict):
        return {key: rebuilt(item, new) for key, item in tree.items()}
    items = [rebuilt(item, new) for item in tree]
    if hasattr(tree, "_fields"):  # a namedtuple takes its items one by one
        return type(tree)(*items)
    return tuple(items) if isinstance(tree, tuple) else items


def pairs(tree: Any, other: Any) -> Iterator[tuple[Any, Any]]:
    """The leaves of a tree, each with what stands at its place in another tree.

    Raises ValueError where the other tree has another shape.

    >>> from companion.engines.trees import pairs
    >>> list(pairs({"a": 1.0, "b": 2.0}, {"b": 20.0, "a": 10.0}))
    [(1.0, 10.0), (2.0, 20.0)]
    """
    if not is_tree(tree):
        yield tree, other
        return
    keys = list(tree) if isinstance(tree, dict) else range(len(tree))
    fits = isinstance(other, dict if isinstance(tree, dict) else (list, tuple))
    if not fits or len(other) != len(tree) or (isinstance(tree, dict) and set(other) != set(tree)):
        raise ValueError(
            f"a tree of the shape of {type(tree).__name__} {list(keys)} is expected; got {other!r}"
        )
    for key in keys:
        yield from pairs(tree[key], other[key])


def array_only(x: Any, name: str) -> None:
    """Raise TypeError where x is a tree, for a function that takes an array."""
    if is_tree(x):
        raise TypeError(
            f"{name} takes a number or an array; got a {type(x).__name__} of them. Write "
            f"vector, unflatten = flatten(x) and {name} of lambda v: f(unflatten(v)) at vector"
        )


def flatten(tree: Any) -> tuple[Any, Callable[[Any], Any]]:
    """All numbers of a tree as one vector, and the function that makes a tree of such a vector.

    For what takes an array, as jacobian, hessian or a library's optimiser.

    >>> import numpy as np
    >>> from companion.engines import flatten, hessian, sum
    >>> vector, unflatten = flatten({"w": np.array([1.0, 2.0]), "b": 3.0})
    >>> vector
    array([1., 2., 3.])
    >>> hessian(lambda v: sum(unflatten(v)["w"]) * unflatten(v)["b"])(vector)[0]
    array([0., 0., 1.])

    Raises ValueError where a vector has another length. Source: HIPS autograd's flatten.
    """
    parts = [number(leaf) for leaf in leaves(tree)]
    dims = [shape(part) for part in parts]
    vector = concatenate([ravel(part) for part in parts]) if parts else number([])
    length = shape(vector)[0]

    def unflatten(v: Any) -> Any:
        if shape(v) != (length,):
            raise ValueError(f"unflatten takes a vector of {length} numbers; got shape {shape(v)}")
        found, start = [], 0
        for d in dims:
            end = start + math.prod(d)
            found.append(reshape(index(v, slice(start, end)), d) if d else index(v, start))
            start = end
        return rebuilt(tree, iter(found))

    return vector, unflatten
