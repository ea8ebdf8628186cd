"""Linear algebra: each function by the equation that it solves.

solve, cholesky and eigh are rules of the implicit kind (implicit.py), det is elimination in the
engine's own arithmetic, inv and norm are made of the rest. The last two axes are those of a matrix.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from companion.engines import numerics
from companion.engines.arrangements import swapaxes, tril
from companion.engines.composed import max, min, root
from companion.engines.formulas import docstring
from companion.engines.implicit import Implicit
from companion.engines.numerics import real
from companion.engines.rules import abs, concatenate, index, log, reshape, stack, sum, where
from companion.engines.values import Axes, Number, Value, float64, number, plain, shape

SMALL = 1e-13  # a pivot below this part of the largest element divides nothing
LARGEST = 5  # the largest block without a pivot whose determinant is expanded


class Slogdet(NamedTuple):
    """The sign of a determinant, and log |det|."""

    sign: Any  #: of the determinant
    logabsdet: Any  #: log of its absolute value


class Eigh(NamedTuple):
    """Eigenvalues in ascending order, and eigenvectors as columns."""

    eigenvalues: Any  #: ascending
    eigenvectors: Any  #: columns


def _mT(x):
    return swapaxes(x, -1, -2)


def _lower(m):
    """The lower triangle with half the diagonal: M = _lower(M) + _lower(M)ᵀ for a symmetric M."""
    return tril(m) - 0.5 * where(np.eye(shape(m)[-1], dtype=bool), m, 0.0)


def _eigen_residual(matrix, z):
    """1 − ‖v‖² and A v − λ v, for every column v."""
    values, vectors = z[..., :1, :], z[..., 1:, :]
    lengths = sum(vectors * vectors, axis=-2, keepdims=True)
    return concatenate([1 - lengths, matrix @ vectors - vectors * values], axis=-2)


def _eigen_correct(r, matrix, z):
    """λ̇ᵢ = vᵢᵀ r and v̇ⱼ = Σᵢ vᵢ (vᵢᵀ r)/(λⱼ − λᵢ)."""
    values, vectors = z[..., :1, :], z[..., 1:, :]
    p = _mT(vectors) @ r[..., 1:, :]
    same = np.eye(shape(p)[-1], dtype=bool)
    gaps = where(same, 1.0, values - _mT(values))
    turn = where(same, 0.5 * r[..., :1, :], p / gaps)
    moved = sum(where(same, p, 0.0), axis=-2, keepdims=True)
    return concatenate([moved, vectors @ turn], axis=-2)


_solve: Implicit = Implicit(
    "solve",
    np.linalg.solve,
    lambda A, B, X: B - A @ X,
    lambda r, A, B, X: _solve(A, r),
    lambda g, A, B, X: _solve(_mT(A), g),
)
_cholesky = Implicit(
    "cholesky",
    numerics.cholesky,
    lambda A, L: A - L @ _mT(L),
    lambda r, A, L: L @ _lower(_mT(solve(L, _mT(solve(L, r))))),
)
_eigh = Implicit("eigh", numerics.eigh, _eigen_residual, _eigen_correct)

for _rule in (_solve, _cholesky, _eigh):
    _rule.__doc__ = docstring(_rule.name)


# --- solving ----------------------------------------------------------------------------------


def solve(A: Number, b: Number) -> Any:
    """x with A x = b; b is a vector, or a matrix of columns. Jets: A₀ xₖ = bₖ − Σ_{j≥1} Aⱼ xₖ₋ⱼ.

    Raises numpy.linalg.LinAlgError where A is singular, ValueError where it is not square.

    >>> from companion.engines import grad, solve
    >>> grad(lambda b: solve(np.array([[2.0, 0.0], [0.0, 4.0]]), b)[1])(np.ones(2))
    array([0.  , 0.25])
    """
    A, b = _square(A, "solve"), number(b)
    if len(shape(b)) == 1:
        return reshape(_solve(A, reshape(b, (-1, 1))), shape(A)[:-1])
    return _solve(A, b)


def inv(A: Number) -> Any:
    """A⁻¹, the solution of A X = 1.

    Raises numpy.linalg.LinAlgError where A is singular, ValueError where it is not square.

    >>> from companion.engines import inv
    >>> inv(np.array([[2.0, 0.0], [0.0, 4.0]]))
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    A = _square(A, "inv")
    return _solve(A, np.eye(shape(A)[-1]))


