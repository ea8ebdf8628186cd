"""What each operation of the table is: its docstring, for help(sin) and for sin? in a notebook.

A formula stands as Python reads it, so that a test can hold it against the rule.

>>> from companion.engines import tanh
>>> print(tanh.__doc__)
tanh(x), element by element; its slope is 1 - v**2, where v is the value.
<BLANKLINE>
Takes numbers, arrays, Duals, Vars and Jets, and gives the same kind back.
"""

POINTWISE = {  # name: the function, and its slope for each argument; v is the value
    "reciprocal": ("1/x", "-v**2"),
    "div": ("x/y", "1/y", "-v/y"),
    "pow": ("x**n", "n*x**(n - 1)", "v*log(x)"),
    "exp": ("exp(x)", "v"),
    "expm1": ("exp(x) - 1, right near 0 too", "exp(x)"),
    "log": ("log(x), the natural logarithm", "1/x"),
    "log1p": ("log(1 + x), right near 0 too", "1/(1 + x)"),
    "sqrt": ("sqrt(x)", "1/(2*v)"),
    "sin": ("sin(x)", "cos(x)"),
    "cos": ("cos(x)", "-sin(x)"),
    "tan": ("tan(x)", "1 + v**2"),
    "arcsin": ("arcsin(x)", "1/sqrt(1 - x**2)"),
    "arccos": ("arccos(x)", "-1/sqrt(1 - x**2)"),
    "arctan": ("arctan(x)", "1/(1 + x**2)"),
    "sinh": ("sinh(x)", "cosh(x)"),
    "cosh": ("cosh(x)", "sinh(x)"),
    "tanh": ("tanh(x)", "1 - v**2"),
    "sigmoid": ("1/(1 + exp(-x)), without overflow", "v*(1 - v)"),
    "softplus": ("log(1 + exp(x)), without overflow", "1/(1 + exp(-x))"),
    "relu": ("x if x > 0 else 0", "1 if x > 0 else 0"),
    "abs": ("x if x > 0 else -x", "1 if x > 0 else -1 if x < 0 else 0"),
    "maximum": (
        "x if x > y else y",
        "1 if x > y else 0.5 if x == y else 0",
        "1 if x < y else 0.5 if x == y else 0",
    ),
    "minimum": (
        "x if x < y else y",
        "1 if x < y else 0.5 if x == y else 0",
        "1 if x > y else 0.5 if x == y else 0",
    ),
    "log2": ("log2(x), the logarithm to base 2", "1/(x*log(2))"),
    "log10": ("log10(x), the logarithm to base 10", "1/(x*log(10))"),
    "exp2": ("2**x", "v*log(2)"),
    "cbrt": ("cbrt(x), the real cube root", "1/(3*v**2)"),
    "arcsinh": ("arcsinh(x)", "1/sqrt(x**2 + 1)"),
    "arccosh": ("arccosh(x)", "1/sqrt(x**2 - 1)"),
    "arctanh": ("arctanh(x)", "1/(1 - x**2)"),
    "erf": ("erf(x), the error function", "2/sqrt(pi)*exp(-x**2)"),
    "erfc": ("1 - erf(x), right for large x too", "-2/sqrt(pi)*exp(-x**2)"),
    "arctan2": (
        "arctan2(x,y), the angle of the point with abscissa y and ordinate x",
        "y/(x**2 + y**2)",
        "-x/(x**2 + y**2)",
    ),
    "hypot": ("sqrt(x**2 + y**2), without overflow", "x/v", "y/v"),
    "logaddexp": (
        "log(exp(x) + exp(y)), without overflow",
        "1/(1 + exp(y - x))",
        "1/(1 + exp(x - y))",
    ),
    "remainder": ("x % y, with the sign of y", "1", "-(x // y)"),
    "fmod": ("fmod(x,y), with the sign of x", "1", "-trunc(x/y)"),
    "floor_divide": ("x // y", "0", "0"),
    "sign": ("1 if x > 0 else -1 if x < 0 else 0", "0"),
    "floor": ("floor(x)", "0"),
    "ceil": ("ceil(x)", "0"),
    "trunc": ("trunc(x), the whole number towards 0", "0"),
    "rint": ("round(x), halves to the even number", "0"),
}
OTHERS = {  # name: the function, and what it does to tangents and cotangents
    "add": "x + y. Linear: the tangent is ẋ + ẏ; in reverse, v̄ goes to x and to y.",
    "sub": "x − y. Linear: the tangent is ẋ − ẏ; in reverse, v̄ goes to x and −v̄ to y.",
    "neg": "−x. Linear: the tangent is −ẋ; in reverse, −v̄ goes to x.",
    "identity": "x itself, as a new value. Linear: the tangent is ẋ; in reverse, v̄ goes to x.",
    "mul": "x · y, element by element. Bilinear: the tangent is ẋ y + x ẏ; "
    "in reverse, v̄ y goes to x and x v̄ to y.",
    "matmul": "x @ y, the matrix product. Bilinear: the tangent is ẋ y + x ẏ; "
    "in reverse, v̄ yᵀ goes to x and xᵀ v̄ to y.",
    "sum": "Σ x over axes. Linear: the tangent is Σ ẋ; in reverse, v̄ goes to every element.",
    "reshape": "The elements in another shape. Linear: in reverse, v̄ in the shape of x.",
    "transpose": "The axes permuted. Linear: in reverse, v̄ with its axes permuted back.",
    "broadcast_to": "x repeated to a shape. Linear: in reverse, v̄ summed over what was repeated.",
    "index": "x[key]. Linear: in reverse, v̄ scattered to the places that were taken.",
    "scatter": "Zeros, with x added at a key. Linear: in reverse, v̄[key].",
    "concatenate": "Arrays joined along an axis. Linear: in reverse, each gets its part of v̄.",
    "stack": "Arrays joined along a new axis. Linear: in reverse, each gets its slice of v̄.",
    "cumsum": "Σ_{j≤i} xⱼ along an axis. Linear: the tangent is that of ẋ; in reverse, v̄ summed "
    "from the other end.",
    "einsum": "Products of x and y, summed over the letters that are not in the output. Bilinear: "
    "the tangent is that of ẋ, y plus that of x, ẏ; in reverse, output and factor change places.",
    "solve": "X with A X = B. Implicit: the tangent solves A Ẋ = Ḃ − Ȧ X; in reverse, Λ with "
    "Aᵀ Λ = X̄ goes to B and −Λ Xᵀ to A.",
    "cholesky": "The lower triangular L with L Lᵀ = A. Implicit: the tangent solves "
    "L̇ Lᵀ + L L̇ᵀ = Ȧ; in reverse, the transpose of that.",
    "eigh": "Eigenvalues λ and vectors v of a symmetric A. Implicit: λ̇ = vᵀ Ȧ v, and v̇ solves "
    "(A − λ) v̇ = (λ̇ − Ȧ) v; in reverse, the transpose of that.",
    "where": "x where a condition holds, y elsewhere. Linear: in reverse, v̄ goes where it came from.",
}
KINDS = "Takes numbers, arrays, Duals, Vars and Jets, and gives the same kind back."


def docstring(name: str) -> str:
    """The docstring of the operation of this name. Raises KeyError where there is none."""
    if name not in OTHERS and name not in POINTWISE:
        raise KeyError(f"{name}: write its formula and slopes in companion/engines/formulas.py")
    return f"{OTHERS[name] if name in OTHERS else _of_slopes(*POINTWISE[name])}\n\n{KINDS}"


def _of_slopes(formula, *slopes):
    """The function and its slopes as a sentence."""
    one = "its slope is " if len(slopes) == 1 else "its slopes are "
    value = ", where v is the value" if any("v" in slope for slope in slopes) else ""
    return f"{formula}, element by element; {one}{', and '.join(slopes)}{value}."
