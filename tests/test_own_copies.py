"""make lab: a reader's notebooks are never written over; Binder's lists are the project's own."""

import tomllib
from pathlib import Path

import pytest

from tools.binder import requirements, runtime
from tools.own_copies import copy_missing

ROOT = Path(__file__).parent.parent


def test_an_edited_copy_stays_and_a_deleted_one_comes_back(tmp_path: Path) -> None:
    built, own = tmp_path / "built", tmp_path / "own"
    built.mkdir()
    for name in ("01_a.ipynb", "02_b.ipynb"):
        (built / name).write_text("fresh")
    assert copy_missing(built, own) == ["01_a.ipynb", "02_b.ipynb"]
    (own / "01_a.ipynb").write_text("mine")
    (own / "02_b.ipynb").unlink()
    assert copy_missing(built, own) == ["02_b.ipynb"]
    assert (own / "01_a.ipynb").read_text() == "mine"
    assert (own / "02_b.ipynb").read_text() == "fresh"


def test_without_notebooks_it_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(
        SystemExit, match=r"^no notebooks are in .*; make them with: make notebooks$"
    ):
        copy_missing(tmp_path, tmp_path / "own")


def test_binder_installs_what_the_project_lists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    *pins, package = requirements("0123abc").splitlines()
    assert package.endswith("@0123abc") and package.startswith(
        "derivative-ladder[book] @ git+https://"
    )
    assert set(pins) <= set((ROOT / "requirements.txt").read_text().splitlines())
    asked = {need.split(">=")[0] for need in project["optional-dependencies"]["book"]}
    assert asked <= {pin.split("==")[0] for pin in pins}
    assert project["requires-python"].endswith(runtime().strip().removeprefix("python-"))
