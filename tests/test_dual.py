"""Forward mode: several seeds, nesting, and no perturbation confusion."""

import math

import mpmath
import numpy as np
import pytest

import companion.engines as ce
from companion.engines import Dual, Var, derivative, grad, gradients, jvp

F = lambda x, y: ce.log(x) + x * y - ce.sin(y)


def test_the_worked_example_with_two_seeds():
    z = F(Dual(2.0, 1.0, 0.0), Dual(5.0, 0.0, 1.0))
    assert z.primal == math.log(2) + 10 - math.sin(5)
    assert z.tangents == (5.5, 2 - math.cos(5))
    assert repr(z) == "Dual(11.65207, 5.5, 1.716338)"


@pytest.mark.parametrize("seeds", [1, 2, 5])
def test_several_seeds_are_several_directions(seeds):
    rng = np.random.default_rng(0)
    x, vs = rng.uniform(0.5, 2, 4), rng.standard_normal((seeds, 4))
    f = lambda x: ce.exp(ce.sin(x)) / x[0] + ce.sum(x * x)
    together = f(Dual(x, *vs))
    for v, tangent in zip(vs, together.tangents):
        np.testing.assert_allclose(tangent, jvp(f, x, v)[1], rtol=1e-15)


def test_a_dual_without_tangent_is_a_constant():
    assert Dual(3.0).tangents == (0.0,)
    assert (Dual(3.0) * Dual(2.0, 1.0)).tangent == 3.0


def test_one_tangent_fits_a_whole_array():
    np.testing.assert_array_equal((Dual(np.array([1.0, 2.0]), 1.0) ** 2).tangent, [2.0, 4.0])


@pytest.mark.parametrize(
    ("f", "g"),
    [
        (lambda x: ce.exp(ce.sin(x)) * x, lambda x: mpmath.exp(mpmath.sin(x)) * x),
        (lambda x: 2**x / (1 + ce.tanh(x)), lambda x: 2**x / (1 + mpmath.tanh(x))),
    ],
)
def test_derivatives_of_derivatives(f, g):
    for order in range(6):
        assert derivative(f, order)(0.4) == pytest.approx(
            float(mpmath.diff(g, mpmath.mpf(0.4), order)), rel=1e-12
        )


def test_derivative_on_an_array_is_element_by_element():
    x = np.array([0.0, 0.5, 2.0])
    np.testing.assert_allclose(derivative(ce.sin, 3)(x), -np.cos(x), rtol=1e-15)
    assert derivative(ce.sin, 0) is ce.sin


def test_jvp_of_several_arguments():
    y, ydot = jvp(F, (2.0, 5.0), (1.0, -3.0))
    assert y == F(2.0, 5.0)
    assert ydot == pytest.approx(5.5 - 3 * (2 - math.cos(5)), rel=1e-15)


def test_jvp_of_what_does_not_depend_on_x_is_zero():
    assert jvp(lambda x: 3.0, 2.0, 1.0) == (3.0, 0.0)
    _y, ydot = jvp(lambda x: np.ones(3), np.ones(2), np.ones(2))
    np.testing.assert_array_equal(ydot, np.zeros(3))


# --- perturbation confusion -------------------------------------------------------------------

D = derivative


@pytest.mark.parametrize("D", [derivative, grad], ids=["forward", "reverse"])
def test_perturbations_are_not_confused(D):
    """Each ε is its own: the outer derivative is blind to the inner perturbation, and the other
    way round.
    """
    assert (
        D(lambda x: x * D(lambda y: x + y)(1.0))(1.0) == 1.0
    )  # Siskind & Pearlmutter: 2 where ε is shared
    assert D(lambda x: x * D(lambda y: x * y)(2.0))(3.0) == 6.0
    assert D(lambda x: D(lambda y: 3.0)(x) * x)(1.0) == 0.0
    assert D(lambda x: x * D(lambda x: 7.0 * x)(0.0))(2.0) == 7.0
    assert D(lambda x: D(lambda y: x * y)(x) * x)(3.0) == 6.0


