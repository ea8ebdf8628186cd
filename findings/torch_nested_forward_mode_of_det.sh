#!/usr/bin/env bash
# torch 2.13.0: the second derivative of det and solve by nested forward mode, torch.func.jvp of jvp, is silently wrong.
# The determinant of [[1, t], [t, 3]] is 3 - t^2, with second derivative -2; seen: +2. The first entry of solve(A, (1, 0))
# is 3/(3 - t^2), with second derivative 4.5 at t = 1; seen: 2.25. Reverse over reverse is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from torch.func import grad, jvp

ONE = torch.ones((), dtype=torch.float64)


def matrix(t):
    return torch.stack([torch.stack([ONE, t]), torch.stack([t, 3 * ONE])])


def det(t):
    return torch.linalg.det(matrix(t))


def solve(t):
    return torch.linalg.solve(matrix(t), torch.stack([ONE, 0 * ONE]))[0]


def forward(f):
    return lambda t: jvp(f, (t,), (ONE,))[1]


print("torch", torch.__version__, "second derivative at t = 1")
for name, f, right in (("det", det, -2.0), ("solve", solve, 4.5)):
    nested, reverse = forward(forward(f))(ONE).item(), grad(grad(f))(ONE).item()
    print(f"{name}: forward over forward {nested:.6f}, reverse over reverse {reverse:.6f}, right {right}")
    assert abs(reverse - right) < 1e-9
    assert abs(nested - right) > 0.1
PYTHON
