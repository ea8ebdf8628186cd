"""What is refused, and in which words: what came, what is needed, what to write instead."""

import math

import numpy as np
import pytest
import scipy.special

import companion.engines as ce
from companion.engines import (
    Bilinear,
    Dual,
    Jet,
    Linear,
    Pointwise,
    Var,
    concatenate,
    derivative,
    grad,
    gradients,
    hessian,
    jacobian,
    jvp,
    stack,
    taylor,
    vjp,
)

X, XS, D, DS, J = Var(2.0), Var(np.ones(3)), Dual(2.0, 1.0), Dual(np.ones(3), 1.0), Jet([2.0, 1.0])
ENGINE_VALUES = {"Var": (X, XS), "Dual": (D, DS), "Jet": (J, Jet([np.ones(3), np.ones(3)]))}

MESSAGES = [
    # what is built from what
    (lambda: Var(J), TypeError, "a Var holds plain numbers; got a Jet"),
    (lambda: Var(D), TypeError, "a Var holds plain numbers; got a Dual.*or call grad"),
    (lambda: Var(X), TypeError, "a Var holds plain numbers; got a Var. A Var is used as it is"),
    (
        lambda: Var("two"),
        TypeError,
        "expected numbers, got .*'two'.*Pass a float or an array of floats",
    ),
    (lambda: Dual(None), TypeError, "expected numbers, got .*None"),
    (
        lambda: Var([X, X]),
        TypeError,
        r"a list of engine values is not an array. Join them with stack\(\[...\]\)",
    ),
    (
        lambda: Dual(np.ones(2), np.ones(3)),
        ValueError,
        r"shape of its primal, \(2,\); got shape \(3,\).*Dual\(x, seed1, seed2\)",
    ),
    (lambda: Dual(1.0, np.ones(3)), ValueError, r"shape of its primal, \(\); got shape \(3,\)"),
    (lambda: Dual(1.0, 1.0, 0.0) * D, ValueError, "Duals with 2 and 1 seeds cannot be combined"),
    (lambda: Dual(np.ones(2), 1.0, 0.0) + Dual(np.ones(2), 1.0), ValueError, "2 and 1 seeds"),
    (lambda: Dual(1.0, 1.0, 0.0).tangent, AttributeError, "carries 2 seeds: use .tangents"),
    (lambda: Jet([]), ValueError, "a Jet needs its coefficients"),
    (
        lambda: Jet([1.0, np.ones(2)]),
        ValueError,
        r"coefficients of a Jet have one shape; got \[\(\), \(2,\)\]",
    ),
    # lists and objects among the arguments
    (lambda: ce.sin([X, X]), TypeError, r"Join them with stack\(\[...\]\)"),
    (lambda: ce.sum((D, 1.0)), TypeError, "a tuple of engine values is not an array"),
    (lambda: ce.sin("a"), TypeError, "expected numbers, got"),
    (lambda: ce.sin(np.array([1.0, None])), TypeError, "of dtype object"),
    (lambda: concatenate([X, X]), ValueError, r"Join scalars with stack\(\[...\]\)"),
    (lambda: concatenate([]), ValueError, "concatenate needs one array or more"),
    (lambda: stack([]), ValueError, "stack needs one array or scalar or more; got none"),
    # axes
    (lambda: ce.sum(XS, axis=1), ValueError, "there is no axis 1 among 1"),
    (lambda: ce.mean(XS, axis=-2), ValueError, "there is no axis -2 among 1"),
    (lambda: ce.transpose(XS, (1,)), ValueError, "there is no axis 1 among 1"),
    (lambda: stack([X, X], axis=1), ValueError, "there is no axis 1 among 1"),
    (lambda: concatenate([XS, XS], axis=1), ValueError, "there is no axis 1 among 1"),
    # products and arrangements
    (lambda: ce.cross(XS, np.ones(2)), ValueError, r"cross is of vectors of three; got .* \(2,\)"),
    (
        lambda: ce.tensordot(XS, np.ones(2), 1),
        ValueError,
        r"tensordot sums over axes \[0\] of \(3,\) and \[0\] of \(2,\): lengths differ",
    ),
    (
        lambda: ce.einsum("ij,j", XS, XS),
        ValueError,
        r"einsum: 'ij,j' does not fit arrays of the shapes \[\(3,\), \(3,\)\]",
    ),
    (lambda: ce.einsum("i,i->", XS), ValueError, "einsum: 'i,i->' does not fit arrays"),
    (lambda: ce.einsum("i->ii", XS), ValueError, "output of 'i->ii' has letters twice"),
    (lambda: ce.einsum("i->k", XS), ValueError, "output of 'i->k' has letters twice, or of no"),
    (lambda: ce.diag(X), ValueError, r"diag takes a vector or a matrix; got shape \(\)"),
    (lambda: ce.pad(XS, 1, "median"), ValueError, "pad knows the modes constant.*got 'median'"),
    (lambda: ce.pad(XS, 1, constant_values=[1.0, 2.0]), ValueError, "one constant for the whole"),
    (lambda: ce.split(XS, 2), ValueError, "does not result in an equal division"),
    (lambda: ce.var(XS, ddof=3), ValueError, "var of 3 numbers needs a smaller ddof; got 3"),
    # linear algebra
    (lambda: ce.inv(XS), ValueError, r"inv takes a square matrix; got shape \(3,\)"),
    (lambda: ce.det(Var(np.ones((2, 3)))), ValueError, "det takes a square matrix"),
    (lambda: ce.solve(Var(np.zeros((2, 2))), np.ones(2)), np.linalg.LinAlgError, "Singular"),
    (lambda: ce.cholesky(Var(-np.eye(2))), np.linalg.LinAlgError, "not positive definite"),
    (
        lambda: ce.eigh(Var(np.arange(4.0).reshape(2, 2))),
        ValueError,
        r"eigh takes a symmetric matrix; A and its transpose differ by 1\. Write \(A \+ A.T\) / 2",
    ),
    (lambda: ce.eigh(Var(np.eye(2))), ValueError, r"two eigenvalues are equal.*Write symmetric"),
    (lambda: ce.cholesky(1j * np.eye(2)), TypeError, "Pass the real and the imaginary part"),
    (lambda: ce.slogdet(Var(np.ones((2, 2)))), ValueError, "slogdet of a singular matrix"),
    (lambda: ce.det(Var(np.zeros((6, 6)))), ValueError, "6 rows have no pivot.*up to order 5 are"),
    (lambda: ce.norm(XS, 0), ValueError, "norm of a vector knows the orders p > 0.*got 0"),
    (lambda: ce.norm(XS, "nuc"), ValueError, "norm of a vector knows.*got 'nuc'"),
    (lambda: ce.norm(Var(np.eye(2)), 2), ValueError, "norm of a matrix knows.*got 2. The largest"),
    (lambda: ce.norm(X, 1), ValueError, "norm of order 1 is of vectors and matrices; got 0 axes"),
    # complex numbers
    *[
        (lambda f=f: f(np.array([3 + 4j, 1.0])), TypeError, "complex numbers have no order, sign")
        for f in (ce.abs, ce.norm, ce.var, ce.std, ce.sort, ce.max, ce.relu, ce.floor, ce.erf)
    ],
    (lambda: ce.vdot(1j, 1j), TypeError, "the engines differentiate real functions"),
    (lambda: ce.hypot(1j, 1.0), TypeError, "the engines differentiate real functions"),
    (lambda: ce.max(np.array([1j, 2.0])), TypeError, "Pass the real and the imaginary part"),
    # gradients
    (
        lambda: gradients(X * X, [2.0]),
        TypeError,
        r"gradients are taken at Vars; got 2.0. Write x = Var\(...\)",
    ),
    (lambda: gradients(X * X, 2.0), TypeError, "gradients are taken at Vars; got 2.0"),
    (lambda: gradients(D, [D]), TypeError, "gradients are taken at Vars; got Dual"),
    (
        lambda: gradients(XS * XS, XS),
        ValueError,
        r"output has shape \(3,\), and only a scalar has a gradient. Sum it, pass seed=",
    ),
    (
        lambda: gradients(XS * XS, XS, seed=np.ones(2)),
        ValueError,
        r"a seed has the shape of its output, \(3,\); got shape \(2,\)",
    ),
    (
        lambda: gradients(X * X, X, seed=np.ones(1)),
        ValueError,
        r"shape of its output, \(\); got shape \(1,\)",
    ),
    (
        lambda: gradients([X, X * X], X, seed=[1.0]),
        ValueError,
        r"2 outputs need a list of as many seeds; got \[1.0\]",
    ),
    (lambda: gradients([X, D * X], X), TypeError, "ask for them one at a time"),
    (
        lambda: grad(lambda x: x * x)(np.ones(2)),
        ValueError,
        r"the output has shape \(2,\).*ask for the jacobian",
    ),
    (lambda: hessian(lambda x: x * x)(np.ones(2)), ValueError, "only a scalar has a gradient"),
    (lambda: grad(ce.sin)(), TypeError, r"vjp\(f, x, ...\) needs the point x as well"),
    (lambda: grad(lambda x: None)(1.0), TypeError, "expected numbers, got .*None"),
    (lambda: gradients(None, [X]), TypeError, "expected numbers, got .*None"),
    (lambda: gradients([X, None], [X]), TypeError, "expected numbers, got .*None"),
    (lambda: gradients([X], [X], seed=1.0), ValueError, "1 outputs need a list .*; got 1.0"),
    (lambda: ce.sum(np.ma.array([1.0, 2.0], mask=[0, 1])), TypeError, "a MaskedArray computes by"),
    (lambda: ce.einsum("ii", np.ones((2, 3))), ValueError, "'i' stands for axes of 2 and 3"),
    (lambda: pow(X, 2, 5), TypeError, "2 positional arguments but 3"),
    (
        lambda: grad(lambda x: [x, x])(1.0),
        TypeError,
        r"f returned a list of 2; return one value, e.g. stack\(\[...\]\)",
    ),
    (lambda: jacobian(lambda x: (x, x), by="columns")(1.0), TypeError, "f returned a tuple of 2"),
    (lambda: jacobian(ce.sin, by="cols"), ValueError, "by is 'rows' or 'columns'.*got 'cols'"),
    (lambda: vjp(ce.sin, np.ones(2))[1](), ValueError, r"output has shape \(2,\)"),
    # jvp, derivative, taylor
    (
        lambda: jvp(ce.sin, np.ones(2), np.ones(3)),
        ValueError,
        r"a direction has the shape of x, \(2,\); got shape \(3,\)",
    ),
    (lambda: jvp(ce.mul, (1.0, 2.0), (1.0,)), ValueError, "2 arguments, 1 directions"),
    (lambda: jvp(lambda x: [x], 1.0, 1.0), TypeError, "f returned a list of 1"),
    (lambda: jvp(lambda x: None, 1.0, 1.0), TypeError, "expected numbers, got .*None"),
    (lambda: derivative(ce.sin, -1), ValueError, "order is a whole number, 0 or more; got -1"),
    (lambda: derivative(ce.sin, "2"), ValueError, "order is a whole number, 0 or more; got '2'"),
    (lambda: derivative(ce.sin, 1.5), ValueError, "got 1.5"),
    (
        lambda: taylor(ce.sin, 0.0, order=-1),
        ValueError,
        "order is a whole number, 0 or more; got -1",
    ),
    (lambda: taylor(ce.sin, 0.0, order=0.5), ValueError, "got 0.5"),
    (
        lambda: taylor(ce.sin, np.ones(2), np.ones(3), order=1),
        ValueError,
        r"the shape of x, \(2,\); got shape \(3,\)",
    ),
    (lambda: taylor(lambda x: (x, x), 1.0, order=1), TypeError, "f returned a tuple of 2"),
    # rules of one's own
    (
        lambda: Pointwise("bare", np.sin),
        TypeError,
        r"Pointwise\('bare', ...\) needs a slope for each argument",
    ),
]


