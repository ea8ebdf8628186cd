#!/usr/bin/env bash
# torch 2.13.0: on a processor torch.compile (inductor) writes torch.expm1(x) as exp(x) − 1 and torch.atanh(x) as
# log((1 + x) / (1 − x)) / 2, where the kernels are of vector instructions, which is the usual case. Eager torch is right
# to a unit in the last place; compiled, an x of 1e-10 keeps 7 digits in float64, and one of 1e-17 becomes 0. ELU, SELU
# and CELU are made of expm1 and lose the same digits below 0. So a small value is another one once its function is
# compiled, with no message; 2 * sinh(x / 2) * exp(x / 2) and log1p(2 * x / (1 - x)) / 2 are compiled as they should be.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import torch
from torch.nn.functional import celu, elu, selu

print("torch", torch.__version__)
x = torch.full((64,), -1e-10, dtype=torch.float64)  # more than one vector of the processor
for name, f, lost in (
    ("expm1", torch.expm1, True),
    ("atanh", torch.atanh, True),
    ("elu", elu, True),
    ("selu", selu, True),
    ("celu", celu, True),
    ("2 sinh(x/2) exp(x/2)", lambda x: 2 * torch.sinh(x / 2) * torch.exp(x / 2), False),
    ("log1p(2x/(1 - x)) / 2", lambda x: torch.log1p(2 * x / (1 - x)) / 2, False),
    ("log1p", torch.log1p, False),
    ("tanh", torch.tanh, False),
):
    eager, compiled = f(x)[0].item(), torch.compile(f)(x)[0].item()
    far = abs(compiled - eager) / abs(eager)
    print(f"{name:22} eager {eager:.16e}, compiled {compiled:.16e}, relative difference {far:.0e}")
    assert (1e-9 < far < 1e-6) if lost else far < 1e-15, name
PYTHON
