"""Chapter 8, a derivative inside a model."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from companion.practice.answers import Given, asks, function, parts
from companion.practice.verdicts import STEP, NotYet, compare, demand, numbers, tensor


def functional(x: Any, z: Any) -> Any:
    """The f of the chapter, 100 + (x + 0.01 z²)²."""
    return 100 + (x + 0.01 * z**2) ** 2


# ---------------------------------------------------------------- ex-08-alias


@asks(function("x, z, w2"), "a number", example="lambda x, z, w2: 2 * x")
def ex_08_alias(formula: Callable) -> str:
    """df/dx = 2 (x + 0.01 z²)(1 + 0.02 z w2), the total derivative: z follows."""
    points = [(1.0, 2.0, -0.5), (3.0, 0.4, 1.2), (-2.0, 0.6, 0.0)]  # x, w2, b2
    for x, w2, b2 in points:
        z = w2 * x + b2
        came = formula(x, z, w2)
        if w2 and np.allclose(numbers(came), 2 * (x + 0.01 * z**2)):
            raise NotYet(
                f"at x = {x:g}, z = {z:g}, w2 = {w2:g}: your formula is the partial derivative. But z was computed "
                "from the alias, and follows it"
            )
        moved = x + STEP * 1j
        exact = functional(moved, w2 * moved + b2).imag / STEP
        compare(came, exact, {"x": x, "z": z, "w2": w2}, "the complex step, z following x, says")
    return f"{len(points)} points tried"


# ---------------------------------------------------------------- ex-08-mixed

MIXED = (  # f, and its ∂²f/∂x∂z
    (Given("100 + (x + 0.01 z²)²", functional), lambda x, z: 0.04 * z),
    (Given("x² z³", lambda x, z: x**2 * z**3), lambda x, z: 6 * x * z**2),
    (Given("exp(x) sin(z)", lambda x, z: x.exp() * z.sin()), lambda x, z: x.exp() * z.cos()),
)


@asks(function("g, x, z"), "∂²g/∂x∂z", example="lambda g, x, z: 0.04 * z")
def ex_08_mixed(mixed: Callable) -> str:
    """∂²f/∂x∂z with z held, and its gradient by what x and z were computed from."""

    def both(t: Tensor) -> tuple[Tensor, Tensor]:
        x = t + t**2 / 2
        return x, torch.sin(2 * x)  # z follows x, and must be held

    t = torch.linspace(-1, 1, 6, dtype=torch.float64).requires_grad_()
    h = 1e-6
    for f, exact in MIXED:
        came = tensor(mixed(f, *both(t)), f"your ∂²f/∂x∂z of f = {f}")
        with torch.no_grad():
            value = exact(*both(t))
            slope = (exact(*both(t + h)) - exact(*both(t - h))) / (2 * h)
        compare(came, value, says="with z held it is", what=f"your ∂²f/∂x∂z of f = {f}")
        cut = f"of f = {f}: the wire is cut, no gradient gets through your result to what x and z came from"
        demand(came.requires_grad, cut)
        [through] = torch.autograd.grad(came.sum(), t, materialize_grads=True)
        what = f"of f = {f}, the derivative of your result by what x and z were computed from"
        compare(through, slope, says="a difference quotient says", what=what, rtol=1e-6, atol=1e-8)
    return f"{len(MIXED)} functions tried, and the wire below each"


# ---------------------------------------------------------------- ex-08-thousands


PARABOLAS = [(0.2, 0.9, -0.05), (0.0, 1.0, 0.01), (-0.1, 1.2, 0.1)]  # c0, c1, c2


def slopes_of_the_loss(
    x: np.ndarray, w2: float, b2: float, target: np.ndarray
) -> tuple[float, float]:
    """∂/∂w2 and ∂/∂b2 of mean (2 (x + 0.01 z²) − target)², z = w2 x + b2, by the complex step."""

    def loss(w2: complex, b2: complex) -> complex:
        return np.mean((2 * (x + 0.01 * (w2 * x + b2) ** 2) - target) ** 2)

    return loss(w2 + STEP * 1j, b2).imag / STEP, loss(w2, b2 + STEP * 1j).imag / STEP


@asks(
    parts(sample=function("c0, c1, c2"), frozen=function("x, w2, b2, target")),
    "the mean square error on a normal sample, and the slopes of the loss by w2 and b2",
    example='{"sample": lambda c0, c1, c2: c2**2, "frozen": lambda x, w2, b2, target: (0.0, 0.0)}',
)
def ex_08_thousands(answer: dict) -> str:
    """E (c0 + (c1 − 1) s + c2 s²)² for normal s by Gauss's rule; the slopes above the cut by the complex step."""
    s, weights = np.polynomial.hermite_e.hermegauss(20)
    for c0, c1, c2 in PARABOLAS:
        exact = weights @ (c0 + (c1 - 1) * s + c2 * s**2) ** 2 / weights.sum()
        at = {"c0": c0, "c1": c1, "c2": c2}
        said, what = "on a normal sample it is", '"sample": your error'
        compare(answer["sample"](c0, c1, c2), exact, at, said, what, rtol=0.05)
    x = np.array([[0.5], [-1.0], [2.0], [1.5]])
    for w2, b2 in (0.3, -0.5), (-1.2, 0.4):
        leaves = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (w2, b2)]
        columns = torch.from_numpy(x), torch.from_numpy(3 * x)
        came = answer["frozen"](columns[0], *leaves, columns[1])
        exact = slopes_of_the_loss(x, w2, b2, 3 * x)
        at = {"x": x[:, 0], "w2": w2, "b2": b2, "target": 3 * x[:, 0]}
        compare(came, exact, at, "the complex step above the cut says", '"frozen": your pair')
    return (
        "three parabolas on a normal sample, and the slopes of linear2 above the cut, all of them"
    )


