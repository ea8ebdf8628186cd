"""The moving figures alone, each on a page of its own, in a real browser: what they show in a given state."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from _ext import moving_figure
from tests.site import browser as site

SHARED = {"base", "plot", "training"}
UNFOLDED = {"training-oscillator"}  # the page of this one wants its figure that stands still open
NAMES = sorted({file.stem for file in moving_figure.FIGURES.glob("*.js")} - SHARED)
STATIC = Path(__file__).parent.parent.parent / "chapters" / "_static"
PAGE = """<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>{name}</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="fonts/fonts.css"><link rel="stylesheet" href="figures/figures.css">
<style>body {{ font-family: "Book Sans", "Book Symbols"; margin: 0 16px }}</style>{opening}<p>Try it.</p></div>
<details class="mf-taught"><summary>Taught</summary><p>So.</p></details></div>
<h2 id="below">Below</h2><figure id="still"><p>Still.</p></figure><script defer src="{name}.js"></script></html>"""
GO = """hash => {
  history.replaceState(null, "", hash);
  dispatchEvent(new Event("hashchange"));
  return document.querySelector(".moving-figure").dataset.values;
}"""


# The words of the picture of which a part lies outside it.
CUT = """() => {
  const picture = document.querySelector(".mf-stage svg"), box = picture.getBoundingClientRect();
  const outside = word => {
    const at = word.getBoundingClientRect(), off = (a, b) => a < b - 1;
    return at.width && (off(at.left, box.left) || off(box.right, at.right) || off(at.top, box.top)
      || off(box.bottom, at.bottom));
  };
  return [...picture.querySelectorAll("text")].filter(outside).map(word => word.textContent);
}"""


class Figures:
    """One window of a browser, in which one moving figure after the other is opened."""

    def __init__(self, page: site.Page, base: str, faults: list[str]) -> None:
        self.page, self.base, self.name = page, base, ""
        self.faults = faults

    def open(self, name: str) -> None:
        if self.name != name:
            self.page.goto(f"{self.base}/{name}.html")
            self.name = name

    def shows(self, name: str, **state: object) -> dict:
        """The numbers of a figure in this state, which its address asks for."""
        self.open(name)
        asked = "&".join(f"{key}={value}" for key, value in state.items())
        return json.loads(self.page.evaluate(GO, f"#{name}?{asked}"))

    def cut(self) -> list[str]:
        """What cannot be read whole in the picture, as it is after the next frames."""
        site.draw(self.page)
        return self.page.evaluate(CUT)

    def now(self) -> dict:
        """The numbers as they are after the next frames."""
        site.draw(self.page)
        return json.loads(self.page.locator(".moving-figure").get_attribute("data-values"))


@contextmanager
def opened(folder: Path, window: site.BrowserContext) -> Iterator[Figures]:
    """Every figure on a page of its own."""
    for name in ("figures", "fonts"):
        (folder / name).symlink_to(STATIC / name)
    for name in NAMES:
        opening = moving_figure.opening(name, "still", name in UNFOLDED)
        (folder / f"{name}.html").write_text(PAGE.format(name=name, opening=opening), "utf-8")
        (folder / f"{name}.js").write_text(moving_figure.bundle(name), "utf-8")
    page = window.new_page()
    with site.served(folder) as base, site.record(page, base) as faults:
        yield Figures(page, base, faults)
