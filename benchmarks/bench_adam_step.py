"""One step of Adam on the SIR epidemic: eager, compiled, and in JAX; all in one process, one core.

MLP 1-32-32-32-2 (tanh), 256 points, start built in. "by hand" is what one writes first: a call of
autograd.grad for each output, and torch.optim.Adam. "run" is the loop of companion.pinn itself.
Times are medians of calls that take turns, ratios are medians of the rounds' own ratios. Peers that
need an environment of their own are timed there, on one core, in float32, after each other; where
there is torch, beside the step by hand.
"""

import sys
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy
import torch
from networks import jax, one_core, tell_skipped
from side_by_side import show, times

from companion.pinn import MLP, Adam, run, sampled
from companion.problems import Epidemic, sir

sys.path.insert(0, str(Path(__file__).parent / "peers"))
from run import adam_steps  # peers/run.py

STEPS, POINTS, WIDTHS, RATE = 10, 256, (32, 32, 32), 1e-3
PROBLEM, EPIDEMIC = sir(), Epidemic()
BY_HAND, ONE, SEVERAL = "by hand", "compiled=1", f"compiled={STEPS}"
LOOP, SCAN = "JAX jit, a loop", "JAX lax.scan"
TARGETS = [  # (slow, fast, slow / fast at least)
    (BY_HAND, SEVERAL, 5),
    (LOOP, SEVERAL, 1 / 1.3),
    (SCAN, SEVERAL, 1),
]
PEER_TARGETS = {"deepxde": 7, "pina": 12}  # the peer / compiled at least


def network(dtype):
    return MLP(PROBLEM.domain, WIDTHS, outputs=2).to(dtype)


def points(dtype):
    return PROBLEM.domain.points(POINTS).to(dtype)


def by_hand(dtype):
    """A call that makes STEPS steps, and one that returns the parameters."""
    net, x = network(dtype), points(dtype).requires_grad_()
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)

    def step():
        optimizer.zero_grad()
        u = PROBLEM.solution(net)(x)
        s, i = u[:, :1], u[:, 1:]
        ds, di = (torch.autograd.grad(v.sum(), x, create_graph=True)[0] for v in (s, i))
        first = ds + EPIDEMIC.beta * s * torch.exp(i)
        second = di - EPIDEMIC.beta * s + EPIDEMIC.gamma
        loss = (first**2 + second**2).mean()
        loss.backward()
        optimizer.step()

    return lambda: [step() for _ in range(STEPS)], net.parameters


