"""Reverse mode: gradients on scalars and arrays, nesting, long chains, and a tape that lets go."""

import copy
import math

import numpy as np
import pytest

import companion.engines as ce
from companion.engines import (
    Var,
    derivative,
    grad,
    gradients,
    hessian,
    hvp,
    jacobian,
    jvp,
    tape,
    vjp,
)

RNG = np.random.default_rng(0)
A, V = RNG.standard_normal((4, 4)), RNG.standard_normal(4)
X = RNG.uniform(0.5, 1.5, 4)
ENERGY = lambda x: ce.sum(ce.tanh(A @ x) ** 2) + ce.logsumexp(x) * ce.sin(x[0])


def values(vars_):
    return [v.value for v in vars_]


# --- gradients --------------------------------------------------------------------------------


def test_the_worked_example():
    x, y = Var(2.0), Var(5.0)
    z = ce.log(x) + x * y - ce.sin(y)
    assert values(gradients(z, [x, y])) == [5.5, 2 - math.cos(5)]
    assert repr(gradients(z, [x, y])) == "[Var(5.5), Var(1.716338)]"


def test_twice_the_same_answer():
    """Nothing accumulates: micrograd gives 6, then 12."""
    x = Var(3.0)
    y = x * x
    assert (
        values(gradients(y, [x])) == values(gradients(y, [x])) == values(gradients([y], x)) == [6.0]
    )


def test_fan_out_adds_up():
    """Each use of x adds its share: 2x + 1, not 1."""
    x = Var(3.0)
    assert values(gradients(x * x + x, [x])) == [7.0]
    assert values(gradients(x + x + x, [x])) == [3.0]


def test_diamonds_are_walked_once_and_in_order():
    """Twenty diamonds have 2²⁰ paths, and a walk from the output visits every node once, after all
    its users.
    """
    x = y = Var(1.0)
    for _ in range(20):
        y = 0.5 * y + 0.5 * ce.sin(y)
    slope, value = 1.0, 1.0
    for _ in range(20):
        slope, value = slope * (0.5 + 0.5 * math.cos(value)), 0.5 * value + 0.5 * math.sin(value)
    assert gradients(y, [x])[0].value == pytest.approx(slope, rel=1e-14)
    assert len(tape(y)) == 1 + 4 * 20


def test_a_node_used_early_and_late():
    """Depth first without order gets this wrong: a is an input of b and of the output."""
    x = Var(2.0)
    a = x * x
    b = a * a
    assert values(gradients(a * b + a, [x])) == [6 * 2.0**5 + 4]


def test_several_outputs_and_seeds():
    x, y = Var(2.0), Var(5.0)
    found = gradients([x * y, x + y], [x, y], seed=[10.0, 1.0])
    assert values(found) == [51.0, 21.0]
    assert values(gradients([x * y, x + y], [x, y])) == [6.0, 3.0]
    assert values(gradients([x * y, x * y], [x])) == [10.0]


def test_an_output_that_is_an_input():
    x, y = Var(2.0), Var(5.0)
    assert values(gradients([x, x * y], [x, y])) == [6.0, 2.0]
    assert values(gradients(x, [x], seed=3.0)) == [3.0]


def test_an_array_output_with_a_seed():
    x = Var(np.array([1.0, 2.0]))
    np.testing.assert_array_equal(
        gradients(x * x, [x], seed=np.array([1.0, 10.0]))[0].value, [2.0, 40.0]
    )


def test_a_seed_on_the_tape():
    """∂/∂s of ȳ(s) J: the trick that makes forward mode of reverse mode."""
    x, s = Var(3.0), Var(1.0)
    [g] = gradients(x * x, [x], seed=s)
    assert values(gradients(g, [s])) == [6.0]


def test_what_is_not_connected_gets_zeros():
    x, y = Var(2.0), Var(np.ones((2, 3)))
    [g] = gradients(x * x, [y])
    np.testing.assert_array_equal(g.value, np.zeros((2, 3)))
    assert type(g) is Var
    assert values(gradients(3.0, [x])) == [0.0]
    assert grad(lambda x: 7.0)(2.0) == 0.0


def test_the_gradient_of_a_linear_map_has_a_zero_gradient():
    """Where torch says that an element does not require grad."""
    w = np.array([1.0, 2.0])
    np.testing.assert_array_equal(hessian(lambda x: w @ x)(np.ones(2)), np.zeros((2, 2)))
    x = Var(np.ones(2))
    np.testing.assert_array_equal(
        gradients(gradients(w @ x, [x])[0], [x], seed=w)[0].value, np.zeros(2)
    )


