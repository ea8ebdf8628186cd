"""The collapsed second-order jet: Δf in one pass, the second coefficients already summed.

Along each of the axes eᵢ a 2-jet would carry its own second coefficient. Only their sum is wanted,
and the sum obeys a law of its own, (Δv) = f′ Δu + f″ Σᵢ uᵢ², so one row does for all axes: d + 2
rows instead of 2d + 1. Source: Dangel, Siebert, Zeinhofer & Walther, *Collapsing Taylor mode*
(2025); Li et al., *Forward Laplacian* (2024); chapter 10.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from companion import torch_private
from companion.operators.dispatch import Expansion, Series, quickly
from companion.operators.fallback import leaves, rebuilt
from companion.operators.jets import Jet, check_points, check_value, evaluated
from companion.operators.recurrences import SeriesRule


class Collapsed(torch.autograd.Function):
    """f on rows (u, ∂ᵢu …, Δu): (f, f′ ∂ᵢu …, f′ Δu + f″ Σᵢ(∂ᵢu)²), and the walk back."""

    generate_vmap_rule = True

    @staticmethod
    def forward(rows: Tensor, rule: SeriesRule) -> tuple[Tensor, ...]:
        v, first, second, third = slopes(rule, rows[0])
        out = first * rows
        out[0] = v
        _add_product(out[-1], second, _dot(rows[1:-1], rows[1:-1]))
        return out, first, second, third

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        rows, ctx.rule = inputs
        ctx.save_for_backward(rows, *output[1:])
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor | None, *_: Any) -> tuple[Tensor | None, None]:
        if cotangent is None:
            return None, None
        rows, first, second, third = ctx.saved_tensors
        if torch.is_grad_enabled():  # this walk will be differentiated: the slopes must know of u
            _, first, second, third = slopes(ctx.rule, rows[0])
        if cotangent.is_complex():
            rows, first, second, third = (t.conj() for t in (rows, first, second, third))
        tangents, curved = rows[1:-1], 2 * cotangent[-1]
        back = first * cotangent
        _add_product(back[0], second, _dot(rows[1:], cotangent[1:]))
        _add_product(back[0], third, curved * _dot(tangents, tangents))
        _add_product(back[1:-1], second * curved, tangents)
        return back, None


collapsed = quickly(Collapsed)


def slopes(rule: SeriesRule, u: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """f, f′, f″ and f‴ / 2 at u, read off the series of f(u + t) and f′(u + t)."""
    v, w = rule([u, u.new_ones(())], 2)
    first, second, third = [*w, *[u.new_zeros(())] * (3 - len(w))]
    return v[0], first, second, third


def _add_product(total, a, b):
    """total += a b, in one pass over memory where torch can: under vmap it has no rule for that."""
    if torch_private.transforming():
        total += a * b
    else:
        total.addcmul_(a, b)


def _dot(a, b):
    """Σᵢ aᵢ bᵢ over the rows."""
    total = a[0] * b[0]
    for a_i, b_i in zip(a[1:], b[1:]):
        total = torch.addcmul(total, a_i, b_i)
    return total


class LaplaceJet(Series):
    """(u, ∂u/∂xᵢ …, Δu) in the place of a tensor: rows (d + 2, *shape)."""

    def __init__(self, rows: Tensor, expansion: Expansion | None) -> None:
        super().__init__(rows)
        self.expansion = expansion

    def like(self, rows: Tensor) -> "LaplaceJet":
        """The same expansion with other rows."""
        self.check()
        return LaplaceJet(rows, self.expansion)

    def pointwise(self, rule: SeriesRule) -> "LaplaceJet":
        """f of this series, by the rule of f."""
        if torch_private.forward_mode():  # torch loses outer tangents in the jvp of a Function
            return self.in_the_open(rule)
        return self.like(collapsed(self.rows, rule)[0])

    def in_the_open(self, rule: SeriesRule) -> "LaplaceJet":
        """The same by torch's own operations; for a rule that holds tensors, which torch.func must see."""
        v, first, second, _ = slopes(rule, self.rows[0])
        sides = self.rows[1:-1]
        bent = first * self.rows[-1:] + second * _dot(sides, sides)
        return self.like(torch.cat([v[None], first * sides, bent]))

    def times(self, other: Series, multiply: Callable[[Tensor, Tensor], Tensor]) -> "LaplaceJet":
        """Δ(u w) = u Δw + w Δu + 2 Σᵢ uᵢ wᵢ."""
        u, w = self.rows, self.padded(other, len(self.rows))
        left = torch.vmap(multiply, (None, 0))(u[0], w)
        right = torch.vmap(multiply, (0, None))(u[1:], w[0])
        crossed = 2 * torch.vmap(multiply)(u[1:-1], w[1:-1]).sum(0)
        last = left[-1:] + right[-1:] + crossed
        return self.like(torch.cat([left[:1], left[1:-1] + right[:-1], last]))

    def stepwise(self, expand: Callable[..., Any], rows: list[Tensor]) -> Any:
        """A function g without a rule: Σᵢ D²g[uᵢ, uᵢ] + Dg[Δu] from d curves u + uᵢ t, of order 2.

        Half of Δu is the second coefficient of the first curve. All curves see the same random
        numbers.
        """
        found = []
        for i in range(1, len(self.rows) - 1):
            last = i == len(self.rows) - 2
            curves = [torch.stack([u[0], u[i], *([u[-1] / 2] if last else [])]) for u in rows]
            drawn = torch.random.fork_rng(devices={u.device for u in rows if u.is_cuda})
            with nullcontext() if last else drawn:
                found.append(expand(curves, 2, lambda c: Jet(c, 2, self.expansion)))
        parts = zip(*[list(leaves(tree)) for tree in found])
        joined = iter(
            [self._joined(part) if isinstance(part[0], Jet) else part[0] for part in parts]
        )
        return rebuilt(found[-1], lambda _: next(joined))

    def _joined(self, jets):
        slopes = [jet.rows[1] for jet in jets]
        return self.like(torch.stack([jets[-1].rows[0], *slopes, 2 * sum(j.rows[2] for j in jets)]))


