#!/usr/bin/env bash
# HIPS autograd 1.9.1: derivatives of a power by both of its arguments are silently wrong where an exponent becomes 0.
# d2/de dx of x ** e at x = 2, e = 0 is 2, in the other order 1/2, which is right; the fourth derivative of x ** x at 1
# is 12 for 8. The rule for the base writes the exponent 1 for e - 1 where e is 0, and this takes part in the rest.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet autograd==1.9.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

from autograd import grad

power = lambda x, e: x**e
base_first = float(grad(grad(power, 0), 1)(2.0, 0.0))
exponent_first = float(grad(grad(power, 1), 0)(2.0, 0.0))
f, orders = (lambda x: x**x), []
for _ in range(4):
    f = grad(f)
    orders.append(round(float(f(1.0)), 9))
print("autograd", version("autograd"))
print(f"x ** e at (2, 0), by x then e: {base_first}, by e then x: {exponent_first}; right: 0.5")
print("x ** x at 1, orders 1 to 4:", *orders, "; right: 1 2 3 8")
assert base_first == 2.0 and exponent_first == 0.5
assert orders == [1, 2, 3, 12]
PYTHON
