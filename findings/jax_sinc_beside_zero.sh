#!/usr/bin/env bash
# jax 0.10.2: jax.numpy.sinc has a special case for its derivatives at 0 and at 0 only. Beside it the quotient
# sin(πx)/(πx) cancels: the second derivative, -π²/3 = -3.29 there, is +201 at 1e-9. Value and slope look right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
from math import pi

import jax
import jax.numpy as jnp

jax.config.update("jax_enable_x64", True)
second = jax.grad(jax.grad(jnp.sinc))
print("jax", jax.__version__, "second derivative of sinc; right is", -(pi**2) / 3)
for x in (0.0, 1e-9, 1e-4):
    print(f"at {x:g}: {float(second(x)):.6f}")
assert abs(second(0.0) + pi**2 / 3) < 1e-12 and abs(second(1e-4) + pi**2 / 3) < 1e-6
assert second(1e-9) > 100
PYTHON
