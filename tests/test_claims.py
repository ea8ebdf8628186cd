"""Every claim of the four sources has its place in the book, on a page that cites the source."""

import json
import re
import tomllib
from functools import cache
from pathlib import Path

CHAPTERS = Path(__file__).parent.parent / "chapters"
CLAIMS = tomllib.loads(Path(__file__).with_name("claims.toml").read_text("utf-8"))
REFERENCES = (
    "rumelhart1986learning linnainmaa1976taylor speelpenning1980compiling raissi2019physics "
    "falbel_torch innes2018dont"
)  # of the article, by their keys in references.bib
EACH = [(source, *claim) for source, claims in CLAIMS.items() for claim in claims]


@cache
def text_of(page: str) -> str:
    """The source of a page, "4" or "5b" or "rosetta", each run of white space as one space."""
    (path,) = [
        *CHAPTERS.glob(f"{page.rjust(2 + page.endswith('b'), '0')}_*.ipynb"),
        *CHAPTERS.glob(f"{page}.md"),
    ]
    text = path.read_text("utf-8")
    if path.suffix == ".ipynb":
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    return " ".join(text.split())


def fault(source: str, page: str, passage: str, text: str) -> str:
    """What is missing on a page, given its text; "" if nothing is."""
    if not re.search(rf"\{{cite(:\w+)?\}}`[^`]*\b{source}\b", text):
        return f"page {page} does not cite {source}"
    found = len(re.findall(passage, text))
    return "" if found == 1 else f"page {page} has {found} passages like {passage!r}, not one"


def test_every_claim_has_its_place() -> None:
    faults = {
        said: fault(source, page, passage, text_of(page)) for source, said, page, passage in EACH
    }
    assert {said: words for said, words in faults.items() if words} == {}


def test_a_lost_passage_is_seen_and_a_lost_citation_too() -> None:
    """Each passage is cut out of its page, and must be missed."""
    unseen = []
    for source, said, page, passage in EACH:
        without = re.sub(passage, "", text_of(page))
        if "has 0 passages" not in fault(source, page, passage, without):
            unseen.append(said)
    assert unseen == []
    text = text_of("4").replace("kim2026understanding", "nobody")
    assert fault("kim2026understanding", "4", "plus", text) == (
        "page 4 does not cite kim2026understanding"
    )


def test_each_line_is_said_once() -> None:
    said = [each[:2] for each in EACH]
    assert len(set(said)) == len(said) > 120


def test_the_references_of_the_article_are_ours_too() -> None:
    """All six are in the bibliography, and a page cites each."""
    bib = (CHAPTERS / "references.bib").read_text("utf-8")
    pages = [path.stem for path in CHAPTERS.glob("[0-9]*.ipynb")] + ["rosetta"]
    texts = [text_of(re.sub(r"^0|_.*", "", page)) for page in pages]
    for key in REFERENCES.split():
        assert re.search(rf"^@\w+\{{{key},", bib, re.M), key
        assert any(re.search(rf"\{{cite(:\w+)?\}}`[^`]*\b{key}\b", text) for text in texts), key


def test_nobody_is_he_or_she() -> None:
    """Of no author is the sex known, and of no reader."""
    found = [
        (path.name, word)
        for path in [*CHAPTERS.glob("*.ipynb"), *CHAPTERS.glob("*.md")]
        for word in re.findall(r"\b(?:he|she|him|his|hers?)\b", path.read_text("utf-8"), re.I)
    ]
    assert found == []
