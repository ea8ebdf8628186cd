"""The Laplacian of a network in a loss: nested reverse mode against the collapsed 2-jet, and peers.

Mean square of Δu of an MLP d-64-64-64-1 (tanh, float64) at 2048 points of 2 and of 10 dimensions,
and its gradient by the parameters; one core, calls take turns.
"""

from math import nan
from statistics import median

import torch
from networks import (
    folx,
    gradients,
    in_jax,
    jax,
    jax_gradients,
    jitted,
    one_core,
    size,
    tanh_network,
    tell_skipped,
    torch_jet,
)
from side_by_side import show, times

from companion.operators import Partials, compiled, laplacian

POINTS, DIMENSIONS = 2048, (2, 10)
TARGET = 1.4  # nested / eager, in the plane
PEER = 1.3  # folx / compiled


def nested(net, x):
    """Δu by reverse mode: ∇u, and a column of each ∂ᵢ∇u."""
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
    rows = [torch.autograd.grad(s.sum(), x, create_graph=True)[0] for s in slope.unbind(1)]
    return sum(row[:, i : i + 1] for i, row in enumerate(rows))


METHODS = {  # (net, x) -> a call that finds Δu
    "nested": lambda net, x: lambda: nested(net, x),
    "companion": lambda net, x: lambda: laplacian(net, x),
    "Partials": lambda net, x: lambda: Partials(net, x).laplacian(),
}


def by_torch_jet(net, x):
    """A call of jet-for-pytorch, collapsed, one point at a time under vmap; traced here, once."""
    of_points = torch.vmap(torch_jet.laplacian(net, (x[0],)))
    return lambda: of_points(x)


if torch_jet:
    METHODS["jet-for-pytorch"] = by_torch_jet


def torch_call(method, net, x):
    find = METHODS[method](net, x)
    return lambda: gradients(find().square().mean(), net)


def jax_calls(net, x):
    """folx's forward Laplacian and jvp of jvp, compiled."""
    parameters, function = in_jax(net)
    x = jax.numpy.array(x.numpy())

    def by_folx(parameters):
        of_point = folx.forward_laplacian(lambda p: function(parameters, p))
        return (jax.vmap(of_point)(x).laplacian ** 2).mean()

    def by_jvp(parameters):
        def second(axis):
            e = jax.numpy.zeros_like(x).at[:, axis].set(1.0)
            along = lambda p: jax.jvp(lambda q: function(parameters, q), (p,), (e,))[1]
            return jax.jvp(along, (x,), (e,))[1]

        return (sum(second(axis) for axis in range(x.shape[1])) ** 2).mean()

    losses = {"jitted JAX, jvp of jvp": by_jvp}
    if folx:
        losses["folx, jitted"] = by_folx
    return {name: jitted(loss, parameters) for name, loss in losses.items()}


def compiled_call(net, x):
    """The loss and its gradient as one program."""
    program = compiled(lambda x: laplacian(net, x).square().mean(), net)
    return lambda: program.gradient(x)[1]


def table(dimension):
    """Rows (name, ms, times faster than nested, times faster than folx, target)."""
    net = tanh_network(dimension, 64, 64, 64, 1)
    torch.manual_seed(1)
    x = torch.rand(POINTS, dimension, dtype=torch.float64)
    calls = {name: torch_call(name, net, x) for name in METHODS}
    calls["compiled"] = compiled_call(net, x)
    sizes = {name: size(call()) for name, call in calls.items()}
    if jax:
        peers = jax_calls(net, x)
        sizes |= {name: size(jax_gradients(call())) for name, call in peers.items()}
        calls |= peers
    for name, norm in sizes.items():
        assert abs(norm / sizes["nested"] - 1) < 1e-9, (name, norm, sizes["nested"])
    seconds = times(calls, rounds=15, least=0.05)
    folx_s = seconds.get("folx, jitted", [nan])
    rows = []
    for name, s in seconds.items():
        gains = [median(a / b for a, b in zip(slow, s)) for slow in (seconds["nested"], folx_s)]
        rows.append((name, 1e3 * median(s), *gains, verdict(name, dimension, *gains)))
    return rows


def verdict(name, dimension, gain, peer):
    """The target of this row, and whether it is met."""
    if name == "compiled" and peer == peer:
        return f"folx × {PEER}: {'met' if peer >= PEER else 'MISSED'}"
    if name in ("companion", "Partials") and dimension == 2:
        return f"nested × {TARGET}: {'met' if gain >= TARGET else 'MISSED'}"
    return ""


def main():
    one_core()
    tell_skipped()
    for dimension in DIMENSIONS:
        title = (
            f"Mean square of the Laplacian, with backward: {POINTS} points, {dimension} dimensions"
        )
        show(title, ["", "ms", "nested/this", "folx/this", "target"], table(dimension))


if __name__ == "__main__":
    main()
