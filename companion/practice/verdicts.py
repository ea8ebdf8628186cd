"""What is said of an answer: right, or which input shows it wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import fill
from typing import Any

import numpy as np

# Of a complex step: h² is below every digit, and nothing is subtracted that could cancel.
STEP = 1e-30


class NotYet(Exception):
    """Raised by a checker with the words that show an answer wrong; `check` makes a Verdict of it."""


class YourTurn(Exception):
    """Raised where an answer still holds the dots of the blank, `...`."""


@dataclass(frozen=True, repr=False)
class Verdict:
    """True if the answer is right; its repr is the sentence that says so, or why not.

    >>> Verdict(True, "right: 20 points tried")
    right: 20 points tried
    >>> bool(Verdict(False, "not yet: at x = 2: yours is 3, the exact derivative is 4"))
    False
    """

    right: bool
    words: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return self.words

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What Jupyter shows, which would break a long line within a word."""
        printer.text(fill(self.words, 76))


def shown(value: Any) -> str:
    """A value in a few digits and few entries.

    >>> shown(0.1 + 0.2), shown(np.arange(9.0)), shown("grad")
    ('0.3', '(0, 1, 2, 3, 4, 5, …)', "'grad'")
    >>> shown([np.eye(5)] * 4)
    'numbers of the shape (4, 5, 5)'
    """
    value = value if isinstance(value, type) else plain(value)
    if isinstance(value, bool | str | type(None)):
        return repr(value)
    try:
        array = np.asarray(value)
    except (ValueError, RuntimeError):  # rows of unequal lengths, a tensor on a GPU
        return shortened(repr(value))
    if array.dtype.kind not in "iufc":
        return shortened(repr(value))
    if array.ndim == 0:
        return f"{array[()]:.6g}"
    if array.ndim > 2:
        return f"numbers of the shape {array.shape}"
    parts = [shown(part) for part in array[:6]] + ["…"] * (len(array) > 6)
    return f"({', '.join(parts)})"


def shortened(text: str) -> str:
    """The text, cut to 80 characters."""
    return text if len(text) <= 80 else f"{text[:79]}…"


def place(at: Mapping[str, Any]) -> str:
    """The input in words; a string stands for something that it describes. Nothing for no input.

    >>> place({"f": "x²", "x": 2.0})
    'at f = x², x = 2: '
    """
    said = [f"{key} = {v if isinstance(v, str) else shown(v)}" for key, v in at.items()]
    return f"at {', '.join(said)}: " * bool(at)


def plain(value: Any) -> Any:
    """A value without the graph of its tensors, in lists and tuples too, where NumPy can read it."""
    if hasattr(value, "detach"):
        return value.detach().cpu()
    return [plain(part) for part in value] if isinstance(value, list | tuple) else value


def numbers(came: Any, what: str = "your answer") -> np.ndarray:
    """An answer as an array of floats; raises NotYet if it is none: texts, True and 2 + 0j are no real numbers.

    >>> numbers([1, 2])
    array([1., 2.])
    >>> numbers("2")
    Traceback (most recent call last):
    companion.practice.verdicts.NotYet: your answer is '2', and real numbers are expected
    """
    try:
        array = np.asarray(plain(came))
        if array.dtype.kind in "iuf" or (array.dtype.kind == "O" and not holds_text(array)):
            return array.astype(float)
    except (TypeError, ValueError, RuntimeError):  # no number, ragged rows, a tensor in an object
        pass
    raise NotYet(f"{what} is {shown(came)}, and real numbers are expected")


def holds_text(array: np.ndarray) -> bool:
    """True if one of the objects is a text, which float() would read."""
    return any(isinstance(value, str | bytes) for value in array.flat)


def number(came: Any, what: str = "your answer") -> float:
    """An answer as one float, from an array of any shape with one entry too; raises NotYet if it is none.

    >>> number(np.array([2.5]))
    2.5
    """
    found = numbers(came, what)
    if found.size != 1:
        raise NotYet(f"{what} is {shown(came)}, and one number is expected")
    return float(found.ravel()[0])


