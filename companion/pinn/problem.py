"""A differential equation as a declaration: domain, residual, conditions, unknowns.

>>> oscillator = Problem(
...     domain=Box(t=(0.0, 2 * math.pi)),
...     residual=lambda u, x: u(0, 0) + u(),
...     ansatz=lambda x, n: x * (1 + x * n),          # u(0) = 0 and u′(0) = 1, whatever n is
...     exact=torch.sin,
...     order=2,
... )

A residual is a function of u, the Partials of the solution at the points, and of the points. A
network and an exact solution go through the same door, so check(problem) can test the declaration
before anything is trained. Chapter 12.
"""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any, TypeAlias

import torch
from scipy.stats import qmc
from torch import Tensor

from companion.operators import Partials

Function: TypeAlias = Callable[[Tensor], Tensor]  # x (n, d) → u (n, outputs)
Terms: TypeAlias = dict[str, tuple[Tensor, Tensor, float]]  # its points, its values, its weight

# What History calls its own, and check.
RECORDED = {"stage", "number", "step", "seconds", "loss", "norms", "unknowns", "error", "ansatz"}
SAMPLERS = ("grid", "uniform", "latin", "sobol")


class Box:
    """∏ᵢ [lowᵢ, highᵢ]: the domain of x (n, d), its axes by name, in the units given.

    >>> plane = Box(t=(0, 60), x=(-1, 1), units={"t": "days"})
    >>> plane.names, plane.column("x"), plane.label("t")
    (('t', 'x'), 1, 't (days)')
    >>> plane.points(4, "grid").tolist()[1]
    [0.0, 1.0]

    Raises ValueError for an axis whose ends are not low < high, both finite. Source: chapter 12.
    """

    def __init__(self, units: Mapping[str, str] | None = None, **axes: tuple[float, float]) -> None:
        if not axes:
            raise ValueError("a Box has at least one axis: Box(t=(0.0, 1.0))")
        for name, ends in axes.items():
            _refuse_ends(name, ends)
        self.names = tuple(axes)
        ends = torch.tensor(list(axes.values()), dtype=torch.float64)
        self.low, self.high = ends.unbind(1)
        self.units = dict(units or {})
        if stray := set(self.units) - set(axes):
            raise ValueError(f"units for axes that are not there: {', '.join(sorted(stray))}")

    @property
    def dimension(self) -> int:
        """d, the number of axes."""
        return len(self.names)

    def column(self, name: str) -> int:
        """The column of an axis, for u(X). Raises ValueError for an axis that is not there."""
        if name not in self.names:
            raise ValueError(f"{name}: this box has {', '.join(self.names)}")
        return self.names.index(name)

    def ends(self) -> dict[str, tuple[float, float]]:
        """{axis: (low, high)}."""
        return dict(zip(self.names, zip(self.low.tolist(), self.high.tolist())))

    def label(self, name: str) -> str:
        """The axis with its unit, for a plot."""
        return f"{name} ({self.units[name]})" if name in self.units else name

    def points(self, n: int | tuple[int, ...], how: str = "sobol", seed: int = 0) -> Tensor:
        """About n points (n, d): on a "grid" (n may be a tuple, one for each axis; both ends
        are included), "uniform", by "latin" hypercube, or of a scrambled "sobol" sequence.

        Raises ValueError for fewer than one point or another name.
        """
        self._refuse_counts(n, how)
        if how == "grid":
            counts = (
                n if isinstance(n, tuple) else (round(n ** (1 / self.dimension)),) * self.dimension
            )
            ramps = [torch.linspace(0, 1, k, dtype=torch.float64) for k in counts]
            unit = torch.cartesian_prod(*ramps)
            return self.scaled(unit.reshape(-1, self.dimension))
        count: Any = n  # not a tuple, which is for grids alone
        if how == "uniform":
            generator = torch.Generator().manual_seed(seed)
            unit = torch.rand(count, self.dimension, generator=generator, dtype=torch.float64)
        else:
            sampler = qmc.Sobol if how == "sobol" else qmc.LatinHypercube
            engine = sampler(self.dimension, rng=seed)
            power = math.ceil(math.log2(count))
            drawn = engine.random_base2(power) if how == "sobol" else engine.random(count)
            unit = torch.from_numpy(drawn[:count])
        return self.scaled(unit)

    def _refuse_counts(self, n, how):
        if how not in SAMPLERS:
            raise ValueError(f"points are drawn by {', '.join(SAMPLERS)}; got {how!r}")
        counts = n if isinstance(n, tuple) else (n,)
        whole = all(isinstance(k, Integral) and int(k) >= 1 for k in counts)
        if not whole or (isinstance(n, tuple) and len(n) != self.dimension):
            raise ValueError(
                f"needed is one number of points, 1 or more, or, on a grid, a tuple with one for "
                f"each of {self.dimension} axes; got {n!r}"
            )
        if isinstance(n, tuple) and how != "grid":
            raise ValueError(
                f'{n} points along the axes are a grid, but how is {how!r}; write how="grid", or '
                f'sampler="grid" in fit'
            )

    def scaled(self, unit: Tensor) -> Tensor:
        """From [0, 1]ᵈ to this box."""
        return self.low + (self.high - self.low) * unit

    def centred(self, x: Tensor) -> Tensor:
        """From this box to [−1, 1]ᵈ. Raises ValueError for points of another dimension."""
        if x.shape[-1] != self.dimension:
            raise ValueError(
                f"points of {self} are (n, {self.dimension}); got {tuple(x.shape)}. Was the network "
                "made for another box?"
            )
        low, high = self.low.to(x), self.high.to(x)
        return 2 * (x - low) / (high - low) - 1

    def edge(self, n: int, **fixed: float) -> Tensor:
        """n points on the face where the named axes have the given values: edge(50, x=0.0)."""
        if stray := set(fixed) - set(self.names):
            raise ValueError(f"{', '.join(sorted(stray))}: this box has {', '.join(self.names)}")
        for name, (low, high) in self.ends().items():
            if name in fixed and not low <= fixed[name] <= high:
                raise ValueError(f"{name}={fixed[name]} lies outside {self}")
        free = {name: ends for name, ends in self.ends().items() if name not in fixed}
        inner = Box(None, **free).points(n, "grid") if free else torch.zeros(1, 0).double()
        columns = [
            torch.full((len(inner),), float(fixed[name]), dtype=torch.float64)
            if name in fixed
            else inner[:, list(free).index(name)]
            for name in self.names
        ]
        return torch.stack(columns, 1)

    def __repr__(self) -> str:
        ends = [f"{name}=({low:g}, {high:g})" for name, (low, high) in self.ends().items()]
        return f"Box({', '.join(ends)})"


