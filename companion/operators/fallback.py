"""What has no rule: one operation, differentiated by torch step by step, in the midst of a series.

For an operation g and a curve x(t) = Σ xₖ tᵏ, torch nests reverse mode over the graph of g alone,
s₀ = ⟨c, g(x(t))⟩, sₖ = sₖ₋₁′ / k, at t = 0; each sₖ is a number and linear in c, so that ∂sₖ/∂c is
the k-th coefficient of g(x(t)), for all elements at once. Nothing but reverse mode is nested:
torch's nested forward mode is wrong for layer_norm, det, solve and others from order 2 on. The
price grows with every order, for this operation only; what was paid stands in the graph, and
gradient_audit reads it there.

Σᵢ ∂²g/∂xᵢ², for a Laplacian, is a sum over such curves of order 2, one for each axis. Orders at which
torch's derivatives of g are known to be wrong (torch_faults.py) are refused. Source: the trick of a
dummy cotangent is J. Townsend's, *A new trick for calculating Jacobian vector products* (2017).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from companion import torch_private
from companion.operators.graphs import graph_nodes
from companion.operators.names import written
from companion.operators.nested import recording, refuse_hidden, weights
from companion.operators.torch_faults import explained, guarded, trusted

FACTS = (bool, int, str, torch.Size, torch.dtype, torch.device, torch.layout, type(None))
LEAVING = {  # what they give is outside of torch, and no slope goes there
    getattr(torch.Tensor, name)
    for name in """item tolist numpy backward register_hook retain_grad data_ptr untyped_storage
    storage __array__ __float__ __complex__ __deepcopy__ __reduce_ex__""".split()
}


def alone(function: Callable, args: tuple, kwargs: dict[str, Any], kind: type) -> Any:
    """What a torch function without a rule gives for arguments among which are series of a kind."""
    if function in (torch.autograd.grad, torch.autograd.backward):
        raise NotImplementedError(
            "f differentiates inside by torch.autograd, and a series has no graph. Ask for the "
            "whole derivative, Partials(f, x)(T, X), or take Partials(f, x, method='reverse')"
        )
    if function in LEAVING:
        raise NotImplementedError(
            f"no Taylor rule for {written(function)}: what leaves torch has no slope. Write "
            "x.detach() for what is to be constant, or take Partials(f, x, method='reverse')"
        )
    operands = list(leaves((args, kwargs)))
    series: list[Any] = [x for x in operands if isinstance(x, kind)]
    for x in series:
        series[0].met(x)

    def g(points: Iterable[Tensor], constants: Iterable[Tensor]) -> Any:
        points, constants = iter(points), iter(constants)
        here, options = rebuilt(
            (args, kwargs),
            lambda x: (
                next(points)
                if isinstance(x, kind)
                else (next(constants) if isinstance(x, torch.Tensor) else x)
            ),
        )
        return function(*here, **options)

    constants = [
        alive(x) for x in operands if isinstance(x, torch.Tensor) and not isinstance(x, kind)
    ]

    def expand(curves: Sequence[Tensor], order: int, make: Callable[[Tensor], Any]) -> Any:
        special = torch_private.transforming() or torch_private.forward_mode()
        way = _by_transforms if special else _by_graph
        tree, found = way(Operation(function, g, constants), [alive(u) for u in curves], order)
        results = iter([make(torch.stack(y)) if isinstance(y, list) else y for y in found])
        return rebuilt(tree, lambda _: next(results))

    return series[0].stepwise(expand, [x.rows for x in series])


@dataclass(frozen=True)
class Operation:
    """One torch function in one call: g(points, constants) has the series replaced by points."""

    function: Callable
    g: Callable[[Iterable[Tensor], Iterable[Tensor]], Any]
    constants: list[Tensor]

    def at(self, curves: Sequence[Tensor], time: Tensor) -> tuple[Any, list[Any], list[Tensor]]:
        """(what g gives at the points x(t) of the curves, its leaves, those points)."""
        points = [_point(rows, time.to(rows.real.dtype)) for rows in curves]
        tree = self.g(points, self.constants)
        return tree, list(leaves(tree)), points


def _by_graph(operation, curves, order):
    """(what g gives, its leaves: lists of coefficients, or values) by walks back over one graph."""
    given = [*curves, *operation.constants]
    wanted = torch.is_grad_enabled() and any(x.requires_grad for x in given)
    with recording():
        time, gate = curves[0].real.new_zeros(()).requires_grad_(), [True]
        tree, ys, points = operation.at(curves, Gate.apply(time, gate))
        smooth = [i for i in _floating(operation, ys) if ys[i].requires_grad]
        still = [i for i in _floating(operation, ys) if not ys[i].requires_grad]
        outputs = [ys[i] for i in smooth]
        limit, fault = _limit(outputs, [*points, *operation.constants])
        if fault is not None and order > limit:
            raise NotImplementedError(explained(fault, order))
        with _named(operation.function):
            rows, ended = _coefficients(outputs, time, order)
        gate.clear()
        for places, k in ((still, 0), (smooth if ended else [], len(rows) - 1)):
            _refuse_lost(operation, curves, places, k)
        rows += [[torch.zeros_like(y) for y in outputs]] * (order + 1 - len(rows))
        if wanted:
            rows = [[guarded(y, k, limit, fault) for y in row] for k, row in enumerate(rows)]
            label = _price(operation.function, rows, points, order)
            rows[0] = [Stepwise.apply(y, label) for y in rows[0]]
    found = [y.detach() if isinstance(y, torch.Tensor) else y for y in ys]
    for place, *row in zip(smooth, *rows):
        found[place] = [y if wanted else y.detach() for y in row]
    return tree, found


def _point(rows, time):
    """Σ xₖ tᵏ."""
    x = rows[-1]
    for row in rows[:-1].flip(0):
        x = row + time * x
    return x if len(rows) > 1 else x + 0 * time


def _floating(operation, ys):
    """Where among the results those are that may have slopes; the others are facts, or refused."""
    for y in ys:
        if not isinstance(y, (torch.Tensor, *FACTS)):
            raise NotImplementedError(
                f"no Taylor rule for {written(operation.function)}, whose result is a "
                f"{type(y).__name__}: what leaves torch has no slope. {advice(operation.function)}"
            )
    tensors = [i for i, y in enumerate(ys) if isinstance(y, torch.Tensor)]
    return [i for i in tensors if ys[i].is_floating_point() or ys[i].is_complex()]


def _coefficients(ys, time, order):
    """([[y₀ …], [y₁ …], …] of several results up to the order, whether torch ended them before).

    They end where torch finds no way from t to a coefficient, or gives a zero for its slope.
    """
    cotangents = [_weights(y).requires_grad_() for y in ys]
    s, rows = _paired(cotangents, ys), [ys]
    for k in range(1, order + 1 if ys else 1):
        (slope,) = torch.autograd.grad(s, time, create_graph=True, allow_unused=True)
        if slope is None:
            return rows, True
        s = slope / k
        if not s.requires_grad:
            if s != 0:
                raise RuntimeError(f"its derivative of order {k} comes without a graph")
            return rows, False
        found = torch.autograd.grad(s, cotangents, create_graph=True, allow_unused=True)
        rows.append([torch.zeros_like(y) if d is None else d for y, d in zip(ys, found)])
    return rows, False


def _weights(y):
    """A cotangent of y: s is 0, almost surely, only where all its terms are."""
    return weights(y.numel())[0].to(y).view(y.shape)


def _paired(cotangents, ys):
    """Σ Re c̄ y, whose slope by c is y, complex or not."""
    return sum([(c.conj() * y).real.sum() if y.is_complex() else (c * y).sum()
                for c, y in zip(cotangents, ys)])  # fmt: skip


def _refuse_lost(operation, curves, places, k):
    """Raise where coefficient k of some results, for torch constant along the curve, is not."""
    if not places:
        return

    def at(time: Tensor) -> Tensor:
        with recording():
            time = time.clone().requires_grad_()
            ys = operation.at([rows.detach() for rows in curves], time)[1]
            ys = [ys[i] for i in places]
            rows = _coefficients(ys, time, k)[0] if k else [ys]
            row = rows[k] if len(rows) > k else [torch.zeros_like(y) for y in ys]
            return torch.cat([y.reshape(-1) for y in row])

    try:
        refuse_hidden(at, curves[0].real.new_zeros(()))
    except ValueError as error:
        raise NotImplementedError(
            f"no Taylor rule for {written(operation.function)}, and torch has no derivative of "
            f"order {k + 1} of it, which is not zero. {advice(operation.function)}"
        ) from error


def _limit(ys, ends):
    """The highest order to which torch's derivatives of g are right, and what limits it."""
    limits = [trusted(y, *ends) for y in ys]
    return min(limits, key=lambda found: found[0], default=(float("inf"), None))


