"""The domain of a problem: a box with named axes, and points in it and on its faces. Chapter 12."""

import math
from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor

from companion.pinn.arguments import is_one, is_whole, need_kind, need_number, need_whole

SAMPLERS = ("grid", "uniform", "latin", "sobol")
SIDES = ("low", "high")  # of an axis


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
        if taken := {"n", "how", "seed"} & set(axes):
            raise ValueError(
                f"edge(n, how, seed, …) could not name the axis {', '.join(sorted(taken))}: give it "
                "another name"
            )
        if units is not None and not isinstance(units, Mapping):
            raise TypeError(f'units is a dictionary, {{"t": "days"}}; got {units!r}')
        self.names = tuple(axes)
        pairs = [_ends_of(name, ends) for name, ends in axes.items()]
        ends = torch.tensor(pairs, dtype=torch.float64)
        self.low, self.high = ends.unbind(1)
        self.periodic: frozenset[str] = frozenset()
        self.flat: frozenset[tuple[str, str]] = frozenset()
        self.units = dict(units or {})
        if stray := set(self.units) - set(axes):
            raise ValueError(
                f"units for axes that are not there: {', '.join(sorted(map(str, stray)))}"
            )
        for name, unit in self.units.items():
            need_kind(f"the unit of {name}", unit, str, 'a word, as "days"')

    @property
    def dimension(self) -> int:
        """d, the number of axes."""
        return len(self.names)

    def column(self, name: str) -> int:
        """The column of an axis, for u(X). Raises ValueError for an axis that is not there."""
        if not is_one(name, self.names):
            raise ValueError(f"{name}: this box has {', '.join(self.names)}")
        return self.names.index(name)

    def ends(self) -> dict[str, tuple[float, float]]:
        """{axis: (low, high)}."""
        return dict(zip(self.names, zip(self.low.tolist(), self.high.tolist())))

    def label(self, name: str) -> str:
        """The axis with its unit, for a plot. Raises ValueError for an axis that is not there."""
        self.column(name)
        return f"{name} ({self.units[name]})" if name in self.units else name

    def closed(self, periodic: Iterable[str], flat: Iterable[tuple[str, str]]) -> "Box":
        """The same box for networks that are periodic in some axes, and flat at some (axis, side).

        Networks take it as it is: their first columns have what it says (see Centred).
        """
        found = copy(self)
        found.periodic, found.flat = frozenset(periodic), frozenset(flat)
        return found

    def points(self, n: int | tuple[int, ...], how: str = "sobol", seed: int = 0) -> Tensor:
        """About n points (n, d): on a "grid" (n may be a tuple, one for each axis; both ends
        are included), "uniform", by "latin" hypercube, or of a scrambled "sobol" sequence.

        Raises ValueError for fewer than one point or another name.
        """
        self._refuse_counts(n, how, seed)
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
            from scipy.stats import qmc  # when asked for: it takes a second to load

            sampler = qmc.Sobol if how == "sobol" else qmc.LatinHypercube
            engine = sampler(self.dimension, rng=seed)
            power = math.ceil(math.log2(count))
            drawn = engine.random_base2(power) if how == "sobol" else engine.random(count)
            unit = torch.from_numpy(drawn[:count])
        return self.scaled(unit)

    def _refuse_counts(self, n, how, seed):
        if not is_one(how, SAMPLERS):
            raise ValueError(f"points are drawn by {', '.join(SAMPLERS)}; got {how!r}")
        counts = n if isinstance(n, tuple) else (n,)
        whole = all(is_whole(k, 1) for k in counts)
        if not whole or (isinstance(n, tuple) and len(n) != self.dimension):
            raise ValueError(
                f"expected one number of points, 1 or more, or, on a grid, a tuple with one for "
                f"each of {self.dimension} axes; got {n!r}"
            )
        need_whole("seed", seed, 0)
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
        self.refuse_points(x)
        low, high = self.low.to(x), self.high.to(x)
        return 2 * (x - low) / (high - low) - 1

    def refuse_points(self, x: Tensor) -> None:
        """Raise TypeError or ValueError unless points have as many columns as there are axes."""
        if not hasattr(x, "requires_grad"):  # a tensor, or a series of some
            raise TypeError(f"x is points, a tensor (n, d), as torch.from_numpy(x); got {x!r}")
        if not x.ndim or x.shape[-1] != self.dimension:
            raise ValueError(
                f"points of {self} are (n, {self.dimension}); got {tuple(x.shape)}. Was the network "
                "made for another box?"
            )

    def edge(self, n: int, how: str | None = None, seed: int = 0, **fixed: Any) -> Tensor:
        """n points on the face where the named axes have the given values: edge(50, x=0.0).

        They are spread by one of the samplers of points: evenly on a "grid" where one axis is free,
        by "sobol" where more are. A face without a free axis is one point.

        Raises ValueError for an axis that is not there, a value outside, and as points does.
        """
        free = self._free_axes(fixed)
        if how is None:
            how = "grid" if len(free) < 2 else "sobol"
        inner = Box(None, **free).points(n, how, seed) if free else torch.zeros(1, 0).double()
        return self._with_fixed(inner, free, fixed)

    def quadrature(self, n: int | tuple[int, ...], **fixed: Any) -> tuple[Tensor, Tensor]:
        """Points (m, d) and weights (m, 1) with ∫ f ≈ Σⱼ wⱼ f(xⱼ): Gauss–Legendre along each axis.

        n: how many points along each axis, or a tuple with one number for each; exact for
        polynomials of degree 2n − 1. Where axes have given values it is the integral over that face:
        quadrature(20, t=0.0). Raises ValueError for counts below 1, and as edge does.

        >>> points, weights = Box(x=(0.0, 2.0)).quadrature(3)
        >>> round((weights * points**5).sum().item(), 6)                          # 2⁶ / 6
        10.666667

        Source: Golub & Welsch, *Calculation of Gauss quadrature rules* (1969).
        """
        free = self._free_axes(fixed)
        counts = n if isinstance(n, tuple) else (n,) * len(free)
        if len(counts) != len(free) or not free:
            raise ValueError(
                f"expected one number of points, or a tuple with one for each of {len(free)} axes, and "
                f"an axis to integrate along; got {n!r}"
            )
        for count in counts:
            need_whole("the number of points along an axis", count, 1)
        rules = [np.polynomial.legendre.leggauss(int(count)) for count in counts]
        nodes, shares = (
            torch.cartesian_prod(*[torch.from_numpy(rule[i]) for rule in rules]).view(-1, len(free))
            for i in (0, 1)
        )
        inner = Box(None, **free)
        weights = (shares / 2 * (inner.high - inner.low)).prod(1, keepdim=True)
        return self._with_fixed(inner.scaled((nodes + 1) / 2), free, fixed), weights

    def _free_axes(self, fixed):
        """{axis: (low, high)} of those without a given value. Raises ValueError for values outside."""
        if stray := set(fixed) - set(self.names):
            raise ValueError(f"{', '.join(sorted(stray))}: this box has {', '.join(self.names)}")
        for name, value in fixed.items():
            need_number(name, value)
        for name, (low, high) in self.ends().items():
            if name in fixed and not low <= fixed[name] <= high:
                raise ValueError(f"{name}={fixed[name]} lies outside {self}")
        return {name: ends for name, ends in self.ends().items() if name not in fixed}

    def _with_fixed(self, inner, free, fixed):
        """Points (n, d) from those along the free axes (n, ·), and the given values of the others."""
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


def _ends_of(name, ends):
    """(low, high) of an axis. Raises ValueError unless low < high, both finite, and their distance too."""
    try:
        low, high = (math.nan if isinstance(end, str) else float(end) for end in ends)
    except (TypeError, ValueError, OverflowError):
        low, high = math.nan, math.nan
    if not 0 < high - low < math.inf:
        raise ValueError(
            f"axis {name} needs two ends, low < high, both finite: {name}=(0.0, 1.0); got {ends}"
        )
    return low, high