def _refuse_ends(name, ends):
    """Raise ValueError unless ends is (low, high), with low < high, both finite."""
    try:
        low, high = (float(end) for end in ends)
    except (TypeError, ValueError):
        low, high = math.nan, math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(
            f"axis {name} needs two ends, low < high, both finite: {name}=(0.0, 1.0); got {ends}"
        )


@dataclass(frozen=True)
class Condition:
    """What u must be at some points: of(u, x) = values, in the sense of least squares.

    points: (k, d); values: (k, c), or one number for all. Both are kept as float64 tensors. An edge, a
    start, or measured data, whose weight is 1/σ². Raises ValueError when points and values do not
    fit or are not finite, or a weight is not positive.

    >>> start = Condition("start", torch.tensor([[0.0]]).double(), 1.0)                # u(0) = 1
    >>> slope = Condition("slope", start.points, 0.0, of=lambda u, x: u(0))           # u′(0) = 0
    """

    name: str
    points: Tensor
    values: Tensor | float = 0.0
    of: Callable[[Partials, Tensor], Tensor] = lambda u, x: u()
    weight: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", torch.as_tensor(self.points).double())
        if self.points.ndim != 2 or not len(self.points):
            raise ValueError(
                f"condition {self.name!r} needs points (k, d), one or more; got "
                f"{tuple(self.points.shape)}"
            )
        if not 0 < self.weight < math.inf:
            raise ValueError(f"condition {self.name!r} needs a weight above 0; got {self.weight}")
        values = torch.as_tensor(self.values, dtype=torch.float64).to(self.points)
        object.__setattr__(self, "values", values)
        for what, numbers in (("points", self.points), ("values", values)):
            if wrong := (~numbers.isfinite()).sum().item():
                raise ValueError(
                    f"condition {self.name!r} has {wrong} of {numbers.numel()} {what} that are NaN or "
                    "infinite; leave those rows out"
                )
        if values.ndim and (values.ndim != 2 or len(values) != len(self.points)):
            raise ValueError(
                f"condition {self.name!r} has points {tuple(self.points.shape)} and values "
                f"{tuple(values.shape)}; needed are values ({len(self.points)}, c). Write values[:, None]"
            )

    def residual(self, u: Partials, x: Tensor, values: Tensor) -> Tensor:
        """of(u, x) − values, one row for each point."""
        found = self.of(u, x)
        one_for_all = (
            torch.as_tensor(self.values).ndim == 0 and found.ndim == 2 and len(found) == len(x)
        )
        if found.shape != values.shape and not one_for_all:
            raise ValueError(
                f"condition {self.name!r}: of(u, x) has shape {tuple(found.shape)} and the values "
                f"{tuple(values.shape)}; broadcasting would pair what does not belong together. "
                "Give of one column for each of the values: of=lambda u, x: u()[:, :1]"
            )
        return found - values


