"""A table as text and as HTML: the first column and sentences to the left, all else to the right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from numbers import Real

__all__ = ["Table", "html_table", "table", "text_table"]

NAMES = "text-align: left; white-space: nowrap; padding: 0.2rem 0.7rem"
NUMBERS = "text-align: right; white-space: nowrap; padding: 0.2rem 0.7rem"
SENTENCES = "text-align: left; min-width: 14rem; padding: 0.2rem 0.7rem"
SENTENCE = 24  # a cell with more letters than that, and a space, is one


@dataclass(frozen=True)
class Table:
    """Headings, rows and a caption: text in a terminal, a real table on a page."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str

    def __repr__(self) -> str:
        return f"{self.caption}\n\n{text_table(self.headings, self.rows)}"

    def _repr_html_(self) -> str:
        return html_table(self.headings, self.rows, self.caption, self.caption)


def table(columns: Mapping[str, Sequence[object]], caption: str) -> Table:
    """A table of columns, heading: cells. A text is shown as it is, a number with three digits.

    Raises ValueError where the columns are not equally long, or there are none.

    >>> table({"step": ["1e-1", "1e-2"], "error": [1.2345e-3, 1.2e-5]}, "Smaller and smaller")
    Smaller and smaller
    <BLANKLINE>
    step    error
    ────  ───────
    1e-1  0.00123
    1e-2  1.2e-05
    """
    lengths = {heading: len(cells) for heading, cells in columns.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"a table needs columns of one length; got {lengths}")
    rows = zip(*[map(_cell, cells) for cells in columns.values()], strict=True)
    return Table(tuple(columns), tuple(rows), caption)


def _cell(value: object) -> str:
    value = value.item() if hasattr(value, "item") else value  # of an array or a tensor
    is_fraction = isinstance(value, Real) and not isinstance(value, (bool, int))
    return f"{value:.3g}" if is_fraction else str(value)


def text_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Headings (k,) and rows of k strings each, as lines of text.

    >>> print(text_table(("method", "error"), [("Dual", "0"), ("difference", "1e-08")]))
    method      error
    ──────────  ─────
    Dual            0
    difference  1e-08
    """
    columns = list(zip(headings, *rows, strict=True))
    padded = [_padded(k, column) for k, column in enumerate(columns)]
    return "\n".join("  ".join(line).rstrip() for line in zip(*padded, strict=True))


def _padded(k, column):
    """A column (heading, cells …) with a rule under its heading, all of one width."""
    width = max(map(len, column))
    pad = str.rjust if _look(k, column[1:]) == NUMBERS else str.ljust
    heading, *cells = [pad(cell, width) for cell in column]
    return [heading, "─" * width, *cells]


def _look(k, cells):
    """How column k is set: names to the left, sentences too, and they wrap; numbers to the right."""
    if k and any(len(cell) > SENTENCE and " " in cell for cell in cells):
        return SENTENCES
    return NUMBERS if k else NAMES


def html_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], caption: str, label: str
) -> str:
    """The same as HTML, in a box that scrolls on a phone and that a reader of the screen names label.

    >>> "<caption>small &lt; large</caption>" in html_table(("a",), [("1",)], "small < large", "Sizes")
    True
    """
    columns = zip(headings, *rows, strict=True)
    looks = [f' style="{_look(k, column[1:])}"' for k, column in enumerate(columns)]
    head = "".join(
        f'<th scope="col"{look}>{escape(heading)}</th>'
        for heading, look in zip(headings, looks, strict=True)
    )
    body = "\n".join(
        f'<tr><th scope="row"{looks[0]}>{escape(name)}</th>'
        + "".join(f"<td{look}>{escape(cell)}</td>" for cell, look in zip(rest, looks[1:]))
        + "</tr>"
        for name, *rest in rows
    )
    return (
        f'<div role="region" tabindex="0" aria-label="{escape(label)}" style="overflow-x: auto">\n'
        f'<table class="dataframe">\n<caption>{escape(caption)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )
