"""The chapters as plain notebooks, for Jupyter, Colab and VS Code as they come, no extension installed.

They are made from the tree that Sphinx has resolved, when the pages are done, and stand in `_build/notebooks`
and beside the pages: prose is plain Markdown (_ext/plain_markdown.py) with the book's numbers, every link is
absolute, pictures are inside, code cells are those of the chapter with the outputs that the page shows.

A solution, or what is folded to look closer, holds code cells, and no front end lets a cell stand inside
another. So its prose is folded in `<details>`, and each of its code cells stands where it stood, to be run in
its turn, with source and output collapsed by the metadata that JupyterLab and Colab obey
(`jupyter.source_hidden`, `cellView`). The code is not in the `<details>` as well: a reader would edit a copy
that does nothing. VS Code keeps the folding of cells to itself and shows them; there the folded summary is a
line above them.

Below an exercise whose text says `check("ex-04-rules", f)` stands a blank: a cell with dots in the place of `f`,
which runs as it stands. The chapter has no such cell, since only a reader fills it.

A drawing in the HTML of an output becomes an image: JupyterLab takes SVG out of a notebook that it does not
trust yet, and it trusts none that it has not run.

The set-up cell installs the companion of the commit that the notebooks were made from.
"""

import ast
import base64
import copy
import hashlib
import html
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

import nbformat
import plain_markdown as markdown
from docutils import nodes
from jupyter_cache import get_cache
from look_closer import look_closer, look_closer_title
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.builders import Builder
from sphinx_exercise.nodes import is_exercise_node, solution_node

SOURCE_OF_COMPANION = "git+https://github.com/derivative-ladder/derivative-ladder"
FOLDED = ("source_hidden", "outputs_hidden")
CALL = re.compile(r'check\("(?P<label>[\w-]+)", (?P<answer>.+)\)')
DRAWING = re.compile(r"<svg\b(?P<attributes>[^>]*)>(?P<body>.*?)</svg>", re.DOTALL)


# ---------------------------------------------------------------- what a page consists of


@dataclass(frozen=True)
class Prose:
    text: str
    begins_a_cell: bool = False
    folded_as: str = ""  # the title of the folded part that it belongs to


@dataclass(frozen=True)
class Code:
    index: int  # in the executed notebook
    folded_as: str = ""


@dataclass(frozen=True)
class Blank:
    exercise: str  # "Exercise 4.1"
    label: str
    answer: str  # as source, with dots for what is to be filled in


class Dotted(ast.NodeTransformer):
    """Names become dots, but for those that are called: `dict(step=h)` is `dict(step=...)`."""

    def visit_Name(self, node: ast.Name) -> ast.Constant:
        return ast.Constant(...)

    def visit_Call(self, node: ast.Call) -> ast.Call:
        node.args = [self.visit(part) for part in node.args]
        node.keywords = [self.visit(part) for part in node.keywords]
        return node


def blank(exercise: nodes.Element, page: markdown.Page) -> Iterator[Blank]:
    """One, if the text of the exercise says how it is checked."""
    calls = (CALL.fullmatch(literal.astext()) for literal in exercise.findall(nodes.literal))
    if call := next(filter(None, calls), None):
        answer = ast.unparse(Dotted().visit(ast.parse(call["answer"], mode="eval")))
        name = markdown.number(exercise, "exercise", page) or "Exercise"
        yield Blank(name, call["label"], answer.replace("'", '"'))


def is_code_cell(node: nodes.Node) -> bool:
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code"


def pieces(
    node: nodes.Element, page: markdown.Page, depth: int = 0, folded_as: str = ""
) -> Iterator[Prose | Code | Blank]:
    """The prose and the code cells of a part of the page, in reading order."""
    for child in node.children:
        if is_code_cell(child):
            yield Code(child["cell_index"], folded_as)
            for figure in child.findall(nodes.figure):
                yield Prose(markdown.block(figure, page), folded_as=folded_as)
        elif isinstance(child, solution_node):
            title = markdown.titled(child)
            yield from pieces(child, page, depth, title.astext())
        elif isinstance(child, look_closer):
            yield from pieces(child, page, depth, child[0].astext())
        elif isinstance(child, nodes.section):
            yield from pieces(child, page, depth + bool(markdown.titled(child)), folded_as)
        elif isinstance(child, look_closer_title):
            continue
        elif isinstance(child, nodes.title):
            if not isinstance(node, solution_node):
                name = markdown.section_number(node, page) + markdown.line(child, page)
                yield Prose(f"{'#' * depth} {name}", begins_a_cell=True)
        else:
            starts = is_exercise_node(child)
            yield Prose(markdown.block(child, page), starts, folded_as)
            if starts:
                yield from blank(child, page)


