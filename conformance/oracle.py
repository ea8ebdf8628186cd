"""One judge for all: the k-th derivative against a difference quotient of the one below.

Beyond order 2 no library's nested derivatives are an oracle: torch's are wrong for layer_norm. So a
curve t ↦ f(x + t v) is followed, and each derivative found on it must be what the one below it does
when t moves. The ground is not ours: the value comes from the library that owns f, and so may the
first derivative and the second, weighed.

A quotient says something where the function is smooth as far as its points reach. That is measured:
by two steps, h and h/2, and by the quotients from the left and from the right, which differ at a
corner. Elements that no step resolves are skipped, and counted.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from companion.engines import stencil

Derivatives: TypeAlias = Sequence[np.ndarray]  # d⁰, d¹, …, dⁿ along the curve, each of one shape

STEPS = (1e-3, 1e-4, 1e-2)  # x moves by about this part of itself
FINER = (1e-5, 1e-6)  # which may contradict a fault that was found with the others
PLACES = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)  # where the curve is looked at, in steps
LARGE = 1e-6  # what a derivative may be off by, relative to itself
ROUNDING = 1e-11  # ... and relative to the largest element of those up to its order,
LEAST = 0.1  # which is taken for this if it is smaller
EPS = float(np.finfo(float).eps)
QUOTIENTS = {  # name -> the weight of each place, 0 included, in the middle
    name: np.array([float(weights.get(place, 0)) for place in (*PLACES[:3], 0.0, *PLACES[3:])])
    for name, weights in {
        offsets: dict(zip(places, stencil(places)))
        for offsets, places in {
            "wide": (-2.0, -1.0, 0.0, 1.0, 2.0),
            "narrow": (-1.0, -0.5, 0.0, 0.5, 1.0),
            "left": (-2.0, -1.0, -0.5, 0.0),
            "right": (0.0, 0.5, 1.0, 2.0),
        }.items()
    }.items()
}


class Finding(NamedTuple):
    """right, wrong or corner; the order at which it went wrong, and the two numbers."""

    verdict: str
    order: int = 0
    detail: str = ""


class Anchor(NamedTuple):
    """What another library says of Σᵢ wᵢ dᵢ, at one order."""

    order: int
    weights: np.ndarray
    value: float


def judge(
    found: Callable[[float, int], Derivatives],
    value: Callable[[float], np.ndarray],
    order: int,
    anchors: Sequence[Anchor] = (),
    steps: Sequence[float] = STEPS,
) -> Finding:
    """Whether found(t, k), the derivatives of a curve up to the k-th, are those of t ↦ value(t)."""
    here, truth = [real(d) for d in found(0.0, order)], real(value(0.0))
    if any(d.shape != truth.shape for d in here):
        return Finding("wrong", 0, f"shapes {[d.shape for d in here]} for {truth.shape}")
    decided = np.isfinite(truth)
    if not decided.any():
        return Finding("corner")
    scale = np.max(np.abs(truth[decided]))
    wrong = decided & ~(np.abs(here[0] - truth) <= 1e-9 * scale)
    if wrong.any():
        return Finding("wrong", 0, _said(0, here[0], truth, wrong))
    return _climb(_Ladder(found, value, order), here, decided, anchors, steps)


def real(a: np.ndarray) -> np.ndarray:
    """The numbers of an array as floats; complex ones as two each."""
    a = np.asarray(a)
    return np.stack([a.real, a.imag], -1) if np.iscomplexobj(a) else a.astype(float)


def _climb(ladder, here, decided, anchors, steps):
    """From order to order; what is not resolved at one of them is left out from there on."""
    skipped = not decided.all()
    for k in range(1, len(here)):
        for anchor in anchors:
            if anchor.order == k and not _agrees(here[: k + 1], anchor, decided):
                total = float(np.sum(anchor.weights * here[k]))
                return Finding(
                    "wrong", k, f"order {k}: Σ w d = {total:.9g}, for {anchor.value:.9g}"
                )
        resolved, quotient, error = _resolved(ladder, here, k, decided, steps)
        size = np.maximum(np.abs(here[k]), np.abs(quotient))
        allowed = error + LARGE * size + ROUNDING * max(LEAST, *map(_largest, here[: k + 1]))
        wrong = resolved & ~(np.abs(here[k] - quotient) <= allowed)
        if wrong.any() and _confirmed(ladder, here, k, wrong, steps):
            return Finding("wrong", k, _said(k, here[k], quotient, wrong))
        resolved &= ~wrong
        skipped |= not resolved[decided].all()
        decided = decided & resolved
        if not decided.any():
            return Finding("corner", k)
    return Finding("corner" if skipped else "right", len(here) - 1)


class _Ladder:
    """The derivatives at the places around 0, for each step computed once.

    None where a place lies outside of the domain of f, which then raises.
    """

    def __init__(self, found, value, order):
        self.found, self.value, self.order, self.known = found, value, order, {}

    def around(self, step):
        """[values, then d¹, d², …], each (6, *shape)."""
        if step not in self.known:
            ts = [p * step for p in PLACES]
            try:
                values = np.stack([real(self.value(t)) for t in ts])
            except (RuntimeError, ValueError):
                return self.known.setdefault(step, None)
            at = [[real(d) for d in self.found(t, self.order - 1)] for t in ts]
            rows = [np.stack(column) for column in zip(*at)]
            rows[0] = values
            self.known[step] = rows
        return self.known[step]


def _resolved(ladder, here, k, decided, steps):
    """(where a step resolves the slope of d^{k−1}, that slope, how far it may be off)."""
    best = np.zeros(here[0].shape, bool), np.zeros(here[0].shape), np.full(here[0].shape, np.inf)
    for step in steps:
        resolved, quotient, error = _slope(ladder, here, k, step)
        better = resolved & decided & ~best[0]
        best = (
            best[0] | better,
            np.where(better, quotient, best[1]),
            np.where(better, error, best[2]),
        )
        if best[0][decided].all():
            break
    return best


def _confirmed(ladder, here, k, wrong, steps):
    """Whether no step that resolves an element contradicts: a staircase may look like a slope."""
    for step in (*steps, *FINER):
        resolved, quotient, error = _slope(ladder, here, k, step)
        wrong = wrong & ~(resolved & (np.abs(here[k] - quotient) <= error))
    return wrong.any()


def _slope(ladder, here, k, step):
    """(where this step resolves the slope of d^{k−1}, that slope, how far it may be off)."""
    around = ladder.around(step)
    if around is None:
        nothing = np.zeros(here[0].shape)
        return nothing > 0, nothing, nothing
    around = around[k - 1]
    points = np.concatenate([around[:3], here[k - 1][None], around[3:]])
    with np.errstate(invalid="ignore", over="ignore"):
        q = {name: np.tensordot(w, points, 1) / step for name, w in QUOTIENTS.items()}
        noise = 50 * EPS * _largest(points) / step
        error = 10 * np.abs(q["wide"] - q["narrow"]) + noise
        size = np.maximum(np.abs(q["narrow"]), np.abs(here[k]))
        size = np.where(np.isfinite(size), size, np.abs(q["narrow"]))
        floor = max(_largest(d) for d in (*here[: k + 1], q["narrow"]))
        smooth = np.abs(q["left"] - q["right"]) <= 1e-2 * size + 1e-5 * floor + noise
        sharp = (error <= 1e-4 * size) | (error <= 1e-6 * floor)
    return np.isfinite(points).all(0) & smooth & sharp, q["narrow"], error


def _largest(a):
    return float(np.max(np.abs(a), where=np.isfinite(a), initial=0.0))


def _agrees(ds, anchor, decided):
    """The weighed sum, to rounding; where an element is not decided there is no sum to compare."""
    if not (decided.all() and np.isfinite(anchor.value)):
        return True
    terms = anchor.weights * ds[-1]
    allowed = 1e-7 * np.sum(np.abs(terms)) + terms.size * ROUNDING * max(LEAST, *map(_largest, ds))
    return bool(abs(np.sum(terms) - anchor.value) <= allowed)


def _said(k, found, truth, wrong):
    place = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f"order {k} at {place}: {found[place]:.9g}, for {truth[place]:.9g}"
