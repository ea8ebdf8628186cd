"""The walls of the house: who may import whom, and what importing the engines costs."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "companion"
MODULES = sorted(PACKAGE.rglob("*.py"))

ALLOWED = {  # room -> the rooms it may import
    "series": set(),
    "data": set(),
    "engines": {"series"},
    "operators": {"_project", "series"},
    "pinn": {"_project", "operators", "series"},
    "show": {"_project", "engines", "operators", "pinn", "series"},
    "_project": set(),
    "__init__": {"_project"},
    "__main__": {"_project", "engines", "operators", "pinn", "show", "series"},
}
OUTSIDE = {  # room -> what else it may import, beside the standard library
    "series": None,  # not even that
    "data": set(),
    "engines": {"numpy"},
    "operators": {"numpy", "torch", "psutil"},  # psutil: only where LeakProbe asks for memory
    "pinn": {"numpy", "torch", "scipy", "tqdm"},
    "show": {"numpy", "matplotlib", "psutil", "sympy", "torch"},
    "_project": set(),
    "__init__": set(),
    "__main__": {"torch"},
}


def room(path):
    """The first name under companion/: the room a file is in."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path):
    """The full names of all modules that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: one import path per name, written out"
            yield node.module
            if node.module == "companion":
                yield from (f"companion.{alias.name}" for alias in node.names)


def breaches(path):
    """The imports of a file that the design does not allow."""
    here = room(path)
    for name in imported(path):
        top, *rest = name.split(".")
        if top == "companion":
            if rest and rest[0] != here and rest[0] not in ALLOWED[here]:
                yield f"{here} imports {name}"
        elif OUTSIDE[here] is None or (
            top not in sys.stdlib_module_names and top not in OUTSIDE[here]
        ):
            yield f"{here} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_arrows(path):
    assert list(breaches(path)) == []


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("engines/new.py", "import torch"),
        ("engines/new.py", "from companion.operators import Partials"),
        ("engines/new.py", "from companion import show"),
        ("engines/new.py", "def f():\n    import matplotlib.pyplot as plt"),
        ("operators/new.py", "from companion.engines.tape import Var"),
        ("pinn/new.py", "import companion.show.curves"),
        ("series.py", "import math"),
    ],
)
def test_a_breach_is_noticed(tmp_path, monkeypatch, where, line):
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    path = tmp_path / where
    path.parent.mkdir(exist_ok=True)
    path.write_text(line)
    assert len(list(breaches(path))) == 1


def test_nobody_imports_show_but_the_door():
    assert [r for r, others in ALLOWED.items() if "show" in others] == ["__main__"]


def python(code):
    """What a fresh interpreter prints as JSON."""
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return json.loads(result.stdout)


def test_importing_the_engines_loads_numpy_and_nothing_heavy():
    loaded = python("import json, sys, companion.engines; print(json.dumps(sorted(sys.modules)))")
    tops = {name.split(".")[0] for name in loaded}
    assert "numpy" in tops
    assert not tops & {
        "torch",
        "scipy",
        "sympy",
        "matplotlib",
        "mpmath",
        "pandas",
        "tqdm",
        "IPython",
    }


def test_importing_the_series_loads_nothing():
    code = (
        "import json, sys; import companion; before = set(sys.modules); import companion.series; "
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    assert python(code) == ["companion.series"]


def test_importing_the_engines_is_quick():
    """Under 0.3 s beyond NumPy's own import: the best of three, since a busy machine only adds."""
    code = (
        "import json, time, numpy; start = time.perf_counter(); import companion.engines; "
        "print(json.dumps(time.perf_counter() - start))"
    )
    assert min(python(code) for _ in range(3)) < 0.3


def test_one_import_path_per_name():
    """What companion.engines offers is defined in one of its files, and is what its __all__ or its
    imports name.
    """
    import companion.engines as ce

    for name in [
        "Dual",
        "Var",
        "Jet",
        "sin",
        "matmul",
        "where",
        "gradients",
        "taylor",
        "jvp",
        "Pointwise",
    ]:
        assert hasattr(ce, name)
    assert ce.sin(np.pi / 2) == 1.0