@pytest.mark.parametrize(("act", "error", "message"), MESSAGES, ids=[m for _, _, m in MESSAGES])
def test_message(act, error, message):
    with pytest.raises(error, match=message):
        act()


@pytest.mark.parametrize("name", ENGINE_VALUES)
def test_what_no_engine_value_does(name):
    """Each of these would silently drop the derivative, or give an array of objects."""
    x, xs = ENGINE_VALUES[name]
    for act, message in [
        (lambda: float(x), rf"float\(\) of a {name} would drop its derivative. Write x.primal"),
        (lambda: math.sin(x), r"sin, exp, ... from companion.engines in place of those of math"),
        (
            lambda: np.asarray(x),
            rf"NumPy cannot hold a {name}.*x.primal for the plain array, or stack",
        ),
        (lambda: np.array([x, x]), rf"NumPy cannot hold a {name}"),
        (
            lambda: np.array([x, x], dtype=object)[0] and np.asarray([x]),
            rf"NumPy cannot hold a {name}",
        ),
        (lambda: np.linalg.svd(xs), rf"np.svd does not know a {name}. Write it with functions of"),
        (
            lambda: np.median(xs),
            rf"np.median does not know a {name}.*Linear\(name, value, adjoint\)",
        ),
        (
            lambda: np.sum(xs, dtype=float),
            rf"np.sum of a {name}: got an unexpected keyword argument 'dtype'. It is sum\(x",
        ),
        (lambda: np.einsum(xs, [0]), r"einsum takes its subscripts as a string first: einsum\("),
        (lambda: np.spacing(x), rf"np.spacing has no rule for a {name}.*Pointwise\(name, value"),
        (lambda: scipy.special.beta(x, 2.0), rf"^beta has no rule for a {name}.*Pointwise\(name"),
        (lambda: np.fft.fft(xs), rf"np.fft of a {name}: the engines differentiate real functions"),
        (lambda: np.conj(x), rf"np.conjugate of a {name}: the engines differentiate real"),
        (
            lambda: np.real(x),
            rf"np.real of a {name}: .*Compute with the real and the imaginary part",
        ),
        (lambda: complex(x), rf"complex\(\) of a {name}: the engines differentiate real functions"),
        (lambda: int(x), rf"int\(\) of a {name} would drop its derivative.*Write int\(x.primal\)"),
        (lambda: range(x), rf"a {name} is no index and no count.*Write int\(x.primal\)"),
        (lambda: [1.0][x], rf"a {name} is no index and no count"),
        (lambda: np.add(1.0, x, out=np.zeros(())), rf"np.add would write a {name} into an array"),
        (lambda: np.add.reduce(xs), rf"np.add has no rule for a {name} \(called as 'reduce'"),
        (lambda: np.sin(x, where=x > 0), r"called as '__call__' with \['where'\] options"),
        (
            lambda: xs.__setitem__(0, 1.0),
            rf"a {name} cannot be changed in place.*where, concatenate or stack",
        ),
        (lambda: len(x), rf"a scalar {name} has no length"),
        (lambda: list(x), rf"a scalar {name} cannot be iterated over"),
        (lambda: x << 2, "unsupported operand"),
    ]:
        with pytest.raises(TypeError, match=message):
            act()


