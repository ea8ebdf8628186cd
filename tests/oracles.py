"""What the tests of the engines hold against them: mpmath for values and derivatives, SymPy for
slopes.

FORMULAS says in SymPy what every pointwise row of the table means; CASES gives every row its arguments. Both are keyed
by the names of the table, so a row that is missing here is found by a test.
"""

from collections.abc import Callable
from typing import NamedTuple

import mpmath
import numpy as np
import sympy as sp

import companion.engines as ce
from companion.engines.kinds import TABLE

X, Y = sp.symbols("x y", real=True)


def _towards_zero(z):
    return sp.sign(z) * sp.floor(sp.Abs(z))


FORMULAS = {  # name -> (formula, points for each argument)
    "reciprocal": (1 / X, [-2.0, 0.4, 3.0]),
    "exp": (sp.exp(X), [-1.3, 0.0, 0.7, 2.0]),
    "expm1": (sp.exp(X) - 1, [-1.0, 1e-9, 0.5]),
    "log": (sp.log(X), [0.3, 1.0, 4.5]),
    "log1p": (sp.log(1 + X), [-0.5, 1e-9, 2.0]),
    "sqrt": (sp.sqrt(X), [0.2, 1.0, 9.0]),
    "sin": (sp.sin(X), [-2.0, 0.0, 0.5, 3.0]),
    "cos": (sp.cos(X), [-2.0, 0.0, 0.5, 3.0]),
    "tan": (sp.tan(X), [-1.0, 0.0, 0.4, 1.2]),
    "arcsin": (sp.asin(X), [-0.6, 0.0, 0.3, 0.8]),
    "arccos": (sp.acos(X), [-0.6, 0.0, 0.3, 0.8]),
    "arctan": (sp.atan(X), [-2.0, 0.0, 0.5, 3.0]),
    "sinh": (sp.sinh(X), [-2.0, 0.0, 0.5, 2.0]),
    "cosh": (sp.cosh(X), [-2.0, 0.0, 0.5, 2.0]),
    "tanh": (sp.tanh(X), [-2.0, 0.0, 0.5, 2.0]),
    "sigmoid": (1 / (1 + sp.exp(-X)), [-30.0, -1.0, 0.0, 2.0]),
    "softplus": (sp.log(1 + sp.exp(X)), [-30.0, -1.0, 0.0, 2.0]),
    "relu": (sp.Max(X, 0), [-2.0, 0.5, 3.0]),
    "abs": (sp.Abs(X), [-2.0, 0.5, 3.0]),
    "div": (X / Y, [0.5, -2.0, 3.0], [2.0, 0.7, -1.5]),
    "pow": (X**Y, [0.5, 2.0, 3.0], [1.5, -0.5, 2.0]),
    "maximum": (sp.Max(X, Y), [0.5, 2.0, -1.0], [0.7, -1.5, -3.0]),
    "minimum": (sp.Min(X, Y), [0.5, 2.0, -1.0], [0.7, -1.5, -3.0]),
    "log2": (sp.log(X) / sp.log(2), [0.3, 1.0, 4.5]),
    "log10": (sp.log(X) / sp.log(10), [0.3, 1.0, 4.5]),
    "exp2": (2**X, [-1.3, 0.0, 0.7, 2.0]),
    "cbrt": (sp.cbrt(X), [0.2, 1.0, 9.0]),
    "arcsinh": (sp.asinh(X), [-2.0, 0.0, 0.5, 3.0]),
    "arccosh": (sp.acosh(X), [1.2, 2.0, 5.0]),
    "arctanh": (sp.atanh(X), [-0.6, 0.0, 0.3, 0.8]),
    "erf": (sp.erf(X), [-2.0, 0.0, 0.5, 1.5]),
    "erfc": (sp.erfc(X), [-2.0, 0.0, 0.5, 1.5]),
    "arctan2": (sp.atan2(X, Y), [0.5, -2.0, 3.0], [0.7, -1.5, -3.0]),
    "hypot": (sp.sqrt(X**2 + Y**2), [0.5, -2.0, 3.0], [0.7, -1.5, -3.0]),
    "logaddexp": (sp.log(sp.exp(X) + sp.exp(Y)), [0.5, -2.0, 3.0], [0.7, -1.5, -3.0]),
    "remainder": (X - Y * sp.floor(X / Y), [0.5, -2.0, 3.0], [0.7, -1.3, 1.6]),
    "fmod": (X - Y * _towards_zero(X / Y), [0.5, -2.0, 3.0], [0.7, -1.3, 1.6]),
    "floor_divide": (sp.floor(X / Y), [0.5, -2.0, 3.0], [0.7, -1.3, 1.6]),
    "sign": (sp.sign(X), [-2.0, 0.5, 3.0]),
    "floor": (sp.floor(X), [-2.3, 0.6, 3.2]),
    "ceil": (sp.ceiling(X), [-2.3, 0.6, 3.2]),
    "trunc": (_towards_zero(X), [-2.3, 0.6, 3.2]),
    "rint": (sp.floor(X + sp.Rational(1, 2)), [-2.3, 0.6, 3.2]),
}