def check_table(x: Any) -> None:
    """Refuse what is no table of points, a row for each."""
    check_points(x)
    if x.ndim != 2 or x.shape[1] == 0:
        raise ValueError(
            f"points have the shape (n, d); got {tuple(x.shape)}. Write x[:, None] for one axis"
        )


def value_gradient_laplacian(
    f: Callable[[Tensor], Tensor], x: Tensor, axes: Sequence[int] | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """(f, (∂f/∂xᵢ for i in axes), Σᵢ ∂²f/∂xᵢ²) at points x (n, d): (n, m), (a, n, m), (n, m)."""
    check_table(x)
    axes = range(x.shape[1]) if axes is None else axes
    seeds = torch.zeros(len(axes) + 2, *x.shape, dtype=x.dtype, device=x.device)
    for row, axis in enumerate(axes):
        seeds[row + 1, :, axis] = 1
    rows = torch.cat([x[None], seeds[1:]])
    expansion = Expansion()
    stand_in: Any = LaplaceJet(rows, expansion)
    y: Any = evaluated(f, stand_in, x)
    if not (isinstance(y, LaplaceJet) and y.expansion is expansion):
        zeros = torch.zeros_like(check_value(y))
        return y, zeros.expand(len(axes), *y.shape), zeros
    return y.rows[0], y.rows[1:-1], y.rows[-1]


def laplacian(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Δf = Σᵢ ∂²f/∂xᵢ² at the points x (n, d), for f: (n, d) → (n, m): (n, m).

    By one collapsed 2-jet through f as it is, differentiable with respect to x and the parameters
    of f. Raises TypeError when x is not a floating tensor or f does not return one, ValueError when
    x is not (n, d), NotImplementedError at a torch function without a rule.

    >>> x = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    >>> laplacian(lambda x: x[:, :1] ** 3 * x[:, 1:], x).item()               # 6 x y
    12.0

    Source: Dangel, Siebert, Zeinhofer & Walther (2025); chapter 10.
    """
    return value_gradient_laplacian(f, x)[2]
