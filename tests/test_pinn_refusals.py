"""What fit refuses before anything is trained."""

import dataclasses
from datetime import timedelta

import pytest
import torch
from torch import nn

from companion.pinn import LBFGS, MLP, Adam, Box, Condition, LevenbergMarquardt, Problem, fit
from companion.problems import oscillator, poisson_lshape, sir
from tests.fits import train


def adam(**options):
    return lambda: train([Adam(1)], **options)


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (lambda: train([]), ValueError, r"fit needs a stage, e\.g\. \[Adam\(2000\)"),
        (lambda: train(Adam(3)), TypeError, r"stages come as a list: \[Adam\(steps=3"),
        (lambda: train([Adam]), TypeError, "a stage is Adam.*got <class"),
        (lambda: train([torch.optim.Adam]), TypeError, "a stage is Adam"),
        (lambda: train([Adam(0)]), ValueError, r"whole number, 1 or more; got Adam\(steps=0"),
        (adam(points=0), ValueError, "1 or more.* got 0"),
        (adam(sampler="dice"), ValueError, "got 'dice'"),
        (adam(sampler="grid", resample=2), ValueError, 'resample with sampler="sobol"'),
        (adam(log_interval=0), ValueError, r"log_interval \(or a timedelta\) is a whole .* got 0"),
        (adam(log_interval=2.5), ValueError, "log_interval .* 1 or more; got 2.5"),
        (adam(log_interval=timedelta(0)), ValueError, "log_interval is above 0; got 0:00:00"),
        (adam(resample=-1), ValueError, "resample is a whole number, 0 or more; got -1"),
        (adam(resample=True), ValueError, "resample is a whole number, 0 or more; got True"),
        (adam(balance=True), ValueError, "balance is a whole number, 0 or more; got True"),
        (
            adam(problem=dataclasses.replace(oscillator(), exact=lambda t: t[:, 0])),
            ValueError,
            "^exact",
        ),
        (
            adam(problem=Problem(Box(t=(0, 1)), lambda u, t: u() - t[:, 0]), points=3),
            ValueError,
            r"equation has shape \(16, 16\).*broadcasting made all pairs",
        ),
    ],
)
def test_fit_refuses(run, error, message):
    with pytest.raises(error, match=message):
        run()


@pytest.mark.parametrize("problem", [oscillator(), sir(), poisson_lshape(rim_points=16)])
def test_a_network_of_the_wrong_shape_is_refused(problem):
    net = MLP(problem.domain, (4,), outputs=3)
    needed = (
        rf"\(\d+, 3\), but the problem has {problem.outputs} outputs|to \(n, 2\), or to what the"
    )
    with pytest.raises(ValueError, match=needed):
        fit(problem, net, [Adam(1)], progress=False)
    stranger = MLP(Box(a=(0, 1), b=(0, 1), c=(0, 1)), (4,))
    with pytest.raises(ValueError, match=r"points of Box.* are \(n, 3\); got .*another box"):
        fit(problem, stranger, [Adam(1)], progress=False)
    plain = nn.Linear(5, problem.outputs).double()
    with pytest.raises(ValueError, match=r"network from \(n, \d\) to .* points it fails"):
        fit(problem, plain, [Adam(1)], progress=False)
    with pytest.raises(ValueError, match="no parameters; are its layers in a plain list"):
        fit(problem, nn.Tanh(), [Adam(1)], progress=False)


class Mixing(nn.Module):
    """A network with a layer between two linear ones."""

    def __init__(self, layer):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 8), layer, nn.Tanh(), nn.Linear(8, 1)).double()

    def forward(self, x):
        return self.net(x)


def test_a_network_that_draws_at_random_or_mixes_its_rows_is_refused():
    for layer, message in [
        (nn.Dropout(0.5), r"two calls of the network differ, .*network.eval\(\)"),
        (nn.BatchNorm1d(8).double(), "f mixes the rows of x"),
    ]:
        with pytest.raises(ValueError, match=message):
            fit(oscillator(), Mixing(layer), [Adam(1)], progress=False)
        fit(oscillator(), Mixing(layer).eval(), [Adam(1)], progress=False)


