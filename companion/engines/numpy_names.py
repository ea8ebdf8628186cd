"""NumPy's own names on engine values: np.sin(x), np.einsum("ij,j", A, x), np.linalg.solve(A, x).

NumPy asks a value what it makes of a function (__array_ufunc__, __array_function__ in values.py);
the answers are in the tables that are filled here.
"""

from __future__ import annotations

import math

import numpy as np

from companion.engines import arrangements, composed, linalg, products, rules
from companion.engines.values import FUNCTIONS, PLAIN, UFUNCS, shape

UFUNCS.update(
    {
        np.power: composed.power,
        np.float_power: composed.power,
        np.absolute: rules.abs,
        np.fabs: rules.abs,
        np.square: composed.square,
        np.logaddexp2: composed.logaddexp2,
        np.deg2rad: lambda x: x * (math.pi / 180),
        np.radians: lambda x: x * (math.pi / 180),
        np.rad2deg: lambda x: x * (180 / math.pi),
        np.degrees: lambda x: x * (180 / math.pi),
        np.positive: lambda x: x,
        np.divmod: divmod,
    }
)
RULES = "maximum minimum cbrt arctan2 hypot logaddexp remainder fmod floor_divide sign floor ceil"
for _name in (*RULES.split(), "trunc", "rint"):
    UFUNCS[getattr(np, _name)] = getattr(rules, _name)

TABLES = {
    rules: "sum mean reshape transpose broadcast_to concatenate stack where",
    composed: "round clip max min prod cumsum cumprod diff var std",
    products: "dot vdot inner outer tensordot kron cross einsum",
    arrangements: "ravel squeeze expand_dims atleast_1d atleast_2d swapaxes moveaxis roll flip repeat "
    "tile take take_along_axis sort diagonal diag trace tril triu vstack hstack column_stack append "
    "split pad",
}
for _module, _names in TABLES.items():
    FUNCTIONS.update({getattr(np, _name): getattr(_module, _name) for _name in _names.split()})
for _name in ("solve", "inv", "cholesky", "eigh", "det", "slogdet", "norm"):
    FUNCTIONS[getattr(np.linalg, _name)] = getattr(linalg, _name)
FUNCTIONS.update(
    {
        np.amax: composed.max,
        np.amin: composed.min,
        np.around: composed.round,
        np.copy: lambda x: x,  # nothing changes in place
        np.full_like: lambda a, fill_value: rules.broadcast_to(fill_value, shape(a)),
        np.linalg.eigvalsh: lambda A: linalg.eigh(A).eigenvalues,
    }
)

ANSWERS = (  # what depends on the value alone, and has no derivative
    "shape size ndim zeros_like ones_like empty_like isclose allclose array_equal any all "
    "argmax argmin argsort count_nonzero nonzero searchsorted iscomplexobj isrealobj result_type"
)
PLAIN.update(getattr(np, _name) for _name in ANSWERS.split())
TESTS = "isfinite isnan isinf signbit logical_and logical_or logical_xor logical_not"
PLAIN.update(getattr(np, _name) for _name in TESTS.split())
