"""Everything that a fit is at a step, as one value; on disk it is a checkpoint.

A state is never changed: undo means keeping the old one. Chapter 12.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from companion.pinn.batches import mixed
from companion.pinn.files import read, write
from companion.pinn.residuals import Batch, Points, batch_of
from companion.pinn.trial import Trial

FORMAT = 2  # of a checkpoint
SUMS = 6  # random ones, in a fingerprint


@dataclass(frozen=True)
class State:
    """θ, what the stage remembers, the points, and the history, after so many steps.

    stage: the number of the stage; made: its steps so far; step: those of all stages. draws: how often
    points were drawn; with the seeds of Batches that is all the randomness there is. factors:
    {condition: the factor on its weight}, see balanced. record: one dictionary for each report.
    """

    theta: Tensor
    batch: Batch
    memory: Any = None  # None: the stage has not begun
    stage: int = 0
    made: int = 0
    step: int = 0
    draws: int = 1
    seconds: float = 0.0
    factors: tuple[tuple[str, float], ...] = ()
    records: tuple[dict[str, Any], ...] = ()

    def weighted(self) -> Batch:
        """The batch, each condition's weight times its factor."""
        found = dict(self.batch)
        for term, factor in self.factors:
            found[term] = found[term]._replace(weight=factor * found[term].weight)
        return found

    def next_stage(self) -> "State":
        """The state in which the next stage begins."""
        return replace(self, stage=self.stage + 1, made=0, memory=None)


def save(path: str | Path, state: State, trial: Trial, identity: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all: whoever is killed while writing leaves the old one.

    Raises OSError, with the path in it, where it cannot be written.
    """
    content = {
        "format": FORMAT,
        "identity": whole(identity, trial),
        "shapes": {name: list(shape) for name, shape in trial.shapes.items()},
        "state": {**vars(state), "batch": {t: list_of(at) for t, at in state.batch.items()}},
    }
    write(path, content, "checkpoint")


def load(path: str | Path, trial: Trial, identity: dict[str, Any]) -> State:
    """The state of a checkpoint, if it was written in this fit; no code of it is run.

    Raises ValueError for what is no checkpoint, and for that of another problem, network or plan.
    """
    content = read(path, "checkpoint")
    try:
        version, was, shapes = content["format"], content["identity"], content["shapes"]
        found = dict(content["state"])
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is no checkpoint of companion.pinn: it lacks {error}. Give another file, or "
            "delete it"
        ) from error
    if version != FORMAT:
        raise ValueError(f"{path} is a checkpoint of format {version}; expected {FORMAT}")
    like = next(trial.parameters())
    digits = torch.finfo(like.dtype).eps ** 0.6
    if different := differences(was, whole(identity, trial), digits):
        raise ValueError(
            f"{path} is the checkpoint of another fit: {'; '.join(different)}. Give the same, or "
            "another file"
        )
    if shapes != {name: list(shape) for name, shape in trial.shapes.items()}:
        raise ValueError(
            f"{path} is the checkpoint of another network or other unknowns: {shapes}; this one trains "
            f"{ {name: list(shape) for name, shape in trial.shapes.items()} }. Give the same, or another "
            "file"
        )
    found["batch"] = {t: points_from(at, like) for t, at in found["batch"].items()}
    found["theta"] = found["theta"].to(like)
    found["memory"] = moved(found["memory"], like)
    found["factors"] = tuple((term, factor) for term, factor in found["factors"])
    return State(**{**found, "records": tuple(found["records"])})


def list_of(at: Points) -> list[Any]:
    """Points as what torch.load knows."""
    return [at.x, at.values, at.weight, dict(at.given)]


def points_from(kept: Sequence[Any], like: Tensor) -> Points:
    """Points again, on the device of a tensor."""
    x, values, weight, given = kept
    tables = {name: table.to(like) for name, table in given.items()}
    return Points(x.to(like), values.to(like), weight.to(like), tables)


def moved(memory: Any, like: Tensor) -> Any:
    """What a stage remembers, its tensors on the device of another."""
    if isinstance(memory, torch.Tensor):
        return memory.to(like.device)
    if isinstance(memory, dict):
        return {name: moved(value, like) for name, value in memory.items()}
    if isinstance(memory, (list, tuple)):
        return type(memory)(moved(value, like) for value in memory)
    return memory


def fingerprint(trial: Trial) -> dict[str, list[float]]:
    """{term: the size of its rows, random sums of them, and of their weights}, at a θ of its own.

    What the problem, the network, its frozen parameters and buffers are, whatever it is trained to: θ
    and the points are always the same.
    """
    like = next(trial.parameters())
    count = sum(shape.numel() for shape in trial.shapes.values())
    generator = torch.Generator().manual_seed(0)
    draw = partial(torch.randn, generator=generator, dtype=torch.float64)
    x = trial.problem.domain.points(64, "uniform", mixed(0, 1)).to(like)
    found = trial.at((0.3 * draw(count)).to(like), batch_of(trial.problem, x))
    return {
        term: [
            number
            for values in (rows.detach().cpu().double(), weight.cpu().double())
            for number in (
                values.abs().sum().item(),
                *(draw(SUMS, *values.shape) * values).sum((1, 2)).tolist(),
            )
        ]
        for term, (rows, weight) in found.items()
    }


def whole(identity: dict[str, Any], trial: Trial) -> dict[str, Any]:
    """The settings of a fit, with what its problem and its network are."""
    dtype = str(next(trial.parameters()).dtype)
    return identity | {"dtype": dtype, "fingerprint": fingerprint(trial)}


def differences(was: dict[str, Any], now: dict[str, Any], digits: float) -> list[str]:
    """What differs between two identities, in words; numbers may differ in their last digits."""
    found: list[str] = []
    for name in sorted(was.keys() | now.keys()):
        then: Any = was.get(name)
        here: Any = now.get(name)
        if name == "fingerprint":
            found += [f"{term} is another one" for term in sorted(then.keys() | here.keys())
                      if not close(then.get(term), here.get(term), digits)]  # fmt: skip
        elif name == "stages":
            if here[: len(then)] != then:
                found.append(f"stages {then} there, {here} here")
        elif then != here:
            found.append(f"{name} {then} there, {here} here")
    return found


def close(a: Sequence[float] | None, b: Sequence[float] | None, digits: float) -> bool:
    """Whether two fingerprints of a term agree: each sum, measured by the size of what is summed."""
    if a is None or b is None or len(a) != len(b):
        return False
    one, other = (torch.tensor(v, dtype=torch.float64).view(2, 1 + SUMS) for v in (a, b))
    off = (one - other).abs() <= digits * one[:, :1].abs()
    return bool((off | (one.isnan() & other.isnan())).all())
