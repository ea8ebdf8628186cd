"""How a truncated series takes the place of a tensor in torch functions and nn.Modules.

torch asks every argument that has `__torch_function__` what to do, and hands over the function that
was called. The answer is looked up in RULES by that function; names.py knows which are one, so that
a rule of torch.logit serves x.logit() and torch.special.logit(x) too. A rule takes the same
arguments and is written with functions that have rules already, so a new one is a line:

>>> from companion.operators import RULES, derivatives
>>> kept = RULES[torch.logit]
>>> RULES[torch.logit] = lambda x: torch.log(x) - torch.log(1 - x)
>>> x = torch.tensor([0.5], dtype=torch.float64)
>>> [float(d) for d in derivatives(lambda x: x.logit(), x, 3)]
[0.0, 4.0, 0.0, 32.0]
>>> RULES[torch.logit] = kept

A function without a rule is differentiated by torch, step by step and by itself, while the rest of
the network stays a series (fallback.py): right, and dearer with every order.

Source: PyTorch, *Extending torch Python API*; chapter 10.
"""

from collections import UserDict
from collections.abc import Callable, Iterator
from functools import partial
from inspect import signature
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from companion import torch_private
from companion.operators.asks import class_for_caller
from companion.operators.fallback import alone
from companion.operators.names import KEYS, canonical

Operand: TypeAlias = Any  # a series, a tensor, an array, a number: torch's functions take all


class Rules(UserDict[Callable, Callable[..., Any]]):
    """{torch function: its rule}; the names of one operation are one key."""

    def __getitem__(self, function: Callable) -> Callable[..., Any]:
        return super().__getitem__(self._key(function))

    def __setitem__(self, function: Callable, rule: Callable[..., Any]) -> None:
        super().__setitem__(self._key(function), rule)

    def __delitem__(self, function: Callable) -> None:
        super().__delitem__(self._key(function))

    def __contains__(self, function: object) -> bool:
        return super().__contains__(self._key(function))

    def _key(self, function):
        if not callable(function):
            raise TypeError(
                f"RULES is asked by the function, RULES[torch.logit], not by its name; got "
                f"{function!r}"
            )
        return canonical(function)


RULES = Rules()

OPERATORS = """add sub mul truediv matmul pow radd rsub rmul rtruediv rmatmul rpow neg pos abs
    getitem lt le gt ge eq ne mod rmod floordiv rfloordiv iadd isub imul itruediv ipow setitem""".split()
ARGUMENTS = "input tensors condition other exponent mat2 vec".split()  # in the order of torch's


class Expansion:
    """What the series of one expansion have in common; those of two do not mix."""

    def __init__(self) -> None:
        self.recording = torch.is_grad_enabled()


