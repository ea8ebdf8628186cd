"""The chapters: stored as the normaliser stores them, by the rules, and still true when run again."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_cache import get_cache
from jupyter_client.manager import AsyncKernelManager
from nbformat.v4 import new_code_cell, new_notebook, new_output

from _ext.fresh_cache import cache_folder
from _ext.run_chapters import run
from tests.test_chapter_rules import good_notebook, output, printed
from tools import chapter_rules, normalise

ROOT = Path(__file__).parent.parent
CHAPTERS = sorted((ROOT / "chapters").glob("[0-9][0-9]*_*.ipynb"))
each_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
NOTEBOOKS = sorted((ROOT / "chapters").glob("*.ipynb"))  # appendices too
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def run_nbval(*paths: Path) -> subprocess.CompletedProcess:
    """Run notebooks again and compare every output to the stored one, strictly."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-rf",
        "--color=no",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
    ]
    options = [
        "--nbval",
        "--nbval-current-env",
        "--nbval-cell-timeout=900",
        f"--confcutdir={ROOT}",
        f"--rootdir={ROOT}",
    ]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    environment["OMP_NUM_THREADS"] = "1"  # the workers of this test share the cores already
    return subprocess.run(
        [*command, *options, *map(str, paths)],
        cwd=ROOT,
        env=environment,
        text=True,
        capture_output=True,
        timeout=3000,
    )


# ---------------------------------------------------------------- the chapters


def test_there_are_chapters() -> None:
    assert CHAPTERS, "no chapters/NN_name.ipynb was found, so nothing below would be tested"


@each_notebook
def test_stored_as_the_normaliser_stores_it(path: Path) -> None:
    assert normalise.file_faults(path) == []


@each_chapter
def test_keeps_every_rule_of_a_chapter(path: Path) -> None:
    assert chapter_rules.chapter_faults(path) == []


def compared(cell: dict) -> list[dict]:
    """What is compared of a cell's outputs: all but the pictures and the lines of a traceback."""
    if cell["cell_type"] != "code" or "nbval-ignore-output" in chapter_rules.tags(cell):
        return []
    dropped = ("traceback", "metadata", "execution_count")
    return [{k: v for k, v in out.items() if k not in dropped} for out in cell["outputs"]]


def differences(stored: dict, ran: dict) -> list[str]:
    """The cells of a run that print something else than what is stored."""
    pairs = zip(stored["cells"], normalise.normalised(ran)["cells"], strict=True)
    return [
        f"{normalise.where(number, cell)}: stored {compared(cell)}, ran {compared(fresh)}"
        for number, (cell, fresh) in enumerate(pairs, 1)
        if compared(cell) != compared(fresh)
    ]


@each_notebook
@pytest.mark.usefixtures("book")
def test_outputs_are_still_true(path: Path) -> None:
    """The run that made the page (_ext/run_chapters.py) printed what is stored, letter for letter."""
    stored = nbformat.read(path, as_version=4)
    _, ran = get_cache(cache_folder(ROOT)).merge_match_into_notebook(stored)
    assert differences(stored, ran) == []
    assert (
        normalise.faults(normalise.normalised(ran)) == []
    )  # of what readers see, not compared or not


def test_nbval_finds_a_chapter_true() -> None:
    result = run_nbval(CHAPTERS[0])
    assert result.returncode == 0, result.stdout + result.stderr


# ---------------------------------------------------------------- running


@pytest.mark.parametrize(
    ("fresh", "tags", "seen"),
    [
        ([], [], False),
        ([printed("2\n")], [], False),
        ([printed("2 \n")], [], True),
        ([printed("2\n"), printed("3\n")], [], True),
        ([printed("3\n")], ["nbval-ignore-output"], False),
        ([new_output("error", ename="E", evalue="2", traceback=[])], [], True),
        ([*output(data={"image/png": "aGk="})["outputs"], printed("2\n")], [], False),
    ],
)
def test_a_run_that_prints_something_else_is_seen(fresh: list, tags: list, seen: bool) -> None:
    stored, ran = good_notebook(), good_notebook()
    for nb in (stored, ran):
        nb["cells"][5]["metadata"]["tags"] = tags
    ran["cells"][5]["outputs"] = fresh or stored["cells"][5]["outputs"]
    assert bool(differences(stored, ran)) == seen


def small_notebook(folder: Path, *sources: str) -> Path:
    path = folder / "small.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(source) for source in sources]), path)
    return path


def test_execute_stores_and_nbval_compares(tmp_path: Path) -> None:
    """A figure is not compared, a text beside it is: one wrong stored digit turns nbval red."""
    drawn = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nprint(f'{11 / 2:.4f}')"
    graph = """\
class Graph:
    _repr_svg_ = lambda self: f'<svg id="{id(self)}"/>'
    __repr__ = lambda self: 'a graph'
Graph()"""
    path, wrong = small_notebook(tmp_path, drawn, graph), tmp_path / "wrong.ipynb"
    (tmp_path / "conftest.py").write_text((ROOT / "conftest.py").read_text())
    assert normalise.main(["--execute", str(path)]) == 0
    assert "image" not in path.read_text()
    wrong.write_text(path.read_text().replace("5.5000", "5.5001"))
    done = run_nbval(path, wrong)
    assert done.returncode == 1
    assert "FAILED ::Cell 0" in done.stdout
    assert "5.5001" in done.stdout
    assert done.stdout.startswith("..F.") and "1 failed, 3 passed" in done.stdout


def test_execute_leaves_a_failing_notebook_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = small_notebook(tmp_path, "1 / 0")
    before = path.read_bytes()
    assert normalise.main(["--execute", str(path)]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_a_line_that_is_printed_in_pieces_is_one_line_of_the_page() -> None:
    """A kernel sends what it has every fifth of a second, in the middle of a line too."""
    slow = "import time\nfor end in ' ', '\\n':\n    print(1, end=end, flush=True)\n    time.sleep(0.5)"
    notebook = new_notebook(cells=[new_code_cell(slow)])
    run(notebook, AsyncKernelManager, timeout=60)
    assert notebook.cells[0].outputs == [printed("1 1\n")]
