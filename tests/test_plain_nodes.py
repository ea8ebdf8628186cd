"""Each kind of node as plain Markdown: one small book, a cell for every kind, built once."""

import base64
import io
import subprocess
from pathlib import Path

import nbformat
import pytest
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import docutils_namespace

ROOT = Path(__file__).parent.parent
PAGE = "https://example.org/book/index.html"
LIST = "https://example.org/book/sources.html"
CONF = f"""
import sys
sys.path.insert(0, {str(ROOT / "_ext")!r})
extensions = ["myst_nb", "sphinx_exercise", "sphinxcontrib.bibtex", "look_closer", "moving_figure", "plain_notebooks"]
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
bibtex_bibfiles = ["sources.bib"]
nb_execution_mode = "off"
html_baseurl = "https://example.org/book/"
html_theme = "basic"
numfig = True
math_numfig = False
exclude_patterns = ["_build"]
"""
SOURCES = """
@misc{one, author={Wengert, R. E.}, title={A}, year={1964}}
@misc{two, author={Squire, William and Trapp, George}, title={B}, year={1998}}
@misc{many, author={Baydin, A. and Pearlmutter, B. and Radul, A.}, title={C}, year={2018}}
@misc{thread, title={D}, howpublished={A thread on a forum}}
"""
SVG = '<svg xmlns="http://www.w3.org/2000/svg"/>'
SET_UP = "%pip install git+https://github.com/derivative-ladder/derivative-ladder"
BACK = "`"

