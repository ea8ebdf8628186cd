"""What each chapter costs and needs, for `python -m companion`: read from the built book, stored with the package.

    make book && python tools/costs.py

writes companion/data/costs.json: of each chapter the run time and the peak memory that its card shows, and
the packages that its cells import, itself or through the rooms of the companion that it imports.
"""

import ast
import json
import re
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import nbformat

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "companion" / "data" / "costs.json"
CARD = re.compile(r"(\d+) s to run, (\d+) MiB of memory")
# What the companion imports only when it is called: the word in a cell that calls it, and the package.
ON_CALL = {"SymPy formula": "sympy", "LeakProbe": "psutil"}
NOTEBOOK = {"IPython"}  # whoever runs a notebook has it


def chapters() -> list[Path]:
    return sorted((ROOT / "chapters").glob("[0-9][0-9]*_*.ipynb"))


def code(chapter: Path) -> str:
    """The cells of code as one program; lines for the shell or for IPython are left out."""
    cells = nbformat.read(chapter, as_version=4)["cells"]
    lines = "\n".join(c["source"] for c in cells if c["cell_type"] == "code").splitlines()
    return "\n".join(re.sub(r"^(\s*)[%!].*", r"\1pass", line) for line in lines)


def imported(nodes: Iterable[ast.AST]) -> set[str]:
    """The full names of the modules that these statements may import, or that a room requires at once."""
    names: set[str] = set()
    for node in nodes:
        call = node.value if isinstance(node, ast.Expr) else None
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "require":
            names |= {ast.literal_eval(name) for name in call.args[2:]}
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@cache
def files(module: str) -> list[Path]:
    """The files that importing companion.a.b runs: those of the rooms on the way, and its own."""
    path, found = ROOT, []
    if not module.startswith("companion"):
        return found
    for part in module.split("."):
        path = path / part
        found += [f for f in (path / "__init__.py", path.with_suffix(".py")) if f.is_file()]
    return found


@cache
def at_once(file: Path) -> set[str]:
    """The modules that importing a file may import; what its functions import when called is not there."""
    return imported(ast.parse(file.read_text("utf-8")).body)


def packages(modules: set[str]) -> set[str]:
    """The packages, outside the standard library, that importing these modules loads.

    The companion's own files are followed; what their functions import when called is not.
    """
    todo, done = {file for name in modules for file in files(name)}, set()
    while todo:
        done.add(file := todo.pop())
        modules = modules | at_once(file)
        todo |= {f for name in at_once(file) for f in files(name)} - done
    tops = {name.partition(".")[0] for name in modules}
    return tops - sys.stdlib_module_names - NOTEBOOK - {"companion"}


def needs(chapter: Path) -> list[str]:
    """The packages that a chapter needs to run, in alphabetical order."""
    text = code(chapter)
    called = {package for word, package in ON_CALL.items() if word in text}
    return sorted(packages(imported(ast.walk(ast.parse(text)))) | called)


def cost(page: str, name: str) -> dict[str, int]:
    """The run time in seconds and the peak memory that the card of a built page shows."""
    found = CARD.search(page)
    if not found:
        raise ValueError(f"{name}: the built page shows no measured cost; run `make book` first")
    return {"seconds": int(found[1]), "MiB": int(found[2])}


def costs(html: Path) -> dict[str, dict]:
    return {
        chapter.stem: cost((html / f"{chapter.stem}.html").read_text("utf-8"), chapter.stem)
        | {"needs": needs(chapter)}
        for chapter in chapters()
    }


def text(found: dict[str, dict]) -> str:
    """The JSON that is stored: one line a chapter."""
    rows = [f"    {json.dumps(name)}: {json.dumps(row)}" for name, row in found.items()]
    start = '{\n  "script": "tools/costs.py",\n  "chapters": {\n'
    return start + ",\n".join(rows) + "\n  }\n}\n"


if __name__ == "__main__":
    RESULT.write_text(text(costs(ROOT / "_build" / "html" / "chapters")), encoding="utf-8")
