"""python -m companion: what it says of a whole environment, a bare one, an old package, another companion."""

import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from companion import __main__ as doctor
from companion._project import command, installed, requirements, source, version
from companion.data import stored
from tools.wheel import Installed, build, copy, unpacked

ROOT = Path(__file__).parent.parent
CHAPTERS = stored("costs")["chapters"]
KEYS = "companion python platform packages extras device compiler chapters faults"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("doctor")
    return unpacked(build("wheel", copy(folder / "tree"), folder / "dist"), folder / "site")


def asked(python: Installed, folder: Path, **environment: str) -> tuple[int, dict]:
    """The exit status and the report of `python -m companion --json`."""
    done = python.run("-m", "companion", "--json", cwd=folder, **environment)
    assert not done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)


# ---------------------------------------------------------------- what is here


def test_numpy_alone_is_not_broken(site: Path, tmp_path: Path) -> None:
    status, report = asked(Installed(site), tmp_path)
    assert (status, report["faults"]) == (0, [])
    assert " ".join(report) == KEYS
    states = {name: row["state"] for name, row in report["packages"].items()}
    assert {name for name, state in states.items() if state == "ok"} == {"numpy"}
    assert {state for name, state in states.items() if name != "numpy"} == {"absent"}
    assert report["extras"]["show"] == {"complete": False, "missing": ["matplotlib"]}
    assert report["device"] == {"chosen": "", "seen": [], "error": ""}
    assert list(report["chapters"]) == list(CHAPTERS)
    assert not any(row["runs"] for row in report["chapters"].values())  # each draws
    assert report["chapters"]["01_finite_differences"]["missing"] == ["matplotlib"]


def test_the_book_runs_with_the_extra_of_the_book(site: Path, tmp_path: Path) -> None:
    status, report = asked(Installed(site, "book"), tmp_path, COMPANION_DEVICE="cpu")
    assert (status, report["faults"]) == (0, [])
    assert all(row["complete"] for row in report["extras"].values())
    assert all(row["runs"] for row in report["chapters"].values())
    assert report["device"]["chosen"] == "cpu" and report["device"]["seen"][0] == "cpu"
    costs = {
        name: {key: row[key] for key in ("seconds", "MiB")}
        for name, row in report["chapters"].items()
    }
    assert costs == {
        name: {k: row[k] for k in ("seconds", "MiB")} for name, row in CHAPTERS.items()
    }


@pytest.mark.parametrize("extra", ["pinn", "show"])
def test_an_extra_is_complete_after_its_command(extra: str, site: Path, tmp_path: Path) -> None:
    status, report = asked(Installed(site, extra), tmp_path, COMPANION_DEVICE="cpu")
    assert status == 0
    assert report["extras"][extra] == {"complete": True, "missing": []}
    assert not report["extras"]["book"]["complete"]


def test_the_words_name_versions_bounds_commands_and_costs(site: Path, tmp_path: Path) -> None:
    said = Installed(site, "show").run("-m", "companion", cwd=tmp_path).stdout
    assert re.search(r"^The Derivative Ladder \d+\.\d+\.\d+, ", said)
    assert re.search(r"^numpy +\d[\d.]+ +>=[\d.]+ +ok$", said, re.MULTILINE)
    assert re.search(r"^torch +– +>=[\d.]+ +absent$", said, re.MULTILINE)
    assert f"lacks psutil torch: {command('torch')}\n" in said
    assert re.search(r"^\[show\] +complete$", said, re.MULTILINE)
    assert re.search(r"^01_finite_differences +\d+ s +\d+ MiB +runs$", said, re.MULTILINE)
    assert re.search(r"^02_symbolic +\d+ s +\d+ MiB +needs sympy$", said, re.MULTILINE)
    run = [name for name, row in CHAPTERS.items() if {*row["needs"]} <= {"matplotlib", "numpy"}]
    assert f"{len(run)} of {len(CHAPTERS)} chapters run here" in said
    assert "device    none: torch cannot be used here\n" in said
    assert said.endswith("\nNothing is broken.\n")


def test_the_keys_are_those_that_are_documented() -> None:
    documented = re.findall(r"^(\w+) {2,}\S", inspect.getdoc(doctor.examine), re.MULTILINE)
    assert " ".join(documented) == KEYS


