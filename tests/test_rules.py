"""The table of rules: every row, by every engine, against mpmath and SymPy. A new row is tested by
existing.
"""

import mpmath
import numpy as np
import pytest
import sympy as sp

import companion.engines as ce
from companion.engines.kinds import TABLE, Pointwise
from companion.engines.values import Value
from tests.curves import ENGINES, check_orders
from tests.oracles import CASES, COMPOSITES, FORMULAS, X, Y

ROWS = sorted(TABLE)
CORNERS = {  # functions and slopes that jump are compared as numbers, in the cases
    *("relu", "abs", "maximum", "minimum", "remainder", "fmod", "floor_divide"),
    *("sign", "floor", "ceil", "trunc", "rint"),
}
CONSTANTS = [sp.log(2), sp.log(10), 2 / sp.sqrt(sp.pi)]  # what a float in a slope may mean


@pytest.mark.parametrize("name", ROWS)
def test_every_row_has_a_case(name):
    """A row without an oracle is an untested rule: add it to FORMULAS or to the cases in
    oracles.py.
    """
    assert any(case.row == name for case in CASES)
    assert not isinstance(TABLE[name], Pointwise) or name in FORMULAS


def test_a_row_without_a_case_is_noticed():
    gauss = Pointwise("gauss", lambda x: np.exp(-x * x), lambda x, v: -2 * x * v)
    try:
        with pytest.raises(AssertionError):
            test_every_row_has_a_case("gauss")
    finally:
        del TABLE[gauss.name]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_orders_1_to_4(case, engine):
    """Derivatives along a curve of degree 4 in t: all partials enter, with every choice of
    constant arguments.
    """
    check_orders(case, engine)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", COMPOSITES, ids=str)
def test_orders_1_to_4_of_what_is_made_of_rows(case, engine):
    check_orders(case, engine)


class Symbolic(Value):
    """A SymPy expression, with its value at a typical point for what asks for one: the table, read
    as mathematics.

    It shows also that a further engine needs no more than this.
    """

    __slots__ = ("expression", "primal")
    tag = (0, 0)

    def __init__(self, expression, primal):
        self.expression, self.primal = expression, primal

    def apply(self, rule, args, params):
        """The formula of the rule, with the arguments put in."""
        xs = [a.expression if isinstance(a, Symbolic) else _exact(float(a)) for a in args]
        value = rule(*[a.primal if isinstance(a, Symbolic) else a for a in args], **params)
        if rule.name == "where":
            return Symbolic(xs[0] if params["mask"] else xs[1], value)
        return Symbolic(_meaning(rule.name)(*xs), value)


def _exact(a):
    """The number that a float stands for: one of the constants, else a fraction."""
    return next((c for c in CONSTANTS if float(c) == a), None) or sp.nsimplify(a)


def _meaning(name):
    simple = {"add": sp.Add, "sub": lambda x, y: x - y, "neg": lambda x: -x, "mul": sp.Mul}
    if name in simple:
        return simple[name]
    formula = FORMULAS[name][0]
    return lambda *xs: formula.subs(dict(zip([X, Y], xs)), simultaneous=True)


@pytest.mark.parametrize("name", sorted(set(FORMULAS) - CORNERS))
def test_the_slope_is_the_symbolic_derivative_of_the_value(name):
    """Read by SymPy, slope(x, …, v) − ∂f/∂x simplifies to zero: no numbers, no tolerance."""
    rule, (formula, *points) = TABLE[name], FORMULAS[name]
    positive = {"positive": True} if name == "pow" else {"real": True}
    symbols = sp.symbols("x y", **positive)[: len(points)]
    v = formula.subs(dict(zip([X, Y], symbols)))
    xs = [Symbolic(symbol, p[1]) for symbol, p in zip(symbols, points)]
    assert len(rule.slopes) == len(symbols)
    for symbol, slope in zip(symbols, rule.slopes):
        found = slope(*xs, Symbolic(v, rule(*[x.primal for x in xs]))).expression
        difference = (found - sp.diff(v, symbol)).rewrite(sp.exp)
        assert sp.simplify(difference) == 0, f"{name}: {found} is not the derivative of {v}"


@pytest.mark.parametrize("name", sorted(CORNERS))
def test_the_slope_beside_a_corner_is_the_derivative(name):
    formula, *points = FORMULAS[name]
    f = sp.lambdify([X, Y][: len(points)], formula, "mpmath")
    for xs in zip(*points):
        for i, slope in enumerate(TABLE[name].slopes):
            order = tuple(int(j == i) for j in range(len(xs)))
            assert slope(*xs, float(f(*xs))) == pytest.approx(
                float(mpmath.diff(f, xs, order)), abs=1e-14
            )


@pytest.mark.parametrize("name", sorted(FORMULAS))
def test_the_value_for_python_floats_is_that_for_arrays(name):
    for xs in zip(*FORMULAS[name][1:]):
        number, array = TABLE[name](*xs), TABLE[name](*[np.array([x]) for x in xs])
        assert type(number) is float
        assert array.dtype == np.float64
        assert number == pytest.approx(array[0], rel=4e-16, abs=0)


# --- the transpose identity ⟨ȳ, J ẋ⟩ = ⟨Jᵀ ȳ, ẋ⟩: forward and reverse mode against each other, no differences


def inner(a, b):
    assert np.shape(a) == np.shape(b)
    return float(np.sum(np.asarray(a) * np.asarray(b)))


