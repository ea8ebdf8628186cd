"""NumPy's names on engine values: every one against NumPy's value, a difference quotient of the order
below, and the other engines.
"""

import math
from types import MappingProxyType

import numpy as np
import pytest

import companion.engines as ce
from companion.engines import Dual, Jet, Var
from companion.engines.values import FUNCTIONS, PLAIN, UFUNCS, Value

RNG = np.random.default_rng(11)
VECTOR = np.array([0.87, -0.42, 0.33, 1.31, -1.13])
MATRIX = RNG.uniform(0.4, 1.6, (3, 4)) * RNG.choice([-1.0, 1.0], (3, 4))
CUBE = RNG.uniform(0.4, 1.6, (2, 3, 2))
SQUARE = np.array([[2.1, 0.3, -0.4], [0.5, 1.7, 0.2], [-0.6, 0.1, 2.9]])
SPD = SQUARE @ SQUARE.T
POSITIVE = np.array([0.3, 1.2, 2.6])
UNIT = np.array([-0.6, 0.2, 0.71])
symmetric = lambda f: lambda x: f(x + np.swapaxes(x, -1, -2))

CALLS = {  # (NumPy's function, a label) -> how it is called, and where
    (np.dot, "vectors"): (lambda x: np.dot(x, x[::-1]), VECTOR),
    (np.dot, "matrix, vector"): (lambda x: np.dot(x, np.arange(4.0)), MATRIX),
    (np.dot, "scalar"): (lambda x: np.dot(x, 2.0), MATRIX),
    (np.dot, "cubes"): (lambda x: np.dot(x, np.ones((2, 2, 3))), CUBE),
    (np.vdot, ""): (lambda x: np.vdot(x, x * x), MATRIX),
    (np.inner, ""): (lambda x: np.inner(x, x), MATRIX),
    (np.inner, "scalar"): (lambda x: np.inner(3.0, x), MATRIX),
    (np.outer, ""): (lambda x: np.outer(x, x), MATRIX),
    (np.tensordot, "2"): (lambda x: np.tensordot(x, x), MATRIX),
    (np.tensordot, "pair"): (lambda x: np.tensordot(x, x, axes=([0, 2], [2, 0])), CUBE[:, :2]),
    (np.tensordot, "0"): (lambda x: np.tensordot(x, VECTOR, 0), MATRIX),
    (np.tensordot, "negative"): (lambda x: np.tensordot(x, x, (-1, -1)), MATRIX),
    (np.kron, ""): (lambda x: np.kron(x, x[:2]), MATRIX),
    (np.kron, "vector"): (lambda x: np.kron(x[0], x), MATRIX),
    (np.cross, ""): (lambda x: np.cross(x, x[::-1] * x), SQUARE),
    (np.einsum, "product"): (lambda x: np.einsum("ij,kj->ik", x, x), MATRIX),
    (np.einsum, "implicit"): (lambda x: np.einsum("ij,jk", x, np.ones((4, 2))), MATRIX),
    (np.einsum, "trace"): (lambda x: np.einsum("ii", x), SQUARE),
    (np.einsum, "diagonal"): (lambda x: np.einsum("ii->i", x), SQUARE),
    (np.einsum, "three"): (lambda x: np.einsum("i,ij,j->", x[0, :3], x, x[1]), MATRIX),
    (np.einsum, "batch"): (lambda x: np.einsum("...ij,...j->...i", x, x[0, :, 0][:2]), CUBE),
    (np.einsum, "broadcast"): (lambda x: np.einsum("...i,...i->...", x, x[:1]), CUBE),
    (np.einsum, "transposed"): (lambda x: np.einsum("ijk->kij", x), CUBE),
    (np.einsum, "sums"): (lambda x: np.einsum("ij,k->j", x, x[0]), MATRIX),
    (np.einsum, "twice"): (lambda x: np.einsum("iij,j->i", np.stack([x] * 3), x[0]), MATRIX),
    (np.einsum, "lengths of 1"): (
        lambda x: np.einsum("b,bad,ac->cd", x[0, :1], x[:, None], np.ones((4, 2))),
        MATRIX,
    ),
    (np.einsum, "spaces"): (lambda x: np.einsum("b i j -> b j i", x), CUBE),
    (np.max, ""): (np.max, MATRIX),
    (np.max, "axis"): (lambda x: np.max(x, axis=1, keepdims=True), MATRIX),
    (np.amax, ""): (lambda x: np.amax(x, axis=(0, -1)), CUBE),
    (np.min, ""): (lambda x: np.min(x, 0), MATRIX),
    (np.amin, ""): (np.amin, MATRIX),
    (np.prod, ""): (np.prod, VECTOR),
    (np.prod, "zero"): (np.prod, np.array([0.0, 2.0, 3.0, 0.5])),
    (np.prod, "zeros"): (np.prod, np.array([0.0, 2.0, 0.0, 0.0])),
    (np.prod, "axes"): (lambda x: np.prod(x, axis=(0, 2), keepdims=True), CUBE),
    (np.prod, "axis"): (lambda x: np.prod(x, axis=-1), MATRIX),
    (np.cumprod, ""): (np.cumprod, np.array([0.5, 0.0, 2.0, 3.0, -1.0])),
    (np.cumprod, "axis"): (lambda x: np.cumprod(x, 1), MATRIX),
    (np.cumsum, ""): (np.cumsum, MATRIX),
    (np.cumsum, "axis"): (lambda x: np.cumsum(x, axis=0), MATRIX),
    (np.diff, ""): (lambda x: np.diff(x, axis=0), MATRIX),
    (np.diff, "twice"): (lambda x: np.diff(x, 2), MATRIX),
    (np.copy, ""): (lambda x: np.copy(x) * x.copy(), MATRIX),
    (np.full_like, ""): (lambda x: np.full_like(x, np.sum(x) * 2.0), MATRIX),
    (np.var, ""): (np.var, MATRIX),
    (np.var, "ddof"): (lambda x: np.var(x, axis=0, ddof=1), MATRIX),
    (np.std, ""): (lambda x: np.std(x, axis=1, keepdims=True), MATRIX),
    (np.std, "ddof"): (lambda x: np.std(x, ddof=1), MATRIX),
    (np.mean, ""): (lambda x: np.mean(x, axis=0), MATRIX),
    (np.sum, ""): (lambda x: np.sum(x, axis=0, keepdims=True), MATRIX),
    (np.vstack, ""): (lambda x: np.vstack([x, x[0] * 2]), MATRIX),
    (np.hstack, ""): (lambda x: np.hstack([x, x * x]), MATRIX),
    (np.hstack, "vectors"): (lambda x: np.hstack([x, x]), VECTOR),
    (np.column_stack, ""): (lambda x: np.column_stack([x, x * x]), VECTOR),
    (np.append, ""): (lambda x: np.append(x, 2.0), MATRIX),
    (np.append, "axis"): (lambda x: np.append(x, x, axis=1), MATRIX),
    (np.concatenate, "in a row"): (lambda x: np.concatenate([x, x[:1]], axis=None), MATRIX),
    (np.concatenate, ""): (lambda x: np.concatenate([x, x], axis=-1), MATRIX),
    (np.stack, ""): (lambda x: np.stack([x, x * x], axis=1), MATRIX),
    (np.where, ""): (lambda x: np.where(x > 0, x, x * x), MATRIX),
    (np.squeeze, ""): (lambda x: np.squeeze(x[:, :1, None]), MATRIX),
    (np.squeeze, "axis"): (lambda x: np.squeeze(x[:1, None], axis=1), MATRIX),
    (np.ravel, ""): (np.ravel, MATRIX),
    (np.reshape, "length"): (lambda x: np.reshape(x, np.int64(12)), MATRIX),
    (np.reshape, ""): (lambda x: np.reshape(x, (2, -1)), MATRIX),
    (np.transpose, ""): (lambda x: np.transpose(x, (1, 2, 0)), CUBE),
    (np.broadcast_to, "length"): (
        lambda x: np.broadcast_to(x[0, 0], 3) * x,
        CUBE[:, :, :1].T[:, :, 0],
    ),
    (np.broadcast_to, ""): (lambda x: np.broadcast_to(x, (2, 3, 4)), MATRIX),
    (np.expand_dims, ""): (lambda x: np.expand_dims(x, 1), MATRIX),
    (np.atleast_1d, ""): (lambda x: np.atleast_1d(x[0]), VECTOR),
    (np.atleast_2d, ""): (np.atleast_2d, VECTOR),
    (np.swapaxes, ""): (lambda x: np.swapaxes(x, 0, -1), CUBE),
    (np.moveaxis, "several"): (lambda x: np.moveaxis(x, (2, 0), [0, -1]), CUBE),
    (np.moveaxis, ""): (lambda x: np.moveaxis(x, 0, 2), CUBE),
    (np.diag, "of a vector"): (lambda x: np.diag(x, -1), VECTOR),
    (np.diag, "of a matrix"): (lambda x: np.diag(x, 1), MATRIX),
    (np.diagonal, ""): (lambda x: np.diagonal(x, 1, 0, 2), CUBE),
    (np.trace, ""): (lambda x: np.trace(x, offset=1), MATRIX),
    (np.tril, "vector"): (lambda x: np.tril(x, -1), VECTOR),
    (np.tril, ""): (lambda x: np.tril(x, 1), MATRIX),
    (np.triu, ""): (lambda x: np.triu(x, k=-1), CUBE),
    (np.roll, ""): (lambda x: np.roll(x, 2), MATRIX),
    (np.roll, "axis"): (lambda x: np.roll(x, (1, -1), axis=(0, 1)), MATRIX),
    (np.flip, ""): (lambda x: np.flip(x, 1), MATRIX),
    (np.repeat, ""): (lambda x: np.repeat(x, 2), MATRIX),
    (np.repeat, "each"): (lambda x: np.repeat(x, [0, 2, 1], axis=0), MATRIX),
    (np.tile, ""): (lambda x: np.tile(x, (2, 1, 2)), MATRIX),
    (np.take, ""): (lambda x: np.take(x, [0, 0, 2], axis=1), MATRIX),
    (np.take_along_axis, ""): (
        lambda x: np.take_along_axis(x, np.array([[0], [2], [1]]), axis=1),
        MATRIX,
    ),
    (np.sort, ""): (np.sort, MATRIX),
    (np.sort, "flat"): (lambda x: np.sort(x, axis=None), MATRIX),
    (np.split, ""): (lambda x: np.split(x, 2, axis=1)[1], MATRIX),
    (np.split, "places"): (lambda x: np.split(x, [1, 3], 1)[1], MATRIX),
    (np.pad, ""): (lambda x: np.pad(x, 1), MATRIX),
    (np.pad, "constant"): (lambda x: np.pad(x, ((0, 1), (2, 0)), constant_values=3.0), MATRIX),
    **{(np.pad, m): (lambda x, m=m: np.pad(x, 2, mode=m), MATRIX) for m in ("edge", "reflect")},
    **{(np.pad, m): (lambda x, m=m: np.pad(x, 1, mode=m), MATRIX) for m in ("symmetric", "wrap")},
    (np.clip, ""): (lambda x: np.clip(x, -0.5, 0.8), VECTOR),
    (np.clip, "one side"): (lambda x: np.clip(x, None, 0.8), VECTOR),
    (np.round, ""): (lambda x: np.round(x, 1) * x, VECTOR),
    (np.around, ""): (lambda x: np.around(10 * x, -1) * x, VECTOR),
    (np.linalg.solve, "vector"): (lambda x: np.linalg.solve(x, x[0]), SQUARE),
    (np.linalg.solve, "matrix"): (lambda x: np.linalg.solve(x, x @ x + 1), SQUARE),
    (np.linalg.solve, "stack"): (
        lambda x: np.linalg.solve(np.stack([x, 2 * x]), np.ones((2, 3, 1))),
        SQUARE,
    ),
    (np.linalg.inv, ""): (np.linalg.inv, SQUARE),
    (np.linalg.inv, "stack"): (lambda x: np.linalg.inv(np.stack([x, x @ x])), SQUARE),
    (np.linalg.det, ""): (np.linalg.det, SQUARE),
    (np.linalg.det, "singular"): (np.linalg.det, np.arange(9.0).reshape(3, 3)),
    (np.linalg.det, "rank 1"): (np.linalg.det, np.outer(POSITIVE, VECTOR[:3])),
    (np.linalg.det, "0"): (np.linalg.det, np.zeros((3, 3))),
    (np.linalg.det, "stack"): (lambda x: np.linalg.det(np.stack([x, x @ x])), SQUARE),
    (np.linalg.slogdet, ""): (lambda x: np.linalg.slogdet(x)[1], -SQUARE),
    (np.linalg.slogdet, "stack"): (lambda x: np.linalg.slogdet(np.stack([x, -x]))[1], SQUARE),
    (np.linalg.cholesky, ""): (symmetric(np.linalg.cholesky), SPD),
    (np.linalg.eigh, "values"): (symmetric(lambda x: np.linalg.eigh(x)[0]), SPD),
    (np.linalg.eigh, "vectors"): (symmetric(lambda x: np.linalg.eigh(x).eigenvectors), SPD),
    (np.linalg.eigvalsh, ""): (symmetric(np.linalg.eigvalsh), SPD),
    (np.linalg.norm, ""): (np.linalg.norm, MATRIX),
    (np.linalg.norm, "axis"): (lambda x: np.linalg.norm(x, axis=1, keepdims=True), MATRIX),
    (np.linalg.norm, "fro"): (lambda x: np.linalg.norm(x, "fro", axis=(0, 1)), CUBE),
    **{
        (np.linalg.norm, f"matrix {p}"): (lambda x, p=p: np.linalg.norm(x, p), MATRIX)
        for p in (1, -1, np.inf, -np.inf)
    },
    **{
        (np.linalg.norm, f"vector {p}"): (lambda x, p=p: np.linalg.norm(x, p), VECTOR)
        for p in (1, 2, 3, 2.5, np.inf, -np.inf)
    },
    (np.arccosh, ""): (np.arccosh, 1 + POSITIVE),
    (np.power, ""): (lambda x: np.power(x, 3), VECTOR),
    (np.float_power, ""): (lambda x: np.float_power(x, 2.5), POSITIVE),
    (np.divmod, ""): (lambda x: np.divmod(x, 0.3)[1] + np.divmod(x, 0.3)[0] * x, VECTOR),
    (np.matmul, ""): (lambda x: np.matmul(x, x), SQUARE),
}
POSITIVE_ONLY = {np.log, np.log2, np.log10, np.sqrt}
for _ufunc in UFUNCS:
    if not any(f is _ufunc for f, _ in CALLS):
        _x = POSITIVE if _ufunc in POSITIVE_ONLY else UNIT
        _call = _ufunc if _ufunc.nin == 1 else lambda x, f=_ufunc: f(x, 0.3 + x[::-1] * x)
        CALLS[_ufunc, ""] = (_call, _x)
