"""Of what kind an answer is: a function of named inputs, a number, a choice, several of them in a dict.

A checker is a function whose name is the label of its exercise, `ex_04_rules` for "ex-04-rules". It takes the
answer, returns in words what was tried, and raises NotYet with the first input that shows the answer wrong::

    @asks(function("x1, x2"), "the gradient, two numbers", example="lambda x1, x2: (1.0, 2.0)")
    def ex_04_rules(f):
        for x1, x2 in POINTS:
            compare(f(x1, x2), gradient(x1, x2), {"x1": x1, "x2": x2}, "the complex step says")
        return f"{len(POINTS)} points tried"
"""

import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from companion.practice.verdicts import NotYet, YourTurn, number, numbers, place, shown


@dataclass(frozen=True)
class Kind:
    """What an answer is, in words; `take(answer)` is what the checker gets, or raises NotYet."""

    words: str
    take: Callable[[Any], Any]


@contextmanager
def trying(what: str = "trying your answer") -> Iterator[None]:
    """Around what a checker does with a class, an object or a program of the answer: what it raises is NotYet.

    >>> with trying("your slope"):
    ...     1 / 0
    Traceback (most recent call last):
    companion.practice.verdicts.NotYet: your slope raises ZeroDivisionError: division by zero
    """
    try:
        yield
    except (NotYet, YourTurn):
        raise
    except Exception as error:  # of the answer, which may raise anything
        raise NotYet(f"{what} raises {type(error).__name__}: {error}") from error


def copied(value: Any) -> Any:
    """The value, so that nobody can change it: arrays, lists, dicts and tensors without a graph are copied."""
    if isinstance(value, list):
        return [copied(part) for part in value]
    if isinstance(value, dict):
        return {key: copied(part) for key, part in value.items()}
    if isinstance(value, np.ndarray):
        return value.copy()
    if getattr(value, "requires_grad", None) is False and hasattr(value, "clone"):
        return value.clone()
    return value


def called(f: Callable, *arguments: Any, names: list[str] | None = None) -> Any:
    """f of copies of these arguments; where it raises, or returns nothing, NotYet names the input.

    >>> called(lambda x: 1 / x, 0.0, names=["x"])
    Traceback (most recent call last):
    companion.practice.verdicts.NotYet: at x = 0: your function raises ZeroDivisionError: float division by zero
    """
    at = dict(zip(names or [f"argument {i + 1}" for i in range(len(arguments))], arguments))
    try:
        with trying(f"{place(at)}your function"):
            value = f(*map(copied, arguments))
    except KeyboardInterrupt as stopped:
        stopped.add_note(f"{place(at)}your function had not come back when it was stopped")
        raise
    if value is ...:
        raise YourTurn
    if value is None:
        raise NotYet(f"{place(at)}your function returns None: is its `return` missing?")
    return value


def function(arguments: str) -> Kind:
    """A function of these arguments. The checker gets one that raises NotYet where the answer fails.

    >>> function("x1, x2").words
    'a function f(x1, x2)'
    >>> function("x").take(3.0)
    Traceback (most recent call last):
    companion.practice.verdicts.NotYet: yours is 3, which cannot be called
    """
    names = [name.strip() for name in arguments.split(",")]

    def take(answer: Any) -> Callable:
        if not callable(answer):
            raise NotYet(f"yours is {shown(answer)}, which cannot be called")
        try:
            signature = inspect.signature(answer)
        except (TypeError, ValueError):  # built-in functions may have no signature
            signature = inspect.signature(lambda *values: None)
        try:
            signature.bind(*names)
        except TypeError:
            raise NotYet(f"yours takes other arguments: {signature}") from None
        theirs = list(signature.parameters)[: len(names)]
        if theirs != names and sorted(theirs) == sorted(names):
            raise NotYet(f"yours takes them in another order: {signature}")
        return lambda *values: called(answer, *values, names=names)

    return Kind(f"a function f({arguments})", take)


def take_number(answer: Any) -> float:
    """The answer as a float; raises NotYet for True, a string, NaN, infinity, and what is no single number."""
    try:
        found = number(answer)
    except NotYet:
        found = math.nan
    if not math.isfinite(found):
        raise NotYet(f"yours is {shown(answer)}")
    return found


def numbers_of(*names: str) -> Kind:
    """A list of as many numbers, each of which has a name.

    >>> numbers_of("v1", "v2").words
    'a list of 2 numbers (v1, v2)'
    """

    def take(answer: Any) -> np.ndarray:
        found = numbers(answer, "yours")
        if found.shape != (len(names),):
            raise NotYet(f"yours is {shown(answer)}")
        return found

    return Kind(f"a list of {len(names)} numbers ({', '.join(names)})", take)


@dataclass(frozen=True, repr=False)
class Given:
    """A function that a checker hands to the answer, with a name in words for the verdict.

    >>> double = Given("2 x", lambda x: 2 * x)
    >>> double, double(3)
    (2 x, 6)
    """

    words: str
    function: Callable

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)

    def __repr__(self) -> str:
        return self.words


NUMBER = Kind("a number", take_number)
# a class, an object, a network: the checker looks itself
ANYTHING = Kind("", lambda answer: answer)


def one_of(*choices: str) -> Kind:
    """One of these words.

    >>> one_of("rows", "columns").words
    'one of "rows", "columns"'
    """
    words = "one of " + ", ".join(f'"{choice}"' for choice in choices)

    def take(answer: Any) -> str:
        if not isinstance(answer, str) or answer not in choices:
            raise NotYet(f"yours is {shown(answer)}")
        return answer

    return Kind(words, take)


def parts(**kinds: Kind) -> Kind:
    """A dict with these names, each of its kind.

    >>> parts(step=NUMBER, error=NUMBER).words
    'a dict with "step", a number, "error", a number'
    """
    words = ", ".join(f'"{name}", {kind.words}'.removesuffix(", ") for name, kind in kinds.items())

    def take(answer: Any) -> dict:
        if not isinstance(answer, dict):
            raise NotYet(f"yours is {shown(answer)}")
        if set(answer) != set(kinds):
            raise NotYet(f"yours has the names {', '.join(map(shown, answer)) or 'of nothing'}")
        taken = {}
        for name, kind in kinds.items():
            try:
                taken[name] = kind.take(answer[name])
            except NotYet as wrong:
                raise NotYet(f'of "{name}", {wrong}') from None
        return taken

    return Kind(f"a dict with {words}", take)


@dataclass(frozen=True)
class Asked:
    """An exercise that can be checked: what is wanted, an answer as one may be written, the checker."""

    kind: Kind
    gives: str  # what a function returns, or a number means
    example: str
    checker: Callable[[Any], str]

    @property
    def wants(self) -> str:
        """The kind of answer in words: "a function f(x1, x2) → the gradient"."""
        between = " → " if self.kind.words.startswith("a function") else ", "
        return between.join(filter(None, [self.kind.words, self.gives]))


def asks(kind: Kind, gives: str = "", *, example: str) -> Callable[[Callable[[Any], str]], Asked]:
    """The decorator of a checker: the kind of the answer, what it means, and an example as source.

    >>> @asks(NUMBER, "in radians", example="0.5")
    ... def ex_00_angle(answer):
    ...     return "one angle"
    >>> ex_00_angle.wants
    'a number, in radians'
    """
    return lambda checker: Asked(kind, gives, example, checker)
