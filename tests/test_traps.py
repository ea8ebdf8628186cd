"""The traps that well-known engines fell into, one test each; the tests of the engines go deeper.

Powers at zero, dead branches and ties, traps as well, are in test_corners.py; rules that are
wrong and not noticed in test_mutation.py.
"""

import gc
import math
import operator
import weakref

import numpy as np
import pytest

import companion.engines as ce
from companion.engines import (
    Dual,
    Jet,
    Var,
    derivative,
    derivatives,
    grad,
    gradients,
    hessian,
    jvp,
    taylor,
)
from companion.engines.kinds import TABLE
from tests.curves import MODES

each_mode = pytest.mark.parametrize("mode", MODES)
quiet = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@each_mode
@pytest.mark.parametrize("symbol", ["add", "sub", "mul", "truediv", "pow"])
@pytest.mark.parametrize(
    "constant",
    [3, 3.0, np.float64(3), np.array([3.0, 4.0])],
    ids=["int", "float", "float64", "array"],
)
def test_constant_on_the_left(symbol, constant, mode):
    """__rsub__ is not __sub__: value and slope with the constant on either side."""
    f, x = getattr(operator, symbol), 2.0
    left, right = (lambda x: ce.sum(f(constant, x))), (lambda x: ce.sum(f(x, constant)))
    for g in (left, right):
        value, slope = MODES[mode](g, x, 1)
        assert value == pytest.approx(g(x), rel=1e-15)
        assert slope == pytest.approx(np.imag(g(x + 1e-30j)) / 1e-30, rel=1e-14)


def test_constant_on_the_left_of_matmul():
    a = np.array([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(
        jvp(lambda x: a @ x, np.ones(2), np.array([1.0, 0.0]))[1], [1.0, 3.0]
    )
    np.testing.assert_array_equal(
        jvp(lambda x: x @ a, np.ones(2), np.array([1.0, 0.0]))[1], [1.0, 2.0]
    )


def test_recursion_depth():
    """micrograd stops at 2000 operations; Python's limit is 1000 frames."""

    def f(x):
        for _ in range(5000):
            x = x * 1.0001
        return x

    assert grad(f)(1.0) == pytest.approx(1.0001**5000, rel=1e-12)
    assert taylor(f, 1.0, order=2) == pytest.approx([1.0001**5000] * 2 + [0.0], rel=1e-12)


def test_overwriting_in_place_of_adding():
    x = Var(3.0)
    assert gradients(x * x + x, x)[0].value == 7.0
    assert grad(lambda x: (x * x) * (x * x) + x * x)(3.0) == 4 * 27 + 6


def test_a_second_backward_walk():
    x = Var(3.0)
    y = x * x
    assert [gradients(y, x)[0].value for _ in range(3)] == [6.0, 6.0, 6.0]
    assert grad(lambda x: x * x)(3.0) == grad(lambda x: x * x)(3.0) == 6.0


def test_reference_cycles():
    gc.collect()
    gc.disable()
    try:
        x = Var(2.0)
        ghost = weakref.ref(ce.tanh(x) * x)
        assert ghost() is None
        y = ce.exp(ce.sin(x))
        gradients(y, x)
        ghost = weakref.ref(y)
        del y
        assert ghost() is None
    finally:
        gc.enable()


def test_aliasing_of_cotangents():
    """y = x + z sends one array to both; adding to one must leave the other."""
    x, z = Var(np.ones(2)), Var(np.ones(2))
    y = x + z
    gx, gz = gradients(y + x, [x, z], seed=np.ones(2))
    np.testing.assert_array_equal(gx.value, [2.0, 2.0])
    np.testing.assert_array_equal(gz.value, [1.0, 1.0])


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((), (2, 3)),
        ((1,), (2, 3)),
        ((3,), (2, 3)),
        ((2, 1), (3,)),
        ((1, 1), (4,)),
        ((0, 3), (1,)),
        ((4, 1), (1, 5)),
        ((1, 0), (2, 1)),
    ],
    ids=str,
)
def test_gradients_have_the_shapes_of_their_inputs(a, b):
    """Extra leading axes and axes of length one are summed away, in one place for all operations."""
    x, y = Var(np.ones(a)), Var(np.full(b, 2.0))
    for f in (operator.add, operator.mul, operator.truediv, ce.maximum):
        z = f(x, y)
        gx, gy = gradients(z, [x, y], seed=np.ones(z.shape))
        assert (gx.shape, gy.shape) == (a, b)
    np.testing.assert_array_equal(
        gradients(x * y, x, seed=np.ones(z.shape))[0].value,
        np.full(a, 2.0 * z.size / max(x.size, 1)),
    )


