"""Everything of torch that is private or unstable, each use with a public way to the same result.

Nowhere else in the companion is a name of torch that begins with an underscore, or a module that
torch calls experimental: where another torch lacks one of these, it is mended here. What stands in
for it is public, gives the same, and takes longer.

transforming        whether torch.func is looking on; else found out by an autograd.Function
forward_mode        whether dual numbers are about; else by making one
value_and_jacobian  inside vmap; else by torch.func.jacrev
traced              the operations of a function as a graph; else by make_fx; else its caller goes without
program             a graph as one compiled program; else by torch.compile
in_memory           what a compiled program writes down before it reads it; else .contiguous()
repeated            the same k times in a row, as one loop in a program; else as k copies of the graph
leaf                the tensor that a node of a graph feeds; else looked for among all tensors
saved               what a node of a graph saved, by name; else its caller asks for the function (graphs)
once                whether a node of a graph can be differentiated once only; else it is not known
TOUCH               what reads or writes a .grad, as a function mode sees it
APPLY               the code of Function.apply, where it is Python's; None where it is C++'s (asks.py)
"""

import gc
from collections.abc import Callable, Sequence
from contextlib import suppress
from operator import getitem
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.autograd.graph import Node
from torch.fx import Graph, GraphModule, Proxy
from torch.fx import Node as FxNode
from torch.fx.node import map_aggregate

try:
    from torch.utils._python_dispatch import TorchDispatchMode
except ImportError:
    TorchDispatchMode = None  # type: ignore[assignment,misc]
try:
    from torch.fx.experimental.proxy_tensor import make_fx
except ImportError:
    make_fx = None  # type: ignore[assignment]

# x.grad and x.grad = …, under the names that torch.overrides hands over.
TOUCH = (torch.Tensor.grad.__get__, torch.Tensor.grad.__set__)  # type: ignore[union-attr]

APPLY = getattr(getattr(torch.autograd.Function.apply, "__func__", None), "__code__", None)

# The calls between the kernels are C++ too, and compiled apart from them: optimised as the kernels are, they
# take the compiler two seconds more, and run no faster. torch asks the processor for its vector
# instructions, in place of compiling and loading a program for each of them, which takes seconds in a new
# process; and it does not compile its own headers first, which takes five seconds and saves one for each
# program after the first. No line numbers for a debugger. a·b + c is rounded once, where the processor can.
OPTIONS: dict[str, Any] = {
    "cpp_wrapper": True,
    "cpp_wrapper_build_separate": True,
    "cpp.vec_isa_ok": True,
    "cpp_cache_precompile_headers": False,
    "aot_inductor.enable_line_tables": False,
    "cpp.enable_floating_point_contract_flag": "fast",
}

ONCE = once_differentiable(lambda ctx: None).__code__  # what it wraps a backward in


class Kind(NamedTuple):
    """What is known of a tensor in a graph."""

    shape: torch.Size
    strides: tuple[int, ...]
    dtype: torch.dtype
    device: str


class _Old(torch.autograd.Function):
    """A function without setup_context, which torch.func refuses to transform, and says so."""

    @staticmethod
    def forward(ctx):
        return None


def transforming() -> bool:
    """Whether torch.func (vmap, vjp, jacrev …) is looking on."""
    asked = getattr(torch._C, "_are_functorch_transforms_active", _refused)
    return asked()


def _refused():
    try:
        _Old.apply()
    except RuntimeError:
        return True
    return False


def forward_mode() -> bool:
    """Whether dual numbers are about (torch.func.jvp, jacfwd, torch.autograd.forward_ad)."""
    level = getattr(torch.autograd.forward_ad, "_current_level", None)
    return _takes_duals() if level is None else level >= 0


def _takes_duals():
    try:
        torch.autograd.forward_ad.make_dual(torch.zeros(()), torch.zeros(()))
    except RuntimeError:
        return False
    return True