CALLS = MappingProxyType(CALLS)
IDS = [f"{f.__name__} {label}".strip() for f, label in CALLS]


def test_every_name_is_called():
    assert {*FUNCTIONS, *UFUNCS} == {f for f, _ in CALLS}


def quotient(f, h):
    """The five-point difference quotient of f at 0."""
    return (f(-2 * h) - 8 * f(-h) + 8 * f(h) - f(2 * h)) / (12 * h)


def wrong_orders(call, x, by=ce.derivatives, top=4):
    """The orders at which the derivative along a curve is not the quotient of the order below."""
    rng = np.random.default_rng(2)
    v, w = 0.3 * rng.standard_normal((2, *x.shape))
    weights = 1 + rng.random(np.shape(call(x)))
    path = lambda t: ce.sum(call(x + v * t + w * t * t) * weights)
    found, wrong = by(path, 0.0, top), []
    if found[0] != pytest.approx(np.sum(call(x) * weights), rel=1e-13, abs=1e-13):
        wrong.append(0)
    for k in range(1, top + 1):
        below = quotient(lambda t, k=k: by(path, t, k - 1)[k - 1], 1e-3)
        scale = max(1.0, abs(found[k - 1]), abs(found[k]))
        if found[k] != pytest.approx(below, abs=1e-8 * scale, rel=1e-8):
            wrong.append(k)
    return wrong


