"""A loss and its gradient as one compiled program: derivatives in it, as fast as jitted JAX.

Every operation of the loss and of the walk back to the parameters is written down, jets and all
that is Python about them are gone, and inductor makes one program of the list. Chapter 10.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.fx import GraphModule

from companion import torch_private
from companion.operators.rewritten import rewrite
from companion.operators.tracing import Untraced, first_line, refuse_constants, traced


class compiled:
    """The scalar loss(x, …) of a network, with its gradient by the network's parameters, compiled.

    loss: a function of tensors that returns one number, and calls the module net: by derivatives,
    taylor, laplacian or Partials, or as it is. A call computes the loss and the gradient in one
    program; backward hands the gradient on. The first call with inputs of a new shape compiles, for
    some seconds; parameters and inputs may have other values in each call. Gradients go to the
    parameters of net alone, and once: no create_graph. A loss that torch cannot compile here (no
    C++ compiler) is computed as it is, with a warning.

    Raises TypeError for a net that is no module, ValueError for a result that is not one number, for
    an input that wants a gradient, for a tensor that wants one and is neither, and for a loss that
    looks at values (if …, float(…), .item()); and what the loss itself raises.

    >>> from companion.operators import derivatives
    >>> net = nn.Linear(1, 1)
    >>> loss = compiled(lambda x: derivatives(net, x, 1)[1].square().mean(), net)
    >>> loss(torch.zeros(4, 1)).backward()                              # doctest: +SKIP

    Source: chapter 10.
    """

    def __init__(self, loss: Callable[..., Tensor], net: nn.Module) -> None:
        if not isinstance(net, nn.Module):
            raise TypeError(
                f"net is the nn.Module whose parameters learn; got {type(net).__name__}"
            )
        self.loss, self.net = loss, net
        self._programs: dict[Any, Callable[..., Any] | None] = {}

    def __call__(self, *inputs: Tensor) -> Tensor:
        """The loss at these inputs; loss.backward() hands its gradient to the parameters."""
        kept = [*self.net.parameters(), *self.net.buffers()]
        program = self._compiled(kept, inputs)
        return self.loss(*inputs) if program is None else _Known.apply(program, inputs, *kept)

    def gradient(self, *inputs: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(the loss, its gradient by each parameter that learns, in the order of net.parameters()).

        The program alone: without autograd's engine, some 0.1 ms a call sooner than backward.
        """
        kept = [*self.net.parameters(), *self.net.buffers()]
        program = self._compiled(kept, inputs)
        value, *slopes = (program or self._step(kept))(
            *[x.detach().contiguous() for x in (*kept, *inputs)]
        )
        return value, slopes

    def _compiled(self, kept, inputs):
        """The program for such inputs; None where there can be none."""
        for x in inputs:
            if not isinstance(x, torch.Tensor):
                raise TypeError(f"a compiled loss takes tensors; got {type(x).__name__}")
            if x.requires_grad:
                raise ValueError(
                    "the gradient of a compiled loss goes to the parameters of net alone; hand over "
                    "x.detach(), or call the loss itself"
                )
        key = (
            *[module.training for module in self.net.modules()],
            *[(x.shape, x.dtype, x.device, x.requires_grad) for x in (*kept, *inputs)],
        )
        if key not in self._programs:
            self._programs[key] = _program(self._step(kept), (*kept, *inputs))
        return self._programs[key]

    def _step(self, kept):
        """(what the module keeps …, inputs …) → (loss, its gradient by what learns …)."""
        holder = _Holder(self.loss, self.net)
        names = [name for name, _ in (*holder.named_parameters(), *holder.named_buffers())]
        learns = [x.requires_grad for x in kept]

        def step(*tensors: Tensor) -> tuple[Tensor, ...]:
            with torch.enable_grad():
                state = [x.detach().requires_grad_(on) for x, on in zip(tensors, learns)]
                y = functional_call(holder, dict(zip(names, state)), tensors[len(names) :])
                if not isinstance(y, torch.Tensor) or y.numel() != 1:
                    shape = tuple(y.shape) if isinstance(y, torch.Tensor) else type(y).__name__
                    raise ValueError(f"a compiled loss returns one number; got {shape}")
                leaves = [x for x in state if x.requires_grad]
                slopes = torch.autograd.grad(y.sum(), leaves, materialize_grads=True)
            return y.detach(), *slopes

        return step


class _Holder(nn.Module):
    """A function as a module, so that the parameters of net can be handed over."""

    def __init__(self, function, net):
        super().__init__()
        self.function, self.net = function, net

    def forward(self, *inputs):
        return self.function(*inputs)


class _Known(torch.autograd.Function):
    """The loss; its gradient is known when it is."""

    @staticmethod
    def forward(ctx: Any, program: Callable, inputs: Sequence[Tensor], *kept: Tensor) -> Tensor:
        value, *ctx.slopes = program(*[x.contiguous() for x in (*kept, *inputs)])
        return value

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Any, ...]:
        if torch.is_grad_enabled():
            raise NotImplementedError(
                "the gradient of a compiled loss cannot be differentiated again (create_graph); "
                "call the loss itself"
            )
        whole = cotangent.device.type == "cpu" and cotangent.item() == 1  # as in loss.backward()
        slopes = iter(ctx.slopes if whole else [cotangent * slope for slope in ctx.slopes])
        return None, None, *[next(slopes) if on else None for on in ctx.needs_input_grad[2:]]


def _program(step: Callable[..., Any], inputs: Sequence[Tensor]) -> Callable[..., Any] | None:
    """step at such inputs as one program; None, with a warning, where there can be none."""
    inputs = [x.detach().contiguous() for x in inputs]  # a program is made for one layout
    try:
        graph = _written(step, inputs)
    except Untraced as error:
        return _as_it_is(first_line(error))
    try:
        with torch.no_grad():
            return torch_private.program(graph, inputs)
    except (RuntimeError, OSError) as error:  # all of inductor's own are the first
        return _as_it_is(
            f"torch cannot compile it here ({type(error).__name__}: {first_line(error)}). A compiled "
            "loss needs a C++ compiler, g++ or clang, or CXX=its path"
        )


def _as_it_is(why):
    """Say once that there is no program."""
    warnings.warn(f"the loss is computed as it is, several times slower: {why}", stacklevel=5)


def _written(step: Callable[..., Any], inputs: Sequence[Tensor]) -> GraphModule:
    """The operations of step as a graph, which does the same at other values."""
    graph = traced(step, inputs, UNTRACEABLE)
    constants = [getattr(graph, n.target) for n in graph.graph.nodes if n.op == "get_attr"]
    if any(getattr(value, "requires_grad", False) for value in constants):
        raise ValueError(
            "the loss uses a tensor that requires a gradient and is no parameter of net, so its "
            "gradient would be lost: make it an nn.Parameter of the module, or detach it"
        )
    nearby = [x * 1.01 + 0.001 if x.is_floating_point() else x for x in inputs]
    given = [x.clone() for x in nearby]
    with torch.no_grad(), torch.random.fork_rng():
        graph(*given)
    if not all(torch.equal(a, b) for a, b in zip(given, nearby)):
        raise ValueError(
            "the loss changes what the module keeps or what it is given, as BatchNorm in "
            "training does: call net.eval(), or call the loss itself"
        )
    refuse_constants(graph, step, nearby, UNTRACEABLE)
    rewrite(graph)
    return graph


UNTRACEABLE = (
    "the loss cannot be written down as one graph: it looks at a value (if …, float(…), .item(), "
    ".tolist(), numpy). Write torch.where(...) for a choice, or call the loss itself."
)
