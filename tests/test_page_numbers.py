"""Second pages: 15, 15b, 16, in the three places in which Sphinx keeps numbers (_ext/page_numbers.py)."""

import re
from pathlib import Path
from types import SimpleNamespace

import yaml
from docutils import nodes

from _ext.page_numbers import labels, number_again

ROOT = Path(__file__).parent.parent


def test_a_second_page_takes_the_number_before_it_and_is_not_counted() -> None:
    pages = ["a/01_x", "a/01b_y", "a/01c_z", "b/02_c", "03_d"]
    assert labels(pages) == [1, "1b", "1c", 2, 3]


def test_a_chapter_has_the_number_that_its_file_is_named_by() -> None:
    parts = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))["parts"]
    pages = [page["file"] for part in parts if part.get("numbered") for page in part["chapters"]]
    named = [re.fullmatch(r"chapters/0*(\d+[a-z]?)_\w+", page)[1] for page in pages]
    assert [str(label) for label in labels(pages)] == named


def page(number: int) -> tuple[dict, nodes.title, nodes.bullet_list]:
    """What Sphinx knows of a page with one section: numbers, its title, its table of contents."""
    refs = [
        nodes.reference(secnumber=[number]),
        nodes.reference(secnumber=[number, 1]),
        nodes.reference(),
    ]
    return (
        {"": (number,), "#s": (number, 1)},
        nodes.title(secnumber=[number]),
        nodes.list_item("", *refs),
    )


def test_all_three_places_have_the_label() -> None:
    found = {name: page(k + 1) for k, name in enumerate(["01_a", "01b_b", "02_c"])}
    numbers, titles, tocs = ({n: p[k] for n, p in found.items()} for k in range(3))
    numbers |= {"index": {}}
    env = SimpleNamespace(toc_secnumbers=numbers, titles=titles, tocs=tocs)
    number_again(env)
    assert numbers["01_a"] == {"": (1,), "#s": (1, 1)}
    assert numbers["01b_b"] == {"": ("1b",), "#s": ("1b", 1)}
    assert numbers["02_c"] == {"": (2,), "#s": (2, 1)}
    assert titles["01b_b"]["secnumber"] == ["1b"]
    shown = [ref.get("secnumber") for ref in tocs["02_c"]]
    assert shown == [[2], [2, 1], None]
