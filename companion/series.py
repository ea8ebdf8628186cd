"""Truncated power series: the one statement of each recurrence, for any arithmetic.

A series is a list of normalised coefficients, u[k] = u⁽ᵏ⁾(0) / k!. They may be anything with
+ − × ÷: floats, arrays, fractions, tensors. Each recurrence comes from a differential equation that
the function obeys; the equations stand once, in EQUATIONS, and an Arithmetic turns them into rules
for its numbers. This module imports nothing, so what is transcendental is an argument: exp(u, e0)
wants e0 = e^{u₀}. Sources: Griewank & Walther, *Evaluating Derivatives*, 2nd ed., table 13.2;
chapters 6 and 10.

>>> sine, cosine = sin_cos([0.0, 1.0, 0.0, 0.0], 0.0, 1.0)          # sin t = t − t³/6
>>> [round(c, 6) for c in sine]
[0.0, 1.0, 0.0, -0.166667]
"""

TWO_OVER_ROOT_PI = 1.1283791670955126  # of erf
ROOT_HALF = 0.7071067811865476
DENSITY_AT_0 = 0.3989422804014327  # 1/√(2π), of the normal distribution


# --- sums of products, which is all that a recurrence does ----------------------------------------


def product_coefficient(u, w, k, times=lambda a, b: a * b):
    """(u ⋆ w)ₖ = Σ_{j=0..k} times(uⱼ, wₖ₋ⱼ), one coefficient of a product.

    >>> product_coefficient([1, 2, 3], [4, 5, 6], 2)
    28
    """
    total = times(u[0], w[k])
    for j in range(1, k + 1):
        total = total + times(u[j], w[k - j])
    return total


def chain_coefficient(u, c, k):
    """vₖ = (1/k) Σ_{j=1..k} j uⱼ cₖ₋ⱼ, from v′ = c u′; k ≥ 1. Here c is the series of the slope
    f′(u) and v = f(u).

    >>> chain_coefficient([0.0, 1.0, 0.0], [1.0, 1.0], 2)            # v = e^t: v₂ = 1/2
    0.5
    """
    total = u[1] * c[k - 1]
    for j in range(2, k + 1):
        total = total + j * u[j] * c[k - j]
    return total / k


def weighted_sum(js, xs, ys, over=1, start=None):
    """start + (1/over) Σ j x y.

    >>> weighted_sum([1, 2], [2, 4], [3, 5], over=2)
    23.0
    """
    total = None
    for j, x, y in zip(js, xs, ys):
        term = x * y if j == 1 else j * x * y
        total = term if total is None else total + term
    if total is None:
        return start
    total = total if over == 1 else total / over
    return total if start is None else start + total


class Arithmetic:
    """The rules of EQUATIONS for one kind of numbers.

    values: {name: f}, the functions at the constant coefficient. weighted sums products, in a faster
    way than weighted_sum if the numbers have one; number(like, c) is c as a number like another. A
    rule, arithmetic[name], takes (u, order) and returns (v, w), the series of f(u) and of the slope
    f′(u); u may be shorter than order + 1, and what is missing is zero.

    >>> from fractions import Fraction                                # tanh t = t − t³/3 + …
    >>> exact = Arithmetic({"tanh": lambda x: Fraction(0)})
    >>> v, w = exact["tanh"]([Fraction(0), Fraction(1)], 3)
    >>> print(*v)
    0 1 0 -1/3
    """

    def __init__(self, values, weighted=weighted_sum, number=lambda like, c: c):
        self.values = {"reciprocal": lambda x: 1 / x, **values}
        self.weighted, self.number = weighted, number

    def __getitem__(self, name):
        return EQUATIONS[name](self, name)

    def product(self, u, w, order):
        """u ⋆ w up to the order."""
        last = min(order, len(u) + len(w) - 2)
        return [self.convolved(u, w, k) for k in range(last + 1)]

    def convolved(self, u, w, k):
        """Σ_j uⱼ wₖ₋ⱼ."""
        first, last = max(0, k - len(w) + 1), min(k, len(u) - 1)
        pairs = u[first : last + 1], w[k - last : k - first + 1][::-1]
        return self.weighted([1] * (last + 1 - first), *pairs)

    def chained(self, u, w, k):
        """vₖ = (1/k) Σ_{j≥1} j uⱼ wₖ₋ⱼ."""
        first, last = max(1, k - len(w) + 1), min(k, len(u) - 1)
        if first > last:
            return self.number(u[0], 0)
        pairs = u[first : last + 1], w[k - last : k - first + 1][::-1]
        return self.weighted(range(first, last + 1), *pairs, k)

    def integrated(self, u, w, v0, order):
        """v = f(u) from v₀ and the finished series w of f′(u)."""
        last = min(order, len(u) + len(w) - 2) if len(u) > 1 else 0
        return [v0, *[self.chained(u, w, k) for k in range(1, last + 1)]]


