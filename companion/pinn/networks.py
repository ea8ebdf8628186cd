"""Networks for a solution: smooth, scaled to the domain, with features spread over it.

Every network maps points x (n, d) of a Box to (n, outputs), in float64, and is initialised from a
seed. Chapters 12 to 14.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import pairwise
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from companion.pinn.arguments import is_whole, need_kind, need_number, need_whole
from companion.pinn.domain import SIDES, Box
from companion.pinn.problem import Function

SMOOTH: dict[str, Function] = {
    "tanh": torch.tanh,
    "sin": torch.sin,
    "silu": nn.functional.silu,
    "gelu": nn.functional.gelu,
    "softplus": nn.functional.softplus,
    "sigmoid": torch.sigmoid,
}
KINKED: dict[str, Function] = {
    "relu": torch.relu,
    "leaky_relu": nn.functional.leaky_relu,
}  # f″ = 0 almost everywhere
ACTIVATIONS = SMOOTH | KINKED


class Centred(nn.Module):
    """x ↦ what a network sees: x̂, x brought to [−1, 1]ᵈ, a column for each axis, or more.

    Where the box is closed by hard conditions, an axis has the columns that have what they say: cos πx̂ and
    sin πx̂ where it is periodic; 2ξ² − 1 and 2ξ³ − 1, ξ the way from an end, where that is flat; where both
    ends are, a smooth step and two bumps. Its ends go with the network to another device.

    >>> from companion.pinn import Box
    >>> Centred(Box(t=(0.0, 10.0)))(torch.tensor([[10.0]]).double()).item()
    1.0
    >>> Centred(Box(t=(0.0, 10.0)).closed(["t"], []))(torch.tensor([[5.0]]).double()).tolist()
    [[1.0, 0.0]]
    """

    low: Tensor
    high: Tensor

    def __init__(self, box: Box) -> None:
        super().__init__()
        need_kind("the domain of a network", box, Box, "a Box, as Box(t=(0.0, 1.0))")
        self.box = box
        self.register_buffer("low", box.low, persistent=False)
        self.register_buffer("high", box.high, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        self.box.refuse_points(x)
        x = 2 * (x - self.low) / (self.high - self.low) - 1
        if not (self.box.periodic or self.box.flat):
            return x
        parts = [
            columns_of(self.box, name, x[:, i : i + 1]) for i, name in enumerate(self.box.names)
        ]
        return torch.cat([column for part in parts for column in part], 1)

    @property
    def axes(self) -> list[int]:
        """The axis of each column."""
        zero = torch.zeros(1, 1, dtype=torch.float64)
        counts = [len(columns_of(self.box, name, zero)) for name in self.box.names]
        return [i for i, count in enumerate(counts) for _ in range(count)]


def columns_of(box: Box, name: str, x: Tensor) -> list[Tensor]:
    """What a network sees of an axis, from x̂ (n, 1), see Centred."""
    if name in box.periodic:
        return [torch.cos(torch.pi * x), torch.sin(torch.pi * x)]
    low, high = ((name, side) in box.flat for side in SIDES)
    if low and high:
        bump = (1 - x.square()).square()
        return [(3 * x - x * x.square()) / 2, 2 * bump - 1, x * bump]
    if low or high:
        way = (1 + x) / 2 if low else (1 - x) / 2
        square = way.square()
        return [2 * square - 1, 2 * way * square - 1]
    return [x]


class MLP(nn.Module):
    """n(x) = W_L a(… a(W₁ x̂ + b₁) …) + b_L, where x̂ is x brought to [−1, 1]ᵈ.

    widths: of the hidden layers. activation: one of tanh, sin, silu, gelu, softplus, sigmoid (relu
    and leaky_relu for demonstrations: a problem of order 2 or more refuses them), or a function of a
    tensor, as torch.erf. spread: how many times steeper the first layer is than a unit ramp, its
    bends placed at random over the whole domain; one number, or {axis: number} where the solution
    turns faster along some axes than along others (1 for those that are not named). Raise it with
    the length of the domain (chapter 14), or let spread_of(problem) choose. Raises ValueError for an
    unknown activation or axis, a width below 1, or a spread that is not above 0.

    >>> from companion.pinn import Box
    >>> net = MLP(Box(t=(0.0, 10.0)), widths=(16,), seed=1)
    >>> net(torch.zeros(3, 1).double()).shape
    torch.Size([3, 1])
    >>> steep = MLP(Box(t=(0.0, 1.0), x=(0.0, 1.0)), spread={"t": 8.0})     # x: 1

    Source: chapters 12 and 14.
    """

    def __init__(
        self,
        box: Box,
        widths: tuple[int, ...] | list[int] = (20, 20),
        outputs: int = 1,
        activation: str | Function = "tanh",
        spread: float | Mapping[str, float] = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        _refuse_activation(activation)
        _refuse_sizes(widths, outputs)
        self.activation = activation
        self.centred = Centred(box)
        steepness = along_axes("spread", spread, box)[self.centred.axes]

        def draw(layers: list[nn.Linear]) -> None:
            for layer in layers:
                nn.init.xavier_normal_(layer.weight)
                nn.init.zeros_(layer.bias)
            _spread(layers[0], steepness)

        self.layers = _drawn((len(self.centred.axes), *widths, outputs), seed, draw)

    def forward(self, x: Tensor) -> Tensor:
        *hidden, last = self.layers
        bend = self.activation if callable(self.activation) else ACTIVATIONS[self.activation]
        h = self.centred(x)
        for layer in hidden:
            h = bend(layer(h))
        return last(h)


def _refuse_activation(activation):
    if isinstance(activation, type) or not (
        callable(activation) or (isinstance(activation, str) and activation in ACTIVATIONS)
    ):
        raise ValueError(
            f"activation is one of {', '.join(ACTIVATIONS)}, or a function of a tensor, as "
            f"torch.erf or nn.Mish(); got {activation!r}"
        )


def _refuse_sizes(widths, outputs):
    layers = tuple(widths) if isinstance(widths, (tuple, list)) else ()
    if not layers or not all(is_whole(k, 1) for k in (*layers, outputs)):
        raise ValueError(
            "expected the widths of the hidden layers, as widths=(20,) or (20, 20), and outputs, "
            f"each 1 or more; got widths {widths} and outputs {outputs}"
        )


def _drawn(sizes, seed, draw):
    """Linear layers of these sizes, initialised by draw(layers) from a stream of their own."""
    need_whole("seed", seed, 0)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        layers = [nn.Linear(i, o, dtype=torch.float64) for i, o in pairwise(sizes)]
        draw(layers)
    return nn.ModuleList(layers)


def along_axes(what: str, value: float | Mapping[str, float], box: Box) -> Tensor:
    """(d,): a number above 0 for each axis, from one for all, or {axis: number}, else 1.

    >>> along_axes("spread", {"t": 8.0}, Box(t=(0.0, 1.0), x=(0.0, 1.0))).tolist()
    [8.0, 1.0]
    """
    first = box.names[0]
    need_kind(
        what, value, (Real, Mapping), f"a number above 0, or one for each axis, {{{first!r}: 2.0}}"
    )
    if not isinstance(value, Mapping):
        need_number(what, value, above=0)
        value = dict.fromkeys(box.names, value)
    if strange := [str(name) for name in value if name not in box.names]:
        raise ValueError(
            f"{what} for axes that are not there: {', '.join(strange)}. This box has "
            f"{', '.join(box.names)}: {what}={{{first!r}: 2.0}}"
        )
    for name, number in value.items():
        need_number(f"{what} along {name}", number, above=0)
    return torch.tensor([value.get(name, 1.0) for name in box.names], dtype=torch.float64)


def _spread(layer, steepness):
    """Ramps w·(x̂ − c) in random directions, with centres c all over [−1, 1]ᵈ.

    steepness: (d,), along each column.
    """
    with torch.no_grad():
        direction = nn.functional.normalize(torch.randn_like(layer.weight), dim=1)
        centre = 2 * torch.rand_like(layer.weight) - 1
        size = steepness * (0.5 + torch.rand_like(layer.weight[:, :1]))
        layer.weight.copy_(size * direction)
        layer.bias.copy_(-(layer.weight * centre).sum(1))


class Fourier(nn.Module):
    """n(MLP) on the features sin(2π B x̂), cos(2π B x̂): B (k, d) drawn once, of a given size.

    features: k. size: the standard deviation of the entries of B, one number, or {axis: number} (1
    for those that are not named); a row b makes 2 |bᵢ| waves across the domain along axis i. Raises
    ValueError for fewer than one feature, for a size as for a spread, and for widths as MLP.

    >>> net = Fourier(Box(x=(-1.0, 1.0)), features=8)
    >>> net(torch.zeros(3, 1).double()).shape, net.frequencies.shape
    (torch.Size([3, 1]), torch.Size([8, 1]))

    Source: Tancik et al., *Fourier features let networks learn high frequency functions* (2020).
    """

    frequencies: Tensor

    def __init__(
        self,
        box: Box,
        features: int = 16,
        size: float | Mapping[str, float] = 1.0,
        widths: tuple[int, ...] | list[int] = (20,),
        outputs: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        need_whole("features", features, 1)
        self.centred = Centred(box)
        need_whole("seed", seed, 0)
        generator = torch.Generator().manual_seed(seed)
        axes = self.centred.axes
        drawn = torch.randn(features, len(axes), generator=generator, dtype=torch.float64)
        sizes = along_axes("size", size, box)[axes]
        self.register_buffer("frequencies", 2 * torch.pi * sizes * drawn)
        unit = Box(None, **{f"f{i}": (-1.0, 1.0) for i in range(2 * features)})
        self.net = MLP(unit, widths, outputs, seed=seed)

    def forward(self, x: Tensor) -> Tensor:
        phase = self.centred(x) @ self.frequencies.T
        return self.net(torch.cat([torch.sin(phase), torch.cos(phase)], 1))


class Siren(nn.Module):
    """A network of sines, sin(ω₀ (W x + b)), initialised so that every layer keeps its spread.

    omega: ω₀; the larger, the faster the sines that it begins with. Raises ValueError for
    widths as MLP.

    >>> net = Siren(Box(x=(-1.0, 1.0)), widths=(16,), omega=10.0)
    >>> net(torch.zeros(3, 1).double()).shape
    torch.Size([3, 1])

    Source: Sitzmann et al., *Implicit neural representations with periodic activation
    functions* (2020), section 3.2.
    """

    def __init__(
        self,
        box: Box,
        widths: tuple[int, ...] | list[int] = (32, 32),
        outputs: int = 1,
        omega: float = 30.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        _refuse_sizes(widths, outputs)
        need_number("omega", omega, above=0)
        self.omega = omega
        self.centred = Centred(box)

        def draw(layers: list[nn.Linear]) -> None:
            for k, layer in enumerate(layers):
                bound = (6 / layer.in_features) ** 0.5 / omega if k else 1 / layer.in_features
                nn.init.uniform_(layer.weight, -bound, bound)

        self.layers = _drawn((len(self.centred.axes), *widths, outputs), seed, draw)

    def forward(self, x: Tensor) -> Tensor:
        *hidden, last = self.layers
        h = self.centred(x)
        for layer in hidden:
            h = torch.sin(self.omega * layer(h))
        return last(h)


class Kinks(TorchFunctionMode):
    """The activations made of straight lines that run inside this block, by name, in `seen`.

    Each function of a tensor that gives one of the same shape is asked for its second derivative,
    where it was called: a relu in forward() is seen as well as a module, whatever its name.

    >>> with Kinks() as kinks:
    ...     y = torch.relu(torch.ones(2)).tanh()
    >>> kinks.seen
    {'relu'}
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_function__(
        self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        x = args[0] if args and isinstance(args[0], torch.Tensor) else None
        if (
            x is not None
            and x.is_floating_point()
            and _is_broken(function, x, args[1:], kwargs or {})
        ):
            self.seen.add(function.__name__.removesuffix("_"))
        return function(*args, **(kwargs or {}))


def _is_broken(function, x, rest, options):
    """Whether a function is made of straight lines: its slope is constant nearby, and not everywhere.

    It is asked at points like x, brought to [−1, 1] and to [−8, 8], a little beside them, where the
    slope of what bends is another one, and mirrored, where that of a line is not.
    """
    unit, slopes = x.detach() / x.detach().abs().max().clamp(min=1e-30), []
    with torch.random.fork_rng(), torch.enable_grad(), suppress(RuntimeError, TypeError):
        for at in (unit, 1.001 * unit, 8 * unit, 8.008 * unit, -8 * unit):
            at = at.clone().requires_grad_()
            y = function(at.clone(), *rest, **options)
            if not isinstance(y, torch.Tensor) or y.shape != x.shape or not y.requires_grad:
                return False
            slopes += torch.autograd.grad(y.sum(), at, materialize_grads=True)
    if len(slopes) < 5:
        return False
    near, beside, far, beyond, mirrored = slopes
    bends = (near != beside) | (far != beyond)
    differ = ((far - mirrored).abs() > 1e-6) | ((far - near).abs() > 1e-6)
    return bool(bends.double().mean() < 0.1 and differ.any())