def traced(
    function: Callable[..., Any],
    inputs: Sequence[Tensor],
    tidy: Callable[[Graph], None] | None = None,
) -> GraphModule:
    """The torch operations of function at these inputs, as a torch.fx.GraphModule, tidied before it is one.

    They are noted down as they are done, below autograd and torch.func. make_fx, which does the same
    on tensors without values, takes several times as long, and loads torch's compiler for it.
    Raises whatever torch or the function raises; RuntimeError when it looks at the value of what
    depends on the inputs; NotImplementedError where this torch cannot trace.
    """
    if TorchDispatchMode is not None:
        return _recorded(function, inputs, tidy)
    if make_fx is None:
        raise NotImplementedError(f"torch {torch.__version__} has no make_fx")
    made = make_fx(function)(*inputs)
    if tidy is not None:
        tidy(made.graph)
        made.recompile()
    return made


def _recorded(function, inputs, tidy):
    graph, nodes = Graph(), {}
    for i, value in enumerate(inputs):
        nodes[id(value)] = graph.placeholder(f"input_{i}")
    constants: dict[str, Tensor] = {}
    alive, varying = list(inputs), set(nodes.values())

    def node_of(value):
        """The node of a tensor; of one that was there before, a constant of the graph."""
        if not isinstance(value, torch.Tensor):
            return value
        if id(value) not in nodes:
            name = f"constant_{len(constants)}"
            constants[name] = value
            note(value, graph.get_attr(name))
        return nodes[id(value)]

    def note(value, node):
        """Remember which node a result is; a list of results is taken apart."""
        if not varying.isdisjoint(node.all_input_nodes):
            varying.add(node)
        if isinstance(value, torch.Tensor):
            nodes[id(value)] = node
            alive.append(value)  # or another tensor might take its id
        elif isinstance(value, (list, tuple)):
            for i, part in enumerate(value):
                note(part, graph.call_function(getitem, (node, i)))

    class Recorder(TorchDispatchMode):
        @classmethod
        def _should_skip_dynamo(cls):
            return False  # or torch loads its compiler at the first operation, for a second or two

        def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
            found = operation(*args, **(kwargs or {}))
            if operation is torch.ops.aten._local_scalar_dense.default:
                if nodes.get(id(args[0])) in varying:
                    raise RuntimeError("a value that depends on the inputs is looked at")
                return found
            node = graph.call_function(operation, *map_aggregate((args, kwargs or {}), node_of))
            node.meta["inputs"] = [
                Kind(v.shape, v.stride(), v.dtype, v.device.type)
                for v in args
                if isinstance(v, torch.Tensor)
            ]
            note(found, node)
            return found

    with Recorder():
        result = function(*inputs)
    graph.output(map_aggregate(result, node_of))
    graph.eliminate_dead_code()
    if tidy is not None:
        tidy(graph)
    return GraphModule(constants, graph)


def value_and_jacobian(
    function: Callable[..., Tensor], x: Tensor, *rest: Tensor
) -> tuple[Tensor, Tensor]:
    """(f (k,), ∂f/∂x (k, n)) of f = function(x, …) at x (n,), inside torch.func.vmap or not.

    jacrev gives the same, but loads torch's compiler, which takes a second or two in a new process.
    """
    try:
        functorch = torch._C._functorch
        allowed = torch._functorch.eager_transforms.enable_inplace_requires_grad
        up, down, leave = (
            getattr(functorch, name)
            for name in ("_wrap_for_grad", "_unwrap_for_grad", "_grad_decrement_nesting")
        )
        level = functorch._grad_increment_nesting()
    except AttributeError:
        both = torch.func.jacrev(lambda x: (function(x, *rest),) * 2, has_aux=True)
        return both(x)[::-1]
    try:
        with torch.enable_grad(), allowed(True):
            inner = up(x, level)
            inner.requires_grad_()
            f = function(inner, *rest)
            slopes = [
                torch.autograd.grad(part, inner, retain_graph=True, materialize_grads=True)[0]
                if part.requires_grad
                else torch.zeros_like(inner)
                for part in f.unbind()
            ]
        f, *slopes = [down(value, level) for value in (f, *slopes)]
    finally:
        leave()
    return f, torch.stack(slopes)


def program(module: GraphModule, inputs: Sequence[Tensor]) -> Callable[..., Any]:
    """The graph `module` as one program, compiled for inputs of these shapes."""
    direct = getattr(getattr(torch, "_inductor", None), "compile", None)
    if direct is not None:
        return direct(module, list(inputs), options=OPTIONS)
    whole = torch.compile(module, fullgraph=True, options=OPTIONS)
    whole(*[value.clone() for value in inputs])  # it compiles when it is first called
    return whole


