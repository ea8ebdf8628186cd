"""Differences: errors with the right slopes, measured optima, counted evaluations, every message."""

from fractions import Fraction as F

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.engines.differences import (
    best_step,
    complex_step,
    difference,
    difference_gradient,
    richardson,
)
from companion.engines.error_curves import error_curve, measured_best, running_median
from companion.engines.stencils import leading_error, scheme_offsets


def f(x):
    """The function of the book in its first input, with the second held at 5."""
    return np.log(x) + 5 * x - np.sin(np.asarray(5, dtype=np.asarray(x).dtype))


def f_of_both(x):
    return np.log(x[0]) + x[0] * x[1] - np.sin(x[1])


class Counted:
    """A function that counts its calls."""

    def __init__(self, function):
        self.function, self.calls = function, 0

    def __call__(self, x):
        self.calls += 1
        return self.function(x)


# -------------------------------------------------------------------------------------- difference


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("scheme", ["forward", "backward", "central", "wide"])
def test_difference_against_mpmath(order, scheme):
    if scheme == "wide":
        scheme = range(-4, 5)
    exact = float(mpmath.diff(mpmath.tanh, 0.7, order))
    offsets = scheme_offsets(scheme, order)
    accuracy, _ = leading_error(offsets, order)
    tolerance = 300 * np.finfo(float).eps ** (accuracy / (order + accuracy))
    assert difference(np.tanh, 0.7, order=order, scheme=scheme) == pytest.approx(
        exact, abs=tolerance
    )


@given(
    st.lists(st.integers(-9, 9), min_size=1, max_size=5),
    st.integers(-8, 8),
    st.sampled_from([F(1, 4), F(1, 2), F(1), F(2)]),
    st.integers(1, 4),
    st.sampled_from(["forward", "backward", "central"]),
)
def test_difference_is_exact_on_low_polynomials(coefficients, x, h, order, scheme):
    size = len(scheme_offsets(scheme, order))
    polynomial = np.polynomial.Polynomial(coefficients[:size])
    exact = polynomial.deriv(order)(x)
    # small dyadic numbers: every operation is exact until the final division by a denominator
    found = difference(polynomial, float(x), float(h), order=order, scheme=scheme)
    assert found == pytest.approx(exact, rel=1e-15, abs=0)


SLOPES = [("forward", 1), ("backward", 1), ("central", 1), ("forward", 2), ("central", 2)]
SLOPES += [("central", 3), ("central", 4), ((-2, -1, 0, 1, 2), 1), ((0, 1, 2, 3), 1)]


@pytest.mark.parametrize(("scheme", "order"), SLOPES)
def test_truncation_falls_with_the_accuracy_of_the_scheme(scheme, order):
    accuracy, _ = leading_error(scheme_offsets(scheme, order), order)
    exact = float(mpmath.diff(mpmath.sin, 0.6, order))
    hs = np.logspace(-2, -1, 20)
    errors = error_curve(
        lambda h: difference(np.sin, 0.6, h, order=order, scheme=scheme), exact, hs
    )
    assert np.polyfit(np.log(hs), np.log(errors), 1)[0] == pytest.approx(accuracy, abs=0.1)


@pytest.mark.parametrize(
    ("scheme", "order", "low", "high"),
    [("forward", 1, -13, -9), ("central", 1, -12, -7), ("central", 2, -7, -4)],
)
def test_rounding_rises_with_the_order_of_the_derivative(scheme, order, low, high):
    hs = np.logspace(low, high, 300)
    exact = {1: 5.5, 2: -0.25}[order]
    errors = error_curve(lambda h: difference(f, 2.0, h, order=order, scheme=scheme), exact, hs)
    slope = np.polyfit(np.log(hs), np.log(running_median(hs, errors)), 1)[0]
    assert slope == pytest.approx(-order, abs=0.25)


@pytest.mark.parametrize(
    ("scheme", "order", "dtype", "step", "error"),
    [  # measured at (2, 5)
        ("forward", 1, np.float64, 8e-8, 1.7e-8),
        ("central", 1, np.float64, 1.4e-5, 3.6e-11),
        ("central", 2, np.float64, 1.2e-4, 1e-8),
        ("central", 1, np.float32, 5e-3, 2e-5),
    ],
)
def test_measured_optimum(scheme, order, dtype, step, error):
    hs = np.logspace(-14 if dtype is np.float64 else -6, 0, 561)
    estimate = lambda h: difference(f, dtype(2), h, order=order, scheme=scheme)
    h, typical = measured_best(hs, error_curve(estimate, {1: 5.5, 2: -0.25}[order], hs))
    assert step / 4 < h < step * 4
    assert error / 4 < typical < error * 4


