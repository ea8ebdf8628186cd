#!/usr/bin/env bash
# sympy 1.14.0: lambdify, where SciPy is installed and no module is named, writes some functions as a sum or product of
# others and puts no brackets around it. 3 * harmonic(x) becomes 3*polygamma(0, x + 1) + euler_gamma, 1 / uppergamma(x, 2)
# becomes gamma(x)*gammaincc(x, 2)**(-1.0). Alone these functions are right, so a test of each finds nothing; evalf is
# right. With "math", 3 * frac(x) becomes 3*x % 1. Its kin is sympy issue 26771, of binomial.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet sympy==1.14.0 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PYTHON'
import sympy as sp

x = sp.Symbol("x")
at = sp.Rational(2, 5)
ninth = sp.Rational(1, 9)


def off(formula, modules):
    """How far lambdify's function is from evalf."""
    seen, right = float(sp.lambdify(x, formula, modules)(0.4)), float(formula.subs(x, at).evalf())
    print(f"{str(formula):42} {seen:12.6f}  right: {right:.6f}")
    return abs(seen - right)


print("sympy", sp.__version__, "lambdify at x = 0.4")
for f, modules in (
    (sp.harmonic(x), None),
    (sp.uppergamma(x, 2), None),
    (sp.betainc_regularized(2, 3, ninth, x), None),
    (sp.frac(x), "math"),
):
    inside = 1 / f if f.func is sp.uppergamma else 3 * f
    assert off(f, modules) < 1e-9, "alone it was right"
    assert off(inside, modules) > 0.1, "in a product or quotient it was wrong"
PYTHON
