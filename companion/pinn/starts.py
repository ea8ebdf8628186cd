"""The start of a window in space: u where the window before ends, written down as a sum of ramps."""

import warnings
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from companion.pinn.conditions import Dirichlet, Start
from companion.pinn.domain import Box
from companion.pinn.forms import Form, rms
from companion.pinn.networks import Centred
from companion.pinn.problem import Function
from companion.pinn.solution import Solution

RAMPS = 200  # that a start is written down by, along one axis of space; thrice as many along more
STEEP = (1.0, 2.0, 4.0, 8.0, 16.0)  # their spreads, of which the best is taken
FAITHFUL = 1e-3  # what a start may be off by, of its size, before it is said


def written(start: Start, box: Box, axis: str, edges: Form, before: Solution) -> Start:
    """The start of a window: u, and u_t where it is given, where the solution before it ends.

    In time alone these are numbers. In space they are written down as sums of ramps, fitted to them: a
    chain of solutions, each of which asks the one before, would grow with every window.
    """
    i = box.column(axis)
    low = box.low[i].item()
    x = box.edge(20_000 if box.dimension > 1 else 1, "sobol", 0, **{axis: low})
    u = before.partials(x.to(next(before.parameters())))
    if box.dimension == 1:
        slopes = None if start.slopes is None else u(i).detach()
        return replace(start, values=u().detach(), slopes=slopes, axis=axis)
    space = [c for c in range(box.dimension) if c != i]
    values = ramps(edges, axis, x, u().detach().to(x), density_of([u(c) for c in space]))
    if start.slopes is None:
        return replace(start, values=values, axis=axis)
    still = all(not callable(c.values) for c in edges.hard if isinstance(c, Dirichlet))
    moving = edges if still else replace(edges, hard=())
    turning = density_of([u(i, c) for c in space])
    slopes = ramps(moving, axis, x, u(i).detach().to(x), turning, moving=True)
    return replace(start, values=values, slopes=slopes, axis=axis)


def density_of(gradient: list[Tensor]) -> Tensor:
    """(n,): 1 + |∇u| / mean |∇u|, the largest of the outputs, from its columns (n, m) each."""
    steep = torch.stack(gradient).detach().cpu().double().norm(dim=0)
    return 1 + (steep / steep.mean(0).clamp(min=1e-300)).amax(1)


def ramps(
    edges: Form, axis: str, x: Tensor, u: Tensor, density: Tensor, moving: bool = False
) -> Function:
    """x ↦ G + D Σₖ cₖ tanh(wₖ·(x̂ − x̂ₖ)), with c (ramps, m) by least squares of u (n, m) at points x.

    Points and centres x̂ₖ are drawn by the density, and a ramp is steeper by it: many and steep ones where u is
    steep. The edges are built in; of a rate of change, G is 0. Of several spreads that of the least error at
    points left out is taken; where that is large, it is said.
    """
    columns = [edges.box.column(name) for name in edges.box.names if name != axis]
    count = RAMPS if len(columns) == 1 else 3 * RAMPS
    draw = torch.Generator().manual_seed(0)
    rows = torch.multinomial(density, 6 * count, generator=draw)
    x, u, density = x[rows], u[rows], density[rows]
    centred = Centred(space_of(edges.box, axis))
    factor, rest = edges.factor(x), u - (0 if moving else 1) * edges.given(x)
    fitted_to = torch.arange(len(x)) % 4 > 0
    found = []
    for steep in STEEP:
        layer = partial(
            bends, centred, columns, *placed(centred(x[:, columns]), density, steep, count)
        )
        each = [
            torch.linalg.lstsq(part[fitted_to], rest[fitted_to, c : c + 1], driver="gelsd").solution
            for c in range(u.shape[1])
            for part in [factor[:, c : c + 1] * layer(x)]
        ]
        sums = torch.cat(each, 1)
        off = rms((factor * (layer(x) @ sums) - rest)[~fitted_to])
        found.append(((off / rms(u).clamp(min=1e-300)).max().item(), layer, sums))
    off, layer, sums = min(found, key=lambda one: one[0])
    if off > FAITHFUL:
        warnings.warn(
            f"at {axis} = {edges.box.high[edges.box.column(axis)]:.4g} the start of the next window is known to "
            f"{off:.1e} of its size only: it is too steep for {count} ramps. Take fewer windows, or fit",
            stacklevel=4,
        )

    def values(x: Tensor) -> Tensor:
        change = edges.factor(x) * (layer(x) @ sums.to(x))
        return change if moving else edges.given(x) + change

    return values


def space_of(box: Box, axis: str) -> Box:
    """The box without its axis of time, closed where it was."""
    space = Box(None, **{name: ends for name, ends in box.ends().items() if name != axis})
    return space.closed(box.periodic - {axis}, [f for f in box.flat if f[0] != axis])


def placed(points: Tensor, density: Tensor, steep: float, count: int) -> tuple[Tensor, Tensor]:
    """Weights (count, k) and biases of ramps in random directions, centred at the first of the points (n, k)."""
    draw = torch.Generator().manual_seed(0)
    centre = points[:count]
    direction = torch.randn(centre.shape, generator=draw, dtype=torch.float64)
    size = steep * (0.5 + torch.rand(count, generator=draw, dtype=torch.float64))
    weight = (size * density[:count])[:, None] * torch.nn.functional.normalize(direction, dim=1)
    return weight, -(weight * centre).sum(1)


def bends(centred: Centred, columns: list[int], weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    """A fixed layer of ramps and a constant, (n, ramps + 1), of the columns of space."""
    layer = torch.tanh(centred(x[:, columns]).to(x) @ weight.T.to(x) + bias.to(x))
    return torch.cat([layer, torch.ones_like(layer[:, :1])], 1)
