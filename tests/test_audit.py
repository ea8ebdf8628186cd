"""The audit: what it finds, in what words, and that it leaves everything as it was."""

import gc
import weakref

import pytest
import torch
from torch import nn

from companion.operators import Audit, gradient_audit

pytestmark = pytest.mark.filterwarnings("ignore:Using backward.. with create_graph=True")
X = torch.linspace(-1, 1, 6, dtype=torch.float64).reshape(6, 1)


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1)).double()


def verdict(audit):
    """What it prints, as one line."""
    return " ".join(repr(audit).split())


def by_grad(net, x=None):
    """A loss with u and u_x in it, as it should be."""
    x = X.clone().requires_grad_() if x is None else x
    u = net(x)
    du = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
    return (du - 1).square().mean() + u.mean()


def by_backward(net, x=None):
    """The same with .backward() inside forward."""
    x = X.clone().requires_grad_() if x is None else x
    u = net(x)
    u.sum().backward(create_graph=True)
    return (x.grad - 1).square().mean() + u.mean()


# --- the audit finds what is wrong ---------------------------------------------------------------


def test_what_is_right_is_clean(net):
    audit = gradient_audit(lambda: by_grad(net), net, reference=lambda: by_grad(net))
    assert audit.clean and isinstance(audit, Audit)
    assert audit.loss == by_grad(net).item()
    assert audit.parameters == ("0.weight (4, 1)", "0.bias (4,)", "2.weight (1, 4)", "2.bias (1,)")
    assert verdict(audit) == (
        "Nothing wrong: forward wrote no .grad, and 4 parameters (0.weight (4, 1), 0.bias (4,), "
        "2.weight (1, 4), 1 more) get the gradient of the loss, none of it zero. "
        "Against the reference: cosine +1.000, size × 1, difference 0: the same gradient."
    )
    assert max(map(len, repr(audit).splitlines())) < 80


@pytest.mark.parametrize(
    "write", [lambda u: u.sum().backward(create_graph=True),
              lambda u: torch.autograd.backward(u, torch.ones_like(u), create_graph=True),
              lambda u: torch.autograd.backward([u.sum()], create_graph=True)],
    ids=["backward", "torch.autograd.backward", "of a list"],
)  # fmt: skip
def test_backward_inside_forward(net, write):
    def loss():
        x = X.clone().requires_grad_()
        u = net(x)
        write(u)
        return (x.grad - 1).square().mean() + u.mean()

    audit = gradient_audit(loss, net, reference=lambda: by_grad(net))
    assert audit.written == (*audit.parameters, "input 0 (6, 1)")
    assert audit.polluted == audit.parameters
    # the gradient of the sum by the last bias is a constant: it has no graph
    assert audit.alive == (*audit.parameters[:3], "input 0 (6, 1)")
    assert audit.stale == audit.cut == audit.zero == audit.not_finite == ()
    assert audit.difference > 1 and not audit.clean
    words = verdict(audit)
    assert "Forward wrote .grad of 4 parameters (0.weight (4, 1), 0.bias (4,), 2.weight" in words
    assert "and 1 input (input 0 (6, 1)). Write torch.autograd.grad(u.sum(), x, create" in words
    assert "holds a graph which holds its tensor: 3 parameters" in words
    assert "can never be freed. torch.autograd.grad cures it" in words
    assert "After loss.backward(), .grad is not the gradient of the loss for 4 param" in words
    assert "another gradient." in words


def test_what_the_optimiser_would_get_is_what_is_compared(net):
    """Size and angle by hand: the gradient of u.sum() is added to that of the loss."""
    audit = gradient_audit(lambda: by_backward(net), net, reference=lambda: by_grad(net))
    net.zero_grad()
    by_backward(net).backward()
    got = torch.cat([p.grad.detach().flatten() for p in net.parameters()])
    net.zero_grad()
    by_grad(net).backward()
    wanted = torch.cat([p.grad.flatten() for p in net.parameters()])
    assert audit.ratio == pytest.approx((got.norm() / wanted.norm()).item(), rel=1e-12)
    assert audit.cosine == pytest.approx(torch.cosine_similarity(got, wanted, 0).item(), rel=1e-12)
    assert audit.difference == pytest.approx(((got - wanted).norm() / wanted.norm()).item())
    net.zero_grad()


def test_backward_that_only_the_input_gets(net):
    def loss():
        x = X.clone().requires_grad_()
        net(x).sum().backward(create_graph=True, inputs=[x])
        return (x.grad - 1).square().mean()

    audit = gradient_audit(loss, net)
    assert audit.written == audit.alive == ("input 0 (6, 1)",)
    assert audit.polluted == ()


def test_a_written_grad_without_a_graph_leaks_nothing(net):
    """backward without create_graph: u_x is a number without a graph, so the wire is cut as well."""

    def loss():
        x = X.clone().requires_grad_()
        u = net(x)
        u.sum().backward(retain_graph=True)
        return (x.grad - u).square().mean()

    audit = gradient_audit(loss, net)
    assert audit.alive == () and len(audit.written) == 5 and len(audit.polluted) == 4


