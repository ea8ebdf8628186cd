"""Taylor mode: orders up to 30, the recurrences of companion.series, cost, nesting."""

from math import comb, factorial

import mpmath
import numpy as np
import pytest

import companion.engines as ce
from companion import series
from companion.engines import Dual, Jet, Var, derivatives, grad, gradients, taylor

U = [0.7, *np.random.default_rng(0).uniform(-1, 1, 12)]


def exact(f, x, order):
    """[f, f′, …] at x by mpmath."""
    with mpmath.workdps(40):
        return np.array([float(d) for d in mpmath.diffs(f, mpmath.mpf(x), order)])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (ce.exp, lambda u: series.exp(u, np.exp(u[0]))),
        (ce.log, lambda u: series.log(u, np.log(u[0]))),
        (ce.sin, lambda u: series.sin_cos(u, np.sin(u[0]), np.cos(u[0]))[0]),
        (ce.cos, lambda u: series.sin_cos(u, np.sin(u[0]), np.cos(u[0]))[1]),
        (ce.tanh, lambda u: series.tanh(u, np.tanh(u[0]))),
        (ce.sigmoid, lambda u: series.sigmoid(u, 1 / (1 + np.exp(-u[0])))),
        (ce.sqrt, lambda u: series.power(u, 0.5, u[0] ** 0.5)),
        (lambda x: x**-2.5, lambda u: series.power(u, -2.5, u[0] ** -2.5)),
        (lambda x: x * x, lambda u: series.mul(u, u)),
        (lambda x: x / (1 + x), lambda u: series.div(u, [1 + u[0], *u[1:]])),
    ],
    ids=["exp", "log", "sin", "cos", "tanh", "sigmoid", "sqrt", "power", "mul", "div"],
)
def test_the_rules_find_what_the_recurrences_find(ours, theirs):
    """One slope in the table does the work of a hand-written recurrence."""
    expected = theirs(U)
    np.testing.assert_allclose(
        ours(Jet(U)).coefficients, expected, rtol=0, atol=1e-13 * np.max(np.abs(expected))
    )


ORDER_30 = {
    "exp": (ce.exp, mpmath.exp, 0.3),
    "log": (ce.log, mpmath.log, 2.0),
    "sin": (ce.sin, mpmath.sin, 0.3),
    "tan": (ce.tan, mpmath.tan, 0.3),
    "tanh": (ce.tanh, mpmath.tanh, 0.3),
    "sqrt": (ce.sqrt, mpmath.sqrt, 2.0),
    "arctan": (ce.arctan, mpmath.atan, 1.3),
    "arcsin": (ce.arcsin, mpmath.asin, 0.3),
    "cosh": (ce.cosh, mpmath.cosh, 0.3),
    "runge": (lambda x: 1 / (1 + x * x), lambda x: 1 / (1 + x * x), 0.5),
    "bell": (lambda x: ce.exp(-x * x), lambda x: mpmath.exp(-x * x), 0.5),
    "chain": (
        lambda x: ce.sin(ce.exp(x)) / (2 + ce.cos(x)),
        lambda x: mpmath.sin(mpmath.exp(x)) / (2 + mpmath.cos(x)),
        0.4,
    ),
    "softplus": (ce.softplus, lambda x: mpmath.log(1 + mpmath.exp(x)), 0.4),
}


@pytest.mark.parametrize("name", ORDER_30)
def test_orders_up_to_30(name):
    """Relative to the size that the coefficients have around k: where one is nearly zero, rounding
    of its peers shows.
    """
    f, g, x = ORDER_30[name]
    found, expected = derivatives(f, x, 30), exact(g, x, 30)
    scale = np.array([np.max(np.abs(expected[max(0, k - 2) : k + 3])) for k in range(31)])
    assert np.max(np.abs(found - expected) / scale) < 1e-11


@pytest.mark.parametrize(
    ("f", "g"), [(ce.tanh, mpmath.tanh), (lambda x: 1 / (1 + x * x), lambda x: 1 / (1 + x * x))]
)
@pytest.mark.parametrize("x", [0.0, 0.3, 1.0])
def test_tanh_and_runge_to_order_20(f, g, x):
    expected = exact(g, x, 20)
    np.testing.assert_allclose(derivatives(f, x, 20), expected, rtol=1e-12, atol=1e-15)


def test_sin_to_order_20_is_a_cycle_of_four():
    assert derivatives(ce.sin, 0.0, 20) == pytest.approx([0, 1, 0, -1] * 5 + [0], abs=1e-15)