def check_transposes(f, xs, rng):
    tangents = [rng.standard_normal(np.shape(x))[()] for x in xs]
    y, ydot = ce.jvp(f, tuple(xs), tuple(tangents))
    ybar = rng.standard_normal(np.shape(y))[()]
    z, pullback = ce.vjp(f, *xs)
    np.testing.assert_array_equal(y, z)
    xbars = pullback(ybar)
    left, right = inner(ybar, ydot), sum(map(inner, xbars, tangents))
    size = inner(np.abs(ybar), np.abs(ydot)) + sum(
        inner(np.abs(a), np.abs(b)) for a, b in zip(xbars, tangents)
    )
    assert abs(left - right) <= 1e-14 * max(size, 1)


@pytest.mark.parametrize("case", CASES + COMPOSITES, ids=str)
def test_transpose_identity(case):
    rng = np.random.default_rng(3)
    for _ in range(3):
        check_transposes(case.call, case.inputs, rng)


@pytest.mark.parametrize("case", CASES + COMPOSITES, ids=str)
def test_transpose_identity_of_the_gradient(case):
    """The same of x ↦ ∇⟨w, f(x + x²/100)⟩, whose Jacobian is a Hessian: also symmetric."""
    rng = np.random.default_rng(4)
    weights = rng.standard_normal(np.shape(case.call(*case.inputs)))

    def gradient(first):
        return ce.grad(lambda x: ce.sum(weights * case.call(x + 0.01 * x * x, *case.inputs[1:])))(
            first
        )

    x = case.inputs[0]
    check_transposes(gradient, [x], rng)
    u, v = rng.standard_normal((2, *np.shape(x)))
    hu, hv = ce.jvp(gradient, x, u[()])[1], ce.jvp(gradient, x, v[()])[1]
    size = inner(np.abs(v), np.abs(hu)) + inner(np.abs(u), np.abs(hv))
    assert abs(inner(v, hu) - inner(u, hv)) <= 1e-14 * max(size, 1)


@pytest.mark.parametrize(
    "shapes", [((0, 3), (3,)), ((0,), ()), ((0, 2), (0, 2)), ((1, 0), (3, 1))], ids=str
)
@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "maximum"])
def test_empty_arrays(name, shapes):
    xs = [np.ones(s)[()] for s in shapes]
    y, ydot = ce.jvp(TABLE[name], tuple(xs), tuple(xs))
    assert np.shape(y) == np.shape(ydot) == np.broadcast_shapes(*shapes)
    _, pullback = ce.vjp(TABLE[name], *xs)
    for x, xbar in zip(xs, pullback(y)):
        assert np.shape(xbar) == np.shape(x)
        assert not np.any(xbar)
    assert np.shape(ce.taylor(lambda t: TABLE[name](t, xs[1]), xs[0], order=3)[3]) == np.shape(y)


def test_means_over_nothing():
    """No row of three numbers has no mean; no number has the mean 0/0."""
    assert ce.mean(np.zeros((0, 3)), axis=1).shape == (0,)
    assert ce.grad(lambda x: ce.sum(ce.mean(x, axis=1)))(np.zeros((0, 3))).shape == (0, 3)
    with np.errstate(invalid="ignore"):
        assert np.isnan(ce.mean(np.zeros(0)))


# --- an operation of one's own ----------------------------------------------------------------


@pytest.fixture
def gauss():
    yield Pointwise("gauss", lambda x: np.exp(-x * x), lambda x, v: -2 * x * v)
    del TABLE["gauss"]


@pytest.mark.parametrize("engine", ENGINES)
def test_one_line_adds_an_operation_to_all_engines(gauss, engine):
    found = ENGINES[engine](lambda t: gauss(0.3 + t), 4, 1.0)
    expected = [float(sp.diff(sp.exp(-X * X), X, k).subs(X, 0.3)) for k in range(5)]
    np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_one_line_adds_a_linear_and_a_bilinear_operation():
    flip = ce.Linear("flip", lambda x: x[::-1], lambda g, i, xs: flip(g))
    cross = ce.Bilinear("cross", np.cross, lambda g, x, y: cross(y, g), lambda g, x, y: cross(g, x))
    try:
        rng, x = np.random.default_rng(0), np.array([1.0, 2.0, 4.0])
        check_transposes(flip, [x], rng)
        check_transposes(cross, [x, ce.sin(x)], rng)
        np.testing.assert_allclose(
            ce.taylor(lambda t: cross(x * t, x[::-1] * t), 1.0, order=2)[2], np.cross(x, x[::-1])
        )
    finally:
        del TABLE["flip"], TABLE["cross"]


@pytest.mark.parametrize("shapes", [((), (3,)), ((3,), ()), ((2, 1), (3,))], ids=str)
def test_a_slope_may_be_a_number_where_the_arguments_broadcast(shapes):
    """x + 2y with the slopes 1 and 2: tangents, cotangents and coefficients fill their shapes."""
    rule = Pointwise("x + 2y", lambda x, y: x + 2 * y, lambda x, y, v: 1.0, lambda x, y, v: 2.0)
    try:
        xs = [np.ones(s)[()] for s in shapes]
        check_transposes(rule, xs, np.random.default_rng(0))
        for f, x in [(lambda x: rule(x, xs[1]), xs[0]), (lambda y: rule(xs[0], y), xs[1])]:
            full = np.broadcast_shapes(*shapes)
            check_transposes(f, [x], np.random.default_rng(0))
            assert np.shape(ce.jvp(f, x, x)[1]) == full
            assert [np.shape(c) for c in ce.taylor(f, x, order=3)] == [full] * 4
    finally:
        del TABLE["x + 2y"]


def test_a_rule_names_itself():
    assert repr(ce.sin) == "Pointwise('sin')"
    assert repr(ce.add) == "Linear('add')"
    assert repr(ce.matmul) == "Bilinear('matmul')"
