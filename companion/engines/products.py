"""Products of arrays beside matmul: dot, outer, tensordot, einsum.

Made of matmul, of products element by element, and of the one bilinear rule `einsum` of two arrays.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from typing import Any

from companion.engines.arrangements import diagonal, ravel, roll
from companion.engines.numerics import real
from companion.engines.rules import (
    _axis,
    _einsum,
    broadcast_to,
    matmul,
    mul,
    reshape,
    sum,
    transpose,
)
from companion.engines.values import Number, number, plain, shape


def dot(x: Number, y: Number) -> Any:
    """Σ over the last axis of x and the last but one of y (the only one of a vector).

    >>> import numpy as np
    >>> from companion.engines import dot, grad
    >>> grad(lambda x: dot(x, x))(np.array([1.0, 2.0]))
    array([2., 4.])
    """
    x, y = number(x), number(y)
    m, n = len(shape(x)), len(shape(y))
    if m == 0 or n == 0:
        return mul(x, y)
    return matmul(x, y) if n <= 2 else tensordot(x, y, ((-1,), (-2,)))


def vdot(x: Number, y: Number) -> Any:
    """Σ xᵢ yᵢ over all elements, in a row each.

    >>> import numpy as np
    >>> from companion.engines import vdot
    >>> vdot(np.ones((2, 2)), np.ones((2, 2)))
    4.0
    """
    x, y = number(x), number(y)
    real(plain(x)), real(plain(y))  # refuses complex numbers, of which NumPy conjugates the first
    return matmul(ravel(x), ravel(y))


def inner(x: Number, y: Number) -> Any:
    """Σ over the last axis of both.

    >>> import numpy as np
    >>> from companion.engines import inner
    >>> inner(np.eye(2), np.array([1.0, 2.0]))
    array([1., 2.])
    """
    return mul(x, y) if () in (shape(x), shape(y)) else tensordot(x, y, ((-1,), (-1,)))


def outer(x: Number, y: Number) -> Any:
    """(xᵢ yⱼ), of the elements in a row each.

    >>> import numpy as np
    >>> from companion.engines import outer
    >>> outer(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    array([[3., 4.],
           [6., 8.]])
    """
    return reshape(ravel(x), (-1, 1)) * reshape(ravel(y), (1, -1))


def tensordot(x: Number, y: Number, axes: int | Sequence[Any] = 2) -> Any:
    """Σ over axes of x and of y: the last `axes` of x and the first of y, or a pair of lists.

    Raises ValueError where the axes do not match.

    >>> import numpy as np
    >>> from companion.engines import tensordot
    >>> float(tensordot(np.ones((2, 3)), np.ones((2, 3))))
    6.0
    """
    x, y = number(x), number(y)
    a, b = shape(x), shape(y)
    if isinstance(axes, int):
        of_x, of_y = range(len(a) - axes, len(a)), range(axes)
    else:
        of_x, of_y = [[k] if isinstance(k, int) else k for k in axes]
    of_x, of_y = [_axis(k, len(a)) for k in of_x], [_axis(k, len(b)) for k in of_y]
    if [a[k] for k in of_x] != [b[k] for k in of_y]:
        raise ValueError(
            f"tensordot sums over axes {of_x} of {a} and {of_y} of {b}: lengths differ"
        )
    rest_x = [k for k in range(len(a)) if k not in of_x]
    rest_y = [k for k in range(len(b)) if k not in of_y]
    n = math.prod(a[k] for k in of_x)
    left = reshape(transpose(x, rest_x + of_x), (math.prod(a[k] for k in rest_x), n))
    right = reshape(transpose(y, of_y + rest_y), (n, math.prod(b[k] for k in rest_y)))
    return reshape(left @ right, tuple(a[k] for k in rest_x) + tuple(b[k] for k in rest_y))


def kron(x: Number, y: Number) -> Any:
    """The blocks xᵢⱼ y, for matrices or vectors.

    >>> import numpy as np
    >>> from companion.engines import kron
    >>> kron(np.array([1.0, 10.0]), np.array([1.0, 2.0]))
    array([ 1.,  2., 10., 20.])
    """
    n = builtins.max(len(shape(x)), len(shape(y)))
    a, b = [(1,) * (n - len(shape(z))) + shape(z) for z in (x, y)]
    x = reshape(number(x), tuple(k for m in a for k in (m, 1)))
    y = reshape(number(y), tuple(k for m in b for k in (1, m)))
    return reshape(x * y, tuple(p * q for p, q in zip(a, b)))


def cross(x: Number, y: Number) -> Any:
    """x × y of vectors of three along the last axis.

    >>> import numpy as np
    >>> from companion.engines import cross
    >>> cross(np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]))
    array([0., 0., 1.])
    """
    x, y = number(x), number(y)
    if shape(x)[-1:] != (3,) or shape(y)[-1:] != (3,):
        raise ValueError(f"cross is of vectors of three; got shapes {shape(x)} and {shape(y)}")
    return roll(x * roll(y, -1, -1) - roll(x, -1, -1) * y, -1, -1)


def einsum(subscripts: str, *xs: Number) -> Any:
    """Σ over the letters that the output lacks, as NumPy writes it, of any number of arrays.

    Factors are multiplied from the left, two at a time. Raises ValueError where the terms do not fit
    the arrays.

    >>> import numpy as np
    >>> from companion.engines import einsum, grad
    >>> grad(lambda A: einsum("i,ij,j->", [1.0, 2.0], A, [3.0, 4.0]))(np.ones((2, 2)))
    array([[3., 4.],
           [6., 8.]])
    """
    arrays = [number(x) for x in xs]
    terms, out = _terms(subscripts, [shape(x) for x in arrays])
    product: Any = None
    letters = ""
    for i, (x, term) in enumerate(zip(arrays, terms)):
        others = set(out).union(letters, *terms[i + 1 :])
        x, term = _summed(x, term, others)
        if product is None:
            product, letters = x, term
            continue
        kept = set(out).union(*terms[i + 1 :])
        both = "".join(dict.fromkeys(letters + term))
        size = _lengths((letters, product), (term, x))
        product, x = [
            broadcast_to(z, [size[k] for k in t]) for z, t in ((product, letters), (x, term))
        ]
        result = "".join(k for k in both if k in kept)
        product = _einsum(product, x, spec=f"{letters},{term}->{result}")
        letters = result
    return transpose(product, [letters.index(k) for k in out])


def _lengths(*factors):
    """{letter: how many elements}, of factors (term, array); one of one element is repeated."""
    size: dict[str, int] = {}
    for term, x in factors:
        size.update({k: n for k, n in zip(term, shape(x)) if size.get(k, 1) == 1})
    return size


def _terms(subscripts, dims):
    """The terms and the output of an einsum, every ellipsis written in letters of its own."""
    if not isinstance(subscripts, str):
        raise TypeError('einsum takes its subscripts as a string first: einsum("ij,j->i", A, x)')
    inputs, arrow, out = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    counts = [len(d) - len(t.replace("...", "")) for t, d in zip(terms, dims)]
    if len(terms) != len(dims) or any(
        n < 0 or (n and "..." not in t) for t, n in zip(terms, counts)
    ):
        raise ValueError(f"einsum: {subscripts!r} does not fit arrays of the shapes {dims}")
    free = [k for k in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if k not in subscripts]
    longest = free[: builtins.max(counts)]
    if not arrow:
        once = sorted(k for k in set(inputs) - set(".,") if inputs.count(k) == 1)
        out = "..." * ("..." in inputs) + "".join(once)
    terms = [t.replace("...", "".join(longest[len(longest) - n :])) for t, n in zip(terms, counts)]
    out = out.replace("...", "".join(longest))
    if len(set(out)) < len(out) or not set(out) <= set("".join(terms)):
        raise ValueError(f"einsum: the output of {subscripts!r} has letters twice, or of no factor")
    return terms, out


def _summed(x, term, others):
    """One factor with its diagonals taken, and summed over letters that nobody else has."""
    for k in dict.fromkeys(term):
        while term.count(k) > 1:
            i = term.index(k)
            j = term.index(k, i + 1)
            if shape(x)[i] != shape(x)[j]:
                raise ValueError(
                    f"einsum: the letter {k!r} stands for axes of {shape(x)[i]} and {shape(x)[j]} "
                    f"elements of one factor, which have no diagonal"
                )
            x, term = diagonal(x, 0, i, j), term[:i] + term[i + 1 : j] + term[j + 1 :] + k
    alone = tuple(i for i, k in enumerate(term) if k not in others)
    return (sum(x, alone) if alone else x), "".join(k for k in term if k in others)
