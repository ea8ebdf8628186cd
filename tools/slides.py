"""Slides of a chapter, made from the chapter: `make slides` writes _build/slides/04_tape.pdf and its neighbours.

    python -m tools.slides _build/html _build/slides 04_tape 08_derivative_as_op

One slide a section: its heading, the paragraph with which it begins, its first formula, and the first of its figures,
tables or pieces of code. Then a slide for each exercise. What you want to say otherwise, say; the chapter stays the
only source.
"""

import sys
from copy import deepcopy
from pathlib import Path

from lxml import html
from lxml.html import HtmlElement
from lxml.html.builder import E

from tools.print_book import ROOT, article, plain, print_once, rename, styles

SHORT = 90  # a first paragraph of fewer letters brings the second with it
SCREEN = (1123, 631)  # pixels of a slide, as in slides.css
LONGEST = 16  # lines of code that a room can read
FOLDED = (
    ".//details | .//*[contains(@class, 'dropdown')] | .//p[contains(@class, 'admonition-title')]"
)
FIT = """const over = (slide) => slide.scrollHeight > slide.clientHeight + 1 || slide.scrollWidth > slide.clientWidth;
for (const slide of document.querySelectorAll(".slide"))
  for (let size = 22; size > 9 && over(slide); size -= 0.5) slide.style.fontSize = `${size}pt`;
return [...document.querySelectorAll(".slide")].filter(over).map(slide => `cut: ${slide.firstChild.textContent}`);"""


def own(section: HtmlElement, what: str) -> list[HtmlElement]:
    """What stands in a section itself: not in a section below it, not folded, not in an exercise."""
    return section.xpath(
        f".//{what}[count(ancestor::section[h1 or h2 or h3]) = $depth][not(ancestor::details)]"
        "[not(ancestor::*[contains(@class, 'admonition')])]",
        depth=len(section.xpath("ancestor-or-self::section[h1 or h2 or h3]")),
    )


def said(section: HtmlElement) -> list[HtmlElement]:
    """The paragraph with which it begins, and the next one if that is short; or the list in its place."""
    begins = [e for e in own(section, "*[self::p or self::ul]") if e.getparent() is section]
    take = 2 if begins and len(begins[0].text_content()) < SHORT else 1
    return begins[:take]


def shown(section: HtmlElement) -> list[HtmlElement]:
    """Its first figure; without one its first table; without one the first code that a room can read."""
    drawn = own(section, "figure") or own(section, "*[contains(@class, 'tape-graph')]")
    code = [p for p in own(section, "pre") if len(p.text_content().splitlines()) <= LONGEST]
    return (drawn or own(section, "table") or code)[:1]


def slide(
    heading: HtmlElement,
    words: list[HtmlElement],
    formula: list[HtmlElement],
    beside: list[HtmlElement],
) -> HtmlElement:
    """One slide: a heading, words, what stands beside them, and below both the formula."""
    left = E.div({"class": "said"}, *map(deepcopy, words))
    right = [E.div({"class": "shown"}, *map(deepcopy, beside))] if beside else []
    halves = E.div({"class": "halves"}, left, *right)
    return E.section({"class": "slide"}, E.h2(plain(heading)), halves, *map(deepcopy, formula))


def exercise(box: HtmlElement) -> HtmlElement:
    """An exercise as the class sees it, without its hints."""
    heading = box.xpath("./p[contains(@class, 'admonition-title')]")[0]
    alone = deepcopy(box)
    for folded in alone.xpath(FOLDED):
        folded.drop_tree()
    return slide(heading, list(alone), [], [])


def slides(page: HtmlElement) -> list[HtmlElement]:
    """The slides of a chapter, in its order, the exercises last."""
    made = []
    for section in page.xpath(".//section[h1 or h2 or h3]"):
        if words := said(section):
            card = own(section, "dl[contains(@class, 'chapter-card')]")
            beside = card or shown(section)
            formula = [] if card else own(section, "div[@class='math']")[:1]
            made.append(slide(section.xpath("./h1 | ./h2 | ./h3")[0], words, formula, beside))
    return made + [exercise(box) for box in page.xpath(".//div[contains(@class, 'exercise')]")]


def deck(built: Path, name: str) -> HtmlElement:
    """All slides of a chapter as one page of HTML, beside the folder of the built pages."""
    page = article(built, name)
    rename(page, name, set())
    style = E.style((ROOT / "tools" / "slides.css").read_text("utf-8"))
    head = E.head(E.meta(charset="utf-8"), E.title(plain(page.xpath(".//h1")[0])), *styles(), style)
    return E.html({"lang": "en", "data-theme": "light"}, head, E.body(*slides(page)))


if __name__ == "__main__":
    built, folder, *names = sys.argv[1:]
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name in names:
        page, pdf = Path(built).parent / f"slides-{name}.html", Path(folder, f"{name}.pdf")
        page.write_text(
            html.tostring(deck(Path(built), name), encoding="unicode", doctype="<!DOCTYPE html>"),
            "utf-8",
        )
        print("\n".join([str(pdf), *print_once(page, pdf, SCREEN, FIT)]))
