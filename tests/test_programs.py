"""Random programs: every engine against mpmath, the complex step, and each other."""

import operator

import mpmath
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import companion.engines as ce
from companion.engines import derivative, derivatives, grad, gradients, jvp, taylor, vjp

settings.register_profile("engines", max_examples=60, deadline=None, derandomize=True)
settings.load_profile("engines")

# name -> (for the engines and for NumPy's complex numbers, for mpmath); each is smooth and bounded on the whole line
UNARY = {
    "sin": (ce.sin, mpmath.sin),
    "cos": (ce.cos, mpmath.cos),
    "tanh": (ce.tanh, mpmath.tanh),
    "exp of sin": (lambda x: ce.exp(ce.sin(x)), lambda x: mpmath.exp(mpmath.sin(x))),
    "sigmoid": (ce.sigmoid, lambda x: 1 / (1 + mpmath.exp(-x))),
    "softplus of sin": (
        lambda x: ce.softplus(ce.sin(x)),
        lambda x: mpmath.log(1 + mpmath.exp(mpmath.sin(x))),
    ),
    "arctan": (ce.arctan, mpmath.atan),
    "root": (lambda x: ce.sqrt(1 + x * x), lambda x: mpmath.sqrt(1 + x * x)),
    "log": (lambda x: ce.log(2 + x * x), lambda x: mpmath.log(2 + x * x)),
    "log1p": (lambda x: ce.log1p(x * x), lambda x: mpmath.log(1 + x * x)),
    "runge": (lambda x: 1 / (1 + x * x), lambda x: 1 / (1 + x * x)),
    "neg": (lambda x: -x, lambda x: -x),
    "square of sin": (lambda x: ce.sin(x) ** 2, lambda x: mpmath.sin(x) ** 2),
    "power": (lambda x: (2 + ce.sin(x)) ** 1.5, lambda x: (2 + mpmath.sin(x)) ** mpmath.mpf(1.5)),
}
BINARY = {
    "add": (lambda x, y: x + y, lambda x, y: x + y),
    "sub": (lambda x, y: x - y, lambda x, y: x - y),
    "mul": (lambda x, y: x * ce.sin(y), lambda x, y: x * mpmath.sin(y)),
    "div": (lambda x, y: x / (2 + ce.cos(y)), lambda x, y: x / (2 + mpmath.cos(y))),
    "pow": (
        lambda x, y: (2 + ce.sin(x)) ** ce.tanh(y),
        lambda x, y: (2 + mpmath.sin(x)) ** mpmath.tanh(y),
    ),
}
CORNERS = {"relu": ce.relu, "abs": abs, "maximum": ce.maximum, "minimum": ce.minimum}

leaves = st.one_of(st.just("x"), st.integers(-6, 6).map(lambda n: n / 2), st.integers(-3, 3))
programs = st.recursive(
    leaves,
    lambda p: st.one_of(
        st.tuples(st.sampled_from(sorted(UNARY)), p),
        st.tuples(st.sampled_from(sorted(BINARY)), p, p),
    ),
    max_leaves=8,
)
points = st.integers(-64, 64).map(lambda n: n / 64 + 0.0123)


def run(program, x, language=0):
    """Evaluate a program at x: with the engines (language 0) or with mpmath (1)."""
    if program == "x":
        return x
    if not isinstance(program, tuple):
        return program if language == 0 else mpmath.mpf(program)
    name, *parts = program
    return (UNARY | BINARY)[name][language](*[run(part, x, language) for part in parts])


@given(programs, points)
def test_engines_agree_with_mpmath_to_order_4(program, x):
    """Absolute where derivatives are below 1, since intermediate values are of that size."""
    with mpmath.workdps(40):
        expected = [float(d) for d in mpmath.diffs(lambda t: run(program, t, 1), mpmath.mpf(x), 4)]
    scale = max(1.0, *map(abs, expected))
    f, g, nested = (lambda x: run(program, x)), (lambda x: run(program, x)), []
    for _ in range(4):
        nested.append(g(x))
        g = grad(g)
    for found in [derivatives(f, x, 4), [derivative(f, k)(x) for k in range(5)], nested]:
        np.testing.assert_allclose(found, expected[: len(found)], rtol=1e-11, atol=1e-11 * scale)


@given(programs, points)
def test_engines_agree_with_the_complex_step(program, x):
    f = lambda x: run(program, x)
    expected = np.imag(f(complex(x, 1e-30))) / 1e-30
    np.testing.assert_allclose(
        [derivative(f)(x), grad(f)(x), derivatives(f, x, 1)[1]],
        [expected] * 3,
        rtol=1e-11,
        atol=1e-11,
    )


mixed = st.recursive(
    leaves,
    lambda p: st.one_of(
        st.tuples(st.sampled_from(sorted(UNARY) + ["relu", "abs"]), p),
        st.tuples(st.sampled_from(sorted(BINARY) + ["maximum", "minimum"]), p, p),
    ),
    max_leaves=8,
)


def run_mixed(program, x):
    if not isinstance(program, tuple):
        return x if program == "x" else program
    name, *parts = program
    f = CORNERS[name] if name in CORNERS else (UNARY | BINARY)[name][0]
    return f(*[run_mixed(part, x) for part in parts])


