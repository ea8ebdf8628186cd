"""The engines on the functions that HIPS autograd differentiates, written with NumPy's own names.

The names were read off autograd's table of rules, see autograd_names.json; those of SciPy beyond
scipy.special (distributions, odeint, signals) are left out. Each is called once below, and a name
without a call is an error, so that nothing is left out unseen.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.special

from conformance.engines import ENGINES, NP, SPECIAL, follow
from conformance.verdicts import Tally

NAMES = json.loads((Path(__file__).parent / "autograd_names.json").read_text("utf-8"))

RNG = np.random.default_rng(5)
VECTOR = np.array([0.31, 0.72, 0.55, 0.18])
MATRIX = RNG.uniform(0.2, 0.9, (3, 3)) + 2 * np.eye(3)
SYMMETRIC = MATRIX @ MATRIX.T
TABLE = RNG.uniform(0.2, 0.9, (2, 4))
MASK = np.array([True, False, True, True])

# name -> (a call of it with the names of a library, the inputs); the rest are called on VECTOR
UNARY = """absolute angle arccos arcsin arcsinh arctan arctanh cos cosh cumsum deg2rad degrees
    exp exp2 expm1 fabs imag log log10 log1p log2 max mean min nan_to_num negative prod rad2deg
    radians ravel real reciprocal sin sinc sinh sort sqrt square std sum tan tanh var atleast_1d
    atleast_2d atleast_3d fliplr flipud rot90 squeeze diff gradient real_if_close amax amin
    conjugate diag trace tril triu transpose""".split()
BINARY = """add subtract multiply divide power maximum minimum fmax fmin hypot arctan2 logaddexp
    logaddexp2 remainder dot inner outer kron matmul tensordot cross""".split()
WIDE = "fliplr rot90 diag trace tril triu transpose".split()  # these want a matrix
CALLS: dict[str, tuple[Callable, list]] = {
    **{n: ((lambda np, x, n=n: getattr(np, n)(x)), [MATRIX if n in WIDE else VECTOR]) for n in UNARY},
    **{n: ((lambda np, x, y, n=n: getattr(np, n)(x, y)), [VECTOR, VECTOR[::-1] + 0.1]) for n in BINARY},
    "arccosh": (lambda np, x: np.arccosh(x), [VECTOR + 1.2]),
    "array_split": (lambda np, x: np.array_split(x, 3)[0], [VECTOR]),
    "astype": (lambda np, x: x.astype(float), [VECTOR]),
    "broadcast_to": (lambda np, x: np.broadcast_to(x, (3, 4)), [VECTOR]),
    "clip": (lambda np, x: np.clip(x, 0.2, 0.6), [VECTOR]),
    "cross": (lambda np, x, y: np.cross(x, y), [VECTOR[:3], VECTOR[1:]]),
    "diagonal": (lambda np, x: np.diagonal(x), [MATRIX]),
    "dsplit": (lambda np, x: np.dsplit(x[None], 2)[1], [TABLE]),
    "hsplit": (lambda np, x: np.hsplit(x, 2)[1], [TABLE]),
    "vsplit": (lambda np, x: np.vsplit(x, 2)[1], [TABLE]),
    "split": (lambda np, x: np.split(x, 2)[1], [VECTOR]),
    "einsum": (lambda np, x, y: np.einsum("ij,kj->ik", x, y), [TABLE, MATRIX[:, [0, 1, 2, 0]]]),
    "expand_dims": (lambda np, x: np.expand_dims(x, 0), [VECTOR]),
    "full": (lambda np, x: np.full((2, 4), x), [VECTOR]),
    "linspace": (lambda np, x, y: np.linspace(x, y, 5), [np.array(0.3), np.array(1.7)]),
    "matmul": (lambda np, x, y: np.matmul(x, y), [TABLE, TABLE.T]),
    "moveaxis": (lambda np, x: np.moveaxis(x, 0, 1), [TABLE]),
    "pad": (lambda np, x: np.pad(x, 1), [VECTOR]),
    "partition": (lambda np, x: np.partition(x, 1), [VECTOR]),
    "repeat": (lambda np, x: np.repeat(x, 2), [VECTOR]),
    "reshape": (lambda np, x: np.reshape(x, (2, 2)), [VECTOR]),
    "roll": (lambda np, x: np.roll(x, 1), [VECTOR]),
    "rollaxis": (lambda np, x: np.rollaxis(x, 1), [TABLE]),
    "swapaxes": (lambda np, x: np.swapaxes(x, 0, 1), [TABLE]),
    "tensordot": (lambda np, x, y: np.tensordot(x, y, 1), [TABLE, TABLE.T]),
    "tile": (lambda np, x: np.tile(x, 2), [VECTOR]),
    "where": (lambda np, x, y: np.where(MASK, x, y), [VECTOR, VECTOR[::-1]]),
}  # fmt: skip
LINEAR_ALGEBRA: dict[str, tuple[Callable, list]] = {
    "cholesky": (lambda np, a: np.linalg.cholesky(a @ a.T), [MATRIX]),
    "det": (lambda np, a: np.linalg.det(a), [MATRIX]),
    "eig": (lambda np, a: np.linalg.eig(a)[0], [SYMMETRIC]),
    "eigh": (lambda np, a: np.linalg.eigh(a + a.T)[0], [SYMMETRIC]),
    "inv": (lambda np, a: np.linalg.inv(a), [MATRIX]),
    "norm": (lambda np, a: np.linalg.norm(a), [TABLE]),
    "pinv": (lambda np, a: np.linalg.pinv(a), [TABLE]),
    "slogdet": (lambda np, a: np.linalg.slogdet(a)[1], [MATRIX]),
    "solve": (lambda np, a, b: np.linalg.solve(a, b), [MATRIX, TABLE.T[:3]]),
    "svd": (lambda np, a: np.linalg.svd(a, compute_uv=False), [TABLE]),
}
SPECIAL_TWO = "beta betaln gammainc gammaincc iv ive jv yn".split()
ORDERS = np.array(2)  # of a Bessel function


def fourier(name: str) -> tuple[Callable, list]:
    """A transform, the real part of what it gives."""
    return (lambda np, x: np.real(getattr(np.fft, name)(x))), [np.tile(TABLE, (1, 1))]


def special(name: str) -> tuple[Callable, list]:
    """A special function, of its last argument."""
    if name == "betainc":
        return (lambda sp, x: sp.betainc(1.3, 2.1, x)), [VECTOR]
    if name in SPECIAL_TWO:
        first = ORDERS if name in ("iv", "ive", "jv", "yn") else 1.3
        return (lambda sp, x: getattr(sp, name)(first, x)), [VECTOR]
    if name == "multigammaln":
        return (lambda sp, x: sp.multigammaln(x, 2)), [VECTOR + 1]
    if name == "polygamma":
        return (lambda sp, x: sp.polygamma(1, x)), [VECTOR]
    return (lambda sp, x: getattr(sp, name)(x)), [VECTOR]


def calls() -> dict[str, tuple[Callable, list, str]]:
    """name -> (call, inputs, whose names: "numpy" or "special"), for every name of the list."""
    found = {name: (*CALLS[name], "numpy") for name in NAMES["numpy"]}
    found |= {f"linalg.{n}": (*LINEAR_ALGEBRA[n], "numpy") for n in NAMES["numpy.linalg"]}
    found |= {f"fft.{n}": (*fourier(n), "numpy") for n in NAMES["numpy.fft"]}
    return found | {f"special.{n}": (*special(n), "special") for n in NAMES["scipy.special"]}


def names() -> list[str]:
    """The functions of the list."""
    return list(calls())


def trial(name: str, seed: int) -> Tally:
    """One function by the three engines."""
    call, inputs, library = calls()[name]
    own, plain = (NP, np) if library == "numpy" else (SPECIAL, scipy.special)
    tally = Tally(name)
    for engine in ENGINES:
        look = lambda: follow(
            lambda *xs: call(own, *xs), lambda *xs: call(plain, *xs), inputs, engine, seed
        )
        tally.add(f"seed {seed}, {engine}", look)
    return tally
