"""What the readme and the first page promise is true: the examples run, the files they name exist."""

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = ["README.md", "chapters/index.md"]


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_print_what_they_say(page: str) -> None:
    blocks = re.findall(r"```pycon\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    assert blocks, f"{page} shows no example"
    example = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, page, page, 0)
    assert doctest.DocTestRunner().run(example).failed == 0


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_files_that_are_named_exist(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    links = re.findall(r'(?:\]\(|src=")(?!https?:)([^)"#]+)', text)
    folders = re.findall(r"`([a-z_]+/)`", text)
    tools = re.findall(r"\b(?:tools|tests|companion|chapters)/[a-z_]+\.(?:py|md|bib)", text)
    missing = [name for name in {*links, *folders, *tools} if not (ROOT / name).exists()]
    assert missing == []


def test_the_targets_of_make_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    pages = [ROOT / page for page in [*PAGES, "CONTRIBUTING.md"]]
    # `make lab` in a sentence, or at the start of a line of a block
    named = {
        name
        for page in pages
        for name in re.findall(r"(?:`|^)make ([a-z]+)", page.read_text("utf-8"), re.MULTILINE)
    }
    assert {"book", "test"} <= named <= targets