# --- differential equations -----------------------------------------------------------------------


def riccati(a, b, c):
    """v′ = (a + b v + c v²) u′."""

    def bound(arithmetic, name):
        def rule(u, order):
            v = [arithmetic.values[name](u[0])]
            w = [_parabola(arithmetic, v, 0, b, c, a)]
            for k in range(1, order + 1 if len(u) > 1 else 1):
                v.append(arithmetic.chained(u, w, k))
                w.append(_parabola(arithmetic, v, k, b, c))
            return v, w

        return rule

    return bound


def _parabola(arithmetic, v, k, b, c, a=0):
    """(a + b v + c v ⋆ v)ₖ, each pair of the square once."""
    start = None if not b else v[k] if b == 1 else b * v[k]
    if a:
        start = arithmetic.number(v[0], a) if start is None else a + start
    if not c:
        return start
    half = (k + 1) // 2  # pairs; for an even k the one in the middle is a square
    factors = [2 * c] * half + [c] * (k % 2 == 0)
    return arithmetic.weighted(factors, v, v[::-1], 1, start)


def circular(partner, sign_value, sign_partner):
    """v′ = sign_value · g u′, and of the partner g′ = sign_partner · v u′."""

    def bound(arithmetic, name):
        def rule(u, order):
            v, g = [arithmetic.values[name](u[0])], [arithmetic.values[partner](u[0])]
            for k in range(1, order + 1 if len(u) > 1 else 1):
                v_k, g_k = arithmetic.chained(u, g, k), arithmetic.chained(u, v, k)
                v.append(v_k if sign_value == 1 else -v_k)
                g.append(g_k if sign_partner == 1 else -g_k)
            return v, g if sign_value == 1 else [-t for t in g]

        return rule

    return bound


def from_slope(slope):
    """v′ = w u′ with a slope w = slope(arithmetic, u, order) that is a series of its own."""

    def bound(arithmetic, name):
        def rule(u, order):
            w = slope(arithmetic, u, order)
            return arithmetic.integrated(u, w, arithmetic.values[name](u[0]), order), w

        return rule

    return bound


def real_power(r):
    """u v′ = r v u′, of v = u^r, u₀ ≠ 0: vₖ = (1/(k u₀)) Σ_{j=1..k} (r j − (k − j)) uⱼ vₖ₋ⱼ."""

    def bound(arithmetic, name):
        def rule(u, order):
            v = [arithmetic.values[name](u[0])]
            inverse, _ = arithmetic["reciprocal"](u, order)
            for k in range(1, order + 1 if len(u) > 1 else 1):
                places = range(1, min(k, len(u) - 1) + 1)
                factors = [r * j - (k - j) for j in places]
                pairs = u[1 : len(factors) + 1], v[::-1]
                v.append(arithmetic.weighted(factors, *pairs, k) * inverse[0])
            return v, [r * t for t in arithmetic.product(v, inverse, order)]

        return rule

    return bound


def times_u(factor):
    """v = u g(u), with g = factor(arithmetic, u, order) and its slope: w = g + u g′."""

    def bound(arithmetic, name):
        def rule(u, order):
            g, slope = factor(arithmetic, u, order)
            return (
                arithmetic.product(u, g, order),
                total(g, arithmetic.product(u, slope, order)),
            )

        return rule

    return bound


def scaled(u, factor):
    """factor · u."""
    return [factor * t for t in u]


def plus(u, shift):
    """u + shift."""
    return [u[0] + shift, *u[1:]]


def total(u, w):
    """u + w."""
    long, short = (u, w) if len(u) >= len(w) else (w, u)
    return [*[a + b for a, b in zip(long, short)], *long[len(short) :]]


def _reciprocal(arithmetic, u, order):
    return arithmetic["reciprocal"](u, order)[0]


def _bell(arithmetic, u, order):
    """e^{−u²}."""
    return arithmetic["exp"](scaled(arithmetic.product(u, u, order), -1), order)[0]


def _circle(sign, outer=1):
    """outer / √(1 + sign u²)."""
    return lambda arithmetic, u, order: scaled(
        arithmetic["rsqrt"](plus(scaled(arithmetic.product(u, u, order), sign), 1), order)[0], outer
    )


def _normal(arithmetic, u, order):
    """Φ(u), the normal distribution, and its density."""
    density = scaled(_bell(arithmetic, scaled(u, ROOT_HALF), order), DENSITY_AT_0)
    return arithmetic.integrated(u, density, arithmetic.values["ndtr"](u[0]), order), density