def test_default_step_is_within_a_decade_of_the_best_error_for_central():
    assert abs(difference(f, 2.0) - 5.5) < 1e-9
    assert abs(difference(f, np.float32(2)) - 5.5) < 1e-3


def test_the_step_is_rounded_to_the_machine_numbers():
    # x + h as computed is not x + h as meant: for f = x the naive quotient is visibly not 1.
    h = 1e-10
    assert abs(((2.0 + h) - 2.0) / h - 1) > 1e-8
    for x in (2.0, -2.0, 1e5):
        assert difference(lambda x: x, x, h, scheme="forward") == 1.0
        assert difference(lambda x: x, x, h) == 1.0


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3)])
def test_dtype_and_shape_are_kept(dtype, shape):
    x = np.full(shape, 2, dtype)
    for scheme in ("forward", "backward", "central"):
        result = difference(np.exp, x, scheme=scheme)
        assert result.dtype == dtype
        assert result.shape == shape
    assert difference(np.exp, x, 0.25, order=2).dtype == dtype
    assert richardson(np.exp, x, 0.5).value.dtype == dtype
    assert difference_gradient(np.sum, x).dtype == dtype
    assert difference_gradient(np.sum, x).shape == shape
    if dtype is not np.float16:  # NumPy has no complex numbers of half precision
        assert complex_step(np.exp, x).dtype == dtype
        assert complex_step(np.exp, x).shape == shape


def test_f_sees_the_dtype_of_x():
    seen = set()
    difference(lambda x: seen.add(x.dtype) or x, np.float32(2), 0.1)
    difference_gradient(lambda x: seen.add(x.dtype) or x.sum(), np.ones(2, np.float32))
    assert seen == {np.dtype(np.float32)}


def test_integers_become_float64():
    assert difference(np.sin, 1).dtype == np.float64
    assert difference(np.sin, 1) == difference(np.sin, 1.0)
    assert complex_step(np.sin, [1, 2]).dtype == np.float64
    assert difference_gradient(f_of_both, [2, 5]) == pytest.approx([5.5, 1.716338], abs=1e-6)


def test_one_number_in_an_array_out():
    curve = difference(lambda t: np.array([np.cos(t), np.sin(t)]), 0.5)
    assert curve == pytest.approx([-np.sin(0.5), np.cos(0.5)], abs=1e-9)


def test_a_step_for_each_point_and_mutating_functions():
    x = np.array([1.0, 100.0])
    assert difference(np.log, x, np.array([1e-5, 1e-3])) == pytest.approx(1 / x, rel=1e-8)

    def careless(x):
        x *= 2
        return x.sum()

    assert difference_gradient(careless, x) == pytest.approx([2, 2])
    assert x.tolist() == [1.0, 100.0]


def test_a_tiny_step_at_zero_does_not_underflow():
    assert difference(lambda x: x * 1e200, 0.0, 1e-200, order=2) == 0


@pytest.mark.parametrize(
    ("scheme", "order", "calls"),
    [("forward", 1, 2), ("central", 1, 2), ("central", 2, 3), ("central", 3, 4), ("forward", 3, 4)],
)
def test_difference_counts(scheme, order, calls):
    counted = Counted(np.sin)
    difference(counted, 1.0, scheme=scheme, order=order)
    assert counted.calls == calls


# ---------------------------------------------------------------- complex step, Richardson, gradient


@pytest.mark.parametrize(
    ("function", "exact"),
    [
        (np.exp, mpmath.exp),
        (np.sin, mpmath.cos),
        (np.tanh, lambda x: mpmath.sech(x) ** 2),
        (lambda x: 1 / (1 + x * x), lambda x: -2 * x / (1 + x * x) ** 2),
        (lambda x: np.exp(x) / np.sqrt(x), lambda x: mpmath.exp(x) * (2 * x - 1) / 2 / x**1.5),
    ],
)
def test_complex_step_to_the_last_digits(function, exact):
    x = np.linspace(0.3, 2, 18)
    wanted = np.array([float(exact(mpmath.mpf(float(v)))) for v in x])
    np.testing.assert_allclose(complex_step(function, x), wanted, rtol=2e-15)


