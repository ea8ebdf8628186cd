"""Other frameworks on the problems of the gallery, for the same minute of the processor, seed 0.

The peers of benchmarks/peers, each in its own environment, at the settings of their own examples, else
of what their guides recommend. Errors are ours: against the gallery's references, by its norm. It writes
companion/data/gallery_peers.json, which the page reads, after every run, and goes on where it was
stopped. An hour on a quiet core:

    .venv/bin/python -m experiments.gallery_peers              all runs, or those of some peers by name
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import process_time

import numpy as np
import torch

from companion.data import FOLDER
from companion.pinn.problem import Problem
from companion.problems.burgers import burgers
from companion.problems.closed import beam, heat_space, kovasznay, poisson_cube
from companion.problems.gallery import GALLERY
from companion.problems.reactions import allen_cahn, gray_scott
from companion.problems.systems import heat_inverse, lorenz_inverse, lotka_volterra, van_der_pol
from companion.problems.waves import advection, helmholtz, wave
from experiments.chapter import write

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / "benchmarks" / "peers"
RESULT = FOLDER / "gallery_peers.json"
SECONDS, LIMIT = 60.0, 900.0  # of the processor, and of a clock, for a run
SEED = 0

ALL = ("deepxde", "pina", "jinns", "neurodiffeq")
STATED = {  # problem -> the peers whose scripts state it
    "advection": ("deepxde", "pina", "jinns"),
    "wave": ("deepxde", "pina", "jinns"),
    "Helmholtz": ALL,
    "Burgers": ALL,
    "Allen-Cahn": ("deepxde", "pina", "jinns"),
    "Gray-Scott": ALL,
    "van der Pol, μ = 1": ALL,
    "van der Pol, μ = 5": ALL,
    "Lotka-Volterra": ALL,
    "Lorenz, inverse": ("deepxde", "pina", "jinns"),
    "heat, inverse": ("deepxde", "pina", "jinns"),
    "beam": ("deepxde", "pina", "jinns"),
    "Poisson, 5 dimensions": ("deepxde", "pina"),
    "heat, 3 + 1 dimensions": ("deepxde", "pina", "jinns"),
    "Kovasznay": ALL,
}


UNSTATED = {  # (problem, peer) -> why not by what it brings
    ("eigenvalue", "deepxde"): "no condition on an integral of the solution",
    ("eigenvalue", "pina"): "no condition on an integral of the solution",
    ("eigenvalue", "jinns"): "its norm is the integral of the solution, not of its square",
    ("eigenvalue", "neurodiffeq"): "no condition on an integral of the solution",
    ("Allen-Cahn", "neurodiffeq"): "no periodic condition",
    ("advection", "neurodiffeq"): "no periodic condition",
    ("wave", "neurodiffeq"): "no condition on a start, its slope and two ends at once",
    ("beam", "neurodiffeq"): "no condition on the second and third derivative",
    ("Lorenz, inverse", "neurodiffeq"): "no unknown coefficients, but by a bundle of solutions",
    ("heat, inverse", "neurodiffeq"): "no unknown coefficients, but by a bundle of solutions",
    ("Poisson, 5 dimensions", "neurodiffeq"): "no condition on faces in more than two variables",
    ("Poisson, 5 dimensions", "jinns"): "draws no points on the faces beyond two dimensions",
    ("heat, 3 + 1 dimensions", "neurodiffeq"): "no condition on faces in more than two variables",
}
STATEMENTS = {  # ours, for their lines
    "advection": advection,
    "wave": wave,
    "Helmholtz": helmholtz,
    "Burgers": burgers,
    "Allen-Cahn": allen_cahn,
    "Gray-Scott": gray_scott,
    "van der Pol, μ = 1": van_der_pol,
    "van der Pol, μ = 5": van_der_pol,
    "Lotka-Volterra": lotka_volterra,
    "Lorenz, inverse": lorenz_inverse,
    "heat, inverse": heat_inverse,
    "beam": beam,
    "Poisson, 5 dimensions": poisson_cube,
    "heat, 3 + 1 dimensions": heat_space,
    "Kovasznay": kovasznay,
}
NUMBERS = {  # of an equation that is there more than once
    "van der Pol, μ = 1": {"mu": 1.0},
    "van der Pol, μ = 5": {"mu": 5.0},
}


SOLVED = (
    "Allen-Cahn",
    "Gray-Scott",
    "van der Pol, μ = 1",
    "van der Pol, μ = 5",
    "Lotka-Volterra",
)  # whose reference is a classical solver


def points_of(problem: Problem) -> torch.Tensor:
    """Where the companion takes its errors: see companion.pinn.solution.relative_error."""
    box = problem.domain
    return box.points(1000, "grid" if box.dimension <= 3 else "sobol")


def error(u: np.ndarray, problem: Problem) -> float:
    """‖u − u*‖ / ‖u*‖ of u (n, k) at these points."""
    exact = problem.exact(points_of(problem)).numpy()
    return float(np.linalg.norm(u.reshape(exact.shape) - exact) / np.linalg.norm(exact))


def given(problem: Problem) -> dict[str, np.ndarray]:
    """The arrays that a peer's script gets: x, where errors are taken, and the readings, if any."""
    arrays = {"x": points_of(problem).numpy()}
    for condition in problem.conditions:
        if condition.name == "readings":
            arrays |= {"points": condition.points.numpy(), "readings": condition.values.numpy()}
    return arrays


