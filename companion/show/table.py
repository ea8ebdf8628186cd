"""A table as text and as HTML: the first column to the left, the others to the right."""

from collections.abc import Sequence
from html import escape

__all__ = ["html_table", "text_table"]

CELL = "white-space: nowrap; padding: 0.2rem 0.7rem"


def text_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Headings (k,) and rows of k strings each, as lines of text.

    >>> print(text_table(("method", "error"), [("Dual", "0"), ("difference", "1e-08")]))
    method      error
    ──────────  ─────
    Dual            0
    difference  1e-08
    """
    lines = [headings, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = tuple("─" * width for width in widths)
    return "\n".join(_line(cells, widths) for cells in (lines[0], rule, *lines[1:]))


def _line(cells, widths):
    first, *rest = [cell.rjust(width) for cell, width in zip(cells, widths)]
    return "  ".join([first.strip().ljust(widths[0]), *rest])


def html_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], caption: str, label: str
) -> str:
    """The same as HTML, in a box that scrolls on a phone and that a reader of the screen names label.

    >>> "<caption>small &lt; large</caption>" in html_table(("a",), [("1",)], "small < large", "Sizes")
    True
    """
    right = f' style="text-align: right; {CELL}"'
    left = f' style="text-align: left; {CELL}"'
    head = "".join(
        f'<th scope="col"{right if i else left}>{escape(h)}</th>' for i, h in enumerate(headings)
    )
    body = "\n".join(
        f'<tr><th scope="row"{left}>{escape(method)}</th>'
        + "".join(f"<td{right}>{escape(cell)}</td>" for cell in rest)
        + "</tr>"
        for method, *rest in rows
    )
    return (
        f'<div role="region" tabindex="0" aria-label="{escape(label)}" style="overflow-x: auto">\n'
        f'<table class="dataframe">\n<caption>{escape(caption)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )
