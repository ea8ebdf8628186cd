"""Curves of the error against the step: theory bounds them, luck does not fool them, every message."""

import numpy as np
import pytest

from companion.engines.differences import difference
from companion.engines.error_curves import (
    error_curve,
    error_theory,
    measured_best,
    running_median,
)


def f(x):
    """The function of the book in its first input, with the second held at 5; f′(2) = 5.5, f″(2) = −¼."""
    return np.log(x) + 5 * x - np.sin(5.0)


@pytest.mark.parametrize(
    ("scheme", "order", "derivative"),
    [("forward", 1, -1 / 4), ("central", 1, 1 / 4), ("central", 2, -3 / 8)],
)
def test_theory_bounds_what_is_measured(scheme, order, derivative):
    hs = np.logspace(-13, -2, 400)
    exact = {1: 5.5, 2: -0.25}[order]
    errors = error_curve(lambda h: difference(f, 2.0, h, order=order, scheme=scheme), exact, hs)
    truncation, rounding = error_theory(hs, f(2.0), derivative, order=order, scheme=scheme)
    assert (errors <= 1.1 * truncation + rounding).all()
    large = hs > 3e-3  # there truncation rules, and theory is sharp
    np.testing.assert_allclose(errors[large], truncation[large], rtol=0.01)
    bottom = hs[np.argmin(truncation + rounding)]
    measured, _ = measured_best(hs, errors)
    assert bottom / 10 < measured < bottom * 3


def test_running_median_ignores_luck_and_accidents_and_keeps_the_order():
    hs = np.logspace(-6, 0, 121)
    errors = hs.copy()
    errors[::7], errors[3::9] = 0, 1e3
    np.testing.assert_allclose(np.log10(running_median(hs, errors) / hs)[20:-20], 0, atol=0.3)
    shuffled = np.random.default_rng(0).permutation(121)
    np.testing.assert_array_equal(
        running_median(hs[shuffled], errors[shuffled]), running_median(hs, errors)[shuffled]
    )


def test_measured_best_ignores_a_lucky_step_and_the_ends():
    hs = np.logspace(-8, 0, 401)
    errors = hs + 1e-8 / hs
    errors[50] = errors[-3] = 0
    errors[:12] = 0
    h, error = measured_best(hs, errors)
    assert 5e-5 < h < 2e-4
    assert 2e-4 < error < 3e-4


MESSAGES = [
    (lambda: error_curve(np.sin, 1.0, []), ValueError, r"hs has shape \(0,\); need one row"),
    (lambda: error_curve(np.sin, 1.0, [[1.0]]), ValueError, r"hs has shape \(1, 1\)"),
    (lambda: error_curve(np.sin, 1.0, [0.0]), ValueError, r"hs = \[0\.0\]: need a positive"),
    (lambda: error_curve(np.sin, np.nan, [1.0]), ValueError, "exact = nan: need the true"),
    (lambda: error_curve(lambda h: [h, h], 1.0, [1.0]), ValueError, r"estimate\(h\) has shape"),
    (lambda: error_curve(lambda h: None, 1.0, [1.0]), TypeError, "estimate returned NoneType"),
    (
        lambda: measured_best([1e-2, 1e-1], [1, 2]),
        ValueError,
        r"decades = 1\.0: hs has no step with",
    ),
    (lambda: error_theory([-1.0], 1, 1), ValueError, r"hs = \[-1\.0\]"),
    (lambda: running_median([1e-2, 1], [1, np.nan]), ValueError, "not NaN, for each of the 2"),
    (lambda: measured_best([1e-2, 1], [1]), ValueError, "one error, not NaN, for each of the 2"),
    (lambda: running_median([0.5, 1], [1, 2]), ValueError, r"decades = 1\.0: .* at most 0\.3"),
    (lambda: running_median([0.01, 1], [1, 2], 0), ValueError, "decades = 0: need a positive"),
]


@pytest.mark.parametrize(("call", "error", "message"), MESSAGES)
def test_messages(call, error, message):
    with pytest.raises(error, match=message):
        call()