def _by_transforms(operation, curves, order):
    """The same where torch.func is looking on: its own nested reverse mode, over one evaluation."""
    _rehearsed(operation, curves, order)
    zero = curves[0].real.new_zeros(())
    with torch.random.fork_rng(devices={zero.device} if zero.is_cuda else []):
        tree, ys, _ = operation.at(curves, zero)
    smooth = _floating(operation, ys)

    def paired(time: Tensor, cotangents: list[Tensor]) -> tuple[Tensor, list]:
        at = operation.at(curves, time)[1]
        return _paired(cotangents, [at[i] for i in smooth]), []

    def next_order(lower: Callable, k: int) -> Callable:
        def slope(time: Tensor, cotangents: list[Tensor]) -> tuple[Tensor, list]:
            both = torch.func.grad(lower, argnums=(0, 1), has_aux=True)
            (by_time, row), rows = both(time, cotangents)
            return by_time / k, [*rows, row]

        return slope

    s = paired
    for k in range(1, order + 1):
        s = next_order(s, k)
    found = list(ys)
    if smooth:
        cotangents = [torch.ones_like(ys[i]) for i in smooth]
        last, rows = torch.func.grad(s, argnums=1, has_aux=True)(zero, cotangents)
        for place, *row in zip(smooth, *rows, last):
            found[place] = row
    return tree, found


