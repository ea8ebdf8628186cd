"""torch's own derivatives of its own functions: nested reverse mode, orders 1 to 4, on both databases.

Each derivative is held against a difference quotient of the one below, as the companion's are. What
torch refuses at some order is tried up to the order before.
"""

import numpy as np
import torch

from conformance import calls, curves, modules, ops
from conformance.oracle import Finding, judge
from conformance.verdicts import Tally

DATABASES = {"op": ops, "module": modules}


def names() -> list[str]:
    """The entries of both databases."""
    return [f"{kind} {name}" for kind, database in DATABASES.items() for name in database.names()]


def trial(name: str, seed: int, samples: int = ops.SAMPLES) -> Tally:
    """All tensors of a sample move together, and the outputs are weighed by random numbers."""
    kind, entry = name.split(" ", 1)
    tally, generator = Tally(name), torch.Generator().manual_seed(ops.start(name, seed))
    for place, call in DATABASES[kind].calls(entry, seed, samples):
        line = calls.line(call, calls.moving(call.arguments), generator)
        tally.add(f"seed {seed}, sample {place}", lambda: nested(line, generator))
    return tally


def nested(line: curves.Line, generator: torch.Generator) -> Finding:
    """The judgement on torch; what it says where torch can go no further is the last order."""
    y = curves.numbers(line.f(line.x))
    weights = torch.rand(y.shape, generator=generator, dtype=torch.float64) + 0.5
    order = reached(line, weights)
    found = lambda t, order: [np.array(d) for d in curves.slopes(line, weights, t, order)]
    finding = judge(found, lambda t: found(t, 0)[0], order)
    if (
        finding.verdict == "wrong"
    ):  # or has torch no derivative, and says so unless zeros are wanted?
        curves.slopes(line, weights, 0.0, finding.order, zeros=False)
    return finding


def reached(line: curves.Line, weights: torch.Tensor) -> int:
    """The highest order that torch does not refuse; raises what it says where that is 0."""
    for order in range(curves.ORDER, 0, -1):
        try:
            curves.slopes(line, weights, 0.0, order)
        except (RuntimeError, NotImplementedError):
            if order == 1:
                raise
        else:
            break
    return order
