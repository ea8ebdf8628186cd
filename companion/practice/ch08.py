"""Chapter 8, a derivative inside a model."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from companion.practice.answers import Given, asks, function, one_of, parts
from companion.practice.verdicts import STEP, NotYet, compare, demand, numbers


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
        x = t**2
        return x, torch.sin(x)  # z follows x, and must be held

    t = torch.linspace(-1, 1, 6, dtype=torch.float64).requires_grad_()
    h = 1e-6
    for f, exact in MIXED:
        came = mixed(f, *both(t))
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


@asks(
    parts(sample=one_of("small", "large"), frozen=one_of("harmless", "harmful")),
    "the error on a normal sample, and the cut above frozen layers",
    example='{"sample": "large", "frozen": "harmful"}',
)
def ex_08_thousands(answer: dict) -> str:
    """Small on a normal sample, and harmless above frozen layers."""
    demand(
        answer["sample"] == "small",
        "the training loss is an error on a fresh normal sample. Where does that of the cut wire end in the figure?",
    )
    demand(
        answer["frozen"] == "harmless",
        "the cut is between x and the leaf. Which gradient of linear2 would have to pass there?",
    )
    return "both"


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

    came = op(f, x_of(t), p, q)
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
