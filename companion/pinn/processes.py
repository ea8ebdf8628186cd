"""One fit on several processes: each has a share of the points, and what is summed is summed over all.

A loss is a mean over points, so with the points in p shares it is a sum over these, and its gradient
is one, and so are the matrices of the method of Levenberg and Marquardt:

    L = Σₛ Lₛ    ∂L/∂θ = Σₛ ∂Lₛ/∂θ    JᵀJ = Σₛ JₛᵀJₛ    Jᵀr = Σₛ Jₛᵀrₛ    rᵀr = Σₛ rₛᵀrₛ

A process computes the terms of its own share, torch.distributed adds them up (total), and every
process is given the same bits. What follows from the sums, a step, each computes for itself from the
same numbers in the same order: so θ is the same everywhere and is never sent. JJᵀ is no such sum: it
pairs the rows of different shares, and is not made where there are several processes. Chapter 19.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from companion.operators import device
from companion.pinn.residuals import Batch, Points


@dataclass(frozen=True)
class Processes:
    """This process among `count` that make one fit; group: that of torch.distributed, None for all.

    Every method but share waits for all the others: all processes call the same, in the same order.

    >>> at = Points(torch.tensor([[0.0], [1.0], [2.0]]), torch.zeros(3, 0), torch.ones(1, 1), {})
    >>> first, last = (Processes(rank, 2).share({"equation": at})["equation"] for rank in (0, 1))
    >>> first.x.T, last.x.T, last.weight.T
    (tensor([[0., 1.]]), tensor([[2., 2.]]), tensor([[0.6667, 0.0000]]))

    Source: chapter 19.
    """

    rank: int = 0
    count: int = 1
    group: Any = None

    def share(self, batch: Batch) -> Batch:
        """The rows of this process: m = ⌈n/p⌉ of each term, under weights times m/n.

        Then the sum over all shares of a mean over m rows is the mean over n. Where p does not divide
        n the last row fills up the shares, with weight 0: all have one shape, and none is empty.
        """
        if self.count == 1:
            return batch
        return {term: self._share(at) for term, at in batch.items()}

    def _share(self, at: Points) -> Points:
        n = len(at.x)
        m = -(-n // self.count)
        places = torch.arange(self.rank * m, (self.rank + 1) * m, device=at.x.device)
        mine = at.take(places.clamp(max=n - 1))
        return mine._replace(weight=mine.weight * (m / n) * (places < n)[:, None])

    def total(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Each summed over all processes, in one message."""
        if self.count == 1:
            return tensors
        whole = torch.cat([t.detach().reshape(-1) for t in tensors])
        dist.all_reduce(whole, group=self.group)
        parts = whole.split([t.numel() for t in tensors])
        return tuple(part.view(t.shape) for part, t in zip(parts, tensors))

    def norm(self, rows: Tensor, dim: int | None = None) -> Tensor:
        """‖·‖ of all rows, or of their columns."""
        if self.count == 1:
            return rows.norm(dim=dim)
        return self.total(rows.square().sum(dim))[0].sqrt()

    def gathered(self, rows: Tensor) -> Tensor:
        """The rows of all processes, those of the first process first; each has as many."""
        if self.count == 1:
            return rows
        parts = [torch.empty_like(rows) for _ in range(self.count)]
        dist.all_gather(parts, rows.detach().contiguous(), group=self.group)
        return torch.cat(parts)

    def any(self, here: bool, like: Tensor) -> bool:
        """Whether something is true in one of the processes at least."""
        return here if self.count == 1 else bool(self.total(like.new_tensor(float(here)))[0] > 0)

    def refuse_different(self, tensors: Mapping[str, Tensor]) -> None:
        """Raise RuntimeError unless all processes have the same tensors, to the bit."""
        if self.count == 1:
            return
        sums = self.gathered(torch.stack([checksum(t) for t in tensors.values()])[None])
        different = [name for name, of in zip(tensors, sums.unbind(1)) if (of != of[0]).any()]
        if different:
            raise RuntimeError(
                f"the {self.count} processes do not have the same {', '.join(different)}. Make the "
                "network and the problem from a seed, torch.manual_seed(0), keep a checkpoint where all "
                "can read it, and decide nothing by the time or by the rank"
            )


ALONE = Processes()


def checksum(t: Tensor) -> Tensor:
    """The bits of all entries as whole numbers, each times an odd number of its own, summed modulo 2⁶⁴.

    >>> x = torch.ones(3, dtype=torch.float64)
    >>> bool(checksum(x) == checksum(x.clone())), bool(checksum(x) == checksum(x + 2**-52))
    (True, False)
    """
    bits = t.detach().double().reshape(-1).view(torch.int64)
    return (bits * (2 * torch.arange(len(bits), device=t.device) + 1)).sum()


def joined() -> Processes:
    """The processes that torchrun started this one among; this one alone, where nobody did.

    With COMPANION_DEVICE=cuda each process of a machine takes a GPU of its own, and they speak by
    nccl; else by gloo. Raises RuntimeError where a restart would find the addresses of the dead.

    >>> joined()
    Processes(rank=0, count=1, group=None)
    """
    if not dist.is_initialized():
        if "WORLD_SIZE" not in os.environ:
            return ALONE
        refuse_stale_addresses()
        cuda = device().type == "cuda"
        if cuda:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
        dist.init_process_group("nccl" if cuda else "gloo")
    return Processes(dist.get_rank(), dist.get_world_size())


def refuse_stale_addresses() -> None:
    """Raise RuntimeError if torchrun is to restart processes, and shares its store with them.

    There the addresses of those that died stay, and who is faster than the new ones calls them: see
    findings/torchrun_restart_calls_the_dead.sh.
    """
    restarts = int(os.environ.get("TORCHELASTIC_MAX_RESTARTS", 0))
    if restarts and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        raise RuntimeError(
            f"torchrun --max-restarts={restarts} keeps the addresses of processes that died, and those "
            "that it starts again may call them. Write TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 before "
            "torchrun"
        )
