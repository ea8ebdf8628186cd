"""Make again the fonts that the pages bring along, so that no page depends on a machine's fonts.

    python tools/fonts.py      writes chapters/_static/fonts/ and the fonts inside the drawings beside it

Text is Source Sans 3, code is DejaVu Sans Mono, and what Source Sans lacks comes from DejaVu Sans. Each is cut
down to the letters, the signs and the arrows that a page on mathematics may use. The licence of Source reserves
its name, so the cut fonts are called Book Sans, Book Code, Book Symbols. The icons are the few of Font Awesome that
the theme and its extensions show, in place of its script of 1.5 MB and its fonts of 0.3. KaTeX's own fonts and
style sheet, which go with the script that _ext/maths.py runs, are taken as they are.

Source Sans comes from a package of PyPI, KaTeX from one of npm (so this tool needs `npm`, and nothing else
here does), DejaVu from the matplotlib that is installed, Font Awesome from the theme.
"""

import base64
import io
import re
import shutil
import subprocess
import sys
import tempfile
from html import unescape
from pathlib import Path

import matplotlib
import pydata_sphinx_theme
from fontTools import subset
from fontTools.ttLib import TTFont
from fontTools.varLib.instancer import instantiateVariableFont

STATIC = Path(__file__).parent.parent / "chapters" / "_static"
FONTS = STATIC / "fonts"
SANS = "fontpkg-source-sans-3==3.52"
KATEX = "katex@0.16.22"
CHARACTERS = """
U+0020-007E U+00A0-017F U+0192 U+0218-021B U+0232-0233 U+02B0-02FF U+0300-0331 U+0370-03FF
U+1D2C-1D6A U+1DBF U+1E8A-1E95 U+2010-2027 U+2030-205E U+2070-209C U+20AC U+2100-214F U+2150-215E
U+2190-21FF U+2200-22FF U+2308-230B U+2500-257F U+25A0-25FF U+2702 U+2713-2718 U+27E8-27EB U+2C7C
"""
ICONS = """
angle-down angle-left angle-right arrow-up arrow-up-right-from-square bars bell book book-open check-circle
chevron-down chevron-right circle-half-stroke circle-info code download exclamation-circle exclamation-triangle
expand file file-code file-pdf info-circle lightbulb link list magnifying-glass moon pencil play rocket search-minus
share sun terminal times-circle xmark
""".split()
BRANDS = ["github"]
FACE = """@font-face {{
  font-family: "{family}";
  src: url("{file}") format("woff2");
  font-weight: {weight};
  font-style: {style};
  font-display: block;
}}
"""


def unpacked(folder: Path) -> tuple[Path, Path]:
    """The two packages, fetched and unpacked: Source Sans, KaTeX."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", SANS, "--dest", folder]
    subprocess.run(pip, check=True)
    subprocess.run(["npm", "pack", "--silent", KATEX], cwd=folder, check=True)
    shutil.unpack_archive(next(folder.glob("*.whl")), folder / "sans", "zip")
    shutil.unpack_archive(next(folder.glob("*.tgz")), folder / "katex", filter="data")
    return folder / "sans" / "fontpkg_source_sans_3", folder / "katex" / "package"


def rename(font: TTFont, family: str) -> None:
    for record in font["name"].names:
        if record.nameID in (1, 3, 4, 16, 18, 21, 25):
            record.string = family
        elif record.nameID == 6:
            record.string = family.replace(" ", "")


def cut(source: Path, family: str, characters: set[int], weights: str) -> bytes:
    """A font of these characters only, as woff2; weights are "400" or "400 700"."""
    font = TTFont(source, recalcTimestamp=False)  # the same bytes every time
    options = subset.Options(
        flavor="woff2",
        hinting=False,
        drop_tables=["FFTM"],
        layout_features=["kern", "mark", "mkmk", "ccmp"],
    )
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=characters)
    cutter.subset(font)
    if "fvar" in font:
        lightest, *heaviest = map(int, weights.split())
        instantiateVariableFont(
            font, {"wght": (lightest, *heaviest) if heaviest else lightest}, inplace=True
        )
    rename(font, family)
    written = io.BytesIO()
    subset.save_font(font, written, options)
    return written.getvalue()


def as_data(font: bytes) -> str:
    return f"data:font/woff2;base64,{base64.b64encode(font).decode()}"


def covered(font: bytes) -> set[int]:
    return set(TTFont(io.BytesIO(font)).getBestCmap())


def write_text_fonts(sans: Path) -> None:
    """Every font that is cut, and fonts.css, which names them."""
    dejavu = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    wanted = set(subset.parse_unicodes(CHARACTERS.replace("\n", " ")))
    upright, italic = (
        sans / "files" / "SourceSans3[wght].ttf",
        sans / "files" / "SourceSans3-Italic[wght].ttf",
    )
    faces = [
        ("book-sans", upright, "Book Sans", "400 700", "normal"),
        ("book-sans-italic", italic, "Book Sans", "400 700", "italic"),
        ("book-code", dejavu / "DejaVuSansMono.ttf", "Book Code", "400", "normal"),
        ("book-code-bold", dejavu / "DejaVuSansMono-Bold.ttf", "Book Code", "700", "normal"),
    ]
    made = {}
    css = ["/* Written by tools/fonts.py. */\n"]
    for name, source, family, weight, style in faces:
        made[name] = cut(source, family, wanted, weight)
        css.append(FACE.format(family=family, file=f"{name}.woff2", weight=weight, style=style))
    missing = wanted - (covered(made["book-sans"]) & covered(made["book-code"]))
    made["book-symbols"] = cut(dejavu / "DejaVuSans.ttf", "Book Symbols", missing, "400")
    css.append(
        FACE.format(family="Book Symbols", file="book-symbols.woff2", weight="400", style="normal")
    )
    for name, font in made.items():
        (FONTS / f"{name}.woff2").write_bytes(font)
    (FONTS / "fonts.css").write_text("".join(css), encoding="utf-8")
    shutil.copy(sans / "LICENSE", FONTS / "LICENSE-Source-Sans.txt")
    shutil.copy(dejavu / "LICENSE_DEJAVU", FONTS / "LICENSE-DejaVu.txt")


def icon_rules(names: list[str], css: str) -> dict[str, int]:
    """The code point of each icon, as Font Awesome's style sheet has it."""
    found = {}
    for name in names:
        rule = re.search(rf'\.fa-{name}:before[^{{}}]*{{content:"(\\?[^"]+)"}}', css)
        found[name] = int(rule[1][1:], 16) if rule[1][0] == "\\" else ord(rule[1])
    return found