def tensor(
    came: Any, what: str = "your answer", shape: tuple | None = None, graph: bool = False
) -> Any:
    """What came, if it is a tensor, of that shape, and with a graph; raises NotYet if it is none."""
    if not hasattr(came, "requires_grad") or isinstance(came, type):
        raise NotYet(f"{what} is {shown(came)}, and a tensor is expected")
    if shape is not None and tuple(came.shape) != tuple(shape):
        raise NotYet(f"{what} has the shape {tuple(came.shape)}, and {tuple(shape)} is expected")
    if graph and not came.requires_grad:
        raise NotYet(
            f"{what} does not require a gradient: it was computed from no tensor that does"
        )
    return came


def compare(
    came: Any,
    expected: Any,
    at: Mapping[str, Any] | None = None,
    says: str = "the exact value is",
    what: str = "your answer",
    rtol: float = 1e-9,
    atol: float = 1e-12,
) -> None:
    """Raises NotYet unless what came has the shape and, within the tolerances, the numbers expected.

    `at` is the input, {"x1": 2.0}; `says` leads to what is expected, and `what` names what came.
    NaN equals nothing, not even NaN.

    >>> compare([0.5, 5.0], (0.5, 5.0))
    >>> compare(3.0, 4.0, {"x": 2.0}, "the complex step says")
    Traceback (most recent call last):
    companion.practice.verdicts.NotYet: at x = 2: your answer is 3, the complex step says 4
    """
    where = place(at or {})
    try:
        found = numbers(came, what)
    except NotYet as wrong:
        raise NotYet(f"{where}{wrong}") from None
    wanted = numbers(expected, "what is expected")
    if found.shape != wanted.shape:
        raise NotYet(
            f"{where}{what} has the shape {found.shape}, and {wanted.shape} is expected: "
            f"{what} is {shown(found)}, {says} {shown(wanted)}"
        )
    if not np.allclose(found, wanted, rtol=rtol, atol=atol):
        left, right = shown(found), shown(wanted)
        gap = f" (they differ by {np.abs(found - wanted).max():.0e})" if left == right else ""
        if is_single(came) and np.allclose(found, wanted, rtol=1e-5, atol=atol):
            gap += ". Yours is in float32, which keeps seven digits, and more are asked"
        raise NotYet(f"{where}{what} is {left}, {says} {right}{gap}")


def agree(
    came: Any,
    expected: Any,
    hint: str,
    what: str = "your answer",
    rtol: float = 1e-6,
    atol: float = 1e-12,
) -> None:
    """Raises NotYet unless numbers agree, with a hint, and without what is expected: that is the answer itself.

    >>> agree(3.0, 4.0, "are both shares in it?")
    Traceback (most recent call last):
    companion.practice.verdicts.NotYet: your answer is 3, which is too small: are both shares in it?
    >>> agree([1, 2, 5], [1, 2, 3], "go down the columns", "your list")
    Traceback (most recent call last):
    companion.practice.verdicts.NotYet: your list is (1, 2, 5), wrong in entry 3: go down the columns
    """
    found, wanted = numbers(came, what), numbers(expected, "what is expected")
    if found.shape != wanted.shape:
        shapes = f"has the shape {found.shape}, and {wanted.shape} is expected"
        raise NotYet(f"{what} {shapes}: {what} is {shown(found)}")
    wrong = ~np.isclose(found, wanted, rtol=rtol, atol=atol)
    if found.ndim == 0 and wrong:
        raise NotYet(
            f"{what} is {shown(found)}, which is too {'small' if found < wanted else 'large'}: {hint}"
        )
    if wrong.any():
        places = ", ".join(str(1 + i) for i in np.flatnonzero(wrong))
        entries = "entry" if wrong.sum() == 1 else "entries"
        raise NotYet(f"{what} is {shown(found)}, wrong in {entries} {places}: {hint}")


def is_single(value: Any) -> bool:
    """True if a value, or the first of a list, is in float32.

    >>> is_single([np.float32(1), 2.0]), is_single(1.0)
    (True, False)
    """
    first = value[0] if isinstance(value, list | tuple) and value else value
    return str(getattr(first, "dtype", "")).endswith("float32")


def demand(holds: bool, words: str) -> None:
    """Raises NotYet with these words unless it holds.

    >>> demand(2 > 1, "two is more")
    """
    if not holds:
        raise NotYet(words)
