"""The list of jax.experimental.jet: the same function by the operators and by the engines, against it.

The list is read off the installed jax. What its rules are about is in CALLS; what has no derivative (a
comparison, a shift of bits) or is jax's own book-keeping is in NOTHING.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from conformance import curves
from conformance.engines import ENGINES, NP
from conformance.oracle import Anchor, Finding, judge
from conformance.verdicts import Tally

NOTHING = """and or xor not eq ne lt le gt ge is_finite shift_left shift_right_arithmetic
    shift_right_logical bitcast_convert_type convert_element_type copy device_put jit reshard
    stop_gradient add_any""".split()
X = np.array([0.31, -0.72, 0.55, 0.18])
Y = np.array([0.77, 0.43, -0.64, 1.21])
A = np.array([[0.31, 0.72, -0.55], [1.18, 0.91, 0.23]])
SIGNAL, KERNEL = np.linspace(0.2, 1.3, 8).reshape(1, 1, 8) ** 2, np.array([[[0.3, -0.4, 0.7]]])

# primitive -> (jax's form, torch's form, the engines' form, inputs)
Forms = tuple[Callable, Callable, Callable, list]


def alike(name: str, inputs: list, jax: str = "", torch_name: str = "") -> Forms:
    """A function that the three libraries call by (nearly) the same name."""
    return (
        lambda j, *xs: getattr(j.numpy if hasattr(j.numpy, jax or name) else j.lax, jax or name)(
            *xs
        ),
        lambda *xs: getattr(torch, torch_name or name)(*xs),
        lambda *xs: getattr(NP, name)(*xs),
        inputs,
    )


CALLS: dict[str, Forms] = {
    **{n: alike(n, [X]) for n in "abs ceil cos cosh exp expm1 floor neg round sign sin sinh square tanh".split()},
    **{n: alike(n, [np.abs(X)]) for n in "log log1p sqrt rsqrt".split()},
    **{n: alike(f"arc{n[1:]}", [X + 1.9 if n == "acosh" else X]) for n in "asinh acosh atanh".split()},
    **{n: alike(name, [X, Y]) for n, name in {"add": "add", "sub": "subtract", "mul": "multiply", "div": "divide",
       "max": "maximum", "min": "minimum", "atan2": "arctan2"}.items()},
    "neg": alike("negative", [X]),
    "erf": (lambda j, x: j.lax.erf(x), torch.erf, lambda x: NP.erf(x), [X]),
    "erfc": (lambda j, x: j.lax.erfc(x), torch.erfc, lambda x: NP.erfc(x), [X]),
    "erf_inv": (lambda j, x: j.lax.erf_inv(x), torch.erfinv, lambda x: NP.erfinv(x), [X]),
    "logistic": (lambda j, x: j.lax.logistic(x), torch.sigmoid, lambda x: NP.sigmoid(x), [X]),
    "pow": (lambda j, x, y: x**y, lambda x, y: x**y, lambda x, y: x**y, [np.abs(X), Y]),
    "integer_pow": (lambda j, x: x**3, lambda x: x**3, lambda x: x**3, [X]),
    "rem": (lambda j, x, y: j.lax.rem(x, y), torch.fmod, lambda x, y: NP.fmod(x, y), [X + 3, np.abs(Y)]),
    "clamp": (lambda j, x: j.lax.clamp(-0.5, x, 0.4), lambda x: x.clamp(-0.5, 0.4),
        lambda x: NP.clip(x, -0.5, 0.4), [X]),
    "cumsum": (lambda j, x: j.numpy.cumsum(x), lambda x: x.cumsum(0), lambda x: NP.cumsum(x), [X]),
    "cumprod": (lambda j, x: j.numpy.cumprod(x), lambda x: x.cumprod(0), lambda x: NP.cumprod(x), [X]),
    "cummax": (lambda j, x: j.lax.cummax(x), lambda x: x.cummax(0)[0], lambda x: NP.cummax(x), [X]),
    "cummin": (lambda j, x: j.lax.cummin(x), lambda x: x.cummin(0)[0], lambda x: -NP.cummax(-x), [X]),
    "reduce_sum": (lambda j, a: a.sum(0), lambda a: a.sum(0), lambda a: NP.sum(a, 0), [A]),
    "reduce_max": (lambda j, a: a.max(0), lambda a: a.amax(0), lambda a: NP.max(a, 0), [A]),
    "reduce_min": (lambda j, a: a.min(0), lambda a: a.amin(0), lambda a: NP.min(a, 0), [A]),
    "reduce_window_sum": (
        lambda j, x: j.lax.reduce_window(x, 0.0, j.lax.add, (2,), (1,), "VALID"),
        lambda x: x.unfold(0, 2, 1).sum(1), lambda x: x[1:] + x[:-1], [X]),
    "dot_general": (lambda j, a, b: a @ b.T, lambda a, b: a @ b.T, lambda a, b: a @ b.T, [A, A[::-1] * 1.3]),
    "conv_general_dilated": (
        lambda j, x, k: j.lax.conv(x, k, (1,), "VALID"), lambda x, k: F.conv1d(x, k),
        lambda x, k: NP.stack([NP.sum(x[..., i : i + 3] * k) for i in range(6)]).reshape((1, 1, 6)), [SIGNAL, KERNEL]),
    "transpose": (lambda j, a: a.T, lambda a: a.T, lambda a: a.T, [A]),
    "reshape": (lambda j, a: a.reshape(3, 2), lambda a: a.reshape(3, 2), lambda a: a.reshape((3, 2)), [A]),
    "squeeze": (lambda j, a: j.numpy.squeeze(a[:1]), lambda a: a[:1].squeeze(), lambda a: NP.squeeze(a[:1]), [A]),
    "broadcast_in_dim": (
        lambda j, x: j.numpy.broadcast_to(x, (3, 4)),
        lambda x: x.expand(3, 4), lambda x: NP.broadcast_to(x, (3, 4)), [X]),
    "concatenate": (
        lambda j, x, y: j.numpy.concatenate([x, y]),
        lambda x, y: torch.cat([x, y]), lambda x, y: NP.concatenate([x, y]), [X, Y]),
    "stack": (
        lambda j, x, y: j.numpy.stack([x, y]), lambda x, y: torch.stack([x, y]), lambda x, y: NP.stack([x, y]), [X, Y]),
    "unstack": (lambda j, a: j.numpy.unstack(a)[1], lambda a: a.unbind()[1], lambda a: a[1], [A]),
    "split": (lambda j, x: j.numpy.split(x, 2)[1], lambda x: x.split(2)[1], lambda x: NP.split(x, 2)[1], [X]),
    "pad": (lambda j, x: j.numpy.pad(x, 1), lambda x: F.pad(x, (1, 1)), lambda x: NP.pad(x, 1), [X]),
    "rev": (lambda j, x: x[::-1], lambda x: x.flip(0), lambda x: x[::-1], [X]),
    "slice": (lambda j, x: x[1:3], lambda x: x[1:3], lambda x: x[1:3], [X]),
    "dynamic_slice": (
        lambda j, x: j.lax.dynamic_slice(x, (1,), (2,)), lambda x: x.narrow(0, 1, 2), lambda x: x[1:3], [X]),
    "dynamic_update_slice": (
        lambda j, x, y: j.lax.dynamic_update_slice(x, y[:2], (1,)), lambda x, y: torch.slice_scatter(x, y[:2], 0, 1, 3),
        lambda x, y: NP.concatenate([x[:1], y[:2], x[3:]]), [X, Y]),
    "gather": (lambda j, x: x[j.numpy.array([2, 0, 2])], lambda x: x[[2, 0, 2]], lambda x: x[[2, 0, 2]], [X]),
    "scatter-add": (
        lambda j, x, y: x.at[j.numpy.array([2, 0])].add(y[:2]),
        lambda x, y: x.index_add(0, torch.tensor([2, 0]), y[:2]),
        lambda x, y: NP.stack([x[0] + y[1], x[1], x[2] + y[0], x[3]]), [X, Y]),
    "select_n": (
        lambda j, x, y: j.numpy.where(x > 0, x, y),
        lambda x, y: torch.where(x > 0, x, y), lambda x, y: NP.where(x > 0, x, y), [X, Y]),
    "real": (
        lambda j, x: j.numpy.real(x * (1 + 2j)), lambda x: torch.real(x * (1 + 2j)),
        lambda x: NP.real(x * (1 + 2j)), [X]),
    "imag": (
        lambda j, x: j.numpy.imag(x * (1 + 2j)), lambda x: torch.imag(x * (1 + 2j)),
        lambda x: NP.imag(x * (1 + 2j)), [X]),
    "conj": (
        lambda j, x: j.numpy.conj(x * (1 + 2j)).imag, lambda x: torch.conj(x * (1 + 2j)).imag,
        lambda x: NP.imag(NP.conjugate(x * (1 + 2j))), [X]),
    "complex": (
        lambda j, x, y: j.numpy.abs(j.lax.complex(x, y)), lambda x, y: torch.complex(x, y).abs(),
        lambda x, y: NP.absolute(x + 1j * y), [X, Y]),
    "fft": (
        lambda j, x: j.numpy.fft.fft(x).real, lambda x: torch.fft.fft(x).real, lambda x: NP.real(NP.fft.fft(x)), [X]),
}  # fmt: skip
WHO = ("operators", "engines")


def names() -> list[str]:
    """Who and what: "operators sin"."""
    from jax.experimental.jet import jet_rules

    listed = {str(rule) for rule in jet_rules} - set(NOTHING)
    if listed - CALLS.keys():
        raise KeyError(
            f"jax has gained rules; give CALLS a line for {sorted(listed - CALLS.keys())}"
        )
    return [f"{who} {name}" for who in WHO for name in CALLS if name in listed]


def trial(name: str, seed: int) -> Tally:
    """One function by one of the two, against its values and its jet by jax."""
    import jax

    jax.config.update("jax_enable_x64", True)
    who, primitive = name.split(" ")
    by_jax, by_torch, by_engine, inputs = CALLS[primitive]
    tally = Tally(name)
    vs = lines(inputs, seed)
    plain = lambda t: np.asarray(
        by_jax(jax, *[jax.numpy.asarray(x + t * v) for x, v in zip(inputs, vs)])
    )
    jets = by_jet(jax, by_jax, inputs, vs)
    if who == "operators":
        tally.add(f"seed {seed}", lambda: by_operators(by_torch, plain, jets, inputs, vs))
        return tally
    path = lambda t: by_engine(*[x + t * v for x, v in zip(inputs, vs)])
    for engine in ENGINES:
        tally.add(f"seed {seed}, {engine}", lambda: along(path, plain, engine, jets))
    return tally


def lines(inputs: list, seed: int) -> list[np.ndarray]:
    """A direction for each input."""
    rng = np.random.default_rng(seed)
    return [np.abs(x) * rng.uniform(0.5, 1.5, x.shape) * rng.choice([-1, 1]) for x in inputs]


def by_jet(jax: Any, f: Callable, inputs: list, vs: list) -> list[np.ndarray]:
    """[f, d¹, …] by jax.experimental.jet; the value alone where its own rule fails, as abs of complex."""
    from jax.experimental.jet import jet

    xs = [jax.numpy.asarray(x) for x in inputs]
    series = [[jax.numpy.asarray(v)] + [jax.numpy.zeros(v.shape)] * (curves.ORDER - 1) for v in vs]
    try:
        value, ds = jet(lambda *xs: f(jax, *xs), xs, series)
    except (TypeError, NotImplementedError):
        return [np.asarray(f(jax, *xs))]
    return [np.asarray(value), *map(np.asarray, ds)]


def by_operators(f: Callable, plain: Callable, jets: list, inputs: list, vs: list) -> Finding:
    """taylor of f, with t as its variable."""
    xs, steps = [torch.tensor(x.copy()) for x in inputs], [torch.tensor(v) for v in vs]
    path = lambda t: f(*[x + t * v for x, v in zip(xs, steps)])
    zero, one = torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64)
    return judge(curves.series(curves.Line(path, zero, one)), plain, curves.ORDER, anchored(jets))


def along(path: Callable, plain: Callable, engine: str, jets: list) -> Finding:
    """The judgement on one engine."""
    weights = np.ones(jets[0].shape)
    find, order = ENGINES[engine]
    if engine == "tape":
        return judge(
            find(path, weights), lambda t: plain(t).sum(), order, anchored([d.sum() for d in jets])
        )
    return judge(find(path, weights), plain, order, anchored(jets))


def anchored(jets: list) -> list[Anchor]:
    """The sum of the elements of each derivative, with signs that differ from one to the next."""
    found = []
    for k, d in enumerate(jets[1:], 1):
        weights = np.resize([1.0, -0.7, 0.4], np.shape(d))
        found.append(Anchor(k, weights, float(np.sum(weights * d))))
    return found
