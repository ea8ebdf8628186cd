"""What is the derivative at a corner? The same questions, put to every library in its own environment.

corner_cases.py has the questions, corner_libraries.py says how each library is asked. Beside the
answers stand the two one-sided derivatives, of every order up to the one asked for, which mpmath
finds with 60 digits: where left and right agree in all of them the function is smooth, and
mathematics decides; elsewhere the answer is a convention. It writes companion/data/corners.json,
which the page reads. Environments are made on first use, in .venv-peers; a minute after that:

    .venv/bin/python -m experiments.corners                all columns, or some by name
"""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import mpmath as mp

from companion.data import FOLDER
from companion.show.corner_table import same
from experiments.chapter import write
from experiments.corner_cases import CASES
from experiments.corner_libraries import function

ROOT = Path(__file__).resolve().parents[1]
VENVS = ROOT / ".venv-peers"
RESULT = FOLDER / "corners.json"

COLUMNS = {  # column -> the library, and what pip installs; nothing: it is in the book's environment
    "torch 2.13.0": ("torch", []),
    "torch 2.14.1": ("torch", ["torch==2.14.1", "numpy==2.4.6"]),
    "jax 0.10.2": ("jax", []),
    "autograd 1.9.1": ("autograd", ["autograd==1.9.1", "numpy==2.4.6", "scipy==1.17.1"]),
    "MyGrad 2.5.0": ("mygrad", ["mygrad==2.5.0", "numpy==2.4.6"]),
    "tinygrad 0.11.0": ("tinygrad", ["tinygrad==0.11.0"]),
    "micrograd 0.1.0": ("micrograd", ["micrograd==0.1.0"]),
    "PyTensor 3.0.7": ("pytensor", ["pytensor==3.0.7", "numpy==2.4.6", "scipy==1.17.1"]),
    "CasADi 3.8.2": ("casadi", ["casadi==3.8.2", "numpy==2.4.6"]),
    "SymPy 1.14.0": ("sympy", []),
    "SciPy 1.17.1": ("scipy", []),
    "engines": ("engines", []),
    "operators": ("operators", []),
}


# ---------------------------------------------------------------- what mathematics says


