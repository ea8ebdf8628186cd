"""Networks: seeds, scaling, where their features lie, and what they refuse."""

import copy
import math

import pytest
import torch
from torch import nn

from companion.pinn import MLP, Adam, Box, Fourier, Siren, fit
from companion.problems import oscillator

BOX = Box(t=(0.0, 100.0), x=(-3.0, -1.0))
FAMILIES = [MLP, Fourier, Siren]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_seed_repeats_another_differs_and_the_global_one_is_left_alone(family):
    x = BOX.points(20)
    before = torch.get_rng_state()
    one, same, other = (family(BOX, seed=seed)(x) for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.allclose(one, other)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("family", FAMILIES)
def test_networks_are_float64_and_return_one_row_for_each_point(family):
    net = family(BOX, outputs=3)
    assert {p.dtype for p in net.parameters()} == {torch.float64}
    assert net(BOX.points(7)).shape == (7, 3)
    assert net.float()(BOX.points(7).float()).dtype == torch.float32


@pytest.mark.parametrize("family", FAMILIES)
def test_the_box_only_scales_the_input(family):
    unit = Box(t=(-1.0, 1.0), x=(-1.0, 1.0))
    x = BOX.points(9)
    assert torch.allclose(family(BOX)(x), family(unit)(BOX.centred(x)), atol=1e-12)


def test_the_features_of_an_mlp_bend_all_over_the_domain():
    box = Box(t=(0.0, 50.0))
    first = MLP(box, widths=(400,), spread=4.0).layers[0]
    bends = (-first.bias / first.weight[:, 0]).detach()  # where w x̂ + b = 0
    counts = torch.histc(bends, 4, -1, 1)
    assert counts.sum() == 400 and counts.min() > 60
    slopes = first.weight.abs()
    assert slopes.min() >= 2.0 and slopes.max() <= 6.0


def test_the_ramps_are_steeper_along_some_axes_and_bend_all_over_the_domain():
    """E|w| along an axis is its spread · E size · E|direction| = spread · 1 · 2/π, in two axes."""
    first = MLP(BOX, widths=(4000,), spread={"t": 8.0, "x": 0.5}).layers[0]
    steep, flat = first.weight.detach().abs().mean(0).tolist()
    assert steep == pytest.approx(8 * 2 / math.pi, rel=0.05)
    assert flat == pytest.approx(0.5 * 2 / math.pi, rel=0.05)
    w = first.weight.detach()
    farthest = w.abs().sum(1)  # of w·x̂ over [−1, 1]²: within it the ramp is 0 somewhere
    assert (first.bias.detach().abs() <= farthest).all()


@pytest.mark.parametrize("make", [MLP, Fourier])
def test_one_number_is_the_same_along_every_axis_and_an_axis_left_out_has_1(make):
    name = "spread" if make is MLP else "size"
    x = BOX.points(9)
    whole, each = (make(BOX, **{name: value})(x) for value in (3.0, {"x": 3, "t": 3.0}))
    assert torch.equal(whole, each)
    some, same = (make(BOX, **{name: value})(x) for value in ({"t": 3.0}, {"t": 3.0, "x": 1.0}))
    assert torch.equal(some, same) and not torch.allclose(some, whole)
    assert torch.equal(make(BOX, **{name: {}})(x), make(BOX)(x))


def test_all_columns_of_an_axis_have_its_spread():
    """A periodic axis has two, cos and sin."""
    box = BOX.closed(["x"], [])
    first = MLP(box, widths=(4000,), spread={"t": 6.0, "x": 2.0}).layers[0]
    t, cosine, sine = first.weight.detach().abs().mean(0).tolist()
    assert t / 3 == pytest.approx(cosine, rel=0.05) and cosine == pytest.approx(sine, rel=0.05)
    sizes = Fourier(box, features=4000, size={"x": 0.5}).frequencies.std(0) / 2 / math.pi
    assert sizes.tolist() == pytest.approx([1.0, 0.5, 0.5], rel=0.05)


def test_fourier_features_have_the_frequencies_asked_for_along_each_axis():
    sizes = Fourier(BOX, features=4000, size={"t": 3.0, "x": 0.5}).frequencies.std(0) / 2 / math.pi
    assert sizes.tolist() == pytest.approx([3.0, 0.5], rel=0.05)


def test_sines_of_a_siren_keep_their_spread_through_the_layers():
    net = Siren(Box(t=(-1.0, 1.0)), widths=(256,) * 5)
    h = torch.linspace(-1, 1, 500).double()[:, None]
    for layer in net.layers[:-1]:
        h = torch.sin(30 * layer(h))
        assert 0.5 < h.std() < 0.8  # an arcsine law has 1/√2


def test_fourier_features_have_the_frequencies_asked_for():
    net = Fourier(Box(t=(0, 1)), features=2000, size=3.0)
    assert net.frequencies.std().item() == pytest.approx(3 * 2 * torch.pi, rel=0.1)
    assert "frequencies" in net.state_dict()


@pytest.mark.parametrize("activation", ["tanh", "sin", "silu", "gelu", "softplus", "sigmoid"])
def test_activations_are_smooth(activation):
    net = MLP(Box(t=(0, 1)), activation=activation)
    fit(oscillator(), net, [Adam(1)], points=8, progress=False)


@pytest.mark.parametrize("activation", [torch.erf, nn.Mish(), lambda h: h * torch.tanh(h)])
def test_an_activation_may_be_a_function(activation):
    box = Box(t=(0.0, 6.0))
    net = MLP(box, (8,), activation=activation)
    x, (first, last) = box.points(5), net.layers
    assert torch.equal(net(x), last(activation(first(box.centred(x)))))
    assert torch.equal(copy.deepcopy(net)(x), net(x))
    assert "Linear(in_features=1, out_features=8" in repr(net)
    before = net(x)
    fit(oscillator(), net, [Adam(1)], points=8, progress=False)
    assert not torch.equal(net(x), before)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: MLP(BOX, activation="relu6"),
            "one of tanh, sin, .* a function of a.*; got 'relu6'",
        ),
        (lambda: MLP(BOX, activation=nn.Tanh), r"nn\.Mish\(\); got <class .*Tanh"),
        (lambda: MLP(BOX, activation=None), "got None"),
        (lambda: MLP(BOX, 20), r"as widths=\(20,\).*got widths 20 and outputs 1"),
        (lambda: MLP(BOX, widths=(20.0,)), r"got widths \(20\.0,\)"),
        (lambda: Siren(BOX, 20), "got widths 20"),
        (lambda: Fourier(BOX, widths=20), "got widths 20"),
        (lambda: MLP(BOX, widths=()), r"widths of the hidden layers.*got widths \(\)"),
        (lambda: MLP(BOX, widths=(8, 0)), r"each 1 or more; got widths \(8, 0\)"),
        (lambda: MLP(BOX, outputs=0), "outputs 0"),
        (lambda: Siren(BOX, widths=()), r"got widths \(\)"),
        (lambda: MLP(BOX, spread=0), "spread is a number above 0, and finite; got 0"),
        (lambda: MLP(BOX, spread={"t": -1}), "spread along t is a number above 0.*; got -1"),
        (lambda: MLP(BOX, spread={"x": "two"}), "spread along x is a number above 0.*; got 'two'"),
        (
            lambda: MLP(BOX, spread={"y": 2.0, "t": 1.0}),
            "spread for axes that are not there: y. This box has t, x: spread={'t': 2.0}",
        ),
        (lambda: Fourier(BOX, size={0: 2.0}), "size for axes that are not there: 0"),
        (lambda: Fourier(BOX, size={"t": 0.0}), "size along t is a number above 0.*; got 0.0"),
        (lambda: Fourier(BOX, features=0), "features is a whole number, 1 or more; got 0"),
    ],
)
def test_networks_refuse(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "what"),
    [(lambda: MLP(BOX, spread=(8.0, 0.5)), "spread"), (lambda: Fourier(BOX, size="x"), "size")],
)
def test_what_is_neither_a_number_nor_one_for_each_axis_is_refused(make, what):
    with pytest.raises(
        TypeError, match=f"{what} is a number above 0, or one for each axis, {{'t': 2"
    ):
        make()


