"""Moving elements: the same numbers in other places, by NumPy's names.

What merely picks elements asks NumPy once where each would go, by moving the places instead of the
numbers, and is then one indexing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from companion.engines.numerics import real
from companion.engines.rules import (
    _axis,
    _scatter,
    broadcast_to,
    concatenate,
    index,
    reshape,
    stack,
    sum,
    transpose,
    where,
)
from companion.engines.values import Number, number, plain, shape


def _moved(x: Number, move: Callable[[np.ndarray], Any]) -> Any:
    """x with its elements where `move` puts their places 0, 1, 2, …"""
    x = number(x)
    places = np.arange(math.prod(shape(x))).reshape(shape(x))
    return index(reshape(x, (-1,)), np.asarray(move(places)))


# --- other shapes -----------------------------------------------------------------------------


def ravel(x: Number) -> Any:
    """The elements in a row, the last axis fastest.

    >>> from companion.engines import ravel
    >>> ravel([[1.0, 2.0], [3.0, 4.0]])
    array([1., 2., 3., 4.])
    """
    return reshape(number(x), (-1,))


def squeeze(x: Number, axis: int | tuple[int, ...] | None = None) -> Any:
    """x without its axes of length 1, or without the given ones.

    >>> from companion.engines import squeeze
    >>> squeeze([[1.0, 2.0]])
    array([1., 2.])
    """
    x = number(x)
    return reshape(x, np.squeeze(np.broadcast_to(0.0, shape(x)), axis).shape)


def expand_dims(x: Number, axis: int | tuple[int, ...]) -> Any:
    """x with a new axis of length 1 at each of the given places.

    >>> from companion.engines import expand_dims
    >>> expand_dims([1.0, 2.0], 1).shape
    (2, 1)
    """
    x = number(x)
    return reshape(x, np.expand_dims(np.broadcast_to(0.0, shape(x)), axis).shape)


def atleast_1d(x: Number) -> Any:
    """x, a scalar as an array of one element.

    >>> from companion.engines import atleast_1d
    >>> atleast_1d(2.0)
    array([2.])
    """
    return number(x) if shape(x) else ravel(x)


def atleast_2d(x: Number) -> Any:
    """x, a scalar or vector as a matrix of one row.

    >>> from companion.engines import atleast_2d
    >>> atleast_2d([1.0, 2.0]).shape
    (1, 2)
    """
    return number(x) if len(shape(x)) > 1 else reshape(number(x), (1, -1))


def swapaxes(x: Number, axis1: int, axis2: int) -> Any:
    """x with two axes exchanged.

    >>> from companion.engines import swapaxes
    >>> swapaxes(np.ones((2, 3)), 0, 1).shape
    (3, 2)
    """
    axes = list(range(len(shape(x))))
    i, j = _axis(axis1, len(axes)), _axis(axis2, len(axes))
    axes[i], axes[j] = axes[j], axes[i]
    return transpose(x, axes)


def moveaxis(x: Number, source: Any, destination: Any) -> Any:
    """x with one axis, or several, moved to other places; the others keep their order.

    >>> from companion.engines import moveaxis
    >>> moveaxis(np.ones((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    n = len(shape(x))
    old, new = [[_axis(a, n) for a in np.atleast_1d(s).tolist()] for s in (source, destination)]
    axes = [a for a in range(n) if a not in old]
    for place, a in sorted(zip(new, old, strict=True)):
        axes.insert(place, a)
    return transpose(x, axes)


# --- other places -----------------------------------------------------------------------------


def roll(x: Number, shift: Any, axis: Any = None) -> Any:
    """x turned round by `shift` places, along an axis or in a row.

    >>> from companion.engines import roll
    >>> roll([1.0, 2.0, 3.0], 1)
    array([3., 1., 2.])
    """
    return _moved(x, lambda places: np.roll(places, shift, axis))


def flip(x: Number, axis: Any = None) -> Any:
    """x in reverse order along the given axis or axes, along all when axis is None.

    >>> from companion.engines import flip
    >>> flip([1.0, 2.0, 3.0])
    array([3., 2., 1.])
    """
    return _moved(x, lambda places: np.flip(places, axis))


def repeat(x: Number, repeats: Any, axis: int | None = None) -> Any:
    """Every element so many times in a row, along an axis; of x in a row when axis is None.

    >>> from companion.engines import repeat
    >>> repeat([1.0, 2.0], 2)
    array([1., 1., 2., 2.])
    """
    return _moved(x, lambda places: np.repeat(places, repeats, axis))


def tile(x: Number, reps: Any) -> Any:
    """x laid side by side, so many times along each axis.

    >>> from companion.engines import tile
    >>> tile([1.0, 2.0], 2)
    array([1., 2., 1., 2.])
    """
    return _moved(x, lambda places: np.tile(places, reps))


def take(x: Number, indices: Any, axis: int | None = None) -> Any:
    """The elements at the given indices along an axis; of x in a row when axis is None.

    >>> from companion.engines import take
    >>> take([5.0, 6.0, 7.0], [2, 0])
    array([7., 5.])
    """
    return _moved(x, lambda places: np.take(places, indices, axis))


def take_along_axis(x: Number, indices: Any, axis: int = -1) -> Any:
    """The elements at indices of the shape of x along an axis, as argsort returns them.

    >>> from companion.engines import take_along_axis
    >>> take_along_axis([[1.0, 2.0], [3.0, 4.0]], np.array([[1, 0], [0, 1]]), 1)
    array([[2., 1.],
           [3., 4.]])
    """
    return _moved(x, lambda places: np.take_along_axis(places, indices, axis))


def sort(x: Number, axis: int | None = -1) -> Any:
    """x in ascending order along an axis; equal elements keep their order, each its own slope.

    >>> from companion.engines import grad, sort
    >>> grad(lambda x: sort(x)[0])(np.array([3.0, 1.0, 2.0]))
    array([0., 1., 0.])
    """
    x = number(x)
    if axis is None:
        x, axis = ravel(x), 0
    return take_along_axis(x, np.argsort(real(plain(x)), axis, kind="stable"), axis)


# --- diagonals and triangles ------------------------------------------------------------------


def diagonal(x: Number, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The elements x[i, i + offset] of two axes, as a last axis.

    >>> from companion.engines import diagonal
    >>> diagonal([[1.0, 2.0], [3.0, 4.0]])
    array([1., 4.])
    """
    return _moved(x, lambda places: np.diagonal(places, offset, axis1, axis2))


def diag(x: Number, k: int = 0) -> Any:
    """A vector as the k-th diagonal of a matrix; of a matrix, its k-th diagonal.

    Raises ValueError for anything but a vector or a matrix.

    >>> from companion.engines import diag
    >>> diag([1.0, 2.0])
    array([[1., 0.],
           [0., 2.]])
    """
    dims = shape(x)
    if len(dims) == 2:
        return diagonal(x, k)
    if len(dims) != 1:
        raise ValueError(f"diag takes a vector or a matrix; got shape {dims}")
    i, n = np.arange(dims[0]), dims[0] + abs(k)
    return _scatter(number(x), to=(n, n), key=(i + max(-k, 0), i + max(k, 0)))


def trace(x: Number, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Σ x[i, i + offset] over two axes.

    >>> from companion.engines import trace
    >>> trace([[1.0, 2.0], [3.0, 4.0]])
    5.0
    """
    return sum(diagonal(x, offset, axis1, axis2), axis=-1)


def tril(x: Number, k: int = 0) -> Any:
    """x with zeros above the k-th diagonal of its last two axes.

    >>> from companion.engines import tril
    >>> tril([[1.0, 2.0], [3.0, 4.0]])
    array([[1., 0.],
           [3., 4.]])
    """
    return where(_below(x, k), x, 0.0)


def triu(x: Number, k: int = 0) -> Any:
    """x with zeros below the k-th diagonal of its last two axes.

    >>> from companion.engines import triu
    >>> triu([[1.0, 2.0], [3.0, 4.0]])
    array([[1., 2.],
           [0., 4.]])
    """
    return where(_below(x, k - 1), 0.0, x)


def _below(x, k):
    """Where a matrix is at or below its k-th diagonal."""
    dims = shape(x)[-2:]
    return np.tri(dims[0], dims[-1], k, dtype=bool)  # of a vector x, every row is x


# --- joining and parting ----------------------------------------------------------------------


def array(values: Any) -> Any:
    """Nested lists of numbers and engine values as one array, where np.array would refuse.

    Raises ValueError where the lists are not all of one shape.

    >>> from companion.engines import Var, array
    >>> x = Var(2.0)
    >>> array([[x, 0.0], [1.0, x * x]])
    Var([[2., 0.],
         [1., 4.]])
    """
    if not isinstance(values, (list, tuple)):
        return number(values)
    if not values:
        return np.zeros(0)
    return stack([array(v) for v in values])


def vstack(xs: Sequence[Number]) -> Any:
    """Rows, or matrices, one below the other.

    >>> from companion.engines import vstack
    >>> vstack([[1.0, 2.0], [3.0, 4.0]])
    array([[1., 2.],
           [3., 4.]])
    """
    return concatenate([atleast_2d(x) for x in xs])


def hstack(xs: Sequence[Number]) -> Any:
    """Arrays side by side: along the second axis, vectors along their only one.

    >>> from companion.engines import hstack
    >>> hstack([[1.0, 2.0], [3.0]])
    array([1., 2., 3.])
    """
    parts = [atleast_1d(x) for x in xs]
    return concatenate(parts, axis=1 if parts and len(shape(parts[0])) > 1 else 0)


def column_stack(xs: Sequence[Number]) -> Any:
    """Vectors as the columns of a matrix; matrices side by side.

    >>> from companion.engines import column_stack
    >>> column_stack([[1.0, 2.0], [3.0, 4.0]])
    array([[1., 3.],
           [2., 4.]])
    """
    return concatenate(
        [number(x) if len(shape(x)) > 1 else reshape(number(x), (-1, 1)) for x in xs], axis=1
    )


def append(x: Number, values: Number, axis: int | None = None) -> Any:
    """x with values joined at its end, in a row when axis is None.

    >>> from companion.engines import append
    >>> append([1.0, 2.0], 3.0)
    array([1., 2., 3.])
    """
    if axis is None:
        return concatenate([ravel(x), ravel(values)])
    return concatenate([x, values], axis)


def split(x: Number, parts: int | Sequence[int], axis: int = 0) -> list[Any]:
    """x cut along an axis: into so many equal parts, or before the given indices.

    Raises ValueError where equal parts are not possible.

    >>> from companion.engines import split
    >>> split([1.0, 2.0, 3.0, 4.0], 2)
    [array([1., 2.]), array([3., 4.])]
    """
    x = number(x)
    axis = _axis(axis, len(shape(x)))
    pieces = np.split(np.arange(shape(x)[axis]), parts)
    ends = np.cumsum([len(piece) for piece in pieces]).tolist()
    before = (slice(None),) * axis
    return [index(x, before + (slice(b - len(p), b),)) for p, b in zip(pieces, ends)]


def pad(x: Number, pad_width: Any, mode: str = "constant", constant_values: Number = 0.0) -> Any:
    """x with a border: of a constant, or by NumPy's modes that repeat elements of x.

    The modes are constant, edge, reflect, symmetric, wrap. Raises ValueError for another one.

    >>> from companion.engines import pad
    >>> pad([1.0, 2.0], 1)
    array([0., 1., 2., 0.])
    """
    if mode not in ("constant", "edge", "reflect", "symmetric", "wrap"):
        raise ValueError(
            f"pad knows the modes constant, edge, reflect, symmetric and wrap; got {mode!r}"
        )
    if mode != "constant":
        return _moved(x, lambda places: np.pad(places, pad_width, mode=mode))  # type: ignore[call-overload]
    if shape(constant_values):
        raise ValueError(
            f"pad takes one constant for the whole border; got shape {shape(constant_values)}"
        )
    places = np.arange(math.prod(shape(x))).reshape(shape(x))
    padded = np.pad(places, pad_width, constant_values=-1)
    if not places.size:
        return broadcast_to(number(constant_values), padded.shape)
    return where(padded >= 0, index(ravel(x), np.maximum(padded, 0)), constant_values)
