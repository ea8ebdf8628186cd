"""Rules of linear algebra: matrices that are series, coefficient by coefficient.

Each comes from the equation that the result obeys. A X = B gives A₀ Xₖ = Bₖ − Σ_{j≥1} Aⱼ Xₖ₋ⱼ, so
one matrix is solved with, that of the primal; (log det A)′ = tr(A⁻¹ A′); L Lᵀ = A gives Lₖ by its
lower half. A rule is a recurrence on lists of coefficients, `along` makes it one of every kind of
series. Singular matrices raise what torch raises; det, a polynomial, has all its slopes there too.

What is decomposed otherwise (qr, svd, eigh, eig, lu, pinv, lstsq) has no rule and is differentiated
step by step (fallback.py). Source: Griewank & Walther, *Evaluating Derivatives*, 2nd ed., ch. 13;
Giles, *Collected matrix derivative results* (2008).
"""

from collections.abc import Callable, Sequence
from functools import reduce
from math import prod
from typing import Any

import torch
from torch import Tensor

from companion import torch_private
from companion.operators.dispatch import RULES, Operand, Series
from companion.operators.rules import first, matmul

Rows = Sequence[Tensor]  # the coefficients of a series; what is missing is zero


def along(recurrence: Callable[..., Any]) -> Callable[..., Any]:
    """The rule of a function of matrices from its recurrence(order, *rows, **options).

    The recurrence takes a list of coefficients for each operand, a constant's of length 1, and
    returns the coefficients of the result. A collapsed series is found from curves of order 2.
    """

    def rule(*operands: Operand, **options: Any) -> Any:
        kind = first(*operands)
        places = [i for i, x in enumerate(operands) if isinstance(x, Series)]
        for i in places:
            kind.met(operands[i])

        def expand(curves: Sequence[Tensor], order: int, make: Callable[[Tensor], Any]) -> Any:
            rows = dict(zip(places, curves))
            lists = [rows[i].unbind() if i in rows else [x] for i, x in enumerate(operands)]
            return make(torch.stack(recurrence(order, *lists, **options)))

        return kind.stepwise(expand, [operands[i].rows for i in places])

    return rule


def _rest(a: Rows, x: Rows, k: int) -> Any:
    """Σ_{j≥1} Aⱼ Xₖ₋ⱼ; 0 where there is none."""
    terms = [a[j] @ x[k - j] for j in range(1, min(k, len(a) - 1) + 1)]
    return sum(terms[1:], terms[0]) if terms else 0