@given(mixed, points)
def test_engines_agree_at_corners_too(program, x):
    """With ties and kinks there may be no derivative, but there is one convention for all engines
    and nestings.
    """
    f = lambda x: run_mixed(program, x)
    expected = derivatives(f, x, 3)
    scale = max(1.0, *map(abs, expected))
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11 * scale)
    close([derivative(f, k)(x) for k in range(4)], expected)
    close(
        [grad(f)(x), grad(grad(f))(x), derivative(grad(f))(x), grad(derivative(f))(x)],
        [expected[1]] + [expected[2]] * 3,
    )
    close(taylor(grad(f), x, order=1)[1], expected[2])


@given(programs, programs, st.data())
def test_programs_of_arrays(p, q, data):
    """A two-argument program in broadcasting shapes: forward against reverse, against the complex
    step.
    """
    shapes = data.draw(
        hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3, min_side=0)
    ).input_shapes
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    x, y = (rng.uniform(-1, 1, s)[()] for s in shapes)
    u, w = (rng.standard_normal(s)[()] for s in shapes)
    f = lambda x, y: run(p, x) * run(q, y) + ce.sin(x) / (2 + ce.cos(y))
    value, tangent = jvp(f, (x, y), (u, w))
    assert np.shape(value) == np.shape(tangent) == np.broadcast_shapes(*shapes)
    step = np.imag(f(x + 1e-30j * u, y + 1e-30j * w)) / 1e-30
    np.testing.assert_allclose(tangent, step, rtol=1e-10, atol=1e-10)
    again, pullback = vjp(f, x, y)
    np.testing.assert_allclose(again, value, rtol=1e-15)
    seed = rng.standard_normal(np.shape(value))[()]
    xbar, ybar = pullback(seed)
    assert (np.shape(xbar), np.shape(ybar)) == shapes
    np.testing.assert_allclose(
        np.sum(xbar * u) + np.sum(ybar * w), np.sum(seed * tangent), rtol=1e-10, atol=1e-10
    )


@given(st.data())
def test_sums_in_any_shape(data):
    """The gradient of ⟨w, sum(x²)⟩ is 2 x w, broadcast back."""
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
    axis = data.draw(st.none() | (hnp.valid_tuple_axes(len(shape)) if shape else st.none()))
    keep = data.draw(st.booleans())
    x = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)[()]
    w = np.arange(2.0, 2 + np.size(np.sum(x, axis))).reshape(
        np.shape(np.sum(x, axis, keepdims=keep))
    )[()]
    found = grad(lambda x: ce.sum(w * ce.sum(x * x, axis, keep)))(x)
    expected = 2 * x * np.reshape(w, np.shape(np.sum(x, axis, keepdims=True)))
    assert np.shape(found) == shape
    np.testing.assert_allclose(found, expected, rtol=1e-15)


@given(st.data())
def test_indices_of_any_kind(data):
    """The gradient of ⟨w, x[key]⟩ adds wᵢ to every place that the key names, as often as it names
    it.
    """
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4))
    key = data.draw(
        st.one_of(
            hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True),
            hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(max_dims=2, max_side=4)),
            hnp.arrays(bool, shape),
            st.lists(st.integers(-shape[0], shape[0] - 1), max_size=5),
        )
    )
    x = np.arange(np.prod(shape), dtype=float).reshape(shape)
    key = key if not isinstance(key, list) or key else np.array([], dtype=int)
    picked = x[key]
    w = np.arange(1.0, 1 + np.size(picked)).reshape(np.shape(picked))[()]
    expected = np.bincount(np.ravel(picked).astype(int), np.ravel(w), minlength=x.size).reshape(
        shape
    )
    np.testing.assert_array_equal(grad(lambda x: ce.sum(w * x[key]))(x), expected)
    v = ce.Var(x)
    np.testing.assert_array_equal(gradients(v[key], v, seed=w)[0].value, expected)
    np.testing.assert_array_equal(jvp(lambda x: x[key], x, x)[1], picked)


def tame_power(a, b):
    """(1 + a²) to the power b / (1 + b²): a tower of powers stays small and real."""
    return (1 + a * a) ** (b / (1 + b * b))


OPERATORS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": tame_power,
}
steps = st.tuples(st.sampled_from(sorted(OPERATORS)), st.booleans(), st.integers(1, 5))


@given(st.lists(steps, min_size=1, max_size=4), st.sampled_from([0.7, 1.3, 2.5]))
def test_a_constant_on_either_side_of_every_operator(steps, x):
    """2 − x is not x − 2: value and slope of chains of operators with the constant left or
    right.
    """

    def f(x, number=float):
        for symbol, left, n in steps:
            x = OPERATORS[symbol](*((number(n), x) if left else (x, number(n))))
        return x

    with mpmath.workdps(40):
        try:
            expected = [
                float(d) for d in mpmath.diffs(lambda t: f(t, mpmath.mpf), mpmath.mpf(x), 2)
            ]
        except ZeroDivisionError:  # a chain such as 1 / (x − x)
            return
    if max(map(abs, expected)) > 1e6:  # close to a pole
        return
    found = derivatives(f, x, 2)
    # digits are lost near poles
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
    close(found, expected)
    close([f(x), grad(f)(x), grad(grad(f))(x)], expected)
    close(derivative(f)(x), expected[1])
