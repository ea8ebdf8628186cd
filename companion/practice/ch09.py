"""Chapter 9, memory leaks in autograd."""

import gc
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from companion.practice.answers import ANYTHING, Given, asks, called, function, trying
from companion.practice.verdicts import NotYet, compare, demand, shown, tensor


@contextmanager
def no_warning_and_no_collector() -> Iterator[None]:
    """torch's warning would be shown once a process, and the collector would blur what a name holds."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        if was_on:
            gc.enable()


def freed(ref: weakref.ref) -> bool:
    """True if nothing holds the tensor; if something does, its .grad is emptied, so that it can go."""
    tensor = ref()
    if tensor is not None:
        tensor.grad = None
    return tensor is None


# ---------------------------------------------------------------- ex-09-which


def outlives(f: Callable) -> bool:
    """Whether x is alive with no name, after f(x).sum().backward(create_graph=True)."""
    x = torch.ones(3, requires_grad=True)
    with no_warning_and_no_collector():
        f(x).sum().backward(create_graph=True)
        ref = weakref.ref(x)
        del x
        return not freed(ref)


def cases() -> dict[str, Given]:
    """The four functions of the exercise, by their letters."""
    A, W = torch.ones(3, 3), torch.ones(3, 3, requires_grad=True)
    return {
        "a": Given("A x", lambda x: A @ x),
        "b": Given("W x", lambda x: W @ x),
        "c": Given("exp x", torch.exp),
        "d": Given("x.detach().sin() * x", lambda x: x.detach().sin() * x),
    }


@asks(ANYTHING, "the letters of those that stay alive, in a string", example='"ad"')
def ex_09_which(answer: Any) -> str:
    """The letters of those f whose x is alive with no name after backward(create_graph=True)."""
    letters = answer.lower() if isinstance(answer, str) else "?"
    if not set(letters) <= set("abcd ,()"):
        raise NotYet(f'yours is {shown(answer)}, and letters are wanted, as in "ad"')
    for letter, f in cases().items():
        alive = outlives(f)
        said, found = ("is alive", "is freed") if not alive else ("is freed", "is alive")
        demand(
            (letter in letters) == alive,
            f"({letter}) {f}: you say that x {said}, it {found}",
        )
    return "four functions run"


# ---------------------------------------------------------------- ex-09-ctx


@asks(ANYTHING, "a torch.autograd.Function for exp", example="Exp")
def ex_09_ctx(Exp: Any) -> str:
    """exp with two derivatives, and a result that dies with its last name."""
    if not (isinstance(Exp, type) and issubclass(Exp, torch.autograd.Function)):
        raise NotYet(
            f"yours is {shown(Exp)}, and a class that inherits from torch.autograd.Function is wanted"
        )
    x = torch.tensor([0.0, 1.0, -2.0], dtype=torch.float64, requires_grad=True)
    y = called(Exp.apply, x, names=["x"])
    compare(tensor(y, "your value", graph=True), x.exp(), {"x": x}, "exp(x) is", "your value")
    with trying("going back through your Function"):
        [slope] = torch.autograd.grad(y.sum(), x, create_graph=True)
    compare(slope, x.exp(), {"x": x}, "exp(x) is", "your slope")
    with no_warning_and_no_collector():
        ref = weakref.ref(Exp.apply(x))
        demand(
            ref() is None,
            "the result outlives its last name: an attribute of ctx holds it, and it holds ctx. Only the "
            "garbage collector will find that",
        )
    demand(
        slope.requires_grad, "your slope cannot be differentiated again: it was saved as a number"
    )
    with trying("going back twice through your Function"):
        [second] = torch.autograd.grad(slope.sum(), x, materialize_grads=True)
    compare(second, x.exp(), {"x": x}, "exp(x) is", "your second derivative")
    return "value, two derivatives, and a result that dies with its last name"


# ---------------------------------------------------------------- ex-09-second-order

SECOND = (  # f, f''
    (Given("sin x", torch.sin), lambda x: -x.sin()),
    (Given("x³", lambda x: x**3), lambda x: 6 * x),
)


@asks(function("u, x"), "u'' at each x", example="lambda u, x: -u(x)")
def ex_09_second_order(second: Callable) -> str:
    """f″(x), twice in a row; then x.grad is None, and x dies with its last name."""
    for f, exact in SECOND:
        x = torch.linspace(0, 3, 7, dtype=torch.float64, requires_grad=True)
        with no_warning_and_no_collector():
            for call in "first", "second":
                what = f"of f = {f}, what your {call} call returns"
                compare(second(f, x), exact(x), {"x": x}, "f'' is", what)
            left = x.grad is not None
            ref = weakref.ref(x)
            del x
            demand(
                freed(ref),
                f"of f = {f}: x outlives its last name" + ", held by its own .grad" * left,
            )
        demand(not left, f"of f = {f}: your program leaves something in x.grad")
    return f"{len(SECOND)} functions, two calls each, and each x was freed"


# ---------------------------------------------------------------- problem-09-keystone


def alive_after(f: Callable[..., Tensor], cleared: str) -> str:
    """Which of x, y, z outlive their names, if the .grad of those in `cleared` is emptied before."""
    leaves = {name: torch.full((3,), value, requires_grad=True) for name, value in START.items()}
    refs = {name: weakref.ref(leaf) for name, leaf in leaves.items()}
    with no_warning_and_no_collector():
        tensor(f(*leaves.values()), "your f", (), graph=True).backward(create_graph=True)
        for name in cleared:
            leaves[name].grad = None
        del leaves
        alive = "".join(name for name, ref in refs.items() if ref() is not None)
        for ref in refs.values():
            freed(ref)
    return alive


START = {"x": 0.5, "y": 1.5, "z": -0.7}
WANTED = {"": "xyz", "x": "xyz", "z": "xyz", "y": ""}  # cleared: alive


@asks(function("x, y, z"), "a number, as a tensor", example="lambda x, y, z: (x * y * z).sum()")
def problem_09_keystone(f: Callable) -> str:
    """Without their names x, y, z are alive; y.grad = None frees all, x.grad = None or z.grad = None none."""
    for cleared, wanted in WANTED.items():
        alive = alive_after(f, cleared)
        before = f"after {cleared}.grad = None" if cleared else "with nothing cleared"
        demand(
            alive == wanted,
            f"{before}, alive are {', '.join(alive) or 'none'}; wanted are {', '.join(wanted) or 'none'}",
        )
    return "y.grad is the keystone"
