"""Truncated power series on plain lists: the recurrences of Taylor arithmetic.

A series is a list of normalised coefficients, u[k] = u⁽ᵏ⁾(0) / k!, and every function here returns
a list as long as the shortest series it was given. The coefficients may be anything with + − × ÷:
floats, arrays, fractions, tensors. This module imports nothing, so a function that needs a
transcendental value takes it as an argument: exp(u, e0) wants e0 = e^{u₀}. Each recurrence comes
from a differential equation that the function obeys (chapter 6; Griewank & Walther, *Evaluating
Derivatives*, 2nd ed., table 13.2).

>>> sine, cosine = sin_cos([0.0, 1.0, 0.0, 0.0], 0.0, 1.0)          # sin t = t − t³/6
>>> [round(c, 6) for c in sine]
[0.0, 1.0, 0.0, -0.166667]
"""


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


def mul(u, w):
    """(u w)ₖ = Σ_j uⱼ wₖ₋ⱼ, Cauchy's product.

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
    e = [e0]
    for k in range(1, len(u)):
        e.append(chain_coefficient(u, e, k))
    return e


def log(u, l0):
    """l = log u from u l′ = u′: lₖ = (uₖ − (1/k) Σ_{0<j<k} j lⱼ uₖ₋ⱼ) / u₀; l0 = log(u₀).

    >>> log([1.0, 1.0, 0.0], 0.0)
    [0.0, 1.0, -0.5]
    """
    l = [l0]
    for k in range(1, len(u)):
        rest = u[k]
        for j in range(1, k):
            rest = rest - j * l[j] * u[k - j] / k
        l.append(rest / u[0])
    return l


def sin_cos(u, s0, c0):
    """(s, c) = (sin u, cos u) from s′ = c u′ and c′ = −s u′; s0 = sin(u₀), c0 = cos(u₀).

    >>> sin_cos([0.0, 1.0, 0.0, 0.0], 0.0, 1.0)[0][:3]
    [0.0, 1.0, 0.0]
    """
    s, c = [s0], [c0]
    for k in range(1, len(u)):
        s_k, c_k = chain_coefficient(u, c, k), -chain_coefficient(u, s, k)
        s.append(s_k)
        c.append(c_k)
    return s, c


def tanh(u, t0):
    """t = tanh u from t′ = (1 − t²) u′; t0 = tanh(u₀).

    >>> tanh([0.0, 1.0, 0.0, 0.0], 0.0)[1]
    1.0
    """
    t, slope = [t0], []
    for k in range(1, len(u)):
        slope.append((1 if k == 1 else 0) - product_coefficient(t, t, k - 1))
        t.append(chain_coefficient(u, slope, k))
    return t


def sigmoid(u, s0):
    """s = 1 / (1 + e^{−u}) from s′ = (s − s²) u′; s0 = sigmoid(u₀).

    >>> sigmoid([0.0, 1.0, 0.0], 0.5)[1]
    0.25
    """
    s, slope = [s0], []
    for k in range(1, len(u)):
        slope.append(s[k - 1] - product_coefficient(s, s, k - 1))
        s.append(chain_coefficient(u, slope, k))
    return s


def power(u, r, p0):
    """p = u^r from u p′ = r p u′: pₖ = (1/(k u₀)) Σ_{j=1..k} (r j − (k − j)) uⱼ pₖ₋ⱼ; p0 = u₀^r and
    u₀ ≠ 0.

    >>> power([1.0, 1.0, 0.0], 0.5, 1.0)                            # √(1 + t) = 1 + t/2 − t²/8
    [1.0, 0.5, -0.125]
    """
    p = [p0]
    for k in range(1, len(u)):
        total = r * u[1] * p[k - 1] - (k - 1) * u[1] * p[k - 1]
        for j in range(2, k + 1):
            total = total + (r * j - (k - j)) * u[j] * p[k - j]
        p.append(total / (k * u[0]))
    return p


def evaluate(u, t):
    """u(t) = Σ_k uₖ tᵏ by Horner's rule.

    >>> evaluate([1.0, 2.0, 3.0], 0.5)
    2.75
    """
    total = u[-1]
    for coefficient in reversed(u[:-1]):
        total = total * t + coefficient
    return total
