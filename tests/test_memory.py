"""The memory of a tape: long chains, nothing that outlives its use, no array that two results
share.
"""

import gc
import weakref

import numpy as np
import pytest

import companion.engines as ce
from companion.engines import Jet, Var, grad, gradients, jvp, tape, vjp

A = np.random.default_rng(0).standard_normal((3, 3))


def values(vars_):
    return [v.value for v in vars_]


CHAIN = 50_000


def test_fifty_thousand_operations_and_the_end_of_them():
    """Forward, backward and del, none of which may recurse."""
    x = Var(1.0)
    y = x
    for _ in range(CHAIN):
        y = y + 1e-5
    assert y.value == pytest.approx(1.5)
    assert values(gradients(y, [x])) == [1.0]
    assert grad(lambda x: _chain(x, CHAIN))(0.0) == 1.0
    node = weakref.ref(y)
    del y
    assert node() is None


def _chain(x, n):
    for _ in range(n):
        x = x - 1e-5
    return x


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_nothing_survives_del(no_collector):
    """Without the collector: no node, neither of the forward tape nor of the taped backward walks."""
    x = Var(np.ones(3))
    y = ce.sum(ce.tanh(x * x + A @ x))
    [g] = gradients(y, [x])
    [h] = gradients(ce.sum(g), [x])
    ghosts = [weakref.ref(node) for node in tape(y, g, h) if node is not x]
    assert len(ghosts) > 20
    del y, g, h
    assert [ghost() for ghost in ghosts if ghost() is not None] == []
    ghost = weakref.ref(x)
    del x
    assert ghost() is None


def test_nothing_of_a_function_survives(no_collector):
    """grad, vjp, jvp of grad and taylor keep nothing of f's values when they return."""
    ghosts = []

    def f(x):
        y = ce.sin(x * x) + ce.tanh(x) / (1 + ce.exp(x))
        for node in (x, y):
            if isinstance(node, (Var, Jet)):
                ghosts.append(weakref.ref(node))
        return y

    grad(f)(0.5)
    grad(grad(f))(0.5)
    jvp(grad(f), 0.5, 1.0)
    ce.taylor(f, 0.5, order=6)
    grad(lambda x: ce.taylor(f, x, order=4)[4])(0.5)
    value, pullback = vjp(f, 0.5)
    pullback()
    del value, pullback
    assert len(ghosts) >= 10
    assert [ghost() for ghost in ghosts if ghost() is not None] == []


def test_nothing_of_a_jet_survives_del(no_collector):
    u = Jet([0.3, 1.0, 0.0, 0.0, 0.0])
    v = ce.sin(u)
    w = ce.tan(ce.exp(v) / u)
    ghosts = [weakref.ref(node) for node in (u, v, w)]
    del u, v, w
    assert [ghost() for ghost in ghosts if ghost() is not None] == []


def test_the_array_that_was_passed_can_be_changed_afterwards():
    a = np.array([1.0, 2.0])
    x = Var(a)
    y = ce.sum(x * x)
    a[:] = 100.0
    np.testing.assert_array_equal(gradients(y, [x])[0].value, [2.0, 4.0])


@pytest.mark.parametrize(
    "f",
    [lambda x, y: x + y, lambda x, y: ce.reshape(x, (2, 1))[:, 0] + y, lambda x, y: 2 * x + y],
    ids=["sum", "views", "scaled"],
)
def test_gradients_share_no_array_with_each_other(f):
    """Where one cotangent goes to two inputs, changing one result must not change the other, nor
    the next call.
    """
    _y, pullback = vjp(lambda x, y: f(x, y), np.ones(2), np.ones(2))
    seed = np.ones(2)
    first, second = pullback(seed)
    kept = second.copy()
    first += 100.0
    np.testing.assert_array_equal(second, kept)
    np.testing.assert_array_equal(seed, [1.0, 1.0])
    np.testing.assert_array_equal(pullback(seed)[1], kept)


def test_what_grad_gives_can_be_written_to():
    for f in [ce.sum, lambda x: ce.sum(x + x), ce.mean, lambda x: ce.sum(x[::-1])]:
        g = grad(f)(np.ones(3))
        g += 1.0
        np.testing.assert_allclose(grad(f)(np.ones(3)), g - 1.0, rtol=1e-15)
    a, b = grad(lambda x, y: ce.sum(x) + ce.sum(y))(np.ones(3), np.ones(3))
    a *= 5.0
    np.testing.assert_array_equal(b, np.ones(3))


def test_changing_a_result_does_not_change_the_tape():
    x = Var(np.array([1.0, 2.0]))
    y = x * x
    [g] = gradients(ce.sum(y), [x])
    z = gradients(ce.sum(y), [x])[0]
    z.value[:] = 7.0
    np.testing.assert_array_equal(g.value, [2.0, 4.0])
    np.testing.assert_array_equal(gradients(ce.sum(y), [x])[0].value, [2.0, 4.0])


def test_a_shared_cotangent_is_not_shared_memory():
    """x + x + y: one ȳ flows to three places."""
    x, y = Var(np.ones(2)), Var(np.ones(2))
    gx, gy = gradients(x + x + y, [x, y], seed=np.ones(2))
    np.testing.assert_array_equal(gx.value, [2.0, 2.0])
    np.testing.assert_array_equal(gy.value, [1.0, 1.0])


def test_a_function_that_gives_its_input_back_gives_a_copy():
    x = np.array([1.0, 2.0])
    y, pullback = vjp(lambda x: x, x)
    for found in (
        jvp(lambda x: x, x, x)[0],
        y,
        pullback(x)[0],
        ce.taylor(lambda x: x, x, order=1)[0],
    ):
        found += 5.0
    np.testing.assert_array_equal(x, [1.0, 2.0])
