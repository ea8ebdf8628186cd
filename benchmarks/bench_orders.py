"""The n-th derivative by jets, by nested duals and by nested tapes: time and memory, orders 1 to
10.

f(x) = sin(x) tanh(x) / (1 + x²) at one point. A method stops when one call takes over two seconds.
"""

import tracemalloc
from math import nan
from statistics import median
from time import perf_counter

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


def patient_calls():
    """{(method, order): call}, up to the order where a single call takes longer than PATIENCE."""
    calls = {}
    for name, method in METHODS.items():
        for order in ORDERS:
            calls[name, order] = method(order)
            start = perf_counter()
            value = calls[name, order]()
            assert abs(value - calls["jet", order]()) <= 1e-8 * max(1.0, abs(value))
            if perf_counter() - start > PATIENCE:
                break
    return calls


def main():
    calls = patient_calls()
    seconds = {key: median(t) for key, t in times(calls, rounds=7, least=0.005).items()}
    memory = {key: peak_memory(call) for key, call in calls.items()}
    rows = [
        [n, *[1e3 * seconds.get((name, n), nan) for name in METHODS]]
        + [memory.get((name, n), nan) for name in METHODS]
        for n in ORDERS
    ]
    headers = ["n", *[f"{name} {unit}" for unit in ("ms", "KiB") for name in METHODS]]
    show("The n-th derivative of sin(x) tanh(x) / (1 + x²)", headers, rows)
    by_method = {name: [seconds[key] for key in calls if key[0] == name] for name in METHODS}
    growth = [(name, *_growth(t)) for name, t in by_method.items()]
    show("How the time grows over the last five orders measured", ["", "", ""], growth)


def _growth(t):
    """Fitted n^p and b^n, whichever the reader believes."""
    n = np.arange(1, len(t) + 1)[-5:]
    power = np.polyfit(np.log(n), np.log(t[-5:]), 1)[0]
    factor = np.exp(np.polyfit(n, np.log(t[-5:]), 1)[0])
    return f"n^{power:.1f}", f"or × {factor:.2f} per order"


if __name__ == "__main__":
    main()