def test_a_reset_after_use_is_no_finding(net):
    def loss():
        x = X.clone().requires_grad_()
        u = net(x)
        u.sum().backward(create_graph=True)
        du = x.grad
        x.grad = None
        net.zero_grad()
        return (du - 1).square().mean() + u.mean()

    assert gradient_audit(loss, net).clean


def test_zero_grad_that_keeps_zeros_pollutes_nothing_but_has_written(net):
    def loss():
        x = X.clone().requires_grad_()
        u = net(x)
        u.sum().backward()
        net.zero_grad(set_to_none=False)
        return net(X).square().mean()

    audit = gradient_audit(loss, net)
    assert audit.written == (*audit.parameters, "input 0 (6, 1)") and audit.polluted == ()


def test_an_input_that_kept_its_grad_from_the_last_step(net):
    x = X.clone().requires_grad_()
    x.grad = torch.ones_like(x)
    kept = x.grad

    def loss():
        u = net(x)
        torch.autograd.backward(u.sum(), inputs=[x], retain_graph=True)
        return (x.grad - u).square().mean()

    audit = gradient_audit(loss, net)
    assert audit.stale == ("input 0 (6, 1)",)
    assert (
        "was added to a .grad from before: 1 input (input 0 (6, 1)). zero_grad() does"
        in verdict(audit)
    )
    assert x.grad is kept and torch.equal(kept, torch.ones_like(x))


def test_the_cut_wire(net):
    audit = gradient_audit(lambda: net[2](net[:2](X).detach()).square().mean(), net)
    assert audit.cut == ("0.weight (4, 1)", "0.bias (4,)")
    assert (
        "No gradient reaches 2 parameters (0.weight (4, 1), 0.bias (4,)): the wire is"
        in verdict(audit)
    )


def test_parameters_of_another_net(net):
    other = nn.Linear(3, 1)
    audit = gradient_audit(lambda: by_grad(net), other.parameters())
    assert audit.cut == audit.parameters == ("parameter 0 (1, 3)", "parameter 1 (1,)")
    assert audit.written == ()


def test_an_op_that_wraps_its_input_as_a_leaf(net):
    """The forum thread's: the loss is right, and what is below the op learns nothing from it."""

    def loss():
        h = net[0](X)
        leaf = h.detach().requires_grad_()
        net[1:](leaf).sum().backward(create_graph=True)
        return leaf.grad.square().mean()

    audit = gradient_audit(loss, net)
    assert audit.cut == ("0.weight (4, 1)", "0.bias (4,)", "2.bias (1,)")
    assert audit.written == ("2.weight (1, 4)", "2.bias (1,)", "input 0 (6, 4)")


def test_a_second_derivative_that_is_zero():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 1)).double()

    def loss():
        x = X.clone().requires_grad_()
        u = net(x)
        du = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
        return torch.autograd.grad(du.sum(), x, create_graph=True)[0].square().mean() + 0 * u.sum()

    audit = gradient_audit(loss, net)
    assert audit.zero == audit.parameters
    assert "The gradient is exactly 0 for 4 parameters" in verdict(audit)


def test_nan():
    w = torch.tensor([0.0, 1.0], requires_grad=True)
    audit = gradient_audit(lambda: torch.where(w > 0, w.sqrt(), w).sum(), [("w", w)])
    assert audit.not_finite == ("w (2,)",) and audit.loss == 1.0
    assert "The gradient is NaN or infinite for 1 parameter (w (2,)). Look for sqrt" in verdict(
        audit
    )
    audit = gradient_audit(lambda: (w - 2).log().sum(), [("w", w)])
    assert not audit.clean
    assert "The loss is nan: no gradient of it means anything." in verdict(audit)


def test_a_total_derivative_where_the_partial_is_meant():
    """z depends on x: the forum thread's model. The two gradients are close, and not the same."""
    torch.manual_seed(0)
    first, second = nn.Linear(1, 1).double(), nn.Linear(1, 1).double()
    f = lambda x, z: (x + 0.001 * z * z).square()

    def loss(alias):
        x = first(X)
        z = second(x)
        x = alias(x)
        return (torch.autograd.grad(f(x, z).sum(), x, create_graph=True)[0] - 1).square().mean()

    both = nn.ModuleList([first, second])
    partial = lambda: loss(lambda x: x.view_as(x))
    audit = gradient_audit(lambda: loss(lambda x: x), both, reference=partial)
    assert audit.clean and 1e-4 < audit.difference < 0.1
    assert "close, but another function. Is a total derivative taken" in verdict(audit)
    assert gradient_audit(partial, both, reference=partial).difference == 0