def cholesky(A: Number) -> Any:
    """The lower triangular L with L Lᵀ = A, for a symmetric positive definite A.

    The derivative is that on symmetric matrices: a gradient is symmetric too. Raises ValueError where
    A is not symmetric, numpy.linalg.LinAlgError where it is not positive definite.

    >>> from companion.engines import cholesky
    >>> cholesky(np.array([[4.0, 2.0], [2.0, 2.0]]))
    array([[2., 0.],
           [1., 1.]])
    """
    return _cholesky(_symmetric(A, "cholesky"))


def eigh(A: Number) -> Eigh:
    """Eigenvalues λ, ascending, and eigenvectors as columns, A vᵢ = λᵢ vᵢ, of a symmetric A.

    The derivative is that on symmetric matrices; the sign of an eigenvector is LAPACK's choice.
    Raises ValueError where A is not symmetric, or where two eigenvalues are equal: there they have no
    derivative one by one, and symmetric functions of them are better written as trace or det.

    >>> from companion.engines import eigh, grad
    >>> grad(lambda A: eigh(A).eigenvalues[0])(np.array([[1.0, 0.0], [0.0, 3.0]]))
    array([[1., 0.],
           [0., 0.]])
    """
    A = _symmetric(A, "eigh")
    packed = _eigh(A)
    if isinstance(A, Value):
        values = np.asarray(real(plain(packed)))[..., 0, :]
        gaps = np.diff(values, axis=-1)
        scale = np.max(np.abs(values), axis=-1, keepdims=True, initial=0.0)
        if np.any(gaps <= SMALL * scale):
            raise ValueError(
                f"eigh: two eigenvalues are equal ({values}), and equal ones have no derivative one "
                f"by one. Write symmetric functions of them as trace(A), trace(A @ A) or det(A)"
            )
    return Eigh(packed[..., 0, :], packed[..., 1:, :])


def _square(A, name):
    A = number(A)
    if len(shape(A)) < 2 or shape(A)[-1] != shape(A)[-2]:
        raise ValueError(f"{name} takes a square matrix; got shape {shape(A)}")
    return A


def _symmetric(A, name):
    """(A + Aᵀ)/2 of a matrix that is symmetric up to rounding."""
    A = _square(A, name)
    value = np.asarray(real(plain(A)))
    difference = np.max(np.abs(value - np.swapaxes(value, -1, -2)), initial=0.0)
    if difference > 1e-8 * np.max(np.abs(value), initial=0.0):
        raise ValueError(
            f"{name} takes a symmetric matrix; A and its transpose differ by {difference:.3g}. "
            f"Write (A + A.T) / 2 if that is meant"
        )
    return (A + _mT(A)) / 2


# --- determinants -----------------------------------------------------------------------------


def det(A: Number) -> Any:
    """The determinant: the product of the pivots of elimination, right for singular A too.

    Raises ValueError where A is not square, or where a block of more than five rows has no pivot.

    >>> from companion.engines import det, grad
    >>> grad(det)(np.array([[1.0, 2.0], [2.0, 4.0]]))
    array([[ 4., -2.],
           [-2.,  1.]])
    """
    A = _square(A, "det")
    return _each(_det, A) if isinstance(A, Value) else float64(np.linalg.det(A))