class Series:
    """The coefficients of a truncated series, one to a row: rows (r, *shape), row 0 the primal.

    Linear functions act on every row alike. A kind of series says what the rest do to it: `like`
    (rows → a series of this kind), `times` (a product), `pointwise` (f of the series) and `stepwise`
    (a function that has no rule, from its Taylor coefficients along curves).
    """

    expansion: Expansion | None = None
    __array_priority__ = 1000  # array * series is asked of the series

    def __init__(self, rows: Tensor) -> None:
        self.rows = rows

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """torch.Tensor for isinstance(x, torch.Tensor); see asks.py."""
        return class_for_caller(type(self))

    @property
    def primal(self) -> Tensor:
        """The value, a tensor."""
        return self.rows[0]

    @classmethod
    def __torch_function__(
        cls, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        return answer(function, args, kwargs or {})

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(torch.Tensor, name)
        if callable(attribute):
            return partial(_method, attribute, self)
        getter = attribute.__get__
        found = None if getter in RULES else getattr(self.primal, name)
        has_slopes = getter in RULES or (isinstance(found, torch.Tensor) and name != "data")
        return answer(getter, (self,), {}) if has_slopes else found

    def each(self, function: Callable[[Tensor], Any]) -> Any:
        """function, a linear one, applied to every row."""
        try:
            rows: Any = torch.vmap(function)(self.rows)
        except (
            RuntimeError
        ):  # vmap knows fewer options than the function, or f is wrong: one by one
            rows = [function(row) for row in self.rows]
            tensors = isinstance(rows[0], torch.Tensor)
            rows = torch.stack(rows) if tensors else tuple(map(torch.stack, zip(*rows)))
        return self._of(rows) if isinstance(rows, torch.Tensor) else tuple(map(self._of, rows))

    def _of(self, rows):
        """A series; of whole numbers, which have no slopes, their value."""
        return self.like(rows) if rows.is_floating_point() or rows.is_complex() else rows[0]

    def check(self) -> None:
        """Refuse to go on where f switched differentiation off: a series would not know.

        Under no_grad of the caller there is nothing to see, and f is differentiated as if it had
        neither no_grad nor an autograd.Function inside.
        """
        if self.expansion and self.expansion.recording and not torch.is_grad_enabled():
            raise NotImplementedError(
                "f computes with a series under no_grad or inside an autograd.Function, and a "
                "series cannot tell what slope is meant. Write x.detach() for what is to be "
                "constant, a rule for a function of your own, or take "
                "Partials(f, x, method='reverse')"
            )

    def constant(self, x: Operand) -> Tensor:
        """A number, an array or a tensor as a tensor that torch would join with this series."""
        if isinstance(x, np.ndarray):
            return torch.as_tensor(x, device=self.device)
        if not isinstance(x, torch.Tensor):
            dtype = self.dtype.to_complex() if isinstance(x, complex) else self.dtype
            return torch.tensor(x, dtype=dtype, device=self.device)
        return x if x.ndim else x.to(self.device)  # a tensor of one number meets those of a GPU

    def met(self, other: "Series") -> None:
        """Refuse to join a series of another expansion."""
        if other.expansion is not self.expansion:
            raise NotImplementedError(
                "two series of different expansions met: a function that is being expanded cannot "
                "expand again inside. Ask for the mixed derivative with Partials(f, x)(T, X)"
            )

    def padded(self, x: Operand, count: int) -> Tensor:
        """The rows of x, a series or a constant, with zeros up to `count` rows."""
        if isinstance(x, Series):
            self.met(x)
        rows = x.rows if isinstance(x, Series) else self.constant(x)[None]
        if len(rows) == count:
            return rows
        return torch.cat([rows, rows.new_zeros(count - len(rows), *rows.shape[1:])])

    def __bool__(self) -> bool:
        return bool(self.primal)

    def __len__(self) -> int:
        return len(self.primal)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.unbind())

    def __int__(self) -> int:
        return int(self.primal)

    def __float__(self) -> float:
        return answer(torch.Tensor.__float__, (self,), {})

    def __complex__(self) -> complex:
        return answer(torch.Tensor.__complex__, (self,), {})

    def __reduce_ex__(self, *_: Any) -> Any:
        return answer(torch.Tensor.__reduce_ex__, (self,), {})

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise TypeError("NumPy cannot see a series; call torch's function, torch.sin(x)")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.rows!r})"

    __hash__ = object.__hash__


def answer(function: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
    """What a torch function gives for arguments among which is a series."""
    if function in IN_PLACE or kwargs.get("inplace") or kwargs.get("out") is not None:
        raise NotImplementedError(
            f"{function.__name__} would change a series in place; write the form that returns a "
            "new value (x + y for x.add_(y) and x += y, torch.where for x[i] = y, inplace=False, "
            "no out=)"
        )
    rule = RULES.data.get(KEYS.get(function, function))
    if rule is None:
        return alone(function, args, kwargs, Series)
    args = (*args, *[kwargs[k] for k in ARGUMENTS if k in kwargs]) if kwargs else args
    known = (*ARGUMENTS, "inplace", "out")
    options = {k: v for k, v in kwargs.items() if k not in known and not k.startswith("_")}
    return rule(*args, **options)  # an option that begins with _ is torch's own business


def _changes(function):
    """add_, __iadd__, __setitem__ change their first argument."""
    name = function.__name__
    augmented = name.startswith("__i") and name not in (
        "__init__",
        "__invert__",
        "__index__",
        "__int__",
    )
    dunder = name.startswith("__")
    return augmented or name == "__setitem__" if dunder else name.endswith("_")


IN_PLACE = {function for function in KEYS if _changes(function)}


def quickly(function: type[torch.autograd.Function]) -> Callable[..., Any]:
    """function.apply, sooner: torch binds the arguments by name at every call, for torch.func's sake.

    An autograd.Function that sets up its context in forward is called as it is, and torch.func
    refuses it; so it stands in only where no transform is looking on.
    """

    def forward(ctx: Any, *args: Any) -> Any:
        output = function.forward(*args)
        function.setup_context(ctx, args, output)
        return output

    own = dict(forward=staticmethod(forward), backward=staticmethod(function.backward))
    direct: Any = type(function.__name__, (torch.autograd.Function,), own)
    function.forward.__signature__ = signature(function.forward)  # type: ignore[attr-defined]

    def apply(*args: Any) -> Any:
        return (function if torch_private.transforming() else direct).apply(*args)

    return apply


def _method(function, *args, **kwargs):
    return answer(function, args, kwargs)


def _operator(function):
    return lambda *args: answer(function, args, {})


for _name in OPERATORS:
    setattr(Series, f"__{_name}__", _operator(getattr(torch.Tensor, f"__{_name}__")))
