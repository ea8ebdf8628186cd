"""Where derivatives are delicate: powers at zero, dead branches, ties, sums that would overflow."""

import math
import warnings

import numpy as np
import pytest

import companion.engines as ce
from companion.engines import Dual, Jet, Var, derivative, grad, gradients
from tests.curves import MODES

each_mode = pytest.mark.parametrize("mode", MODES)
quiet = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@each_mode
@pytest.mark.parametrize("n", range(6))
def test_whole_powers_at_zero(n, mode):
    """(0, 0, 0, 0, 24, 0, 0) for x⁴, to order n + 2: no 0 · ∞ and no division by x₀."""
    assert MODES[mode](lambda x: x**n, 0.0, n + 2) == [0.0] * n + [math.factorial(n)] + [0.0, 0.0]
    assert MODES[mode](lambda x: x ** float(n), 0.0, n + 2) == [0.0] * n + [math.factorial(n)] + [
        0.0,
        0.0,
    ]


@each_mode
def test_whole_powers_as_an_array_at_zero(mode):
    """An array of exponents takes the general rule, which is as careful."""
    f = lambda x: ce.sum(x ** np.array([2.0, 3.0]))
    assert MODES[mode](f, 0.0, 4) == [0.0, 0.0, 2.0, 6.0, 0.0]


@each_mode
def test_real_and_negative_powers(mode):
    assert MODES[mode](lambda x: x**1.5, 0.0, 1) == [0.0, 0.0]
    assert MODES[mode](lambda x: x**1.5, 4.0, 3) == pytest.approx(
        [8.0, 3.0, 0.375, -0.046875], rel=1e-14
    )
    assert MODES[mode](lambda x: x**-2, -2.0, 3) == pytest.approx(
        [0.25, 0.25, 0.375, 0.75], rel=1e-15
    )
    assert MODES[mode](lambda x: (-x) ** 3, 2.0, 3) == [-8.0, -12.0, -12.0, -6.0]


@quiet
@each_mode
def test_powers_that_are_not_there(mode):
    """√ has slope ∞ at 0, a real power of a negative number is NaN: told, not hidden."""
    assert MODES[mode](lambda x: x**0.5, 0.0, 1) == [0.0, np.inf]
    assert np.isnan(MODES[mode](lambda x: ce.power(x, 0.5), -1.0, 1)).all()
    assert MODES[mode](lambda x: ce.power(x, -1), 0.0, 0) == [np.inf]


@each_mode
def test_exponents_that_are_engine_values(mode):
    assert MODES[mode](lambda n: 2.0**n, 3.0, 2) == pytest.approx(
        [8 * math.log(2) ** k for k in range(3)], rel=1e-14
    )
    assert MODES[mode](lambda n: 0.0**n, 2.0, 3) == [0.0] * 4
    x = 1.5
    expected = [x**x, x**x * (math.log(x) + 1), x**x * ((math.log(x) + 1) ** 2 + 1 / x)]
    assert MODES[mode](lambda x: x**x, x, 2) == pytest.approx(expected, rel=1e-14)


def test_the_slope_of_a_power_where_the_exponent_is_zero():
    """∂²/∂n∂x xⁿ = xⁿ⁻¹ (1 + n log x), which is 1/x at n = 0."""
    for outer in (grad, derivative):
        for inner in (grad, derivative):
            assert outer(lambda n: inner(lambda x: x**n)(2.0))(0.0) == pytest.approx(0.5, rel=1e-15)
            assert outer(lambda x: inner(lambda n: x**n)(0.0))(2.0) == pytest.approx(0.5, rel=1e-15)


@quiet
def test_where_with_nan_in_the_branch_not_taken():
    """Forward, where is a selection and the dead branch stays out; in reverse its 0 meets the
    slope ∞: 0 · ∞.
    """
    naive = lambda x: ce.where(x > 0, ce.sqrt(x), 0.0)
    assert derivative(naive)(0.0) == 0.0
    assert math.isnan(grad(naive)(0.0))
    undefined = lambda x: ce.where(x > 0, ce.log(x), 0.0)
    assert undefined(-1.0) == 0.0
    assert derivative(undefined)(-1.0) == 0.0


