"""The scripts of benchmarks/ find what they import, wherever they are started."""

import json
import re
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
PEERS = re.findall(r"^[\w-]+", (BENCHMARKS / "requirements.txt").read_text("utf-8"), re.MULTILINE)
# What the book's environment has, and that of the peers has not.
ELSEWHERE = {"matplotlib", "psutil", "sympy"} - set(PEERS)
# What `python script` does before it comes to its main block, with -P: nothing of this folder.
# The peers are in an environment of their own; whatever is imported of them here is a stand-in.
# Each script has a process, forked from one that has torch, JAX and scipy.stats, which take seconds.
IMPORT = """
import json, os, runpy, sys, traceback
from importlib.machinery import ModuleSpec
from unittest.mock import MagicMock

class Elsewhere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in elsewhere:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

class Peers:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in peers:
            return ModuleSpec(name, self, is_package=True)
    def create_module(self, spec):
        return MagicMock(name=spec.name)
    def exec_module(self, module):
        pass

scripts, elsewhere, peers = map(json.loads, sys.argv[1:])
sys.meta_path.insert(0, Elsewhere())
sys.meta_path.append(Peers())
import jax, scipy.stats, torch
for script in scripts:
    if os.fork() == 0:
        status = 1
        try:
            sys.path.insert(0, os.path.dirname(script))
            runpy.run_path(script)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    _, status = os.wait()
    print(script, status, file=sys.stderr, flush=True)
"""


def refused(scripts, folder):
    """For each script the module that it imports and does not find; None when it finds all of them."""
    names = [str(script) for script in scripts]
    words = [json.dumps(list(part)) for part in (names, ELSEWHERE, PEERS)]
    run = subprocess.run(
        [sys.executable, "-P", "-c", IMPORT, *words],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found, said = {}, run.stderr
    for name in names:
        mine, status, said = re.split(rf"^{re.escape(name)} (\d+)\n", said, maxsplit=1, flags=re.M)
        missing = re.search(r"^ModuleNotFoundError: No module named '(\w+)", mine, re.MULTILINE)
        assert status == "0" or missing, mine
        found[name] = missing and missing[1]
    return found


LOST = {"from experiments.nowhere import nothing": "experiments", "import sympy": "sympy"}


def test_every_script_finds_what_it_imports_and_a_lost_import_is_seen(tmp_path):
    scripts = sorted(BENCHMARKS.glob("bench_*.py"))
    assert scripts
    expected = dict.fromkeys(map(str, scripts))
    for line, missing in LOST.items():
        scripts.append(tmp_path / f"bench_lost_{missing}.py")
        scripts[-1].write_text(line + "\n", encoding="utf-8")
        expected[str(scripts[-1])] = missing
    assert refused(scripts, tmp_path) == expected
