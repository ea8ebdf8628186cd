"""What the readme and the first page promise is true: each example runs for someone who typed the command
above it, and the files that they name exist.

The commands install from the repository; here its wheel is built, and what the extra does not bring is hidden.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.wheel import Installed, build, copy, forgetful, unpacked

ROOT = Path(__file__).parent.parent
PAGES = ["README.md", "chapters/index.md"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = ["", *PROJECT["optional-dependencies"]]
REPOSITORY = "https://github.com/derivative-ladder/derivative-ladder"
BOOK = "https://derivative-ladder.github.io/derivative-ladder/"
INSTALL = re.compile(rf'pip install "derivative-ladder(?:\[([\w,]+)\])? @ git\+{REPOSITORY}"')
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# Each file of examples has a process, forked from one that has torch where the extra brings it.
DOCTESTS = """\
import doctest, importlib.util, os, sys
from pathlib import Path
if importlib.util.find_spec("torch"):
    import torch
status = 0
for name in sys.argv[1:]:
    if os.fork() == 0:
        page = doctest.DocTestParser().get_doctest(Path(name).read_text("utf-8"), {}, name, None, 0)
        assert page.examples
        failed = doctest.DocTestRunner().run(page).failed
        sys.stdout.flush()
        os._exit(failed > 0)
    status |= os.wait()[1]
    print(end="\\f", flush=True)
sys.exit(status > 0)
"""


@dataclass(frozen=True)
class Door:
    """What a page says to type for an extra, and what works then."""

    page: str
    extra: str
    examples: str  # the lines of all examples up to the next command
    modules: tuple[str, ...]  # what is run as python -m


def doors(page: str) -> Iterator[Door]:
    """The commands of a page that install the package, each with the examples that follow it."""
    extra, examples, programs = None, "", []
    for language, text in BLOCK.findall((ROOT / page).read_text("utf-8")):
        if found := INSTALL.search(text):
            if extra is not None:
                yield Door(page, extra, examples, tuple(programs))
            extra, examples, programs = found[1] or "", "", []
        if language == "pycon":
            assert extra is not None, f"{page}: an example stands before the first command: {text}"
            examples += text
        programs += re.findall(r"^python -m (\w+)$", text, re.MULTILINE)
    assert extra is not None, f"{page} says nowhere how to install"
    yield Door(page, extra, examples, tuple(programs))


DOORS = [door for page in PAGES for door in doors(page)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the wheel is installed."""
    folder = tmp_path_factory.mktemp("readme")
    return unpacked(build("wheel", copy(folder / "tree"), folder / "dist"), folder / "site")


def opens(extra: str, site: Path, folder: Path) -> list[str]:
    """What goes wrong, in each example or program, for who types what the pages say: "" where nothing does."""
    python, doors = Installed(site, extra), [door for door in DOORS if door.extra == extra]
    assert all(door.examples or door.modules for door in doors), f"nothing follows [{extra}]"
    texts = {door.examples: door.page.replace("/", "-") for door in doors if door.examples}
    programs = dict.fromkeys(name for door in doors for name in door.modules)
    found = [python.run("-m", name, cwd=folder, MPLBACKEND="agg") for name in programs]
    said = [run.stdout + run.stderr if run.returncode else "" for run in found]
    if texts:
        (folder / "doctests.py").write_text(DOCTESTS, encoding="utf-8")
        for text, name in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        run = python.run("doctests.py", *texts.values(), cwd=folder, MPLBACKEND="agg")
        said += run.stdout.split("\f")[: len(texts)]
        assert bool(run.returncode) == any(said), run.stderr
    return said


@pytest.mark.parametrize("page", PAGES)
def test_every_extra_has_its_command(page: str) -> None:
    assert [door.extra for door in doors(page)] == EXTRAS


@pytest.mark.parametrize("extra", EXTRAS)
def test_what_follows_a_command_works_after_it(extra: str, site: Path, tmp_path: Path) -> None:
    said = opens(extra, site, tmp_path)
    assert said and not any(said), "".join(said)


@pytest.mark.parametrize(
    ("extra", "package"), [("torch", "torch"), ("pinn", "scipy"), ("show", "matplotlib")]
)
def test_an_extra_that_forgets_a_package_is_noticed(
    extra: str, package: str, site: Path, tmp_path: Path
) -> None:
    site = forgetful(site, extra, package, tmp_path / "site")
    for said in opens(extra, site, tmp_path):
        assert f"needs {package}, which is not installed here" in said
        assert f'pip install "derivative-ladder[{extra}] @' in said


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"])
def test_the_files_that_are_named_exist(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    links = re.findall(r'(?:\]\(|src=")(?!https?:)([^)"#]+)', text)
    links += re.findall(rf"{REPOSITORY}/blob/main/([^)#]+)", text)
    links += [f"chapters/{path}" for path in re.findall(rf'{BOOK}(_static/[^)"]+)', text)]
    folders = re.findall(r"`([a-z_]+/)`", text)
    tools = re.findall(r"\b(?:tools|tests|companion|chapters)/[a-z_/]+\.(?:py|md|bib|txt)", text)
    missing = [name for name in {*links, *folders, *tools} if not (ROOT / name).exists()]
    assert missing == []
    pages = set(re.findall(rf"{BOOK}(chapters/\w+)\.html", text))
    assert pages <= set((ROOT / "tests" / "site" / "published.txt").read_text("utf-8").split())


def test_the_targets_of_make_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    pages = [ROOT / page for page in [*PAGES, "CONTRIBUTING.md"]]
    # `make lab` in a sentence, or at the start of a line of a block
    named = {
        name
        for page in pages
        for name in re.findall(r"(?:`|^)make ([a-z]+)", page.read_text("utf-8"), re.MULTILINE)
    }
    assert {"book", "test"} <= named <= targets