def _divided(order: int, a: Rows, b: Rows, divide: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """X with A X = B; divide(C) solves with the primal, A₀ X = C."""
    x = [divide(b[0])]
    for k in range(1, order + 1):
        rest = _rest(a, x, k)
        term = b[k] - rest if k < len(b) else -rest
        x.append(divide(term) if isinstance(term, torch.Tensor) else torch.zeros_like(x[0]))
    return x


# --- inverses and linear systems ------------------------------------------------------------------


def inverse_series(order: int, a: Rows) -> list[Tensor]:
    """A⁻¹: Xₖ = −A₀⁻¹ Σ_{j≥1} Aⱼ Xₖ₋ⱼ."""
    x = [torch.linalg.inv(a[0])]
    for k in range(1, order + 1 if len(a) > 1 else 1):
        x.append(-(x[0] @ _rest(a, x, k)))
    return x


inverse = along(inverse_series)
_solve = along(lambda n, a, b: _divided(n, a, b, lambda c: torch.linalg.solve(a[0], c)))


def solve(a: Operand, b: Operand, left: bool = True) -> Any:
    """X with A X = B, or X A = B; B a matrix or a vector, as torch decides it."""
    if b.ndim == 1 or (b.ndim == a.ndim - 1 and b.shape == a.shape[:-1]):
        if not left:
            raise ValueError("solve takes a vector B from the left only: left=True")
        return _solve(a, b.unsqueeze(-1)).squeeze(-1)
    return _solve(a, b) if left else _solve(a.mT, b.mT).mT


def solve_triangular(
    a: Operand, b: Operand, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Any:
    """X with A X = B, or X A = B; A has the other triangle zero, and a diagonal of ones if asked."""
    if not left:
        turned = solve_triangular(a.mT, b.mT, upper=not upper, unitriangular=unitriangular)
        return turned.mT
    half = torch.triu if upper else torch.tril
    seen = half(a, int(unitriangular) * (1 if upper else -1))
    options = dict(upper=upper, unitriangular=unitriangular)
    divide = lambda a0: lambda c: torch.linalg.solve_triangular(a0, c, **options)
    return along(lambda n, a, b: _divided(n, a, b, divide(a[0])))(seen, b)


def cholesky_solve(b: Operand, factor: Operand, upper: bool = False) -> Any:
    """X with L Lᴴ X = B, or Uᴴ U X = B."""
    once = solve_triangular(factor.mH if upper else factor, b, upper=False)
    return solve_triangular(factor if upper else factor.mH, once, upper=True)


def cholesky_inverse(factor: Series, upper: bool = False) -> Any:
    """(L Lᴴ)⁻¹, or (Uᴴ U)⁻¹."""
    ones = torch.eye(factor.shape[-1], dtype=factor.dtype, device=factor.device)
    return cholesky_solve(ones.expand(factor.shape), factor, upper)


# --- determinants ---------------------------------------------------------------------------------


def _log_slopes(order: int, a: Rows) -> list[Tensor]:
    """[0, l₁, …, lₙ] of log det A, by k lₖ = Σ_{j≥1} j tr(Xₖ₋ⱼ Aⱼ) with X = A⁻¹."""
    slopes = [a[0].new_zeros(a[0].shape[:-2])] * (order + 1)
    x = inverse_series(order - 1, a) if order and len(a) > 1 else []
    for k in range(1, order + 1 if x else 1):
        terms = [
            j / k * (x[k - j] * a[j].mT).sum((-2, -1)) for j in range(1, min(k, len(a) - 1) + 1)
        ]
        slopes[k] = sum(terms[1:], terms[0])
    return slopes


def _exponential(value: Tensor, slopes: Rows) -> list[Tensor]:
    """v₀ e^{l − l₀}: k vₖ = Σ_{j≥1} j lⱼ vₖ₋ⱼ."""
    v = [value]
    for k in range(1, len(slopes)):
        terms = [j / k * slopes[j] * v[k - j] for j in range(1, k + 1)]
        v.append(sum(terms[1:], terms[0]))
    return v


_regular_det = along(lambda n, a: _exponential(torch.linalg.det(a[0]), _log_slopes(n, a)))
_log_det = along(lambda n, a: _log_slopes(n, a))


def det(a: Series) -> Any:
    """det A, of singular matrices too.

    With orthogonal U and V that split the primal into a well conditioned block and the rest, det A
    = det U det V det D₁₁ det(D₂₂ − D₂₁ D₁₁⁻¹ D₁₂) for D = Uᴴ A V, and the last is a polynomial. In
    the sum for log det, a singular value σ would cancel terms of σ⁻ᵏ at order k.
    """
    size, lost = a.shape[-1], _small(a.primal)
    if not lost:
        return _regular_det(a)
    u, _, v = torch.linalg.svd(a.primal.detach())
    outside = torch.linalg.det(u) * torch.linalg.det(v)
    d, r = u.mH @ a @ v.mH, size - lost
    if not r:
        return outside * polynomial_det(d)
    inner = solve(d[..., :r, :r], d[..., :r, r:])
    schur = d[..., r:, r:] - d[..., r:, :r] @ inner
    return outside * _regular_det(d[..., :r, :r]) * polynomial_det(schur)


def _small(a: Tensor) -> int:
    """How many singular values are small, at most; 0 where torch.func lets no one see values."""
    if torch_private.transforming() or not a.numel():
        return 0
    return a.shape[-1] - int(torch.linalg.matrix_rank(a.detach(), rtol=0.1).min())


def polynomial_det(a: Series) -> Any:
    """det A by products and traces alone: Faddeev and LeVerrier's M ← A M + c 1, c = −tr(A M) / k."""
    size = a.shape[-1]
    one = torch.eye(size, dtype=a.dtype, device=a.device)
    m: Any = one
    for k in range(1, size + 1):
        moved = a @ m
        c = moved.diagonal(0, -2, -1).sum(-1) / -k
        m = moved + c[..., None, None] * one
    return (-1) ** size * c


def slogdet(a: Series) -> Any:
    """(sign, log |det A|); the sign of complex matrices turns, that of real ones is constant."""
    found = torch.linalg.slogdet(a.primal)
    slopes = _log_det(a)
    if not a.is_complex():
        return type(found)((found[0], slopes + found[1]))
    turning = torch.exp(torch.complex(torch.zeros_like(slopes.primal.real), slopes.imag))
    return type(found)((found[0] * turning, slopes.real + found[1]))


def logdet(a: Series) -> Any:
    """log det A; nan where the determinant of a real matrix is negative."""
    value = torch.logdet(a.primal)
    return _log_det(a) * torch.where(value.isnan(), value, torch.ones_like(value)) + value


# --- functions of a matrix ------------------------------------------------------------------------


def _half(a: Tensor) -> Tensor:
    """The lower triangle, and half of the diagonal: Φ(S) + Φ(S)ᴴ = S."""
    return a.tril() - torch.diag_embed(a.diagonal(0, -2, -1)) / 2


def _cholesky_series(order: int, a: Rows, upper: bool = False) -> list[Tensor]:
    """L with L Lᴴ = A: Lₖ = L₀ Φ(L₀⁻¹ (Aₖ − Σ_{0<j<k} Lⱼ Lₖ₋ⱼᴴ) L₀⁻ᴴ).

    torch reads one triangle of the value, and takes a slope for that of (A + Aᴴ) / 2.
    """
    value = torch.linalg.cholesky(a[0], upper=upper)
    low = [value.mH if upper else value]
    divided = lambda c: torch.linalg.solve_triangular(low[0], c, upper=False)
    for k in range(1, order + 1 if len(a) > 1 else 1):
        rest = (a[k] + a[k].mH) / 2 if k < len(a) else torch.zeros_like(low[0])
        for j in range(1, k):
            rest = rest - low[j] @ low[k - j].mH
        low.append(low[0] @ _half(divided(divided(rest).mH).mH))
    return [x.mH for x in low] if upper else low


def cholesky(a: Series, upper: bool = False) -> Any:
    """L, or Lᴴ, with L Lᴴ = A."""
    return along(_cholesky_series)(a, upper=upper)


def _exp_series(order: int, a: Rows) -> list[Tensor]:
    """e^A: the first row of blocks of e^T, where T has Aⱼ on its j-th diagonal of blocks."""
    zero = torch.zeros_like(a[0])
    block = lambda j: a[j] if 0 <= j < len(a) else zero
    count = order + 1 if len(a) > 1 else 1
    rows = [torch.cat([block(j - i) for j in range(count)], -1) for i in range(count)]
    return list(torch.matrix_exp(torch.cat(rows, -2))[..., : a[0].shape[-1], :].chunk(count, -1))


def matrix_power(a: Series, n: int) -> Any:
    """Aⁿ by repeated squaring."""
    if n < 0:
        return matrix_power(inverse(a), -n)
    result: Any = torch.matrix_power(a.primal.detach(), 0) if n == 0 else None
    while n:
        if n & 1:
            result = a if result is None else matmul(result, a)
        n >>= 1
        a = matmul(a, a) if n else a
    return result


# --- products -------------------------------------------------------------------------------------


def bilinear(multiply: Callable[[Tensor, Tensor], Tensor], x: Operand, y: Operand) -> Any:
    """multiply(x, y), which is linear in each."""
    if isinstance(x, Series) and isinstance(y, Series):
        return x.times(y, multiply)
    return (
        x.each(lambda r: multiply(r, y))
        if isinstance(x, Series)
        else y.each(lambda r: multiply(x, r))
    )


def vander(x: Series, N: int | None = None, increasing: bool = False) -> Any:
    """1, x, x² … as columns."""
    powers: list[Any] = [torch.ones_like(x.primal)]
    for _ in range((x.shape[-1] if N is None else N) - 1):
        powers.append(powers[-1] * x)
    return torch.stack(powers if increasing else powers[::-1], -1)


def householder_product(a: Operand, tau: Operand) -> Any:
    """The first columns of Π (1 − τᵢ vᵢ vᵢᴴ), vᵢ below the diagonal of A with a one on it."""
    columns, count = a.shape[-1], tau.shape[-1]
    eye = torch.eye(a.shape[-2], columns, dtype=a.dtype, device=a.device)
    v = torch.tril(a, -1) + eye
    q: Any = eye
    for i in reversed(range(count)):
        column = v[..., i : i + 1]
        q = q - (tau[..., i, None, None] * column) @ (column.mH @ q)
    return q


def tensorinv(a: Series, ind: int = 2) -> Any:
    """The inverse of the matrix whose rows are the first `ind` axes."""
    front, back = a.shape[:ind], a.shape[ind:]
    return inverse(a.reshape(prod(front), -1)).reshape(*back, *front)


def tensorsolve(a: Operand, b: Operand, dims: Any = None) -> Any:
    """X with tensordot(A, X, X.ndim) = B."""
    if dims is not None:
        rest = [i for i in range(a.ndim) if i not in [d % a.ndim for d in dims]]
        a = a.permute(*rest, *[d % a.ndim for d in dims])
    shape = a.shape[b.ndim :]
    return solve(a.reshape(-1, prod(shape)), b.reshape(-1)).reshape(shape)


TABLE: dict[Callable, Callable] = {
    torch.linalg.inv: inverse, torch.linalg.solve: solve, torch.linalg.tensorinv: tensorinv,
    torch.linalg.solve_triangular: solve_triangular, torch.linalg.tensorsolve: tensorsolve,
    torch.cholesky_solve: cholesky_solve, torch.cholesky_inverse: cholesky_inverse,
    torch.linalg.det: det, torch.linalg.slogdet: slogdet, torch.logdet: logdet,
    torch.linalg.cholesky: cholesky, torch.matrix_exp: along(_exp_series),
    torch.linalg.matrix_power: matrix_power,
    torch.linalg.householder_product: householder_product, torch.orgqr: householder_product,
    torch.linalg.multi_dot: lambda matrices: reduce(matmul, matrices),
    torch.chain_matmul: lambda *matrices: reduce(matmul, matrices),
    torch.cross: lambda x, y, dim=None: bilinear(lambda a, b: torch.cross(a, b, dim=dim), x, y),
    torch.linalg.cross: lambda x, y, dim=-1: bilinear(
        lambda a, b: torch.linalg.cross(a, b, dim=dim), x, y
    ),
    torch.vander: vander, torch.linalg.vander: lambda x, N=None: vander(x, N, True),
}  # fmt: skip
RULES.update(TABLE)