def test_complex_step_does_not_depend_on_the_step():
    errors = error_curve(lambda h: complex_step(f, 2.0, h), 5.5, np.logspace(-200, -9, 50))
    assert errors.max() < 2e-15


@pytest.mark.parametrize("scheme", ["forward", "central", (-2, -1, 0, 1, 2)])
@pytest.mark.parametrize("order", [1, 2])
def test_richardson_beats_its_first_column(scheme, order):
    x = np.array([0.3, 1.0, 2.0])
    exact = np.array([float(mpmath.diff(mpmath.sin, v, order)) for v in x])
    value, error, table = richardson(np.sin, x, 0.8, levels=7, order=order, scheme=scheme)
    assert table.shape == (7, 7, 3)
    assert np.isnan(table[np.triu_indices(7, 1)]).all()
    assert np.isfinite(table[np.tril_indices(7)]).all()
    found = np.abs(value - exact)
    assert (found < 1e-9).all()
    assert (found <= error + 1e-12).all()
    assert (found < 1e-2 * np.abs(table[-1, 0] - exact)).all()


def test_each_column_of_richardson_removes_a_power():
    table = richardson(np.exp, 0.0, 1.0, levels=4).table
    errors = np.abs(table - 1)
    assert errors[2, 0] / errors[3, 0] == pytest.approx(4, rel=0.05)
    assert errors[2, 1] / errors[3, 1] == pytest.approx(16, rel=0.05)
    assert errors[2, 2] / errors[3, 2] == pytest.approx(64, rel=0.05)


@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.parametrize(
    ("scheme", "calls"), [("forward", lambda n: n + 1), ("central", lambda n: 2 * n)]
)
def test_gradient_counts(n, scheme, calls):
    counted = Counted(lambda x: np.sum(np.sin(x)))
    x = np.linspace(-1, 2, n)
    assert difference_gradient(counted, x, scheme=scheme) == pytest.approx(np.cos(x), abs=1e-6)
    assert counted.calls == calls(n)


def test_gradient_keeps_the_shape_and_scales_the_steps():
    x = np.array([[1.0, -10.0], [1e3, 1e6]])
    result = difference_gradient(lambda x: np.sum(np.log(x * x)), x, scheme="central")
    np.testing.assert_allclose(result, 2 / x, rtol=1e-8)


# -------------------------------------------------------------------------------------------- steps


def test_best_step_is_the_root_of_eps():
    eps = np.finfo(float).eps
    assert best_step("forward") == eps ** (1 / 2)
    assert best_step("central") == eps ** (1 / 3)
    assert best_step("central", order=2) == eps ** (1 / 4)
    assert best_step((-2, -1, 0, 1, 2)) == eps ** (1 / 5)
    assert best_step("central", np.float32, scale=[1, 10]).dtype == np.float32
    assert best_step(scale=np.array([1.0, 10.0])) == pytest.approx(
        [eps ** (1 / 3), 10 * eps ** (1 / 3)]
    )


# ------------------------------------------------------------------------------------------ messages