def test_inputs_in_the_middle():
    x = Var(0.5)
    a = ce.sin(x)
    b = a * a
    y = b + a
    assert values(gradients(y, [x, a, b, y])) == pytest.approx(
        [(2 * math.sin(0.5) + 1) * math.cos(0.5), 2 * math.sin(0.5) + 1, 1.0, 1.0], rel=1e-15
    )


def test_gradients_of_gradients():
    x = Var(2.0)
    y, found = x**5, []
    for _ in range(7):
        found.append(y.value)
        [y] = gradients(y, [x])
    assert found == [32, 80, 160, 240, 240, 120, 0]


def test_the_tape_is_the_order_of_creation():
    x, y = Var(2.0), Var(5.0)
    nodes = tape(ce.log(x) + x * y - ce.sin(y))
    assert [n.rule.name if n.rule else "input" for n in nodes] == [
        "input",
        "input",
        "log",
        "mul",
        "add",
        "sin",
        "sub",
    ]
    assert [n.index for n in nodes] == sorted(n.index for n in nodes)
    assert nodes[0] is x
    assert tape(3.0) == []


# --- vjp, grad, jacobian, hessian, hvp --------------------------------------------------------


def test_vjp_of_several_arguments():
    y, pullback = vjp(lambda a, x: a @ x, A, X)
    np.testing.assert_array_equal(y, A @ X)
    abar, xbar = pullback(V)
    np.testing.assert_allclose(abar, np.outer(V, X), rtol=1e-15)
    np.testing.assert_allclose(xbar, A.T @ V, rtol=1e-14)
    np.testing.assert_array_equal(pullback(V)[1], xbar)


def test_grad_of_several_arguments_is_a_list():
    assert grad(lambda x, y: x * x * y)(2.0, 5.0) == [20.0, 4.0]
    assert type(grad(lambda x: x * x)(2.0)) is float


@pytest.mark.parametrize("by", [None, "rows", "columns"])
@pytest.mark.parametrize(
    "shapes",
    [((), ()), ((3,), ()), ((), (2,)), ((2, 2), (3,)), ((3,), (2, 2)), ((0,), (2,)), ((2,), (0,))],
    ids=str,
)
def test_jacobian_shapes_and_values(by, shapes):
    """J of a linear map is the map, by rows and by columns, in every shape."""
    n, m = shapes
    matrix = np.random.default_rng(1).standard_normal((*m, *n))
    flat = matrix.reshape(math.prod(m), math.prod(n))
    f = lambda x: ce.reshape(flat @ ce.reshape(x, (math.prod(n),)), m)
    x = np.ones(n)[()]
    found = jacobian(f, by)(x)
    assert np.shape(found) == (*m, *n)
    np.testing.assert_allclose(found, matrix, rtol=1e-15)


def test_jacobian_chooses_the_fewer_walks():
    """Counted: a wide Jacobian is found by few walks back, a tall one by few seeds."""

    class Watch:
        engine = None

        def __call__(self, x):
            self.engine = type(x).__name__
            return self.f(x)

    for f, n, engine in [(lambda x: x[:2], 9, "Var"), (lambda x: ce.stack([x] * 9), 2, "Dual")]:
        watch = Watch()
        watch.f = f
        jacobian(watch)(np.ones(n))
        assert watch.engine == engine


