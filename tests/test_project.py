"""The project's own files: pins, metadata, workflows, style, and what they must not say."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import metadata
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from tools.oldest import oldest

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
PINS = (ROOT / "requirements.txt").read_text().splitlines()


def run(*command: str | Path) -> subprocess.CompletedProcess:
    return subprocess.run([*map(str, command)], cwd=ROOT, text=True, capture_output=True)


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


# ---------------------------------------------------------------- the environment


def test_every_version_is_pinned() -> None:
    unpinned = [line for line in PINS if not re.fullmatch(r"[\w.-]+==[\w.]+", line)]
    assert not unpinned, f"want NAME==VERSION, without hash or local version: {unpinned}"


def test_the_pins_leave_gpu_packages_to_torch() -> None:
    assert "torch==2.13.0" in PINS
    assert not [line for line in PINS if re.match(r"nvidia|cuda|triton", line)]


def test_every_package_asked_for_is_pinned() -> None:
    lines = (ROOT / "requirements.in").read_text().splitlines()
    asked = {normalised(line.split("==")[0]) for line in lines if line and line[0] != "#"}
    pinned = {normalised(line.split("==")[0]) for line in PINS}
    assert asked <= pinned, f"run `make lock`: {sorted(asked - pinned)}"
    exact = {line for line in lines if "==" in line and line[0] != "#"}
    assert exact <= set(PINS), f"run `make lock`: {sorted(exact - set(PINS))}"


def test_the_companion_asks_for_packages_loosely() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    needs = [*project["dependencies"], *(need for extra in extras for need in extra)]
    assert [need for need in project["dependencies"] if not need.startswith("numpy>=")] == []
    assert not [need for need in needs if "==" in need]


def refused(pins: list[str], python: str) -> list[str]:
    """The pinned packages that do not install on this version of Python, by their own word."""
    needs = {pin: metadata(pin.split("==")[0]).get("Requires-Python") or "" for pin in pins}
    return [pin for pin, need in needs.items() if python not in SpecifierSet(need)]


def test_the_pins_install_on_the_first_release_of_the_oldest_python() -> None:
    floor = tomllib.loads(PYPROJECT)["project"]["requires-python"].removeprefix(">=")
    assert refused(PINS, f"{floor}.0") == [], "pin older ones in requirements.in, then `make lock`"


def test_a_pin_that_an_old_python_cannot_have_is_found() -> None:
    assert refused(PINS, "3.10.0")


# ---------------------------------------------------------------- bounds

PYPROJECT = (ROOT / "pyproject.toml").read_text()
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]


def test_the_oldest_versions_are_those_of_pyproject() -> None:
    done = run(sys.executable, "tools/oldest.py")
    assert done.stdout.splitlines() == oldest(PYPROJECT) and "numpy==2" in oldest(PYPROJECT)
    raised = oldest(PYPROJECT.replace("scipy>=1.15", "scipy>=1.16"))
    assert "scipy==1.16" in raised and set(oldest(PYPROJECT)) - set(raised) == {"scipy==1.15"}


def test_the_pins_are_within_the_bounds() -> None:
    pins = dict(line.split("==") for line in PINS)
    for name, bound in (line.split("==") for line in oldest(PYPROJECT)):
        assert numbers(pins[name]) >= numbers(bound), name


@pytest.mark.parametrize("need", ["numpy", "numpy<3", "numpy==2.0", "numpy>=2,<3"])
def test_a_need_without_a_lower_bound_is_refused(need: str) -> None:
    with pytest.raises(ValueError, match="a need is written name>=version"):
        oldest(f'[project]\ndependencies = ["{need}"]')


def test_a_package_with_two_bounds_is_refused() -> None:
    with pytest.raises(ValueError, match=r"scipy has two bounds, 1\.14 and 1\.15"):
        oldest(PYPROJECT.replace("scipy>=1.15", "scipy>=1.14", 1))


def test_the_workflow_runs_the_oldest_the_pinned_and_the_newest() -> None:
    jobs = WORKFLOW["jobs"]
    assert jobs["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    ways = {
        (case["versions"], case["python"])
        for case in jobs["bounds"]["strategy"]["matrix"]["include"]
    }
    assert ways == {("oldest", "3.11"), *(("newest", p) for p in ("3.11", "3.12", "3.13"))}
    steps = {step["name"]: step for step in jobs["bounds"]["steps"] if "name" in step}
    first = steps["Install the oldest versions that pyproject.toml allows"]["run"]
    assert "python tools/oldest.py > oldest.txt" in first and "--requirement oldest.txt" in first
    assert "make rooms" in steps["Run the tests of the rooms"]["run"]
    assert WORKFLOW[True]["schedule"]  # YAML reads `on` as true


# ---------------------------------------------------------------- metadata


def test_versions_agree() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()


FORMS = ["bug", "idea", "mistake"]


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.citation-file-format", ["CITATION.cff"]),
        ("vendor.github-workflows", [".github/workflows/test.yml", ".github/workflows/book.yml"]),
        ("vendor.github-issue-forms", [f".github/ISSUE_TEMPLATE/{name}.yml" for name in FORMS]),
        ("vendor.github-issue-config", [".github/ISSUE_TEMPLATE/config.yml"]),
    ],
)
def test_files_for_other_programs_are_valid(schema: str, files: list[str]) -> None:
    options = ["--force-filetype", "yaml", "--builtin-schema", schema]
    done = run(BIN / "check-jsonschema", *options, *files)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_workflow_is_checked() -> None:
    workflows = sorted(file.name for file in (ROOT / ".github" / "workflows").iterdir())
    assert workflows == ["book.yml", "test.yml"]


def test_every_issue_form_is_checked_and_a_fault_is_reported_with_the_doctor() -> None:
    folder = ROOT / ".github" / "ISSUE_TEMPLATE"
    assert sorted(file.stem for file in folder.iterdir()) == sorted([*FORMS, "config"])
    assert "python -m companion --json" in (folder / "bug.yml").read_text("utf-8")


def test_every_room_of_the_companion_has_its_place_on_the_pages_of_the_api() -> None:
    page = "".join((ROOT / "chapters" / f"{name}.md").read_text() for name in ("api", "api_pinn"))
    rooms = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for file in (ROOT / "companion").rglob("[!_]*.py")
    } - {"companion.show.layout"}  # works behind tape_graph; no reader calls it
    rooms = {
        room for room in rooms if not re.match(r"companion\.practice\.ch\d", room)
    }  # for check
    assert set(re.findall(r"^\.\. automodule:: (\S+)$", page, re.MULTILINE)) == rooms


# ---------------------------------------------------------------- style


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "."],
        ["format", "--check"]
        + "companion conformance tests tools benchmarks experiments _ext".split(),
    ],
    ids=["lint", "format"],
)
def test_ruff_finds_nothing(arguments: list[str]) -> None:
    done = run(BIN / "ruff", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr


# The place of this checkout, and where packages come from: a clone elsewhere has others.
FORBIDDEN = re.compile(rf"--(?:extra-)?index-url|--find-links|{re.escape(str(ROOT))}/")


def tracked_files() -> list[Path]:
    listed = run("git", "ls-files", "-z")
    if listed.returncode:
        pytest.skip("not a git checkout, so what is tracked is not known")
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def test_no_file_speaks_of_one_machine() -> None:
    texts = [f for f in tracked_files() if f.is_file() and f != Path(__file__).resolve()]
    found = [
        f"{file.relative_to(ROOT)}: {hit[0]}"
        for file in texts
        for hit in FORBIDDEN.finditer(file.read_text(encoding="utf-8", errors="replace"))
    ]
    assert not found, "\n".join(found)
