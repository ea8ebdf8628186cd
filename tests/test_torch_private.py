"""Each private use of torch and its public stand-in: the same result, whichever a torch has."""

import warnings
from contextlib import nullcontext

import pytest
import torch
from torch import nn

from companion import torch_private
from companion.operators import Partials, gradient_audit, laplacian, saved_bytes
from companion.operators.graphs import graph_leaves
from companion.operators.jets import Pointwise
from companion.pinn import (
    MLP,
    Adam,
    Box,
    Condition,
    GaussNewton,
    Problem,
    compiled,
    fit,
    gauss_newton,
)
from companion.pinn.gauss_newton import Stepper
from companion.pinn.objective import Objective, Trial
from companion.pinn.oscillator import oscillator

LINE = Box(t=(0.0, 1.0))


def failing(*_, **__):
    raise RuntimeError("an internal assert of torch")


def trained(stages, problem=None):
    problem = problem or oscillator()
    net = MLP(problem.domain, (5,), seed=3)
    history = fit(problem, net, stages, points=8, progress=False, report=4)
    return torch.cat([p.detach().flatten() for p in net.parameters()]), history.column("loss")


def assert_same(one, other):
    assert torch.allclose(one[0], other[0], rtol=1e-6)
    assert one[1] == pytest.approx(other[1], rel=1e-6)


# --- who is looking on ---------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [torch_private.transforming, torch_private._refused])
def test_a_transform_is_noticed(asked):
    seen, x = [], torch.ones(2)
    f = lambda x: (seen.append(asked()), x * x)[1]
    f(x)
    torch.func.vmap(f)(x)
    torch.func.jvp(f, (x,), (x,))
    torch.func.vjp(f, x)
    torch.func.jacrev(f)(x)
    f(x)
    assert seen == [False, True, True, True, True, False]


def test_a_torch_that_has_no_name_for_it_is_asked_the_other_way(monkeypatch):
    x = torch.rand(4, 2, dtype=torch.float64)
    f = lambda x: torch.sin(x).prod(1, keepdim=True)
    row = lambda x: (Partials(f, x[None])(0, 1)[0, 0], laplacian(f, x[None])[0, 0])
    expected = torch.func.vmap(row)(x)
    monkeypatch.delattr(torch._C, "_are_functorch_transforms_active")
    monkeypatch.setattr(torch_private, "_refused", lambda: calls.append(1) or True)
    calls = []
    assert torch_private.transforming() and calls
    monkeypatch.undo()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch_private, "transforming", torch_private._refused)
        found = torch.func.vmap(row)(x)
    assert all(torch.equal(a, b) for a, b in zip(expected, found))


# --- tracing, compiling --------------------------------------------------------------------------

MISSING = {
    "no mode of shapes": ("one_mode", nullcontext),
    "no make_fx": ("make_fx", None),
    "a make_fx that fails": ("make_fx", failing),
}


def test_a_mode_that_is_not_there_is_left_out(monkeypatch):
    monkeypatch.setattr(torch_private, "TracingContext", None)
    assert isinstance(torch_private.one_mode(), nullcontext)


@pytest.mark.parametrize("what", MISSING)
def test_gauss_newton_goes_on_without(monkeypatch, what):
    stages = [GaussNewton(2), GaussNewton(2)]
    expected = trained(stages)
    monkeypatch.setattr(torch_private, *MISSING[what])
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert_same(expected, trained(stages))
    about = [str(w.message) for w in said]
    assert len(about) == (what != "no mode of shapes"), about  # once in a fit, of two stages
    for message in about:
        assert "computes equation by Python at each step, about five times slower" in message
        assert f"torch {torch.__version__} fails" in message and "looks at" not in message


class Plain(torch.autograd.Function):
    """t², which torch.func may differentiate but not vmap."""

    @staticmethod
    def forward(t):
        return t * t

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, g):
        return 2 * g * ctx.saved_tensors[0]


def test_what_vmap_cannot_do_is_done_point_by_point_and_no_one_is_blamed():
    def linearised(square):
        problem = Problem(LINE, lambda u, t: u(0) + u() * square(t))
        goal = Objective(problem, Trial(problem, MLP(LINE, (5,))), LINE.points(8))
        stepper = Stepper(GaussNewton(1), goal)
        return stepper.linearised(stepper.parameters())

    _, rows, jacobian, _ = linearised(torch.square)
    with pytest.warns(UserWarning, match=r"equation point by point, hundreds .*vmap support"):
        _, same, again, _ = linearised(Plain.apply)
    assert torch.allclose(rows, same, rtol=1e-12) and torch.allclose(jacobian, again, rtol=1e-12)


