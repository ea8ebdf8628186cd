#!/usr/bin/env bash
# torch 2.13.0: the third derivative of x ** x at 1 is 2, by nested torch.autograd.grad; it is 3, and the fourth is 7
# for 8. The slope of a power by its base is set to 0 where the exponent is 0, as a constant: after two derivatives an
# exponent is x - 1, which is 0 at 1. Beside the point, at 1 + 1e-9, all are right. Seen in 2.14.1 too.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import torch


def derivatives(at):
    x = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    found = [x**x]
    for _ in range(4):
        found += torch.autograd.grad(found[-1], x, create_graph=True)
    return [round(d.item(), 6) for d in found]


print(f"torch {torch.__version__}, x ** x, orders 0 to 4; right at 1 is 1, 1, 2, 3, 8")
for at in (1.0, 1.0 + 1e-9):
    print(f"at {at:.9f}:", *derivatives(at))
assert derivatives(1.0) == [1, 1, 2, 2, 7]
assert derivatives(1.0 + 1e-9)[3:] == [3, 8]
PYTHON