# ---------------------------------------------------------------- problem-08-one-path


def between(t: Tensor, held: Tensor, of: tuple[Callable, Callable, Callable]) -> Tensor:
    """The derivative of f at x(t) along x, z following and y = held: a complex step."""
    f, x_of, p = of
    x = x_of(t) + STEP * 1j
    return f(x, p(x), held).imag / STEP


@asks(
    function("g, x, p, q"),
    "g_x + g_z p'(x), a column",
    example="lambda g, x, p, q: g(x, p(x), q(x))",
)
def problem_08_one_path(op: Callable) -> str:
    """f_x + f_z p′(x), y held, and its gradient by what x was computed from, through y too."""
    f = Given("x² z + z y² + sin(x y)", lambda x, z, y: x**2 * z + z * y**2 + torch.sin(x * y))
    p, q = (
        Given("sin(2x)", lambda x: torch.sin(2 * x)),
        Given("exp(x/2)", lambda x: torch.exp(x / 2)),
    )
    t = torch.linspace(-1, 1, 5, dtype=torch.float64)[:, None].requires_grad_()

    def x_of(t: Tensor) -> Tensor:
        return t + 0.3 * t**3

    def exact(t: Tensor) -> Tensor:
        return between(t, q(x_of(t)), (f, x_of, p))

    came = tensor(op(f, x_of(t), p, q), "your derivative")
    with torch.no_grad():
        value, h = exact(t), 1e-6
        slope = (exact(t + h) - exact(t - h)) / (2 * h)
    says_which(came, f, x_of(t), p, q)
    compare(came, value, says="z following and y held, a complex step says", what="your derivative")
    demand(came.requires_grad, "the wire is cut: your result depends on nothing below it")
    [through] = torch.autograd.grad(came.sum(), t, materialize_grads=True)
    what = "the derivative of your result by what x was computed from"
    compare(through, slope, says="a difference quotient says", what=what, rtol=1e-6, atol=1e-8)
    return f"{len(t)} points tried, and the wire below them"


def says_which(came: Any, f: Callable, x: Tensor, p: Callable, q: Callable) -> None:
    """Raises NotYet if what came is the partial or the total derivative."""
    x = x.detach() + STEP * 1j
    partial, total = f(x, p(x.real), q(x.real)), f(x, p(x), q(x))
    for name, held, value in ("partial", "z is held", partial), ("total", "y follows", total):
        same = np.shape(numbers(came)) == tuple(x.shape)
        same = same and np.allclose(numbers(came), value.imag.numpy() / STEP)
        demand(not same, f"yours is the {name} derivative: {held} too")
