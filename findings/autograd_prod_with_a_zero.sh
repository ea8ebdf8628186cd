#!/usr/bin/env bash
# HIPS autograd 1.9.1: the gradient of numpy.prod at a vector with a zero is nan in that entry, with no warning of its
# own: the rule divides the product by each factor. At (0, 2, 3) it is (6, 0, 0). Written with * it is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet autograd==1.9.1 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import autograd.numpy as np
from autograd import grad

at = np.array([0.0, 2.0, 3.0])
by_prod, by_hand = grad(np.prod)(at), grad(lambda v: v[0] * v[1] * v[2])(at)
print("autograd", version("autograd"), "gradient of a product at", at)
print("prod:", by_prod, " with *:", by_hand)
assert np.isnan(by_prod[0]) and list(by_hand) == [6.0, 0.0, 0.0]
PYTHON