def _rehearsed(operation, curves, order):
    """Raise what the other way would: torch.func gives zeros where torch has no derivative.

    At random numbers, in a thread of its own, where no transform of the caller's is looking on.
    """
    given = [[(x.shape, x.dtype, x.device) for x in some] for some in (curves, operation.constants)]

    def drawn(shape: torch.Size, dtype: torch.dtype, device: torch.device) -> Tensor:
        x = weights(shape.numel())[0].view(shape).to(device)
        return (x / 4).to(dtype) if dtype.is_floating_point or dtype.is_complex else x.to(dtype) * 0

    def rehearse() -> None:
        at, constants = ([drawn(*what) for what in some] for some in given)
        with torch.random.fork_rng(devices=[x.device for x in at if x.is_cuda]):
            _by_graph(Operation(operation.function, operation.g, constants), at, order)

    with ThreadPoolExecutor(1) as thread:
        error = thread.submit(rehearse).exception()
    if isinstance(error, NotImplementedError):
        raise error


# --- what stands in the graph ---------------------------------------------------------------------


class Gate(torch.autograd.Function):
    """The identity on t while the gate is open; afterwards nothing goes back to t."""

    @staticmethod
    def forward(ctx: Any, time: Tensor, gate: list) -> Tensor:
        ctx.gate = gate
        return time.view_as(time)

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        return cotangents[0] if ctx.gate else None, None


class Stepwise(torch.autograd.Function):
    """The identity; its node tells gradient_audit which operation had no rule, and what it cost."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, label: str) -> Tensor:
        ctx.label = label
        return y.view_as(y)

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        return cotangents[0], None


def stepwise(tensors: Sequence[Tensor]) -> list[str]:
    """What the graph behind these tensors tells of operations without a rule, each once."""
    nodes = [n for n in graph_nodes(tensors) if n.name() == "StepwiseBackward"]
    return sorted({node.label for node in nodes})  # type: ignore[attr-defined]


def _price(function, rows, points, order):
    """torch.cdist (order 2, 40 operations in place of 3)."""
    count = lambda tensors: len(graph_nodes([y for y in tensors if y.requires_grad], points))
    nested, plain = count([y for row in rows for y in row]), count(rows[0])
    return f"{written(function)} (order {order}, {nested} operations in place of {plain})"


# --- errors, and nests of arguments ---------------------------------------------------------------


class _named:
    """torch's own errors while it differentiates, with the name of the function and the cure."""

    def __init__(self, function):
        self.function = function

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, RuntimeError):
            raise NotImplementedError(
                f"no Taylor rule for {written(self.function)}, and torch does not differentiate it "
                f"so often: {error}. {advice(self.function)}"
            ) from error


def advice(function: Callable) -> str:
    """What to do about a function that cannot do without a rule."""
    return (
        "Write it with functions that have a rule, "
        f"companion.operators.RULES[{written(function)}] = lambda x: ..., "
        "or differentiate step by step: Partials(f, x, method='reverse')"
    )


def alive(x: Any) -> Any:
    """x, as a tensor that may be recorded where x was made under inference_mode."""
    if isinstance(x, torch.Tensor) and x.is_inference():
        with torch.inference_mode(False):
            return x.clone()
    return x


def leaves(tree: Any) -> Iterator[Any]:
    """What is in a nest of tuples, lists and dicts, in their order."""
    if isinstance(tree, tuple | list) and not isinstance(tree, torch.Size):
        for branch in tree:
            yield from leaves(branch)
    elif isinstance(tree, dict):
        yield from leaves(list(tree.values()))
    else:
        yield tree


def rebuilt(tree: Any, leaf: Callable[[Any], Any]) -> Any:
    """The same nest with leaf(x) in the place of each x."""
    if isinstance(tree, dict):
        return {key: rebuilt(branch, leaf) for key, branch in tree.items()}
    if isinstance(tree, tuple | list) and not isinstance(tree, torch.Size):
        branches = [rebuilt(branch, leaf) for branch in tree]
        return tree._make(branches) if hasattr(tree, "_make") else type(tree)(branches)
    return leaf(tree)
