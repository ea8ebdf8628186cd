"""The backward pass of chapter 4 as a strip of four stills for the readme.

    python tools/strip.py      writes chapters/_static/backward-pass.svg

The numbers are those that the moving figure shows after as many lines; it runs in a browser, so this needs Chromium.
The strip has a light ground of its own, and so reads on a dark page too.
"""

import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "chapters" / "_static" / "backward-pass.svg"
WORDS = {1: "x₁", 2: "x₂", 3: "ln v₁", 4: "v₁·v₂", 5: "v₃ + v₄", 6: "sin v₂", 7: "v₅ − v₆"}
USES = {3: (1,), 4: (1, 2), 5: (3, 4), 6: (2,), 7: (5, 6)}
PLACES = {1: (0, 0), 2: (1, 0), 3: (0, 1), 4: (1, 1), 6: (2, 1), 5: (0.5, 2), 7: (1.25, 3)}
STILLS = {  # lines done, and what is seen then
    1: "v₇ has given its shares",
    2: "v₂ waits for another share",
    4: "v₂ has all of its shares",
    5: "both derivatives, in one pass",
}
WIDE, TALL = 74, 48  # a box
STEP = (WIDE + 7, TALL + 40)
FRAME = (3 * WIDE + 2 * 7 + 20, 3 * STEP[1] + TALL + 64)  # a still
STYLE = """
text { font: 13.5px "Book Sans", sans-serif; fill: #1f2328; text-anchor: middle }
.name { font-size: 13px } .done { text-decoration: line-through; fill: #59636e }
.title { font-size: 15px; font-weight: 600 }
rect { fill: #fff; stroke: #818b98; stroke-width: 1.5 } line { stroke: #818b98; stroke-width: 1.2 }
rect.final, line.now { stroke: #0a5fb8; stroke-width: 2 } text.final, text.share { fill: #0a5fb8; font-weight: 600 }
rect.waits { stroke: #c04a00; stroke-width: 2; stroke-dasharray: 6 4 } text.waits { fill: #c04a00; font-weight: 600 }
text.share { paint-order: stroke; stroke: #fff; stroke-width: 4 } .head { fill: #0a5fb8 }
"""


def brief(number: float) -> str:
    return f"{number:.4g}".replace("-", "−")


def sub(line: int) -> str:
    return f"v{chr(0x2080 + line)}"


def middle(line: int) -> tuple[float, float]:
    """Of a box: inputs above, what is computed of them below."""
    column, row = PLACES[line]
    return 10 + WIDE / 2 + column * STEP[0], 46 + TALL / 2 + row * STEP[1]


def text(x: float, y: float, words: str, kind: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" class="{kind}">{words}</text>'


def wires(shown: dict) -> str:
    """From each line to what it uses; along those of the line that was struck out last go its shares."""
    shares = {(one["from"], one["to"]): one["share"] for one in shown["shares"]}
    drawn, words = [], []
    for user, used in ((user, used) for user, all_used in USES.items() for used in all_used):
        (x1, y1), (x2, y2) = middle(user), middle(used)
        kind = "now" if (user, used) in shares else "wire"
        y1, y2 = y1 - TALL / 2, y2 + TALL / 2 + (8 if kind == "now" else 0)
        drawn.append(f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" class="{kind}"/>')
        if kind == "now":
            drawn.append(f'<path d="M{x2:g} {y2 - 8:g}l-5 9h10z" class="head"/>')
            sign = "" if shares[user, used] < 0 else "+"
            x, y = (x1 + 2 * x2) / 3, (y1 + 2 * y2) / 3 + 4
            words.append(text(x, y, sign + f"{shares[user, used]:.3g}".replace("-", "−"), "share"))
    return "".join(drawn + words)


def box(line: int, shown: dict) -> str:
    """A line of the list with its value and, once a share has come, its adjoint."""
    x, y = middle(line)
    adjoint = shown["bar"].get(str(line))
    users = {user for user, used in USES.items() if line in used}
    kind = "none" if adjoint is None else "final" if users <= set(shown["path"]) else "waits"
    name = "name done" if line in shown["path"] else "name"
    return (
        f'<rect x="{x - WIDE / 2:g}" y="{y - TALL / 2:g}" width="{WIDE}" height="{TALL}" rx="5" class="{kind}"/>'
        + text(x, y - 10, f"{sub(line)} = {WORDS[line]}", name)
        + text(x, y + 4, brief(shown["v"][str(line)]), "value")
        + ("" if adjoint is None else text(x, y + 18, brief(adjoint), kind))
    )


def strip(stills: list[dict]) -> str:
    """The picture, of what the moving figure shows after 1, 2, 4 and 5 lines."""
    frames = []
    for n, (shown, words) in enumerate(zip(stills, STILLS.values(), strict=True)):
        title = text(FRAME[0] / 2, 26, words, "title")
        boxes = "".join(box(line, shown) for line in PLACES)
        frames.append(
            f'<g transform="translate({n * FRAME[0] + 8} 0)">{title}{wires(shown)}{boxes}</g>\n'
        )
    width, height = len(frames) * FRAME[0] + 16, FRAME[1]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">\n'
        f'<style>{STYLE}</style>\n<rect x="1" y="1" width="{width - 2}" height="{height - 2}" rx="8"/>\n'
        f"{''.join(frames)}</svg>\n"
    )


def with_font(picture: str) -> str:
    """An image sees no font of a page: the picture with the book's own, cut down to its letters."""
    from tools.fonts import FONTS, as_data, cut

    letters = set(map(ord, "".join(re.findall(r">([^<]+)</text>", picture))))
    font = as_data(cut(FONTS / "book-sans.woff2", "Book Sans", letters, "400 700"))
    face = f'@font-face {{ font-family: "Book Sans"; src: url({font}); font-weight: 400 700 }}'
    return picture.replace("<style>", f"<style>{face}", 1)


def main() -> None:
    sys.path.insert(0, str(ROOT))
    from tests.site import browser, moving

    with (
        tempfile.TemporaryDirectory() as folder,
        browser.chromium() as window,
        moving.opened(Path(folder), window) as figures,
    ):
        stills = [figures.shows("backward-walk", step=done) for done in STILLS]
    RESULT.write_text(with_font(strip(stills)), encoding="utf-8")


if __name__ == "__main__":
    main()
