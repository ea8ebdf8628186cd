#!/usr/bin/env bash
# mpmath 1.3.0, the newest that sympy 1.14.0 allows: the derivative of a modified Bessel function is silently wrong in two
# ways. besseli(-1, x, derivative=1) is 0, and so it is of order -2, while the value is right, and I(-n) = I(n).
# besselk takes the argument derivative, as its three sisters do, and gives the value. mpmath.diff is right on both. In
# mpmath 1.4.1 the first is mended, and the second is refused. A test that takes mpmath for its oracle, take diff.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet mpmath==1.3.0
"$folder/venv/bin/python" - <<'PYTHON'
import mpmath
from mpmath import besseli, besselk, diff

x = mpmath.mpf(2)
right_i = (besseli(0, x) + besseli(2, x)) / 2
right_k = -(besselk(0, x) + besselk(2, x)) / 2
print("mpmath", mpmath.__version__, "first derivatives at 2")
print("I of order -1:", besseli(-1, x, derivative=1), " of order 1:", besseli(1, x, derivative=1), " right, both:", right_i)
print("K of order 1:", besselk(1, x, derivative=1), " right:", right_k)
assert besseli(-1, x, derivative=1) == besseli(-2, x, derivative=1) == 0 and besseli(-1, x) == besseli(1, x)
assert abs(besseli(1, x, derivative=1) - right_i) < 1e-12
assert besselk(1, x, derivative=1) == besselk(1, x)
assert abs(diff(lambda t: besseli(-1, t), x) - right_i) < 1e-12
assert abs(diff(lambda t: besselk(1, t), x) - right_k) < 1e-12
PYTHON
