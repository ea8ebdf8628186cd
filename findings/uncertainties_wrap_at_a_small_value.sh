#!/usr/bin/env bash
# uncertainties 3.2.3: wrap(f) differentiates f by a difference quotient whose step is 1.5e-8 of the nominal value, however
# small that is. exp of 1e-10 ± 0.1 is 1 ± 0: the step is lost in 1 + x, the slope comes out as 0, and with it the whole
# uncertainty is gone; at 1e-8 a quarter of it is missing. umath.exp has ± 0.1, and at 0 itself, where the step is 1.5e-8,
# so has wrap. wrap(f, [slope]) takes the slope from you, and is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet uncertainties==3.2.3
"$folder/venv/bin/python" - <<'PYTHON'
from math import exp

import uncertainties
from uncertainties import ufloat, umath, wrap

print("uncertainties", uncertainties.__version__, "- standard deviation of exp(x) for x = nominal ± 0.1; right: 0.1 exp(x)")
seen = {}
for nominal in (0.0, 1e-10, 1e-8, 1.0):
    x = ufloat(nominal, 0.1)
    seen[nominal] = wrap(exp)(x).std_dev
    known, given = umath.exp(x).std_dev, wrap(exp, [exp])(x).std_dev
    print(f"at {nominal:g}: wrap {seen[nominal]:.6f}, umath {known:.6f}, wrap with the slope {given:.6f}")
    assert abs(known - 0.1 * exp(nominal)) < 1e-12 and abs(given - known) < 1e-12
assert abs(seen[0.0] - 0.1) < 1e-6 and abs(seen[1.0] - 0.1 * exp(1.0)) < 1e-6, "right at 0 and at 1"
assert seen[1e-10] == 0.0 and abs(seen[1e-8] - 0.1) > 0.01
PYTHON