# What the author writes, and what must stand in the notebook.
KINDS = {
    "inline": ("*a* **b** `c` ``d`e``", "*a* **b** `c` ``d`e``"),
    "escapes": (r"2 \* 3, a\_b\_c, \<b>, \$5, \~x\~", r"2 \* 3, a\_b\_c, &lt;b>, \$5, \~x\~"),
    "line starts": (
        r"1\. is a number" + "\n\n" + r"\# is a hash",
        "1\\. is a number\n\n\\# is a hash",
    ),
    "a paragraph is a line": ("one\ntwo", "one two"),
    "formula": ("$ x^2 $", "$x^2$"),
    "displayed": ("$$\na\n\n= b\n$$", "$$\na\n= b\n$$"),
    "numbered": ("$$ e = f $$ (eq-e)\n\nBy {eq}`eq-e`.", "$$\ne = f\n\\tag{1}\n$$"),
    "reference to an equation": ("", f"By [(1)]({PAGE}#equation-eq-e)."),
    "amsmath": (
        "\\begin{align*}\na &= b \\\\\nc &= d\n\\end{align*}",
        "$$\n\\begin{aligned}\na &= b \\\\\nc &= d\n\\end{aligned}\n$$",
    ),
    "list": ("- a\n  - b\n- c", "- a\n  - b\n- c"),
    "numbers": ("3. a\n4. b\n\n   $$\n   x\n   = y\n   $$", "3. a\n\n4. b\n\n   $$ x = y $$"),
    "definitions": ("Term\n: What it is.", "- **Term**: What it is."),
    "quotation": ("> said\n>\n> twice", "> said\n> \n> twice"),
    "note": (":::{note}\nMind $x$.\n:::", "> **Note**\n> \n> Mind $x$."),
    "admonition": (":::{admonition} The trap\nMind.\n:::", "> **The trap**\n> \n> Mind."),
    "fence": (f"{BACK * 3}python\nx = 1\n{BACK * 3}", f"{BACK * 3}python\nx = 1\n{BACK * 3}"),
    "long fence": (
        f"{BACK * 4}text\n{BACK * 3}\n{BACK * 4}",
        f"{BACK * 4}text\n{BACK * 3}\n{BACK * 4}",
    ),
    "literalinclude": (
        ":::{literalinclude} module.py\n:pyobject: f\n:::",
        f"{BACK * 3}python\ndef f():\n    return 1\n{BACK * 3}",
    ),
    "table": (
        "| $a$ | b |\n|---|---|\n| $\\|x\\|$ | `p\\|q` |",
        "| $a$ | b |\n| --- | --- |\n| $\\vert x\\vert$ | `p\\|q` |",
    ),
    "norm in a table": (
        ":::{list-table}\n\n* - $\\|x\\|$\n:::",
        "|  |\n| --- |\n| $\\Vert x\\Vert$ |",
    ),
    "list in a table": (
        ":::{list-table}\n:header-rows: 1\n\n* - h\n* - - a\n    - b\n:::",
        "| h |\n| --- |\n| • a<br>• b |",
    ),
    "link": ("[out](https://example.org/a_(b))", "[out](<https://example.org/a_(b)>)"),
    "page": ("{doc}`index`", f"({PAGE})"),
    "section": ("{ref}`here <sec-x>`", f"[here]({PAGE}#sec-x)"),
    "footnote": ("So.[^1]\n\n[^1]: Not quite.", "So.<sup>1</sup>"),
    "text of a footnote": ("", "<sup>1</sup> Not quite."),
    "one author": ("{cite}`one`", f"([Wengert 1964]({LIST}#"),
    "two authors": ("{cite}`two`", "([Squire and Trapp 1998]("),
    "many authors, many works": ("{cite}`many,one`", "([Baydin et al. 2018]("),
    "no author": ("{cite}`thread`", "([thread on a forum]("),
    "picture": (
        "```{figure} dot.svg\n:alt: a <dot>\n:name: fig-dot\nA dot.\n```",
        f'<img src="data:image/svg+xml;base64,{base64.b64encode(SVG.encode()).decode()}"'
        ' alt="a &lt;dot&gt;">\n\n**Fig. 1** A dot.',
    ),
    "transition": ("above\n\n---\n\nbelow", "above\n\n---\n\nbelow"),
    "comment": ("kept\n\n% dropped\n\nkept too", "kept\n\nkept too"),
    "exercise": (
        "```{exercise}\n:label: ex-a\nTry.\n```\n\n```{solution-start} ex-a\n:class: dropdown\n```\n\n"
        "Said.\n\n```{solution-end}\n```",
        "**Exercise 1**\n\nTry.",
    ),
    "hint": (
        '````{exercise}\n:label: ex-b\n\n*Drill, 5 minutes.* `check("ex-b", dict(step=h, names=[a, 1]))`\n\n'
        ":::{hint}\n:class: dropdown\nLook.\n:::\n````",
        '**Exercise 2**\n\n*Drill, 5 minutes.* `check("ex-b", dict(step=h, names=[a, 1]))`\n\n'
        "<details>\n<summary>Hint</summary>\n\nLook.\n\n</details>",
    ),
    "blank": (
        "",
        "# Exercise 2: your answer in the place of the dots\nfrom companion import practice\n\n"
        'answer = dict(step=..., names=[..., 1])\npractice.check("ex-b", answer)',
    ),
    "solution": (
        "",
        "<details>\n<summary><b>Solution to Exercise 1</b></summary>\n\nSaid.\n\n</details>",
    ),
    "look closer": (
        ":::{look-closer-start} Look closer: at dust\n:::\n\nSeen.\n\n:::{look-closer-end}\n:::",
        "<details>\n<summary><b>Look closer: at dust</b></summary>\n\nSeen.\n\n</details>",
    ),
    "moving figure": (
        ":::{figure} dot.svg\n:name: fig-u-curves\n:alt: a\n\nStill.\n:::\n\n"
        ":::{moving-figure} u-curve\n:still: fig-u-curves\n:try: Make $h$ small.\n:taught: Small is bad.\n:::",
        f"> [On its page]({PAGE}#moving-u-curve) this figure can be moved. Make $h$ small.",
    ),
}


