"""The operators on torch's own test database of layers, torch.testing's module_db.

The inputs move along a line, the parameters stay. A layer that behaves otherwise in training is tried
in both moods.
"""

import random
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import torch

from conformance.calls import Call, evaluated, seen, size, ways
from conformance.ops import FEW, SAMPLES, drawn, start
from conformance.verdicts import Tally

OUT_OF_SCOPE = {
    "nn.CTCLoss": "torch's gradient takes the input for a log_softmax; ctc_loss of op_db has one",
}


@lru_cache
def entries() -> dict[str, Any]:
    """The layers that torch can differentiate in float64."""
    from torch.testing._internal.common_modules import module_db

    return {
        m.name: m
        for m in module_db
        if torch.float64 in m.supported_dtypes("cpu") and m.name not in OUT_OF_SCOPE
    }


def names() -> list[str]:
    """The names of the layers."""
    return list(entries())


def trial(name: str, seed: int, samples: int = SAMPLES) -> Tally:
    """All that is tried of a layer."""
    tally, generator = Tally(name), torch.Generator().manual_seed(start(name, seed))
    for count, (place, call) in enumerate(calls(name, seed, samples)):
        for way, look in ways(call, generator, count < FEW):
            tally.add(f"seed {seed}, sample {place}, {way}", look)
    return tally


def calls(name: str, seed: int, samples: int = SAMPLES) -> Iterator[tuple[str, Call]]:
    """A few of the samples of a layer, of each mood it has."""
    info, draw = entries()[name], random.Random(start(name, seed))
    for training in (False, True) if info.train_and_eval_differ else (False,):
        torch.default_generator.manual_seed(start(name, seed))
        options = dict(device="cpu", dtype=torch.float64, requires_grad=True, training=training)
        pool = [m for m in info.module_inputs_func(info, **options) if m.forward_input]
        sizes = [size([m.forward_input.args, m.forward_input.kwargs]) for m in pool]
        for place in drawn(sizes, samples, draw):
            call = seen(built(info, pool[place], training), draw)
            if call:
                yield f"{place} in {'training' if training else 'evaluation'}", call


def built(info: Any, sample: Any, training: bool) -> Call:
    """The layer, made and called as the sample says."""
    make, forward = sample.constructor_input, sample.forward_input
    layer = info.module_cls(*make.args, **make.kwargs).double().train(training)
    call = Call(
        lambda _, *args, **kwargs: layer(*args, **kwargs),
        [None, list(forward.args), dict(forward.kwargs)],
    )
    evaluated(call, {})  # a lazy layer learns its shapes from its first input
    layer.requires_grad_(False)
    return call
