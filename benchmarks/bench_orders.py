"""The n-th derivative by jets, by nested duals and by nested tapes: time and memory, orders 1 to
10.

f(x) = sin(x) tanh(x) / (1 + x²) at one point. A method stops when one call takes over two seconds.
"""

import tracemalloc

import numpy as np
from side_by_side import show, times

from companion.engines import derivative, derivatives, grad, sin, tanh

ORDERS = range(1, 11)
PATIENCE = 2.0


def f(x):
    return sin(x) * tanh(x) / (1 + x * x)


def by_tapes(order):
    g = f
    for _ in range(order):
        g = grad(g)
    return lambda: g(0.7)


METHODS = {
    "jet": lambda n: lambda: derivatives(f, 0.7, n)[n],
    "nested duals": lambda n: lambda: derivative(f, n)(0.7),
    "nested tapes": by_tapes,
}


def peak_memory(call):
    """KiB allocated at the height of one call."""
    tracemalloc.start()
    call()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1024


def main():
    seconds = {name: [] for name in METHODS}
    memory = {name: [] for name in METHODS}
    for order in ORDERS:
        calls = {
            name: method(order)
            for name, method in METHODS.items()
            if not seconds[name] or seconds[name][-1] < PATIENCE
        }
        for name, t in times(calls, rounds=5, least=0.005).items():
            seconds[name].append(float(np.median(t)))
            memory[name].append(peak_memory(calls[name]))
        exact = calls["jet"]()
        assert all(abs(call() - exact) <= 1e-8 * max(1.0, abs(exact)) for call in calls.values())
    columns = [f"{name} {unit}" for unit in ("ms", "KiB") for name in METHODS]
    rows = []
    for i, order in enumerate(ORDERS):
        row = [1e3 * t[i] if i < len(t) else None for t in seconds.values()]
        rows.append([order, *row, *[m[i] if i < len(m) else None for m in memory.values()]])
    show("The n-th derivative of sin(x) tanh(x) / (1 + x²)", ["n", *columns], rows)
    show(
        "How the time grows over the last five orders measured",
        ["", "", ""],
        [(name, *_growth(t)) for name, t in seconds.items()],
    )


def _growth(t):
    """Fitted n^p and b^n, whichever the reader believes."""
    n = np.arange(1, len(t) + 1)[-5:]
    power = np.polyfit(np.log(n), np.log(t[-5:]), 1)[0]
    factor = np.exp(np.polyfit(n, np.log(t[-5:]), 1)[0])
    return f"n^{power:.1f}", f"or × {factor:.2f} per order"


if __name__ == "__main__":
    main()
