"""Arguments that are lists, tuples and dicts of arrays; argnum, keyword arguments, value_and_grad."""

from typing import NamedTuple

import numpy as np
import pytest

import companion.engines as ce
from companion.engines import (
    Dual,
    Var,
    flatten,
    grad,
    gradients,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_grad,
    vjp,
)

W, B = np.array([[0.5, -1.0], [2.0, 0.3]]), np.array([0.1, -0.2])
PARAMS = {"layers": [(W, B), (W[:1], 0.7)], "scale": 2.0}


class Pair(NamedTuple):
    w: np.ndarray
    b: float


def network(params, x):
    h = x
    for w, b in params["layers"]:
        h = ce.tanh(w @ h + b)
    return ce.sum(h) * params["scale"]


def by_quotient(f, tree):
    """The gradient of f at a tree, by a five-point quotient in every number."""
    vector, unflatten = flatten(tree)
    h, found = 1e-3, []
    for e in np.eye(len(vector)):
        at = lambda t, e=e: f(unflatten(vector + t * e))
        found.append((at(-2 * h) - 8 * at(-h) + 8 * at(h) - at(2 * h)) / (12 * h))
    return np.array(found)


def test_a_gradient_has_the_shape_of_its_argument():
    x = np.array([0.3, 0.9])
    found = grad(network, argnum=0)(PARAMS, x)
    assert list(found) == ["layers", "scale"]
    assert [type(layer) for layer in found["layers"]] == [tuple, tuple]
    assert np.shape(found["layers"][1][0]) == (1, 2)
    assert type(found["scale"]) is float
    np.testing.assert_allclose(
        flatten(found)[0], by_quotient(lambda p: network(p, x), PARAMS), rtol=1e-9
    )


def test_a_wrong_leaf_would_be_noticed():
    swapped = lambda p: network({"layers": p["layers"][::-1], "scale": 1.0}, np.array([0.3]))
    with pytest.raises(ValueError, match="matmul"):
        grad(swapped)(PARAMS)
    found = flatten(grad(lambda p: p["scale"] * 1.001)(PARAMS))[0]
    assert not np.allclose(found, by_quotient(lambda p: p["scale"], PARAMS), rtol=1e-4)


def test_a_list_of_arrays_and_what_is_not_connected():
    found = grad(lambda p: ce.sum(p[0] * p[1]))([np.ones(2), 3.0, np.ones((2, 2))])
    assert [g.tolist() if np.ndim(g) else g for g in found] == [[3.0, 3.0], 2.0, [[0, 0], [0, 0]]]


def test_a_list_of_numbers_is_one_array():
    found = grad(lambda x: ce.sum(x * x))([1.0, 2.0])
    np.testing.assert_array_equal(found, [2.0, 4.0])
    np.testing.assert_array_equal(grad(lambda x: ce.sum(x[0] * x))((1.0, 2.0)), [4.0, 1.0])


def test_a_named_tuple_stays_one():
    found = grad(lambda p: ce.sum(p.w) * p.b)(Pair(np.ones(2), 3.0))
    assert type(found) is Pair
    assert (found.w.tolist(), found.b) == ([3.0, 3.0], 2.0)


def test_trees_of_engine_values_nest():
    x = Var(2.0)
    found = grad(lambda p: p["a"] ** 3 * p["b"])({"a": x, "b": 5.0})
    assert gradients(found["a"], [x])[0].value == 60.0
    second = grad(lambda t: grad(lambda p: p[0] ** 3 * p[1])((t, np.array(2.0)))[0])
    assert second(2.0) == 24.0


@pytest.mark.parametrize("argnum", [1, -2])
def test_argnum_is_one_argument(argnum):
    assert grad(lambda x, y, z: x * y * y * z, argnum)(2.0, 3.0, 5.0) == 60.0


def test_argnum_of_several():
    f = lambda x, y, z: x * y * y * z
    assert grad(f, (2, 0))(2.0, 3.0, 5.0) == [18.0, 45.0]
    assert value_and_grad(f, (0,))(2.0, 3.0, 5.0) == (90.0, [45.0])
    assert value_and_grad(f)(2.0, 3.0, 5.0) == (90.0, [45.0, 60.0, 18.0])


def test_keyword_arguments_are_constants():
    f = lambda x, y=1.0, *, power=2: y * x**power
    assert grad(f)(3.0, power=3) == 27.0
    assert value_and_grad(f, 0)(3.0, 2.0, power=1) == (6.0, 2.0)
    assert jacobian(f)(3.0, y=4.0) == 24.0
    outer = Var(5.0)
    assert gradients(grad(f)(3.0, y=outer), [outer])[0].value == 6.0


def test_jacobian_and_hessian_of_one_of_several_arguments():
    f = lambda A, x: ce.tanh(A @ x)
    by_hand = (1 - np.tanh(W @ B) ** 2)[:, None] * W
    for by in (None, "rows", "columns"):
        np.testing.assert_allclose(jacobian(f, by, argnum=1)(W, B), by_hand, rtol=1e-14)
    assert jacobian(f)(W, B).shape == (2, 2, 2)
    energy = lambda A, x: x @ A @ x
    np.testing.assert_allclose(hessian(energy, 1)(W, B), W + W.T, rtol=1e-14)


