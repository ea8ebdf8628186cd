"""u(X, X) reads as u_xx: the value and the partial derivatives of a function at points.

Two ways lead to the same number. Nested reverse mode is as cheap as any to the second order; jets
are cheaper beyond, and right where torch's nested derivatives are not (torch_faults.py). Where the
one fails, the other is taken. Mixed derivatives are combined from jets along several directions
(Griewank, Utke & Walther, *Evaluating higher derivative tensors by forward propagation of
univariate Taylor series*, 2000). Chapters 7, 8 and 10.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import product
from math import comb, gcd, prod

import torch
from torch import Tensor

from companion.operators.jets import check_value, taylor
from companion.operators.laplace import check_table, value_gradient_laplacian
from companion.operators.nested import (
    alias,
    as_caller_wants,
    column_derivatives,
    derivative_or_zero,
    recording,
    transforming,
    unguarded,
    weights,
)
from companion.operators.torch_faults import Fault, guarded, refuse_beyond, trusted

CHEAP_ORDER = 2  # up to here nested reverse mode costs no more than a jet (chapter 10)


class Partials:
    """u and its partial derivatives ∂ᵏu/∂xᵢ…∂xⱼ at the points x (n, d), for u = f: (n, d) → (n, m).

    f: an nn.Module, a function, an exact solution; its rows must be independent of one another
    (check_rows() finds out; BatchNorm in training is not), and two calls must agree (Dropout in
    training draws anew). u() is the value, u(0) the derivative by the first column, u(0, 0) the
    second one, u(0, 1) a mixed one, each (n, m), each computed when first asked for, and once. All
    are differentiable with respect to the parameters of f, and to x if it requires a gradient;
    nothing is written to any .grad. Under no_grad the results have no graph. method: "reverse"
    nests reverse mode, evaluating f once; "taylor" takes jets, one evaluation for each direction
    (and works inside torch.func); None takes whichever is cheaper, and the other where that one
    fails or torch's nested derivatives are wrong. What was found is kept: after a step of the
    optimiser make a new one, Partials(f, x).

    >>> T, X = 0, 1
    >>> x = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    >>> u = Partials(lambda x: x[:, :1] * x[:, 1:] ** 3, x)                    # t x³
    >>> u(X, X).item(), u(T, X).item(), u.laplacian().item()
    (12.0, 12.0, 12.0)

    Raises TypeError when x is not a floating tensor, ValueError when x is not (n, d), f does not
    return (n, m) or lost its graph on the way, IndexError for a column that x does not have,
    NotImplementedError where neither way gives a right number. Source: chapter 7.
    """

    _known: dict[tuple[int, ...], Tensor]
    _slopes: dict[tuple[int, ...], list[Tensor]]
    _jets: dict[tuple[int, ...], list[Tensor]]
    _laplacians: dict[tuple[int, ...], Tensor]
    _limit: tuple[float, Fault | None] | None

    def __init__(self, f: Callable[[Tensor], Tensor], x: Tensor, method: str | None = None) -> None:
        check_table(x)
        if method not in (None, "reverse", "taylor"):
            raise ValueError(f'method is "reverse", "taylor" or None; got {method!r}')
        self.f, self.method = f, method or ("taylor" if transforming() else None)
        with recording():
            self.x = x if self.method == "taylor" else alias(x)
        self._known, self._slopes, self._jets, self._laplacians = {}, {}, {}, {}
        self._limit = None

    def __call__(self, *axes: int) -> Tensor:
        """∂ᵏu/∂x_{axes}, (n, m); the value when no axis is named."""
        axes = self._checked(axes)
        if axes not in self._known:
            with recording():
                self._known[axes] = self._computed(axes)
        return as_caller_wants(self._known[axes])

    @property
    def order(self) -> int:
        """The highest order of a derivative that was asked for so far."""
        return max([2 if self._laplacians else 0, *map(len, self._known)])

    @property
    def orders(self) -> tuple[int, ...]:
        """The same by column of x: (2, 1) after u(0, 0) and u(0, 1)."""
        twice = ((axis, axis) for axes in self._laplacians for axis in axes)
        asked = [*self._known, *twice]
        columns = range(self.x.shape[1])
        return tuple(max([axes.count(axis) for axes in asked], default=0) for axis in columns)

    def gradient(self) -> Tensor:
        """∇u, (n, d), of a scalar u (m = 1)."""
        if self().shape[1] != 1:
            raise ValueError(
                f"the gradient is that of one component; f has {self().shape[1]}. Use jacobian()"
            )
        return torch.cat([self(axis) for axis in range(self.x.shape[1])], 1)

    def jacobian(self) -> Tensor:
        """∂uᵢ/∂xⱼ, (n, m, d)."""
        return torch.stack([self(axis) for axis in range(self.x.shape[1])], 2)

    def divergence(self) -> Tensor:
        """Σᵢ ∂uᵢ/∂xᵢ, (n, 1), of a field with as many components as x has columns (m = d)."""
        m, d = self().shape[1], self.x.shape[1]
        if m != d:
            raise ValueError(f"a divergence needs as many components as columns; got {m} and {d}")
        first, *rest = [self(axis)[:, axis : axis + 1] for axis in range(d)]
        return sum(rest, first)

    def laplacian(self, *axes: int) -> Tensor:
        """Σᵢ ∂²u/∂xᵢ², (n, m), over the columns named, over all when none is."""
        axes = self._checked(axes) or tuple(range(self.x.shape[1]))
        if len(set(axes)) < len(axes):
            raise ValueError(f"laplacian takes each column once; got {axes}")
        if axes not in self._laplacians:
            with recording():
                self._laplacians[axes] = self._by_cost(self._collapsed, self._traced, axes)
        return as_caller_wants(self._laplacians[axes])

    def check_rows(self) -> None:
        """Raise ValueError if a row of f(x) depends on another row of x, as under BatchNorm.

        Rows and components get random weights, ±1 to ±2: ∇Σᵢⱼ rᵢ cⱼ uᵢⱼ is r ∇Σᵢⱼ cⱼ uᵢⱼ if and only
        if (almost surely) no row looks at another. Costs two walks back. Raises ValueError also if
        a derivative is NaN or infinite, which hides the rest.
        """
        with recording():
            x = alias(self.x)
            u = self._checked_value(self.f(x))
            r, c = (w.to(u) for w in weights(*u.shape))
            both = (w.expand_as(u) for w in (c, r[:, None] * c))
            together, apart = (derivative_or_zero(u, x, self.f, w) for w in both)
        if not (together.isfinite() & apart.isfinite()).all():
            raise ValueError("f has derivatives that are NaN or infinite: its rows cannot be told")
        found = (apart / r[:, None] - together).abs().amax() if apart.numel() else 0
        scale = together.abs().amax() if apart.numel() else 1
        if found > torch.finfo(apart.dtype).eps ** 0.5 * scale:
            raise ValueError(
                f"f mixes the rows of x: each point's derivatives are off by about {found:.2g}, "
                f"where the largest is {scale:.2g}. {_suspects(self.f)}"
            )

    def _checked(self, axes):
        d = self.x.shape[1]
        for axis in axes:
            if isinstance(axis, bool) or not isinstance(axis, int):
                raise TypeError(f"an axis is the number of a column of x, e.g. X = 1; got {axis!r}")
            if not 0 <= axis < d:
                raise IndexError(f"x has the columns 0 to {d - 1}; got axis {axis}")
        return tuple(sorted(axes))

    def _checked_value(self, u):
        if check_value(u).ndim != 2 or len(u) != len(self.x):
            raise ValueError(
                f"f takes points {tuple(self.x.shape)} to values (n, m), one row for each; got "
                f"{tuple(u.shape)}. Write u[:, None] for one component"
            )
        return u

    def _computed(self, axes):
        if not axes:
            return self._checked_value(self.f(self.x))
        return self._by_cost(self._expanded, self._reversed, axes, nest=len(axes) <= CHEAP_ORDER)

    def _by_cost(self, by_jets, by_reverse, axes, nest=False):
        """The answer by the way that was asked for; by the cheaper one, or the other if it fails.

        nest: whether reverse mode is the cheaper. It comes first if it is right even for one order
        more, which a loss will need, or if jets are no better then. What f raises when it is
        evaluated is raised as it is.
        """
        if self.method:
            return (by_jets if self.method == "taylor" else by_reverse)(axes)
        if nest:
            limit, fault = self._trusted()
            nest = len(axes) < limit or (fault is not None and not fault.jets)
        failures = {}
        for way in (by_reverse, by_jets) if nest else (by_jets, by_reverse):
            if way is by_reverse:
                self()
            try:
                found = way(axes)
            except (MemoryError, torch.OutOfMemoryError):
                raise
            except Exception as error:
                failures[way] = error
                continue
            if way is by_reverse and failures:
                self.method = "reverse"
            return found
        error, jets = failures.pop(by_reverse), failures.pop(by_jets)
        if not hasattr(error, "__notes__"):
            error.add_note(f"Jets, the other way, fail too: {type(jets).__name__}: {jets}")
        try:
            raise error
        finally:
            del error, jets

    def _trusted(self):
        """To which order nested reverse mode is right for f, and what limits it."""
        if self._limit is None:
            self()
            self._limit = trusted(self._known[()], self.x)
        return self._limit

    def _reversed(self, axes):
        """One more reverse walk, from a derivative of one order less; it serves all columns."""
        limit, fault = self._trusted()
        refuse_beyond(len(axes), limit, fault)
        lower = [axes[:i] + axes[i + 1 :] for i in range(len(axes))]
        parent = next((p for p in lower if p in self._slopes), lower[-1])
        axis = next(iter((Counter(axes) - Counter(parent)).elements()))
        if parent not in self._slopes:
            self(*parent)
            g = unguarded(self.f, parent)
            self._slopes[parent] = column_derivatives(self._known[parent], self.x, g)
        return guarded(self._column(self._slopes[parent], axis), len(axes), limit, fault)

    def _column(self, slopes, axis):
        """(n, m) of the slopes, m times (n, d)."""
        one = slice(axis, axis + 1)
        columns = [slope if slope.shape[1] == 1 else slope[:, one] for slope in slopes]
        if len(columns) == 1:
            return columns[0]
        return torch.cat(columns, 1) if columns else self.x[:, :0]

    def _expanded(self, axes):
        """Σ_v w_v u_v, where u_v is the last coefficient of a jet along the direction v."""
        order = len(axes)
        terms = directions(axes, self.x.shape[1]).items()
        return sum([float(w) * self._along(v, order)[order] for v, w in terms])

    def _along(self, v, order):
        if len(self._jets.get(v, ())) <= order:
            seed = self.x.new_tensor(v).expand_as(self.x)
            jet = taylor(self._watched(), self.x, seed, order=order)
            value = self._checked_value(jet[0])
            self._jets[v] = jet
            if self.method == "taylor":  # the graph of "reverse" must start at f(x) itself
                self._known.setdefault((), value)
        return self._jets[v]

    def _watched(self):
        """f for jets. Where it gives them a tensor, reverse mode tells if it is constant, or lost."""
        f = self.f
        if self.method:
            return f

        def watched(x: Tensor) -> Tensor:
            y = f(x)
            if isinstance(y, torch.Tensor):  # which a series is not, asked here
                raise NotImplementedError(
                    "f made a tensor of a series, which is constant then. What is meant to be, as "
                    "x.detach() is, is so with method='taylor'"
                )
            return y

        return watched

    def _collapsed(self, axes):
        value, _, laplacian = value_gradient_laplacian(self._watched(), self.x, axes)
        self._checked_value(value)
        return laplacian

    def _traced(self, axes):
        return sum([self(axis, axis) for axis in axes])


def directions(axes: Sequence[int], d: int) -> dict[tuple[int, ...], Fraction]:
    """{v: w} with ∂ᵏ/∂x_{axes} = Σ_v w_v u_v, u_v the k-th Taylor coefficient along v.

    The polarisation identity, 2⁻ᵏ Σ_{ε=±1} (Π εᵢ) u_v at v = Σᵢ εᵢ e_{axes[i]}; v and −v are one
    direction, and so are v and 2v.

    >>> directions((0, 1), 2)                                        # uₓᵧ = (u₍₁,₁₎ − u₍₁,₋₁₎) / 2
    {(1, 1): Fraction(1, 2), (1, -1): Fraction(-1, 2)}
    >>> directions((0, 0, 0), 1)
    {(1,): Fraction(6, 1)}

    Source: Griewank, Utke & Walther (2000), in its simplest form; chapter 10.
    """
    powers = Counter(axes)
    weights: dict = {}
    for steps in product(*[range(p + 1) for p in powers.values()]):
        v = [0] * d
        for axis, p, j in zip(powers, powers.values(), steps):
            v[axis] = p - 2 * j
        size = gcd(*v)
        if not size:
            continue
        sign = 1 if next(c for c in v if c) > 0 else -1
        key = tuple(sign * c // size for c in v)
        signed = prod((-1) ** j * comb(p, j) for p, j in zip(powers.values(), steps))
        weight = Fraction(signed * (sign * size) ** len(axes), 2 ** len(axes))
        weights[key] = weights.get(key, 0) + weight
    return {v: w for v, w in weights.items() if w}


def _suspects(f):
    """Which modules of f look across the batch, as far as their type tells."""
    modules = f.named_modules() if isinstance(f, torch.nn.Module) else ()
    nn = torch.nn
    normalising = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
    names = [name or "f" for name, m in modules if isinstance(m, normalising) and m.training]
    if names:
        return (
            f"BatchNorm in training does that: {', '.join(names)}. Call f.eval(), or leave it out"
        )
    return "Leave out what looks across the batch: a mean over rows, softmax over dim 0, attention"