@pytest.mark.parametrize(("call", "x"), CALLS.values(), ids=IDS)
def test_values_are_numpy_s_and_orders_1_to_4_those_of_quotients(call, x):
    assert wrong_orders(call, x) == []
    for engine in (Var(x), Dual(x, x), Jet([x, x])):
        found = call(engine)
        assert type(found) is type(engine)
        assert found.shape == np.shape(call(x))
        np.testing.assert_allclose(found.primal, call(x), rtol=1e-12, atol=1e-14)


def by_duals(path, t, top):
    return [ce.derivative(path, k)(t) for k in range(top + 1)]


def by_tapes(path, t, top):
    found = [path(t)]
    for _ in range(top):
        path = ce.grad(path)
        found.append(path(t))
    return found


def by_mixed(path, t, top):
    found = [path(t)]
    for k in range(top):
        path = ce.grad(path) if k % 2 else ce.derivative(path)
        found.append(path(t))
    return found


@pytest.mark.parametrize("other", [by_duals, by_tapes, by_mixed])
@pytest.mark.parametrize(("call", "x"), CALLS.values(), ids=IDS)
def test_all_modes_agree(call, x, other):
    rng = np.random.default_rng(3)
    v = 0.3 * rng.standard_normal(x.shape)
    weights = 1 + rng.random(np.shape(call(x)))
    path = lambda t: ce.sum(call(x + v * t) * weights)
    expected = ce.derivatives(path, 0.0, 3)
    scale = max(1.0, *map(abs, expected))
    np.testing.assert_allclose(other(path, 0.0, 3), expected, rtol=1e-10, atol=1e-11 * scale)