class Case(NamedTuple):
    """One way to call a row: on engine values, and in plain NumPy on object arrays of mpmath
    numbers.
    """

    row: str
    label: str
    call: Callable
    truth: Callable
    inputs: tuple

    def __str__(self):
        return f"{self.row}: {self.label}"


def elementwise(formula, count):
    """A SymPy formula as a function of arrays of mpmath numbers, with NumPy's broadcasting."""
    f = sp.lambdify([X, Y][:count], formula, "mpmath")
    return lambda *xs: np.asarray(np.frompyfunc(f, count, 1)(*xs), dtype=object)


def sample(*shapes):
    """Fixed numbers of both signs in the given shapes."""
    rng = np.random.default_rng(sum(map(sum, shapes)) + len(shapes))
    return tuple(rng.uniform(0.4, 1.6, s) * rng.choice([-1, 1], s) for s in shapes)


def _pointwise_cases():
    for name, (formula, *points) in FORMULAS.items():
        rule, truth = TABLE[name], elementwise(formula, len(points))
        arrays = tuple(np.array(p) for p in points)
        yield Case(name, "arrays", rule, truth, arrays)
        yield Case(name, "floats", rule, truth, tuple(p[1] for p in points))
        if len(points) == 2:
            yield Case(name, "broadcast", rule, truth, (arrays[0][:, None], arrays[1][None, 1:]))
            yield Case(name, "float and array", rule, truth, (points[0][0], arrays[1]))


def _arithmetic_cases():
    shapes = {
        "floats": ((), ()),
        "arrays": ((3,), (3,)),
        "float, array": ((), (3,)),
        "broadcast": ((2, 1), (1, 3)),
        "new axis": ((3,), (2, 3)),
        "one": ((1,), ()),
    }
    for name, truth in [("add", np.add), ("sub", np.subtract), ("mul", np.multiply)]:
        for label, pair in shapes.items():
            yield Case(
                name,
                label,
                TABLE[name],
                truth,
                tuple(x.item() if x.shape == () else x for x in sample(*pair)),
            )
    for name, truth in [("neg", np.negative), ("identity", lambda x: x)]:
        yield Case(name, "array", TABLE[name], truth, sample((3,)))
        yield Case(name, "float", TABLE[name], truth, (0.7,))


def _matmul_cases():
    pairs = [
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 2)),
        ((2, 3), (3, 2)),
        ((2, 2, 3), (3, 1)),
        ((2, 1, 1, 2), (3, 2, 1)),
        ((3,), (2, 3, 2)),
        ((2, 2, 3), (3,)),
        ((2, 1, 3), (2, 3, 2)),
    ]
    for pair in pairs:
        yield Case("matmul", " @ ".join(map(str, pair)), ce.matmul, np.matmul, sample(*pair))


