"""Kill a fit again and again: what is left goes on to the same bits. `python tests/kills.py 50`

A fit runs in a process of its own, which is ended by SIGKILL: after a time by chance, or while it
writes a checkpoint. Then it is begun again, until it comes to its end; its parameters, losses and
points must be those of a fit that nobody killed, to the bit. Some five seconds for each kill.
"""

import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROGRAM = """
import os, signal, sys
import torch
from companion.pinn import LBFGS, MLP, Adam, LevenbergMarquardt, fit, state
from companion.problems import oscillator

torch.set_num_threads(1)
path, result, fatal = sys.argv[1], sys.argv[2], int(sys.argv[3])
problem, saves, fsync, write = oscillator(hard=False), [0], os.fsync, torch.save

def counted(content, file):
    saves[0] += 1
    if saves[0] == fatal:  # half of it is on the disk
        whole = __import__("io").BytesIO()
        write(content, whole)
        file.write(whole.getvalue()[: len(whole.getvalue()) // 2])
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    write(content, file)

torch.save = counted
stages = [Adam(300, lr=1e-2), LBFGS(20, inner=3), LevenbergMarquardt(150)]
net = MLP(problem.domain, (8,))
print("begun", flush=True)
solution = fit(problem, net, stages, points=16, resample=50, balance=40, log_interval=7,
               checkpoint=path, progress=False)
torch.save = write
last = dict(solution.history.records[-1])
last.pop("seconds")
torch.save([torch.cat([p.detach().flatten() for p in net.parameters()]), repr(last)], result)
"""


def begun(folder: Path, checkpoint: str, fatal: int = 0) -> subprocess.Popen:
    """The program in a process; fatal: the number of the save in which it is killed, 0 for none."""
    command = [sys.executable, "-c", PROGRAM, folder / checkpoint, folder / "result.pt", str(fatal)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finished(folder: Path, checkpoint: str) -> tuple:
    """What a fit comes to: its parameters and its last record."""
    import torch

    process = begun(folder, checkpoint)
    _, said = process.communicate()
    if process.returncode:
        raise RuntimeError(said.decode())
    return tuple(torch.load(folder / "result.pt"))


def same(one: tuple, other: tuple) -> bool:
    """Whether two fits came to the same bits."""
    import torch

    return torch.equal(one[0], other[0]) and one[1] == other[1]


def killed_by_time(folder: Path, checkpoint: str, seconds: float) -> bool:
    """Kill it so many seconds after it began to train; False if it had come to its end."""
    process = begun(folder, checkpoint)
    assert process.stdout.readline() == b"begun\n"
    time.sleep(seconds)
    process.kill()
    process.communicate()
    return process.returncode == -signal.SIGKILL


def killed_in_a_save(folder: Path, checkpoint: str, number: int) -> bool:
    """Kill it inside the save of that number; False if there were not so many."""
    process = begun(folder, checkpoint, number)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def round_of(folder: Path, kills: int, chance: random.Random, expected: tuple, at: str) -> int:
    """Kill one fit so many times, then let it end; how many kills there were."""
    done = 0
    for _ in range(kills):
        if chance.random() < 0.5:
            done += killed_by_time(folder, at, chance.uniform(0.05, 1.5))
        else:
            done += killed_in_a_save(folder, at, chance.randint(1, 12))
        for part in folder.glob(f"{at}.*.part"):
            assert part.stat().st_size >= 0
    if not same(finished(folder, at), expected):
        raise AssertionError(f"after {done} kills the bits are others")
    return done


def main(count: int = 50, seed: int = 0) -> None:
    """Kill `count` times, three times each fit."""
    chance, done, fits = random.Random(seed), 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        expected = finished(folder, "whole.pt")
        while done < count:
            fits += 1
            done += round_of(folder, 3, chance, expected, f"fit{fits}.pt")
            print(f"{done} kills, {fits} fits, the same bits", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