@pytest.mark.parametrize("fault", [1.001, -1.0])
def test_a_wrong_derivative_is_noticed(fault):
    """A rule that is wrong in one mode, planted: the quotient sees it at the very order."""
    planted = ce.Pointwise("planted", np.sin, lambda x, v: ce.cos(x) * fault)
    try:
        assert wrong_orders(planted, VECTOR)[0] == 1
    finally:
        del ce.kinds.TABLE["planted"]


def test_a_wrong_value_is_noticed():
    skewed = lambda x: ce.sum(x) if isinstance(x, Value) else np.sum(x) * 1.001
    assert 0 in wrong_orders(skewed, VECTOR)


# --- what asks for the value alone ------------------------------------------------------------


@pytest.mark.parametrize("engine", [Var(MATRIX), Dual(MATRIX, MATRIX), Jet([MATRIX, MATRIX])])
def test_questions_get_plain_answers(engine):
    for f in (np.shape, np.ndim, np.size, np.isfinite, np.isnan, np.isinf, np.signbit, np.argmax):
        np.testing.assert_array_equal(f(engine), f(MATRIX))
    for f in (np.zeros_like, np.ones_like, np.empty_like):
        assert type(f(engine)) is np.ndarray
        assert f(engine).shape == MATRIX.shape
    assert np.full_like(engine, 2.0).tolist() == np.full_like(MATRIX, 2.0).tolist()
    assert type(np.full_like(engine, engine[0, 0])) is type(engine)  # it carries its derivative
    with pytest.raises(TypeError, match=r"np\.copyto does not know a"):
        np.full_like(MATRIX, engine[0, 0])
    assert np.argsort(engine, axis=0).tolist() == np.argsort(MATRIX, axis=0).tolist()
    assert np.allclose(engine, MATRIX)
    assert np.logical_not(engine).tolist() == np.logical_not(MATRIX).tolist()
    assert np.any(engine)
    assert len(PLAIN) > 25


