#!/usr/bin/env bash
# MyGrad 2.5.0: the derivative of maximum(x, x), which is x, is 0 everywhere. At a tie neither argument gets a slope,
# so nothing is left of it; torch, jax and HIPS autograd share the slope, half to each, and have 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet mygrad==2.5.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import mygrad as mg


def slope(f, at):
    x = mg.tensor(at)
    f(x).backward()
    return float(x.grad)


print("mygrad", version("mygrad"))
same, tie = slope(lambda x: mg.maximum(x, x), 1.5), slope(lambda x: mg.maximum(x, 1.5), 1.5)
print("maximum(x, x) at 1.5:", same, " right: 1;  maximum(x, 1.5) at 1.5:", tie)
assert same == 0.0 and tie == 0.0
assert slope(lambda x: mg.maximum(x, 1.0), 1.5) == 1.0
PYTHON