def test_a_fourth_power_is_exact():
    assert derivatives(lambda x: x**4, 0.0, 6) == [0, 0, 0, 0, 24, 0, 0]
    assert taylor(lambda x: x**4, 3.0, order=6) == [
        comb(4, k) * 3.0 ** (4 - k) if k < 5 else 0.0 for k in range(7)
    ]


def test_identities():
    u = Jet(U)
    for f, expected in [
        (ce.log(ce.exp(u)), U),
        (ce.sin(u) ** 2 + ce.cos(u) ** 2, [1.0] + [0.0] * 12),
        (ce.cosh(u) ** 2 - ce.sinh(u) ** 2, [1.0] + [0.0] * 12),
        (u * (1 / u), [1.0] + [0.0] * 12),
        (ce.tan(ce.arctan(u)), U),
        (ce.arcsin(u) + ce.arccos(u), [np.pi / 2] + [0.0] * 12),
        (ce.log1p(ce.expm1(u)), U),
        (ce.softplus(u) - ce.softplus(-u), U),
        (ce.sqrt(u) ** 2, U),
    ]:
        np.testing.assert_allclose(
            f.coefficients, expected, rtol=0, atol=1e-10
        )  # sums of terms up to 10⁴ cancel


def test_a_jet_on_arrays_is_a_jet_on_each_element():
    x = np.array([0.2, 0.5, 1.4])
    f = lambda x: ce.tanh(x) * ce.exp(-x) + ce.log(x)
    np.testing.assert_allclose(
        np.transpose(derivatives(f, x, 8)), [derivatives(f, float(a), 8) for a in x], rtol=1e-13
    )


def test_taylor_along_a_direction():
    """The second coefficient along v is ½ vᵀ H v."""
    x, v = np.array([0.3, 0.8]), np.array([1.0, -2.0])
    f = lambda x: ce.exp(x[0]) * ce.sin(x[1]) + x[0] ** 3 * x[1]
    _y, slope, bend = taylor(f, x, v, order=2)
    assert slope == pytest.approx(grad(f)(x) @ v, rel=1e-14)
    assert bend == pytest.approx(v @ ce.hessian(f)(x) @ v / 2, rel=1e-14)
    assert taylor(f, x, 1.0, order=1)[1] == pytest.approx(grad(f)(x).sum(), rel=1e-14)


def test_orders_zero_and_one():
    assert taylor(ce.sin, 0.0, order=0) == [0.0]
    assert taylor(ce.sin, 0.0, order=1) == [0.0, 1.0]
    assert derivatives(lambda x: 3.0, 0.5, 3) == [3.0, 0.0, 0.0, 0.0]


def test_coefficients_are_normalised_and_derivatives_are_not():
    coefficients, plain = taylor(ce.exp, 0.0, order=9), derivatives(ce.exp, 0.0, 9)
    assert coefficients == pytest.approx([1 / factorial(k) for k in range(10)], rel=1e-15)
    assert plain == pytest.approx([1.0] * 10, rel=1e-14)


def test_two_jets_combine_to_the_lower_order():
    assert (Jet([1.0, 1.0, 1.0]) * Jet([1.0, 1.0])).coefficients == [1.0, 2.0]
    assert (Jet([1.0, 2.0]) + 3).coefficients == [4.0, 2.0]
    assert (3 - Jet([1.0, 2.0])).order == 1


def test_a_jet_of_order_one_is_a_dual():
    f = lambda x: ce.sin(x) / (1 + x * x) ** 1.5
    jet, dual = f(Jet([0.4, 2.0])), f(Dual(0.4, 2.0))
    assert jet.coefficients == pytest.approx([dual.primal, dual.tangent], rel=1e-15)


# --- cost, counted ----------------------------------------------------------------------------


NETWORK = lambda x: ce.tanh(ce.sin(x) * ce.exp(x)) / (2 + ce.cos(x))


