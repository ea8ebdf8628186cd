"""check: the label of an exercise and an answer -> right, or which input shows it wrong."""

import difflib
import importlib
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from companion._project import REPOSITORY, command
from companion.practice.answers import Asked
from companion.practice.verdicts import NotYet, Verdict, YourTurn

LABEL = re.compile(r"(?:ex|problem)-(?P<chapter>\d\d[a-z]?)-[a-z0-9-]+")
CHECKER = re.compile(r"^def ((?:ex|problem)_\d\d[a-z]?_\w+)\(", re.MULTILINE)


@cache
def labels() -> tuple[str, ...]:
    """The labels of all exercises that can be checked, read once from the files, of which none is imported.

    >>> "ex-04-rules" in labels()
    True
    """
    files = sorted(Path(__file__).parent.glob("ch[0-9]*.py"))
    found = [name for file in files for name in CHECKER.findall(file.read_text(encoding="utf-8"))]
    return tuple(name.replace("_", "-") for name in found)


def nearest(label: Any, answer: Any, known: Sequence[str]) -> list[str]:
    """The labels, three at most, that may have been meant by one that is none.

    >>> nearest("problem-04-rules", 1, labels())[0], nearest(3.0, "ex-04-rules", labels())
    ('ex-04-rules', ['ex-04-rules'])
    """
    if isinstance(answer, str) and answer in known:  # the answer first
        return [answer]
    tails = {name.split("-", 1)[1]: name for name in known}
    text = label if isinstance(label, str) else ""
    asked_for = text.strip().lower().replace("_", "-").removeprefix("problem-")
    found = difflib.get_close_matches(asked_for.removeprefix("ex-"), tails, n=3, cutoff=0.5)
    return [tails[tail] for tail in found]


def asked(label: str, answer: Any = None) -> Asked:
    """The exercise of that label, from the file of its chapter, which is imported now.

    Raises ValueError for a label that no checker has, with those that are nearest, and ImportError where
    the chapter needs a package that is not installed.
    """
    known = labels()
    match = LABEL.fullmatch(label) if isinstance(label, str) else None
    if match is None or label not in known:
        near = nearest(label, answer, known)
        listed = f" The nearest labels: {', '.join(near)}" if near else ""
        raise ValueError(
            f"no exercise that can be checked has the label {str(label)[:60]!r}. It stands in the text of the "
            f'exercise. Write the label first, then the answer: check("{[*near, "ex-04-rules"][0]}", answer).{listed}'
        )
    try:
        module = importlib.import_module(f"companion.practice.ch{match['chapter']}")
    except ModuleNotFoundError as missing:
        name = (missing.name or "").split(".")[0]
        if name == "companion":
            raise
        line = command("show" if name == "matplotlib" else "pinn")
        raise ModuleNotFoundError(
            f'check("{label}", ...) needs {name}, which is not installed here. Type:\n    {line}',
            name=name,
        ) from None
    return getattr(module, label.replace("-", "_"))


def is_blank(answer: Any) -> bool:
    """True if the answer is, or holds, the dots of a blank."""
    if isinstance(answer, dict):
        return any(map(is_blank, answer.values()))
    if isinstance(answer, list | tuple):
        return any(map(is_blank, answer))
    return answer is ...


def check(label: str, answer: Any = ...) -> Verdict:
    """Whether an answer to an exercise is right; if not, which input shows it.

    The text of the exercise says what the answer is: a function, a number, a word, a dict of these. An error
    that your function raises is reported with its input, and not raised. `...` stands for an answer that is
    not begun, and so does none at all: then check says what is wanted. The Verdict is true where the answer
    is right, so that it can be asserted. Raises ValueError for a label that no exercise with a check has,
    ImportError where the chapter needs a package that is not installed, and RuntimeError where the check
    itself breaks down, which says nothing of the answer.

    >>> check("ex-04-rules", lambda x1, x2: (0.5 / x1**0.5 / x2, x1**0.5))
    not yet: at x1 = 2, x2 = 5: your answer is (0.0707107, 1.41421), the complex step says (0.0707107, -0.0565685)
    """
    exercise = asked(label, answer)
    example = f'check("{label}", {exercise.example})'
    wanted = f"your turn: {label} wants {exercise.wants}. As in {example}"
    if is_blank(answer):
        return Verdict(False, wanted)
    try:
        taken = exercise.kind.take(answer)
    except NotYet as wrong:
        return Verdict(False, f"not yet: {label} wants {exercise.wants}; {wrong}. As in {example}")
    try:
        return Verdict(True, f"right: {exercise.checker(taken)}")
    except NotYet as wrong:
        return Verdict(False, f"not yet: {wrong}")
    except YourTurn:
        return Verdict(False, wanted)
    except Exception as error:  # of the checker: what an answer raises is NotYet already
        raise RuntimeError(
            f"the check of {label} broke down, which says nothing of your answer. Its kind is: {exercise.wants}. "
            f"If yours is of this kind, please report it with your answer, at {REPOSITORY}/issues"
        ) from error