@dataclass(frozen=True)
class Unknown:
    """A physical parameter to be fitted, from a guess, within open bounds.

    It is trained as a free number θ and seen as its value: low + eᶿ, high − eᶿ, or a sigmoid
    between the two. truth: where it is known, to test with. Raises ValueError when the guess, or
    the truth, is not inside.

    A bound is also a door that closes: near it θ runs off, and the value hardly moves any more. When
    a fit ends at a bound, leave the bound away and look again (chapter 17).

    >>> rate = Unknown(0.4, low=0.0)
    >>> round(float(rate.value(rate.free())), 6)
    0.4
    """

    guess: float
    low: float = -math.inf
    high: float = math.inf
    truth: float | None = None

    def __post_init__(self) -> None:
        if not self.low < self.guess < self.high:
            raise ValueError(
                f"needed is low < guess < high; got {self.low}, {self.guess}, {self.high}"
            )
        if self.truth is not None and not self.low <= self.truth <= self.high:
            raise ValueError(f"the truth {self.truth} lies outside ({self.low}, {self.high})")

    def free(self) -> Tensor:
        """θ of the guess."""
        guess, low, high = (
            torch.tensor(v, dtype=torch.float64) for v in (self.guess, self.low, self.high)
        )
        if math.isfinite(self.low) and math.isfinite(self.high):
            return torch.logit((guess - low) / (high - low))
        if math.isfinite(self.low):
            return torch.log(guess - low)
        return torch.log(high - guess) if math.isfinite(self.high) else guess

    def value(self, theta: Tensor) -> Tensor:
        """The parameter that θ stands for."""
        if math.isfinite(self.low) and math.isfinite(self.high):
            return self.low + (self.high - self.low) * torch.sigmoid(theta)
        if math.isfinite(self.low):
            return self.low + torch.exp(theta)
        return self.high - torch.exp(theta) if math.isfinite(self.high) else theta


