#!/usr/bin/env bash
# jax 0.10.2: the fourth derivative of x ** 3.0 at 0 is nan, and so is the first of x ** 0.0; both are 0. With the whole
# numbers 3 and 0 for exponents they are. The rule for a float exponent multiplies 0 by 0 ** -1, which is infinite.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
from math import isnan

import jax

jax.config.update("jax_enable_x64", True)


def derivative(f, order):
    for _ in range(order):
        f = jax.grad(f)
    return float(f(0.0))


print("jax", jax.__version__)
cubes = [derivative(lambda x: x**3.0, 4), derivative(lambda x: x**3, 4)]
ones = [derivative(lambda x: x**0.0, 1), derivative(lambda x: x**0, 1)]
print("fourth derivative at 0 of x ** 3.0 and x ** 3:", *cubes)
print("first derivative at 0 of x ** 0.0 and x ** 0:", *ones)
assert isnan(cubes[0]) and cubes[1] == 0.0
assert isnan(ones[0]) and ones[1] == 0.0
PYTHON
