"""The scripts of benchmarks/ find what they import, wherever they are started."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
PEERS = re.findall(r"^[\w-]+", (BENCHMARKS / "requirements.txt").read_text("utf-8"), re.MULTILINE)
# What the book's environment has, and that of the peers has not.
ELSEWHERE = {"matplotlib", "psutil", "sympy"} - set(PEERS)
# What `python script` does before it comes to its main block, with -P: nothing of this folder.
# The peers are in an environment of their own; whatever is imported of them here is a stand-in.
IMPORT = """
import runpy, sys
from importlib.machinery import ModuleSpec
from unittest.mock import MagicMock

class Elsewhere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[3].split():
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

class Peers:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[4:]:
            return ModuleSpec(name, self, is_package=True)
    def create_module(self, spec):
        return MagicMock(name=spec.name)
    def exec_module(self, module):
        pass

sys.meta_path.insert(0, Elsewhere())
sys.meta_path.append(Peers())
sys.path.insert(0, sys.argv[1])
runpy.run_path(sys.argv[2])
"""


def refused(script, folder):
    """The module that a script imports and does not find; None when it finds all of them."""
    run = subprocess.run(
        [sys.executable, "-P", "-c", IMPORT, str(script.parent), str(script), " ".join(ELSEWHERE), *PEERS],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    missing = re.search(r"^ModuleNotFoundError: No module named '(\w+)", run.stderr, re.MULTILINE)
    assert run.returncode == 0 or missing, run.stderr
    return missing and missing[1]


@pytest.mark.parametrize("script", sorted(BENCHMARKS.glob("bench_*.py")), ids=lambda p: p.stem)
def test_a_script_finds_what_it_imports(script, tmp_path):
    assert refused(script, tmp_path) is None


@pytest.mark.parametrize(
    ("line", "missing"),
    [("from experiments.nowhere import nothing", "experiments"), ("import sympy", "sympy")],
)
def test_a_lost_import_is_seen(line, missing, tmp_path):
    script = tmp_path / "bench_lost.py"
    script.write_text(line + "\n", encoding="utf-8")
    assert refused(script, tmp_path) == missing