def test_the_help_documents_the_keys(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit, match="0"):
        doctor.main(["--help"])
    assert inspect.getdoc(doctor.examine) in capsys.readouterr().out


def test_a_checkout_is_its_own_authority() -> None:
    """Not what happens to be installed beside it."""
    assert source()["version"] == version()
    assert installed() is None
    assert requirements()[0] == f"python{source()['requires-python']}"


# ---------------------------------------------------------------- what is broken


def planted(folder: Path, name: str, release: str, code: str = "") -> Path:
    """A folder with a package of that name and version, to be found first."""
    package, info = folder / "planted" / name, folder / "planted" / f"{name}-{release}.dist-info"
    for made in (package, info):
        made.mkdir(parents=True)
    (package / "__init__.py").write_text(code)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {release}\n")
    (info / "RECORD").write_text(f"{name}/__init__.py,,\n{info.name}/METADATA,,\n")
    return folder / "planted"


def first(python: Installed, folder: Path) -> Installed:
    """The same, with another folder in front of all, and all that lies in it."""
    names = {file.name.partition("-")[0] for file in folder.iterdir()}
    python.specification["path"].insert(0, str(folder))
    for kind in ("modules", "distributions"):
        python.specification[kind] = sorted({*python.specification[kind], *names})
    return python


@pytest.mark.parametrize(
    ("release", "code", "fault"),
    [
        ("3.0.1", "", r"matplotlib 3\.0\.1 is here, matplotlib>=3[\d.]* is expected"),
        ("3.10.0rc1", "", None),
        ("3.10.0", "import gone", "matplotlib is installed but cannot be imported: "
         "ModuleNotFoundError: No module named 'gone'"),
        ("3.10.0", "raise OSError('libfoo.so: no such file')", "matplotlib is installed but cannot "
         r"be imported: OSError: libfoo\.so: no such file"),
    ],
    ids=["old", "new", "needs another", "no library"],
)  # fmt: skip
def test_an_old_or_broken_package_is_a_fault(
    release: str, code: str, fault: str | None, site: Path, tmp_path: Path
) -> None:
    python = first(Installed(site), planted(tmp_path, "matplotlib", release, code))
    status, report = asked(python, tmp_path)
    assert status == (fault is not None)
    assert len(report["faults"]) == status
    if fault:
        assert re.fullmatch(fault, report["faults"][0])
        assert report["extras"]["show"]["missing"] == ["matplotlib"]
        assert (
            f"BROKEN: {report['faults'][0]}" in python.run("-m", "companion", cwd=tmp_path).stdout
        )


def test_a_torch_too_old_for_the_operators_is_reported_and_no_crash(
    site: Path, tmp_path: Path
) -> None:
    code = """
class cuda: device_count = staticmethod(lambda: 0)
class backends:
    class mps: is_available = staticmethod(lambda: False)
"""
    python = first(Installed(site), planted(tmp_path, "torch", "1.0", code))
    status, report = asked(python, tmp_path)
    assert status == 1
    assert re.fullmatch(r"torch 1\.0 is here, torch>=[\d.]+ is expected", report["faults"][0])
    assert report["device"]["seen"] == ["cpu"] and report["device"]["error"]