@dataclass(frozen=True)
class Problem:
    """Find u on the domain with residual(u, x) = 0 and every condition met.

    residual(u, x) → (n, k), from the Partials u at points x (n, d); with unknowns it is called with
    their values by name, residual(u, x, beta=…). ansatz(x, n) → u builds hard conditions into u
    from the network's n. exact: x (n, d) → (n, outputs), a closed form or a reference. order: the
    highest derivative that the residual takes. Raises ValueError for two terms of one name, and for
    a condition whose points are not of the domain's dimension.

    Source: chapter 12.
    """

    domain: Box
    residual: Callable[..., Tensor]
    conditions: tuple[Condition, ...] = ()
    ansatz: Callable[[Tensor, Tensor], Tensor] | None = None
    exact: Function | None = None
    unknowns: Mapping[str, Unknown] = field(default_factory=dict)
    outputs: int = 1
    order: int = 1

    def __post_init__(self) -> None:
        names = ["equation", *(c.name for c in self.conditions)]
        if len(set(names)) < len(names):
            raise ValueError(
                f"each term of the loss needs a name of its own; got {', '.join(names)}"
            )
        if taken := RECORDED & set(names):
            raise ValueError(
                f"the history calls something else {', '.join(sorted(taken))}: give the condition "
                "another name"
            )
        for c in self.conditions:
            if c.points.shape[1] != self.domain.dimension:
                raise ValueError(
                    f"condition {c.name!r} has points {tuple(c.points.shape)}, but {self.domain} "
                    f"has {self.domain.dimension} axes: needed is (k, {self.domain.dimension})"
                )
            if (outside := self.domain.centred(c.points).abs() > 1 + 1e-9).any():
                raise ValueError(
                    f"condition {c.name!r} has {outside.any(1).sum()} of {len(c.points)} points outside "
                    f"{self.domain}. Are the units the same? Else make the box larger"
                )
        try:
            inspect.signature(self.residual).bind(None, None, **self.unknowns)
        except TypeError as error:
            raise ValueError(
                "the residual is called as residual"
                f"({', '.join(['u', 'x', *(f'{n}=…' for n in self.unknowns)])}): {error}"
            ) from None

    def solution(self, network: Function) -> Function:
        """u as a function of x: the network inside the ansatz, if there is one."""
        ansatz = self.ansatz
        return network if ansatz is None else lambda x: ansatz(x, network(x))

    def terms(self, x: Tensor) -> Terms:
        """{term: (its points, its values, its weight)}: the equation at x, and every condition."""
        found = {"equation": (x, x[:, :0], 1.0)}
        for c in self.conditions:
            values = torch.as_tensor(c.values)
            values = values if values.ndim else values.expand(len(c.points), 1)
            found[c.name] = c.points.to(x), values.to(x), c.weight
        return found

    def rows(
        self,
        name: str,
        u_of: Function,
        unknowns: Mapping[str, Tensor],
        x: Tensor,
        values: Tensor,
        method: str | None = None,
    ) -> Tensor:
        """The residual (n, k) of one term at its points x (n, d), for a function u and unknowns."""
        u = Partials(u_of, x, method)
        if name == "equation" and method == "taylor" and self.domain.dimension == 1:
            u(*[0] * self.order)  # asked for first, one jet serves the lower orders too
        return self.rows_of(name, u, unknowns, x, values)

    def rows_of(
        self, name: str, u: Partials, unknowns: Mapping[str, Tensor], x: Tensor, values: Tensor
    ) -> Tensor:
        """The same, from the Partials u at x."""
        if name == "equation":
            return self.checked(name, self.residual(u, x, **unknowns), x)
        condition = next(c for c in self.conditions if c.name == name)
        return self.checked(name, condition.residual(u, x, values), x)

    def checked(self, name: str, rows: Tensor, x: Tensor) -> Tensor:
        """rows, if they are a residual (n, k) at the points x (n, d)."""
        if not isinstance(rows, torch.Tensor):
            raise TypeError(f"{name} returns a tensor (n, k); got {type(rows).__name__}")
        if rows.ndim == 2 and rows.shape[1] == len(x) > max(self.outputs, 4):
            raise ValueError(
                f"{name} has shape {tuple(rows.shape)} at {len(x)} points: a column (n, 1) met a "
                "row (n,), and broadcasting made all pairs. Keep columns: u()[:, :1], not u()[:, 0]"
            )
        if rows.ndim != 2 or len(rows) != len(x):
            raise ValueError(
                f"{name} returns one row for each point, ({len(x)}, k); got {tuple(rows.shape)}. "
                "Join several equations with torch.cat([...], 1)"
            )
        return rows
