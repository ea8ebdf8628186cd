"""The Laplacian of a network in a loss: nested reverse mode against the collapsed 2-jet, and peers.

Mean square of Δu of an MLP 2-64-64-64-1 (tanh, float64) at 2048 points of the plane, and its
gradient by the parameters; one core, calls take turns.
"""

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
from side_by_side import compare, show

from companion.operators import Partials, laplacian

POINTS, TARGET = 2048, 1.4


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


def main():
    one_core()
    tell_skipped()
    net = tanh_network(2, 64, 64, 64, 1)
    torch.manual_seed(1)
    x = torch.rand(POINTS, 2, dtype=torch.float64)
    calls = {name: torch_call(name, net, x) for name in METHODS}
    sizes = {name: size(call()) for name, call in calls.items()}
    if jax:
        peers = jax_calls(net, x)
        sizes |= {name: size(jax_gradients(call())) for name, call in peers.items()}
        calls |= peers
    for name, norm in sizes.items():
        assert abs(norm / sizes["nested"] - 1) < 1e-9, (name, norm, sizes["nested"])
    rows = [
        (name, 1e3 * t, 1 / r, _verdict(name, 1 / r))
        for name, t, r in compare(calls, "nested", rounds=15, least=0.05)
    ]
    title = f"Mean square of the Laplacian, with backward: {POINTS} points, 3 × 64"
    show(title, ["", "ms", "times faster than nested", "target"], rows)


def _verdict(name, gain):
    if name not in ("companion", "Partials"):
        return ""
    return f"at least {TARGET}: {'met' if gain >= TARGET else 'MISSED'}"


if __name__ == "__main__":
    main()
