"""A torch function on a line: what torch says of t ↦ f(x + t v), and what the companion says."""

from collections.abc import Callable
from math import factorial
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

from companion.operators import Partials, taylor
from companion.operators.laplace import value_gradient_laplacian
from conformance.oracle import Anchor, Finding, judge

Function: TypeAlias = Callable[[Tensor], Tensor]

ORDER = 4
NEAR = 1e-4  # how well torch's second derivative must fit its first ones to be asked


class Line(NamedTuple):
    """The line x + t v through f."""

    f: Function
    x: Tensor
    v: Tensor


def direction(x: Tensor, generator: torch.Generator) -> Tensor:
    """A random direction in which every element moves by about its own size, or by 1 if it is large."""
    draw = torch.rand(x.shape, generator=generator, dtype=x.dtype) + 0.5
    sign = torch.randint(0, 2, x.shape, generator=generator) * 2 - 1
    size = x.abs().nan_to_num(0.0, 0.0).clamp(max=1.0)
    whole = size.square().mean().sqrt() if size.numel() else size.sum()
    return draw * sign * torch.maximum(size, 0.1 * whole if whole > 0 else torch.ones_like(whole))


def numbers(y: Tensor) -> np.ndarray:
    """The elements of a tensor as floats; complex ones as two each."""
    y = y.detach().resolve_conj().resolve_neg()
    return (torch.view_as_real(y) if y.is_complex() else y).double().numpy(force=True)


# ---------------------------------------------------------------- what torch says


def value(line: Line) -> Callable[[float], np.ndarray]:
    """t ↦ f(x + t v)."""
    return lambda t: numbers(line.f(line.x + t * line.v))


def slopes(line: Line, weights: Tensor, t: float, order: int, zeros: bool = True) -> list[float]:
    """[Σ wᵢ yᵢ and its derivatives by t], by nested reverse mode, torch's own.

    zeros: whether a derivative that torch does not have for want of a connection is 0.
    """
    s = torch.tensor(t, dtype=torch.float64, requires_grad=True)
    y = line.f(line.x + s * line.v)
    y = torch.view_as_real(y.resolve_conj()) if y.is_complex() else y
    d = (weights * y).sum()
    found = [d]
    for k in range(order):
        if not d.requires_grad:
            return [d.item() for d in found] + [0.0] * (order - k)
        (d,) = torch.autograd.grad(d, s, create_graph=k + 1 < order, materialize_grads=zeros)
        found.append(d)
    return [d.item() for d in found]


def anchors(line: Line, generator: torch.Generator) -> list[Anchor]:
    """torch's first derivative; its second too, where that fits a quotient of the first."""
    t = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
    reached = line.f(line.x + t * line.v)
    if not reached.requires_grad:
        return []  # without a graph, torch's zero is no statement
    y = numbers(reached.detach())
    weights = torch.rand(y.shape, generator=generator, dtype=torch.float64) + 0.5
    first = lambda t: slopes(line, weights, t, 1)[1]
    try:
        found = [Anchor(1, weights.numpy(force=True), first(0.0))]
        second = slopes(line, weights, 0.0, 2)[2]
    except (RuntimeError, NotImplementedError):
        return []  # torch has no derivative here; its values are left
    h = 1e-3
    quotient = (8 * (first(h) - first(-h)) - (first(2 * h) - first(-2 * h))) / (12 * h)
    if abs(quotient - second) <= NEAR * max(abs(second), abs(found[0].value), 1e-8):
        found.append(Anchor(2, weights.numpy(force=True), second))
    return found


# ---------------------------------------------------------------- what the companion says


def series(line: Line) -> Callable[[float, int], list[np.ndarray]]:
    """(t, k) ↦ [d⁰, …, dᵏ] by taylor(f, x + t v, v), its coefficients times k!."""

    def found(t: float, order: int) -> list[np.ndarray]:
        coefficients = taylor(line.f, line.x + t * line.v, line.v, order=order)
        return [numbers(c) * factorial(k) for k, c in enumerate(coefficients)]

    return found


def along(line: Line, generator: torch.Generator) -> Finding:
    """The companion's series of a function of torch's."""
    return judge(series(line), value(line), ORDER, anchors(line, generator))


def laplacian(f: Function, x: Tensor) -> Finding:
    """Δf by the collapsed jet: Σₐ f(x + t eₐ) has the slope Σₐ ∂ₐf, which has the slope Δf."""
    axes = [torch.zeros_like(x).index_fill(1, torch.tensor(a), 1.0) for a in range(x.shape[1])]
    total = lambda parts: np.sum([numbers(p) for p in parts], 0)

    def found(t: float, order: int) -> list[np.ndarray]:
        if order == 2:
            y, gradient, bend = value_gradient_laplacian(f, x)
            return [len(axes) * numbers(y), total(gradient), numbers(bend)]
        series = [taylor(f, x + t * e, e, order=1) for e in axes]
        return [total(c) for c in zip(*series)]

    return judge(found, lambda t: total([f(x + t * e) for e in axes]), 2)


def partials(f: Function, x: Tensor, axis: int) -> Finding:
    """Partials(f, x)(axis, axis, …), whichever way it takes, for f: (1, d) → (1, m)."""
    size = min(float(x[0, axis].abs()), 1.0) or 1.0
    v = torch.zeros_like(x).index_fill(1, torch.tensor(axis), size)

    def found(t: float, order: int) -> list[np.ndarray]:
        u = Partials(f, x + t * v)
        return [numbers(u(*[axis] * k)) * size**k for k in range(order + 1)]

    return judge(found, value(Line(f, x, v)), ORDER)
