"""Integrals of the solution in an equation or a condition, by a quadrature that is given once.

∫ g(u, y) dy ≈ Σⱼ wⱼ g(u, yⱼ): a norm, a mass, a mean, the same number at every point. With a kernel
∫ k(x, y) g(u, y) dy, another number at each point x. Either is made of wⱼ g(u, yⱼ), its part, which no
point x has to do with: so the integrand is evaluated at its own points, once for all others. Along
some of the axes alone, or up to x, the yⱼ move with x, and each x has integrands of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from companion.pinn.arguments import asked_by, need_function, need_kind, need_names, tensor_of
from companion.pinn.domain import Box


@dataclass(frozen=True)
class Integral:
    """∫ of(u, y) dy ≈ Σⱼ wⱼ of(u, yⱼ), for a residual or a condition that asks for it by name.

    points: yⱼ (m, d), weights: wⱼ (m, 1), as Box.quadrature gives them. of(u, y) → (m, c) may ask for
    unknowns of the problem. A term gets (1, c), the same row for each of its points. With a kernel,
    k(x, y) → (n, m) or (n, m, 1), it gets ∫ k(x, y) of(u, y) dy, (n, c), a row for each of its points;
    the kernel is called with x (n, 1, d) and y (1, m, d), so that x − y is that of all pairs, and may ask
    for the unknown numbers.

    axes: the names of those to integrate along, in the order of the columns of points (m, e); the others
    are those of the point x: ∫ u(t, y) dy at each t. upto: along each of these axes from its lower end
    to x, to where points of the whole axis are squeezed: ∫₀ᵗ u(s) ds. Then y is (n, m, d) for the kernel.
    (A kernel that is 0 for y > x would do, but at the price of digits: no quadrature likes a jump.)

    Raises ValueError when shapes do not fit, or numbers are complex, NaN or infinite.

    >>> from companion.pinn import Problem
    >>> line, plane = Box(x=(0.0, 1.0)), Box(t=(0.0, 1.0), x=(0.0, 1.0))
    >>> growth = Problem(line, lambda u, x, mass: u(0) - mass,                       # u′ = ∫ u² dy
    ...                  integrals={"mass": Integral(*line.quadrature(8), of=lambda u, y: u() ** 2)})
    >>> near = Integral(*line.quadrature(8), kernel=lambda x, y: torch.exp(-((x - y) ** 2)))
    >>> total = Integral(*line.quadrature(8), axes=("x",))                           # ∫ u(t, y) dy
    >>> past = Integral(*line.quadrature(8), axes=("x",), upto=True)                 # ∫₀ˣ u(y) dy
    """

    points: Tensor
    weights: Tensor
    of: Callable[..., Tensor] = lambda u, y: u()
    kernel: Callable[..., Tensor] | None = None
    axes: tuple[str, ...] = ()
    upto: bool = False

    def __post_init__(self) -> None:
        need_function("of in an Integral", self.of, "of(u, y) → (m, c)")
        if self.kernel is not None:
            need_function("kernel in an Integral", self.kernel, "k(x, y) → (n, m)")
        need_names("axes in an Integral", self.axes)
        need_kind("upto in an Integral", self.upto, bool, "True or False")
        for what in ("points", "weights"):
            object.__setattr__(self, what, tensor_of("an Integral", what, getattr(self, what)))
        if self.points.ndim != 2 or not len(self.points):
            raise ValueError(
                f"an Integral needs points (m, d), one or more; got {tuple(self.points.shape)}. "
                "Integral(*box.quadrature(20)) has both points and weights"
            )
        if self.weights.shape != (len(self.points), 1):
            raise ValueError(
                f"an Integral has points {tuple(self.points.shape)} and weights "
                f"{tuple(self.weights.shape)}; expected weights ({len(self.points)}, 1). Write "
                "weights[:, None]"
            )
        if self.upto and not self.axes:
            raise ValueError(
                'an Integral up to x needs the axes along which it is: Integral(..., axes=("t",), '
                "upto=True)"
            )

    def box(self, domain: Box) -> Box:
        """What is integrated over: the axes of a domain that it names, or all of them."""
        for name in self.axes:
            domain.column(name)
        return Box(None, **{name: domain.ends()[name] for name in self.axes or domain.names})

    def part(self, rows: Tensor) -> Tensor:
        """wⱼ of(u, yⱼ) of rows of(u, yⱼ) (m, …), or of their Jacobian; without a kernel the sum, (1, …)."""
        weighted = self.weights.to(rows).view(-1, *[1] * (rows.ndim - 1)) * rows
        return weighted if self.kernel else weighted.sum(0, keepdim=True)

    def at(self, name: str, x: Tensor, part: Tensor, numbers: Mapping[str, Any]) -> Tensor:
        """The integral at points x (n, d), from its part: (1, c), or (n, c) with a kernel."""
        if self.kernel is None:
            return part
        return self._pairs(name, x, self.points.to(x)[None], numbers) @ part

    def nodes(self, domain: Box, x: Tensor) -> tuple[Tensor, Tensor]:
        """(yⱼ (n, m, d), wⱼ (n, m)) of an integral along some axes, at points x (n, d)."""
        box, m = self.box(domain), len(self.points)
        low, high = box.low.to(x), box.high.to(x)
        moved, weights = self.points.to(x).expand(len(x), -1, -1), self.weights.to(x).T
        if self.upto:
            ends = x[:, [domain.column(name) for name in self.axes]]
            share = (ends - low) / (high - low)
            moved, weights = (
                low + share[:, None] * (moved - low),
                share.prod(1, keepdim=True) * weights,
            )
        columns = [
            moved[:, :, self.axes.index(name)]
            if name in self.axes
            else x[:, i : i + 1].expand(-1, m)
            for i, name in enumerate(domain.names)
        ]
        return torch.stack(columns, 2), weights.expand(len(x), -1)

    def value(
        self,
        name: str,
        domain: Box,
        x: Tensor,
        rows: Callable[[Tensor], Tensor],
        numbers: Mapping[str, Any],
    ) -> Tensor:
        """The integral at points x (n, d), where rows(y) is of(u, y) at any points y (m, d)."""
        if not self.axes:
            return self.at(name, x, self.part(rows(self.points.to(x))), numbers)
        y, weights = self.nodes(domain, x)
        if self.kernel is not None:
            weights = weights * self._pairs(name, x, y, numbers)
        found = rows(y.flatten(0, 1)).unflatten(0, y.shape[:2])
        return (weights[:, :, None] * found).sum(1)

    def _pairs(self, name, x, y, numbers):
        """k(x, y) (n, m) at points x (n, d) and y (1 or n, m, d)."""
        kernel: Any = self.kernel
        found = kernel(x[:, None], y, **asked_by(kernel, numbers))
        need_kind(
            f"what the kernel of {name} gives", found, Tensor, "a tensor, by functions of torch"
        )
        if found.is_complex():
            raise TypeError(
                f"the kernel of {name} is complex: take two integrals, with its real and its imaginary "
                "part, k(x, y).real and k(x, y).imag"
            )
        n, m = len(x), y.shape[1]
        if found.shape not in ((n, m), (n, m, 1)):
            raise ValueError(
                f"the kernel of {name} is called with x {(n, 1, x.shape[1])} and y {tuple(y.shape)}, and "
                f"has shape {tuple(found.shape)}; expected ({n}, {m}), a number for each pair. With "
                "several axes write ((x - y) ** 2).sum(2)"
            )
        return found.to(y).view(n, m)
