"""Chapter 7, partial derivatives in PyTorch."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from companion.practice.answers import Given, asks, function, numbers_of, trying
from companion.practice.verdicts import NotYet, agree, compare, demand, numbers, shown, tensor

# ---------------------------------------------------------------- ex-07-neighbours

PLACE = np.array([1.0, 2.0, 6.0])


def sum_of_neighbours(x: np.ndarray) -> float:
    """Σ x_i x_{i−1}, where the first row looks at the last."""
    return float((x * np.roll(x, 1)).sum())


@asks(numbers_of("by x_1", "by x_2", "by x_3"), example="[1, 0, 3]")
def ex_07_neighbours(answer: np.ndarray) -> str:
    """∂/∂xᵢ Σⱼ xⱼ xⱼ₋₁ = xᵢ₋₁ + xᵢ₊₁, round the end."""
    if answer.tolist() == np.roll(PLACE, 1).tolist():
        raise NotYet(
            "(6, 1, 2) is ∂u_i/∂x_i, each row by its own x. The gradient of the sum adds up every row in "
            "which x_i stands"
        )
    steps = np.eye(3)
    quotients = [(sum_of_neighbours(PLACE + h) - sum_of_neighbours(PLACE - h)) / 2 for h in steps]
    hint = "write the sum of the three products down; in which of them does each x_i stand?"
    agree(answer, quotients, hint, "your gradient")
    return "the gradient of the sum, three numbers"


# ---------------------------------------------------------------- ex-07-rows

ROWS = (
    Given("tanh(x)", torch.tanh),
    Given("x - x.mean()", lambda x: x - x.mean()),
    Given("torch.softmax(x, dim=0)", lambda x: torch.softmax(x, dim=0)),
    Given("torch.softmax(x, dim=1)", lambda x: torch.softmax(x, dim=1)),
    Given("x.roll(1, dims=0)", lambda x: x.roll(1, dims=0)),
    Given("x * x.mean()", lambda x: x * x.mean()),
    Given("c * x, c a column of constants", lambda x: torch.arange(1.0, 6.0)[:, None] * x),
)


def jacobian(f: Callable, x: Tensor) -> Tensor:
    """∂u_i/∂x_j of a column of a column, (n, n)."""
    return torch.autograd.functional.jacobian(f, x)[:, 0, :, 0]


@asks(function("u, x"), "True or False", example="lambda u, x: True")
def ex_07_rows(rows_are_independent: Callable) -> str:
    """True where ∂uᵢ/∂xⱼ = 0 for all j ≠ i, and False elsewhere."""
    x = torch.tensor([[0.3], [-0.8], [0.5], [1.1], [-0.2]])
    for f in ROWS:
        J = jacobian(f, x)
        beside = J - torch.diag(J.diagonal())
        truth = beside.abs().max().item() < 1e-6
        said = rows_are_independent(f, x)
        came = said.item() if getattr(said, "ndim", None) == 0 else said
        demand(
            isinstance(came, bool),
            f"of f = {f}: yours is {shown(said)}, and True or False is expected",
        )
        demand(
            came == truth,
            f"of f = {f}: yours says {came}, and the largest entry of the Jacobian beside the diagonal is "
            f"{beside.abs().max().item():.2g}",
        )
    return f"{len(ROWS)} functions tried, against their Jacobians"


# ---------------------------------------------------------------- ex-07-hunt


class Wave(nn.Module):
    """u = a sin(b x) exp(−c t), of which every derivative is known."""

    def __init__(self):
        super().__init__()
        a, b, c = (torch.tensor(v, dtype=torch.float64) for v in (1.5, 2.0, 0.7))
        self.a, self.b, self.c = nn.Parameter(a), nn.Parameter(b), nn.Parameter(c)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.a * torch.sin(self.b * x) * torch.exp(-self.c * t)


def columns() -> tuple[Tensor, Tensor]:
    """Seven points: x and t, columns that require a gradient."""
    x = torch.linspace(-1, 2, 7, dtype=torch.float64)[:, None]
    t = torch.linspace(0, 1, 7, dtype=torch.float64)[:, None] ** 2
    return x.requires_grad_(), t.requires_grad_()


def losses_of_the_mistakes(net: Wave, x: Tensor, t: Tensor) -> dict[str, float]:
    """What the loss is if one of the mistakes is left in it, by the closed form."""
    with torch.no_grad():
        a, b, c = net.a, net.b, net.c
        u = net(x, t)
        u_x, u_t, u_xx = a * b * torch.cos(b * x) * torch.exp(-c * t), -c * u, -b * b * u
        mistakes = {
            "u_xx has u_x in it: x.grad was not cleared": u_t - u_x - u_xx,
            "the residual is a table (N, N): u_t has lost its axis": u_t[:, 0] - u_xx,
            "the residual is a table (N, N), and u_xx has u_x in it": u_t[:, 0] - u_x - u_xx,
            "u_t has u_xt in it: t.grad was not cleared": u_t - c * u_x - u_xx,
        }
        return {words: (residual**2).mean().item() for words, residual in mistakes.items()}


@asks(function("net, x, t"), "the loss", example="lambda net, x, t: net(x, t).square().mean()")
def ex_07_hunt(heat_loss: Callable) -> str:
    """The mean of (u_t − u_xx)², with its graph, and nothing written into the .grad of a leaf."""
    net, (x, t) = Wave(), columns()
    a, b, c = (p.item() for p in net.parameters())
    expected = (b * b - c) ** 2 * net(x, t).square().mean().item()
    says = "by the closed form it is"
    loss = tensor(heat_loss(net, x, t), "your loss")
    for words, value in losses_of_the_mistakes(net, x, t).items():
        demand(not np.allclose(numbers(loss), value), words)
    compare(loss, expected, says=says, what="your loss")
    written = [p for p in (x, t, *net.parameters()) if p.grad is not None]
    demand(
        not written, f"your loss has written into the .grad of {len(written)} of the five leaves"
    )
    demand(loss.requires_grad, "your loss does not require a gradient: nothing could be trained")
    [by_a] = torch.autograd.grad(loss, net.a, materialize_grads=True)
    compare(by_a, 2 * expected / a, {"a": a}, says, "the derivative of your loss by the parameter")
    return "the loss, its derivative by a parameter, and five leaves that stayed clean"


# ---------------------------------------------------------------- ex-07-forward-over-reverse


@asks(function("net, x, t"), "a column", example="lambda net, x, t: 0 * x")
def ex_07_forward_over_reverse(u_xx: Callable) -> str:
    """u_xx of each point by itself, from one call of the network."""
    calls = []

    def counted(x, t):
        calls.append(1)
        return torch.sin(2 * x) * torch.exp(-t)

    x, t = (z.detach() for z in columns())
    came = u_xx(Given("sin(2x) exp(-t)", counted), x, t)
    expected = -4 * torch.sin(2 * x) * torch.exp(-t)
    compare(came, expected, says="the closed form says", what="your u_xx of sin(2x) exp(-t)")
    demand(
        len(calls) == 1, f"your program calls the network {len(calls)} times, and one call will do"
    )

    mixing = Given("x sin(x.mean())", lambda x, t: x * x.mean().sin())
    alone = 2 * x.cos() - x * x.sin()  # of x sin x
    what = "your u_xx of x sin(x.mean()), where a point alone is its own mean,"
    compare(u_xx(mixing, x, t), alone, says="of each point by itself", what=what)
    return f"{len(x)} points, each by itself, with one call of the network"


# ---------------------------------------------------------------- problem-07-hidden

TANGENT = torch.arange(1.0, 6.0, dtype=torch.float64)


@asks(function("x"), "five rows from five rows, (5, 1)", example="lambda x: x.roll(1, dims=0)")
def problem_07_hidden(f: Callable) -> str:
    """J w = w ∘ (J 1) for w = (1, 2, 3, 4, 5), though every row of J has an entry beside the diagonal."""
    places = torch.randn(4, 5, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(7))
    for x in places:
        tensor(f(x), "f(x)", (5, 1))
        with trying(f"at x = {shown(x[:, 0])}: the Jacobian of your f"):
            J = jacobian(f, x)
        demand(bool(J.isfinite().all()), f"at x = {shown(x[:, 0])}: your f has no finite Jacobian")
        beside = (J - torch.diag(J.diagonal())).abs().max(1).values
        alone = [i for i in range(5) if beside[i] < 1e-6]
        demand(not alone, f"row {alone} of your f looks at no other row (counted from 0)")
        compare(
            J @ TANGENT,
            TANGENT * J.sum(1),
            {"x": x[:, 0]},
            "w times the derivative along ones is",
            "the derivative along w",
            atol=1e-9,
        )
    return f"{len(places)} places tried: every row looks at another, and the tangent w sees nothing"
