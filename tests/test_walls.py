"""The walls of the house: who may import whom, and what importing the engines costs."""

import ast
import json
import re
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
    "engines": {"series"},
    "torch_private": set(),
    "operators": {"series", "torch_private"},
    "pinn": {"operators", "series", "torch_private"},
    "show": {"engines", "operators", "pinn", "series"},
    "__init__": set(),
    "__main__": {"engines", "operators", "pinn", "show", "series"},
}
OUTSIDE = {  # room -> what else it may import, beside the standard library
    "series": None,  # not even that
    "engines": {"numpy"},
    "torch_private": {"torch"},
    "operators": {"numpy", "torch", "psutil"},  # psutil: only where LeakProbe asks for memory
    "pinn": {"numpy", "torch", "scipy", "tqdm"},
    "show": {"numpy", "matplotlib", "psutil", "sympy", "torch"},
    "__init__": set(),
    "__main__": {"numpy", "torch", "matplotlib"},
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


# What torch keeps to itself: names with an underscore, what it calls experimental, what a node of a
# graph is only seen to have, and the accessors of .grad.
PRIVATE = re.compile(
    r"torch(\.\w+)*\._(?!_)\w*.*|torch\.fx\.experimental.*|.*\._saved_.*|.*\.variable"
    r"|.*\.grad\.__[gs]et__"
)
HINTS = ("_saved_", "_stacklevel")  # as words in the code


def private(path):
    """The private names of torch that a file writes: imports, chains of attributes, strings."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Attribute):
            names = [ast.unparse(node)]
        elif isinstance(node, ast.arg | ast.keyword) and node.arg in HINTS:
            yield node.arg
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            said = node.value.startswith(HINTS) or node.value == "variable"
            names = [f"torch.{node.value}"] if said else []
        yield from (name for name in names if PRIVATE.fullmatch(name))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_private_in_torch_has_one_room(path):
    found = list(private(path))
    assert bool(found) == (room(path) == "torch_private"), found


@pytest.mark.parametrize(
    "line",
    [
        "import torch._guards",
        "from torch._subclasses import FakeTensorMode",
        "from torch import _C",
        "import torch.fx.experimental.proxy_tensor as p",
        "from torch.fx.experimental.proxy_tensor import make_fx",
        "from torch.utils._python_dispatch import TorchDispatchMode",
        "def f():\n    return torch._C._are_functorch_transforms_active()",
        "y = torch._inductor.compile(module, inputs)",
        "x = y.grad_fn._saved_self",
        'x = getattr(node, "_saved_self")',
        'x = hasattr(node, "variable")',
        "x = node.variable",
        "def softmax(x, dim, _stacklevel=3): ...",
        "x = Tensor.grad.__get__",
    ],
)
def test_a_private_name_of_torch_is_noticed(tmp_path, line):
    path = tmp_path / "new.py"
    path.write_text(line)
    assert list(private(path))


@pytest.mark.parametrize(
    "line",
    [
        "import torch.fx",
        "from torch.overrides import TorchFunctionMode",
        "x = torch.Tensor.__getitem__",
        "x = self._known",
        "import numpy._core",
    ],
)
def test_what_is_public_is_not(tmp_path, line):
    path = tmp_path / "new.py"
    path.write_text(line)
    assert not list(private(path))


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
