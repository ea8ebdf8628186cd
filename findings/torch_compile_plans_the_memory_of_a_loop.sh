#!/usr/bin/env bash
# torch 2.13.0: torch.compile of a while_loop with the options cpp_wrapper and memory_planning, which plans one pool of
# memory for the buffers of a program, writes C++ that no compiler takes: the buffers of the loop's body are reset with the
# pool, after the end of the block in which they were declared ("not declared in this scope"). Each option alone gives the
# right number, so does no option, and so do both of a program without a loop.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import torch

print("torch", torch.__version__)
x, w = torch.ones(8, 8), torch.eye(8) / 4


def step(x, w):
    return torch.relu(torch.relu(x @ w) @ w + x)


def looped(x, w):
    start = torch.zeros((), dtype=torch.int64)
    more, once = lambda i, x: i < 3, lambda i, x: (i + 1, step(x, w))
    return torch.ops.higher_order.while_loop(more, once, (start, x), ())[1]


def unrolled(x, w):
    return step(step(step(x, w), w), w)


def compiled(f, **options):
    """A number of the result, or the compiler's first error."""
    torch.compiler.reset()
    try:
        return torch.compile(f, fullgraph=True, options=options)(x, w)[0, 0].item()
    except RuntimeError as error:
        return next(line for line in str(error).splitlines() if "error:" in line).split("error: ")[1]


right = unrolled(x, w)[0, 0].item()
for f in (looped, unrolled):
    for options in ({}, {"cpp_wrapper": True}, {"memory_planning": True}, {"cpp_wrapper": True, "memory_planning": True}):
        found = compiled(f, **options)
        print(f.__name__, options, found)
        if f is looped and len(options) == 2:
            assert "was not declared in this scope" in found
        else:
            assert abs(found - right) < 1e-6
PYTHON
