"""Each private use of torch and its public stand-in: the same result, whichever a torch has."""

import warnings

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
    LevenbergMarquardt,
    Problem,
    batch_of,
    fit,
    linearise,
)
from companion.pinn.linearise import linearised
from companion.problems import oscillator
from tests.fits import objective

LINE = Box(t=(0.0, 1.0))


def failing(*_, **__):
    raise RuntimeError("an internal assert of torch")


def trained(stages, problem=None):
    problem = problem or oscillator()
    net = MLP(problem.domain, (5,), seed=3)
    history = fit(problem, net, stages, points=8, progress=False, log_interval=4).history
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


def by_make_fx(patch):
    """As where torch has no TorchDispatchMode."""
    patch.setattr(torch_private, "TorchDispatchMode", None)


def without_both(patch):
    by_make_fx(patch)
    patch.setattr(torch_private, "make_fx", None)


def failing_make_fx(patch):
    by_make_fx(patch)
    patch.setattr(torch_private, "make_fx", failing)


def by_jacrev(patch):
    """As where torch has no such names: value_and_jacobian asks torch.func."""
    patch.delattr(torch._C._functorch, "_unwrap_for_grad")


TRACED = {
    "arithmetic": (lambda x, y: x * y + 3 / x - y**2, (3,), (3,)),
    "a matrix product": (lambda x, y: torch.tanh(x @ y), (4, 2), (2, 3)),
    "a constant": (lambda x, y: x * torch.arange(3).double() + y.sum(), (3,), (3,)),
    "several results": (lambda x, y: (x + y, (x * y).sum()), (3,), (3,)),
    "parts of a result": (lambda x, y: torch.stack([*x.unbind(0), *y.unbind(0)]), (2, 3), (2, 3)),
    "a sort": (lambda x, y: x[y.argsort()].cumsum(0), (5,), (5,)),
    "a gradient": (
        lambda x, y: torch.func.grad(lambda x: (x * y).sin().sum())(x), (3,), (3,)
    ),
    "a Jacobian of many": (
        lambda x, y: torch.func.vmap(torch.func.jacrev(lambda a: torch.sin(a) * a.sum()))(x) + y.sum(),
        (4, 2),
        (2,),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("f", "one", "other"), TRACED.values(), ids=TRACED)
def test_what_is_recorded_is_what_make_fx_writes_down_and_what_the_function_does(f, one, other):
    """At other inputs than those of the tracing."""
    draw = lambda seed: [
        torch.rand(shape, generator=torch.Generator().manual_seed(seed + i), dtype=torch.float64)
        + 0.5
        for i, shape in enumerate((one, other))
    ]
    recorded = torch_private.traced(f, draw(0))
    with pytest.MonkeyPatch.context() as patch:
        by_make_fx(patch)
        written = torch_private.traced(f, draw(0))
    for inputs in (draw(0), draw(7)):
        direct, mine, its = f(*inputs), recorded(*inputs), written(*inputs)
        for a, b, c in zip(
            *[v if isinstance(v, (tuple, list)) else (v,) for v in (direct, mine, its)]
        ):
            assert torch.allclose(a, b, rtol=1e-13) and torch.allclose(a, c, rtol=1e-13)


@pytest.mark.parametrize("way", [None, by_make_fx])
@pytest.mark.parametrize(
    "look", [lambda x: x.sum().item(), lambda x: float(x[0]), lambda x: bool(x[0] > 0)]
)
def test_a_value_that_depends_on_the_inputs_is_not_looked_at(look, way, monkeypatch):
    if way:
        way(monkeypatch)
    with pytest.raises(RuntimeError):
        torch_private.traced(lambda x: x * look(x), [torch.ones(3)]) if not way else (
            refuse_by_make_fx(look)
        )


def refuse_by_make_fx(look):
    """make_fx as it is may write the value down as a constant: the graph is then another function."""
    graph = torch_private.traced(lambda x: x * look(x), [torch.ones(3)])
    other = torch.tensor([2.0, 3.0, 4.0])
    if not torch.allclose(graph(other), other * look(other)) or isinstance(look(other), bool):
        raise RuntimeError("a constant")


def test_a_torch_without_both_says_that_it_cannot_trace(monkeypatch):
    without_both(monkeypatch)
    with pytest.raises(NotImplementedError, match=r"torch .* has no make_fx"):
        torch_private.traced(torch.sin, [torch.ones(2)])


JACOBIANS = {
    "one": lambda p, x: torch.sin(p * x).sum()[None],
    "several": lambda p, x: torch.stack([p[0] * x[0], p.sum() * x[1], p.prod()]),
    "not of all": lambda p, x: torch.stack([p[0] ** 2, x[0], p[1] * x[1]]),
    "of nothing": lambda p, x: torch.stack([x[0], x[1] ** 2]),
    "kinked": lambda p, x: torch.relu(p * x),
}


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("f", JACOBIANS.values(), ids=JACOBIANS)
def test_a_value_and_its_jacobian_are_those_of_jacrev(f, batched):
    p = torch.tensor([0.3, -1.2, 2.0]).double()
    x = torch.tensor([[1.0, 2.0, 0.5], [0.1, -0.4, 3.0]]).double()

    def both():
        one = lambda x: torch_private.value_and_jacobian(f, p, x)
        return torch.func.vmap(one)(x) if batched else one(x[0])

    found = both()
    with pytest.MonkeyPatch.context() as patch:
        by_jacrev(patch)
        fallback = both()
    at = x if batched else x[:1]
    value = torch.stack([f(p, row) for row in at])
    h = 1e-6
    slopes = torch.stack(
        [
            torch.stack([f(p + h * e, r) - f(p - h * e, r) for e in torch.eye(3).double()], -1)
            / (2 * h)
            for r in at
        ]
    )
    for mine in (found, fallback):
        assert torch.allclose(mine[0], value if batched else value[0], rtol=1e-13)
        assert torch.allclose(mine[1], slopes if batched else slopes[0], atol=1e-8)


def test_inside_and_after_it_torch_func_is_as_it_was():
    p = torch.ones(3).double()
    with pytest.raises(ZeroDivisionError):
        torch_private.value_and_jacobian(lambda p: 1 / 0, p)
    assert not torch_private.transforming()
    assert torch.func.grad(lambda p: (p * p).sum())(p).tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize("way", [by_make_fx, by_jacrev])
def test_levenberg_marquardt_goes_the_other_way_to_the_same_end(way, monkeypatch):
    expected = trained([LevenbergMarquardt(6)])
    way(monkeypatch)
    assert_same(expected, trained([LevenbergMarquardt(6)]))


@pytest.mark.parametrize("way", [without_both, failing_make_fx])
def test_levenberg_marquardt_goes_on_without_a_graph_and_says_so_once(monkeypatch, way):
    stages = [LevenbergMarquardt(2), LevenbergMarquardt(2)]
    expected = trained(stages)
    way(monkeypatch)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert_same(expected, trained(stages))
    about = [str(w.message) for w in said]
    assert len(about) == 1, about  # once in a fit, of two stages
    assert "computes equation by Python at each step, about five times slower" in about[0]
    assert f"torch {torch.__version__} fails" in about[0] and "looks at" not in about[0]


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
    def at(square):
        problem = Problem(LINE, lambda u, t: u(0) + u() * square(t))
        goal = objective(problem, MLP(LINE, (5,)))
        return linearised(goal, goal.trial.theta(), batch_of(problem, LINE.points(8)))

    expected = at(torch.square)
    with pytest.warns(UserWarning, match=r"equation point by point, hundreds .*vmap support"):
        found = at(Plain.apply)
    assert torch.allclose(expected.rows, found.rows, rtol=1e-12)
    assert torch.allclose(expected.jacobian, found.jacobian, rtol=1e-12)


@pytest.mark.parametrize("way", [without_both, failing_make_fx])
def test_adam_makes_its_steps_singly_where_a_step_cannot_be_written_down(monkeypatch, way):
    expected = trained([Adam(8, 1e-2)])
    way(monkeypatch)
    with pytest.warns(UserWarning, match=r"compiled=…\) makes its steps singly, .* fails to write"):
        assert_same(expected, trained([Adam(8, 1e-2, compiled=2)]))


@pytest.mark.parametrize("way", [None, by_make_fx, failing_make_fx])
def test_a_value_that_is_looked_at_is_still_the_users(monkeypatch, way):
    problem = Problem(LINE, lambda u, t: u(0) - 1 - float(u().detach().mean()))
    if way:
        way(monkeypatch)
    with pytest.raises(ValueError, match="cannot be written down as one graph"):
        trained([Adam(4, compiled=2)], problem)
    with pytest.raises(ValueError, match="cannot trace equation at a single point"):
        trained([LevenbergMarquardt(1)], problem)


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
        patch.setattr(torch_private, "OPTIONS", {})
        assert_same(expected, trained([Adam(8, 1e-2, compiled=2)]))
    assert asked == [(True, {})]


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("loops", [True, False])
def test_repeated_is_so_many_steps(count, loops, monkeypatch):
    """Fibonacci's numbers, each pair times 3, in int64 and float32 at once."""
    if not loops:
        monkeypatch.setattr(torch_private, "without_values", lambda: None)
    monkeypatch.setattr(torch_private, "program", lambda module, inputs: module)
    state = torch.tensor([1, 1]), torch.ones(2)
    step = lambda n, x, by: (torch.stack([n[1], n.sum()]), by * torch.stack([x[1], x.sum()]))
    run = torch_private.repeated(step, count, state, [torch.tensor(3.0)])
    numbers, scaled = run(*state, torch.tensor(3.0))
    expected = [1, 1]
    for _ in range(count):
        expected = [expected[1], sum(expected)]
    assert numbers.tolist() == expected and scaled.tolist() == [3.0**count * n for n in expected]


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


def test_tensors_that_cannot_be_asked_hide_no_leaf():
    """A class whose views have no graph; a view made without gradients of what was changed in place since."""

    class Alone(torch.Tensor):
        def view_as(self, other):
            return other.detach()

    alone = torch.ones(2).as_subclass(Alone).requires_grad_()
    base = torch.ones(2, requires_grad=True) * 2
    with torch.no_grad():
        stale = base.view(2)
    base.mul_(3)
    x = torch.ones(3, requires_grad=True)
    [[node, _]] = (x * 2).grad_fn.next_functions[:1]
    assert torch_private._leaf_among_all(node) is x
    assert alone.view_as(alone).grad_fn is None
    with pytest.raises(RuntimeError, match="created in no_grad mode"):
        _ = stale.is_leaf


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
    monkeypatch.setattr(linearise, "traced", failing)
    start = Condition("start", torch.zeros(1, 1), 1.0)
    with pytest.warns(UserWarning, match="Levenberg–Marquardt computes equation by Python") as said:
        trained([LevenbergMarquardt(1)], Problem(LINE, lambda u, t: u(0) + u(), (start,)))
    assert len(said) == 1
