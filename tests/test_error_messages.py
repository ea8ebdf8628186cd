"""The index of error messages: each one is provoked, and says what the page says it says."""

import contextlib
import io
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests import provoked, provoked_companion, provoked_pinn
from tests.provoked import leaf

PAGE = (Path(__file__).parent.parent / "chapters" / "error_messages.md").read_text("utf-8")
ENTRY = re.compile(r"^\(error-([a-z-]+)\)=\n```text\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
MESSAGES = {label: " ".join(text.split()) for label, text in ENTRY.findall(PAGE)}
SYMPTOM = re.compile(r"^\(symptom-([a-z-]+)\)=\n### .*?\n(.*?)```python\n(.*?)^```$", re.M | re.S)
SYMPTOMS = {label: (words, code) for label, words, code in SYMPTOM.findall(PAGE)}
LINKS = re.findall(r"^- \{ref\}`(.*?) … <error-([a-z-]+)>`$", PAGE, re.MULTILINE)
# torch's own kinds, CheckpointError and GradcheckError, are RuntimeErrors, as NotImplementedError is.
KINDS = RuntimeError, ValueError, TypeError, IndexError
PROVOKED = provoked.PROVOKED | provoked_companion.PROVOKED | provoked_pinn.PROVOKED


def printed(program: Callable) -> str:
    """What is printed when the program runs: the error, or else its first warning."""
    always = torch.is_warn_always_enabled()
    torch.set_warn_always(True)  # some warnings come once in a process
    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            try:
                program()
            except KINDS as error:
                return " ".join(f"{type(error).__name__}: {error}".split())
    finally:
        torch.set_warn_always(always)
    assert heard, "the program ran, and torch said nothing"
    return " ".join(f"{heard[0].category.__name__}: {heard[0].message}".split())


def says(found: str, message: str) -> bool:
    """True if the message is the beginning of what was found, where … stands for anything.

    >>> says("RuntimeError: shape [3] and [2]. Sorry", "RuntimeError: shape … and [2]. …")
    True
    >>> says("RuntimeError: shape [3] and [2]. Sorry", "RuntimeError: shape … and [2].")
    False
    """
    pattern = ".*".join(re.escape(part.strip()) for part in message.split("…"))
    return re.fullmatch(pattern, found) is not None or (
        # torch ends its warnings with the place in its source
        re.fullmatch(pattern + r" \(Triggered internally at .*\)", found) is not None
    )


def test_each_message_has_its_program_and_each_program_its_message() -> None:
    assert len(MESSAGES) >= 14
    assert set(MESSAGES) == set(PROVOKED)
    rooms = provoked, provoked_companion, provoked_pinn
    assert len(PROVOKED) == sum(len(room.PROVOKED) for room in rooms), "a label is there twice"
    assert PAGE.count("```text") == len(MESSAGES), "an entry was not read"


@pytest.mark.parametrize("label", MESSAGES)
def test_it_prints_what_the_page_says(label: str) -> None:
    found = printed(PROVOKED[label])
    assert says(found, MESSAGES[label]), found


PINS = (Path(__file__).parent.parent / "requirements.txt").read_text()


def test_the_page_names_the_version_that_was_asked() -> None:
    pinned = re.search(r"^torch==(\d+\.\d+)", PINS, re.MULTILINE)
    version = pinned[1]  # another torch is asked above whether it prints the same
    assert f"torch {version} prints" in PAGE


def test_the_two_lists_are_complete_and_sorted() -> None:
    torchs = len(provoked.PROVOKED)
    assert {label for _, label in LINKS[:torchs]} == set(provoked.PROVOKED)
    assert sorted(label for _, label in LINKS) == sorted(MESSAGES)
    for links in (LINKS[:torchs], LINKS[torchs:]):
        words = [MESSAGES[label].split(": ", 1)[1].lower() for _, label in links]
        assert words == sorted(words)
    for shown, label in LINKS:
        assert MESSAGES[label].split(": ", 1)[1].replace("`", "").startswith(shown)
    shown = [words for words, _ in LINKS]
    assert len(set(shown)) == len(shown), "two entries read alike"
    assert not any("--" in words for words in shown), "it would be printed as a dash"


def test_a_message_fits_its_box() -> None:
    width = 93  # characters of the column at its usual width
    assert max(len(line) for _, text in ENTRY.findall(PAGE) for line in text.split("\n")) <= width


def test_symptoms_come_first_then_torch_then_the_companion() -> None:
    order = "(symptoms)=", "## Torch's messages", "## The companion's messages", "(pinn-messages)="
    assert sorted(order, key=PAGE.index) == list(order)
    assert len(SYMPTOMS) == PAGE.count("\n(symptom-") >= 10
    assert PAGE.count("```python") == len(SYMPTOMS)


@pytest.mark.parametrize("label", SYMPTOMS)
def test_a_symptom_shows_before_and_after_and_where_it_is_explained(label: str) -> None:
    words, code = SYMPTOMS[label]
    assert "{ref}`" in words
    out = io.StringIO()
    with contextlib.redirect_stdout(out), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of the first
        exec(code, {"torch": torch})
    assert out.getvalue().splitlines() == re.findall(r"# → (.*)$", code, re.MULTILINE)
    assert len(set(out.getvalue().splitlines())) > 1, "before and after are the same"


def test_each_entry_says_what_happened_what_to_do_and_where_it_is_explained() -> None:
    entries = re.split(r"^\(error-[a-z-]+\)=$", PAGE, flags=re.MULTILINE)[1:]
    for entry in entries:
        for part in ("*What happened.*", "*What to do.*", "*Explained in*"):
            assert entry.count(part) == 1, entry


def test_the_comparison_can_fail() -> None:
    found = printed(PROVOKED["scalar"])
    assert not says(found, MESSAGES["no-graph"])
    assert not says(found, MESSAGES["scalar"].replace("scalar", "vector"))
    with pytest.raises(AssertionError, match="said nothing"):
        printed(lambda: leaf(1.0).exp().sum().backward())