class Straight(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 8), nn.ReLU(), nn.Linear(8, 1)).double()

    def forward(self, x):
        return self.net(x)


class Called(nn.Module):
    """Its relu is no module, and has no name."""

    def __init__(self, bend):
        super().__init__()
        self.first, self.last = nn.Linear(1, 4).double(), nn.Linear(4, 1).double()
        self.bend = bend

    def forward(self, x):
        return self.last(self.bend(self.first(x)))


@pytest.mark.parametrize(
    "network",
    [
        MLP(Box(t=(0, 1)), activation="relu"),
        MLP(Box(t=(0, 1)), activation="leaky_relu"),
        nn.Sequential(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 1)).double(),
        Straight(),
        Called(torch.relu),
        Called(nn.functional.leaky_relu),
        Called(lambda h: nn.functional.prelu(h, torch.full((1,), 0.1).double())),
        Called(nn.functional.relu6),
        Called(nn.functional.hardsigmoid),
        Called(lambda h: nn.functional.threshold(h, 0.0, 0.0)),
    ],
)
def test_relu_is_refused_where_a_second_derivative_is_taken(network):
    with pytest.raises(ValueError, match=r"its second derivative is 0.*order 2. Use tanh"):
        fit(oscillator(), network, [Adam(1)], progress=False)


def test_a_siren_begins_as_its_paper_says():
    """Section 3.2: uniform in ±1/d in the first layer, in ±√(6/n)/ω₀ in the others."""
    first, *others = Siren(BOX, widths=(2000, 60), omega=20.0).layers
    for layer, bound in [(first, 1 / 2), *((k, (6 / k.in_features) ** 0.5 / 20.0) for k in others)]:
        size = layer.weight.abs()
        assert 0.9 * bound < size.max() <= bound
        assert size.mean().item() == pytest.approx(bound / 2, rel=0.2)
