"""The wheel and the sdist, built from a clean copy and looked into; and what each extra brings."""

import ast
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_string
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

import companion
from companion.data import stored
from tools import costs
from tools.wheel import Installed, build, copy, forgetful, unpacked

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]
EXTRAS = PROJECT["optional-dependencies"]
ROOMS = {  # the room -> its extra, as its own __init__ says
    file.parent.name: found[1]
    for file in sorted((ROOT / "companion").glob("*/__init__.py"))
    if (found := re.search(r'^require\(__name__, "(\w+)"', file.read_text("utf-8"), re.MULTILINE))
}
# What the examples of a room's docstrings need beside its own extra; "" are the files beside the rooms.
EXAMPLES_NEED = {
    "show": "show,pinn,book",
    "problems": "pinn",
    "practice": "show,pinn,book",
    "": "torch",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("package")


@pytest.fixture(scope="module")
def tree(folder: Path) -> Path:
    return copy(folder / "tree")


@pytest.fixture(scope="module")
def wheel(folder: Path, tree: Path) -> Path:
    return build("wheel", tree, folder / "wheel")


@pytest.fixture(scope="module")
def site(wheel: Path, folder: Path) -> Path:
    return unpacked(wheel, folder / "site")


@pytest.fixture(scope="module")
def metadata(site: Path):
    (file,) = site.glob("*.dist-info/METADATA")
    return message_from_string(file.read_text("utf-8"))


def sources() -> set[str]:
    """The files of the package that its wheel must hold, and no others."""
    kinds = (".py", ".pyi", ".json", ".typed")
    files = (ROOT / "companion").rglob("*.*")
    return {file.relative_to(ROOT).as_posix() for file in files if file.suffix in kinds}


# ---------------------------------------------------------------- what is in them


def test_the_wheel_is_the_package_and_the_licence_of_code(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    info = {name for name in names if ".dist-info/" in name}
    assert names - info == sources()
    assert {"companion/py.typed", "companion/data/costs.json"} <= names
    assert [name for name in sorted(info) if "LICENSE" in name.upper()] == [
        f"derivative_ladder-{PROJECT['version']}.dist-info/licenses/LICENSE"
    ]


def test_the_sdist_is_what_the_wheel_is_built_from(tree: Path, folder: Path, wheel: Path) -> None:
    (folder / "again").mkdir()
    sdist = build("sdist", tree, folder / "sdist")
    subprocess.run(["tar", "-xf", sdist, "-C", folder / "again"], check=True)
    (again,) = (folder / "again").iterdir()
    files = {file.relative_to(again).as_posix() for file in again.rglob("*") if file.is_file()}
    others = {file for file in files - sources() if ".egg-info/" not in file}
    made = {"PKG-INFO", "setup.cfg"}
    assert others - made == {"LICENSE", "MANIFEST.in", "README.md", "pyproject.toml"}
    assert sources() <= files
    second = build("wheel", again, folder / "second")
    assert zipfile.ZipFile(second).namelist() == zipfile.ZipFile(wheel).namelist()


def test_the_metadata_says_what_pyproject_says(metadata) -> None:
    said = {key: metadata[key] for key in ("Name", "Version", "Requires-Python")}
    assert said == {
        "Name": "derivative-ladder",
        "Version": PROJECT["version"],
        "Requires-Python": PROJECT["requires-python"],
    }
    assert metadata["License-Expression"] == "MIT"
    assert metadata.get_all("License-File") == ["LICENSE"]
    assert metadata.get_all("Provides-Extra") == list(EXTRAS)
    expected = [*PROJECT["dependencies"]]
    expected += [f'{need}; extra == "{extra}"' for extra, needs in EXTRAS.items() for need in needs]
    assert metadata.get_all("Requires-Dist") == expected


def test_the_readme_shows_on_an_index(metadata) -> None:
    """As Markdown, with no link that holds only inside the repository."""
    assert metadata["Description-Content-Type"] == "text/markdown"
    page = MarkdownIt("gfm-like").render(metadata.get_payload())
    assert page.count("<h2>") >= 4 and "<table>" in page
    links = re.findall(r'(?:href|src)="([^"]+)"', page)
    assert len(links) > 5
    assert [link for link in links if not re.match(r"https://|mailto:", link)] == []


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def test_the_changelog_begins_with_this_version() -> None:
    """What was done since stands before it, as Unreleased; the date is that of CITATION.cff."""
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    date = re.search(r'^date-released: "(.*)"$', citation, re.MULTILINE)[1]
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    headings = re.findall(r"^## (.*)$", changelog, re.MULTILINE)
    released = [re.fullmatch(r"\[([\d.]+)\] - (\d{4}-\d\d-\d\d)", h) for h in headings]
    assert [h for h, found in zip(headings, released) if not found] in ([], ["[Unreleased]"])
    versions = [found[1] for found in released if found]
    assert versions == sorted(versions, key=numbers, reverse=True)
    assert next(found.groups() for found in released if found) == (PROJECT["version"], date)
    assert companion.__version__ == PROJECT["version"]


def test_the_installed_package_knows_its_version(site: Path, tmp_path: Path) -> None:
    (tmp_path / "ask.py").write_text(
        "import sys, companion; print(companion.__version__, companion.__file__, len(sys.modules))"
        "\ntry: companion.version\nexcept AttributeError as error: print(error)"
    )
    said = Installed(site).run("ask.py", cwd=tmp_path).stdout.splitlines()
    assert said[0].split()[:2] == [PROJECT["version"], str(site / "companion" / "__init__.py")]
    assert said[1] == "module 'companion' has no attribute 'version'"


def test_a_bare_copy_says_that_its_version_is_unknown(site: Path, tmp_path: Path) -> None:
    (tmp_path / "companion").symlink_to(site / "companion")
    command = [sys.executable, "-S", "-c", "import companion; print(companion.__version__)"]
    done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True)
    assert done.stdout == "0+unknown\n", done.stderr


# ---------------------------------------------------------------- what each extra brings

# Each module is imported, and its examples run, under the filters of warnings that pytest has.
DOCTESTS = """\
import builtins, doctest, importlib, json, sys, warnings
modules, filters = map(json.loads, sys.argv[1:])
flags, failed = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS, 0
for line in filters:
    action, message, kind = [*line.split(":"), "", "Warning"][:3]
    warnings.filterwarnings(action, message, getattr(builtins, kind))
for name in modules:
    found = doctest.testmod(importlib.import_module(name), optionflags=flags)
    failed += found.failed
    print("tried", found.attempted, name)
sys.exit(failed > 0)
"""


def modules(room: str) -> dict[str, int]:
    """The modules of a room, each with the number of examples in its file."""
    home = ROOT / "companion" / room
    files = sorted(home.rglob("*.py") if room else home.glob("*.py"))
    names = [file.relative_to(ROOT).with_suffix("").parts for file in files]
    counts = [
        len(re.findall(r"^ *>>> (?!.*\+SKIP)", file.read_text("utf-8"), re.MULTILINE))
        for file in files
    ]
    return {".".join(name).removesuffix(".__init__"): count for name, count in zip(names, counts)}


def together() -> dict[str, list[str]]:
    """{extras: the rooms whose examples run with them}; in one process, which imports torch once."""
    rooms = ["", *(file.parent.name for file in (ROOT / "companion").glob("*/__init__.py"))]
    found: dict[str, list[str]] = {}
    for room in sorted(rooms):
        found.setdefault(EXAMPLES_NEED.get(room, ROOMS.get(room, "")), []).append(room)
    return found


def examples(
    names: list[str], extras: str, site: Path, folder: Path
) -> subprocess.CompletedProcess:
    """All examples of the docstrings of these modules, run with these extras."""
    (folder / "doctests.py").write_text(DOCTESTS, encoding="utf-8")
    filters = PYPROJECT["tool"]["pytest"]["ini_options"]["filterwarnings"]
    words = json.dumps(names), json.dumps(filters)
    return Installed(site, extras).run("doctests.py", *words, cwd=folder, MPLBACKEND="agg")


@pytest.mark.parametrize("extras", together())
def test_the_examples_of_a_room_run_with_its_extra(extras: str, site: Path, tmp_path: Path) -> None:
    counts = {name: n for room in together()[extras] for name, n in modules(room).items()}
    done = examples([*counts], extras, site, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    tried = re.findall(r"^tried (\d+) (\S+)$", done.stdout, re.MULTILINE)
    assert {name: int(count) for count, name in tried} == counts


def test_all_of_show_is_imported_with_its_extra_and_no_torch(site: Path, tmp_path: Path) -> None:
    (tmp_path / "all.py").write_text(
        "import importlib, pkgutil, sys, companion.show as room\n"
        "names = [m.name for m in pkgutil.iter_modules(room.__path__)]\n"
        "for name in names: importlib.import_module(f'companion.show.{name}')\n"
        "print(len(names), 'torch' in sys.modules)"
    )
    for extras in ("show", "book"):
        done = Installed(site, extras).run("all.py", cwd=tmp_path)
        assert done.stdout.split()[1:] == ["False"], done.stderr
    assert int(done.stdout.split()[0]) >= 8


@pytest.mark.parametrize(("room", "extra"), ROOMS.items())
def test_a_room_without_its_extra_names_the_command(
    room: str, extra: str, site: Path, tmp_path: Path
) -> None:
    (tmp_path / "enter.py").write_text(
        f"try: import companion.{room}\nexcept ImportError as error: print(error.name, error)"
    )
    said = Installed(site).run("enter.py", cwd=tmp_path).stdout
    (missing, sentence) = said.split(" ", 1)
    assert sentence == (
        f"companion.{room} needs {missing}, which is not installed here. Type:\n"
        f'    pip install "derivative-ladder[{extra}] @ '
        'git+https://github.com/derivative-ladder/derivative-ladder"\n'
    )
    assert any(re.match(rf"{missing}\b", need) for need in EXTRAS[extra])


@pytest.mark.parametrize(
    ("call", "who", "package", "extra"),
    [
        ("ledger('torch, reverse')", "The rung 'torch, reverse'", "torch", "torch"),
        ("ledger('SymPy formula')", "The rung 'SymPy formula'", "sympy", "book"),
        ("f_torch(1.0, 1.0)", "f_torch", "torch", "torch"),
    ],
)
def test_a_rung_without_its_package_names_the_command(
    call: str, who: str, package: str, extra: str, site: Path, tmp_path: Path
) -> None:
    (tmp_path / "call.py").write_text(f"from companion.show.ledger import *\n{call}")
    said = Installed(site, "show").run("call.py", cwd=tmp_path).stderr
    assert f"{who} needs {package}, which is not installed here. Type:" in said
    assert f'pip install "derivative-ladder[{extra}] @' in said


def test_a_package_that_fails_is_not_called_missing(site: Path, tmp_path: Path) -> None:
    """The error of a broken torch is shown as it is."""
    broken = tmp_path / "broken"
    (broken / "torch").mkdir(parents=True)
    (broken / "torch" / "__init__.py").write_text("import libtorch_of_another_cuda")
    (tmp_path / "enter.py").write_text(
        f"import sys; sys.path.insert(0, {str(broken)!r})\nimport companion.operators"
    )
    said = Installed(site, "torch").run("enter.py", cwd=tmp_path).stderr
    assert said.endswith("ModuleNotFoundError: No module named 'libtorch_of_another_cuda'\n")
    assert "pip install" not in said


FORGOTTEN = [
    ("torch", "psutil", "companion.operators.graphs"),
    ("torch", "torch", "companion.operators.jets"),
    ("pinn", "tqdm", "companion.pinn.networks"),
    ("pinn", "scipy", "companion.pinn.networks"),
    ("show", "matplotlib", "companion.show.curves"),
]


@pytest.mark.parametrize(("extra", "package", "module"), FORGOTTEN)
def test_a_package_left_out_of_an_extra_is_noticed(
    extra: str, package: str, module: str, site: Path, tmp_path: Path
) -> None:
    done = examples([module], extra, forgetful(site, extra, package, tmp_path / "site"), tmp_path)
    assert done.returncode
    assert f"needs {package}, which is not installed here" in done.stdout + done.stderr


def test_processes_that_a_page_starts_see_what_the_page_sees(site: Path, tmp_path: Path) -> None:
    """A process of multiprocessing finds NumPy, which the wheel brings, and not pytest, which is here too."""
    line = (
        "from multiprocessing import get_context\n"
        "for name in ('numpy', 'pytest'):\n"
        "    child = get_context('spawn').Process(target=__import__, args=(name,))\n"
        "    child.start(), child.join()\n"
        "    print(name, child.exitcode)"
    )
    done = Installed(site).run("-c", line, cwd=tmp_path)
    assert done.stdout.splitlines() == ["numpy 0", "pytest 1"]
    assert "No module named 'pytest'" in done.stderr


def test_the_planted_faults_are_all_that_an_extra_of_a_room_could_forget() -> None:
    asked = {
        (extra, re.match(r"[\w-]+", need)[0]) for extra in ROOMS.values() for need in EXTRAS[extra]
    }
    by_hand = {("pinn", "torch"), ("pinn", "psutil")}  # as in [torch]
    assert asked == {(extra, package) for extra, package, _ in FORGOTTEN} | by_hand


# ---------------------------------------------------------------- what the chapters need


@pytest.fixture(scope="module")
def needed() -> dict[str, list[str]]:
    return {chapter.stem: costs.needs(chapter) for chapter in costs.chapters()}


def test_the_extra_of_the_book_brings_what_the_chapters_import_and_no_more(needed: dict) -> None:
    brought = {re.match(r"[\w-]+", need)[0] for need in [*PROJECT["dependencies"], *EXTRAS["book"]]}
    assert brought == {package for packages in needed.values() for package in packages}


def test_the_costs_are_those_of_the_chapters_that_there_are(needed: dict) -> None:
    """Times and memory are measured now and then; names and needs always hold."""
    chapters = stored("costs")["chapters"]
    assert {name: row["needs"] for name, row in chapters.items()} == needed
    assert all(row["seconds"] >= 1 and row["MiB"] > 50 for row in chapters.values())
    assert costs.RESULT.read_text("utf-8") == costs.text(chapters)  # nobody edits it by hand


def test_the_needs_of_a_chapter_are_read_from_its_cells() -> None:
    found = costs.packages(costs.imported(ast.walk(ast.parse("import companion.show.curves, os"))))
    assert found == {"matplotlib", "numpy"}
    found = costs.packages({"companion.pinn"})
    assert found == {"numpy", "scipy", "torch", "tqdm"}


def test_a_page_without_a_measured_cost_is_refused() -> None:
    assert costs.cost("16 s to run, 485 MiB of memory at its peak (CPU)", "08") == {
        "seconds": 16,
        "MiB": 485,
    }
    with pytest.raises(
        ValueError, match="08: the built page shows no measured cost; run `make book`"
    ):
        costs.cost("not measured", "08")
