"""What importing a room loads, and what it does not."""

import ast
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "companion"


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


def test_importing_pinn_loads_neither_scipy_nor_sympy():
    """They take longer than all of companion.pinn, so they are imported where they are used."""
    slow = ("scipy", "sympy", "torch.fx.experimental.symbolic_shapes")
    for path in [*(PACKAGE / "pinn").glob("*.py"), PACKAGE / "torch_private.py"]:
        statements = ast.parse(path.read_text(encoding="utf-8")).body
        at_once = [one for one in statements if isinstance(one, ast.Import | ast.ImportFrom)]
        names = [getattr(node, "module", None) or node.names[0].name for node in at_once]
        assert not [name for name in names if name.startswith(slow)], path.name


def test_importing_the_series_loads_nothing():
    code = (
        "import json, sys; import companion; before = set(sys.modules); import companion.series; "
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    assert python(code) == ["companion.series"]


def lines_run(statement):
    """How many lines of Python an import runs, after NumPy's own: a count, which no load changes."""
    return python(
        "import json, sys, numpy\n"
        "count = 0\n"
        "def trace(frame, event, _):\n"
        "    global count\n"
        "    count += event == 'line'\n"
        "    return trace\n"
        "sys.settrace(trace)\n"
        f"{statement}\n"
        "sys.settrace(None)\n"
        "print(json.dumps(count))"
    )


def test_importing_the_engines_is_quick():
    """At most 50 000 lines of Python run, NumPy's own not counted; torch alone would run far more."""
    assert 1000 < lines_run("import companion.engines") < 50_000
    assert lines_run("import companion.engines; sum(1 for _ in range(50_000))") > 50_000
