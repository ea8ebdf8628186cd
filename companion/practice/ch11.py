"""Chapter 11, both pages: corners, NaN, changes in place, cuts."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd import grad

from companion.practice.answers import ANYTHING, asks, function, parts, trying
from companion.practice.verdicts import NotYet, agree, compare, demand, numbers, shown, tensor


def leaf(values: list) -> Tensor:
    """A float64 tensor that requires a gradient."""
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


# ---------------------------------------------------------------- ex-11-any-slope


@asks(function("x"), "a tensor of that shape", example="lambda x: x + torch.relu(x)")
def ex_11_any_slope(seven: Callable) -> str:
    """f(x) = x; its slope by torch is 7 at 0, and 1 elsewhere."""
    for at, slope in [(-1.0, 1), (-0.25, 1), (0.0, 7), (0.25, 1), (1.0, 1)]:
        x = leaf([at])
        y = tensor(seven(x), "your value")
        compare(y, x, {"x": at}, "it should be", "your value")
        demand(
            y.requires_grad, "your result does not require a gradient: it was computed from no x"
        )
        [dx] = grad(y.sum(), x, materialize_grads=True)
        compare(dx, [slope], {"x": at}, "it should be", "your slope")
    return "values and slopes at five points"


# ---------------------------------------------------------------- ex-11-distances

TRIANGLE = [[0.0, 0.0], [3.0, 4.0], [3.0, 0.0]]
TWINS = [[1.0, 1.0], [1.0, 1.0], [-1.0, 0.5], [2.0, -3.0]]


@asks(function("p"), "the table (n, n)", example="lambda p: 0 * p @ p.T")
def ex_11_distances(distances: Callable) -> str:
    """dᵢⱼ = |pᵢ − pⱼ|; the gradient of Σ dᵢⱼ by pᵢ is 2 Σⱼ (pᵢ − pⱼ)/dᵢⱼ, twins left out."""
    for points in TRIANGLE, TWINS:
        p, exact = leaf(points), np.array(points)
        apart = exact[:, None] - exact[None]
        expected = np.linalg.norm(apart, axis=2)
        table = distances(p)
        compare(table, expected, {"p": points}, "the distances are", "your table")
        [found] = grad(tensor(table, "your table", graph=True).sum(), p, materialize_grads=True)
        units = apart / np.where(expected == 0, 1, expected)[:, :, None]
        compare(
            found, 2 * units.sum(1), {"p": points}, "the unit vectors add up to", "your gradient"
        )
    return "two sets of points, one with twins"


# ---------------------------------------------------------------- problem-11-quotient

NEAR_AND_FAR = [0.0, 1e-12, -1e-9, 1e-6, -1e-4, 1e-3, 0.01, -0.1, 0.3, -0.5, 0.7, 1.0, -2.0, 3.0]


@asks(function("x"), "(exp(x) − 1)/x at each x", example="lambda x: torch.expm1(x) / x")
def problem_11_quotient(f: Callable) -> str:
    """x f = eˣ − 1, x f⁽ᵏ⁾ + k f⁽ᵏ⁻¹⁾ = eˣ for k = 1, ..., 4, and 5 f⁽⁴⁾ = eˣ where x f⁽⁵⁾ is too small to count."""
    x = leaf(NEAR_AND_FAR)
    derivatives = [tensor(f(x), "f(x)", tuple(x.shape), graph=True)]
    for order in range(1, 5):
        with trying(f"differentiating your f for the derivative of order {order}"):
            last = tensor(derivatives[-1], f"your derivative of order {order - 1}", graph=True)
            [slope] = grad(last.sum(), x, create_graph=True, materialize_grads=True)
        derivatives.append(slope)
    rows = torch.stack(derivatives).detach().numpy()
    for i, at in enumerate(NEAR_AND_FAR):
        compare(
            at * rows[0, i], np.expm1(at), {"x": at}, "exp(x) − 1 is", "x times your f", rtol=1e-8
        )
        for k in range(1, 5):
            came = at * rows[k, i] + k * rows[k - 1, i]
            what = f"x times your derivative of order {k} plus {k} times that of order {k - 1}"
            compare(came, np.exp(at), {"x": at}, "exp(x) is", what, rtol=1e-8)
        if abs(at) < 1e-8:  # here x times the derivative of order 5 is below the eighth digit
            what = "5 times your derivative of order 4"
            compare(5 * rows[4, i], np.exp(at), {"x": at}, "exp(x) is", what, rtol=1e-8)
    return f"{len(NEAR_AND_FAR)} points, to the fourth derivative"


# ---------------------------------------------------------------- ex-11-view


@asks(ANYTHING, 'the two slopes in a list, or "raises"', example="[1, 2]")
def ex_11_view(answer: Any) -> str:
    """The slopes that torch finds once exp(x) was set to 0 behind its back."""
    x = leaf([1.0, 2.0])
    y = x.exp()
    y.detach().numpy()[:] = 0.0
    [found] = grad(y.sum(), x)  # no error
    if isinstance(answer, str):
        demand(answer != "raises", f"nothing is raised: torch has counted {y._version} changes")
    hint = "the program was run, and gave others. Which numbers does the way back through exp read, and when?"
    agree(answer, found, hint, "your prediction")
    return "the program was run"


# ---------------------------------------------------------------- ex-11-three-cuts


def gradients(score: Tensor, module: nn.Module) -> np.ndarray:
    """The gradient of the mean of the score by all parameters; zeros where none arrives."""
    found = grad(score.mean(), list(module.parameters()), retain_graph=True, materialize_grads=True)
    return torch.cat([g.flatten() for g in found]).numpy()


def try_cut(score_of: Callable, learns: str) -> None:
    """Raises NotYet unless of the two networks that one gets its whole gradient, and the other none."""
    draw = torch.Generator().manual_seed(3)
    pair = [nn.Linear(2, 3).double(), nn.Sequential(nn.Linear(3, 1), nn.Tanh()).double()]
    for p in [*pair[0].parameters(), *pair[1].parameters()]:
        p.data = torch.randn(p.shape, dtype=p.dtype, generator=draw)
    z = torch.randn(4, 2, dtype=torch.float64, generator=draw)
    whole = pair[1](pair[0](z))
    score = tensor(score_of(*pair, z), f"your score, {learns} learning,")
    compare(score, whole, says="critic(generator(z)) is", what=f"your score, {learns} learning,")
    demand(
        score.requires_grad, f"the {learns} should learn, and your score has no graph: nobody does"
    )
    for name, net in zip(("generator", "critic"), pair, strict=True):
        frozen = [p for p in net.parameters() if not p.requires_grad]
        demand(not frozen, f"your function leaves the {name} frozen: switch it on again")
        wanted = gradients(whole, net) * (name == learns)
        what = f"where the {learns} should learn, the gradient of the {name}"
        compare(gradients(score, net), wanted, says="it should be", what=what)


@asks(
    parts(a=function("generator, critic, z"), b=function("generator, critic, z")),
    "each of them → the score",
    example='{"a": score_a, "b": score_b}',
)
def ex_11_three_cuts(cuts: dict) -> str:
    """c(g(z)), in a with the whole gradient for g and none for c, in b the other way round."""
    try_cut(cuts["a"], "generator")
    try_cut(cuts["b"], "critic")
    return "two cuts, the gradients of both networks"


# ---------------------------------------------------------------- problem-11-segments

LAYERS = 64


def most_alive(lengths: list[int]) -> tuple[int, int]:
    """(results alive at most, the segment where that is, from 1): those that wait, and those made again."""
    alive = [waiting + length for waiting, length in enumerate(lengths)]
    return max(alive), 1 + int(np.argmax(alive))


@asks(ANYTHING, "the lengths of the segments in a list", example="[8, 8, 8, 8, 8, 8, 8, 8]")
def problem_11_segments(answer: Any) -> str:
    """Σ nⱼ = 64, and max (j − 1 + nⱼ) at most three quarters of that of the best equal cut."""
    lengths = numbers(answer)
    if lengths.ndim != 1 or (lengths != lengths.round()).any() or (lengths < 1).any():
        raise NotYet(f"yours is {shown(answer)}, and a list of whole numbers from 1 on is wanted")
    total = lengths.sum()
    demand(total == LAYERS, f"your segments have {total:g} layers, and the network has {LAYERS}")
    cuts = [k for k in range(1, LAYERS + 1) if LAYERS % k == 0]
    equal = min(most_alive([LAYERS // k] * k)[0] for k in cuts)
    most, worst = most_alive([int(n) for n in lengths])
    demand(
        most <= 0.75 * equal,
        f"while your segment {worst} is run again, {most} results are alive; the best equal cut has {equal}, "
        "and three quarters of that are wanted",
    )
    return f"{most} results alive at most, where the best equal cut has {equal}"