@pytest.mark.parametrize("engine", [Var(2.5), Dual(2.5, 1.0), Jet([2.5, 1.0, 0.0])])
def test_operators_and_methods(engine):
    assert engine.astype(float) is engine
    with pytest.raises(TypeError, match=r"astype\(int64\): the values of the engines are float64"):
        engine.astype(int)
    assert (engine % 1).primal == 0.5
    assert (7 % engine).primal == 2.0
    assert (engine // 1).primal == 2.0
    assert (7 // engine).primal == 2.0
    assert [part.primal for part in divmod(engine, 2)] == [1.0, 0.5]
    assert round(engine).primal == math.floor(engine).primal == math.trunc(engine).primal == 2.0
    assert math.ceil(engine).primal == 3.0
    xs = ce.stack([engine, -engine, 2 * engine, engine])
    assert xs.reshape(2, 2).shape == xs.reshape((2, 2)).shape == xs.reshape(2, -1).shape == (2, 2)
    cube = ce.reshape(xs, (1, 2, 2))
    assert cube.transpose(1, 2, 0).shape == cube.transpose((1, 2, 0)).shape == (2, 2, 1)
    assert cube.transpose().shape == cube.T.shape == (2, 2, 1)
    assert [xs.max().primal, xs.min().primal, xs.prod().primal] == [5.0, -2.5, -78.125]
    assert [xs.var().primal, xs.std().primal] == [np.var(xs.primal), np.std(xs.primal)]
    assert xs.cumsum().primal.tolist() == np.cumsum(xs.primal).tolist()
    assert xs.cumprod().primal.tolist() == np.cumprod(xs.primal).tolist()
    assert cube.ravel().shape == cube.flatten().shape == xs.repeat(1).shape == (4,)
    assert [cube.squeeze().shape, cube.swapaxes(0, 2).shape] == [(2, 2), (2, 2, 1)]
    assert [cube[0].trace().primal, cube[0].diagonal().shape] == [5.0, (2,)]
    assert xs.dot(xs).primal == xs.primal @ xs.primal
    assert xs.clip(0.0, 1.0).primal.tolist() == [1.0, 0.0, 1.0, 1.0]
    assert (xs / 10).round(1).primal.tolist() == np.round(xs.primal / 10, 1).tolist()


# --- functions that NumPy does not have, or has for arrays only ------------------------------


@pytest.mark.parametrize("by", [ce.derivatives, by_duals, by_tapes])
@pytest.mark.parametrize(
    ("call", "x"),
    [
        (ce.rsqrt, POSITIVE),
        (ce.erf, VECTOR),
        (ce.erfc, VECTOR),
        (ce.cummax, np.array([[0.2, 1.0, 0.5], [0.1, 0.3, 2.0]])),
        (lambda x: ce.cummax(x, 1), np.array([[0.2, 1.0, 0.5], [0.1, 0.3, 2.0]])),
        (lambda x: ce.array([[x[0], 1.0], [x[1] * x[0], x[2]]]), VECTOR),
        (lambda x: ce.root(x * x, 3.0), POSITIVE),
        (lambda x: ce.take(x, 1), VECTOR),
        (lambda x: ce.pad(x, 1, constant_values=x[0]), VECTOR),
        (lambda x: ce.clip(VECTOR, x[1], x[0]), np.array([0.8, -0.5])),
        (lambda x: ce.cbrt(x), np.array([-2.0, 3.0])),
    ],
)
def test_functions_of_our_own(call, x, by):
    numbers = ce.array([[0.2, 1.0], [3.0, 4.0]])
    assert numbers.tolist() == [[0.2, 1.0], [3.0, 4.0]]
    path = lambda x: call(x)
    rng = np.random.default_rng(2)
    v = 0.3 * rng.standard_normal(x.shape)
    along = lambda t: ce.sum(path(x + v * t) ** 2)
    found = by(along, 0.0, 3)
    for k in (1, 2, 3):
        below = quotient(lambda t, k=k: ce.derivatives(along, t, k - 1)[k - 1], 1e-3)
        assert found[k] == pytest.approx(below, rel=1e-7, abs=1e-8)


def test_values_of_our_own():
    assert ce.cummax(np.array([1.0, 3.0, 2.0, 3.0])).tolist() == [1.0, 3.0, 3.0, 3.0]
    assert ce.rsqrt(4.0) == 0.5
    assert ce.erf(0.5) == math.erf(0.5)
    assert ce.erfc(np.array([5.0])).tolist() == [math.erfc(5.0)]
    assert ce.cbrt(-8.0) == -2.0
