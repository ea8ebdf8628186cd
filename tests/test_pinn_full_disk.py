"""A disk that is full: the old checkpoint stays, nothing is left beside it, and the fit says so."""

import builtins
import errno
import os

import pytest
import torch

from companion.pinn import Adam, LevenbergMarquardt
from tests.fits import bits, train


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Narrow:
    """A file that takes so many bytes."""

    def __init__(self, file, room):
        self.file, self.room = file, room

    def write(self, data):
        self.room -= len(data)
        return self.file.write(data) if self.room > 0 else full()

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()


def by_fsync(patch):
    patch.setattr(os, "fsync", full)


def by_open(patch):
    real = builtins.open
    patch.setattr(
        builtins, "open", lambda f, *a, **k: full() if "part" in str(f) else real(f, *a, **k)
    )


def by_writing(patch):
    real = builtins.open

    def narrow(f, *a, **k):
        return Narrow(real(f, *a, **k), 1000) if "part" in str(f) else real(f, *a, **k)

    patch.setattr(builtins, "open", narrow)


def by_replace(patch):
    patch.setattr(type(__import__("pathlib").Path()), "replace", full)


@pytest.mark.parametrize("break_", [by_fsync, by_open, by_writing, by_replace])
def test_the_old_file_stays_and_the_fit_ends_with_a_message(break_, tmp_path, monkeypatch):
    path, stages = tmp_path / "fit.pt", [Adam(4), LevenbergMarquardt(4)]
    train(stages[:1], checkpoint=path)
    before, whole = path.read_bytes(), bits(train(stages)[0])
    with monkeypatch.context() as patch:
        break_(patch)
        message = r"stopped early: the checkpoint .*fit.pt cannot be written \(.*untouched"
        with pytest.warns(UserWarning, match=message):
            net, solution = train(stages, checkpoint=path, log_interval=2)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["fit.pt"]
    assert solution.history.records[-1]["step"] == 6 and bits(net).isfinite().all()
    assert torch.equal(bits(train(stages, net_seed=3, checkpoint=path)[0]), whole)


@pytest.mark.parametrize("break_", [by_fsync, by_open, by_writing, by_replace])
def test_a_solution_is_saved_whole_or_not_at_all(break_, tmp_path, monkeypatch):
    path = tmp_path / "u.pt"
    _, solution = train([Adam(4)])
    solution.save(path)
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        break_(patch)
        with pytest.raises(OSError, match=r"the solution .*u.pt cannot be written \(.*untouched"):
            solution.save(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["u.pt"]
