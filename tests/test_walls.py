"""The walls of the house: who may import whom, and what importing the engines costs."""

import ast
import functools
import re
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "companion"
MODULES = sorted(PACKAGE.rglob("*.py"))

ALLOWED = {  # room -> the rooms it may import
    "series": set(),
    "data": set(),
    "engines": {"series"},
    "torch_private": set(),
    "operators": {"_project", "series", "torch_private"},
    "pinn": {"_project", "operators", "series", "torch_private"},
    "problems": {"_project", "operators", "pinn", "series"},
    "practice": {"_project", "data", "engines", "operators", "pinn", "problems", "series"},
    "show": {"_project", "engines", "operators", "pinn", "problems", "series"},
    "_project": set(),
    "__init__": {"_project"},
    "__main__": {"_project", "data", "engines", "operators", "pinn", "problems", "show", "series"},
}
OUTSIDE = {  # room -> what else it may import, beside the standard library
    "series": None,  # not even that
    "data": set(),
    "engines": {"numpy"},
    "torch_private": {"torch"},
    "operators": {"numpy", "torch", "psutil"},  # psutil: only where LeakProbe asks for memory
    "pinn": {"numpy", "torch", "scipy", "tqdm"},
    "problems": {"numpy", "torch", "scipy"},
    "practice": {"numpy", "torch", "scipy", "matplotlib"},  # matplotlib: the ground of chapter 15b
    "show": {"numpy", "matplotlib", "psutil", "sympy", "torch"},
    "_project": set(),
    "__init__": set(),
    "__main__": {"torch"},
}


parse = functools.cache(ast.parse)


def parsed(path):
    """The syntax tree of a file, made once for each content."""
    return parse(path.read_text(encoding="utf-8"))


def room(path):
    """The first name under companion/: the room a file is in."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path):
    """The full names of all modules that a file imports, inside functions too."""
    for node in ast.walk(parsed(path)):
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
        ("pinn/new.py", "from companion.problems import oscillator"),
        ("operators/new.py", "from companion.problems.sir import sir"),
        ("problems/new.py", "from companion.engines import Jet"),
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
    for node in ast.walk(parsed(path)):
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


def importers(name):
    """The rooms whose files import that room, but for itself."""
    wanted = f"companion.{name}"
    users = {
        room(path)
        for path in PACKAGE.rglob("*.py")
        for module in imported(path)
        if module == wanted or module.startswith(wanted + ".")
    }
    return users - {name}


def test_nobody_imports_show_but_the_door():
    assert importers("show") <= {"__main__"}
    assert "pinn" in importers("operators")  # it does see an import


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("pinn/new.py", "import companion.show.curves"),
        ("operators/new.py", "def f():\n    from companion.show import curves"),
        ("engines/new.py", "from companion import show"),
    ],
)
def test_an_import_of_show_is_noticed(package, where, line):
    (package / where).write_text(line)
    with pytest.raises(AssertionError):
        test_nobody_imports_show_but_the_door()


def test_nobody_imports_practice_but_readers():
    assert importers("practice") == set()


def test_the_practice_of_part_one_names_no_torch():
    """All that check loads for chapters 1 to 6."""
    for path in sorted((PACKAGE / "practice").glob("*.py")):
        if not re.match(r"ch(0[7-9]|1)", path.name):
            tops = {".".join(name.split(".")[:2]) for name in imported(path)}
            assert not tops & {"torch", "companion.operators", "companion.pinn"}, path.name


# ---------------------------------------------------------------- one import path per name


def defined(path):
    """{name: its line} of the functions, classes and constants that a file defines at its top."""
    found = {}
    for node in parsed(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node.lineno
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [n for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)]
            found |= {n.id: node.lineno for n in names}
    return found


def listed(path):
    """The names in a file's __all__, None without one."""
    for node in parsed(path).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return ast.literal_eval(node.value)
    return None


def in_order(names):
    """As ruff sorts them: constants, classes, functions; each by the alphabet, log2 before log10."""
    natural = lambda n: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", n)]
    return sorted(names, key=lambda n: (not n.isupper(), not n[:1].isupper(), natural(n)))


def doors(path):
    """{name: the module it comes from} of what an __init__.py imports from files of its own room."""
    found = {}
    for node in parsed(path).body:
        if isinstance(node, ast.ImportFrom) and node.module.startswith(f"companion.{room(path)}."):
            found |= {alias.asname or alias.name: (node.module, alias.name) for alias in node.names}
    return found


def maze():
    """What is wrong with the names of the package: each has one file, and one path to it."""
    for path in sorted(PACKAGE.rglob("*.py")):
        where, names = path.relative_to(PACKAGE).as_posix(), listed(path)
        if names is not None and names != in_order(set(names)):
            yield f"{where}: __all__ is not sorted, or names something twice"
        if path.name != "__init__.py":
            for name in sorted(set(names or ()) - set(defined(path))):
                yield f"{where}: __all__ offers {name}, which the file does not define"
            continue
        offered = doors(path)
        if offered.keys() != set(names or ()):
            yield f"{where}: __all__ and the imports differ in {offered.keys() ^ set(names or ())}"
        for name, (module, original) in sorted(offered.items()):
            home = PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py")
            if name != original or name not in defined(home):
                yield f"{where}: {name} is not defined in {module} under this name"


def borrowed():
    """Imports inside the package of a name from a file that does not define it."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("companion."):
                home = PACKAGE.joinpath(*node.module.split(".")[1:])
                if home.with_suffix(".py").exists():
                    names = {alias.name for alias in node.names}
                    for name in sorted(names - set(defined(home.with_suffix(".py")))):
                        yield f"{path.relative_to(PACKAGE).as_posix()}: {name} from {node.module}"


def test_one_import_path_per_name():
    """A public name is defined in one file, offered by its room or by that file, and by no other."""
    assert list(maze()) == []
    assert list(borrowed()) == []


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package, to plant faults in."""
    copy = tmp_path / "companion"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", copy)
    return copy


@pytest.mark.parametrize(
    ("where", "old", "new", "words"),
    [
        (
            "pinn/__init__.py",
            '    "check",\n',
            "",
            "pinn/__init__.py: __all__ and the imports differ",
        ),
        ("pinn/__init__.py", '"fit",', '"fit",\n    "Fit",', "__all__ is not sorted"),
        (
            "pinn/__init__.py",
            "import check\n",
            "import check, Partials\n",
            "differ in {'Partials'}",
        ),
        (
            "engines/__init__.py",
            "import stencil\n",
            "import stencil as weights\n",
            "weights is not def",
        ),
        (
            "operators/__init__.py",
            "partials import Partials",
            "jets import Partials",
            "not defined in",
        ),
        ("operators/audit.py", '["Audit", ', '["Audit", "graph_leaves", ', "does not define"),
        (
            "pinn/checks.py",
            "pinn.networks import Centred, Kinks",
            "pinn.units import Centred, Kinks",
            "Centred from companion.pinn.un",
        ),
    ],
)
def test_a_second_path_to_a_name_is_noticed(package, where, old, new, words):
    text = (package / where).read_text(encoding="utf-8")
    assert old in text
    (package / where).write_text(text.replace(old, new), encoding="utf-8")
    assert any(words in fault for fault in [*maze(), *borrowed()]), [*maze(), *borrowed()]
