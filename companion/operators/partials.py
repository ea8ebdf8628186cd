"""u(X, X) reads as u_xx: the value and the partial derivatives of a function at points.

Two ways lead to the same number. Nested reverse mode is as cheap as any to the second order; jets
are cheaper beyond, and mixed derivatives are combined from jets along several directions (Griewank,
Utke & Walther, *Evaluating higher derivative tensors by forward propagation of univariate Taylor
series*, 2000). Chapters 7, 8 and 10.
"""

import inspect
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from fractions import Fraction
from itertools import product
from math import comb, gcd, prod
from typing import Any

import torch
from torch import Tensor

from companion import torch_private
from companion.operators.jets import check_points, check_value, taylor
from companion.operators.laplace import check_table, value_gradient_laplacian

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
    (and works inside torch.func); None takes whichever is cheaper. What was found is kept: after a
    step of the optimiser make a new one, Partials(f, x).

    >>> T, X = 0, 1
    >>> x = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    >>> u = Partials(lambda x: x[:, :1] * x[:, 1:] ** 3, x)                    # t x³
    >>> u(X, X).item(), u(T, X).item(), u.laplacian().item()
    (12.0, 12.0, 12.0)

    Raises TypeError when x is not a floating tensor, ValueError when x is not (n, d) or f does not
    return (n, m), IndexError for a column that x does not have. Source: chapter 7.
    """

    _known: dict[tuple[int, ...], Tensor]
    _slopes: dict[tuple[int, ...], Tensor]
    _jets: dict[tuple[int, ...], list[Tensor]]
    _laplacians: dict[tuple[int, ...], Tensor]

    def __init__(self, f: Callable[[Tensor], Tensor], x: Tensor, method: str | None = None) -> None:
        check_table(x)
        if method not in (None, "reverse", "taylor"):
            raise ValueError(f'method is "reverse", "taylor" or None; got {method!r}')
        self.f, self.method = f, method or ("taylor" if _transforming() else None)
        with _recording():
            self.x = x if self.method == "taylor" else _alias(x)
        self._known, self._slopes, self._jets, self._laplacians = {}, {}, {}, {}

    def __call__(self, *axes: int) -> Tensor:
        """∂ᵏu/∂x_{axes}, (n, m); the value when no axis is named."""
        axes = self._checked(axes)
        if axes not in self._known:
            with _recording():
                self._known[axes] = self._computed(axes)
        return _as_caller_wants(self._known[axes])

    @property
    def order(self) -> int:
        """The highest order of a derivative that was asked for so far."""
        return max([2 if self._laplacians else 0, *map(len, self._known)])

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
            with _recording():
                self._laplacians[axes] = self._by_cost(self._collapsed, self._traced, axes)
        return _as_caller_wants(self._laplacians[axes])

    def check_rows(self) -> None:
        """Raise ValueError if a row of f(x) depends on another row of x, as under BatchNorm.

        Rows and components get random weights, ±1 to ±2: ∇Σᵢⱼ rᵢ cⱼ uᵢⱼ is r ∇Σᵢⱼ cⱼ uᵢⱼ if and only
        if (almost surely) no row looks at another. Costs two walks back. Raises ValueError also if
        a derivative is NaN or infinite, which hides the rest.
        """
        with _recording():
            x = _alias(self.x)
            u = self._checked_value(self.f(x))
            r, c = (w.to(u) for w in _weights(*u.shape))
            together, apart = (_slope(u, x, w.expand_as(u)) for w in (c, r[:, None] * c))
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
        if self.method is None and len(axes) <= CHEAP_ORDER:
            return self._reversed(axes)
        return self._by_cost(self._expanded, self._reversed, axes)

    def _by_cost(self, by_jets, by_reverse, axes):
        """The jets' answer; the other's where it is wanted, or where f has no Taylor rule."""
        if self.method == "reverse":
            return by_reverse(axes)
        try:
            return by_jets(axes)
        except NotImplementedError:
            if self.method == "taylor":
                raise
            self.method = "reverse"
            return by_reverse(axes)

    def _reversed(self, axes):
        """One more reverse walk, from a derivative of one order less; it serves all columns."""
        lower = [axes[:i] + axes[i + 1 :] for i in range(len(axes))]
        parent = next((p for p in lower if p in self._slopes), lower[-1])
        axis = next(iter((Counter(axes) - Counter(parent)).elements()))
        if parent not in self._slopes:
            self(*parent)
            columns = self._known[parent].split(1, dim=1)
            slopes = [_slope(u, self.x, torch.ones_like(u)) for u in columns]
            self._slopes[parent] = torch.stack(slopes, 1) if slopes else self.x[:, None][:, :0]
        return self._slopes[parent][:, :, axis]

    def _expanded(self, axes):
        """Σ_v w_v u_v, where u_v is the last coefficient of a jet along the direction v."""
        order = len(axes)
        terms = directions(axes, self.x.shape[1]).items()
        return sum(float(w) * self._along(v, order)[order] for v, w in terms)

    def _along(self, v, order):
        if len(self._jets.get(v, ())) <= order:
            seed = self.x.new_tensor(v).expand_as(self.x)
            jet = taylor(self.f, self.x, seed, order=order)
            value = self._checked_value(jet[0])
            self._jets[v] = jet
            if self.method == "taylor":  # the graph of "reverse" must start at f(x) itself
                self._known.setdefault((), value)
        return self._jets[v]

    def _collapsed(self, axes):
        value, _, laplacian = value_gradient_laplacian(self.f, self.x, axes)
        self._checked_value(value)
        return laplacian

    def _traced(self, axes):
        return sum(self(axis, axis) for axis in axes)


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


def partial(f: Callable[..., Tensor], wrt: int | str = 0) -> Callable[..., Tensor]:
    """∂f/∂x as a new function of the same arguments, where x is the argument wrt of f.

    wrt: its place or its name. The other arguments are held, even those that were computed from x:
    f is evaluated at an alias of x, and the alias is what is differentiated by. The result reaches,
    in a loss, every layer below x and the others; nothing is written to any .grad. Each element of
    f depends on its own element, or row, of x. Composes with itself and with torch.func. Raises
    TypeError when the argument or the value of f is not a floating tensor, ValueError for a wrt
    that f does not have.

    >>> x = torch.tensor(3.0, requires_grad=True)
    >>> z = 2 * x
    >>> partial(lambda x, z: x * z)(x, z).item()          # z; the total derivative is 4 x = 12
    6.0

    Source: asked for in *How to use the partial derivative of an op as new op?*; chapter 8.
    """
    place = _place(f, wrt)

    def derivative(*inputs: Any, **options: Any) -> Tensor:
        if place >= len(inputs):
            raise ValueError(
                f"f was called with {len(inputs)} arguments and has no number {place}; write "
                "what it is differentiated by without its name: f(x, z), not f(x=x, z=z)"
            )
        x = inputs[place]
        check_points(x)

        def of_alias(alias: Tensor) -> Tensor:
            return check_value(f(*inputs[:place], alias, *inputs[place + 1 :], **options))

        if _transforming():
            y, pull = torch.func.vjp(of_alias, x)  # type: ignore[misc]
            return pull(torch.ones_like(y))[0]
        with _recording():
            alias = _alias(x)
            y = of_alias(alias)
            slope = _slope(y, alias, torch.ones_like(y))
        return _as_caller_wants(slope)

    # whose names of arguments serve here too
    derivative.__wrapped__ = _called(f)  # type: ignore[attr-defined]
    return derivative


def _called(f):
    """What has the names of the arguments: of a module, its forward."""
    return f.forward if isinstance(f, torch.nn.Module) else f


def _place(f, wrt):
    if isinstance(wrt, int) and not isinstance(wrt, bool) and wrt >= 0:
        return wrt
    try:
        names = list(inspect.signature(_called(f)).parameters)
    except ValueError as error:  # torch.mul is one of those
        raise ValueError(
            f"the arguments of f have no names: wrt is a place, 0, 1 ...; got {wrt!r}"
        ) from error
    if wrt not in names:
        raise ValueError(f"f has the arguments {', '.join(names)}, counted from 0; got wrt={wrt!r}")
    return names.index(wrt)


def _slope(y, x, seed):
    """The cotangent of x for the cotangent `seed` of y; zeros where y does not depend on x."""
    if not y.requires_grad:
        return torch.zeros_like(x)
    (slope,) = torch.autograd.grad(y, x, seed, create_graph=True, materialize_grads=True)
    return slope


def _alias(x):
    """A tensor equal to x that nothing else was computed from, and that leads back to x."""
    if x.is_inference():
        x = x.clone()
    return x.view_as(x) if x.requires_grad else x.detach().requires_grad_()


def _transforming():
    """Whether torch.func or a compiler is looking on, for whom autograd.grad is out of bounds."""
    return torch_private.transforming() or torch.compiler.is_compiling()


def _weights(*counts):
    """Random numbers in [−2, −1] and [1, 2], always the same ones, drawn from no stream of torch."""
    draw: dict[str, Any] = dict(generator=torch.Generator("cpu").manual_seed(0), device="cpu")
    signs = [2 * torch.randint(0, 2, (n,), **draw) - 1 for n in counts]
    return [s * (1 + torch.rand(len(s), **draw)) for s in signs]


@contextmanager
def _recording():
    """A graph is kept here, whatever the caller's mode."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def _as_caller_wants(y):
    return y if torch.is_grad_enabled() else y.detach()


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