def test_zero_dimensional_arrays():
    """sum gives a scalar, which is a Python float, in and out of every engine."""
    x = np.ones((2, 3))
    assert type(ce.sum(x)) is float
    assert type(Var(x).sum().value) is float
    assert type(ce.sum(Dual(x)).primal) is float
    assert type(Var(np.array(2.0)).value) is float
    assert type(grad(lambda x: x * x)(np.array(2.0))) is float
    assert Var(x).sum().shape == ()
    assert type(ce.sum(Var(x), 0).value) is np.ndarray


@each_mode
def test_integers(mode):
    """np.reciprocal(2) is 0: integers become floats at the door, as inputs, constants and
    exponents.
    """
    f = lambda x: 1 / x + x**3 + 2 * x + x / 4
    assert MODES[mode](f, 2, 2) == MODES[mode](f, 2.0, 2) == [13.0, 14.0, 12.25]
    x = np.array([1, 2])
    assert ce.grad(lambda x: ce.sum(x * x / 3))(x).dtype == np.float64
    np.testing.assert_allclose(ce.grad(lambda x: ce.sum(1 / x))(x), [-1.0, -0.25])
    assert ce.reciprocal(2) == 0.5
    np.testing.assert_array_equal(ce.reciprocal(np.array([2, 4])), [0.5, 0.25])
    halves = MODES[mode](lambda x: ce.sum(x / np.array([2, 4])), 3, 1)
    assert halves == [2.25, 0.75]
    assert MODES[mode](lambda x: ce.sum(x @ np.array([[2], [4]])), np.array([1, 1]), 0) == [6.0]
    assert Var(3).value == 3.0
    assert derivative(lambda x: x * np.array([2, 3])[1])(1) == 3.0


@pytest.mark.parametrize(
    "make",
    [Var, lambda a: Dual(a, 1.0), lambda a: Jet([a, np.ones(2)])],
    ids=["Var", "Dual", "Jet"],
)
def test_an_array_on_the_left(make):
    """The result is one engine value, not an array of objects; np.sin is the engine's sin."""
    x, a = make(np.array([1.0, 2.0])), np.array([5.0, 7.0])
    for y in (
        a + x,
        a - x,
        a * x,
        a / x,
        a**x,
        a @ x,
        np.float64(2) * x,
        np.sin(x),
        np.add(a, x),
        np.maximum(a, x),
    ):
        assert type(y) is type(x)
    np.testing.assert_array_equal((a - x).primal, [4.0, 5.0])
    np.testing.assert_array_equal(np.sin(x).primal, np.sin([1.0, 2.0]))
    np.testing.assert_array_equal(a < x, [False, False])


@pytest.mark.parametrize("D", [derivative, grad], ids=["forward", "reverse"])
def test_perturbation_confusion(D):
    assert D(lambda x: x * D(lambda y: x + y)(1.0))(1.0) == 1.0
    assert D(lambda x: D(lambda y: x)(1.0))(2.0) == 0.0


def test_perturbation_confusion_on_the_tape():
    x = Var(4.0)
    assert grad(lambda y: x * y)(x).value == 4.0
    assert grad(lambda y: ce.sin(x) * y)(x).value == math.sin(4.0)


