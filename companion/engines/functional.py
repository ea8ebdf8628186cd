"""Derivatives as functions of functions: gradients, Jacobians, Hessians and their products.

What is differentiated may be a number, an array, or a tree of them (trees.py). The engines do the
work: reverse mode for a gradient, forward mode over it for a Hessian.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from companion.engines.dual import columns, jvp
from companion.engines.rules import reshape, stack
from companion.engines.tape import vjp
from companion.engines.trees import array_only, flatten, is_tree, pairs, rebuilt
from companion.engines.values import shape


def grad(f: Callable[..., Any], argnum: int | tuple[int, ...] | None = None) -> Callable[..., Any]:
    """The gradient of f, as a function of the same arguments: one gradient for one argument, a list for several.

    An argument may be a list, tuple or dict of arrays, nested: its gradient has the same shape. With
    `argnum` only that argument is differentiated, or the several of a tuple; keyword arguments never
    are. f must return a scalar, else ValueError. It nests, and it can be differentiated forward too.

    >>> from companion.engines import grad, sum
    >>> grad(lambda x: sum(x ** 3))(np.array([1.0, 2.0]))
    array([ 3., 12.])
    >>> grad(lambda p, x: p["w"] * x + p["b"], argnum=0)({"w": 2.0, "b": 1.0}, 3.0)
    {'w': 3.0, 'b': 1.0}

    Source: chapter 5.
    """
    both = value_and_grad(f, argnum)
    return lambda *xs, **options: both(*xs, **options)[1]


def value_and_grad(
    f: Callable[..., Any], argnum: int | tuple[int, ...] | None = None
) -> Callable[..., tuple[Any, Any]]:
    """(f, its gradient), as a function of the same arguments, by one evaluation; see grad.

    >>> from companion.engines import value_and_grad
    >>> value_and_grad(lambda x, y: x * x * y)(2.0, 5.0)
    (20.0, [20.0, 4.0])
    """

    def evaluate(*xs: Any, **options: Any) -> tuple[Any, Any]:
        numbers = _numbers(argnum, len(xs))

        def of_chosen(*chosen):
            arguments = list(xs)
            for i, x in zip(numbers, chosen):
                arguments[i] = x
            return f(*arguments, **options)

        every = argnum is None and not options
        y, pullback = vjp(f, *xs) if every else vjp(of_chosen, *[xs[i] for i in numbers])
        found = pullback()
        single = isinstance(argnum, int) or (argnum is None and len(xs) == 1)
        return y, found[0] if single else found

    return evaluate


def _numbers(argnum, count):
    """The numbers of the arguments to differentiate in, of so many."""
    chosen = range(count) if argnum is None else argnum if isinstance(argnum, tuple) else (argnum,)
    known = [i for i in chosen if type(i) is int and -count <= i < count]
    if len({i % count for i in known}) < len(chosen) or argnum == ():
        raise ValueError(
            f"argnum is the number of a positional argument, 0 to {count - 1}, or a tuple of some, "
            f"each once; got {argnum!r} for {count} arguments"
        )
    return list(chosen)


def jacobian(f: Callable[..., Any], by: str | None = None, argnum: int = 0) -> Callable[..., Any]:
    """J[i, j] = ∂fᵢ/∂xⱼ, as a function of x: shape (shape of f(x)) + (shape of x).

    Of several arguments, x is the one of the number `argnum`.

    By columns (forward mode, one seed for each element of x) or by rows (reverse mode, one walk for
    each element of f(x)); without `by`, whichever are fewer.

    >>> from companion.engines import jacobian
    >>> jacobian(lambda x: x * x)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])

    Source: chapter 5.
    """
    if by not in (None, "rows", "columns"):
        raise ValueError(f"by is 'rows' or 'columns' (or None: whichever are fewer); got {by!r}")

    def evaluate(*xs: Any, **options: Any) -> Any:
        [i] = _numbers(argnum, len(xs))
        x, of_x = xs[i], lambda x: f(*xs[:i], x, *xs[i + 1 :], **options)
        array_only(x, "jacobian")
        n = math.prod(shape(x))
        if by == "columns":
            return _by_columns(of_x, x)
        y, pullback = vjp(of_x, x)
        m = math.prod(shape(y))
        if by is None and n <= m:
            return _by_columns(of_x, x)
        basis = np.eye(m).reshape((m, *shape(y)))
        rows = [pullback(seed if shape(y) else 1.0)[0] for seed in basis]
        return reshape(stack(rows), shape(y) + shape(x)) if rows else np.zeros(shape(y) + shape(x))

    return evaluate


def _by_columns(f, x):
    y, tangents = columns(f, x)
    if not tangents:
        return np.zeros(shape(y) + shape(x))
    return reshape(stack(tangents, axis=-1), shape(y) + shape(x))


def hessian(f: Callable[..., Any], argnum: int = 0) -> Callable[..., Any]:
    """H[i, j] = ∂²f/∂xᵢ∂xⱼ of a scalar f, as a function of x: forward mode over reverse.

    Of several arguments, x is the one of the number `argnum`.

    >>> from companion.engines import hessian, sum
    >>> hessian(lambda x: sum(x ** 3))(np.array([1.0, 2.0]))
    array([[ 6.,  0.],
           [ 0., 12.]])

    Source: chapter 5.
    """
    return jacobian(grad(f, argnum), by="columns", argnum=argnum)


def hvp(f: Callable[[Any], Any], x: Any, v: Any) -> Any:
    """H v for a scalar f, without H: the derivative of the gradient along v, for a few evaluations of f.

    x may be a list, tuple or dict of arrays; v and the result have its shape.

    >>> from companion.engines import hvp, sum
    >>> hvp(lambda x: sum(x ** 3), np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    array([ 6., 12.])

    Source: Pearlmutter 1994; chapter 5.
    """
    if not is_tree(x):
        return jvp(grad(f), x, v)[1]
    flat = lambda *leaves: flatten(grad(f)(rebuilt(x, iter(leaves))))[0]
    points, directions = zip(*pairs(x, v))
    return flatten(x)[1](jvp(flat, points, directions)[1])
