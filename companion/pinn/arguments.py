"""What an argument must be: an error says what came, what is expected, and of which name."""

import inspect
import math
from collections.abc import Callable, Collection, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import Tensor


def need_whole(what: str, value: Any, least: int, got: Any = None) -> None:
    """Raise ValueError unless a value is a whole number, so much or more; got: what the error shows."""
    if not isinstance(value, Integral) or isinstance(value, bool) or int(value) < least:
        shown = value if got is None else got
        raise ValueError(f"{what} is a whole number, {least} or more; got {shown!r}")


def need_number(
    what: str, value: Any, above: float = -math.inf, least: float = -math.inf, got: Any = None
) -> None:
    """Raise ValueError unless a value is a finite number, above one or so much or more."""
    number = float(value) if isinstance(value, Real) else math.nan
    if not (above < number < math.inf and least <= number):
        bound = f" above {above:g}" if above > -math.inf else ""
        bound += f" {least:g} or more" if least > -math.inf else ""
        shown = value if got is None else got
        raise ValueError(f"{what} is a number{bound}, and finite; got {shown!r}")


def need_kind(what: str, value: Any, kinds: Any, expected: str) -> None:
    """Raise TypeError unless a value is of these kinds; expected: in words, and what to write."""
    if not isinstance(value, kinds):
        raise TypeError(f"{what} is {expected}; got {value!r}")


def need_function(what: str, value: Any, expected: str) -> None:
    """Raise TypeError unless a value can be called."""
    if not callable(value):
        raise TypeError(f"{what} is a function, {expected}; got {value!r}")


def tensor_of(whose: str, what: str, value: Any) -> Tensor:
    """A value as a float64 tensor. Raises ValueError unless all its numbers are real and finite."""
    if np.ma.is_masked(value):
        raise ValueError(
            f"{whose} has {np.ma.count_masked(value)} of {np.size(value)} {what} that are masked; leave "
            "those rows out"
        )
    try:
        found = value if isinstance(value, torch.Tensor) else torch.as_tensor(np.asarray(value))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{whose} needs {what} that are numbers; got {value!r}") from error
    if found.is_complex():
        raise ValueError(
            f"{whose} has complex {what}: its imaginary part would be lost. Give the problem two "
            "outputs, the real and the imaginary part, and torch.view_as_real(values)"
        )
    found = found.detach().double()
    if wrong := (~found.isfinite()).sum().item():
        raise ValueError(
            f"{whose} has {wrong} of {found.numel()} {what} that are NaN or infinite; leave those "
            "rows out"
        )
    return found


def asked_by(f: Callable[..., Any], named: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `named` that a function of (u, x, …) asks for by name; all, if it takes `**any`.

    >>> asked_by(lambda u, x, beta: u() * beta, {"beta": 0.3, "gamma": 0.1})
    {'beta': 0.3}
    """
    if not named:
        return {}
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # a function written in C tells nothing: u and x are all
        return {}
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return dict(named)
    later = {p.name for p in parameters[2:]} | {
        p.name for p in parameters if p.kind is p.KEYWORD_ONLY
    }
    return {name: value for name, value in named.items() if name in later}


def refuse_asked(what: str, f: Callable[..., Any], named: Collection[str]) -> None:
    """Raise ValueError if f(u, x, …) asks for something that is not among the named."""
    try:
        signature = inspect.signature(f)
    except (TypeError, ValueError):
        return
    given = asked_by(f, dict.fromkeys(named))
    try:
        signature.bind(None, None, **given)
    except TypeError as error:
        names = ", ".join(["u", "x", *(f"{n}=…" for n in named)])
        raise ValueError(f"{what} is called with ({names}), by name: {error}") from None