def test_where_with_a_safe_argument():
    """The double where: no warning, no NaN, in either mode and to any order."""
    safe = lambda x: ce.where(x > 0, ce.sqrt(ce.where(x > 0, x, 1.0)), 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for f in MODES.values():
            assert f(safe, 0.0, 2) == [0.0, 0.0, 0.0]
            assert f(safe, 4.0, 1) == [2.0, 0.25]
        np.testing.assert_array_equal(
            grad(lambda x: ce.sum(safe(x)))(np.array([-1.0, 0.0, 4.0])), [0.0, 0.0, 0.25]
        )


@each_mode
def test_ties_and_corners(mode):
    """½ each for maximum and minimum; relu′(0) = 0; abs′(0) = 0."""
    slope = lambda f, x: MODES[mode](f, x, 1)[1]
    assert slope(lambda x: ce.maximum(x, 2.0), 2.0) == 0.5
    assert slope(lambda x: ce.maximum(2.0, x), 2.0) == 0.5
    assert slope(lambda x: ce.minimum(x, 2.0), 2.0) == 0.5
    assert slope(lambda x: ce.minimum(2.0, x), 2.0) == 0.5
    assert slope(lambda x: ce.maximum(x, x), 2.0) == 1.0
    assert slope(ce.relu, 0.0) == slope(abs, 0.0) == slope(ce.abs, 0.0) == 0.0
    assert MODES[mode](lambda x: ce.maximum(x, -x), 0.0, 2) == [0.0, 0.0, 0.0]


def test_ties_and_corners_are_those_of_torch():
    torch = pytest.importorskip("torch")
    x = torch.tensor([2.0, 1.0, -1.0, 0.0], requires_grad=True)
    y = torch.tensor([2.0, 1.5, -3.0, 0.0])
    for ours, theirs in [
        (lambda x: ce.maximum(x, y.numpy()), lambda x: torch.maximum(x, y)),
        (lambda x: ce.minimum(x, y.numpy()), lambda x: torch.minimum(x, y)),
        (ce.relu, torch.relu),
        (ce.abs, torch.abs),
    ]:
        [expected] = torch.autograd.grad(theirs(x).sum(), x)
        np.testing.assert_array_equal(
            grad(lambda x: ce.sum(ours(x)))(x.detach().numpy()), expected.numpy()
        )


@each_mode
def test_logsumexp_does_not_overflow(mode):
    f = lambda x: ce.logsumexp(ce.stack([1000.0 + x, 1000.0 - x]))
    value, slope, bend = MODES[mode](f, 0.0, 2)
    assert (value, slope, bend) == pytest.approx((1000 + math.log(2), 0.0, 1.0), abs=1e-12)


def test_logsumexp_with_infinities():
    with np.errstate(divide="ignore"):  # log 0 = −∞ is what is meant
        assert ce.logsumexp(np.array([-np.inf, 0.0])) == 0.0
        assert ce.logsumexp(np.array([-np.inf, -np.inf])) == -np.inf
        assert ce.logsumexp(np.array([np.inf, 0.0])) == np.inf
        np.testing.assert_array_equal(grad(ce.logsumexp)(np.array([-np.inf, 0.0])), [0.0, 1.0])
        np.testing.assert_allclose(
            grad(ce.logsumexp)(np.array([-np.inf, 3.0, 3.0])), [0.0, 0.5, 0.5]
        )
    x = np.array([[1.0, 2.0], [-800.0, 800.0]])
    assert ce.logsumexp(x, 1, keepdims=True).shape == (2, 1)
    np.testing.assert_array_equal(ce.logsumexp(x, axis=1), np.logaddexp(x[:, 0], x[:, 1]))


@each_mode
def test_sigmoid_and_softplus_do_not_overflow(mode):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert MODES[mode](ce.sigmoid, 1000.0, 2) == [1.0, 0.0, 0.0]
        assert MODES[mode](ce.sigmoid, -1000.0, 2) == [0.0, 0.0, 0.0]
        assert MODES[mode](ce.softplus, 1000.0, 2) == [1000.0, 1.0, 0.0]
        assert MODES[mode](ce.softplus, -1000.0, 2) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("x", [np.inf, np.nan, 0.0, 2.0])
def test_anything_to_the_power_0_is_1_with_slope_0(x):
    """As NumPy has it: np.inf ** 0 and np.nan ** 0 are 1."""
    assert (Dual(x, 1.0) ** 0).parts == (1.0, 0.0)
    var = Var(x)
    assert [d.value for d in gradients(var**0, [var])] == [0.0]
    assert (Jet([x, 1.0, 0.0]) ** 0).parts == (1.0, 0.0, 0.0)


# --- powers, ties and jumps of what is newer ---------------------------------------------------


@quiet
@each_mode
def test_x_to_the_x_at_0_falls_steeply(mode):
    """xˣ = e^{x log x} starts at 1 with slope −∞; 0ⁿ is flat in n > 0, and jumps at n = 0."""
    value, slope = MODES[mode](lambda x: x**x, 0.0, 1)
    assert (value, slope) == (1.0, -np.inf)
    assert MODES[mode](lambda n: 0.0**n, 2.0, 3) == [0.0] * 4
    assert MODES[mode](lambda n: 0.0**n, 0.0, 1) == [1.0, -np.inf]
    assert not np.isfinite(MODES[mode](lambda x: x**x, 0.0, 3)[1:]).any()


CONVENTIONS = [  # the table of rules.py: (function, point, slope)
    (ce.sign, 0.0, 0.0),
    (ce.floor, 1.0, 0.0),
    (ce.ceil, 1.0, 0.0),
    (ce.trunc, 1.0, 0.0),
    (ce.rint, 0.5, 0.0),
    (ce.round, 0.5, 0.0),
    (lambda x: x % 1, 2.0, 1.0),
    (lambda x: 2.0 % x, 1.0, -2.0),
    (lambda x: ce.fmod(x, 1.0), 2.0, 1.0),
    (lambda x: x // 1, 2.0, 0.0),
    (lambda x: ce.clip(x, 0.0, 1.0), 1.0, 0.5),
    (lambda x: ce.hypot(x, 0.0), 0.0, 0.0),
    (lambda x: ce.norm(ce.stack([x, 2 * x])), 0.0, 0.0),
    (lambda x: ce.norm(ce.stack([x, 2 * x]), 3), 0.0, 0.0),
    (lambda x: ce.std(ce.stack([x, x])), 2.0, 0.0),
    (lambda x: ce.max(ce.stack([x, 2.0, 3 * x - 4.0])), 2.0, (1 + 0 + 3) / 3),
    (lambda x: ce.min(ce.stack([x, 2.0])), 2.0, 0.5),
    (lambda x: ce.sort(ce.stack([x, 2.0]))[0], 2.0, 1.0),
    (lambda x: ce.cummax(ce.stack([2.0, x]))[1], 2.0, 0.0),
]


@each_mode
@pytest.mark.parametrize(("f", "x", "slope"), CONVENTIONS)
def test_the_conventions_of_the_table(f, x, slope, mode):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = MODES[mode](f, x, 2)
    assert found[1:] == pytest.approx([slope, 0.0], rel=1e-15)


@quiet
@each_mode
def test_the_angle_of_the_origin_has_no_slope(mode):
    assert np.isnan(MODES[mode](lambda x: ce.arctan2(x, 0.0), 0.0, 1)[1])


def test_extremes_with_infinities_and_nan():
    for f, best in [(ce.max, np.inf), (ce.min, -np.inf)]:
        x = np.array([1.0, best, 2.0])
        assert f(x) == best
        assert grad(f)(x).tolist() == [0.0, 1.0, 0.0]
        assert math.isnan(f(np.array([1.0, np.nan])))
        with pytest.raises(ValueError, match="zero-size array"):
            f(np.zeros(0))


def test_far_and_near():
    """No overflow, no cancellation: hypot, logaddexp, arctan2, log1p of large and small numbers."""
    assert ce.jvp(ce.hypot, (3e200, 4e200), (1.0, 0.0)) == pytest.approx((5e200, 0.6))
    assert ce.jvp(ce.logaddexp, (1000.0, 0.0), (1.0, 0.0)) == (1000.0, 1.0)
    assert derivative(ce.arcsinh)(1e160) == pytest.approx(1e-160)
    angle, slope = ce.jvp(ce.arctan2, (1e-200, 1e-200), (1.0, 0.0))
    assert (angle, slope) == pytest.approx((math.pi / 4, 0.5e200))
    assert ce.slogdet(Var(1e-200 * np.eye(3))).logabsdet.value == pytest.approx(
        3 * math.log(1e-200)
    )
