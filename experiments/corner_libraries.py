"""How each library says the words of the page on corners, and how it differentiates.

    python corner_libraries.py NAME       in the environment of that library: answers as JSON

A library is a function () -> (words, derivative): what `relu`, `vector`, ... are in it, and
derivative(f, at, by), which differentiates f(x, ...) once by each of the arguments whose numbers
are in by. A word that a library lacks is left out. Nothing here needs the companion but its own
two entries.
"""

import json
import math
import os
import sys
import warnings
from functools import partial, reduce


def of_torch():
    import torch
    import torch.nn.functional as F

    def number(a):
        return torch.tensor(a, dtype=torch.float64) if isinstance(a, float) else a

    words = {
        **{name: getattr(F, name) for name in NETWORK},
        "leaky_relu": F.leaky_relu,
        "clip": torch.clamp,
        "maximum": lambda a, b: torch.maximum(a, number(b)),
        "vector": lambda *parts: torch.stack([number(part) for part in parts]),
        "largest": torch.amax,
        "sort": lambda v: torch.sort(v).values,
        "median": lambda v: torch.median(v),
        "norm": torch.linalg.vector_norm,
        "norm1": partial(torch.linalg.vector_norm, ord=1),
        "hypot": lambda a, b: torch.hypot(a, number(b)),
        "sqrt": torch.sqrt,
        "std": torch.std,
        "where": torch.where,
        "prod": torch.prod,
        "sinc": torch.sinc,
        "i0": torch.special.i0,
        "layer_norm": lambda v: F.layer_norm(v, v.shape),
        "logcumsumexp": partial(torch.logcumsumexp, dim=0),
    }  # fmt: skip

    def derivative(f, at, by):
        inputs = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in at]
        y = f(*inputs)
        for number in by:
            (y,) = torch.autograd.grad(y, inputs[number], create_graph=True, materialize_grads=True)
        return y.item()

    return words, derivative


def of_jax():
    import jax
    import jax.numpy as jnp
    from jax.scipy.special import i0

    jax.config.update("jax_enable_x64", True)
    words = {
        **{name: getattr(jax.nn, name) for name in ("relu", "relu6", "elu", "selu", "celu")},
        "hardtanh": jax.nn.hard_tanh,
        "hardswish": jax.nn.hard_swish,
        "softsign": jax.nn.soft_sign,
        "leaky_relu": jax.nn.leaky_relu,
        "layer_norm": lambda v: jax.nn.standardize(v, epsilon=1e-5),
        "logcumsumexp": jax.lax.cumlogsumexp,
        "i0": i0,
        "hypot": jnp.hypot,
        "std": partial(jnp.std, ddof=1),
        "sinc": jnp.sinc,
        "prod": jnp.prod,
    }
    return words | of_numpy(jnp), nested(jax.grad)


def of_numpy(np):
    """The words of a library that has NumPy's names."""
    return {
        "clip": np.clip,
        "maximum": np.maximum,
        "vector": lambda *parts: np.stack([np.asarray(part) for part in parts]),
        "largest": np.max,
        "sort": np.sort,
        "median": np.median,
        "norm": np.linalg.norm,
        "norm1": partial(np.linalg.norm, ord=1),
        "sqrt": np.sqrt,
        "where": np.where,
    }


def nested(grad):
    """derivative(f, at, by) of a library with grad(f, number) -> function."""
    return lambda f, at, by: float(reduce(grad, by, f)(*at))


def of_autograd():
    import autograd.numpy as np
    import autograd.scipy.special as special
    from autograd import grad

    words = {"abs": np.abs, "std": partial(np.std, ddof=1), "sinc": np.sinc, "prod": np.prod}
    words |= {"i0": special.i0, "vector": lambda *parts: np.array([*parts])}
    return of_numpy(np) | words, nested(grad)


def of_mygrad():
    import mygrad as mg
    from mygrad.nnet import activations

    def number(a):
        return mg.tensor(a) if isinstance(a, float) else a

    words = {name: getattr(activations, name) for name in ("elu", "selu")}
    words |= {
        "relu": activations.relu,
        "softsign": activations.soft_sign,
        "leaky_relu": lambda x: activations.leaky_relu(x, 0.01),
        "hardtanh": activations.hard_tanh,
        "vector": lambda *parts: mg.stack([number(part) for part in parts]),
        "abs": mg.abs,
        "clip": mg.clip,
        "maximum": mg.maximum,
        "largest": mg.max,
        "norm": mg.linalg.norm,
        "norm1": partial(mg.linalg.norm, ord=1),
        "sqrt": mg.sqrt,
        "std": partial(mg.std, ddof=1),
        "where": lambda c, a, b: mg.where(getattr(c, "data", c), a, b),
        "prod": mg.prod,
        "sinc": mg.sinc,
    }  # fmt: skip

    def derivative(f, at, by):
        inputs = [mg.tensor(a) for a in at]
        if len(by) > 1:
            raise NoHigherOrder
        f(*inputs).backward()
        return float(inputs[by[0]].grad)

    return words, derivative


