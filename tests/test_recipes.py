"""The recipes run, each block alone in an empty file, and end where mathematics says they end."""

import ast
import re
from pathlib import Path

import pytest

from tests.processes import run

PAGE = (Path(__file__).parent.parent / "chapters" / "recipes.md").read_text("utf-8")
SECTIONS = re.findall(
    r"^\((recipe-[\w-]+)\)=\n### (.*?)\n(.*?)(?=^\(recipe-|^## |\Z)", PAGE, re.M | re.S
)
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
BLOCKS = {
    f"{label}-{i}": code
    for label, _, text in SECTIONS
    for i, code in enumerate(BLOCK.findall(text), 1)
}
LONGEST = {"recipe-ode": 20, "recipe-pde": 25}  # lines of code; what is saved and read is long, too
SECONDS = 3.0  # of a processor that others may use; alone a recipe takes 0.6 or less, what it imports being there


def promised(code: str) -> list[str]:
    """The lines that a block says it prints.

    >>> promised("print(1)  # → 1")
    ['1']
    """
    return re.findall(r"# → (.*)$", code, re.MULTILINE)


def test_there_are_twenty_and_none_is_left_out() -> None:
    assert len(SECTIONS) == 20
    assert len({label for label, _, _ in SECTIONS}) == 20
    assert PAGE.count("```python") == len(BLOCKS)


@pytest.mark.parametrize(("label", "title", "text"), SECTIONS, ids=[s[0] for s in SECTIONS])
def test_a_recipe_says_when_it_is_used_what_goes_wrong_and_where_it_is_explained(
    label: str, title: str, text: str
) -> None:
    assert BLOCK.search(text), "no code"
    before = text.split("```python")[0]
    assert re.search(r"likely\s+(mistake|cause)", before)
    assert re.search(r"\{(ref|doc)\}`", before)


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_ends_in_a_check_and_is_short(name: str) -> None:
    code = BLOCKS[name]
    assert promised(code) or any(isinstance(node, ast.Assert) for node in ast.parse(code).body)
    lines = [line for line in code.splitlines() if line and not line.startswith("# →")]
    assert len(lines) <= LONGEST.get(name.rsplit("-", 1)[0], 17), len(lines)


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_runs_alone(name: str, tmp_path: Path) -> None:
    # all of torch.compile but the C++ compiler, which takes longer than everything here together
    code = BLOCKS[name].replace("@torch.compile", '@torch.compile(backend="aot_eager")')
    printed, raised, seconds = run(code, tmp_path)
    assert not raised, raised
    assert printed == promised(code)
    assert seconds < SECONDS or name.startswith("recipe-compile")


@pytest.mark.parametrize(
    ("name", "line", "instead"),
    [
        ("recipe-partials-1", "-torch.sin", "torch.sin"),
        ("recipe-column-1", "[[0.0, 1.0]]", "[[1.0, 0.0]]"),
        ("recipe-penalty-1", ", create_graph=True", ""),
        ("recipe-hvp-1", "x**4", "x**3"),
    ],
)
def test_a_mistake_is_seen(name: str, line: str, instead: str, tmp_path: Path) -> None:
    assert line in BLOCKS[name]
    code = BLOCKS[name].replace(line, instead)
    printed, raised, _ = run(code, tmp_path)
    assert raised or printed != promised(code)