@pytest.mark.parametrize("name", ENGINE_VALUES)
def test_shapes_that_do_not_fit_are_refused_by_numpy(name):
    _, xs = ENGINE_VALUES[name]
    for act, error in [
        (lambda: xs + np.ones(2), ValueError),
        (lambda: xs @ np.ones(2), ValueError),
        (lambda: ce.reshape(xs, (2, 2)), ValueError),
        (lambda: xs[5], IndexError),
        (lambda: xs[0.5], IndexError),
        (lambda: ce.broadcast_to(xs, (3, 2)), ValueError),
    ]:
        with pytest.raises(error):
            act()


@pytest.mark.parametrize("name", ENGINE_VALUES)
def test_what_an_engine_value_answers(name):
    x, xs = ENGINE_VALUES[name]
    assert (x.shape, x.ndim, x.size) == ((), 0, 1)
    assert (xs.shape, xs.ndim, xs.size, len(xs)) == ((3,), 1, 3, 3)
    assert bool(x) is True
    assert (x == 2.0, x != 2.0, x < 3, x >= 3.0, x >= 1) == (True, False, True, False, True)
    assert len({x, x}) == 1
    assert [type(item) for item in xs] == [type(x)] * 3
    assert (+x) is x
    assert abs(-x).primal == 2.0
    assert xs.T.shape == xs.reshape(3).shape == xs.transpose().shape == (3,)
    assert xs.sum().primal == 3.0
    assert xs.mean().primal == 1.0
    with pytest.raises(ValueError, match="ambiguous"):
        bool(xs)


def test_errors_come_before_numbers_are_lost():
    """A mistake inside f is reported as it is, not as something about derivatives."""

    def f(x):
        raise KeyError("mine")

    for act in (grad(f), derivative(f), lambda x: taylor(f, x, order=2), jacobian(f)):
        with pytest.raises(KeyError, match="mine"):
            act(1.0)
    with pytest.raises(NameError):
        grad(lambda x: undefined(x))(1.0)  # noqa: F821


def test_the_kinds_ask_for_their_facts():
    with pytest.raises(TypeError):
        Linear("no adjoint", np.negative)
    with pytest.raises(TypeError):
        Bilinear("one side", np.multiply, lambda g, x, y: g)