def of_sympy():
    import sympy as sp

    words = {
        "relu": lambda x: sp.Max(x, 0),
        "abs": sp.Abs,
        "clip": lambda x, low, high: sp.Min(sp.Max(x, low), high),
        "maximum": sp.Max,
        "vector": lambda *parts: list(parts),
        "largest": lambda v: sp.Max(*v),
        "norm": lambda v: sp.Matrix(v).norm(),
        "norm1": lambda v: sp.Matrix(v).norm(1),
        "sqrt": sp.sqrt,
        "hypot": lambda a, b: sp.sqrt(a**2 + sp.sympify(b) ** 2),
        "where": lambda c, a, b: sp.Piecewise((a, c), (b, True)),
        "prod": sp.prod,
        "sinc": lambda x: sp.sinc(sp.pi * x),
        "i0": lambda x: sp.besseli(0, x),
    }

    def derivative(f, at, by):
        inputs = sp.symbols(f"x:{len(at)}", real=True)
        exact = [sp.nsimplify(a) for a in at]
        found = sp.sympify(sp.nsimplify(f(*inputs))).diff(*(inputs[n] for n in by))
        there = found.subs(dict(zip(inputs, exact)))
        return float(there) if there.is_number and not there.has(sp.DiracDelta) else str(there)

    return words, derivative


def of_scipy():
    import numpy as np
    from scipy.differentiate import derivative as quotient
    from scipy.special import i0

    words = {"relu": lambda x: np.maximum(x, 0.0), "abs": np.abs, "sqrt": np.sqrt}
    words |= {"clip": np.clip, "maximum": np.maximum, "hypot": np.hypot, "sinc": np.sinc, "i0": i0}
    words |= {"where": np.where}

    def derivative(f, at, by):
        if len(by) > 1:
            raise NoHigherOrder
        found = quotient(f, at[0])
        if not found.success:
            raise ArithmeticError("success is False")
        return float(found.df)

    return words, derivative


def of_casadi():
    import casadi as ca

    words = {
        "abs": ca.fabs,
        "relu": lambda x: ca.fmax(x, 0),
        "clip": lambda x, low, high: ca.fmin(ca.fmax(x, low), high),
        "maximum": ca.fmax,
        "vector": ca.vertcat,
        "largest": ca.mmax,
        "norm": ca.norm_2,
        "norm1": ca.norm_1,
        "hypot": ca.hypot,
        "sqrt": ca.sqrt,
        "where": ca.if_else,
    }

    def derivative(f, at, by):
        inputs = [ca.SX.sym(f"x{n}") for n in range(len(at))]
        y = reduce(lambda y, n: ca.jacobian(y, inputs[n]), by, f(*inputs))
        return float(ca.Function("d", inputs, [y])(*at))

    return words, derivative


def of_pytensor():
    import pytensor
    import pytensor.tensor as pt

    def number(a):
        return pt.as_tensor(a, dtype="float64") if isinstance(a, float) else a

    words = {
        "relu": lambda x: pt.maximum(x, 0.0),
        "abs": pt.abs,
        "clip": pt.clip,
        "maximum": pt.maximum,
        "vector": lambda *parts: pt.stack([number(part) for part in parts]),
        "largest": pt.max,
        "sort": pt.sort,
        "norm": pt.linalg.norm,
        "norm1": partial(pt.linalg.norm, ord=1),
        "sqrt": pt.sqrt,
        "std": partial(pt.std, ddof=1),
        "where": pt.switch,
        "prod": pt.prod,
        "i0": pt.i0,
    }  # fmt: skip

    def derivative(f, at, by):
        inputs = [pt.dscalar(f"x{n}") for n in range(len(at))]
        y = reduce(
            lambda y, n: pytensor.grad(y, inputs[n], disconnected_inputs="ignore"), by, f(*inputs)
        )
        mode = pytensor.compile.mode.Mode(linker="py", optimizer=None)
        return float(pytensor.function(inputs, y, mode=mode, on_unused_input="ignore")(*at))

    return words, derivative