def slogdet(A: Number) -> Slogdet:
    """The sign of det A, a constant, and log |det A|, without overflow.

    Raises ValueError where A is not square, or singular, with a derivative asked for.

    >>> from companion.engines import grad, slogdet
    >>> grad(lambda A: slogdet(A).logabsdet)(np.diag([2.0, 4.0]))
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    A = _square(A, "slogdet")
    if not isinstance(A, Value) and np.isrealobj(A):
        sign, logabsdet = np.linalg.slogdet(A)
        return Slogdet(float64(sign), float64(logabsdet))
    return Slogdet(float64(np.linalg.slogdet(real(plain(A)))[0]), _each(_logabsdet, A))


def _each(f, A):
    """f of every matrix of a stack."""
    return f(A) if len(shape(A)) == 2 else stack([_each(f, matrix) for matrix in A])


def _pivots(A):
    """The pivots of complete pivoting, the block that is left without one, and the sign of the swaps."""
    found, sign, scale = [], 1.0, np.max(np.abs(plain(A)), initial=0.0)
    while shape(A)[0]:
        size, n = np.abs(real(plain(A))), shape(A)[0]
        i, j = np.unravel_index(np.argmax(size), size.shape)
        if not size[i, j] > SMALL * scale:  # NaN is none either
            break
        rows, columns = [[k, *[a for a in range(n) if a != k]] for k in (int(i), int(j))]
        A = index(A, np.ix_(rows, columns))
        sign *= (-1.0) ** (int(i) + int(j))
        found.append(A[0, 0])
        A = A[1:, 1:] - A[1:, :1] / A[0, 0] * A[:1, 1:]
    return found, A, sign


def _det(A):
    pivots, rest, sign = _pivots(A)
    if shape(rest)[0] > LARGEST:
        raise ValueError(
            f"det: the matrix is so singular that {shape(rest)[0]} rows have no pivot, and more than "
            f"{LARGEST} are not expanded. Its derivatives up to order {shape(rest)[0] - 1} are 0"
        )
    product = sign * _expanded(rest)
    for pivot in pivots:
        product = product * pivot
    return product


def _expanded(A):
    """det A by Laplace's expansion, which divides by nothing."""
    n, total = shape(A)[0], 0.0
    if n == 0:
        return 1.0
    for j in range(n):
        others = [k for k in range(n) if k != j]
        total = total + (-1.0) ** j * A[0, j] * _expanded(A[1:][:, others])
    return total


def _logabsdet(A):
    pivots, rest, _ = _pivots(A)
    if shape(rest)[0]:
        raise ValueError("slogdet of a singular matrix is −∞ and has no derivative; see det")
    return sum(log(abs(stack(pivots)))) if pivots else 0.0


# --- norms ------------------------------------------------------------------------------------


def norm(x: Number, ord: Any = None, axis: Axes = None, keepdims: bool = False) -> Any:
    """‖x‖: √Σx² over all axes or the given ones, or the norm `ord` of a vector or a matrix.

    Of vectors: any p > 0, ±inf. Of matrices: "fro", 1, −1, inf, −inf. At 0 there is a corner, and the
    slope is 0. Raises ValueError for another `ord`.

    >>> from companion.engines import grad, norm
    >>> grad(norm)(np.array([3.0, 4.0]))
    array([0.6, 0.8])
    """
    x = number(x)
    real(plain(x))  # refuses complex numbers, whose norm is another formula
    n = len(shape(x))
    if ord is None:
        return root(sum(x * x, axis, keepdims))
    axes = tuple(range(n)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if len(axes) == 1:
        return _vector_norm(x, ord, axes, keepdims)
    if len(axes) != 2:
        raise ValueError(f"norm of order {ord!r} is of vectors and matrices; got {len(axes)} axes")
    if ord == "fro":
        return root(sum(x * x, axes, keepdims))
    if ord not in (1, -1, math.inf, -math.inf):
        raise ValueError(
            f"norm of a matrix knows the orders 'fro', 1, -1, inf and -inf; got {ord!r}. "
            f"The largest singular value is max(eigh(A.T @ A).eigenvalues) ** 0.5"
        )
    down, across = (axes[0], axes[1]) if ord in (1, -1) else (axes[1], axes[0])
    sums = sum(abs(x), down, keepdims=True)
    found = (max if ord > 0 else min)(sums, across, keepdims=True)
    return found if keepdims else reshape(found, shape(sum(x, axes)))


def _vector_norm(x, ord, axes, keepdims):
    if ord in (math.inf, -math.inf):
        return (max if ord > 0 else min)(abs(x), axes, keepdims)
    if ord == 1:
        return sum(abs(x), axes, keepdims)
    if ord == 2:
        return root(sum(x * x, axes, keepdims))
    if isinstance(ord, str) or ord <= 0:
        raise ValueError(f"norm of a vector knows the orders p > 0, inf and -inf; got {ord!r}")
    return root(sum(abs(x) ** ord, axes, keepdims), ord)
