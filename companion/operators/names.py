"""Which of torch's functions are one operation under several names.

torch hands over the function that was called: torch.sin, torch.Tensor.sin, torch.special.expit. They
are told apart by what they are, never by their names: F.unfold is not Tensor.unfold, nor is
torch.linalg.norm torch.norm. `canonical` gives one function for all that are the same operation on
the same arguments, as torch's own namespaces have them, read once.
"""

import operator
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.nn import functional as F

# A function of these names is torch's of that name, with the same arguments; others are not.
LAYERS = """relu selu celu rrelu threshold softmax log_softmax sigmoid tanh dropout alpha_dropout
    feature_alpha_dropout layer_norm group_norm rms_norm max_pool1d max_pool2d max_pool3d""".split()
ALGEBRA = "det slogdet matmul matrix_exp matrix_power cholesky".split()
OTHERWISE = dict(pair.split() for pair in """
    multiply mul, subtract sub, negative neg, divide div, true_divide div, absolute abs, clip clamp,
    arcsin asin, arccos acos, arctan atan, arctan2 atan2, arcsinh asinh, arccosh acosh,
    arctanh atanh, less lt, less_equal le, greater gt, greater_equal ge, not_equal ne, fix trunc,
    concat cat, concatenate cat, row_stack vstack, swapaxes transpose, swapdims transpose,
    moveaxis movedim, ger outer, nelement numel, special.expit sigmoid, special.psi digamma,
    special.gammaln lgamma, special.multigammaln mvlgamma, special.gammainc igamma,
    special.gammaincc igammac, linalg.inv inverse, __truediv__ div, __div__ div, __radd__ add,
    __rmul__ mul, __rsub__ rsub, __mod__ remainder, __floordiv__ floor_divide, __pos__ positive,
    __invert__ bitwise_not, __and__ bitwise_and, __or__ bitwise_or, __xor__ bitwise_xor,
    __rtruediv__ __rdiv__""".split(","))  # fmt: skip


def _functions(space: Any, prefix: str = "") -> Iterator[tuple[str, Callable]]:
    """(name, function) of all functions and methods in a namespace of torch; of attributes the getter."""
    for name in dir(space):
        if name.startswith("_") and not (space is torch.Tensor and name.endswith("__")):
            continue
        found = getattr(space, name)
        if space is torch.Tensor and not callable(found):
            found = getattr(found, "__get__", None)
        if callable(found) and not isinstance(found, type):
            yield prefix + name, found


def _read() -> tuple[dict[Callable, Callable], dict[Callable, str]]:
    """({function: the canonical one}, {canonical function: how it is written})."""
    plain, methods = dict(_functions(torch)), dict(_functions(torch.Tensor))
    spaces = [
        ("torch.", plain, plain),
        ("torch.Tensor.", methods, methods),
        ("torch.special.", dict(_functions(torch.special, "special.")), plain),
        ("torch.linalg.", dict(_functions(torch.linalg, "linalg.")), ALGEBRA),
        ("torch.fft.", dict(_functions(torch.fft, "fft.")), ()),
        ("torch.nn.functional.", dict(_functions(F, "F.")), LAYERS),
    ]
    keys: dict[Callable, Callable] = {}
    spelled: dict[Callable, str] = {}
    for path, functions, shared in spaces:
        own_name_first = sorted(functions, key=lambda n: n != getattr(functions[n], "__name__", ""))
        for name in own_name_first:
            function, last = functions[name], name.rpartition(".")[2]
            same = OTHERWISE.get(name, last.strip("_") if hasattr(operator, last) else last)
            twin = name in OTHERWISE or same in shared or functions is methods
            key = plain.get(same) or methods.get(same) if twin else None
            keys.setdefault(function, key or function)
            attribute = functions is methods and not callable(getattr(torch.Tensor, last))
            spelled.setdefault(function, path + last + ".__get__" * attribute)
    return keys, spelled


KEYS, WRITTEN = _read()


def canonical(function: Callable) -> Callable:
    """The function that stands for all that are the same operation; another's function is itself.

    >>> canonical(torch.Tensor.logit) is canonical(torch.special.logit) is torch.logit
    True
    >>> canonical(torch.linalg.norm) is canonical(torch.norm)
    False
    """
    return KEYS.get(function, function)


def written(function: Callable) -> str:
    """How a function is written: torch.special.erfcx."""
    name = str(getattr(function, "__qualname__", None) or getattr(function, "__name__", function))
    return WRITTEN.get(canonical(function)) or WRITTEN.get(function) or name
