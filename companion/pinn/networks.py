"""Networks for a solution: smooth, scaled to the domain, with features spread over it.

Every network maps points x (n, d) of a Box to (n, outputs), in float64, and is initialised from a
seed. Chapters 12 to 14.
"""

from itertools import pairwise

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from companion.pinn.problem import Box

SMOOTH = {
    "tanh": torch.tanh,
    "sin": torch.sin,
    "silu": nn.functional.silu,
    "gelu": nn.functional.gelu,
    "softplus": nn.functional.softplus,
    "sigmoid": torch.sigmoid,
}
KINKED = {"relu": torch.relu, "leaky_relu": nn.functional.leaky_relu}  # f″ = 0 almost everywhere
ACTIVATIONS = SMOOTH | KINKED
# What such activations are called where torch runs them.
STRAIGHT = {"relu", "leaky_relu", "_prelu_kernel", "threshold", "hardtanh", "hardsigmoid"}


class MLP(nn.Module):
    """n(x) = W_L a(… a(W₁ x̂ + b₁) …) + b_L, where x̂ is x brought to [−1, 1]ᵈ.

    widths: of the hidden layers. activation: one of tanh, sin, silu, gelu, softplus, sigmoid (relu
    and leaky_relu for demonstrations: a problem of order 2 or more refuses them). spread: how many
    times steeper the first layer is than a unit ramp, its bends placed at random over the whole
    domain; raise it with the length of the domain (chapter 14). Raises ValueError for an unknown
    activation or a width below 1.

    >>> from companion.pinn import Box
    >>> net = MLP(Box(t=(0.0, 10.0)), widths=(16,), seed=1)
    >>> net(torch.zeros(3, 1).double()).shape
    torch.Size([3, 1])

    Source: chapters 12 and 14.
    """

    def __init__(self, box, widths=(20, 20), outputs=1, activation="tanh", spread=1.0, seed=0):
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation is one of {', '.join(ACTIVATIONS)}; got {activation!r}")
        _refuse_sizes(widths, outputs)
        self.box, self.activation = box, activation

        def draw(layers):
            for layer in layers:
                nn.init.xavier_normal_(layer.weight)
                nn.init.zeros_(layer.bias)
            _spread(layers[0], spread)

        self.layers = _drawn((box.dimension, *widths, outputs), seed, draw)

    def forward(self, x):
        *hidden, last = self.layers
        h = self.box.centred(x)
        for layer in hidden:
            h = ACTIVATIONS[self.activation](layer(h))
        return last(h)


def _refuse_sizes(widths, outputs):
    if not widths or min(widths) < 1 or outputs < 1:
        raise ValueError(
            f"needed are the widths of the hidden layers, as (20, 20), and outputs, each 1 or more; "
            f"got widths {tuple(widths)} and outputs {outputs}"
        )


def _drawn(sizes, seed, draw):
    """Linear layers of these sizes, initialised by draw(layers) from a stream of their own."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = [nn.Linear(i, o, dtype=torch.float64) for i, o in pairwise(sizes)]
        draw(layers)
    return nn.ModuleList(layers)


def _spread(layer, steepness):
    """Ramps w·(x̂ − c) of a given steepness in random directions, with centres c all over [−1, 1]ᵈ."""
    with torch.no_grad():
        direction = nn.functional.normalize(torch.randn_like(layer.weight), dim=1)
        centre = 2 * torch.rand_like(layer.weight) - 1
        size = steepness * (0.5 + torch.rand_like(layer.weight[:, :1]))
        layer.weight.copy_(size * direction)
        layer.bias.copy_(-(layer.weight * centre).sum(1))


class Fourier(nn.Module):
    """n(MLP) on the features sin(2π B x̂), cos(2π B x̂): B (k, d) drawn once, of a given size.

    Source: Tancik et al., *Fourier features let networks learn high frequency functions* (2020).
    """

    def __init__(self, box, features=16, size=1.0, widths=(20,), outputs=1, seed=0):
        super().__init__()
        if features < 1:
            raise ValueError(f"needed are 1 or more features; got {features}")
        self.box = box
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.randn(features, box.dimension, generator=generator, dtype=torch.float64)
        self.register_buffer("frequencies", 2 * torch.pi * size * drawn)
        unit = Box(**{f"f{i}": (-1.0, 1.0) for i in range(2 * features)})
        self.net = MLP(unit, widths, outputs, seed=seed)

    def forward(self, x):
        phase = self.box.centred(x) @ self.frequencies.T
        return self.net(torch.cat([torch.sin(phase), torch.cos(phase)], 1))


class Siren(nn.Module):
    """A network of sines, sin(ω₀ (W x + b)), initialised so that every layer keeps its spread.

    Source: Sitzmann et al., *Implicit neural representations with periodic activation functions*
    (2020), section 3.2.
    """

    def __init__(self, box, widths=(32, 32), outputs=1, omega=30.0, seed=0):
        super().__init__()
        _refuse_sizes(widths, outputs)
        self.box, self.omega = box, omega

        def draw(layers):
            for k, layer in enumerate(layers):
                bound = (6 / layer.in_features) ** 0.5 / omega if k else 1 / layer.in_features
                nn.init.uniform_(layer.weight, -bound, bound)

        self.layers = _drawn((box.dimension, *widths, outputs), seed, draw)

    def forward(self, x):
        *hidden, last = self.layers
        h = self.box.centred(x)
        for layer in hidden:
            h = torch.sin(self.omega * layer(h))
        return last(h)


class Kinks(TorchDispatchMode):
    """The activations made of straight lines that run inside this block, by name, in `seen`.

    It watches the operations themselves: a relu called in forward() is seen as well as a module.
    """

    def __init__(self):
        super().__init__()
        self.seen = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__.removesuffix("_")
        if name in STRAIGHT:
            self.seen.add(name)
        return func(*args, **(kwargs or {}))