def classical(name: str) -> dict:
    """The seconds of the processor that the solver behind a reference takes, for all the points."""
    problem = GALLERY[name].problem()
    begun = process_time()
    problem.exact(points_of(problem))
    return {"problem": name, "seconds": round(process_time() - begun, 2)}


def run(peer: str, name: str, python: Path, seconds: float = SECONDS) -> dict:
    """One row: what the script says of itself, and the error of what it found; or why there is none."""
    problem, row = GALLERY[name].problem(), {"problem": name, "peer": peer, "seed": SEED}
    with tempfile.TemporaryDirectory() as folder:
        arrays, found = Path(folder) / "given.npz", Path(folder) / "found.npy"
        np.savez(arrays, **given(problem), **NUMBERS.get(name, {}))
        command = [python, PEERS / f"gallery_{peer}.py", "--problem", name, "--seed", str(SEED)]
        command += ["--given", arrays, "--found", found, "--seconds", str(seconds)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=LIMIT, env=surroundings()
            )
        except subprocess.TimeoutExpired:
            return row | {"failed": f"no result after {LIMIT:.0f} s"}
        if done.returncode:
            return row | {"failed": last_line(done.stderr)}
        u, said = np.load(found), json.loads(done.stdout.splitlines()[-1])
        if not np.isfinite(u).all():
            return row | {"failed": f"not finite after {said['steps']} steps"}
        far = GALLERY[name].error(error(u, problem), said.get("unknowns", {}))
        return row | {"error": float(f"{far:.3e}")} | said


def surroundings() -> dict[str, str]:
    """One thread, no telemetry, no window."""
    return os.environ | {
        "OMP_NUM_THREADS": "1",
        "DO_NOT_TRACK": "1",
        "MPLBACKEND": "Agg",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    }


def last_line(text: str) -> str:
    """Of a message; "no message" where there is none."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"


def main(wanted: list[str]) -> None:
    """All runs that are not stored yet, or have failed, problem after problem."""
    sys.path.append(str(PEERS))
    from minute import lines_of
    from run import environment

    unstated = [{"problem": n, "peer": p, "why": why} for (n, p), why in UNSTATED.items()]
    ours = [
        {"problem": n, "lines": 1 + lines_of(of)} for n, of in STATEMENTS.items()
    ]  # 1: settings
    old = json.loads(RESULT.read_text("utf-8")) if RESULT.exists() else {}
    rows = [row for row in old.get("runs", []) if "failed" not in row]
    solved = old.get("classical", [])
    known = {row["problem"] for row in solved}
    solved += [classical(name) for name in SOLVED if name not in known]
    tables = {"runs": rows, "classical": solved, "ours": ours, "unstated": unstated}
    done = {(row["peer"], row["problem"]) for row in rows}
    head = {"script": "experiments/gallery_peers.py", "seconds": SECONDS, "threads": 1}
    for name, peers in STATED.items():
        for peer in peers:
            if (peer, name) not in done and peer in (wanted or peers):
                rows.append(run(peer, name, environment(peer)))
                print(rows[-1], flush=True)
                write(RESULT, head, tables)
    write(RESULT, head, tables)


if __name__ == "__main__":
    main(sys.argv[1:])