def test_derivatives_are_not_taken_through_plain_values():
    """Order 1 right and order 2 zero is the mark of a rule that works on raw numbers."""
    for f in (
        ce.sin,
        ce.tanh,
        ce.sqrt,
        lambda x: ce.matmul(ce.stack([x, x * x]), ce.stack([x, 1.0])),
        lambda x: ce.logsumexp(ce.stack([x, 1.0])),
    ):
        second = [
            grad(grad(f))(0.7),
            derivative(grad(f))(0.7),
            grad(derivative(f))(0.7),
            derivatives(f, 0.7, 2)[2],
        ]
        assert second == pytest.approx([second[0]] * 4, rel=1e-13)
        assert abs(second[0]) > 0.1


def test_the_derivative_of_a_linear_map_has_a_derivative():
    """It is zero; torch raises, since its gradient is not connected to the input."""
    w = np.array([[1.0, 2.0], [3.0, 4.0]])
    laplacian = lambda x: np.trace(hessian(lambda x: ce.sum(w @ x))(x))
    assert laplacian(np.ones(2)) == 0.0
    assert MODES["Var"](lambda x: 3 * x, 2.0, 3) == [6.0, 3.0, 0.0, 0.0]


@each_mode
def test_repeated_indices_add(mode):
    f = lambda x: ce.sum(ce.stack([x, x * x, x**3])[[0, 0, 2]] * np.array([1.0, 10.0, 100.0]))
    assert MODES[mode](f, 2.0, 2) == [822.0, 11 + 300 * 4.0, 600 * 2.0]
    np.testing.assert_array_equal(grad(lambda x: ce.sum(x[[0, 0, 2]]))(np.ones(3)), [2.0, 0.0, 1.0])


def test_factorials_are_put_in_at_one_place():
    """Coefficients are normalised, derivatives are not, and the two differ by k!."""
    c, d = taylor(ce.exp, 0.5, order=6), derivatives(ce.exp, 0.5, 6)
    assert d == pytest.approx([math.factorial(k) * c_k for k, c_k in enumerate(c)], rel=1e-15)
    assert d[6] == pytest.approx(math.exp(0.5), rel=1e-15)


def test_single_precision_does_not_enter():
    x = np.float32(0.5)
    assert type(Var(x).value) is float
    assert grad(ce.sin)(np.ones(1, np.float32)[0]) == math.cos(1.0)
    g = grad(lambda x: ce.sum(ce.sin(x)))(np.full(2, 0.5, np.float32))
    np.testing.assert_array_equal(g, [math.cos(0.5)] * 2)
    assert derivatives(ce.tanh, x, 9)[9] == derivatives(ce.tanh, 0.5, 9)[9]


@quiet
@each_mode
def test_nan_goes_through(mode):
    """A NaN is neither hidden nor spread to what does not depend on it."""
    for f in (
        ce.sin,
        ce.relu,
        abs,
        lambda x: x**2,
        lambda x: ce.maximum(x, 0.0),
        lambda x: ce.logsumexp(ce.stack([x, 1.0])),
    ):
        assert np.isnan(MODES[mode](f, math.nan, 1)).all()
    g = grad(lambda x: ce.sum(x * x))(np.array([1.0, math.nan]))
    np.testing.assert_array_equal(g, [2.0, math.nan])


def test_complex_numbers_pass_for_the_complex_step():
    for f in (
        ce.sin,
        ce.relu,
        ce.abs,
        ce.sigmoid,
        lambda x: x**3,
        lambda x: ce.maximum(x, 0.0),
        lambda x: x**1.5,
    ):
        assert np.imag(f(0.7 + 1e-30j)) / 1e-30 == pytest.approx(derivative(f)(0.7), rel=1e-14)
    assert np.imag(derivative(ce.sin)(0.7 + 1e-30j)) / 1e-30 == pytest.approx(
        -math.sin(0.7), rel=1e-14
    )


def test_a_rule_of_ones_own_does_not_take_over_numpys_name():
    """np.sin of an engine value is the sin of the table, whoever else has np.sin for a value."""
    ce.Pointwise("slow_sin", np.sin, lambda x, v: 100.0 * ce.cos(x))
    try:
        assert np.sin(Dual(0.5, 1.0)).tangent == np.cos(0.5)
    finally:
        del TABLE["slow_sin"]