@pytest.mark.parametrize(
    "f",
    [
        ce.exp,
        ce.sin,
        ce.tanh,
        ce.sigmoid,
        ce.tan,
        ce.arctan,
        ce.sqrt,
        lambda x: x**1.5,
        lambda x: x**7,
        lambda x: x**x,
        NETWORK,
    ],
    ids=[
        "exp",
        "sin",
        "tanh",
        "sigmoid",
        "tan",
        "arctan",
        "sqrt",
        "x^1.5",
        "x^7",
        "x^x",
        "network",
    ],
)
def test_the_cost_grows_as_the_square_of_the_order(f):
    """A jet of Vars writes every operation on coefficients down. From order 20 to 40 their number
    rises about fourfold.

    In n³ it would be nearly eightfold, in 2ⁿ a millionfold.
    """

    def operations(order):
        x = Var(0.3)
        return len(ce.tape(*taylor(f, x, order=order)))

    assert 2.8 < operations(40) / operations(20) < 4.5


def test_sin_meets_itself_again():
    """The slope of sin is cos, whose slope is −sin: order 400 must not open 400 levels, nor 2⁴⁰⁰
    operations.
    """
    found = taylor(ce.sin, 0.0, order=400)
    assert found[151] == pytest.approx(-1 / factorial(151), rel=1e-13)


# --- jets of other engines --------------------------------------------------------------------


def test_taylor_of_grad():
    """The series of f′ is the derivative of the series of f."""
    f = lambda x: ce.exp(ce.sin(x)) * x
    found, expected = derivatives(grad(f), 0.4, 6), derivatives(f, 0.4, 7)[1:]
    np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_grad_of_a_taylor_coefficient():
    f = lambda x: ce.exp(ce.sin(x)) * x
    for k in range(6):
        found = grad(lambda x, k=k: derivatives(f, x, k)[k])(0.4)
        assert found == pytest.approx(derivatives(f, 0.4, k + 1)[k + 1], rel=1e-12)


def test_grad_of_a_coefficient_in_a_parameter():
    """∂/∂a of the third derivative of sin(a x) in x: ∂/∂a(−a³ cos ax)."""
    a, x = 1.7, 0.4
    found = grad(lambda a: derivatives(lambda x: ce.sin(a * x), x, 3)[3])(a)
    assert found == pytest.approx(-3 * a**2 * np.cos(a * x) + a**3 * x * np.sin(a * x), rel=1e-13)


def test_taylor_of_taylor():
    """Mixed partials: ∂²ₓ ∂³ᵧ of e^{xy}."""
    x0, y0 = 0.3, 0.7
    inner = lambda x: derivatives(lambda y: ce.exp(x * y), y0, 3)[3]
    exact = mpmath.diff(lambda x, y: mpmath.exp(x * y), (x0, y0), (2, 3))
    assert derivatives(inner, x0, 2)[2] == pytest.approx(float(exact), rel=1e-13)


def test_jets_of_duals_and_duals_of_jets():
    f = lambda x: ce.tanh(x) * ce.exp(x)
    expected = derivatives(f, 0.4, 4)
    outside = f(Jet([Dual(0.4, 1.0), Dual(1.0, 0.0), Dual(0.0, 0.0), Dual(0.0, 0.0)]))
    assert [c.tangent * factorial(k) for k, c in enumerate(outside.coefficients)] == pytest.approx(
        expected[1:], rel=1e-13
    )
    inside = f(Dual(Jet([0.4, 1.0, 0.0, 0.0]), Jet([1.0, 0.0, 0.0, 0.0])))
    tangents = inside.tangent.coefficients
    assert [c * factorial(k) for k, c in enumerate(tangents)] == pytest.approx(
        expected[1:], rel=1e-13
    )


def test_gradients_of_a_jet_of_vars():
    """Gradients of a series are the series of gradients."""
    x = Var(0.4)
    y = ce.exp(Jet([x, 1.0, 0.0]))
    [g] = gradients(y, [x])
    assert [c.value for c in g.coefficients] == pytest.approx(
        [np.exp(0.4) / factorial(k) for k in range(3)], rel=1e-15
    )


def test_closures_over_older_values():
    x = Var(0.3)
    y = derivatives(lambda t: ce.sin(x * t), 0.5, 2)[2]
    assert gradients(y, [x])[0].value == pytest.approx(
        -0.6 * np.sin(0.15) - 0.09 * 0.5 * np.cos(0.15), rel=1e-14
    )
    assert derivatives(lambda t: t * derivatives(lambda s: s * t, 1.0, 1)[1], 3.0, 2) == [
        9.0,
        6.0,
        2.0,
    ]


def test_a_jet_shows_its_coefficients():
    assert repr(Jet([1, 0.5])) == "Jet([1, 0.5])"
    assert repr(Jet([np.array([1.0, 2.0]), np.zeros(2)])) == "Jet([[1., 2.], [0., 0.]])"