def _options(name, call, truth, shape, *options):
    for option in options:
        yield Case(
            name,
            f"{shape} {option}",
            lambda x, o=option: call(x, o),
            lambda x, o=option: truth(x, o),
            sample(shape),
        )


def _scattered(g, to, key):
    out = np.full(to, mpmath.mpf(0))
    for place, value in zip(np.ndindex(g.shape), g.flat):
        out[np.asarray(key)[place]] += value
    return out


def _shape_cases():
    yield from _options(
        "sum", ce.sum, lambda x, a: np.asarray(np.sum(x, a)), (2, 3), None, 0, -1, (0, 1), ()
    )
    yield Case(
        "sum",
        "keepdims",
        lambda x: ce.sum(x, 1, True),
        lambda x: np.sum(x, 1, keepdims=True),
        sample((2, 3)),
    )
    yield from _options("reshape", ce.reshape, np.reshape, (2, 3), (3, 2), 6, -1, (1, 2, 3, 1))
    yield from _options(
        "transpose", ce.transpose, np.transpose, (2, 1, 3), None, (1, 2, 0), (0, -1, 1)
    )
    for shape in [(), (1,), (3,), (2, 1)]:
        yield from _options("broadcast_to", ce.broadcast_to, np.broadcast_to, shape, (2, 3))
    keys = [
        1,
        -1,
        slice(None, None, 2),
        [0, 0, 2],
        (..., 0),
        None,
        (slice(1, None), None),
        ([0, 2, 2], [1, 1, 1]),
        np.array([True, False, True]),
        (np.array([[2, 2], [0, 2]]),),
        np.arange(6).reshape(3, 2) % 2 == 0,
        (1, 1),
    ]
    yield from _options(
        "index", ce.index, lambda x, k: np.asarray(x[k], dtype=object), (3, 2), *keys
    )
    yield from _options(
        "scatter",
        lambda g, k: TABLE["scatter"](g, to=(3,), key=k),
        lambda g, k: _scattered(g, 3, k),
        (3,),
        [0, 0, 2],
        [2, 1, 0],
        [-1, -1, -1],
    )


def _joining_cases():
    for axis in (0, -1):
        yield Case(
            "concatenate",
            f"axis {axis}",
            lambda x, y, a=axis: ce.concatenate([x, y], a),
            lambda x, y, a=axis: np.concatenate([x, y], a),
            sample((2, 2), (2, 2)),
        )
    yield Case(
        "concatenate",
        "three, one twice",
        lambda x, y: ce.concatenate([x, y, x]),
        lambda x, y: np.concatenate([x, y, x]),
        sample((2,), (3,)),
    )
    for axis in (0, 1, -1):
        yield Case(
            "stack",
            f"axis {axis}",
            lambda x, y, a=axis: ce.stack([x, y], a),
            lambda x, y, a=axis: np.stack([x, y], a),
            sample((2, 2), (2, 2)),
        )
    yield Case(
        "stack",
        "scalars",
        lambda x, y: ce.stack([x, y, x]),
        lambda x, y: np.array([x[()], y[()], x[()]], dtype=object),
        (0.3, 2.0),
    )
    mask = np.array([True, False, True])
    yield Case(
        "where",
        "arrays",
        lambda x, y: ce.where(mask, x, y),
        lambda x, y: np.where(mask, x, y),
        sample((3,), (3,)),
    )
    yield Case(
        "where",
        "broadcast",
        lambda x, y: ce.where(mask, x, y),
        lambda x, y: np.where(mask, x, y),
        sample((2, 1), ()),
    )


