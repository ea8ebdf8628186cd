"""The types of the public API: complete, true for the checker, and of use to who imports it."""

import ast
import doctest
import importlib
import inspect
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
PAGE = "".join(
    (ROOT / "chapters" / f"{name}.md").read_text("utf-8") for name in ("api", "api_pinn")
)
ROOMS = re.findall(r"^\.\. automodule:: (\S+)$", PAGE, re.MULTILINE)
STUBBED = "companion.series"  # imports nothing, typing included: its types are in a stub
PROGRAM = ROOT / "tests" / "typed_program.py"
CACHE = ROOT / "_build" / "mypy"  # one for all, so that NumPy and torch are read once
ERROR = re.compile(r"^(?P<file>[^:]+):(?P<line>\d+): error: .*\[(?P<code>[\w-]+)\]$")


def run(*command: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", *map(str, command)], cwd=cwd, text=True, capture_output=True
    )


# ---------------------------------------------------------------- everything public is annotated


def functions(module: ModuleType) -> dict:
    """The public functions and methods that a module defines, by name."""
    found = {}
    for name, thing in vars(module).items():
        if name.startswith("_") or getattr(thing, "__module__", "") != module.__name__:
            continue
        if inspect.isclass(thing):
            found |= {f"{name}.{key}": f for key, f in methods(thing).items()}
        elif inspect.isfunction(thing):
            found[name] = thing
    return found


def methods(cls: type) -> dict:
    """The methods written in the body of a class that are public, properties and dunders too."""
    found, file = {}, sys.modules[cls.__module__].__file__
    for name, thing in vars(cls).items():
        f = thing.fget if isinstance(thing, property) else getattr(thing, "__func__", thing)
        written = inspect.isfunction(f) and f.__qualname__ == f"{cls.__qualname__}.{name}"
        here = written and f.__code__.co_filename == file  # not made by dataclass
        hidden = name.startswith("_") and not name.startswith("__")
        if here and not hidden:
            found[name] = f
    return found


def gaps(f) -> list[str]:
    """The parameters of a function without a type, and "return"."""
    signature = inspect.signature(f)
    empty = inspect.Signature.empty
    found = [p.name for p in signature.parameters.values() if p.annotation is empty]
    found = [name for name in found if name not in ("self", "cls")]
    return found + ["return"] * (signature.return_annotation is empty)


@pytest.mark.parametrize("room", [room for room in ROOMS if room != STUBBED])
def test_every_public_function_and_method_is_annotated(room: str) -> None:
    found = functions(importlib.import_module(room))
    assert {name: gaps(f) for name, f in found.items() if gaps(f)} == {}


def test_most_of_the_public_names_are_looked_at() -> None:
    counts = [len(functions(importlib.import_module(room))) for room in ROOMS]
    assert sum(counts) > 250


PLANTED = """
from dataclasses import dataclass
def f(x, n: int): ...
def _private(x): ...
@dataclass(frozen=True)
class C:
    n: int
    def method(self, *xs: float, **options) -> None: ...
    @property
    def size(self): ...
    @staticmethod
    def make(x: int) -> None: ...
"""


def test_an_annotation_that_is_missing_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "planted.py").write_text(PLANTED)
    monkeypatch.syspath_prepend(tmp_path)
    found = {n: gaps(f) for n, f in functions(importlib.import_module("planted")).items()}
    del sys.modules["planted"]
    assert found == {
        "f": ["x", "return"],
        "C.method": ["options"],
        "C.size": ["return"],
        "C.make": [],
    }


def untyped(stub: str) -> list[str]:
    """The functions of a stub with a parameter or a return without a type."""
    defs = [node for node in ast.walk(ast.parse(stub)) if isinstance(node, ast.FunctionDef)]
    return [
        f.name
        for f in defs
        if f.returns is None or any(a.annotation is None and a.arg != "self" for a in f.args.args)
    ]


def test_the_stub_of_the_series_is_complete_and_agrees_with_the_file() -> None:
    assert untyped((ROOT / "companion" / "series.pyi").read_text("utf-8")) == []
    done = run("mypy.stubtest", STUBBED, "--mypy-config-file", "pyproject.toml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stub_without_a_type_is_noticed() -> None:
    stub = "def f(x, n: int) -> int: ...\ndef g(x: int): ...\ndef h(x: int) -> int: ...\n"
    assert untyped(stub) == ["f", "g"]


# ---------------------------------------------------------------- the checker


def test_the_checker_finds_nothing_in_the_companion() -> None:
    done = run("mypy")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("def f(x: int) -> str:\n    return x\n", "return-value"),
        ("def f(x: int, y) -> int:\n    return x\n", "no-untyped-def"),
        ("def f(x):\n    return abs('x')\n", "arg-type"),
        ("x: int = 1  # type: ignore\n", "unused-ignore"),
    ],
)
def test_the_settings_of_the_checker_see_a_fault(tmp_path: Path, fault: str, code: str) -> None:
    (tmp_path / "fault.py").write_text(fault)
    config = ROOT / "pyproject.toml"
    done = run("mypy", "--config-file", config, "--cache-dir", CACHE, "fault.py", cwd=tmp_path)
    assert [hit["code"] for hit in map(ERROR.match, done.stdout.splitlines()) if hit] == [code]


# ---------------------------------------------------------------- what a user of the package sees


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment where the companion is installed, beside what it needs."""
    home = tmp_path_factory.mktemp("user") / "env"
    venv.create(home, symlinks=True)
    inside = {"base": str(home), "platbase": str(home)}
    site = Path(sysconfig.get_path("purelib", "venv", vars=inside))
    (site / "here.pth").write_text(f"{ROOT}\n{sysconfig.get_path('purelib')}\n")
    return Path(sysconfig.get_path("scripts", "venv", vars=inside)) / "python"


def reported(python: Path, program: Path) -> set[tuple[int, str]]:
    """(line, code) of every error that a user sees in a program, in a folder of its own."""
    options = ["--config-file", ROOT / "pyproject.toml", "--cache-dir", CACHE]
    options += ["--python-executable", python]
    done = run("mypy", *options, program.name, cwd=program.parent)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    hits = [hit for hit in map(ERROR.match, done.stdout.splitlines()) if hit]
    assert f"Found {len(hits)} error" in done.stdout or "no issues" in done.stdout, done.stdout
    assert {hit["file"] for hit in hits} <= {program.name}, done.stdout
    return {(int(hit["line"]), hit["code"]) for hit in hits}


def test_right_uses_are_accepted_and_wrong_ones_reported(python: Path, tmp_path: Path) -> None:
    text = PROGRAM.read_text("utf-8")
    (tmp_path / PROGRAM.name).write_text(text, "utf-8")
    marks = [re.search(r"# wrong: ([\w-]+)$", line) for line in text.splitlines()]
    wrong = {(line, mark[1]) for line, mark in enumerate(marks, 1) if mark}
    assert len(wrong) > 30
    assert reported(python, tmp_path / PROGRAM.name) == wrong


@pytest.mark.parametrize("page", ["README.md", "chapters/index.md"])
def test_the_examples_of_a_page_are_accepted(python: Path, tmp_path: Path, page: str) -> None:
    blocks = re.findall(r"```pycon\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    examples = doctest.DocTestParser().get_examples("\n".join(blocks))
    assert examples
    program = tmp_path / "program.py"
    program.write_text("".join(example.source for example in examples), "utf-8")
    # one session of several examples: x may be another thing in the next
    assert reported(python, program) == set()
