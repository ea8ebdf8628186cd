"""Nested reverse mode, one walk back at a time, and how it is kept from a zero that is none.

torch refuses to differentiate by what a value was not computed from; where that is so since the
value really does not depend on it, the derivative is zero. It is also so where the graph was lost
on the way (no_grad, numpy, torch.compile). A difference quotient tells the two apart.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor

from companion import torch_private


def recording() -> AbstractContextManager:
    """A graph is kept here, whatever the caller's mode; leaving inference_mode has its price."""
    if torch.is_inference_mode_enabled():
        return _out_of_inference()
    return nullcontext() if torch.is_grad_enabled() else torch.enable_grad()


@contextmanager
def _out_of_inference() -> Iterator[None]:
    with torch.inference_mode(False), torch.enable_grad():
        yield


def as_caller_wants(y: Tensor) -> Tensor:
    """y, without its graph where the caller keeps none."""
    return y if torch.is_grad_enabled() else y.detach()


def transforming() -> bool:
    """Whether torch.func or a compiler is looking on, for whom autograd.grad is out of bounds."""
    return torch_private.transforming() or torch.compiler.is_compiling()


def alias(x: Tensor) -> Tensor:
    """A tensor equal to x that nothing else was computed from, and that leads back to x."""
    if x.is_inference():
        x = x.clone()
    return x.view_as(x) if x.requires_grad else x.detach().requires_grad_()


def slope(y: Tensor, x: Tensor, seed: Tensor) -> Tensor | None:
    """The cotangent of x for the cotangent `seed` of y; None where torch sees no way from x to y."""
    if not y.requires_grad:
        return None
    return torch.autograd.grad(y, x, seed, create_graph=True, allow_unused=True)[0]


def derivative(y: Tensor, x: Tensor, seed: Tensor | None = None) -> Tensor | None:
    """∂/∂x Σ seed · y, of the shape of x; seed is 1, if it is left out. Of complex y, Re′ + i Im′."""
    if not y.is_complex():
        return slope(y, x, torch.ones_like(y) if seed is None else seed)
    y = y if seed is None else seed * y
    parts = [slope(part, x, torch.ones_like(part)) for part in (y.real, y.imag)]
    if all(part is None for part in parts):
        return None
    return torch.complex(*[torch.zeros_like(x) if part is None else part for part in parts])


def pulled(pull: Callable[[Tensor], tuple[Tensor]], seed: Tensor) -> Tensor:
    """The same by the pull-back of torch.func.vjp, which gives the real part of conj(seed) · y′."""
    (found,) = pull(seed)
    return torch.complex(found, pull(1j * seed)[0]) if seed.is_complex() else found


def derivative_or_zero(
    y: Tensor, x: Tensor, g: Callable[[Tensor], Tensor], seed: Tensor | None = None
) -> Tensor:
    """derivative(y, x, seed) of y = g(x); zeros where y does not depend on x. See refuse_hidden."""
    found = derivative(y, x, seed)
    if found is None:
        refuse_hidden(g, x)
        return zeros(x, y)
    return found


def zeros(x: Tensor, y: Tensor) -> Tensor:
    """Zeros of the shape of x, complex if y is."""
    none = torch.zeros_like(x)
    return torch.complex(none, none) if y.is_complex() else none


def column_derivatives(u: Tensor, x: Tensor, g: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """∂uᵢ/∂xⱼ, (n, d) for each i, of u = g(x), (n, m), whose rows are independent. See refuse_hidden.

    One column is taken as it is: views of it would be nodes to walk back over, order after order.
    """
    columns = [derivative(c, x) for c in (u.split(1, dim=1) if u.shape[1] != 1 else [u])]
    lost = [i for i, found in enumerate(columns) if found is None]
    if lost:
        refuse_hidden(lambda at: g(at)[:, lost], x)
    return [zeros(x, u) if column is None else column for column in columns]


def unguarded(f: Callable[[Tensor], Tensor], axes: Sequence[int]) -> Callable[[Tensor], Tensor]:
    """x ↦ ∂ᵏf/∂x_{axes}, (n, m), as nested reverse mode has it, whatever that is worth."""

    def nested(x: Tensor) -> Tensor:
        x = alias(x)
        u = f(x)
        for axis in axes:
            found = [derivative(column, x) for column in u.split(1, dim=1)]
            rows = [zeros(x, u) if column is None else column for column in found]
            u = torch.cat([row[:, axis : axis + 1] for row in rows], 1)
        return u

    return nested


def refuse_hidden(g: Callable[[Tensor], Tensor], x: Tensor) -> None:
    """Raise ValueError if g changes with x, to both sides: its derivative is not the zero it seems.

    To both, since a step, like that of sign, has the derivative zero beside it. Each evaluation
    begins with the same state of torch's random numbers.
    """
    if not x.numel():
        return
    x, eps = x.detach(), torch.finfo(x.dtype).eps
    size = x.abs().amax(0, keepdim=True) if x.ndim else x.abs()
    v = weights(x.numel())[0].to(x).view(x.shape)
    step = eps ** (1 / 3) * torch.where(size > 0, size, 1) * v
    here, ahead, behind = (_alone(g, at) for at in (x, x + step, x - step))
    changed = torch.minimum((ahead - here).abs(), (here - behind).abs())
    noise = 100 * eps * here.abs().amax() if here.numel() else 0
    if not (changed <= noise).all():
        raise ValueError(
            "torch finds no way from x to this derivative of f, so it would be 0; but it changes "
            f"with x, by {changed.max().item():.2g} within {step.abs().max().item():.2g}. The graph "
            "was lost inside f: take the network, not torch.compile(network); leave out no_grad, "
            ".data, .numpy(). What is meant to be constant is x.detach(), and method='taylor'"
        )


def weights(*counts: int) -> list[Tensor]:
    """Random numbers in [−2, −1] and [1, 2], always the same ones, drawn from no stream of torch."""
    draw: dict[str, Any] = dict(generator=torch.Generator("cpu").manual_seed(0), device="cpu")
    signs = [2 * torch.randint(0, 2, (n,), **draw) - 1 for n in counts]
    return [s * (1 + torch.rand(len(s), **draw)) for s in signs]


def _alone(g, x):
    with torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):
        found = g(x).detach()
        smooth = found.is_floating_point() or found.is_complex()
        return found if smooth else found.to(x.dtype)