@pytest.mark.parametrize("inner", [derivative, grad])
@pytest.mark.parametrize("outer", [derivative, grad])
def test_perturbations_of_mixed_modes_are_not_confused(outer, inner):
    assert outer(lambda x: x * inner(lambda y: x + y)(1.0))(1.0) == 1.0
    assert outer(lambda x: inner(lambda y: x * x * y)(x) * x)(2.0) == 12.0
    assert outer(lambda x: inner(lambda y: y**3)(x))(2.0) == 12.0


def test_a_function_that_differentiates_inside_can_be_differentiated_to_any_order():
    newton_step = lambda x: x - (x * x - 2) / D(lambda y: y * y - 2)(x)
    g = lambda x: x / 2 + 1 / x
    for k in range(5):
        assert D(newton_step, k)(1.3) == pytest.approx(
            float(mpmath.diff(lambda x: x / 2 + 1 / x, 1.3, k)), rel=1e-13
        )
    assert g(1.3) == pytest.approx(newton_step(1.3))


def test_a_tangent_that_leaks_out_does_not_mix_with_the_next():
    """A value kept from one call of jvp is a stranger to the next call."""
    kept = []
    jvp(lambda x: kept.append(x) or x, 2.0, 1.0)
    assert jvp(lambda y: y * kept[0], 5.0, 1.0)[1].primal == 2.0


def test_two_calls_have_two_perturbations():
    inner = lambda x: jvp(lambda y: x * y * y, x, 1.0)[1]
    assert jvp(inner, 3.0, 1.0) == (18.0, 12.0)


def test_a_dual_of_a_dual_by_hand():
    x = Dual(Dual(2.0, 1.0), Dual(1.0, 0.0))
    y = x**3
    assert (y.primal.primal, y.primal.tangent, y.tangent.primal, y.tangent.tangent) == (
        8.0,
        12.0,
        12.0,
        12.0,
    )


# --- closures and engines inside --------------------------------------------------------------


def test_a_closure_over_an_outer_dual():
    outer = Dual(3.0, 1.0)
    y = derivative(lambda x: x * x * outer)(2.0)
    assert (y.primal, y.tangent) == (12.0, 4.0)


def test_a_closure_over_a_var():
    a = Var(3.0)
    slope = derivative(lambda x: a * a * x)(2.0)
    assert gradients(slope, [a])[0].value == 6.0


def test_jvp_at_a_var_stays_on_the_tape():
    x = Var(0.5)
    _, slope = jvp(ce.sin, x, 1.0)
    assert slope.value == math.cos(0.5)
    assert gradients(slope, [x])[0].value == -math.sin(0.5)


def test_the_direction_may_be_active():
    assert grad(lambda v: jvp(ce.exp, 0.0, v * v)[1])(3.0) == 6.0
    assert derivative(lambda v: jvp(ce.exp, 0.0, v * v)[1])(3.0) == 6.0


def test_newton_on_a_dual_gives_the_sensitivity_of_the_root():
    """x² = a solved by Newton at a Dual a: the tangent is 1/(2√a)."""
    a, x = Dual(2.0, 1.0), 1.0
    for _ in range(7):
        x = x - (x * x - a) / (2 * x)
    assert x.primal == pytest.approx(math.sqrt(2), rel=1e-15)
    assert x.tangent == pytest.approx(1 / (2 * math.sqrt(2)), rel=1e-15)


def test_control_flow_sees_the_primal():
    f = lambda x: x * x if x > 1 else 3 * x
    assert derivative(f)(2.0) == 4.0
    assert derivative(f)(0.5) == 3.0
    assert (Dual(2.0, 1.0) == 2.0) is True
    assert (Dual(1.0, 1.0) >= 2.0) is False
    assert Dual(1.0, 7.0) < Dual(2.0, 0.0)
