"""Values that NumPy lacks, or lacks for complex numbers.

The complex step, an oracle of the rules, evaluates them at x + ih with a tiny h. What asks which of
two numbers is larger asks the real parts; complex numbers in earnest are refused there.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

TINY = 1e-6  # an imaginary part up to here, relative to the number, is that of a complex step


def real(x: Any) -> Any:
    """The real part, for what orders or rounds numbers; only a complex step has another part."""
    if np.isrealobj(x):
        return x
    if np.any(np.abs(np.imag(x)) > TINY * (1 + np.abs(np.real(x)))):
        raise TypeError(
            "complex numbers have no order, sign or floor here, and no norm: the engines "
            "differentiate real functions. Pass the real and the imaginary part as two real arguments"
        )
    return np.real(x)


# --- smooth -----------------------------------------------------------------------------------


def sigmoid(x: Any) -> Any:
    """1/(1 + e⁻ˣ), without overflow."""
    small = np.exp(np.where(np.real(x) > 0, -x, x))
    return (np.where(np.real(x) > 0, 1.0, small) / (1 + small))[()]


def softplus(x: Any) -> Any:
    """log(1 + eˣ), without overflow."""
    positive = np.real(x) > 0
    return (np.where(positive, x, 0.0) + np.log1p(np.exp(np.where(positive, -x, x))))[()]


def cbrt(x: Any) -> Any:
    """∛x, of negative numbers too."""
    return np.cbrt(x) if np.isrealobj(x) else sign(x) * np.exp(np.log(sign(x) * x) / 3)


def arctan2(y: Any, x: Any) -> Any:
    """The angle of the point (x, y)."""
    if np.isrealobj(y) and np.isrealobj(x):
        return np.arctan2(y, x)
    a, b = real(y), real(x)  # the angle of the real parts, and what is left
    return np.arctan2(a, b) + np.arctan((y * b - x * a) / (x * b + y * a))


def hypot(x: Any, y: Any) -> Any:
    """√(x² + y²)."""
    if np.isrealobj(x) and np.isrealobj(y):
        return np.hypot(x, y)
    real(x), real(y)  # refuses complex numbers in earnest
    return np.sqrt(x * x + y * y)


def logaddexp(x: Any, y: Any) -> Any:
    """log(eˣ + eʸ), without overflow."""
    if np.isrealobj(x) and np.isrealobj(y):
        return np.logaddexp(x, y)
    return larger(x, y) + np.log1p(np.exp(smaller(x, y) - larger(x, y)))


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)


def erf(x: Any) -> Any:
    """2/√π ∫₀ˣ e^{−t²} dt; off the real line, the way from there is integrated by Gauss's rule."""
    on_line = _erf(real(x))[()]
    if np.isrealobj(x):
        return on_line
    way = 0.5j * np.imag(x)
    inside = np.multiply.outer(way, 1 + _NODES) + np.real(x)[..., None]
    return on_line + way * (np.exp(-(inside**2)) @ _WEIGHTS) * (2 / math.sqrt(math.pi))


def erfc(x: Any) -> Any:
    """1 − erf x, right for large x too."""
    return _erfc(x)[()] if np.isrealobj(x) else _erfc(np.real(x)) - (erf(x) - _erf(np.real(x)))


_erf = np.vectorize(math.erf, otypes=[float])
_erfc = np.vectorize(math.erfc, otypes=[float])


# --- with corners and jumps -------------------------------------------------------------------


def relu(x: Any) -> Any:
    """x where it is positive, else 0."""
    return np.maximum(x, 0.0) if np.isrealobj(x) else np.where(real(x) <= 0, 0.0, x)[()]


def absolute(x: Any) -> Any:
    """x where it is not negative, else −x."""
    return np.where(real(x) < 0, -x, x)[()]


def larger(x: Any, y: Any) -> Any:
    """The larger of two, NaN where one is."""
    return np.where(np.isnan(x) | (real(x) >= real(y)), x, y)[()]


def smaller(x: Any, y: Any) -> Any:
    """The smaller of two, NaN where one is."""
    return np.where(np.isnan(x) | (real(x) <= real(y)), x, y)[()]


def step(x: Any) -> Any:
    """1 where x > 0, else 0."""
    return float(x > 0) if type(x) is float and x == x else np.heaviside(real(x), 0.0)


def sign(x: Any) -> Any:
    """1, 0 or −1."""
    return float((x > 0) - (x < 0)) if type(x) is float and x == x else np.sign(real(x))


def remainder(x: Any, y: Any) -> Any:
    """x − y ⌊x/y⌋."""
    if np.isrealobj(x) and np.isrealobj(y):
        return np.remainder(x, y)
    return x - y * np.floor_divide(real(x), real(y))


def fmod(x: Any, y: Any) -> Any:
    """x − y times the quotient rounded towards 0."""
    if np.isrealobj(x) and np.isrealobj(y):
        return np.fmod(x, y)
    return x - y * np.trunc(real(x) / real(y))


# --- matrices ---------------------------------------------------------------------------------


def cholesky(x: Any) -> Any:
    """L with L Lᵀ = x; column by column where LAPACK would take x for a Hermitian matrix."""
    if np.isrealobj(x):
        return np.linalg.cholesky(x)
    if x.ndim > 2:
        return np.stack([cholesky(part) for part in x])
    real(x)
    found = np.zeros_like(x)
    for j in range(len(x)):
        rest = x[j:, j] - found[j:, :j] @ found[j, :j]
        found[j:, j] = rest / np.sqrt(rest[0])
    return found


def eigh(x: Any) -> Any:
    """Eigenvalues as a first row above the eigenvectors, columns: one array for one rule."""
    if x.ndim > 2:
        return np.stack([eigh(part) for part in x])
    values, vectors = np.linalg.eigh(real(x))
    if not np.isrealobj(x):
        values, vectors = _rotated(vectors.T @ x @ vectors, vectors)
    return np.concatenate([values[None, :], vectors])


def _rotated(x, vectors):
    """Eigenvalues and vectors of a complex symmetric, nearly diagonal x, by Jacobi's rotations."""
    x, vectors = x.copy(), vectors.astype(complex)
    for _ in range(4):
        for p, q in zip(*np.triu_indices(len(x), 1)):
            if x[p, q] != 0:
                angle = 0.5 * np.arctan(2 * x[p, q] / (x[p, p] - x[q, q]))
                turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
                x[:, [p, q]] = x[:, [p, q]] @ turn
                x[[p, q], :] = turn.T @ x[[p, q], :]
                vectors[:, [p, q]] = vectors[:, [p, q]] @ turn
    return np.diagonal(x), vectors


# --- indices ----------------------------------------------------------------------------------


def scattered(g: Any, to: Any, key: Any) -> Any:
    """Zeros in the shape `to` with g added at the key; what is there twice adds up."""
    out = np.zeros(to, dtype=np.result_type(g, np.float64))
    if all(
        k is None or k is ... or isinstance(k, (int, slice))
        for k in (key if type(key) is tuple else (key,))
    ):
        out[key] = g
    else:
        np.add.at(out, key, g)
    return out[()]
