"""What Binder installs beside the plain notebooks, from the lists that the project has anyway.

    python tools/binder.py _build/notebooks COMMIT    write requirements.txt and runtime.txt there

The package comes from the commit of the notebooks, with the extra `book`; what that extra asks for is
held at the versions of requirements.txt.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def requirements(commit: str) -> str:
    """One pin for each thing that the extra `book` asks for, and the package at the commit."""
    about = project()
    asked = [*about["dependencies"], *about["optional-dependencies"]["book"]]
    names = {re.match(r"[\w-]+", need)[0].lower() for need in asked}
    pins = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    kept = [pin for pin in pins if pin.split("==")[0].lower() in names]
    source = f"{about['name']}[book] @ git+{about['urls']['Source']}@{commit}"
    return "\n".join([*kept, source]) + "\n"


def runtime() -> str:
    """The oldest Python that the package allows: the one that the pins are made with."""
    return f"python-{project()['requires-python'].removeprefix('>=')}\n"


if __name__ == "__main__":
    folder, commit = Path(sys.argv[1]), sys.argv[2]
    (folder / "requirements.txt").write_text(requirements(commit), encoding="utf-8")
    (folder / "runtime.txt").write_text(runtime(), encoding="utf-8")