def gathered(parts: list[Prose | Code | Blank]) -> list[list[Prose] | Code | Blank]:
    """Prose that belongs into one cell, put together."""
    cells: list[list[Prose] | Code | Blank] = []
    for part in parts:
        if isinstance(part, Prose) and not part.text:
            continue
        last = cells[-1] if cells else None
        if (
            isinstance(part, Prose)
            and isinstance(last, list)
            and not part.begins_a_cell
            and last[-1].folded_as == part.folded_as
        ):
            last.append(part)
        else:
            cells.append([part] if isinstance(part, Prose) else part)
    return cells


def folded(title: str, text: str) -> str:
    """Closed until the reader opens it; the blank lines let Markdown work inside."""
    return f"<details>\n<summary><b>{title}</b></summary>\n\n{text}\n\n</details>"


# ---------------------------------------------------------------- cells


def commit(folder: Path) -> str:
    """The commit that is built: what git says, else what the CI says, else the newest of `main`."""
    asked = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, text=True, capture_output=True, check=False
    )
    return asked.stdout.strip() or os.environ.get("GITHUB_SHA") or "main"


def as_image(drawing: re.Match) -> str:
    """An inline SVG as an <img> of its own width, on white: the book's CSS cannot reach inside."""
    attributes = re.sub(r'\sstyle="[^"]*"', "", drawing["attributes"])
    title, desc = (
        re.search(f"<{name}>(.*?)</{name}>", drawing["body"], re.DOTALL)
        for name in ("title", "desc")
    )
    alt = ": ".join(html.unescape(found[1]) for found in (title, desc) if found)
    svg = f'<svg{attributes} style="background: #fff">{drawing["body"]}</svg>'
    data = base64.b64encode(svg.encode()).decode()
    box = re.search(r'viewBox="\S+ \S+ (\d+)', attributes)
    width = f' width="{box[1]}"' if box else ""
    return f'<img src="data:image/svg+xml;base64,{data}" alt="{html.escape(alt)}"{width}>'


def code_cell(cell: dict, part: Code, at: str) -> dict:
    """The chapter's cell and its outputs; only the set-up cell is changed, to name the commit."""
    cell = copy.deepcopy(cell)
    tags = cell["metadata"].get("tags", [])
    hidden = FOLDED if part.folded_as else FOLDED[:1] if "hide-input" in tags else ()
    cell["metadata"] = {"tags": tags} if tags else {}
    if hidden:
        cell["metadata"] |= {"jupyter": dict.fromkeys(hidden, True), "cellView": "form"}
    for output in cell["outputs"]:
        if "text/html" in output.get("data", {}):
            output["data"]["text/html"] = DRAWING.sub(as_image, output["data"]["text/html"])
    cell["source"] = cell["source"].replace(SOURCE_OF_COMPANION, f"{SOURCE_OF_COMPANION}@{at}")
    return cell


def blank_cell(part: Blank) -> dict:
    """To be filled by the reader. It runs as it stands: `check` says what is wanted.

    By its full name, since on some pages `check` is that of companion.pinn, which their solutions call.
    """
    source = (
        f"# {part.exercise}: your answer in the place of the dots\n"
        "from companion import practice\n\n"
        f'answer = {part.answer}\npractice.check("{part.label}", answer)'
    )
    return nbformat.v4.new_code_cell(source, metadata={"tags": ["your-answer"]})


def prose_cell(parts: list[Prose], first_of_fold: bool, code_follows: bool) -> dict:
    text = "\n\n".join(part.text for part in parts)
    if title := parts[0].folded_as:
        title = title if first_of_fold else f"{title}, continued"
        if first_of_fold and code_follows:
            text = f"{text}\n\nIts code is in the cells below.".strip()
        text = folded(title, text)
    return nbformat.v4.new_markdown_cell(text)


def cells_of(parts: list[Prose | Code | Blank], executed: dict, at: str) -> list[dict]:
    made: list[dict] = []
    opened: set[str] = set()
    with_code = {part.folded_as for part in parts if isinstance(part, Code)}
    for group in gathered(parts):
        if isinstance(group, Blank):
            made.append(blank_cell(group))
            continue
        fold = group.folded_as if isinstance(group, Code) else group[0].folded_as
        first = bool(fold) and fold not in opened
        if isinstance(group, list):
            made.append(prose_cell(group, first, fold in with_code))
        else:
            if first:
                made.append(prose_cell([Prose("", folded_as=fold)], True, True))
            made.append(code_cell(executed["cells"][group.index], group, at))
        opened.add(fold)
    return with_ids(made)


def with_ids(cells: list[dict]) -> list[dict]:
    """Ids that are digests of the content, so that an edit changes one only."""
    seen: dict = {}
    for cell in cells:
        digest = hashlib.sha256((cell["cell_type"] + cell["source"]).encode()).hexdigest()[:8]
        seen[digest] = seen.get(digest, 0) + 1
        cell["id"] = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
    return cells


# ---------------------------------------------------------------- the tree, prepared


def without_outputs(doctree: nodes.document) -> None:
    """The outputs come from the executed notebook; of theirs here, only the captions are read."""
    for bundle in list(doctree.findall(nodes.container)):
        if bundle.get("nb_element") == "mime_bundle":
            bundle.parent.remove(bundle)