MESSAGES = [
    (lambda: difference(np.sin, np.nan), ValueError, "x = nan: NaN or infinite"),
    (lambda: difference(np.sin, [1.0, np.inf]), ValueError, "NaN or infinite; a derivative needs"),
    (lambda: difference(np.sin, []), ValueError, r"x is empty, shape \(0,\)"),
    (lambda: complex_step(np.sin, np.zeros((0, 2))), ValueError, r"x is empty, shape \(0, 2\)"),
    (lambda: difference_gradient(np.sum, []), ValueError, "x is empty"),
    (lambda: difference(np.sin, 1j), TypeError, "x has dtype complex128; differences need real"),
    (lambda: complex_step(np.sin, 1j), TypeError, "x has dtype complex128"),
    (lambda: difference(np.sin, "1"), TypeError, "x has dtype <U1"),
    (lambda: difference(np.sin, 1.0, 0.0), ValueError, r"h = 0\.0: need a positive, finite"),
    (lambda: difference(np.sin, 1.0, -1e-3), ValueError, r"h = -0\.001: need a positive"),
    (lambda: difference(np.sin, 1.0, np.inf), ValueError, "h = inf: need a positive, finite"),
    (lambda: difference(np.sin, 1.0, np.nan), ValueError, "h = nan: need a positive, finite"),
    (lambda: complex_step(np.sin, 1.0, 0), ValueError, "h = 0: need a positive"),
    (lambda: richardson(np.sin, 1.0, -1), ValueError, "h = -1: need a positive"),
    (lambda: difference(np.sin, np.float32(0), 1e-60), ValueError, r"h = 1e-60.*\(as float32\)"),
    (lambda: difference(np.sin, 2.0, 1e-17), ValueError, r"h = 1e-17 is lost beside x = 2\.0"),
    (lambda: difference(np.sin, np.float32(2), 1e-8), ValueError, r"x \+ h == x in float32"),
    (
        lambda: difference(np.sin, [1.0, 2.0], [1.0, 2.0, 3.0]),
        ValueError,
        r"h has shape \(3,\) and",
    ),
    (
        lambda: difference(np.sin, 1.0, scheme="centre"),
        ValueError,
        "unknown scheme 'centre': choose",
    ),
    (lambda: best_step("centre"), ValueError, "unknown scheme 'centre'"),
    (lambda: difference(np.sin, 1.0, scheme=(0, 0.5)), ValueError, r"\(0, 1/2\) must be whole"),
    (lambda: difference(np.sin, 1.0, order=0), ValueError, "order = 0: .* at least 1"),
    (lambda: difference(np.sin, 1.0, order=1.0), ValueError, r"order = 1\.0: .* whole number"),
    (lambda: difference(np.sin, 1.0, order=3, scheme=(-1, 0, 1)), ValueError, "at least 4 offsets"),
    (lambda: difference(np.sum, [1.0, 2.0]), ValueError, "not elementwise.*difference_gradient"),
    (lambda: complex_step(np.sum, [1.0, 2.0]), ValueError, "not elementwise"),
    (lambda: difference(lambda x: None, 1.0), TypeError, "f returned NoneType"),
    (lambda: difference(lambda x: 1j * x, 1.0), TypeError, "f returned complex.*; a difference"),
    (lambda: complex_step(np.abs, 1.0), TypeError, "f returned float64.*imaginary part"),
    (lambda: complex_step(np.real, [1.0]), TypeError, "f returned an array of float64"),
    (lambda: complex_step(lambda x: 3.0, 1.0), TypeError, "f returned float for a complex"),
    (lambda: complex_step(np.log, -1.0), ValueError, r"not real at x = -1\.0"),
    (lambda: complex_step(np.sqrt, [4.0, -4.0]), ValueError, "whatever h is, so f is not real"),
    (lambda: richardson(np.sin, 1.0, 1.0, levels=1), ValueError, "levels = 1: .* at least 2"),
    (
        lambda: difference_gradient(np.sin, [1.0, 2.0]),
        ValueError,
        r"shape \(2,\); a gradient needs",
    ),
    (lambda: difference_gradient(lambda x: x[:1], [1.0]), ValueError, r"as in f\(x\)\[0\]"),
    (lambda: difference_gradient(lambda x: None, [1.0]), TypeError, "f returned NoneType"),
    (lambda: best_step(scale=0), ValueError, "scale = 0: need a positive"),
    (lambda: best_step(dtype=complex), TypeError, "dtype is complex128"),
]


@pytest.mark.parametrize(("call", "error", "message"), MESSAGES)
def test_messages(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_steep_function_is_real_all_the_same():
    """Im f of the size of f is no sign by itself: 1e30 x at 0 has the slope 1e30."""
    assert complex_step(lambda x: 1e30 * x, 0.0) == 1e30
    assert complex_step(np.log, 1e-18) == pytest.approx(1e18, rel=1e-3)


def test_richardson_goes_on_where_its_first_steps_left_the_domain():
    """log at 1 with the steps 2, 1, ½, …: the first is NaN, the second infinite, the rest serve."""
    with np.errstate(all="ignore"):
        value, error, _ = richardson(np.log, 1.0, 2.0, levels=8)
    assert value == pytest.approx(1.0, abs=1e-9) and error < 1e-6