def words():
    """The vocabulary of corner_libraries.py in mpmath."""

    def std(v):
        mean = mp.fsum(v) / len(v)
        return mp.sqrt(mp.fsum((a - mean) ** 2 for a in v) / (len(v) - 1))

    def layer_norm(v):
        mean = mp.fsum(v) / len(v)
        variance = mp.fsum((a - mean) ** 2 for a in v) / len(v)
        return [(a - mean) / mp.sqrt(variance + mp.mpf("1e-5")) for a in v]

    def elu(x, alpha=1):
        return x if x > 0 else alpha * mp.expm1(x)

    def clip(x, low, high):
        return min(max(x, low), high)

    scale, alpha = (
        mp.mpf("1.0507009873554804934193349852946"),
        mp.mpf("1.67326324235437728481704297"),
    )
    return {
        "relu": lambda x: max(x, mp.mpf(0)),
        "clip": clip,
        "relu6": lambda x: clip(x, 0, 6),
        "hardtanh": lambda x: clip(x, -1, 1),
        "leaky_relu": lambda x: x if x > 0 else x / 100,
        "hardswish": lambda x: x * clip(x + 3, 0, 6) / 6,
        "elu": elu,
        "selu": lambda x: scale * elu(x, alpha),
        "celu": lambda x, alpha: x if x > 0 else alpha * mp.expm1(x / alpha),
        "softsign": lambda x: x / (1 + abs(x)),
        "maximum": max,
        "vector": lambda *parts: [mp.mpf(part) for part in parts],
        "largest": max,
        "sort": sorted,
        "median": lambda v: sorted(v)[len(v) // 2],
        "norm": lambda v: mp.norm(v, 2),
        "norm1": lambda v: mp.norm(v, 1),
        "hypot": mp.hypot,
        "sqrt": mp.sqrt,
        "std": std,
        "where": lambda condition, a, b: a if condition else b,
        "prod": mp.fprod,
        "sinc": mp.sincpi,
        "i0": lambda x: mp.besseli(0, x),
        "layer_norm": layer_norm,
        "logcumsumexp": lambda v: [mp.log(mp.fsum(map(mp.exp, v[: n + 1]))) for n in range(len(v))],
    }  # fmt: skip


def one_sided(f, point, order, direction):
    """A derivative of f at point from the right (1) or from the left (-1); "inf" if it grows with
    every smaller step; None if there is no real one.
    """
    steps = [mp.mpf(10) ** -n for n in (9, 10)]
    far, near = (mp.diff(f, point, order, direction=direction, h=h) for h in steps)
    if any(isinstance(a, mp.mpc) for a in (far, near)):
        return None
    if abs(near) > 1.5 * abs(far) and abs(near) > 1e3:
        return "inf" if near > 0 else "-inf"
    return settled(f, point, order, direction)


def settled(f, point, order, direction):
    """The derivative itself, to nine digits: mpmath's own step, at 60 digits."""
    return float(mp.nstr(mp.chop(mp.diff(f, point, order, direction=direction), tol=1e-15), 9))


def truth(case):
    """{"left", "right", "smooth"}: the one-sided derivatives, and whether mathematics decides."""
    expression, at, by = case
    with mp.workdps(60):
        f, point = function(expression, at, words()), [mp.mpf(a) for a in at.values()]
        if len(point) == 2:  # no corner there: one number
            orders = tuple(by.count(name) for name in at)
            both = float(mp.nstr(mp.diff(f, tuple(point), orders), 9))
            return {"left": both, "right": both, "smooth": True}
        sides = [
            [one_sided(f, point[0], order, side) for order in range(1, len(by) + 1)]
            for side in (-1, 1)
        ]
    left, right = sides
    smooth = all(a is not None and same(a, b) for a, b in zip(left, right))
    return {"left": left[-1], "right": right[-1], "smooth": smooth}


# ---------------------------------------------------------------- what the libraries say


def python_of(column):
    """The Python of a column's environment; it is made when there is none with these versions."""
    _, needs = COLUMNS[column]
    if not needs:
        return sys.executable
    folder = VENVS / f"corners-{column.replace(' ', '-')}"
    python, stamp = folder / "bin" / "python", folder / ".ready"
    if not stamp.exists() or stamp.read_text("utf-8") != " ".join(needs):
        print(f"Setting up {folder.relative_to(ROOT)}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *needs], check=True)
        stamp.write_text(" ".join(needs), "utf-8")
    return python


def asked(column):
    """The answers of one column, in the order of the cases."""
    script = ROOT / "experiments" / "corner_libraries.py"
    command = [python_of(column), script, COLUMNS[column][0]]
    quiet = os.environ | {"JAX_PLATFORMS": "cpu", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=quiet, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def installed(column):
    """Whether the book's environment has the version that the column names."""
    library, needs = COLUMNS[column]
    own = library in ("engines", "operators")
    return bool(needs) or own or version(library).split("+")[0] == column.split()[-1]


def main(wanted):
    """Ask the wanted columns and write their answers; those of the others stay as they are."""
    if wrong := [column for column in wanted if not installed(column)]:
        raise SystemExit(
            f"another version is installed than that of {', '.join(wrong)}: see COLUMNS"
        )
    stored = json.loads(RESULT.read_text("utf-8"))["cases"] if RESULT.exists() else []
    known = {(row["f"], str(row["at"]), row["by"]): row["answers"] for row in stored}
    found = {column: asked(column) for column in wanted}
    rows = []
    for number, case in enumerate(CASES):
        f, at, by = case
        before = known.get((f, str(at), by), {})
        answers = before | {column: found[column][number] for column in wanted}
        ordered = {column: answers[column] for column in COLUMNS if column in answers}
        rows.append({"f": f, "at": at, "by": by} | truth(case) | {"answers": ordered})
    environments = {column: needs for column, (_, needs) in COLUMNS.items()}
    head = {"script": "experiments/corners.py", "environments": environments}
    write(RESULT, head, {"cases": rows})


if __name__ == "__main__":
    main(sys.argv[1:] or list(COLUMNS))