def test_a_residual_with_rows_of_its_own_is_refused():
    source = torch.ones(3, 1).double()
    problem = Problem(Box(t=(0.0, 1.0)), lambda u, t: u(0) - source)
    with pytest.raises(ValueError, match="at any number of points: make its tensors from them"):
        train([Adam(1)], problem, points=3)


@pytest.mark.filterwarnings("ignore:the equation holds at the points of this fit alone")
@pytest.mark.parametrize("points", [1, 2, 3, 16, 17])
@pytest.mark.parametrize("stage", [Adam(1), LBFGS(1), LevenbergMarquardt(1)])
def test_pairs_are_refused_before_any_stage_and_as_many_equations_as_points_are_not(stage, points):
    box = Box(t=(0, 1))
    pairs = Problem(box, lambda u, t: u()[:, :1] - t[:, 0], outputs=2)
    with pytest.raises(
        ValueError, match=r"equation has shape \(16, 16\) .*broadcasting made all pairs"
    ):
        train([stage], pairs, points=points)
    many = lambda u, t: torch.cat([(j + 1) * (u(0) - 1) for j in range(8)], 1)
    start = Condition("start", torch.zeros(1, 1), torch.zeros(1, 2))
    history = train([stage], Problem(box, many, (start,), outputs=2), points=points)[1].history
    assert history.stopped is None and history.records[-1]["loss"] > 0


def test_a_residual_that_draws_at_random_is_refused_with_what_to_do():
    noisy = Problem(Box(t=(0.0, 1.0)), lambda u, t: u(0) + 0.1 * torch.randn_like(t))
    with pytest.raises(
        ValueError, match=r"two calls of equation differ: .*Batches\(draw, every=1\)"
    ):
        train([Adam(1)], noisy)


class Twice(nn.Module):
    """A layer that stands under two names, and a weight that two layers share."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.e = (
            nn.Linear(*k).double() for k in ((1, 8), (8, 8), (8, 1), (8, 8))
        )
        self.d, self.e.weight = self.b, self.b.weight

    def forward(self, t):
        return self.c(self.e(torch.tanh(self.d(torch.tanh(self.b(torch.tanh(self.a(t))))))))


def test_a_layer_with_two_names_and_a_shared_weight_are_trained():
    torch.manual_seed(0)
    net = Twice()
    before, weight = list(net.parameters()), net.b.weight.detach().clone()
    decay = Problem(
        Box(t=(0.0, 1.0)),
        lambda u, t: u(0) + u(),
        ansatz=lambda t, n: 1 + t * n,
        exact=lambda t: torch.exp(-t),
    )
    assert fit(decay, net, [LevenbergMarquardt(12)], points=20, progress=False).error < 1e-3
    assert all(p is q for p, q in zip(before, net.parameters(), strict=True))
    assert net.e.weight is net.b.weight and not torch.equal(weight, net.b.weight)


@pytest.mark.parametrize(
    ("net", "said"),
    [
        (nn.LazyLinear(1), r"call network\(x\) once before"),
        (nn.Linear(1, 1).bfloat16(), r"are torch.bfloat16; expected torch.float64"),
        (nn.Linear(1, 1, dtype=torch.complex128), "A complex solution has two outputs"),
    ],
)
def test_parameters_that_cannot_be_trained_are_refused(net, said):
    with pytest.raises(ValueError, match=said):
        fit(oscillator(), net, [Adam(1)], progress=False)


def test_a_network_that_gives_no_tensor_and_a_mode_without_gradients_are_refused():
    class Named(Mixing):
        def forward(self, x):
            return {"u": self.net(x)}

    with pytest.raises(TypeError, match="what the network gives is a tensor"):
        fit(oscillator(), Named(nn.Tanh()), [Adam(1)], progress=False)
    with (
        torch.inference_mode(),
        pytest.raises(ValueError, match=r"outside torch.inference_mode\(\)"),
    ):
        fit(oscillator(), MLP(oscillator().domain), [Adam(1)], progress=False)
