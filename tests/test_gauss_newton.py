"""GaussNewton: its Jacobian against finite differences, one step for a linear problem, its refusals."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from companion.pinn import (
    MLP,
    Adam,
    Box,
    Causal,
    Condition,
    Fourier,
    GaussNewton,
    Problem,
    Siren,
    Unknown,
    fit,
)
from companion.pinn.gauss_newton import Stepper, damped_step
from companion.pinn.objective import Objective, Trial
from companion.pinn.oscillator import oscillator
from companion.pinn.poisson import poisson_lshape, poisson_square
from companion.pinn.sir import sir


def decay():
    t = torch.linspace(0, 2, 5).double()[:, None]
    return Problem(
        Box(t=(0.0, 2.0)),
        lambda u, t, rate: u(0) + rate * u(),
        (Condition("data", t, torch.exp(-t), weight=7.0),),
        unknowns={"rate": Unknown(0.5, low=0.0)},
    )


def begun(problem, network=None, causal=None, **options):
    network = network or MLP(problem.domain, (6,), outputs=problem.outputs, seed=2)
    goal = Objective(problem, Trial(problem, network), problem.domain.points(8), causal)
    return Stepper(GaussNewton(1, **options), goal)


def now(stepper):
    return {n: p.detach() for n, p in stepper.objective.trial.named_parameters()}


CASES = {
    "oscillator": (oscillator, MLP),
    "conditions": (lambda: oscillator(hard=False), MLP),
    "laplacian": (poisson_square, MLP),
    "L": (lambda: poisson_lshape(rim_points=16), MLP),
    "two outputs": (sir, MLP),
    "unknown": (decay, MLP),
    "fourier": (oscillator, Fourier),
    "siren": (oscillator, Siren),
}


def case(name):
    make, family = CASES[name]
    problem = make()
    sizes = {"features": 2, "widths": (4,)} if family is Fourier else {"widths": (6,)}
    omega = {"omega": 3.0} if family is Siren else {}
    return begun(problem, family(problem.domain, outputs=problem.outputs, seed=2, **sizes, **omega))


@pytest.mark.parametrize("name", CASES)
def test_the_jacobian_is_that_of_finite_differences(name):
    stepper = case(name)
    parameters, h = now(stepper), 1e-5
    _, rows, jacobian, _ = stepper.linearised(parameters)
    flat = torch.cat([p.flatten() for p in parameters.values()])
    sizes = [p.numel() for p in parameters.values()]
    assert jacobian.shape == (len(rows), len(flat))

    def residual(vector):
        pieces = zip(parameters.items(), vector.split(sizes))
        return stepper.linearised({n: piece.view_as(p) for (n, p), piece in pieces})[1]

    for j in range(0, len(flat), 3):
        e = torch.zeros_like(flat)
        e[j] = h
        difference = (residual(flat + e) - residual(flat - e)) / (2 * h)
        assert torch.allclose(
            jacobian[:, j], difference, rtol=1e-6, atol=1e-7 * jacobian.abs().max()
        )


@pytest.mark.parametrize("causal", [None, Causal(epsilon=0.1)])
@pytest.mark.parametrize("name", CASES)
def test_terms_and_gradient_are_those_of_the_loss(name, causal):
    stepper = case(name)
    stepper.objective.causal = causal
    terms, rows, jacobian, _ = stepper.linearised(now(stepper))
    losses = stepper.objective.losses()
    assert [v.item() for v in terms.values()] == pytest.approx([v.item() for v in losses.values()])
    parts = torch.autograd.grad(
        sum(losses.values()), list(stepper.objective.trial.parameters()), materialize_grads=True
    )
    gradient = torch.cat([g.flatten() for g in parts])
    assert torch.allclose(
        2 * jacobian.T @ rows, gradient, rtol=1e-9, atol=1e-9 * gradient.abs().max()
    )


class Polynomial(nn.Module):
    """Σ aₖ tᵏ, linear in its parameters."""

    def __init__(self, degree):
        super().__init__()
        self.a = nn.Parameter(torch.zeros(degree + 1, dtype=torch.float64))

    def forward(self, t):
        return (t ** torch.arange(len(self.a)).to(t)) @ self.a[:, None]


def test_a_problem_linear_in_its_parameters_is_solved_in_one_step():
    """u″ = 6t with u = t + t² n(t), so that n = t − 1 gives u = t³ − t² + t."""
    problem = Problem(
        Box(t=(0.0, 1.0)),
        lambda u, t: u(0, 0) - 6 * t + 2,
        ansatz=lambda t, n: t + t**2 * n,
        exact=lambda t: t**3 - t**2 + t,
        order=2,
    )
    net = Polynomial(4)
    history = fit(problem, net, [GaussNewton(1, damping=1e-15)], points=40, progress=False)
    assert history.error < 1e-10 and history.records[0]["loss"] < 1e-20


def test_the_step_is_that_of_least_squares():
    stepper = begun(oscillator(end=1.0), Polynomial(4), damping=1e-15)
    _, rows, jacobian, _ = stepper.linearised(now(stepper))
    stepper.step(0)
    least = torch.linalg.lstsq(jacobian, -rows[:, None]).solution[:, 0]
    assert torch.allclose(stepper.objective.trial.network.a, least, atol=1e-8)


@pytest.mark.parametrize("shape", [(9, 5), (5, 9), (6, 6)])
@pytest.mark.parametrize("damping", [1e-3, 1.0])
def test_with_more_parameters_than_residuals_the_step_is_the_same(shape, damping):
    """Against least squares: (JᵀJ + μI) d = Jᵀr is that of J, with √μ I below it."""
    torch.manual_seed(1)
    jacobian, rows = torch.randn(*shape).double(), torch.randn(shape[0]).double()
    gram = jacobian @ jacobian.T if shape[0] < shape[1] else jacobian.T @ jacobian
    below = damping**0.5 * torch.eye(shape[1]).double()
    tall = torch.cat([jacobian, below])
    expected = torch.linalg.lstsq(tall, torch.cat([rows, rows.new_zeros(shape[1])])[:, None])
    found = damped_step(jacobian, rows, gram, damping)
    assert torch.allclose(found, expected.solution[:, 0], rtol=1e-10)


def test_no_cholesky_factor_is_no_step():
    jacobian = torch.ones(3, 2).double()
    assert damped_step(jacobian, torch.ones(3).double(), jacobian.T @ jacobian, -10.0) is None


def test_a_residual_is_traced_once_for_a_number_of_points():
    stepper = begun(sir())
    parameters, x = now(stepper), stepper.objective.x
    for points in (x, x + 0.5, x[:5]):
        stepper.objective.x = points
        rows = stepper.linearised(parameters)[1]
        u, t = stepper.objective.trial, points
        direct = u.problem.rows("equation", u, {}, t, t[:, :0]).flatten()
        assert torch.allclose(rows, direct / len(points) ** 0.5, atol=1e-12)
    assert len(stepper.known) == 2


def test_the_loss_never_rises_and_damping_falls_with_success():
    problem = oscillator(hard=False)
    stepper = begun(problem, damping=1.0)
    losses = [sum(stepper.step(k).values()).item() for k in range(15)]
    assert all(after <= before for before, after in pairwise(losses))
    assert losses[-1] < 1e-2 * losses[0] and stepper.damping < 1.0


def test_when_no_damping_helps_the_parameters_stay(monkeypatch):
    stepper = begun(oscillator())
    monkeypatch.setattr(stepper, "squares", lambda *_: torch.tensor(torch.inf))
    before = {n: p.clone() for n, p in now(stepper).items()}
    stepper.step(0)
    assert all(torch.equal(before[n], p) for n, p in now(stepper).items())
    assert stepper.damping == pytest.approx(1e-3 * 4**12)


def test_causal_weights_stay_the_same_within_a_step():
    """Else a step could win by spoiling the past, which takes the weight off all that follows."""
    stepper = begun(sir(), causal=Causal(epsilon=1e3))
    _, rows, _, scales = stepper.linearised(now(stepper))
    moved = {n: p + 0.3 for n, p in now(stepper).items()}
    x, values, _ = stepper.objective.terms()["equation"]
    r = torch.func.vmap(stepper.point("equation"), (None, 0, 0))(moved, x, values)
    assert stepper.squares(now(stepper), scales).item() == pytest.approx(rows.square().sum().item())
    expected = (scales["equation"] ** 2 * r**2).sum().item()
    assert stepper.squares(moved, scales).item() == pytest.approx(expected)


def test_more_than_three_thousand_parameters_are_refused_before_anything_is_trained():
    problem = oscillator()
    net = MLP(problem.domain, (60, 60))
    before = net.layers[0].weight.clone()
    with pytest.raises(
        ValueError, match=r"up to about 3000; got 3841\. Take a smaller network, or LBFGS"
    ):
        fit(problem, net, [Adam(3), GaussNewton(1)], progress=False)
    assert torch.equal(before, net.layers[0].weight)
    assert begun(problem, MLP(problem.domain, (50, 50))).damping == 1e-3


ENDS = torch.tensor([[0.0], [0.5], [1.0]]).double()
LINE = Box(t=(0.0, 1.0))
FARSIGHTED = {
    "a value": lambda: Problem(LINE, lambda u, t: u(0) if u().mean() > 0 else -u(0)),
    "numpy": lambda: Problem(LINE, lambda u, t: u(0) - torch.from_numpy(t.detach().numpy())),
    "the mean": lambda: Problem(LINE, lambda u, t: u(0) + u().mean(0, keepdim=True)),
    "the number of points": lambda: Problem(LINE, lambda u, t: u(0) - len(t) * u()),
    "periodic": lambda: Problem(
        LINE,
        lambda u, t: u(0) - 1,
        (Condition("equation of ends", ENDS, 0.0, of=lambda u, t: u() - u().flip(0)),),
    ),
    "a row for each point": lambda: Problem(
        LINE,
        lambda u, t: u(0) - 1,
        (Condition("equation of ends", ENDS, 0.0, of=lambda u, t: u() * ENDS),),
    ),
}


@pytest.mark.parametrize("make", FARSIGHTED.values(), ids=FARSIGHTED)
def test_a_term_that_is_no_function_of_its_own_point_is_refused_before_anything_is_trained(make):
    net, same = (MLP(LINE, (4,)) for _ in range(2))
    message = r"cannot trace equation.* at a single point\. .*torch\.where"
    with pytest.raises(ValueError, match=message):
        fit(make(), net, [Adam(2), GaussNewton(1)], progress=False)
    assert torch.equal(net.layers[0].weight, same.layers[0].weight)


def test_what_the_mean_adds_is_said():
    problem = Problem(LINE, lambda u, t: 0 * u() + 3.0 * (len(t) > 1))
    with pytest.raises(ValueError, match=r"it is 3\.0e\+00 among all .* differs by 3\.0e\+00"):
        begun(problem)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_at_a_solution_rounding_is_not_taken_for_other_points(dtype):
    problem = Problem(
        LINE, lambda u, t: u(0, 0) - 6 * t + 2, (), lambda t, n: t + t**2 * n, order=2
    )
    net = Polynomial(4).to(dtype)
    for _ in range(2):  # the second is traced at a residual of rounding
        history = fit(problem, net, [GaussNewton(3, damping=1e-9)], points=40, progress=False)
    assert history.column("loss")[-1] < torch.finfo(dtype).eps ** 1.5


def test_an_operation_that_no_jet_can_pass_is_named_with_what_to_do():
    problem = Problem(Box(t=(0.0, 1.0)), lambda u, t: u(0), ansatz=lambda t, n: n.clone().mul_(2.0))
    message = (
        "mul_ would change.*GaussNewton differentiates equation by jets, so it needs the rule; Adam"
    )
    net, same = (MLP(problem.domain, (4,)) for _ in range(2))
    with pytest.raises(NotImplementedError, match=message):
        fit(problem, net, [Adam(2), GaussNewton(1)], progress=False)
    assert torch.equal(net.layers[0].weight, same.layers[0].weight)


def test_the_damping_falls_to_a_third_with_a_success_and_rises_fourfold_without(monkeypatch):
    stepper = begun(oscillator(end=1.0), Polynomial(4), damping=1.0)
    stepper.step(0)  # linear in its parameters: the first try succeeds
    assert stepper.damping == pytest.approx(1 / 3)
    tried, squares = [], stepper.squares
    rising = lambda *at: tried.append(0) or (squares(*at) if len(tried) == 3 else torch.tensor(1e9))
    monkeypatch.setattr(stepper, "squares", rising)
    stepper.step(1)
    assert len(tried) == 3 and stepper.damping == pytest.approx(1 / 3 * 4 * 4 / 3)


@pytest.mark.parametrize(("share", "seen"), [(1e-5, True), (1e-8, False)])
def test_a_term_may_differ_alone_by_rounding_and_by_no_more(share, seen):
    """A hundred-thousandth of it comes from other points: less than the eye sees, more than rounding."""
    problem = Problem(LINE, lambda u, t: 0 * u() + 3.0 + 3.0 * share * (len(t) > 1))
    if not seen:
        begun(problem)
        return
    with pytest.raises(ValueError, match=r"differs by 3\.0e-05 when each is alone"):
        begun(problem)
