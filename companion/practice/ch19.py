"""Chapter 19, scale: what all repeat, what messages cost, and which of them to send together."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from companion.practice.answers import asks, function, parts
from companion.practice.verdicts import compare, demand, number, numbers, place, shown


@asks(
    parts(gain=function("repeated, p"), most=function("repeated")),
    "how many times as fast p processes are, where this share of the step is repeated by all, and any number of them",
    example='{"gain": lambda repeated, p: p * (1 - repeated), "most": lambda repeated: 1 - repeated}',
)
def ex_19_amdahl(answer: dict) -> str:
    """1 / (repeated + (1 - repeated)/p), for five pairs; without the shared part, for three shares."""
    gain = answer["gain"]
    for repeated, p in [(0.1, 4), (0.0, 64), (1.0, 8), (0.02, 4096), (0.5, 1)]:
        whole = 1000.0  # seconds
        together = whole * repeated + whole * (1 - repeated) / p
        at = {"repeated": repeated, "p": p}
        compare(
            gain(repeated, p),
            whole / together,
            at,
            "a step of 1000 s, shared out, gains",
            rtol=1e-9,
        )
    for repeated in (0.1, 0.02, 1.0):
        at = {"repeated": repeated}
        left = 1000.0 / (1000.0 * repeated)  # all else is done in no time
        says = "where only what is repeated takes time it is"
        compare(answer["most"](repeated), left, at, says, "your bound")
    return "five steps, one of them with nothing to share, and the bound for three shares"


def step_of(
    n: float, p: int, N: float, latency: float, number: float, per_point: float
) -> tuple[float, float]:
    """(own work, message) in seconds, for n points on each of p processes and a message of N numbers."""
    return n * per_point, latency * math.log2(p) + number * N * 2 * (p - 1) / p


@asks(
    function("p, N, latency, number, per_point"),
    "the least points on a process for which the message takes a tenth of the step",
    example="lambda p, N, latency, number, per_point: 1000",
)
def ex_19_share(needed: Callable) -> str:
    """message ≤ (own work + message)/10 with n points, and above with fewer by 1 % or 1.5; on four machines."""
    cases = [
        (64, 1001, 20e-6, 8e-10, 1e-5), (4096, 1001, 20e-6, 8e-10, 1e-5),
        (2, 100001, 20e-6, 8e-10, 1e-4), (64, 1001, 1e-3, 0.0, 1e-5),
    ]  # fmt: skip
    for case in cases:
        at = dict(zip(("p", "N", "latency", "number", "per_point"), case))
        n = number(needed(*case), f"{place(at)}your answer")
        demand(n > 0, f"{place(at)}a process has points, and yours has {n:.4g}")
        own, message = step_of(n, *case)
        share = message / (own + message)
        demand(
            share < 0.1005,
            f"{place(at)}with your {n:.4g} points messages take {share:.1%} of the step",
        )
        fewer, message = step_of(n - max(1.5, 0.01 * n), *case)
        demand(
            message / max(fewer + message, 1e-300) > 0.0995,
            f"{place(at)}with your {n:.4g} points messages take {share:.1%} of the step: fewer points would do",
        )
    return "four machines"


@asks(
    function("factors"),
    "R of the whole J, for the list of the R (P, P) of the shares, float32 tensors",
    example="lambda factors: sum(factors)",
)
def ex_19_qr(join: Callable) -> str:
    """R is upper triangular (P, P), RᵀR = JᵀJ, its singular values are those of J to 5 %; signs of rows are free."""
    for P, spread in ((5, 1.0), (6, 5.0)):
        rng = np.random.default_rng(P)
        J = (
            rng.standard_normal((60, P))
            * np.logspace(0, -spread, P)
            @ np.linalg.qr(rng.standard_normal((P, P)))[0]
        )
        factors = [
            torch.from_numpy(np.linalg.qr(part, mode="r")).float() for part in np.split(J, 4)
        ]
        R = numbers(join(factors))
        demand(
            R.shape == (P, P),
            f"for P = {P}: yours has the shape {R.shape}, and ({P}, {P}) is expected",
        )
        below = np.abs(np.tril(R, -1)).max()
        demand(
            below < 1e-5,
            f"for P = {P}: yours is not upper triangular, {below:.1g} stands below its diagonal",
        )
        gap = np.linalg.norm(R.T @ R - J.T @ J) / np.linalg.norm(J.T @ J)
        demand(
            bool(gap < 1e-4),
            f"for P = {P}: RᵀR of yours is off by {gap:.0%} of JᵀJ, and both are the same for the R of J",
        )
        exact = np.linalg.svd(J, compute_uv=False)
        found = np.linalg.svd(R, compute_uv=False)
        off = np.abs(found / exact - 1).max()
        demand(
            off < 0.05,
            f"for P = {P}, where J has the condition {exact[0] / exact[-1]:.0e}: a singular value of yours is off "
            f"by {off:.0%} of that of J",
        )
    return "two J of four shares, one of a condition near 1e5 in float32"


def step_seconds(
    buckets: Sequence[int], work: Sequence[float], sizes: Sequence[float], a: float, b: float
) -> float:
    """When the last message has arrived: one at a time, each sent when the work of its layers is done."""
    free, done, layer = 0.0, 0.0, 0
    for count in buckets:
        done += sum(work[layer : layer + count])
        free = max(free, done) + a + b * sum(sizes[layer : layer + count])
        layer += count
    return free


def partitions(layers: int) -> list[list[int]]:
    """All ways to cut so many layers into messages, as counts of layers."""
    cuts = itertools.product([False, True], repeat=layers - 1)
    ends = [[*(k + 1 for k, cut in enumerate(each) if cut), layers] for each in cuts]
    return [np.diff([0, *each]).tolist() for each in ends]


def take_counts(answer: Any, layers: int) -> list[int]:
    """The answer as counts of layers, each 1 or more, with the sum `layers`; raises NotYet if it is none."""
    counts = numbers(answer)
    whole = counts.ndim == 1 and bool((counts == np.round(counts)).all() and (counts >= 1).all())
    words = f"with {layers} layers: {shown(answer)} is no list of counts, each 1 or more, with the sum {layers}"
    demand(whole and counts.sum() == layers, words)
    return [int(count) for count in counts]


@asks(
    function("work, numbers, a, b"),
    "how many layers go into each message, in the order in which they are differentiated",
    example="lambda work, numbers, a, b: [len(work)]",
)
def problem_19_buckets(cut: Callable) -> str:
    """The last message arrives no later than with the best of all 2^(layers - 1) cuts, in five steps."""
    rng = np.random.default_rng(1)
    for layers, a, b in [
        (6, 0.0, 1e-3),
        (6, 1.0, 1e-3),
        (8, 0.05, 1e-3),
        (8, 0.3, 2e-3),
        (9, 0.2, 1e-4),
    ]:
        work, sizes = (
            rng.uniform(0.1, 1, layers).round(2).tolist(),
            rng.integers(10, 1000, layers).tolist(),
        )
        mine = step_seconds(take_counts(cut(work, sizes, a, b), layers), work, sizes, a, b)
        best = min(step_seconds(each, work, sizes, a, b) for each in partitions(layers))
        demand(
            mine < best * (1 + 1e-9),
            f"with {layers} layers, a = {a:g} s, b = {b:g} s: your step ends after {mine:.3f} s, and another cut "
            f"would end after {best:.3f} s",
        )
    return "five steps, and of all ways to cut them none is faster"
