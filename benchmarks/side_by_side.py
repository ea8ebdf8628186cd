"""Timing in one process, in turn, A B C A B C …: ratios hold when the machine's speed drifts."""

import math
from statistics import median
from time import perf_counter

from tabulate import tabulate


def times(candidates, rounds=25, least=0.01):
    """Seconds per call of each candidate (name -> function), one entry for each round."""
    calls = {name: _calls_for(f, least) for name, f in candidates.items()}
    found = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, f in candidates.items():
            start = perf_counter()
            for _ in range(calls[name]):
                f()
            found[name].append((perf_counter() - start) / calls[name])
    return found


def _calls_for(f, least):
    """How many calls take `least` seconds; the first, a warm-up, is not counted."""
    f()
    start = perf_counter()
    f()
    return max(1, math.ceil(least / (perf_counter() - start)))


def compare(candidates, reference, **options):
    """Rows (name, median time, ratio to the reference): the ratio is the median of the rounds' own
    ratios.
    """
    found = times(candidates, **options)
    return [
        (name, median(t), median(a / b for a, b in zip(t, found[reference])))
        for name, t in found.items()
    ]


def show(title, headers, rows):
    """Print a table under its title."""
    print(f"\n{title}\n")
    print(tabulate(rows, headers, floatfmt=".3g"), flush=True)


def show_comparison(title, candidates, reference, **options):
    """Measure the candidates and print their times and their ratios to the reference."""
    rows = [(name, t * 1e6, ratio) for name, t, ratio in compare(candidates, reference, **options)]
    show(title, ["", "µs", f"ratio to {reference}"], rows)