def author_and_year(entry: object) -> str:
    """'Kim 2026', 'Baydin et al. 2018'; of a work without authors, what it is: 'PyTorch issue 4661 2018'."""
    people = entry.persons.get("author") or entry.persons.get("editor") or []
    names = [" ".join(str(name) for name in person.rich_last_names) for person in people]
    if len(names) > 2:
        names = [f"{names[0]} et al."]
    what = entry.fields.get("howpublished") or entry.fields["title"]
    name = " and ".join(names) or what.removeprefix("A ")
    return f"{name} {entry.fields.get('year', '')}".strip()


def with_names_of_authors(builder: "PlainNotebooks", doctree: nodes.document) -> None:
    """A citation is '(Wengert 1964)', a link to its entry: a number says nothing beside no list."""
    known = {each.key: each for each in builder.env.get_domain("cite").citations}
    for cited in list(doctree.findall(addnodes.pending_xref)):
        if cited["refdomain"] != "cite":
            continue
        links = []
        for key in re.split(r"\s*,\s*", cited["reftarget"]):
            source = known[key]
            address = (
                f"{builder.get_target_uri(source.bibliography_key.docname)}#{source.citation_id}"
            )
            links.append(nodes.reference("", author_and_year(source.entry), refuri=address))
        between = [part for link in links for part in (nodes.Text("; "), link)][1:]
        cited.replace_self(nodes.inline("", "", nodes.Text("("), *between, nodes.Text(")")))


# ---------------------------------------------------------------- the builder


class PlainNotebooks(Builder):
    """Stands in for the builder of the pages while references are resolved: every address is absolute."""

    name = "notebooks"
    format = "notebook"

    def get_target_uri(self, docname: str, typ: str | None = None) -> str:
        return f"{self.config.html_baseurl}{docname}.html"

    def get_relative_uri(self, from_: str, to: str, typ: str | None = None) -> str:
        return self.get_target_uri(to, typ)

    def page(self, docname: str) -> markdown.Page:
        return markdown.Page(
            url=self.get_target_uri(docname),
            folder=Path(self.srcdir),
            sections=self.env.toc_secnumbers.get(docname, {}),
            numbers=self.env.toc_fignumbers.get(docname, {}),
            formats=self.config.numfig_format,
        )

    def executed(self, docname: str) -> dict:
        """The chapter with the outputs of its page, pictures and all; as it is stored, if nothing is run."""
        chapter = nbformat.read(self.env.doc2path(docname), as_version=4)
        if self.config.nb_execution_mode == "cache":
            cache = get_cache(self.config.nb_execution_cache_path)
            run = cache.get_cache_bundle(cache.match_cache_notebook(chapter).pk).nb
            code = [cell for cell in chapter["cells"] if cell["cell_type"] == "code"]
            for cell, ran in zip(code, run["cells"], strict=True):  # the cache holds no prose
                cell |= {key: ran[key] for key in ("outputs", "execution_count")}
        return chapter

    def notebook(self, docname: str, at: str) -> dict:
        executed = self.executed(docname)
        doctree = self.env.get_doctree(docname)
        without_outputs(doctree)
        with_names_of_authors(self, doctree)
        doctree = self.env.get_and_resolve_doctree(docname, self, doctree)
        parts = list(pieces(doctree, self.page(docname)))
        metadata = {key: executed["metadata"][key] for key in ("kernelspec", "language_info")}
        made = nbformat.v4.new_notebook(cells=cells_of(parts, executed, at), metadata=metadata)
        nbformat.validate(made)
        return made

    def write_all(self) -> None:
        at = commit(Path(self.srcdir))
        made = {}
        for docname in sorted(self.env.found_docs):
            if Path(self.env.doc2path(docname)).suffix == ".ipynb":
                text = nbformat.v4.writes(self.notebook(docname, at)) + "\n"
                made[f"{Path(docname).name}.ipynb"] = text.encode()
        for folder in (Path(self.outdir).parent, Path(self.outdir)):
            keep_alone(folder / "notebooks", made)


def keep_alone(folder: Path, files: dict[str, bytes]) -> None:
    """Make these the only notebooks of a folder; who reads it meanwhile finds each whole, old or new."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        file = folder / name
        if not file.exists() or file.read_bytes() != content:
            with NamedTemporaryFile(dir=folder, delete=False) as part:
                part.write(content)
            Path(part.name).chmod(0o644)
            os.replace(part.name, file)
    for stray in set(folder.glob("*.ipynb")) - {folder / name for name in files}:
        stray.unlink(missing_ok=True)


def write_beside_the_pages(app: Sphinx, exception: Exception | None) -> None:
    if exception or app.builder.name != "html":
        return
    pages = app.builder
    try:
        app.builder = PlainNotebooks(app, app.env)  # which references ask for addresses
        app.builder.write_all()
    finally:
        app.builder = pages


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", write_beside_the_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