def test_batch_norm_shows_against_the_derivative_row_by_row():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1)).double()

    def true():
        jacobian = torch.autograd.functional.jacobian(net, X, create_graph=True)[:, 0, :, 0]
        return (jacobian.diagonal() - 1).square().mean()

    def summed():
        x = X.clone().requires_grad_()
        return (torch.autograd.grad(net(x).sum(), x, create_graph=True)[0] - 1).square().mean()

    before = [b.clone() for b in net.buffers()]
    audit = gradient_audit(summed, net, reference=true)
    assert audit.difference > 0.1
    assert all(torch.equal(a, b) for a, b in zip(before, net.buffers()))
    net[1].eval()
    assert gradient_audit(summed, net, reference=true).difference < 1e-12


def test_an_infinite_gradient_is_not_finite_and_nothing_else():
    w = torch.zeros(2, requires_grad=True)
    audit = gradient_audit(lambda: w.sqrt().sum(), [("w", w)])
    assert audit.not_finite == ("w (2,)",) and not audit.polluted


def test_two_gradients_that_are_zero_are_the_same():
    w = torch.ones(2, requires_grad=True)
    audit = gradient_audit(lambda: (0 * w).sum(), w, reference=[torch.zeros(2)])
    assert audit.difference == 0 and "the same gradient." in verdict(audit)


# --- it leaves everything as it was --------------------------------------------------------------


@pytest.mark.parametrize("loss", [by_grad, by_backward])
@pytest.mark.parametrize("before", ["none", "some"])
def test_every_grad_is_put_back(net, loss, before):
    x = X.clone().requires_grad_()
    tensors = [x, *net.parameters()]
    if before == "some":
        for t in tensors:
            t.grad = torch.full_like(t, 7.0)
    kept = [t.grad for t in tensors]
    gradient_audit(lambda: loss(net, x), net)
    assert all(t.grad is g for t, g in zip(tensors, kept))
    assert all(g is None or bool((g == 7).all()) for g in kept)


def test_grads_are_put_back_when_the_loss_fails(net):
    for p in net.parameters():
        p.grad = torch.ones_like(p)
    with pytest.raises(ZeroDivisionError):
        gradient_audit(lambda: by_backward(net) / (1 // 0), net)
    assert all(bool((p.grad == 1).all()) for p in net.parameters())


def test_no_tensor_outlives_the_audit_of_a_leak(net):
    seen = []

    def loss():
        x = X.clone().requires_grad_()
        seen.append(weakref.ref(x))
        return by_backward(net, x)

    gradient_audit(loss, net)
    gc.collect()
    assert [ref() for ref in seen] == [None]


def test_random_streams_go_on_as_if_nothing_had_been(net):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    noisy = lambda: net(torch.rand(5, 1).double()).square().mean()
    audit = gradient_audit(noisy, net, reference=noisy)
    assert audit.difference == 0  # the reference sees the same points
    assert torch.equal(torch.rand(4), expected)


def test_it_works_under_no_grad_and_on_a_graph_of_its_own(net):
    with torch.no_grad():
        assert gradient_audit(lambda: by_grad(net), net).clean
    loss = by_grad(net)
    assert gradient_audit(lambda: loss, net).clean
    loss.backward()  # still possible
    net.zero_grad()


def test_parameters_in_every_form(net):
    names = gradient_audit(lambda: by_grad(net), net.named_parameters()).parameters
    assert names == gradient_audit(lambda: by_grad(net), net).parameters
    one = gradient_audit(lambda: by_grad(net), net[0].weight)
    assert one.parameters == ("parameter 0 (4, 1)",)
    net[0].weight.requires_grad_(False)
    assert len(gradient_audit(lambda: by_grad(net), net).parameters) == 3


def test_buffers_and_grads_with_nan_and_of_any_kind_are_put_back(net):
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net
            self.register_buffer("seen", torch.tensor([False, False]))
            self.register_buffer("least", torch.tensor(float("nan")))

        def forward(self, x):
            self.seen[0] = True
            self.least.fill_(1.0)
            return self.net(x)

    model = Counting()
    x = X.clone().requires_grad_()
    x.grad = torch.full_like(x, float("nan"))
    audit = gradient_audit(lambda: model(x).mean() + 0 * x.grad.nan_to_num().sum(), model)
    assert audit.written == ()
    assert not model.seen.any() and model.least.isnan()


def test_a_net_on_the_cpu_asks_no_gpu_for_its_random_stream(net, monkeypatch):
    """However many there are: torch would warn of several, and start each."""
    for random in (torch.cuda, torch.mps):
        monkeypatch.setattr(random, "device_count", lambda: 2)
        monkeypatch.setattr(random, "get_rng_state", None)
    assert gradient_audit(lambda: by_grad(net), net).polluted == ()


def test_the_audit_does_not_depend_on_the_default_device(net):
    x = X.clone()
    with torch.device("meta"):
        assert gradient_audit(lambda: net(x).sum(), net, lambda: net(x).sum()).difference == 0