def _array_cases():
    yield from _options("cumsum", ce.cumsum, np.cumsum, (2, 3), None, 0, -1)
    for spec, *shapes in [
        ("ij,jk->ik", (2, 3), (3, 2)),
        ("ij,j->ij", (2, 3), (3,)),
        ("i,j->ji", (2,), (3,)),
        ("bij,bj->bi", (2, 2, 3), (2, 3)),
        ("ij,ij->", (2, 3), (2, 3)),
    ]:
        yield Case(
            "einsum",
            spec,
            lambda x, y, spec=spec: TABLE["einsum"](x, y, spec=spec),
            lambda x, y, spec=spec: np.asarray(np.einsum(spec, x, y), dtype=object),
            sample(*shapes),
        )


def _by_matrix(f):
    """A function of an mpmath matrix as one of a stack of object arrays, shape by shape."""

    def of_array(*xs):
        if xs[0].ndim == 3:
            return np.stack([of_array(*parts) for parts in zip(*xs)])
        found = f(*[mpmath.matrix(x.tolist()) for x in xs])
        return np.array(found.tolist(), dtype=object)

    return of_array


def _eigen_of(matrix):
    """Eigenvalues above eigenvectors, each vector with LAPACK's sign."""
    values, vectors = mpmath.eigsy(matrix)
    near = np.linalg.eigh(np.array(matrix.tolist(), dtype=float)).eigenvectors
    exact = np.array(vectors.tolist(), dtype=object)
    signs = np.sign(np.sum(near * exact.astype(float), axis=0))
    return mpmath.matrix([list(values), *(exact * signs.astype(int)).tolist()])


def _linalg_cases():
    """On A + Aᵀ where a symmetric matrix is needed."""
    both = lambda f: lambda x: f(x + np.swapaxes(x, -1, -2))
    symmetric = lambda rule: lambda x: rule(x + ce.swapaxes(x, -1, -2))
    for shape in [(2, 2), (3, 3), (2, 2, 2)]:
        [matrix] = sample(shape)
        [right] = sample((*shape[:-1], 2))
        n = np.diag(np.arange(3.0, 3.0 + shape[-1]))
        inputs = (matrix + n, right)
        yield Case(
            "solve",
            str(shape),
            TABLE["solve"],
            _by_matrix(lambda A, B: mpmath.inverse(A) * B),
            inputs,
        )
        for name, truth in [("cholesky", mpmath.cholesky), ("eigh", _eigen_of)]:
            call = symmetric(TABLE[name])
            yield Case(name, str(shape), call, both(_by_matrix(truth)), (0.2 * matrix + n,))


CASES = [
    *_array_cases(),
    *_linalg_cases(),
    *_pointwise_cases(),
    *_arithmetic_cases(),
    *_matmul_cases(),
    *_shape_cases(),
    *_joining_cases(),
]


def _composite_cases():
    """Functions that are not rows but are made of them."""
    yield from _options(
        "mean",
        ce.mean,
        lambda x, a: np.asarray(np.sum(x, a) / (x.size / np.size(np.sum(x, a)))),
        (2, 3),
        None,
        0,
    )
    points = np.array([-2.0, 0.5, 3.0])
    for n in (0, 1, 2, 3, 7, -1, -4):
        yield Case(
            "power",
            f"{n}",
            lambda x, n=n: ce.power(x, n),
            lambda x, n=n: x ** mpmath.mpf(n),
            (points,),
        )
    yield Case(
        "power", "real", lambda x: ce.power(x, 1.7), lambda x: x ** mpmath.mpf(1.7), (points[1:],)
    )
    yield Case(
        "power",
        "by an engine value",
        ce.power,
        lambda x, n: x**n,
        (points[1:], np.array([1.5, -0.5])),
    )
    yield Case(
        "power",
        "of a constant",
        lambda n: ce.power(2.0, n),
        lambda n: mpmath.mpf(2) ** n,
        (points,),
    )
    yield from _options("logsumexp", ce.logsumexp, _logsumexp, (2, 3), None, 1)


def _logsumexp(x, axis):
    total = np.sum(np.frompyfunc(mpmath.exp, 1, 1)(x), axis)
    return np.asarray(np.frompyfunc(mpmath.log, 1, 1)(total), dtype=object)


COMPOSITES = list(_composite_cases())
