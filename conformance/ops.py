"""The operators on torch's own test database of functions, torch.testing's op_db.

Each entry makes samples of its arguments. A sample is tried in several ways: its first tensor moves,
another one moves, all move together; the function is called as a method; its Laplacian is taken; and
`Partials` takes whichever way it likes.
"""

import random
import zlib
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Any

import torch

from conformance.calls import Call, along, moving, seen, size, ways
from conformance.verdicts import Tally

SAMPLES = 8  # of an entry, at most, drawn from its first POOL
POOL = 40
LARGEST = 1000  # numbers in the arguments of a sample, if there is a smaller one
FEW = 2  # of the ways that look at the same rules again
BEYOND = ("special_", "igamma")  # smooth functions, of which torch 2.13 differentiates only some
OUT_OF_SCOPE = {  # entries whose values are no function of their arguments, or have no slope
    "normal": "torch draws numbers around the mean and gives them no slope",
    "normal_number_mean": "torch draws numbers around the mean and gives them no slope",
    "bernoulli": "torch draws numbers and gives them no slope",
    "as_strided_partial_views": "it reads memory that its argument does not show",
    "native_group_norm": "torch loses the slopes of the mean and of 1/σ; nn_functional_group_norm has them",
    "special_bessel_j0": "torch's own values are off by up to 9e-7: ours are held to mpmath's in tests/",
    "special_bessel_j1": "torch's own values are off by up to 9e-7: ours are held to mpmath's in tests/",
    "special_bessel_y0": "torch's own values are off by up to 9e-7: ours are held to mpmath's in tests/",
    "special_bessel_y1": "torch's own values are off by up to 9e-7: ours are held to mpmath's in tests/",
    "nn_functional_max_unpool1d": "two values fall on one place; ..._grad has none such",
    "nn_functional_max_unpool2d": "two values fall on one place; ..._grad has none such",
    "nn_functional_max_unpool3d": "two values fall on one place; ..._grad has none such",
}


@lru_cache
def entries() -> dict[str, Any]:
    """The entries in float64 that have a derivative, whether torch knows it or not."""
    from torch.testing._internal import common_utils
    from torch.testing._internal.common_methods_invocations import op_db

    # Else each draw reads the source of every frame on the stack, to find a test of torch's.
    common_utils.extract_test_fn = lambda: None
    return {
        op.formatted_name: op
        for op in op_db
        if (op.supports_autograd or op.formatted_name.startswith(BEYOND))
        and op.supports_dtype(torch.float64, "cpu")
        and op.formatted_name not in OUT_OF_SCOPE
    }


def names() -> list[str]:
    """The entries that torch can differentiate."""
    return [name for name, op in entries().items() if op.supports_autograd]


def trial(name: str, seed: int, samples: int = SAMPLES) -> Tally:
    """All that is tried of an entry."""
    tally, generator = Tally(name), torch.Generator().manual_seed(start(name, seed))
    for count, (place, call) in enumerate(calls(name, seed, samples)):
        for way, look in ways(call, generator, count < FEW):
            tally.add(f"seed {seed}, sample {place}, {way}", look)
        for form, other in spellings(entries()[name], call) if count < FEW else ():
            first = moving(call.arguments)[:1]
            look = lambda: along(other, first, generator)
            tally.add(f"seed {seed}, sample {place}, {form}", look)
    return tally


def start(name: str, seed: int) -> int:
    """The seed of one entry: another one for each, and the same in any process."""
    return zlib.crc32(f"{seed} {name}".encode())


def calls(name: str, seed: int, samples: int = SAMPLES) -> Iterator[tuple[int, Call]]:
    """A few of the samples of an entry, with their places in it."""
    op, draw = entries()[name], random.Random(start(name, seed))
    torch.default_generator.manual_seed(start(name, seed))
    pool = list(islice(op.sample_inputs("cpu", torch.float64, requires_grad=True), POOL))
    trees = [[sample.input, list(sample.args), dict(sample.kwargs)] for sample in pool]
    for place in drawn([size(tree) for tree in trees], samples, draw):
        sample, arguments = pool[place], trees[place]
        function = lambda x, *args, **kwargs: op.gradcheck_wrapper(op.op, x, *args, **kwargs)
        process, known = sample.output_process_fn_grad, op.supports_autograd
        call = seen(Call(function, arguments, process, known=known), draw)
        if call:
            yield place, call


def drawn(sizes: list[int], samples: int, draw: random.Random) -> list[int]:
    """Some places of a list, of those that are not large; the smallest if all are."""
    small = [i for i, size in enumerate(sizes) if size <= LARGEST]
    small = small or [min(range(len(sizes)), key=sizes.__getitem__)] if sizes else []
    return sorted(draw.sample(small, min(samples, len(small))))


def spellings(op: Any, call: Call) -> Iterator[tuple[str, Call]]:
    """The same call by a function of another name, and as a method, where an entry has them."""
    forms = {f"as {alias.name}": alias.op for alias in op.aliases}
    if op.method_variant and moving(call.arguments)[0] == 0 and hasattr(torch.Tensor, op.name):
        forms["as a method"] = lambda x, *args, **kwargs: getattr(x, op.name)(*args, **kwargs)
    for name, form in forms.items():
        function = lambda x, *args, form=form, **kwargs: op.gradcheck_wrapper(
            form, x, *args, **kwargs
        )
        yield name, call._replace(function=function)
