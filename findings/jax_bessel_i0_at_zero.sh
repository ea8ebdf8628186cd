#!/usr/bin/env bash
# jax 0.10.2: the derivative of the Bessel function i0 at 0 is 1 by jax.grad; i0 is even, so it is 0 (i0' = i1). The
# formula exp(|x|) i0e(x) has a corner at 0, and jax's derivative of |x| there is 1. At 1e-300 it is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import jax
from jax.scipy.special import i0

jax.config.update("jax_enable_x64", True)
slope, bend = jax.grad(i0), jax.grad(jax.grad(i0))
print("jax", jax.__version__)
print("i0' at 0:", float(slope(0.0)), " at 1e-300:", float(slope(1e-300)), " right: 0")
print("i0'' at 0:", float(bend(0.0)), " right: 0.5")
assert slope(0.0) == 1.0 and slope(1e-300) == 0.0
assert bend(0.0) == 1.5
PYTHON
