"""What the torch benchmarks share: one tanh network, in torch and in JAX, and one core to run on.

A peer that cannot be imported is left out, and SKIPPED says why.
"""

import os
from itertools import pairwise

import torch
from torch import nn

SKIPPED = []  # what the benchmark prints about peers that it could not import

try:
    import jax
except ImportError as error:
    jax = None
    SKIPPED.append(f"JAX: {error}")
try:
    import jet as torch_jet
except ImportError as error:
    torch_jet = None
    SKIPPED.append(f"jet-for-pytorch, which needs Python 3.12 or newer: {error}")
try:
    import folx
except ImportError as error:
    folx = None
    SKIPPED.append(f"folx: {error}")


def one_core():
    """One core for everybody: torch's, JAX's and BLAS's own threads would measure the scheduler."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    if jax:
        jax.config.update("jax_enable_x64", True)


def tell_skipped():
    """Print which peers are missing, and why."""
    for reason in SKIPPED:
        print(f"Skipped, since it cannot be imported: {reason}")


def tanh_network(*widths):
    """Linear, Tanh, …, Linear in float64."""
    torch.manual_seed(0)
    layers = [nn.Linear(a, b) for a, b in pairwise(widths)]
    between = [module for layer in layers for module in (layer, nn.Tanh())]
    return nn.Sequential(*between[:-1]).double()


def gradients(loss, net):
    """The gradient of the loss by the parameters, touching no .grad; a missing one is zero."""
    return torch.autograd.grad(loss, list(net.parameters()), allow_unused=True)


def size(gradient):
    """The norm of a gradient, to check that two programs compute the same."""
    return sum(float((g**2).sum()) for g in gradient if g is not None) ** 0.5


def in_jax(net):
    """(parameters, function) of the same network in JAX: function(parameters, x), x (..., d)."""
    layers = [m for m in net if isinstance(m, nn.Linear)]
    parameters = [
        (jax.numpy.array(m.weight.detach().numpy()), jax.numpy.array(m.bias.detach().numpy()))
        for m in layers
    ]

    def function(parameters, x):
        *hidden, (weight, bias) = parameters
        for w, b in hidden:
            x = jax.numpy.tanh(x @ w.T + b)
        return x @ weight.T + bias

    return parameters, function


def jitted(loss, parameters):
    """A call of the compiled gradient of loss(parameters), which waits for its result."""
    step = jax.jit(jax.grad(loss))
    return lambda: jax.block_until_ready(step(parameters))


def jax_gradients(tree):
    """The gradients that `jitted` returns, as one list."""
    return jax.tree_util.tree_leaves(tree)