def test_a_device_that_is_not_there_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("COMPANION_DEVICE", "cuda:99")
    assert doctor.main(["--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["device"]["chosen"] == ""
    (fault,) = report["faults"]
    assert "COMPANION_DEVICE is 'cuda:99', but torch" in fault


@pytest.fixture
def own(site: Path, tmp_path: Path) -> Path:
    """An installation of one's own, to be damaged."""
    subprocess.run(["cp", "-r", str(site), str(tmp_path / "own")], check=True)
    return tmp_path / "own"


def other_companion(own: Path) -> None:
    """What installing the other distribution of that name leaves behind."""
    info = own / "companion-0.0.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: companion\nVersion: 0.0.2\n")
    (info / "RECORD").write_text("companion/__init__.py,,\ncompanion/utils.py,,\n")
    (own / "companion" / "utils.py").write_text("")


def with_the_other(own: Path) -> Installed:
    python = Installed(own)
    python.specification["distributions"].append("companion")
    return python


def test_another_companion_is_named_even_where_ours_won(own: Path, tmp_path: Path) -> None:
    other_companion(own)
    status, report = asked(with_the_other(own), tmp_path)
    assert status == 1
    (fault,) = report["faults"]
    assert "another distribution brings a package companion too: companion 0.0.2." in fault
    assert "    pip uninstall companion\n    pip install --force-reinstall --no-deps " in fault


def test_another_companion_that_overwrote_ours_is_named(own: Path, tmp_path: Path) -> None:
    other_companion(own)
    (own / "companion" / "__init__.py").write_text("")
    status, report = asked(with_the_other(own), tmp_path)
    assert status == 1
    assert "companion 0.0.2" in report["faults"][0]
    assert (
        "not as derivative-ladder installed it: companion/__init__.py; type" in report["faults"][1]
    )


def test_a_file_that_is_gone_is_named(own: Path, tmp_path: Path) -> None:
    (own / "companion" / "show" / "runs.py").unlink()
    status, report = asked(Installed(own), tmp_path)
    assert status == 1
    assert report["faults"][0].startswith(
        "not as derivative-ladder installed it: companion/show/runs.py; type\n    pip install"
    )


def test_a_copy_in_front_of_the_installed_one_is_named(own: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    subprocess.run(["cp", "-r", str(own / "companion"), str(tmp_path / "copy")], check=True)
    python = first(Installed(own), tmp_path / "copy")
    status, report = asked(python, tmp_path)
    assert status == 1
    assert report["faults"] == [
        f"{tmp_path / 'copy' / 'companion'} is imported, but derivative-ladder is installed in "
        f"{own / 'companion'}"
    ]


def test_a_bare_copy_is_named(own: Path, tmp_path: Path) -> None:
    (info,) = own.glob("*.dist-info")
    python = Installed(own)
    info.rename(tmp_path / "elsewhere")
    python.specification["distributions"].remove("derivative-ladder")
    status, report = asked(python, tmp_path)
    assert status == 1
    assert report["companion"]["version"] == "0+unknown"
    assert "is a bare copy: neither pyproject.toml beside it nor" in report["faults"][0]


# ---------------------------------------------------------------- the parts


@pytest.mark.parametrize(
    "line",
    ['numpy>=2; sys_platform == "win32"', "numpy~=2.0", "numpy @ file:///x", "numpy>=2.0rc1"],
)
def test_a_requirement_in_another_form_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"cannot read the requirement .* expected a name, bounds"):
        doctor.parse(line)


@pytest.mark.parametrize(
    ("version", "bounds", "fits"),
    [
        ("2.4", ">=2.4", True),
        ("2.4.0", ">=2.4", True),
        ("2.13.0+cpu", ">=2.4", True),  # numbers, not letters
        ("2.3.9", ">=2.4", False),
        ("2", ">=2.0.1", False),
        ("3.0", ">=2,<3", False),
        ("2.9", ">=2,<3", True),
        ("3.8.0", ">=3.8,!=3.8.0", False),
        ("", ">=1", False),
        ("unknown", ">=1", False),
        ("", "", True),
    ],
)
def test_bounds(version: str, bounds: str, fits: bool) -> None:
    assert doctor.within(version, bounds) is fits


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for the compiler")
def test_the_compiler_is_the_one_that_cxx_names(monkeypatch, tmp_path: Path) -> None:
    compiler = tmp_path / "c++"
    compiler.write_text("#!/bin/sh\necho 'c++ (planted) 7.0'\necho more\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    assert doctor.compiler() == {"command": str(compiler), "version": "c++ (planted) 7.0"}
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert doctor.compiler() == {"command": "no-such-compiler", "version": ""}
    assert "not found; compiled= needs a C++ compiler" in doctor.compiler_line(doctor.compiler())


def test_the_checkout_answers_too() -> None:
    """As `python -m companion` is typed by those who work on it."""
    environment = {**os.environ, "COMPANION_DEVICE": "cpu"}
    done = subprocess.run(
        [sys.executable, "-m", "companion", "--json"],
        cwd=ROOT,
        env=environment,
        text=True,
        capture_output=True,
    )
    report = json.loads(done.stdout)
    assert (done.returncode, report["faults"]) == (0, [])
    assert report["companion"]["where"] == str(ROOT / "companion")
