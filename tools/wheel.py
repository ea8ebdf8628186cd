"""The wheel and the sdist of this checkout, and Python as it is for someone who installed that wheel.

`Installed(wheel, extra).run(...)` starts an interpreter that has the wheel, what NumPy alone or an extra brings
along by the metadata of the wheel and of what is installed here, and nothing else: see hidden.py.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterable
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, PathDistribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
NOT_THE_SOURCE = shutil.ignore_patterns(
    "_build",
    "notebooks",
    "build",
    "dist",
    ".venv*",
    ".git",
    ".*_cache",
    ".hypothesis",
    "__pycache__",
    "*.egg-info",
)
BUILD = (
    "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"
)


def copy(to: Path) -> Path:
    """A copy of the checkout without what was built."""
    return shutil.copytree(ROOT, to, ignore=NOT_THE_SOURCE, symlinks=True)


def build(what: str, tree: Path, to: Path) -> Path:
    """The "wheel" or "sdist" of a source tree, made by setuptools of this environment, offline."""
    to.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", BUILD, f"build_{what}", str(to)]
    done = subprocess.run(command, cwd=tree, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = to.glob("*.whl" if what == "wheel" else "*.tar.gz")
    return made


def unpacked(wheel: Path, to: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(to)
    return to


def forgetful(site: Path, extra: str, package: str, to: Path) -> Path:
    """An unpacked wheel as it would be if pyproject.toml left a package out of an extra."""
    info = next(site.glob("*.dist-info"))
    (to / info.name).mkdir(parents=True)
    (to / "companion").symlink_to(site / "companion")
    need = rf'^Requires-Dist: {package}\b.*extra == "{extra}"\n'
    text, count = re.subn(need, "", (info / "METADATA").read_text("utf-8"), flags=re.MULTILINE)
    assert count == 1, f"[{extra}] does not ask for {package}"
    (to / info.name / "METADATA").write_text(text, encoding="utf-8")
    return to


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


here = cache(distribution)  # so that the metadata of what is installed here are read once


def closure(of: Distribution, extras: set[str]) -> dict[str, Distribution]:
    """All distributions that installing this one with these extras brings, by name."""
    found, todo = {normal(of.metadata["Name"]): of}, [(of, frozenset(extras))]
    seen = set()
    while todo:
        dist, wanted = todo.pop()
        if (normal(dist.metadata["Name"]), wanted) in seen:
            continue
        seen.add((normal(dist.metadata["Name"]), wanted))
        for need in map(Requirement, dist.requires or []):
            asked = [{"extra": extra} for extra in [*wanted, ""]]
            if need.marker and not any(map(need.marker.evaluate, asked)):
                continue
            try:
                needed = here(need.name)
            except PackageNotFoundError:
                continue  # what this environment does without, the examples do without too
            found.setdefault(normal(need.name), needed)
            todo.append((needed, frozenset(need.extras)))
    return found


@cache
def modules(dist: Distribution) -> set[str]:
    """The names at the top that a distribution brings."""
    files = [file for file in dist.files or [] if file.suffix in {".py", ".so", ".pyd"}]
    return {file.parts[0].partition(".")[0] for file in files}


class Installed:
    """Python for someone who installed this wheel with these extras ("", "torch", "pinn,show").

    beside: other distributions that were installed, too.
    """

    def __init__(self, site: Path, extras: str = "", beside: Iterable[str] = ()):
        (info,) = site.glob("derivative_ladder-*.dist-info")
        brought = closure(PathDistribution(info), set(filter(None, extras.split(","))))
        for name in beside:
            brought |= closure(here(name), set())
        folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        self.site, self.extras = site, extras
        self.specification = {
            "path": [str(site), *sorted(folders)],
            "modules": sorted({"companion"}.union(*map(modules, brought.values()))),
            "distributions": sorted(brought),
        }

    @property
    def command(self) -> list[str]:
        """What a program and its arguments are appended to."""
        hidden = str(Path(__file__).with_name("hidden.py"))
        return [sys.executable, "-I", "-S", hidden, json.dumps(self.specification)]

    def run(self, *program: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
        """The program ("-m", "companion", or a file) with its arguments, run to its end."""
        return subprocess.run(
            [*self.command, *program],
            cwd=cwd,
            env={**os.environ, **environment},
            text=True,
            capture_output=True,
        )