def write_icons() -> None:
    """The icons as two fonts of a few glyphs, inside the style sheet that names them."""
    package = Path(pydata_sphinx_theme.__file__).parent
    awesome = next(package.glob("theme/*/static/vendor/fontawesome/*"))
    css = (awesome / "css" / "all.min.css").read_text("utf-8")
    written = ["/* Written by tools/fonts.py. */\n"]
    for family, names, file, weight, kind in (
        ("Book Icons", ICONS, "fa-solid-900.woff2", "900", "solid"),
        ("Book Brands", BRANDS, "fa-brands-400.woff2", "400", "brands"),
    ):
        icons = icon_rules(names, css)
        font = cut(awesome / "webfonts" / file, family, set(icons.values()), weight)
        written.append(
            FACE.format(family=family, file=as_data(font), weight=weight, style="normal")
        )
        written.append(f':root {{ --fa-font-{kind}: {weight} 1em/1 "{family}", "Book Sans"; }}\n')
        short = {"solid": "fas", "brands": "fab"}[kind]
        written.append(f".fa-{kind}, .{short} {{ font: var(--fa-font-{kind}); }}\n")
        written += [
            f'.fa-{name}::before {{ content: "\\{code:x}"; }}\n' for name, code in icons.items()
        ]
    (FONTS / "icons.css").write_text("".join(written), encoding="utf-8")
    shutil.copy(awesome / "LICENSE.txt", FONTS / "LICENSE-Font-Awesome.txt")


def write_katex(katex: Path) -> None:
    """KaTeX's style sheet and those of its fonts that it names, in woff2 only."""
    css = (katex / "dist" / "katex.min.css").read_text("utf-8")
    css = re.sub(
        r"url\(fonts/([\w-]+\.woff2)\) format\(\"woff2\"\)[^;}]*", r'url(\1) format("woff2")', css
    )
    (FONTS / "katex.css").write_text(css + "\n", encoding="utf-8")
    for name in set(re.findall(r"url\(([\w-]+\.woff2)\)", css)):
        shutil.copy(katex / "dist" / "fonts" / name, FONTS)
    shutil.copy(katex / "LICENSE", FONTS / "LICENSE-KaTeX.txt")


def write_drawing_font(drawing: Path, sans: Path) -> None:
    """A drawing that a page shows as an image sees no font of the page: it carries its letters inside."""
    svg = re.sub(r"<style>.*?</style>\s*", "", drawing.read_text("utf-8"), flags=re.DOTALL)
    letters = set(map(ord, unescape("".join(re.findall(r">([^<]+)</text>", svg)))))
    font = cut(sans / "files" / "SourceSans3[wght].ttf", "Book Sans", letters, "400 700")
    face = f'@font-face {{ font-family: "Book Sans"; src: url({as_data(font)}); font-weight: 400 700 }}'
    svg = re.sub(r"(<svg[^>]*>\s*)", rf"\1<style>{face}</style>\n  ", svg, count=1)
    drawing.write_text(svg, encoding="utf-8")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        sans, katex = unpacked(Path(folder))
        shutil.rmtree(FONTS, ignore_errors=True)
        FONTS.mkdir()
        write_text_fonts(sans)
        write_icons()
        write_katex(katex)
        for name in ("ladder.svg", "logo.svg"):
            write_drawing_font(STATIC / name, sans)


if __name__ == "__main__":
    main()