@pytest.mark.parametrize("make_fx", [None, failing])
def test_adam_makes_its_steps_singly_where_a_step_cannot_be_written_down(monkeypatch, make_fx):
    expected = trained([Adam(8, 1e-2)])
    monkeypatch.setattr(torch_private, "make_fx", make_fx)
    with pytest.warns(UserWarning, match=r"compiled=2\) makes its steps singly, .* fails to write"):
        assert_same(expected, trained([Adam(8, 1e-2, compiled=2)]))


def test_a_value_that_is_looked_at_is_still_the_users(monkeypatch):
    problem = Problem(LINE, lambda u, t: u(0) - float(u().detach().mean()))
    monkeypatch.setattr(torch_private, "make_fx", failing)
    with pytest.raises(ValueError, match="cannot be written down as one graph"):
        trained([Adam(4, compiled=2)], problem)
    with pytest.raises(ValueError, match="cannot trace equation at a single point"):
        trained([GaussNewton(1)], problem)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch about itself
def test_a_program_by_the_public_compiler_is_the_same(monkeypatch):
    asked = []

    def compiler(module, fullgraph, options):
        asked.append((fullgraph, options))
        return module

    monkeypatch.setattr(torch, "compile", compiler)
    monkeypatch.delattr(torch._inductor, "compile")
    expected = trained([Adam(8, 1e-2)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "OPTIONS", {})
        assert_same(expected, trained([Adam(8, 1e-2, compiled=2)]))
    assert asked == [(True, {})]


# --- graphs --------------------------------------------------------------------------------------


def a_graph():
    w = torch.ones(3, requires_grad=True)
    net = nn.Linear(3, 2)
    return (net(w * w.detach()) * torch.ones(2, requires_grad=True)).sum()


def test_the_leaves_of_a_graph_are_found_among_all_tensors(monkeypatch):
    y = a_graph()
    expected = {id(t) for t in graph_leaves([y])}
    assert len(expected) == 4
    monkeypatch.setattr(torch_private, "leaf", lambda node: (
        torch_private._leaf_among_all(node) if "AccumulateGrad" in node.name() else None
    ))  # fmt: skip
    assert {id(t) for t in graph_leaves([y])} == expected


def test_an_audit_without_the_name_of_a_leaf_finds_the_same(monkeypatch):
    torch.manual_seed(0)
    net = nn.Linear(1, 1)

    def loss():
        x = torch.ones(2, 1, requires_grad=True)
        net(x).sum().backward()
        return (net(x) - x.grad).square().mean()

    expected = gradient_audit(loss, net)
    monkeypatch.setattr(torch_private, "leaf", lambda node: (
        torch_private._leaf_among_all(node) if "AccumulateGrad" in node.name() else None
    ))  # fmt: skip
    assert gradient_audit(loss, net) == expected and expected.written


def test_what_a_graph_saved_is_told_by_the_function_where_its_nodes_do_not(monkeypatch):
    x = torch.ones(5, requires_grad=True)
    f = lambda: (x * x).sin().exp()
    expected = saved_bytes(f())
    monkeypatch.setattr(torch_private, "tells_saved", lambda: False)
    with pytest.raises(NotImplementedError, match=r"saved_bytes\(lambda: \.\.\.\), for the same"):
        saved_bytes(f())
    assert saved_bytes(f) == expected


def test_a_signature_that_is_kept_changes_nothing_but_the_time(monkeypatch):
    x = torch.linspace(0, 1, 3, dtype=torch.float64)
    rows = torch.stack([x, x])
    rule = lambda u, order: ([u[0], u[1]], [torch.ones_like(u[0])])
    expected = Pointwise.apply(rows, rule, 1)[0]
    monkeypatch.delattr(Pointwise.forward, "__signature__")
    assert torch.equal(Pointwise.apply(rows, rule, 1)[0], expected)


# --- a fit whose conditions fail too says it once ------------------------------------------------


def test_several_slow_terms_are_said_once(monkeypatch):
    monkeypatch.setattr(gauss_newton, "traced", failing)
    start = Condition("start", torch.zeros(1, 1), 1.0)
    with pytest.warns(UserWarning, match="GaussNewton computes equation by Python") as said:
        trained([GaussNewton(1)], Problem(LINE, lambda u, t: u(0) + u(), (start,)))
    assert len(said) == 1