def build(folder: Path, cells: list[dict]) -> dict:
    """The plain notebook of a book whose only page has these cells."""
    page = nbformat.v4.new_notebook(cells=cells)
    page["metadata"] = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    (folder / "conf.py").write_text(CONF)
    (folder / "sources.bib").write_text(SOURCES)
    (folder / "sources.md").write_text(
        "---\norphan: true\n---\n# Sources\n\n:::{bibliography}\n:::\n"
    )
    (folder / "module.py").write_text("def f():\n    return 1\n")
    (folder / "dot.svg").write_text(SVG)
    (folder / "index.ipynb").write_text(nbformat.writes(page))
    out, warnings = folder / "_build" / "html", io.StringIO()
    with docutils_namespace():
        app = Sphinx(folder, folder, out, out / "trees", "html", status=None, warning=warnings)
        app.build()
    assert not warnings.getvalue()
    return nbformat.read(folder / "_build" / "notebooks" / "index.ipynb", as_version=4)


def markdown(*texts: str) -> list[dict]:
    return [nbformat.v4.new_markdown_cell(text) for text in texts if text]


@pytest.fixture(scope="module")
def prose(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The text of the notebook of all kinds."""
    texts = ["# Page", *(text for text, _ in KINDS.values()), "(sec-x)=\n## Section\n\nEnd."]
    made = build(tmp_path_factory.mktemp("kinds"), markdown(*texts))
    return "\n\n".join(cell["source"] for cell in made["cells"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_node(kind: str, prose: str) -> None:
    assert f"\n{KINDS[kind][1]}" in prose or KINDS[kind][1] in prose


def test_a_node_that_no_notebook_can_show_stops_the_build(tmp_path: Path) -> None:
    text = "# Page\n\n```{eval-rst}\n.. option:: --all\n\n   What it does.\n```"
    message = r"index\.ipynb:\d+: a notebook cannot show the node 'desc_signature': add it to _ext/plain_markdown.py"
    with pytest.raises(ExtensionError, match=message):
        build(tmp_path, markdown(text))


def test_who_reads_while_the_book_is_built_again_finds_whole_notebooks(tmp_path: Path) -> None:
    """What is unchanged is not touched; what changed takes the place of the old one in one move."""
    build(tmp_path, markdown("# One"))
    folders = [tmp_path / "_build" / "notebooks", tmp_path / "_build" / "html" / "notebooks"]
    files = [folder / "index.ipynb" for folder in folders]
    before = [file.stat().st_ino for file in files]
    for folder in folders:
        (folder / "gone.ipynb").write_text("{}")
    build(tmp_path, markdown("# One"))
    assert [file.stat().st_ino for file in files] == before
    with files[0].open() as reader:
        start = reader.read(5)
        build(tmp_path, markdown("# Two"))
        assert "# One" in start + reader.read()
    for folder, file in zip(folders, files):
        assert [path.name for path in folder.iterdir()] == ["index.ipynb"]
        assert "# Two" in file.read_text() and file.stat().st_mode & 0o777 == 0o644


# ---------------------------------------------------------------- cells of code


def code(source: str, tags: list[str] | None = None, **output: str) -> dict:
    data = {key.replace("_", "/"): value for key, value in output.items()}
    outputs = [nbformat.v4.new_output("display_data", data=data)] if data else []
    metadata = {"tags": tags} if tags else {}
    return nbformat.v4.new_code_cell(source, execution_count=1, outputs=outputs, metadata=metadata)


def of_code(made: dict) -> list[dict]:
    return [cell for cell in made["cells"] if cell["cell_type"] == "code"]


def test_cells_of_code_keep_order_outputs_and_counts(tmp_path: Path) -> None:
    start = (
        "```{exercise}\n:label: ex-a\nTry.\n```\n\n```{solution-start} ex-a\n:class: dropdown\n```"
    )
    end = "```{solution-end}\n```"
    cells = [*markdown("# Page"), code("a = 1", ["hide-input"], text_plain="A"), *markdown(start)]
    cells += [code("b = 2", text_plain="B"), *markdown("Then.", end), code("c = 3")]
    made = build(tmp_path, cells)
    assert [cell["source"] for cell in of_code(made)] == ["a = 1", "b = 2", "c = 3"]
    assert [cell["execution_count"] for cell in of_code(made)] == [1, 1, 1]
    assert of_code(made)[1]["outputs"][0]["data"] == {"text/plain": "B"}
    hidden = [sorted(cell["metadata"].get("jupyter", {})) for cell in of_code(made)]
    assert hidden == [["source_hidden"], ["outputs_hidden", "source_hidden"], []]
    before, after = (
        cell["source"] for cell in made["cells"] if cell["source"].startswith("<details>")
    )
    assert "<b>Solution to Exercise 1</b>" in before and "code is in the cells below" in before
    assert "<b>Solution to Exercise 1, continued</b>" in after and "Then." in after


def test_cells_that_are_folded_are_run_in_their_turn(tmp_path: Path) -> None:
    start, end = ":::{look-closer-start} Look closer: dust\n:::", ":::{look-closer-end}\n:::"
    cells = [*markdown("# Page", start), code("a = 1", text_plain="A"), *markdown("So.", end)]
    made = build(tmp_path, [*cells, code("b = 2", text_plain="B")])
    hidden = [sorted(cell["metadata"].get("jupyter", {})) for cell in of_code(made)]
    assert hidden == [["outputs_hidden", "source_hidden"], []]
    assert [
        cell["source"].split("</b>")[0] for cell in made["cells"] if "<b>" in cell["source"]
    ] == [
        "<details>\n<summary><b>Look closer: dust",
        "<details>\n<summary><b>Look closer: dust, continued",
    ]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([":::{look-closer-start} A\n:::"], "'A' needs a look-closer-end"),
        (
            [":::{look-closer-start} A\n:::", "## In between", ":::{look-closer-end}\n:::"],
            "'A' needs a look-closer-end before the next heading",
        ),
        ([":::{look-closer-end}\n:::"], "this look-closer-end has no look-closer-start"),
        (
            [":::{look-closer-start} A\n:::", ":::{look-closer-end}\n:::"] * 2,
            "two folded parts of this page have the title 'A'",
        ),
    ],
)
def test_a_fold_without_its_end_stops_the_build(
    tmp_path: Path, cells: list[str], said: str
) -> None:
    with pytest.raises(ExtensionError, match=said):
        build(tmp_path, markdown("# Page", *cells))


def test_a_drawing_in_an_output_is_an_image_with_its_words(tmp_path: Path) -> None:
    svg = '<svg viewBox="0 0 90 9" style="width: 100%"><title>A</title><desc>b &lt; c</desc></svg>'
    made = build(tmp_path, [*markdown("# Page"), code("draw()", text_html=f"<div>{svg}</div>")])
    html = of_code(made)[0]["outputs"][0]["data"]["text/html"]
    assert html.startswith('<div><img src="data:image/svg+xml;base64,') and "<svg" not in html
    assert html.endswith(' alt="A: b &lt; c" width="90"></div>')


def test_the_set_up_cell_names_the_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git's, where there is a checkout; else that of the CI; else the newest."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.delenv("GITHUB_SHA", raising=False)
    cells = [*markdown("# Page"), code(SET_UP)]
    assert of_code(build(tmp_path, cells))[0]["source"] == f"{SET_UP}@main"
    monkeypatch.setenv("GITHUB_SHA", "0123abc")
    assert of_code(build(tmp_path, cells))[0]["source"] == f"{SET_UP}@0123abc"
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], cwd=tmp_path, check=True)
    asked = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=tmp_path, text=True, capture_output=True
    )
    made = build(tmp_path, cells)
    assert of_code(made)[0]["source"] == f"{SET_UP}@{asked.stdout.strip()}"


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("u-curve", ":still: fig-a\n:try: a\n:taught: b", "stands for fig-a, which is no figure"),
        ("u-curve", ":try: a\n:taught: b", "moving-figure u-curve needs :still: as well"),
        ("nothing", ":still: fig-a\n:try: a\n:taught: b", "there is no nothing.js"),
    ],
)
def test_a_moving_figure_that_lacks_something_stops_the_build(
    tmp_path: Path, name: str, options: str, said: str
) -> None:
    with pytest.raises((ExtensionError, AssertionError), match=said):
        build(tmp_path, markdown("# Page", f":::{{moving-figure}} {name}\n{options}\n:::"))