def test_jvp_and_hvp_of_trees():
    x = np.array([0.3, 0.9])
    f = lambda p: network(p, x)
    vector, unflatten = flatten(PARAMS)
    v = unflatten(np.linspace(-1.0, 1.0, len(vector)))
    slope = by_quotient(f, PARAMS) @ flatten(v)[0]
    assert jvp(f, PARAMS, v)[1] == pytest.approx(slope, rel=1e-9)
    assert jvp(lambda a, p: a * f(p), (2.0, PARAMS), (0.0, v))[1] == pytest.approx(2 * slope)
    found = hvp(f, PARAMS, v)
    assert list(found) == list(PARAMS)
    dense = hessian(lambda u: f(unflatten(u)))(vector)
    np.testing.assert_allclose(flatten(found)[0], dense @ flatten(v)[0], rtol=1e-10, atol=1e-12)


def test_vjp_of_trees():
    y, pullback = vjp(lambda p, s: p["x"] * s, {"x": np.ones(2)}, 3.0)
    assert y.tolist() == [3.0, 3.0]
    first, second = pullback(np.array([1.0, 2.0]))
    assert (first["x"].tolist(), second) == ([3.0, 6.0], 3.0)


def test_flatten_follows_engines_and_comes_back():
    vector, unflatten = flatten(PARAMS)
    assert vector.shape == (10,)
    again = unflatten(vector)
    assert list(again) == list(PARAMS)
    np.testing.assert_array_equal(again["layers"][0][0], W)
    assert type(flatten({"x": Dual(2.0, 1.0)})[0]) is Dual
    assert flatten(3.0)[0].tolist() == [3.0]
    assert flatten({})[0].tolist() == []


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda: grad(ce.mul, 2)(1.0, 2.0), ValueError, "0 to 1, or a tuple of some, .*; got 2"),
        (lambda: grad(ce.mul, "x")(1.0, 2.0), ValueError, "argnum is the number.*got 'x'"),
        (lambda: grad(ce.mul, (0, 0))(1.0, 2.0), ValueError, r"each once; got \(0, 0\) for 2"),
        (lambda: grad(ce.mul, (1, -1))(1.0, 2.0), ValueError, r"each once; got \(1, -1\)"),
        (lambda: grad(ce.mul, ())(1.0, 2.0), ValueError, r"argnum is the number.*got \(\)"),
        (lambda: grad(ce.mul, True)(1.0, 2.0), ValueError, "argnum is the number.*got True"),
        (lambda: grad(ce.sum)([[1.0, 2.0], 3.0]), ValueError, "no array: .*write np.array"),
        (lambda: grad(ce.mul, (0, 5))(1.0, 2.0), ValueError, r"got \(0, 5\)"),
        (lambda: flatten(PARAMS)[1](np.ones(3)), ValueError, r"a vector of 10 numbers; got .*3"),
        (
            lambda: jvp(lambda p: p["a"], {"a": W}, {"b": W}),
            ValueError,
            r"a tree of the shape of dict \['a'\] is expected; got \{'b'",
        ),
        (lambda: jvp(ce.sum, [W, B], [W]), ValueError, r"shape of list \[0, 1\] is expected"),
        (lambda: jvp(lambda p: p[0], [W, B], [B, B]), ValueError, "a direction has the shape of x"),
        (lambda: jacobian(ce.sum)(PARAMS), TypeError, "jacobian takes a number or an array; got a"),
        (lambda: hessian(ce.sum)([W, B]), TypeError, r"vector, unflatten = flatten\(x\)"),
        (lambda: ce.taylor(ce.sum, [W, B], order=1), TypeError, "taylor takes a number or an"),
        (lambda: ce.derivative(ce.sum)({"a": 1.0}), TypeError, "derivative takes a number"),
        (lambda: grad(lambda p: [p])({"a": 1.0}), TypeError, "f returned a list of 1"),
        (lambda: grad(lambda p: p)({"a": 1.0}), TypeError, "f returned a dict of 1"),
        (lambda: grad(lambda p: 0.0)({"a": "one"}), TypeError, "expected numbers, got .*'one'"),
    ],
)
def test_what_is_refused(act, error, message):
    with pytest.raises(error, match=message):
        act()


def test_named_numbers_and_an_empty_tree_are_trees():
    """A namedtuple of numbers keeps its names, where a plain tuple of numbers is an array."""
    assert grad(lambda p: p.w * p.b**2)(Pair(3.0, 5.0)) == Pair(25.0, 30.0)
    assert grad(lambda p: p[0].w * p[1])([Pair(3.0, 5.0), 2.0]) == [Pair(2.0, 0.0), 3.0]
    assert value_and_grad(lambda p: 3.0)({}) == (3.0, {})
