"""The glossary: the words that must be there, one sentence each, and a chapter that uses the word."""

import json
import re
from pathlib import Path

import pytest

CHAPTERS = Path(__file__).parent.parent / "chapters"
PAGE = (CHAPTERS / "glossary.md").read_text("utf-8")
TABLE = PAGE.split(":::{glossary}\n")[1].split("\n:::")[0]
ENTRIES = dict(re.findall(r"^(\S.*)\n((?:  .+(?:\n|\Z))+)", TABLE, re.MULTILINE))
LINK = re.compile(r"\{doc\}`Chapter (\w+) <(\w+)>`")
NEEDED = (
    """primal tangent cotangent jvp vjp adjoint tape jet residual ansatz boundary damping Gauss–Newton
conditioning identifiability reference seed Levenberg–Marquardt""".split()
    + [
        "backward pass",
        "collocation points",
        "forward mode",
        "hard condition",
        "learning rate",
        "neural tangent kernel",
        "profile likelihood",
        "reverse mode",
        "soft condition",
    ]
)


def text_of(chapter: str) -> str:
    """All words of a chapter, in small letters, with - for every kind of hyphen."""
    notebook = json.loads((CHAPTERS / f"{chapter}.ipynb").read_text("utf-8"))
    words = " ".join("".join(cell["source"]) for cell in notebook["cells"])
    return re.sub(r"[–‑-]", "-", " ".join(words.lower().split()))


def test_fifty_to_eighty_words_in_order_and_none_is_missing() -> None:
    assert 50 <= len(ENTRIES) <= 80
    assert list(ENTRIES) == sorted(ENTRIES, key=str.lower)
    assert set(NEEDED) <= set(ENTRIES)
    assert TABLE.count("{doc}`") == len(ENTRIES), "an entry was not read"


# Where a chapter has the thing under a plainer word.
SAID = {
    "computational graph": "graph",
    "difference quotient": "quotient",
    "directional derivative": "direction",
    "float32 and float64": "float32",
    "hard condition": "hard",
    "identifiability": "identified",
    "in-place operation": "in place",
    "physics-informed neural network (PINN)": "physics-informed neural network",
    "Hessian-vector product (hvp)": "hvp",
    "Richardson extrapolation": "richardson",
    "saved tensors": "saved",
    "soft condition": "soft",
    "spectral bias": "eigenvalue",
}


@pytest.mark.parametrize("term", ENTRIES)
def test_an_entry_is_one_sentence_and_a_link(term: str) -> None:
    said = " ".join(ENTRIES[term].split())
    sentence, link = said.split(" {doc}", 1)
    assert sentence.endswith(".") and ". " not in sentence and sentence[0].isupper()
    assert re.fullmatch(r"`[\w. ]+ <\w+>`\.", link)
    if found := LINK.search(said):
        assert found[2].split("_")[0].lstrip("0") == found[1]


@pytest.mark.parametrize("term", ENTRIES)
def test_the_chapter_uses_the_word(term: str) -> None:
    found = LINK.search(" ".join(ENTRIES[term].split()))
    word = re.sub(r"[–‑-]", "-", SAID.get(term, term).lower())
    assert not found or word in text_of(found[2])


def test_the_plainer_words_are_needed() -> None:
    assert set(SAID) <= set(ENTRIES)
