"""check: the label of an exercise and an answer -> right, or which input shows it wrong."""

import difflib
import importlib
import re
from pathlib import Path
from typing import Any

from companion.practice.answers import Asked
from companion.practice.verdicts import NotYet, Verdict, YourTurn

LABEL = re.compile(r"(?:ex|problem)-(?P<chapter>\d\d[a-z]?)-[a-z0-9-]+")
CHECKER = re.compile(r"^def ((?:ex|problem)_\d\d[a-z]?_\w+)\(", re.MULTILINE)


def labels() -> list[str]:
    """The labels of all exercises that can be checked, read from the files, of which none is imported.

    >>> "ex-04-rules" in labels()
    True
    """
    files = sorted(Path(__file__).parent.glob("ch[0-9]*.py"))
    found = [name for file in files for name in CHECKER.findall(file.read_text(encoding="utf-8"))]
    return [name.replace("_", "-") for name in found]


def asked(label: str) -> Asked:
    """The exercise of that label, from the file of its chapter, which is imported now.

    Raises ValueError for a label that no checker has, with those that are nearest.
    """
    known = labels()
    match = LABEL.fullmatch(label) if isinstance(label, str) else None
    if match is None or label not in known:
        near = difflib.get_close_matches(str(label), known, n=3, cutoff=0.5) or known[:3]
        raise ValueError(
            f"no exercise that can be checked has the label {str(label)[:60]!r}. Write the label first, then "
            f'the answer: check("{near[0]}", answer). The nearest labels: {", ".join(near)}'
        )
    module = importlib.import_module(f"companion.practice.ch{match['chapter']}")
    return getattr(module, label.replace("-", "_"))


def is_blank(answer: Any) -> bool:
    """True if the answer is, or holds, the dots of a blank."""
    if isinstance(answer, dict):
        return any(map(is_blank, answer.values()))
    if isinstance(answer, list | tuple):
        return any(map(is_blank, answer))
    return answer is ...


def check(label: str, answer: Any) -> Verdict:
    """Whether an answer to an exercise is right; if not, which input shows it.

    The text of the exercise says what the answer is: a function, a number, a word, a dict of these. An error
    that your function raises is reported with its input, and not raised. `...` stands for an answer that is
    not begun. The Verdict is true where the answer is right, so that it can be asserted. Raises ValueError
    for a label that no exercise with a check has.

    >>> check("ex-04-rules", lambda x1, x2: (0.5 / x1**0.5 / x2, x1**0.5))
    not yet: at x1 = 2, x2 = 5: your answer is (0.0707107, 1.41421), the complex step says (0.0707107, -0.0565685)
    """
    exercise = asked(label)
    example = f'check("{label}", {exercise.example})'
    if is_blank(answer):
        return Verdict(False, f"your turn: {label} wants {exercise.wants}. As in {example}")
    try:
        taken = exercise.kind.take(answer)
    except NotYet as wrong:
        return Verdict(False, f"not yet: {label} wants {exercise.wants}; {wrong}. As in {example}")
    try:
        return Verdict(True, f"right: {exercise.checker(taken)}")
    except NotYet as wrong:
        return Verdict(False, f"not yet: {wrong}")
    except YourTurn:
        return Verdict(False, f"your turn: {label} wants {exercise.wants}. As in {example}")
    except Exception as error:  # of a class or an object that the checker was handed as it is
        return Verdict(False, f"not yet: trying your answer raises {type(error).__name__}: {error}")