def by_run(dtype, compiled):
    """The same by the loop that fit is made of: an event for each step, or each compiled program."""
    stages = [Adam(10**9, RATE, decay=False, compiled=compiled)]
    events = run(PROBLEM, network(dtype), stages, sampled(PROBLEM.domain, POINTS))
    turns, last = range(STEPS // max(compiled, 1)), []

    def steps():
        for _ in turns:
            last[:] = [next(events)]

    return steps, lambda: [last[0].state.theta]


def in_jax(dtype, scanned):
    """The same by jax.jit of a step, called in a loop or inside lax.scan."""
    jnp = jax.numpy
    net = network(dtype)
    parameters = [
        tuple(jnp.array(p.detach().numpy()) for p in (layer.weight, layer.bias))
        for layer in net.layers
    ]
    x = jnp.array(points(dtype).numpy())
    first = jnp.array([EPIDEMIC.start[0], float(torch.tensor(EPIDEMIC.start[1]).log())], x.dtype)

    def u(parameters, t):
        h = 2 * t / EPIDEMIC.days - 1
        *hidden, (weight, bias) = parameters
        for w, b in hidden:
            h = jnp.tanh(h @ w.T + b)
        return first + (1 - jnp.exp(-t / 10.0)) * (h @ weight.T + bias)

    def loss(parameters):
        y, dy = jax.jvp(lambda t: u(parameters, t), (x,), (jnp.ones_like(x),))
        s, i, ds, di = y[:, :1], y[:, 1:], dy[:, :1], dy[:, 1:]
        ds = ds + EPIDEMIC.beta * s * jnp.exp(i)
        di = di - EPIDEMIC.beta * s + EPIDEMIC.gamma
        return (ds**2 + di**2).mean()

    return jax_steps(parameters, loss, scanned)


def jax_steps(parameters, loss, scanned):
    """A call that makes STEPS steps of Adam, and one that returns the parameters."""
    tree, jnp = jax.tree_util.tree_map, jax.numpy

    def step(state, _=None):
        p, m, v, t = state
        value, g = jax.value_and_grad(loss)(p)
        t = t + 1
        m = tree(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = tree(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        rate, unbias = RATE / (1 - 0.9**t), (1 - 0.999**t) ** 0.5
        p = tree(lambda p, m, v: p - rate * m / (jnp.sqrt(v) / unbias + 1e-8), p, m, v)
        return (p, m, v, t), value

    zeros = tree(jnp.zeros_like, parameters)
    state = [(parameters, zeros, zeros, jnp.zeros((), parameters[0][0].dtype))]
    jitted = jax.jit((lambda s: jax.lax.scan(step, s, length=STEPS)) if scanned else step)

    def steps():
        for _ in range(1 if scanned else STEPS):
            state[0], _ = jitted(state[0])
        jax.block_until_ready(state[0])

    return steps, lambda: map(
        torch.tensor, map(numpy.array, jax.tree_util.tree_leaves(state[0][0]))
    )


def candidates(dtype):
    found = {
        BY_HAND: by_hand(dtype),
        "run": by_run(dtype, 0),
        ONE: by_run(dtype, 1),
        SEVERAL: by_run(dtype, STEPS),
    }
    if jax:
        found[LOOP] = in_jax(dtype, scanned=False)
        found[SCAN] = in_jax(dtype, scanned=True)
    return found


def first_calls(found, dtype):
    """Seconds that each takes at first, its compiler included; all must arrive at one place."""
    seconds, places = {}, {}
    for name, (call, parameters) in found.items():
        start = perf_counter()
        call()
        seconds[name] = perf_counter() - start
        places[name] = torch.cat([p.detach().flatten() for p in parameters()])
    for name, place in places.items():
        off = (place - places[BY_HAND]).norm() / places[BY_HAND].norm()
        assert off < (1e-3 if dtype == torch.float32 else 1e-8), (name, off)
    return seconds


def measure(dtype):
    """Print the table of one dtype, and its targets; returns the µs of a compiled step."""
    found = candidates(dtype)
    first = first_calls(found, dtype)
    seconds = times({name: call for name, (call, _) in found.items()}, rounds=31, least=0.02)
    rows = [
        (name, 1e6 * median(t) / STEPS, ratio(seconds, BY_HAND, name), first[name])
        for name, t in seconds.items()
    ]
    show(str(dtype), ["", "µs a step", "by hand/this", "first call s"], rows)
    for slow, fast, least in TARGETS:
        if slow in seconds:
            reached = ratio(seconds, slow, fast)
            said = "met" if reached >= least else "MISSED"
            print(f"{slow} / {fast} ≥ {least:.2f}: {reached:.2f}, {said}")
    return 1e6 * median(seconds[SEVERAL]) / STEPS


def ratio(seconds, slow, fast):
    return median(a / b for a, b in zip(seconds[slow], seconds[fast]))


def show_peers(compiled_us):
    """The peers' steps, and how many times longer they take than the compiled one."""
    rows = []
    for found in adam_steps():
        if "failed" in found:
            rows.append((found["name"], None, None, None, found["failed"][:70]))
            continue
        step, hand = found["step_us"], found["by_hand_us"]
        slower, least = step / compiled_us, PEER_TARGETS.get(found["name"])
        said = "" if not least else f"≥ {least}: {'met' if slower >= least else 'MISSED'}"
        rows.append((found["name"], step, hand and hand / step, slower, said))
    headers = ["", "µs a step", "by hand there/this", f"this/{SEVERAL}", ""]
    show("In environments of their own, float32", headers, rows)


def main():
    one_core()
    tell_skipped()
    compiled_us = measure(torch.float32)
    measure(torch.float64)
    show_peers(compiled_us)


if __name__ == "__main__":
    main()