def of_tinygrad():
    os.environ["DEV"] = "PYTHON"  # needs no compiler
    from tinygrad import Tensor, dtypes

    number = lambda a: a if isinstance(a, Tensor) else Tensor(a, dtype=dtypes.float64)
    methods = {name: name for name in NETWORK}
    methods |= {"clip": "clip", "leaky_relu": "leaky_relu", "sqrt": "sqrt", "largest": "max"}
    methods |= {
        "std": "std",
        "prod": "prod",
        "layer_norm": "layernorm",
        "logcumsumexp": "logcumsumexp",
    }
    call = lambda method: lambda x, *rest: getattr(x, method)(*rest)
    words = {name: call(method) for name, method in methods.items() if hasattr(Tensor, method)}
    words |= {
        "abs": lambda x: x.abs(),
        "maximum": lambda a, b: a.maximum(b),
        "where": lambda c, a, b: c.where(a, b),
        "vector": lambda *parts: Tensor.stack(*map(number, parts)),
        "sort": lambda v: v.sort()[0],
    }

    def derivative(f, at, by):
        # realized, for a number is one object with every equal constant of the program
        leaves = [Tensor([a], dtype=dtypes.float64).realize() for a in at]
        first = f(*(leaf.reshape(()) for leaf in leaves))
        y = reduce(lambda y, n: y.gradient(leaves[n])[0].reshape(()), by, first)
        return y.item()

    return words, derivative


def of_micrograd():
    from micrograd.engine import Value

    def derivative(f, at, by):
        inputs = [Value(a) for a in at]
        if len(by) > 1:
            raise NoHigherOrder
        f(*inputs).backward()
        return float(inputs[by[0]].grad)

    return {"relu": lambda x: x.relu()}, derivative


def of_engines():
    import companion.engines as ce

    words = {name: getattr(ce, name) for name in ce.__all__}
    words |= {"vector": lambda *parts: ce.stack(parts)}
    others = {"largest": "max", "hypot": "hypot"}  # what the engines call by NumPy's names
    words |= {word: getattr(ce, name) for word, name in others.items() if hasattr(ce, name)}
    if hasattr(ce, "linalg"):
        words |= {"norm": ce.linalg.norm}

    def by_number(f, n):
        return lambda *at: ce.grad(lambda a: f(*at[:n], a, *at[n + 1 :]))(at[n])

    return words, nested(by_number)


def of_operators():
    import torch

    from companion.operators import Partials, derivatives

    def derivative(f, at, by):
        if len(at) == 1:
            x = torch.tensor(at, dtype=torch.float64)
            return derivatives(lambda x: f(x[0]).reshape(1), x, len(by))[-1].item()
        point = torch.tensor([at], dtype=torch.float64)
        return Partials(lambda x: f(*x.T)[:, None], point)(*by).item()

    return of_torch()[0], derivative


class NoHigherOrder(Exception):
    """The library differentiates once only."""


NETWORK = ("relu", "relu6", "hardtanh", "hardswish", "elu", "selu", "celu", "softsign")
LIBRARIES = {
    "torch": of_torch,
    "jax": of_jax,
    "autograd": of_autograd,
    "mygrad": of_mygrad,
    "tinygrad": of_tinygrad,
    "pytensor": of_pytensor,
    "casadi": of_casadi,
    "micrograd": of_micrograd,
    "sympy": of_sympy,
    "scipy": of_scipy,
    "engines": of_engines,
    "operators": of_operators,
}


def function(expression, names, words):
    """The expression as a function of the variables with these names, in the words of a library."""
    return eval(f"lambda {', '.join(names)}: {expression}", {"abs": abs} | words)


def answer(case, words, derivative):
    """A number, to nine digits; "nan" or "inf"; or in words why there is none."""
    expression, at, by = case
    try:
        f = function(expression, at, words)
        found = derivative(f, list(at.values()), [list(at).index(name) for name in by])
        if isinstance(found, str):
            return found
    except NameError:
        return "no such function"
    except NoHigherOrder:
        return "no higher order"
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0][:100]
    return float(f"{found:.9g}") if math.isfinite(found) else str(found)


def answers(name, cases):
    """One library's answers, in the order of the cases."""
    words, derivative = LIBRARIES[name]()
    return [answer(case, words, derivative) for case in cases]


if __name__ == "__main__":
    from corner_cases import CASES

    warnings.simplefilter("ignore")
    print(json.dumps(answers(sys.argv[1], CASES)))
