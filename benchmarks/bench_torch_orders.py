"""The n-th derivative of a network in a loss: nested reverse mode against jets.

Mean square of u⁽ⁿ⁾ of an MLP 1-64-64-64-1 (tanh, float64) at a batch of points, and its gradient by
the parameters; one core. Times are medians of calls that take turns, ratios are medians of the
rounds' own ratios. Memory: the growth of the peak resident set in a fresh process.
"""

import subprocess
import sys
from math import nan
from statistics import median

import torch
from networks import (
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

from companion.operators import Partials, compiled, derivatives, saved_bytes
from companion.show.cost import peak_memory

TARGETS = {  # (batch, order): nested / Partials, at least
    (1024, 1): 1,
    (1024, 2): 1,
    (1024, 4): 3,
    (1024, 6): 12,
    (64, 8): 80,
}
RUNS = [(1024, n) for n in range(1, 7)] + [(64, n) for n in range(1, 9)]
# jitted JAX / Partials, at least 1 from this (batch, order) on; with few points the time is Python's.
LEVEL_WITH_JAX = (1024, 6)
# jitted JAX / compiled, at least: neither has Python left in it.
COMPILED_TARGETS = {(batch, n): 1.5 if batch == 64 and n >= 4 else 1 for batch, n in RUNS}
MEMORY = (1024, 6)
MEMORY_TARGET = 1 / 20


def points(batch):
    return torch.linspace(-1, 1, batch, dtype=torch.float64)[:, None]


def nested(net, x, order):
    """u⁽ⁿ⁾ by autograd.grad, n times."""
    x = x.detach().requires_grad_()
    u = net(x)
    for _ in range(order):
        (u,) = torch.autograd.grad(u.sum(), x, create_graph=True)
    return u


def by_torch_jet(net, x, order):
    """A call that finds u⁽ⁿ⁾ by jet-for-pytorch, which traces the network here, once."""
    series = [torch.ones_like(x)] + [torch.zeros_like(x)] * (order - 1)
    traced = torch_jet.jet(net, (x,))
    return lambda: traced((x, *series))[order]


METHODS = {  # (net, x, order) -> a call that finds u⁽ⁿ⁾
    "nested": lambda net, x, order: lambda: nested(net, x, order),
    "Partials": lambda net, x, order: lambda: Partials(net, x)(*[0] * order),
    "jets": lambda net, x, order: lambda: derivatives(net, x, order)[order],
}
if torch_jet:
    METHODS["jet-for-pytorch"] = by_torch_jet
COLUMNS = [*METHODS, "compiled", "jitted JAX jet"]


def torch_call(method, net, x, order):
    find = METHODS[method](net, x, order)
    return lambda: gradients(find().square().mean(), net)


def compiled_call(net, x, order):
    """The same loss and gradient as one program."""
    program = compiled(lambda x: derivatives(net, x, order)[order].square().mean(), net)
    return lambda: program.gradient(x)[1]


def jax_call(net, x, order):
    """The same loss and gradient by jax.experimental.jet, compiled."""
    from jax.experimental.jet import jet

    parameters, function = in_jax(net)
    x = jax.numpy.array(x.numpy())
    series = [jax.numpy.ones_like(x)] + [jax.numpy.zeros_like(x)] * (order - 1)

    def loss(parameters):
        _, derivatives = jet(lambda x: function(parameters, x), (x,), (series,))
        return (derivatives[order - 1] ** 2).mean()

    return jitted(loss, parameters)


def calls(net, batch, order):
    """{method: call}, after a check that all of them find the same gradient."""
    x = points(batch)
    found = {name: torch_call(name, net, x, order) for name in METHODS}
    found["compiled"] = compiled_call(net, x, order)
    sizes = {name: size(call()) for name, call in found.items()}
    if jax:
        found["jitted JAX jet"] = jax_call(net, x, order)
        sizes["jitted JAX jet"] = size(jax_gradients(found["jitted JAX jet"]()))
    for name, norm in sizes.items():
        assert abs(norm / sizes["nested"] - 1) < 1e-8, (name, order, norm, sizes["nested"])
    return found


def measure(net, batch, order):
    """A row: times in ms, then how often the method is faster than nested, and the verdict."""
    seconds = times(calls(net, batch, order), rounds=9, least=0.02)
    ms = [1e3 * median(seconds[name]) if name in seconds else nan for name in COLUMNS]
    gain = ratio(seconds, "nested", "Partials")
    forced = ratio(seconds, "nested", "jets")
    has_jax = "jitted JAX jet" in seconds
    peers = [
        ratio(seconds, "jitted JAX jet", name) if has_jax else nan
        for name in ("Partials", "compiled")
    ]
    return [batch, order, *ms, gain, forced, *peers, verdict((batch, order), gain, *peers)]


def ratio(seconds, slow, fast):
    return median(a / b for a, b in zip(seconds[slow], seconds[fast]))


def verdict(run, gain, eager, program):
    """The targets of this row, and whether they are met."""
    targets = [("nested/Partials", TARGETS.get(run), gain)]
    if eager == eager:  # JAX is here
        if run[0] == LEVEL_WITH_JAX[0] and run[1] >= LEVEL_WITH_JAX[1]:
            targets.append(("JAX/Partials", 1, eager))
        targets.append(("JAX/compiled", COMPILED_TARGETS[run], program))
    return ", ".join(
        f"{name} ≥ {least}: {'met' if found >= least else 'MISSED'}"
        for name, least, found in targets
        if least
    )


def peak_growth(method):
    """MiB by which the peak of a fresh process grows in the first call at MEMORY."""
    command = [sys.executable, __file__, method]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def print_growth(method):
    """What a fresh process does: warm up on eight points, then one call."""
    torch.set_num_threads(1)
    net, (batch, order) = tanh_network(1, 64, 64, 64, 1), MEMORY
    torch_call(method, net, points(8), order)()
    before = peak_memory()
    torch_call(method, net, points(batch), order)()
    print(peak_memory() - before)


def memory_table(net):
    """Peak growth and what the graph keeps, beside nested."""
    x, order = points(MEMORY[0]), MEMORY[1]
    peak = {name: peak_growth(name) for name in METHODS}
    kept = {name: saved_bytes(f(net, x, order)()) / 2**20 for name, f in METHODS.items()}
    rows = [
        (name, peak[name], peak["nested"] / peak[name], kept[name], kept["nested"] / kept[name])
        for name in METHODS
    ]
    reached = peak["Partials"] / peak["nested"]
    said = "met" if reached < MEMORY_TARGET else "MISSED"
    title = f"Memory, batch {MEMORY[0]}, order {order}; target: peak below 1/20 of nested: {said}"
    show(title, ["", "peak MiB", "nested/this", "saved MiB", "nested/this"], rows)


def main():
    one_core()
    tell_skipped()
    net = tanh_network(1, 64, 64, 64, 1)
    memory_table(net)
    headers = ["batch", "n", *[f"{name} ms" for name in COLUMNS]]
    headers += ["nested/Partials", "nested/jets", "JAX/Partials", "JAX/compiled", "targets"]
    show("The n-th derivative in a loss", headers, [measure(net, *run) for run in RUNS])


if __name__ == "__main__":
    print_growth(sys.argv[1]) if sys.argv[1:] else main()
