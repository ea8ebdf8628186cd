"""A series in the place of a tensor: what torch's functions do to a tensor, they do to a series.

Options, dtypes and shapes, values at 0, questions of the kind isinstance, forward mode; and what a
series cannot go through, which is refused by NotImplementedError, so that Partials nests instead.
"""

import builtins
import copy
import functools
import itertools
import math
import pickle

import numpy as np
import pytest
import torch
import torch.utils.checkpoint
from torch import nn
from torch.autograd import forward_ad
from torch.nn import functional as F

from companion import torch_private
from companion.operators import Jet, Partials, laplacian, taylor
from companion.operators.laplace import LaplaceJet
from tests.fields import close
from tests.nested import assert_series, coefficients

f64 = dict(dtype=torch.float64)
X = torch.tensor([[0.3, 0.8], [0.5, 0.2]], **f64)
MASK = torch.tensor([[True, True], [False, False]])
NET = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1)).double()
SCRIPTED = torch.jit.script(NET)


def of_class(x):
    match x:
        case torch.Tensor():
            return x**3
    return 0 * x


of_kind = isinstance  # asked by other names


SAME = {
    "is_tensor": lambda x: x**3 if torch.is_tensor(x) else 0 * x,
    "isinstance": lambda x: x**3 if isinstance(x, torch.Tensor) else 0 * x,
    "isinstance of several": lambda x: (
        x**3 if isinstance(x, (float, torch.Tensor)) and not isinstance(x, float) else 0 * x
    ),
    "isinstance by another name": lambda x: x**3 if of_kind(x, torch.Tensor) else 0 * x,
    "builtins.isinstance": lambda x: x**3 if builtins.isinstance(x, torch.Tensor) else 0 * x,
    "isinstance of each": lambda x: (
        x**3 if all(isinstance(y, torch.Tensor) for y in [x, x * x]) else 0 * x
    ),
    "a method of what has no name": lambda x: x.detach().sin().where(MASK, x * x),
    "a function of a table": lambda x: {"mul": torch.mul}["mul"](X, x),
    "case torch.Tensor()": of_class,
    "__class__": lambda x: x**3 if issubclass(x.__class__, torch.Tensor) else 0 * x,
    "%": lambda x: (x % 0.35) * x,
    "fmod": lambda x: torch.fmod(x, 0.2) * x,
    "linear, weight": lambda x: F.linear(X, x * x, x[0]),
    "linear, all three": lambda x: F.linear(x, x.sin(), x[:, 0]),
    "linear, bias": lambda x: F.linear(x, X, x[0]),
    "linear, one row": lambda x: F.linear(x, x[0]),
    "clamp": lambda x: x.clamp(torch.tensor(0.25), torch.tensor(0.6)) * x,
    "clamp, a series as bound": lambda x: torch.clamp(X, min=x * x, max=None),
    "clamp, NaN": lambda x: x.clamp(math.nan, 1.0),
    "clamp, NaN in a tensor": lambda x: x.clamp(max=torch.tensor([math.nan, 1.0], **f64)) * x,
    "diff, prepend": lambda x: torch.diff(x**2, prepend=X[:, :1]),
    "diff, both": lambda x: torch.diff(x**2, prepend=x[:, :1], append=x[:, 1:]),
    "diff of a constant": lambda x: torch.diff(X, prepend=x[:, :1]),
    "int": lambda x: int(x[0, 0] * 10) * x,
    "prod, dtype": lambda x: x.float().prod(1, dtype=torch.float64),
    "prod of one number": lambda x: x[0, 0].prod(0) * x,
    "channels_last": lambda x: x[None, None].contiguous(memory_format=torch.channels_last).sum(0),
    "to channels_last": lambda x: x[None, None].to(memory_format=torch.channels_last) * 2,
    "narrow": lambda x: x.narrow(1, torch.tensor(1), 1),
    "tensor_split": lambda x: x.tensor_split(torch.tensor([1]), 1)[0],
    "atleast_1d": lambda x: torch.atleast_1d([X[0, 0], x])[1],
    "atleast_2d": lambda x: torch.atleast_2d(x[0], x[0, 0])[1] * 2,
    "abs of complex": lambda x: (x * (1 + 2j)).abs(),
    "negative base": lambda x: (-2.0) ** (x * 0 + 2) + 0 * x,
    "negative base, NaN": lambda x: (-2.0) ** x,
    "zero to a tensor": lambda x: (x - X) ** torch.tensor([[3.0, 2.0]], **f64),
    "zero to a broken power": lambda x: (x - X) ** 2.5,
    "softmax, masked": lambda x: torch.softmax(x.masked_fill(MASK & (X > 0.5), -torch.inf), 1),
    "prelu of one number": lambda x: F.prelu(x[0, 0], torch.tensor([0.3], **f64)),
    "prelu, weight": lambda x: F.prelu(-x, x[0]),
    "prelu, weight alone": lambda x: F.prelu(-X, x[:1, 0]),
    "elu at 0": lambda x: F.elu(x - X),
    "celu at 0": lambda x: F.celu(x - X, 0.7),
    "selu at 0": lambda x: F.selu(x - X),
    "a network": NET,
    "scripted": SCRIPTED,
    "checkpoint": lambda x: torch.utils.checkpoint.checkpoint(NET, x, use_reentrant=False),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_a_series_is_treated_as_the_tensor_would_be(name):
    f = SAME[name]
    found, expected = taylor(f, X, order=2), coefficients(f, X, 2)
    assert [(a.shape, a.dtype) for a in found] == [(b.shape, b.dtype) for b in expected]
    assert all(torch.allclose(a, b, 1e-12, 1e-14, equal_nan=True) for a, b in zip(found, expected))


ARRAYS = {
    "power": (lambda x: x ** np.array([2.0, 3.0]), lambda x: x ** torch.tensor([2.0, 3.0], **f64)),
    "power of an array": (lambda x: np.array([2.0, 3.0]) ** x, lambda x: torch.tensor([2.0, 3.0], **f64) ** x),
    "vector": (lambda x: x[0] @ np.array([1.0, 2.0]), lambda x: x[0] @ torch.tensor([1.0, 2.0], **f64)),
    "from the left": (lambda x: np.ones((3, 2)) @ x, lambda x: torch.ones(3, 2, **f64) @ x),
    "steps": (lambda x: (x // 0.35) * x, lambda x: torch.floor(x / 0.35) * x),
    "steps of a number": (lambda x: (2.1 // x) * x, lambda x: torch.floor(2.1 / x) * x),
    "zero to the first": (lambda x: (x - X) ** torch.tensor(1.0, **f64), lambda x: x - X),
    "zero base": (lambda x: torch.zeros(2, **f64) ** x + x, lambda x: x * 1),
    "x to the x": (lambda x: x**x, lambda x: torch.exp(x * torch.log(x))),
}  # fmt: skip


@pytest.mark.parametrize("name", ARRAYS)
def test_what_torch_has_not_or_has_wrong_by_another_formula(name):
    f, g = ARRAYS[name]
    assert_series(taylor(f, X, order=4), coefficients(g, X, 4), 1e-12)


def test_beyond_a_broken_power_of_zero_nothing_is_finite():
    found = taylor(lambda x: x**2.5, torch.zeros(1, **f64), order=4)
    assert [y.item() for y in found] == [0, 0, 0, math.inf, -math.inf]
    found = taylor(lambda x: x ** (2 + x), torch.zeros(1, **f64), order=3)
    assert [y.item() for y in found[:3]] == [0, 0, 1] and found[3].isnan()


@torch.jit.script
def scripted(x: torch.Tensor):
    return torch.sin(x) * x


class Passed(torch.autograd.Function):
    """The identity, with ten times its slope."""

    @staticmethod
    def forward(ctx, x):
        return x

    @staticmethod
    def backward(ctx, cotangent):
        return 10 * cotangent


passed = Passed.apply


class Passing(torch.nn.Module):
    """Calls the function by a name of its own, and within another expression."""

    def forward(self, x):
        self.through = Passed.apply
        return torch.sin(self.through(x)) + x


LOST = "inside an autograd.Function|without a name.*Give it a name first"
REFUSED = {
    "float": (lambda x: float(x[0, 0]) * x, "torch.Tensor.__float__: what leaves torch has no slope"),
    "math": (lambda x: math.sin(x[0, 0]) * x, "torch.Tensor.__float__: what leaves torch has no slope"),
    "complex": (lambda x: complex(x[0, 0]).real * x, "__complex__: what leaves torch has no slope"),
    "vmap": (torch.vmap(torch.sin), "hands a series to what takes nothing but tensors.*torch.func"),
    "func.grad": (torch.func.grad(lambda z: (z**3).sum()), "hands a series to what takes nothing but"),
    "autograd.grad": (lambda x: torch.autograd.grad(x.sin().sum(), x, create_graph=True)[0],
                      "f differentiates inside by torch.autograd"),
    "script": (scripted, "hands a series to what takes nothing but tensors.*a scripted function"),
    "torch.tensor": (lambda x: torch.tensor([x[0, 0], x[0, 1]]) * x, r"nothing but tensors.*torch.tensor\("),
    "as_tensor": (lambda x: torch.as_tensor(x) * x, "hands a series to what takes nothing but tensors"),
    "an autograd.Function": (lambda x: 2 * Passed.apply(x), "inside an autograd.Function"),
    "an autograd.Function by another name": (lambda x: passed(x).sin(), "inside an autograd.Function"),
    "an autograd.Function of a module": (Passing(), "inside an autograd.Function"),
    "an autograd.Function in a list": (lambda x: [Passed.apply][0](x) * x, LOST),
    "an autograd.Function, mapped": (lambda x: tuple(map(Passed.apply, [x, x]))[1] * x, LOST),
    "an autograd.Function, bound": (lambda x: functools.partial(Passed.apply)(x) * x, LOST),
    "deepcopy": (lambda x: copy.deepcopy(x) * x, "what leaves torch has no slope"),
    "copy": (lambda x: copy.copy(x) * x, "what leaves torch has no slope"),
    "pickle": (lambda x: pickle.loads(pickle.dumps(x)) * x, "what leaves torch has no slope"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad")
@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("name", REFUSED)
def test_what_a_series_cannot_go_through_is_refused(name, recorded):
    f, words = REFUSED[name]
    for expand in (lambda: taylor(f, X, order=2), lambda: laplacian(f, X)):
        with torch.set_grad_enabled(recorded), pytest.raises(NotImplementedError, match=words):
            expand()


@pytest.mark.parametrize("name", ["vmap", "func.grad", "script", "autograd.grad"])
def test_partials_goes_on_by_reverse_mode(name):
    f = REFUSED[name][0]
    assert close(Partials(f, X).laplacian(), Partials(f, X, "reverse").laplacian())


def test_an_error_of_fs_own_is_raised_as_it_is():
    for error, f in [
        (RuntimeError, lambda x: x @ torch.ones(3, 3, **f64)),
        (KeyError, lambda x: {}[x.shape]),
        (ZeroDivisionError, lambda x: x * (1 // 0)),
    ]:
        with pytest.raises(error) as caught:
            taylor(f, X, order=2)
        assert caught.type is not NotImplementedError


# --- torch's dtypes and shapes --------------------------------------------------------------------


PAIRS = {
    "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "pow": torch.pow,
    "maximum": torch.maximum, "minimum": torch.minimum, "rsub": torch.rsub,
    "where": lambda a, b: torch.where(a > 0.5, a, b), "clamp": lambda a, b: torch.clamp(a, min=b),
    "masked_fill": lambda a, b: a.masked_fill(a > 0.5, b) if b.ndim == 0 else a,
    "cat": lambda a, b: torch.cat([a.reshape(-1), b.reshape(-1)]),
    "stack": lambda a, b: torch.stack([a, b]) if a.shape == b.shape else a,
    "addcmul": lambda a, b: torch.addcmul(a, a, b), "remainder": torch.remainder,
}  # fmt: skip
FLOATS = [torch.float16, torch.float32, torch.float64]
KINDS = {
    "jet": lambda t: Jet(torch.stack([t] * 3), 2),
    "laplace": lambda t: LaplaceJet(torch.stack([t] * 3), None),
}


def number(value, dtype, shape):
    whole = not dtype.is_floating_point
    return torch.full(shape, value, **f64).to(dtype) + whole


@pytest.mark.parametrize("name", PAIRS)
def test_dtypes_and_shapes_are_torchs_over_all_pairs(name):
    """float16 to float64 and whole numbers, of 0, 1 and 2 axes, each beside each, in both places."""
    f, dtypes, shapes = PAIRS[name], [*FLOATS, torch.int64], [(), (2,), (1, 2)]
    tried = 0
    for (da, db), (sa, sb) in itertools.product(
        itertools.product(dtypes, repeat=2), itertools.product(shapes, repeat=2)
    ):
        a, b = number(0.75, da, sa), number(0.25, db, sb)
        try:
            expected = f(a, b)
        except RuntimeError:
            continue
        for kind, (is_a, is_b) in itertools.product(KINDS.values(), [(1, 0), (0, 1), (1, 1)]):
            if (is_a and da not in FLOATS) or (is_b and db not in FLOATS):
                continue
            found = f(kind(a) if is_a else a, kind(b) if is_b else b)
            value = found.primal if hasattr(found, "rows") else found
            assert (value.dtype, value.shape) == (expected.dtype, expected.shape), (da, sa, db, sb)
            assert torch.allclose(value.double(), expected.double(), rtol=1e-2)
            tried += 1
    assert tried > 200


# --- forward mode over a jet ----------------------------------------------------------------------


TWICE = {
    "laplacian": lambda x: laplacian(NET, x),
    "taylor": lambda x: taylor(NET, x, order=3)[3],
    "without a rule": lambda x: laplacian(lambda z: torch.renorm(NET(z), 2, 0, 0.1), x),
}


@pytest.mark.parametrize("name", TWICE)
def test_forward_mode_over_a_jet_is_reverse_mode_over_it(name):
    f, x = TWICE[name], X[:2]
    total = lambda x: f(x).sum()
    rev, fwd = torch.func.jacrev, torch.func.jacfwd
    assert close(fwd(f)(x), rev(f)(x), 1e-12)
    second, third = rev(rev(total))(x), rev(rev(rev(total)))(x)
    assert close(fwd(rev(total))(x), second, 1e-11) and close(fwd(fwd(total))(x), second, 1e-11)
    assert close(fwd(fwd(rev(total)))(x), third, 1e-10)
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(f(forward_ad.make_dual(x, x))).tangent
    assert close(tangent, torch.einsum("nmij,ij->nm", rev(f)(x), x), 1e-12)


def test_dual_numbers_are_seen_without_the_private_level_too():
    """By the level that torch keeps, and by making one."""
    seen = lambda: {torch_private.forward_mode(), torch_private._takes_duals()}
    assert seen() == {False}
    with forward_ad.dual_level():
        assert seen() == {True}
    assert seen() == {False}
