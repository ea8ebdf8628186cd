#!/usr/bin/env bash
# sympy 1.14.0: betainc_regularized, lambdified with modules "mpmath", is not regularized: it is too small by the factor
# B(a, b). From 0 to 1 it is 1/12 for a = 2, b = 3, where it is 1. evalf, and lambdify with SciPy, are right; so the
# way one takes for more digits has none right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet sympy==1.14.0 mpmath==1.3.0 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PYTHON'
import sympy as sp

x = sp.Symbol("x")
formula = sp.betainc_regularized(2, 3, 0, x)
print("sympy", sp.__version__, formula, "; right is 6 x^2 - 8 x^3 + 3 x^4")
for at in (0.4, 1.0):
    right = 6 * at**2 - 8 * at**3 + 3 * at**4
    by_mpmath, by_scipy = (float(sp.lambdify(x, formula, name)(at)) for name in ("mpmath", "scipy"))
    by_evalf = float(formula.subs(x, sp.Float(at)).evalf())
    print(f"at {at}: mpmath {by_mpmath:.6f}, scipy {by_scipy:.6f}, evalf {by_evalf:.6f}, right {right:.6f}")
    assert abs(by_scipy - right) < 1e-12 and abs(by_evalf - right) < 1e-12
    assert abs(12 * by_mpmath - right) < 1e-12
PYTHON
