"""What libraries answer at corners, as a table to look at: a colour, a sign and the number in each cell."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

__all__ = ["VERDICTS", "answer_table", "as_text", "legend", "same", "verdict"]

# verdict -> the sign, the ground of the cell (a light one, for dark ink on either page), what it means
VERDICTS = {
    "left": ("←", "#9ecae9", "the slope on the left"),
    "right": ("→", "#f7c86f", "the slope on the right"),
    "both": ("↔", "#d9d9d9", "left and right agree, in this order"),
    "between": ("◆", "#b8e0c8", "between left and right"),
    "beyond": ("▲", "#e7b3d3", "neither, and not between"),
    "true": ("✓", "#eeeeee", "what mathematics says"),
    "false": ("✗", "#f29a86", "a wrong number"),
    "nothing": ("∅", "transparent", "nan or an error"),
    "absent": ("", "transparent", "the library has no such function, or no such order"),
}
ABSENT = ("no such function", "no higher order")
FRACTIONS = {0.5: "½", 0.25: "¼", 0.375: "⅜", -0.5: "−½"}
CELL = "padding: 0.1rem 0.3rem; white-space: nowrap; text-align: center"


def verdict(
    answer: float | str, left: float | str | None, right: float | str | None, smooth: bool
) -> str:
    """A key of VERDICTS: what the answer is beside the two one-sided derivatives.

    Where the function is smooth, an answer is true or false; at a corner it is left, right, both
    (where they agree though a lower order jumps), between or beyond. Numbers agree to six digits.

    >>> verdict(0.5, 0.0, 1.0, smooth=False), verdict(2.0, 3.0, 3.0, smooth=True)
    ('between', 'false')
    """
    if isinstance(answer, str) and answer not in ("inf", "-inf"):
        return "absent" if answer in ABSENT else "nothing"
    sides = [same(answer, left), same(answer, right)]
    if smooth:
        return "true" if all(sides) else "false"
    if any(sides):
        return "both" if all(sides) else "left" if sides[0] else "right"
    low, high = sorted(float(side) for side in (left, right) if side is not None)
    return "between" if low < float(answer) < high else "beyond"


def same(a: float | str, b: float | str | None) -> bool:
    """Whether an answer is that derivative, to six digits; "inf" is one, None is none.

    >>> same(1.0507, 1.05070099), same(float("inf"), "inf"), same(0.0, None)
    (True, True, False)
    >>> same(0.0, "inf")
    False
    """
    return b is not None and math.isclose(float(a), float(b), rel_tol=1e-6, abs_tol=1e-6)


def as_text(answer: float | str | None) -> str:
    """The number in few characters; "nan"; of an error its kind.

    >>> as_text(-3.28986813), as_text(0.5), as_text("ValueError: no"), as_text("no such function")
    ('−3.29', '½', 'error', '–')
    """
    if answer is None or answer in ABSENT:
        return "–"
    if isinstance(answer, str):
        return answer.replace("inf", "∞").replace("-", "−") if len(answer) < 5 else "error"
    if answer in FRACTIONS:
        return FRACTIONS[answer]
    text = f"{0.0 if abs(answer) < 1e-9 else answer:.3g}"
    return text.replace("-", "−")


def legend(*verdicts: str) -> str:
    """HTML: the signs and colours of these verdicts, and what they mean.

    >>> "✓ what mathematics says" in legend("true", "false")
    True
    """
    keys = " ".join(
        f'<span style="{_colours(ground)}; border: 1px solid #999; padding: 0 0.4rem; '
        f'white-space: nowrap">{sign} {meaning}</span>'
        for sign, ground, meaning in map(VERDICTS.__getitem__, verdicts)
    )
    return f'<p style="line-height: 2">{keys}</p>'


def _colours(ground):
    return f"background: {ground}; color: {'inherit' if ground == 'transparent' else '#111'}"


def answer_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], label: str) -> str:
    """HTML in a box that scrolls: what is asked, left and right, and a cell for each column.

    rows: {"name", "left", "right", "smooth", "answers": {column: answer}}. label: what a reader of
    the screen calls the box. A column's heading breaks at its spaces. The colours are in the
    cells, so that they show in any front end.

    >>> row = {"name": "relu′(0)", "left": 0.0, "right": 1.0, "smooth": False, "answers": {"a": 0.5}}
    >>> "◆ ½" in answer_table([row], ["a"], "Corners")
    True
    """
    head = "".join(
        f'<th scope="col" style="{CELL}">{escape(name).replace(" ", "<br>")}</th>'
        for name in columns
    )
    truth = "right answer" if all(row["smooth"] for row in rows) else "left | right"
    body = "\n".join(_row(row, columns) for row in rows)
    return (
        f'<div role="region" tabindex="0" aria-label="{escape(label)}" style="overflow-x: auto">\n'
        '<table class="answers" style="border-collapse: separate; border-spacing: 2px; font-size: 0.8em">\n'
        f'<thead><tr><th scope="col" style="{CELL}">at the point</th>'
        f'<th scope="col" style="{CELL}">{truth}</th>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )


def _row(row, columns):
    sides = [as_text(row["left"]), as_text(row["right"])]
    truth = sides[0] if row["smooth"] else " | ".join(sides)
    cells = "".join(_cell(row["answers"].get(column), row) for column in columns)
    name = f'<th scope="row" style="{CELL}; text-align: left">{escape(row["name"])}</th>'
    return f'<tr>{name}<td style="{CELL}">{truth}</td>{cells}</tr>'


def _cell(answer, row):
    if answer is None:
        answer = ABSENT[0]
    found = verdict(answer, row["left"], row["right"], row["smooth"])
    sign, ground, meaning = VERDICTS[found]
    title = answer if found in ("nothing", "absent") else meaning
    style = f"{CELL}; {_colours(ground)}"
    return f'<td title="{escape(str(title))}" style="{style}">{sign} {as_text(answer)}</td>'