EQUATIONS = {
    "exp": riccati(0, 1, 0),
    "tanh": riccati(1, 0, -1),
    "sigmoid": riccati(0, 1, -1),
    "tan": riccati(1, 0, 1),
    "reciprocal": riccati(0, 0, -1),
    "sin": circular("cos", 1, -1),
    "cos": circular("sin", -1, 1),
    "sinh": circular("cosh", 1, 1),
    "cosh": circular("sinh", 1, 1),
    "sqrt": real_power(0.5),
    "rsqrt": real_power(-0.5),
    "log": from_slope(_reciprocal),
    "log1p": from_slope(lambda a, u, n: _reciprocal(a, plus(u, 1), n)),
    "expm1": from_slope(lambda a, u, n: a["exp"](u, n)[0]),
    "atan": from_slope(lambda a, u, n: _reciprocal(a, plus(a.product(u, u, n), 1), n)),
    "asin": from_slope(_circle(-1)),
    "acos": from_slope(_circle(-1, outer=-1)),
    "asinh": from_slope(_circle(1)),
    "softplus": from_slope(lambda a, u, n: a["sigmoid"](u, n)[0]),
    "erf": from_slope(lambda a, u, n: scaled(_bell(a, u, n), TWO_OVER_ROOT_PI)),
    "ndtr": from_slope(lambda a, u, n: _normal(a, u, n)[1]),
    "silu": times_u(lambda a, u, n: a["sigmoid"](u, n)),
    "gelu": times_u(_normal),
}


# --- the same, function by function, on lists ------------------------------------------------------


def _found(name, u, **values):
    """f(u) by the rule of this name, from its value and those of its partners at u₀."""
    given = {key: lambda _, value=value: value for key, value in values.items()}
    return Arithmetic(given)[name](u, len(u) - 1)[0]


def mul(u, w):
    """(u w)ₖ = Σ_j uⱼ wₖ₋ⱼ, Cauchy's product, as long as the shorter of the two.

    >>> mul([1, 1, 0], [1, 1, 0])
    [1, 2, 1]
    """
    return [product_coefficient(u, w, k) for k in range(min(len(u), len(w)))]


def div(u, w):
    """q = u / w from q w = u: qₖ = (uₖ − Σ_{j<k} qⱼ wₖ₋ⱼ) / w₀.

    >>> div([1.0, 0.0, 0.0], [1.0, 1.0, 0.0])
    [1.0, -1.0, 1.0]
    """
    q = []
    for k in range(min(len(u), len(w))):
        rest = u[k]
        for j in range(k):
            rest = rest - q[j] * w[k - j]
        q.append(rest / w[0])
    return q


def exp(u, e0):
    """e = exp u from e′ = e u′; e0 = exp(u₀).

    >>> exp([0.0, 1.0, 0.0, 0.0], 1.0)[2]
    0.5
    """
    return _found("exp", u, exp=e0)


def log(u, l0):
    """l = log u from l′ = (1/u) u′; l0 = log(u₀).

    >>> log([1.0, 1.0, 0.0], 0.0)
    [0.0, 1.0, -0.5]
    """
    return _found("log", u, log=l0)


def sin_cos(u, s0, c0):
    """(s, c) = (sin u, cos u) from s′ = c u′ and c′ = −s u′; s0 = sin(u₀), c0 = cos(u₀).

    >>> sin_cos([0.0, 1.0, 0.0, 0.0], 0.0, 1.0)[0][:3]
    [0.0, 1.0, 0.0]
    """
    both = {"sin": lambda _: s0, "cos": lambda _: c0}
    return Arithmetic(both)["sin"](u, len(u) - 1)


def tanh(u, t0):
    """t = tanh u from t′ = (1 − t²) u′; t0 = tanh(u₀).

    >>> tanh([0.0, 1.0, 0.0, 0.0], 0.0)[1]
    1.0
    """
    return _found("tanh", u, tanh=t0)


def sigmoid(u, s0):
    """s = 1 / (1 + e^{−u}) from s′ = (s − s²) u′; s0 = sigmoid(u₀).

    >>> sigmoid([0.0, 1.0, 0.0], 0.5)[1]
    0.25
    """
    return _found("sigmoid", u, sigmoid=s0)


def power(u, r, p0):
    """p = u^r from u p′ = r p u′; p0 = u₀^r and u₀ ≠ 0.

    >>> power([1.0, 1.0, 0.0], 0.5, 1.0)                            # √(1 + t) = 1 + t/2 − t²/8
    [1.0, 0.5, -0.125]
    """
    return real_power(r)(Arithmetic({"power": lambda _: p0}), "power")(u, len(u) - 1)[0]


def evaluate(u, t):
    """u(t) = Σ_k uₖ tᵏ by Horner's rule.

    >>> evaluate([1.0, 2.0, 3.0], 0.5)
    2.75
    """
    total = u[-1]
    for coefficient in reversed(u[:-1]):
        total = total * t + coefficient
    return total
