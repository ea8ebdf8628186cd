#!/usr/bin/env bash
# torch 2.13.0: the third derivative of logcumsumexp by nested torch.autograd.grad is nan, anywhere, where the same
# numbers through logsumexp have a finite one; orders 0 to 2 agree. Seen in 2.14.1 too.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
from math import isnan

import torch


def derivatives(f):
    x = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    found = [f(torch.stack([x, torch.ones_like(x)]))]
    for _ in range(3):
        found += torch.autograd.grad(found[-1], x, create_graph=True)
    return [d.item() for d in found]


running = derivatives(lambda v: torch.logcumsumexp(v, 0)[1])
whole = derivatives(lambda v: torch.logsumexp(v, 0))
print(f"torch {torch.__version__}, log(exp(x) + e) at 0.5, orders 0 to 3")
print("logcumsumexp", *(f"{d:9.6f}" for d in running))
print("logsumexp   ", *(f"{d:9.6f}" for d in whole))
assert all(abs(a - b) < 1e-12 for a, b in zip(running[:3], whole[:3])), "the lower orders agreed"
assert isnan(running[3]) and abs(whole[3] - 0.0575568) < 1e-6
PYTHON
