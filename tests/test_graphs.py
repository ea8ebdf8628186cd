"""graph_size, saved_bytes and LeakProbe, against what can be counted by hand."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from companion.operators import LeakProbe, graph_size, saved_bytes

pytestmark = pytest.mark.filterwarnings("ignore:Using backward.. with create_graph=True")
X = torch.linspace(-1, 1, 6, dtype=torch.float64).reshape(6, 1)


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1)).double()


# --- graphs --------------------------------------------------------------------------------------


def test_graph_size():
    x = torch.ones(3, requires_grad=True)
    assert graph_size(x) == graph_size(torch.ones(3)) == 0
    assert graph_size(x.sin()) == 2
    s = x.sin()
    assert graph_size(s * s) == 3  # the sine is one node, however often it is used
    assert graph_size([s, s.cos()]) == 3
    y = x
    for _ in range(20_000):
        y = y + 1
    assert graph_size(y) == 20_001
    with pytest.raises(TypeError, match=r"graph_size needs a tensor.*got None"):
        graph_size(None)


def test_saved_bytes_counts_each_storage_once_and_no_leaf():
    x = torch.ones(100, dtype=torch.float64)
    w = torch.ones(100, dtype=torch.float64, requires_grad=True)
    assert saved_bytes(w * x) == 800  # x; w is a leaf
    assert saved_bytes(w * x + w * x) == 800
    assert saved_bytes(w.exp()) == 800  # its own result
    assert saved_bytes(w + x) == 0
    h = w * x
    assert saved_bytes([h.sin(), h.cos()]) == 1600
    assert saved_bytes(h.reshape(10, 10) @ h.reshape(10, 10)) == 1600  # views share storage
    # twice as large a graph keeps twice as much
    assert saved_bytes(h.sin().sin()) == 2400


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        return 3 * ctx.saved_tensors[0] ** 2 * g


def test_two_ways_to_saved_bytes_agree(net):
    x = torch.randn(50, 1, dtype=torch.float64, requires_grad=True)

    def nested(order):
        u = net(x) + Cube.apply(2 * x) + torch.stack([x, 2 * x]).prod(0)
        for _ in range(order):
            u = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
        return u

    sizes = [saved_bytes(nested(k)) for k in range(4)]
    hooked = [saved_bytes(lambda k=k: nested(k)) for k in range(4)]
    assert all(0 <= a - b < 50 for a, b in zip(sizes, hooked))  # the numbers 2, 1, ... in formulas
    assert sizes == sorted(sizes) and sizes[3] > 2 * sizes[1] > 0
    convolution = nn.Conv1d(1, 3, 2).double()
    made = lambda: convolution(x.T[None]).relu().cumsum(2).max(2).values.norm()
    assert saved_bytes(made()) == saved_bytes(made) > 0


def test_what_saved_bytes_refuses(net):
    with pytest.raises(TypeError, match=r"saved_bytes needs a tensor.*got a float"):
        saved_bytes(1.0)
    with pytest.raises(TypeError, match=r"the function's result needs a tensor.*got None"):
        saved_bytes(lambda: None)
    u = net(X).mean()
    u.backward()
    with pytest.raises(ValueError, match=r"has been freed by a backward.*retain_graph=True"):
        saved_bytes(u)


# --- leaks ---------------------------------------------------------------------------------------


def test_the_probe_sees_the_cycle_and_its_cure():
    with LeakProbe() as probe:
        x = probe.watch(torch.ones(3, requires_grad=True))
        x.sin().sum().backward(create_graph=True)
    assert probe.alive == 1
    del x
    assert probe.alive == 1  # nobody has a name for it any more
    probe.survivors[0].grad = None
    assert probe.alive == 0 and probe.survivors == []


def test_the_probe_weighs():
    """Twenty steps that leak at least 3 × 1 MiB each, and twenty that leak nothing. In a process of
    its own: one that has freed memory before would fill that first, and not grow.
    """
    program = """
import warnings

import torch

from companion.operators import LeakProbe

def step(way):
    x = torch.zeros(2**17, dtype=torch.float64, requires_grad=True)
    way(x)
    return x

def leak(x):
    x.sin().sum().backward(create_graph=True)

warnings.simplefilter("ignore")
with LeakProbe() as tight:
    for _ in range(20):
        tight.watch(step(lambda x: torch.autograd.grad(x.sin().sum(), x, create_graph=True)[0]))
assert tight.alive == 0 and tight.grown < 30 * 2**20, tight.grown

with LeakProbe() as leaky:
    for _ in range(20):
        leaky.watch(step(leak))
    assert leaky.grown > 15 * 3 * 2**20, leaky.grown  # inside the block: so far
grown = leaky.grown
assert leaky.alive == 20 and grown > 15 * 3 * 2**20, grown
for x in leaky.survivors:
    x.grad = None
del x
assert leaky.alive == 0 and leaky.grown == grown  # of the block, not of now
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


def test_what_the_probe_refuses():
    with pytest.raises(TypeError, match=r"watch needs a tensor: x = probe.watch\(x\); got a list"):
        LeakProbe().watch([1])
    with pytest.raises(RuntimeError, match="nothing measured yet: write `with LeakProbe"):
        _ = LeakProbe().grown


def test_the_probe_counts_what_is_on_every_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    held = [0, 0, 0]
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device=0: held[device])
    with LeakProbe() as probe:
        held[2] = 2**40
    assert probe.grown > 2**39