def test_hessian_by_rows_and_by_columns():
    by_columns = hessian(ENERGY)(X)
    by_rows = jacobian(grad(ENERGY), by="rows")(X)
    forward_only = jacobian(jacobian(ENERGY, by="columns"), by="columns")(X)
    np.testing.assert_allclose(by_columns, by_rows, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(by_columns, forward_only, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(by_columns, by_columns.T, rtol=1e-12, atol=1e-13)


def test_hessian_vector_products_three_ways():
    expected = hessian(ENERGY)(X) @ V
    forward_over_reverse = hvp(ENERGY, X, V)
    reverse_over_reverse = grad(lambda x: grad(ENERGY)(x) @ V)(X)
    reverse_over_forward = grad(lambda x: jvp(ENERGY, x, V)[1])(X)
    for found in [forward_over_reverse, reverse_over_reverse, reverse_over_forward]:
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_jvp_of_grad_and_grad_of_jvp():
    f = lambda x: ce.exp(ce.sin(x)) * x
    g2, g3 = derivative(f, 2)(0.4), derivative(f, 3)(0.4)
    assert jvp(grad(f), 0.4, 1.0)[1] == pytest.approx(g2, rel=1e-14)
    assert grad(derivative(f))(0.4) == pytest.approx(g2, rel=1e-14)
    assert grad(grad(f))(0.4) == pytest.approx(g2, rel=1e-14)
    for nest in [
        grad(grad(derivative(f))),
        grad(derivative(grad(f))),
        derivative(grad(grad(f))),
        derivative(derivative(grad(f))),
    ]:
        assert nest(0.4) == pytest.approx(g3, rel=1e-13)


def test_the_third_derivative_is_composed():
    """autograd's test of this name never composed."""
    f = lambda x: x**4
    d1 = grad(f)
    d2 = grad(d1)
    d3 = grad(d2)
    assert [d1(2.0), d2(2.0), d3(2.0), grad(d3)(2.0), grad(grad(d3))(2.0)] == [
        32.0,
        48.0,
        48.0,
        24.0,
        0.0,
    ]


def test_grad_at_a_variable_that_the_closure_also_uses():
    """∂/∂y (x y) at y = x is x: 4, and not the 8 of a walk that cannot tell the two apart."""
    x = Var(4.0)
    assert grad(lambda y: x * y)(x).value == 4.0


def test_what_grad_gives_at_a_var_is_on_the_tape():
    x = Var(3.0)
    g = grad(lambda y: y**3)(x)
    assert gradients(g, [x])[0].value == 18.0
    y, pullback = vjp(ce.sin, x)
    assert gradients(y, [x])[0].value == math.cos(3.0)
    assert gradients(pullback()[0], [x])[0].value == -math.sin(3.0)


def test_closures_over_outer_vars():
    """∂/∂a of ∂/∂x (a² x) is 2a, though grad was not told about a."""
    a = Var(3.0)
    g = grad(lambda x: a * a * x)(2.0)
    assert gradients(g, [a])[0].value == 6.0


@pytest.mark.parametrize("by", [None, "rows", "columns"])
def test_a_jacobian_can_be_differentiated(by):
    """∇ Σ J², by all three engines, against the complex step of the Jacobian."""
    f = lambda x: ce.tanh(A[:3] @ x) * ce.sum(x)
    g = lambda x: ce.sum(jacobian(f, by)(x) ** 2)
    steps = [X + 1e-30j * e for e in np.eye(4)]
    exact = [np.imag(ce.sum(jacobian(f, "columns")(x) ** 2)) / 1e-30 for x in steps]
    np.testing.assert_allclose(grad(g)(X), exact, rtol=1e-12)
    assert jvp(g, X, V)[1] == pytest.approx(exact @ V, rel=1e-12)
    assert ce.taylor(g, X, V, order=2)[1] == pytest.approx(exact @ V, rel=1e-12)


def test_training_through_a_training_step():
    """The gradient of a loss after one step of gradient descent, in the learning rate."""
    loss = lambda w: ce.sum((w - 3.0) ** 2)
    after = lambda rate: loss(2.0 - rate * grad(loss)(2.0))
    assert grad(after)(0.1) == pytest.approx(derivative(after)(0.1), rel=1e-14)
    assert grad(after)(0.1) == pytest.approx(-4 * (1 - 0.2), rel=1e-14)


# --- a network, as a reader would write it ----------------------------------------------------


def network(params, x):
    w1, b1, w2, b2 = params
    return ce.tanh(x @ w1 + b1) @ w2 + b2


def test_gradient_of_a_network_against_hand_written_backpropagation():
    rng = np.random.default_rng(2)
    params = [rng.standard_normal(s) for s in [(2, 8), (8,), (8, 1), (1,)]]
    x, target = rng.standard_normal((16, 2)), rng.standard_normal((16, 1))
    found = grad(lambda *p: ce.mean((network(p, x) - target) ** 2))(*params)
    w1, b1, w2, b2 = params
    h = np.tanh(x @ w1 + b1)
    e = 2 * (h @ w2 + b2 - target) / 16
    d = e @ w2.T * (1 - h * h)
    for a, b in zip(found, [x.T @ d, d.sum(0), h.T @ e, e.sum(0)]):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_a_network_can_be_trained():
    rng = np.random.default_rng(3)
    params = [rng.standard_normal(s) * 0.5 for s in [(1, 8), (8,), (8, 1), (1,)]]
    x = np.linspace(-2, 2, 20)[:, None]
    loss = lambda *p: ce.mean((network(p, x) - np.sin(x)) ** 2)
    first = loss(*params)
    for _ in range(200):
        params = [p - 0.1 * g for p, g in zip(params, grad(loss)(*params))]
    assert loss(*params) < first / 20


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_is_the_same_input(copied):
    """As of a float: what cannot change is not made twice, and has no second place on the tape."""
    x = Var(3.0)
    parameters, y = copied({"x": x}), copied(x * x)
    assert [g.value for g in gradients(y * parameters["x"], [x])] == [27.0]