def in_memory(node: FxNode, strides: Sequence[int]) -> Proxy:
    """What a node of a graph gives, written to memory, its axes in the order of these strides.

    Else the compiler may compute it anew wherever it is read.
    """
    try:
        from torch._inductor.inductor_prims import force_stride_order
    except ImportError:
        return Proxy(node).contiguous()
    return Proxy(node.graph.call_function(force_stride_order, (node, tuple(strides))))


def without_values() -> Any:
    """A mode in which tensors have shapes and no values; None where torch has none. It loads SymPy."""
    try:
        from torch._subclasses.fake_tensor import FakeTensorMode
        from torch.fx.experimental.symbolic_shapes import ShapeEnv
    except ImportError:
        return None
    return FakeTensorMode(shape_env=ShapeEnv(), allow_non_fake_inputs=True)


def repeated(
    step: Callable[..., Sequence[Tensor]],
    count: int,
    state: Sequence[Tensor],
    constants: Sequence[Tensor],
) -> Callable[..., Any]:
    """(*state, *constants) → the state after count times state ← step(*state, *constants), compiled.

    The program has the step once, in a loop, so that its size and the time to compile it are those of
    one step. What step returns must be no part of what it was given.
    """
    loop: Any = getattr(torch.ops.higher_order, "while_loop", None)
    mode = without_values() if count > 1 and loop is not None else None

    def whole(*inputs: Tensor) -> Sequence[Tensor]:
        now, rest = inputs[: len(state)], inputs[len(state) :]
        if mode is not None:
            start = torch.zeros((), dtype=torch.int64)  # on the CPU: no GPU is waited for
            more = lambda i, *_: i < count
            once = lambda i, *given: (i + 1, *step(*given))
            return loop(more, once, (start, *now), rest)[1:]
        for _ in range(count):
            now = step(*now, *rest)
        return now

    graph, inputs = Graph(), [*state, *constants]
    found = graph.call_function(
        whole, tuple(graph.placeholder(f"x{i}") for i in range(len(inputs)))
    )
    graph.output(tuple(graph.call_function(getitem, (found, i)) for i in range(len(state))))
    if mode is not None:  # a loop is traced on tensors of which no two are views of one
        alone = [
            torch.empty_strided(v.shape, v.stride(), dtype=v.dtype, device=v.device) for v in inputs
        ]
        inputs = [mode.from_tensor(value, static_shapes=True) for value in alone]
    return program(GraphModule({}, graph), inputs)


def leaf(node: Node) -> Tensor | None:
    """The leaf tensor that a node of a graph adds its gradient to; None for any other node."""
    if hasattr(node, "variable"):
        return node.variable
    return _leaf_among_all(node) if node.name().endswith("AccumulateGrad") else None


def _leaf_among_all(node):
    """The same, among all the tensors of this process: the node that a view of it leads back to."""
    for t in gc.get_objects():
        if issubclass(type(t), torch.Tensor):  # asked for their class, some objects of torch warn
            with suppress(RuntimeError), torch.enable_grad():  # and some tensors refuse to be asked
                view = t.view_as(t).grad_fn if t.is_leaf and t.requires_grad else None
                if view is not None and view.next_functions[0][0] is node:
                    return t
    return None


def saved(node: Node) -> dict[str, Any]:
    """{name: value} of what one node keeps. Python's nodes list it; C++'s have an attribute each.

    Raises RuntimeError if it was freed.
    """
    kept = {name[len("_saved_") :]: name for name in dir(node) if name.startswith("_saved_")}
    kept |= {name: name for name in ("saved_tensors",) if hasattr(type(node), name)}
    return {short: getattr(node, name) for short, name in kept.items()}


def once(node: Node) -> bool:
    """Whether a node is that of an autograd.Function whose backward is once_differentiable."""
    function = getattr(node, "_forward_cls", None)  # where it has another name, check_orders tells
    return getattr(getattr(function, "backward", None), "__code__", None) is ONCE


def tells_saved() -> bool:
    """Whether the nodes of C++ have such attributes."""
    node = torch.ones((), requires_grad=True).exp().grad_fn
    return any(name.startswith("_saved_") for name in dir(node))
