#!/usr/bin/env bash
# pina-mathlab 0.3.2.post2610: PeriodicBoundaryEmbedding(2, {"x": 2.0}), periodic in x alone, passes on cos and sin of x
# and nothing of t. Nothing is said, and a network behind it cannot depend on time: its derivative by t is 0. With
# output_dimension it does say something, since its own layer expects three features for every input.
# What passes t on: concatenate it to the embedding yourself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet pina-mathlab==0.3.2.post2610 torch==2.13.0
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import torch
from pina import LabelTensor
from pina.model.block import PeriodicBoundaryEmbedding

torch.manual_seed(0)
x, t = torch.rand(5, 1), torch.rand(5, 1, requires_grad=True)
points = LabelTensor(torch.cat([x, t], 1), ["x", "t"])
features = PeriodicBoundaryEmbedding(2, {"x": 2.0})(points)
u = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))(features.tensor)
print("pina-mathlab", version("pina-mathlab"), "- features of 5 points (x, t):", tuple(features.shape))
assert features.shape == (5, 3)
(slope,) = torch.autograd.grad(u.sum(), t, allow_unused=True)
print("derivative of u by t:", slope if slope is None else slope.abs().max().item())
assert slope is None or not slope.any()
try:
    PeriodicBoundaryEmbedding(2, {"x": 2.0}, output_dimension=4)(points)
except RuntimeError as error:
    print("with output_dimension:", error)
else:
    raise SystemExit("with output_dimension it is accepted now")
PYTHON
