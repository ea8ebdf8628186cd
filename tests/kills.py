"""Kill a fit again and again: what is left goes on to the same bits. `python -m tests.kills 50`

A fit runs in a process of its own, which is ended by SIGKILL: after a time by chance, or while it
writes a checkpoint. Then it is begun again, until it comes to its end; its parameters, losses and
points must be those of a fit that nobody killed, to the bit. Some seconds for each kill.
At its end Python cleans up, and says so, a semaphore of tqdm for each process that was killed.
"""

import io
import os
import random
import signal
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from companion.pinn import LBFGS, MLP, Adam, LevenbergMarquardt, fit
from companion.problems import oscillator
from tests.processes import FORKED


def dying(fatal: int) -> None:
    """Make torch.save, at its call of that number, write half of it to the disk and kill this process."""
    saves, write = [0], torch.save

    def counted(content: object, file: io.BufferedWriter) -> None:
        saves[0] += 1
        if saves[0] == fatal:
            whole = io.BytesIO()
            write(content, whole)
            file.write(whole.getvalue()[: len(whole.getvalue()) // 2])
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        write(content, file)

    torch.save = counted


def program(path: Path, result: Path, fatal: int, said: Connection) -> None:
    """The fit, with a checkpoint at path; what it comes to stands in result."""
    torch.set_num_threads(1)
    write = torch.save
    dying(fatal)
    problem = oscillator(hard=False)
    stages = [Adam(150, lr=1e-2), LBFGS(20, inner=3), LevenbergMarquardt(60)]
    net = MLP(problem.domain, (8,))
    said.send("begun")
    solution = fit(
        problem,
        net,
        stages,
        points=16,
        resample=50,
        balance=40,
        log_interval=7,
        checkpoint=path,
        progress=False,
    )
    last = dict(solution.history.records[-1])
    last.pop("seconds")
    write([torch.cat([p.detach().flatten() for p in net.parameters()]), repr(last)], result)


def begun(folder: Path, checkpoint: str, fatal: int = 0) -> BaseProcess:
    """The program in a process, training; fatal: the number of the save that kills it, 0 for none."""
    here, there = FORKED.Pipe(duplex=False)
    arguments = folder / checkpoint, folder / "result.pt", fatal, there
    process = FORKED.Process(target=program, args=arguments)
    process.start()
    there.close()
    assert here.recv() == "begun"
    return process


def finished(folder: Path, checkpoint: str) -> tuple:
    """What a fit comes to: its parameters and its last record."""
    process = begun(folder, checkpoint)
    process.join()
    if process.exitcode:
        raise RuntimeError(f"a fit that nobody killed ended with status {process.exitcode}")
    return tuple(torch.load(folder / "result.pt"))


def same(one: tuple, other: tuple) -> bool:
    """Whether two fits came to the same bits."""
    return torch.equal(one[0], other[0]) and one[1] == other[1]


def killed_by_time(folder: Path, checkpoint: str, seconds: float) -> bool:
    """Kill it so many seconds after it began to train; False if it had come to its end."""
    process = begun(folder, checkpoint)
    time.sleep(seconds)
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def killed_in_a_save(folder: Path, checkpoint: str, number: int) -> bool:
    """Kill it inside the save of that number; False if there were not so many."""
    process = begun(folder, checkpoint, number)
    process.join()
    return process.exitcode == -signal.SIGKILL


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
