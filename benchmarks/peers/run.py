"""Run a peer in its environment, made on first use: run_peer("deepxde", "sir", seed=0, budget=15).

Each peer NAME has a script with_NAME.py and a list NAME.txt of what it needs. What both torch and the
peers need comes in the book's own versions. A peer that cannot be installed, or fails, is reported
with the reason.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
VENVS = ROOT / ".venv-peers"
METHODS = {  # peer -> its methods, the best first
    "scipy": ["DOP853, Chebyshev, least squares"],
    "jax": ["LM", "Adam"],
    "jinns": ["natural gradient", "Adam"],
    "deepxde": ["Adam, L-BFGS"],
    "pina": ["Adam, L-BFGS"],
    "neurodiffeq": ["Adam, L-BFGS"],
}
STARTING = 240  # seconds beyond its budget that a peer may take to be imported and to compile


class Failed(Exception):
    """A peer that gave no result; the message is the reason."""


def run_peer(name, problem, seed=0, budget=15.0, method=None, cores=None, steps=None):
    """The record that a peer prints (see task.py), or {"failed": why}.

    cores: on how many cores; all of them unless given. steps: stop after so many, if the budget has
    not stopped it before; Adam gets a quarter of them before L-BFGS. With problem="sir_step" and
    method="Adam" (for the torch peers their only method) step_us is the time of a step of Adam.
    """
    try:
        return answered(name, environment(name), problem, seed, budget, method, cores, steps)
    except Failed as reason:
        return {"failed": str(reason)}


def environment(name):
    """The Python of a peer's environment; it is made when its list is newer than it."""
    folder, needs = VENVS / name, HERE / f"{name}.txt"
    python, stamp = folder / "bin/python", folder / ".ready"
    lists = (needs, ROOT / "requirements.txt")
    if stamp.exists() and all(stamp.stat().st_mtime >= f.stat().st_mtime for f in lists):
        return python
    print(f"Setting up {folder.relative_to(ROOT)}", flush=True)
    install = [python, "-m", "pip", "install", "--quiet", "--requirement", needs]
    for command in (
        [sys.executable, "-m", "venv", folder],
        [*install, "--constraint", ROOT / "requirements.txt"],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"cannot be installed: {last_line(done.stderr)}")
    stamp.touch()
    return python


def answered(name, python, problem, seed, budget, method, cores, steps):
    """What the script prints last."""
    command = [python, HERE / f"with_{name}.py", "--problem", problem]
    command += ["--seed", str(seed), "--budget", str(budget)]
    if steps:
        command += ["--steps", str(steps)]
    if method:
        command += ["--method", method]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=budget + STARTING,
            env=surroundings(cores),
            preexec_fn=on_cores(cores),
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"no result {STARTING} s after its budget") from None
    if done.returncode:
        raise Failed(last_line(done.stderr))
    found = [line for line in done.stdout.splitlines() if line.startswith('{"method"')]
    return json.loads(found[-1])


def surroundings(cores):
    """The environment variables of a peer: its telemetry off, as many threads as cores."""
    given = os.environ | {"DO_NOT_TRACK": "1", "MPLBACKEND": "Agg", "JAX_PLATFORMS": "cpu"}
    return given | {"OMP_NUM_THREADS": str(cores)} if cores else given


def on_cores(cores):
    """A function that keeps the process on so many cores; None for all."""
    if not cores or not hasattr(os, "sched_setaffinity"):
        return None
    mine = set(sorted(os.sched_getaffinity(0))[-cores:])
    return lambda: os.sched_setaffinity(0, mine)


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"


def adam_steps(budget=5.0):
    """[{"name", "step_us", "by_hand_us"} or {"name", "failed"}]: a step of Adam of every peer, one
    core; by_hand_us is the step in plain torch in the same process, None where there is no torch.
    """
    rows = []
    for name in ("deepxde", "pina", "neurodiffeq", "jinns"):
        method = METHODS[name][-1]  # the one that begins with Adam
        found = run_peer(name, "sir_step", budget=budget, method=method, cores=1)
        if "failed" not in found:
            found = {"step_us": found["step_us"], "by_hand_us": found.get("by_hand_us")}
        rows.append({"name": name} | found)
    return rows


if __name__ == "__main__":
    print(json.dumps(run_peer(*sys.argv[1:3])))
