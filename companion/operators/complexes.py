"""Rules of complex values and of Fourier transforms.

A complex series has complex coefficients, along a real curve. Taking parts and transforms is linear
over the real numbers, and acts on each coefficient. The recurrences of recurrences.py hold for
complex numbers as they stand; what needs |z| or a branch of its own is here. z = 0, where abs, sgn
and angle have no slope, has that of torch: 0.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from companion.operators.dispatch import RULES, Operand, Series
from companion.operators.powers import pow
from companion.operators.rules import aligned, fact, first, linear, step, where

LINEAR = "imag conj resolve_conj resolve_neg view_as_real view_as_complex".split()
TRANSFORMS = """fft ifft rfft irfft hfft ihfft fft2 ifft2 rfft2 irfft2 hfft2 fftn ifftn rfftn irfftn
    hfftn fftshift ifftshift""".split()
UNBATCHED = [torch.stft, torch.istft, torch.fft.ihfft2, torch.fft.ihfftn]  # for torch.vmap
REAL = {name: RULES[getattr(torch, name)] for name in ("abs", "sgn")}


def joined(real: Operand, imaginary: Operand) -> Any:
    """real + i imaginary."""
    kind, rows = aligned(real, imaginary)
    return kind.like(torch.vmap(torch.complex)(*rows))


def polar(modulus: Operand, angle: Operand) -> Any:
    """r e^{iφ}."""
    return joined(modulus * torch.cos(angle), modulus * torch.sin(angle))


def off_zero(z: Series) -> tuple[Tensor, Any]:
    """(where z is 0, z with ones in those places)."""
    zero = z.primal == 0
    return zero, where(zero, 1.0, z)


def modulus(z: Series) -> Any:
    """|z| = √(x² + y²)."""
    if not z.is_complex():
        return REAL["abs"](z)
    zero, safe = off_zero(z)
    return where(zero, 0.0, torch.sqrt(safe.real * safe.real + safe.imag * safe.imag))


def sgn(z: Series) -> Any:
    """z / |z|."""
    if not z.is_complex():
        return REAL["sgn"](z)
    zero, safe = off_zero(z)
    return where(zero, 0.0, safe / modulus(safe))


def angle(z: Series) -> Any:
    """The argument of z, whose slope is that of Im log z; 0 or π for real numbers."""
    if not z.is_complex():
        return step(torch.angle)(z)
    zero, safe = off_zero(z)
    turned: Any = torch.log(safe).imag
    value = torch.angle(z.primal)
    return where(zero, 0.0, turned - turned.primal) + value


def power(z: Operand, n: Operand) -> Any:
    """zⁿ; of complex numbers torch's value, and the slopes of e^{n log z}."""
    whole = isinstance(n, (int, float)) and float(n).is_integer()
    if whole or not (_is_complex(z) or _is_complex(n)):
        return pow(z, n)
    kind: Any = first(z, n)
    z, n = (x if isinstance(x, Series) else kind.constant(x) for x in (z, n))
    value = _value(z) ** _value(n)
    logarithm: Any = torch.log(z.to(value.dtype))
    found: Any = torch.exp(logarithm * n)
    return kind.like(torch.cat([value[None], found.rows[1:]]))


def _is_complex(x):
    return isinstance(x, complex) or (isinstance(x, Series | Tensor) and x.is_complex())


def _value(x):
    return x.primal if isinstance(x, Series) else x


def row_by_row(function: Any) -> Any:
    """The rule of a function that is linear in its first argument, without torch.vmap."""

    def rule(x: Series, *args: Any, **options: Any) -> Any:
        return x.like(torch.stack([function(row, *args, **options) for row in x.rows]))

    return rule


TABLE: dict[Callable, Callable] = {
    **{getattr(torch, name): linear(getattr(torch, name)) for name in LINEAR},
    **{getattr(torch.fft, name): linear(getattr(torch.fft, name)) for name in TRANSFORMS},
    **{f: row_by_row(f) for f in UNBATCHED},
    **{f: fact(f) for f in (torch.is_conj, torch.is_neg)},
    torch.conj_physical: lambda x: x.like(torch.conj_physical(x.rows)),
    torch.complex: joined, torch.polar: polar, torch.abs: modulus, torch.sgn: sgn,
    torch.angle: angle, torch.pow: power, torch.isreal: step(torch.isreal),
    torch.Tensor.__rpow__: lambda x, y: power(y, x),
}  # fmt: skip
RULES.update(TABLE)
