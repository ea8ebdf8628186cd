"""The recurrences on lists: identities, exact rationals, mpmath, and the number of
multiplications.
"""

from fractions import Fraction
from math import comb

import mpmath
import numpy as np
import pytest
import sympy

from companion import series

K = 12
RNG = np.random.default_rng(0)
U = [0.7, *RNG.uniform(-1, 1, K)]
W = [1.3, *RNG.uniform(-1, 1, K)]
ONE = [1.0] + [0.0] * K


def exact(f, u, order=K):
    """Normalised Taylor coefficients of f(u(t)) by mpmath, with 40 digits."""
    with mpmath.workdps(40):
        v = mpmath.taylor(
            lambda t: f(mpmath.polyval([mpmath.mpf(c) for c in u[::-1]], t)), 0, order
        )
        return np.array([float(c) for c in v])


def close(found, expected, rtol=1e-12):
    """Relative to the largest coefficient: the recurrences sum terms of that size."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=rtol * np.max(np.abs(expected)))


FORMS = {
    "exp": (lambda u: series.exp(u, np.exp(u[0])), mpmath.exp),
    "log": (lambda u: series.log(u, np.log(u[0])), mpmath.log),
    "sin": (lambda u: series.sin_cos(u, np.sin(u[0]), np.cos(u[0]))[0], mpmath.sin),
    "cos": (lambda u: series.sin_cos(u, np.sin(u[0]), np.cos(u[0]))[1], mpmath.cos),
    "tanh": (lambda u: series.tanh(u, np.tanh(u[0])), mpmath.tanh),
    "sigmoid": (
        lambda u: series.sigmoid(u, 1 / (1 + np.exp(-u[0]))),
        lambda x: 1 / (1 + mpmath.exp(-x)),
    ),
    "sqrt": (lambda u: series.power(u, 0.5, u[0] ** 0.5), mpmath.sqrt),
    "power -2.5": (
        lambda u: series.power(u, -2.5, u[0] ** -2.5),
        lambda x: x ** mpmath.mpf("-2.5"),
    ),
    "cube": (lambda u: series.power(u, 3, u[0] ** 3), lambda x: x**3),
    "square": (lambda u: series.mul(u, u), lambda x: x * x),
    "reciprocal": (lambda u: series.div(ONE, u), lambda x: 1 / x),
}


@pytest.mark.parametrize("name", FORMS)
def test_against_mpmath(name):
    ours, theirs = FORMS[name]
    close(ours(U), exact(theirs, U))


def test_log_of_exp():
    close(series.log(series.exp(U, np.exp(U[0])), U[0]), U)
    close(series.exp(series.log(W, np.log(W[0])), W[0]), W)


def test_sin_squared_plus_cos_squared():
    s, c = series.sin_cos(U, np.sin(U[0]), np.cos(U[0]))
    close(np.add(series.mul(s, s), series.mul(c, c)), ONE)


def test_a_series_times_its_reciprocal():
    close(series.mul(W, series.div(ONE, W)), ONE)
    close(series.mul(W, series.div(U, W)), U)


def test_tanh_is_a_sigmoid():
    """tanh u = 2 σ(2u) − 1."""
    s = series.sigmoid([2 * c for c in U], 1 / (1 + np.exp(-2 * U[0])))
    close(series.tanh(U, np.tanh(U[0])), np.subtract(np.multiply(2, s), ONE))


def test_powers_add():
    close(series.mul(series.power(W, 0.3, W[0] ** 0.3), series.power(W, 0.7, W[0] ** 0.7)), W)


def test_fourth_power_in_exact_rationals():
    x = [Fraction(2, 3), Fraction(1), *[Fraction(0)] * 4]
    expected = [comb(4, k) * Fraction(2, 3) ** (4 - k) if k <= 4 else 0 for k in range(6)]
    assert series.mul(series.mul(x, x), series.mul(x, x)) == expected
    assert series.power(x, 4, x[0] ** 4) == expected


def test_geometric_series_in_exact_rationals():
    """1/(1 + t²) = 1 − t² + t⁴ − …"""
    one, w = (
        [Fraction(int(k == 0)) for k in range(9)],
        [Fraction(int(k in (0, 2))) for k in range(9)],
    )
    assert series.div(one, w) == [1, 0, -1, 0, 1, 0, -1, 0, 1]


@pytest.mark.parametrize("name", ["tanh", "tan", "sin", "sinh", "atan", "log1p", "expm1"])
def test_the_equations_in_exact_rationals(name):
    """The very equations that train networks, at 0, where these functions have rational coefficients."""
    one, zero = lambda x: Fraction(1), lambda x: Fraction(0)
    values = {"cos": one, "cosh": one, "exp": one, name: zero}
    found, _ = series.Arithmetic(values)[name]([Fraction(0), Fraction(1)], 9)
    t = sympy.Symbol("t")
    f = {"log1p": sympy.log(1 + t), "expm1": sympy.exp(t) - 1}.get(name)
    expected = sympy.series(f or getattr(sympy, name)(t), t, 0, 10).removeO()
    assert [sympy.Rational(c.numerator, c.denominator) for c in map(Fraction, found)] == [
        expected.coeff(t, k) for k in range(10)
    ]


def test_tanh_to_order_20():
    t = [0.5, 1.0, *[0.0] * 19]
    np.testing.assert_allclose(series.tanh(t, np.tanh(0.5)), exact(mpmath.tanh, t, 20), rtol=1e-12)


def test_a_series_is_as_long_as_the_shorter():
    assert series.mul([1, 2, 3], [1, 1]) == [1, 3]
    assert series.div([1.0], [2.0, 5.0]) == [0.5]
    assert series.exp([0.0], 1.0) == [1.0]


def test_the_arguments_are_left_alone():
    u = list(U)
    for ours, _ in FORMS.values():
        ours(u)
    assert u == U


def test_coefficients_may_be_arrays():
    u = [np.array([0.3, 0.9]), np.array([1.0, 2.0]), np.zeros(2)]
    by_element = [series.tanh([c[i] for c in u], np.tanh(u[0][i])) for i in range(2)]
    np.testing.assert_allclose(np.transpose(series.tanh(u, np.tanh(u[0]))), by_element, rtol=1e-15)


def test_one_coefficient_of_a_product_and_of_a_chain():
    assert series.product_coefficient([1, 2, 3], [4, 5, 6], 2) == 1 * 6 + 2 * 5 + 3 * 4
    assert series.product_coefficient([2, 3], [5, 7], 1, times=pow) == 2**7 + 3**5
    assert (
        series.chain_coefficient([9, 2, 3, 5], [7, 11, 13], 3)
        == (1 * 2 * 13 + 2 * 3 * 11 + 3 * 5 * 7) / 3
    )


def test_evaluate_is_the_polynomial():
    assert series.evaluate([1, 2, 3], 10) == 321
    assert series.evaluate([4], 10) == 4


class Counted:
    """A number that counts the multiplications made with it."""

    made = 0

    def __init__(self, x):
        self.x = x

    def __mul__(self, other):
        Counted.made += 1
        return Counted(self.x * getattr(other, "x", other))

    __rmul__ = __mul__

    def __add__(self, other):
        return Counted(self.x + getattr(other, "x", other))

    __radd__ = __add__

    def __sub__(self, other):
        return Counted(self.x - getattr(other, "x", other))

    def __rsub__(self, other):
        return Counted(getattr(other, "x", other) - self.x)

    def __neg__(self):
        return Counted(-self.x)

    def __truediv__(self, other):
        return Counted(self.x / getattr(other, "x", other))

    def __rtruediv__(self, other):
        return Counted(other / self.x)


def multiplications(f, n):
    Counted.made = 0
    f([Counted(1.0 / (k + 1)) for k in range(n + 1)])
    return Counted.made


@pytest.mark.parametrize(
    "f",
    [
        lambda u: series.mul(u, u),
        lambda u: series.div(u, u),
        lambda u: series.exp(u, Counted(2.0)),
        lambda u: series.log(u, Counted(0.0)),
        lambda u: series.sin_cos(u, Counted(0.8), Counted(0.5)),
        lambda u: series.tanh(u, Counted(0.7)),
        lambda u: series.sigmoid(u, Counted(0.7)),
        lambda u: series.power(u, 0.5, Counted(1.0)),
    ],
    ids=["mul", "div", "exp", "log", "sin_cos", "tanh", "sigmoid", "power"],
)
def test_the_cost_grows_as_the_square_of_the_order(f):
    """From order 40 to 80 a cost in n² is about 4 times as high, one in n about twice, one in n³
    about 8 times.
    """
    assert 3.5 < multiplications(f, 80) / multiplications(f, 40) < 4.5
