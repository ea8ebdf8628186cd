"""What an argument must be: an error says what came, what is expected, and of which name."""

import inspect
import math
from collections.abc import Callable, Collection, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

MOST = 2**62  # torch counts, and sows, with 64 bits


def is_whole(value: Any, least: int) -> bool:
    """Whether a value is a whole number, so much or more, that torch can count with."""
    return (
        isinstance(value, Integral) and not isinstance(value, bool) and least <= int(value) < MOST
    )


def need_whole(what: str, value: Any, least: int, got: Any = None) -> None:
    """Raise ValueError unless a value is a whole number, so much or more; got: what the error shows."""
    if not is_whole(value, least):
        shown = value if got is None else got
        large = isinstance(value, Integral) and int(value) >= MOST
        most = ", below 2**62" if large else ""
        raise ValueError(f"{what} is a whole number, {least} or more{most}; got {shown!r}")


def float_of(value: Any) -> float:
    """A real number as a float: infinite where it is too large, NaN where it is none."""
    try:
        return float(value) if isinstance(value, Real) else math.nan
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def is_one(value: Any, names: Collection[str]) -> bool:
    """Whether a value is one of these names; an array, which is compared by its elements, is none."""
    return isinstance(value, str) and value in names


def need_number(
    what: str, value: Any, above: float = -math.inf, least: float = -math.inf, got: Any = None
) -> None:
    """Raise ValueError unless a value is a finite number, above one or so much or more."""
    number = float_of(value)
    if not (above < number < math.inf and least <= number):
        bound = f" above {above:g}" if above > -math.inf else ""
        bound += f" {least:g} or more" if least > -math.inf else ""
        shown = value if got is None else got
        raise ValueError(f"{what} is a number{bound}, and finite; got {shown!r}")


def need_kind(what: str, value: Any, kinds: Any, expected: str) -> None:
    """Raise TypeError unless a value is of these kinds; expected: in words, and what to write."""
    if not isinstance(value, kinds):
        raise TypeError(f"{what} is {expected}; got {value!r}")


def need_function(what: str, value: Any, expected: str, takes: tuple[str, ...] = ()) -> None:
    """Raise TypeError unless a value can be called, with the arguments that it takes, if they are told."""
    if not callable(value):
        raise TypeError(f"{what} is a function, {expected}; got {value!r}")
    if takes and (signature := signature_of(value)):
        try:
            signature.bind(*takes)
        except TypeError as error:
            called = f"is called with ({', '.join(takes)})"
            raise TypeError(f"{what} is a function, {expected}, and {called}: {error}") from None


def need_names(what: str, value: Any) -> None:
    """Raise TypeError or ValueError unless a value is a tuple of names, each once."""
    if not isinstance(value, tuple) or not all(isinstance(name, str) for name in value):
        raise TypeError(f'{what} is a tuple of names, ("x",); got {value!r}')
    if len(set(value)) < len(value):
        raise ValueError(f"{what} name each axis once; got {value!r}")


def signature_of(f: Callable[..., Any]) -> inspect.Signature | None:
    """What a function can be called with; None of one written in C, which tells nothing."""
    try:
        return inspect.signature(f)
    except (TypeError, ValueError):
        return None


def need_rows(term: str, rows: Any, n: int) -> None:
    """Raise TypeError or ValueError unless these are the real rows (n, k) of a term at n points."""
    if not isinstance(rows, torch.Tensor):
        raise TypeError(f"{term} returns a tensor (n, k); got {type(rows).__name__}")
    if rows.ndim != 2 or len(rows) != n or not rows.shape[1]:
        raise ValueError(
            f"{term} returns one row for each point, ({n}, k); got {tuple(rows.shape)}. "
            "Join several equations with torch.cat([...], 1)"
        )
    if not rows.is_floating_point() and not rows.is_complex():
        raise TypeError(f"{term} returns real numbers, floats; got {rows.dtype}. Write rows.to(x)")
    if rows.is_complex():
        raise TypeError(
            f"{term} has complex rows: give the real and the imaginary part a column each, "
            "torch.cat([r.real, r.imag], 1)"
        )


def tensor_of(whose: str, what: str, value: Any) -> Tensor:
    """A value as a float64 tensor. Raises ValueError unless all its numbers are real and finite."""
    if callable(value):
        raise ValueError(
            f"{whose} needs {what} that are numbers; got a function, {value!r}. Call it, and give what it "
            "returns: f(points), not f"
        )
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
    if not (signature := signature_of(f)):
        return {}
    parameters = list(signature.parameters.values())
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return dict(named)
    later = {p.name for p in parameters[2:]} | {
        p.name for p in parameters if p.kind is p.KEYWORD_ONLY
    }
    return {name: value for name, value in named.items() if name in later}


def refuse_asked(what: str, f: Callable[..., Any], named: Collection[str]) -> None:
    """Raise ValueError if f(u, x, …) asks for something that is not among the named."""
    if not (signature := signature_of(f)):
        return
    given = asked_by(f, dict.fromkeys(named))
    try:
        signature.bind(None, None, **given)
    except TypeError as error:
        names = ", ".join(["u", "x", *(f"{n}=…" for n in named)])
        raise ValueError(f"{what} is called with ({names}), by name: {error}") from None
