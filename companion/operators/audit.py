"""What a gradient computation really did: who got a .grad, from where, and who got none.

gradient_audit runs a loss once, as training would, and says in plain English what is wrong.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from textwrap import fill

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from companion import torch_private
from companion.operators.fallback import stepwise
from companion.operators.graphs import graph_leaves

__all__ = ["Audit", "gradient_audit"]

CLEAN = (
    "Nothing wrong: forward wrote no .grad, and {} get the gradient of the loss, none of it zero."
)
FINDINGS = {  # field of an Audit: the sentence about the tensors in it
    "written": "Forward wrote .grad of {}. Write "
    "torch.autograd.grad(u.sum(), x, create_graph=True)[0] instead of u.sum().backward(...).",
    "alive": "That .grad holds a graph which holds its tensor: {} can never be freed. "
    "torch.autograd.grad cures it, or .grad = None after use.",
    "stale": "It was added to a .grad from before: {}. zero_grad() does not reach inputs: write "
    "x.grad = None before each use.",
    "polluted": "After loss.backward(), .grad is not the gradient of the loss for {}. The "
    "optimiser would follow it all the same.",
    "cut": "No gradient reaches {}: the wire is cut. Look for .detach(), .data, .item(), "
    "torch.tensor(...), no_grad, a layer that is not used; of a last bias that a derivative "
    "removes it is right.",
    "zero": "The gradient is exactly 0 for {}. Look for dead or piecewise linear activations "
    "(relu has no second derivative), or a factor 0.",
    "not_finite": "The gradient is NaN or infinite for {}. Look for sqrt, abs or a power at 0, "
    "also in the branch that where() does not take.",
}

STEPWISE = (
    "Differentiated step by step, for want of a Taylor rule: {}. A rule is a line: "
    "companion.operators.RULES."
)


@dataclass(frozen=True)
class Audit:
    """What gradient_audit found; printed, it is the verdict in plain English.

    Each field but the numbers is a tuple of names. `written`: tensors whose .grad forward wrote;
    of those, `stale` had one before, and `alive` are held by their own .grad. `polluted`: after
    backward, .grad is not the gradient of the loss. `cut`: the loss does not depend on it as
    autograd sees it. `zero`, `not_finite`: what the gradient is. `cosine`, `ratio`, `difference`
    (relative): what the optimiser would get, against the reference; None without one. `stepwise`:
    the operations without a Taylor rule, each with its order and its price; nothing wrong, but dear.

    >>> w, b = torch.ones(2, requires_grad=True), torch.ones(1, requires_grad=True)
    >>> gradient_audit(lambda: w.square().sum() + b.item(), [("w", w), ("b", b)]).cut
    ('b (1,)',)

    Source: chapter 8.
    """

    loss: float
    parameters: tuple[str, ...]
    written: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    alive: tuple[str, ...] = ()
    polluted: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    zero: tuple[str, ...] = ()
    not_finite: tuple[str, ...] = ()
    cosine: float | None = None
    ratio: float | None = None
    difference: float | None = None
    stepwise: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """True if nothing was found but, perhaps, a difference from the reference."""
        found = (self.written, self.polluted, self.cut, self.zero, self.not_finite)
        return math.isfinite(self.loss) and not any(found)

    def __repr__(self) -> str:
        lines = list(_findings(self)) or [CLEAN.format(_listed(self.parameters))]
        if self.cosine is not None:
            lines.append(_against(self))
        if self.stepwise:
            lines.append(STEPWISE.format("; ".join(self.stepwise)))
        kept = [re.sub(r"(\d), (?=\d)", "\\1,\u00a0", line) for line in lines]  # shapes stay whole
        text = "\n".join(fill(line, 79, subsequent_indent="  ") for line in kept)
        return text.replace("\u00a0", " ")


def _findings(audit):
    """The verdict, a line for each thing that is wrong."""
    if not math.isfinite(audit.loss):
        yield f"The loss is {audit.loss}: no gradient of it means anything. Look for log or sqrt of 0, 0/0, overflow."
    for field, sentence in FINDINGS.items():
        if names := getattr(audit, field):
            yield sentence.format(_listed(names))


def _against(audit):
    """The line about the reference."""
    if audit.difference <= 1e-5:
        reading = "the same gradient."
    elif audit.cosine > 0.99 and 0.9 < audit.ratio < 1.1:
        reading = (
            "close, but another function. Is a total derivative taken where the partial one is "
            "meant? companion.operators.partial takes the partial one."
        )
    else:
        reading = "another gradient."
    return (
        f"Against the reference: cosine {audit.cosine:+.3f}, size × {audit.ratio:.3g}, "
        f"difference {audit.difference:.2g}: {reading}"
    )


def _listed(names):
    """3 parameters (a, b, c), or their first three."""
    kinds = {"input": [n for n in names if n.startswith("input ")]}
    kinds["parameter"] = [n for n in names if n not in kinds["input"]]
    parts = []
    for kind, some in reversed(kinds.items()):
        if some:
            more = [] if len(some) <= 3 else [f"{len(some) - 3} more"]
            parts.append(f"{len(some)} {kind}{'s'[: len(some) - 1]} ({', '.join(some[:3] + more)})")
    return " and ".join(parts)


def gradient_audit(
    loss_fn: Callable[[], Tensor],
    parameters: nn.Module | Tensor | Iterable[Tensor] | Iterable[tuple[str, Tensor]],
    reference: Callable[[], Tensor] | Sequence[Tensor | None] | None = None,
) -> Audit:
    """What really happens in `loss = loss_fn(); loss.backward()`, in plain English.

    loss_fn: a function without arguments that builds the scalar loss exactly as training does,
    forward pass included. parameters: an nn.Module, or tensors, or pairs (name, tensor). reference:
    what the gradient should be, as another such function or as a list of tensors, one each.

    The audit says which .grad the forward pass wrote (parameters, and inputs that require a
    gradient), whether it keeps its own tensor alive, whether after backward .grad is the gradient
    of the loss as torch.autograd.grad finds it, which parameters get none, and the angle and the
    size of what the optimiser would get, against the reference. That is how a total derivative in
    the place of a partial one shows: from one loss alone nobody can tell which was meant.

    The parameters start with .grad = None, as after zero_grad(), and the inputs as they are, since
    zero_grad() does not reach them. Nothing lasts: every .grad, torch's random streams, and the
    buffers of an nn.Module (BatchNorm) are put back. It works under the caller's no_grad.

    Raises TypeError if loss_fn is no function or does not return a tensor, ValueError if the loss
    is not a real scalar or has no graph, if there are no parameters that require a gradient, or if
    the reference does not fit them.

    >>> net = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1))
    >>> def loss():
    ...     x = torch.linspace(0, 1, 5).reshape(5, 1).requires_grad_()
    ...     net(x).sum().backward()  # for u_x, but it writes into every .grad of the net
    ...     return (net(x) - x.grad).square().mean()
    >>> gradient_audit(loss, net).polluted
    ('0.weight (4, 1)', '0.bias (4,)', '2.weight (1, 4)', '2.bias (1,)')
    >>> def cured():
    ...     x = torch.linspace(0, 1, 5).reshape(5, 1).requires_grad_()
    ...     du = torch.autograd.grad(net(x).sum(), x, create_graph=True)[0]
    ...     return (du - 1).square().mean()
    >>> gradient_audit(cured, net).cut  # u' does not depend on the last bias: that is right
    ('2.bias (1,)',)

    Source: chapter 8; the forum thread "How to use the partial derivative of an op as new op?".
    """
    named, state = _named(parameters), _State(parameters)
    state.note(named.values())
    try:
        with torch.enable_grad():
            return Audit(parameters=tuple(named), **_findings_of(loss_fn, named, state, reference))
    finally:
        state.restore()


# --- the parts of an audit -----------------------------------------------------------------------


def _findings_of(loss_fn, named, state, reference):
    """The fields of an Audit: what forward wrote, then what backward leaves beside the gradient."""
    loss = _run(loss_fn, named, state)
    written = state.written(named)
    found = {
        "loss": loss.item(),
        "written": tuple(written),
        "stale": tuple(name for name, t in written.items() if state.had_grad(t, named)),
        "alive": tuple(name for name, t in written.items() if _holds_itself(t)),
        "stepwise": tuple(stepwise([loss])),
    }
    own = _gradients(loss, named)
    loss.backward(retain_graph=True, inputs=list(named.values()))
    got = {name: None if p.grad is None else p.grad.detach() for name, p in named.items()}
    del loss  # its graph, before the reference builds another
    some = {name: g for name, g in own.items() if g is not None}
    found |= {
        "polluted": tuple(name for name in named if not _alike(got[name], own[name])),
        "cut": tuple(name for name, g in own.items() if g is None),
        "zero": tuple(name for name, g in some.items() if not g.any()),
        "not_finite": tuple(name for name, g in some.items() if not g.isfinite().all()),
    }
    wanted = _reference(reference, named, state)
    return found if wanted is None else found | _compare(list(got.values()), wanted)


def _named(parameters):
    """{name with shape: tensor} of the parameters that require a gradient, checked."""
    if isinstance(parameters, nn.Module):
        parameters = parameters.named_parameters()
    elif isinstance(parameters, Tensor):
        parameters = [parameters]
    named, frozen = {}, 0
    for i, item in enumerate(parameters):
        name, p = item if isinstance(item, tuple) and len(item) == 2 else (f"parameter {i}", item)
        if not isinstance(p, Tensor):
            raise TypeError(
                f"parameters must be tensors, pairs (name, tensor), or an nn.Module; got a "
                f"{type(p).__name__}. Write gradient_audit(loss_fn, net)"
            )
        if not p.is_leaf:
            raise ValueError(
                f"{name} was computed from other tensors, so backward leaves it no .grad: hand "
                "over what the optimiser gets, as net.parameters() gives it"
            )
        if f"{name} {tuple(p.shape)}" in named:
            raise ValueError(f"two parameters are called {name}: give each its own name")
        frozen += not p.requires_grad
        if p.requires_grad:
            named[f"{name} {tuple(p.shape)}"] = p
    if not named and frozen:
        raise ValueError(
            f"none of the {frozen} parameters requires a gradient: p.requires_grad_(True)"
        )
    if not named:
        raise ValueError(
            "no parameters: layers in a plain list are invisible to their module, write "
            "nn.ModuleList; a generator like net.parameters() is empty when used twice"
        )
    return named


class _State(TorchFunctionMode):
    """All that an audit may change, to be put back: every .grad before it is touched, buffers.

    As a context it sees the calls that read or write a .grad, before they do.
    """

    TOUCH = (Tensor.backward, torch.autograd.backward, *torch_private.TOUCH)

    def __init__(self, parameters):
        super().__init__()
        self.grads = {}  # id: (leaf, its .grad, the content of that)
        buffers = parameters.buffers() if isinstance(parameters, nn.Module) else ()
        self.buffers = [(b, b.clone()) for b in buffers]

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in self.TOUCH:
            first = args[0] if isinstance(args[0], list | tuple) else args[:1]
            self.note(graph_leaves([t for t in first if isinstance(t, Tensor)]))
        return function(*args, **(kwargs or {}))

    def note(self, leaves):
        for t in leaves:
            if id(t) not in self.grads:
                copy = None if t.grad is None else t.grad.detach().clone()
                self.grads[id(t)] = (t, t.grad, copy)

    def written(self, named):
        """{name: tensor} of what has another .grad than at the beginning of the forward pass."""
        parameters = {id(p) for p in named.values()}
        found = {name: p for name, p in named.items() if p.grad is not None}
        inputs = [entry for key, entry in self.grads.items() if key not in parameters]
        for i, (t, grad, copy) in enumerate(inputs):
            if t.grad is not None and not (t.grad is grad and _same(grad, copy)):
                found[f"input {i} {tuple(t.shape)}"] = t
        return found

    def had_grad(self, tensor, named):
        """True of an input that forward found with a .grad."""
        mine = all(tensor is not p for p in named.values())
        return mine and self.grads[id(tensor)][1] is not None

    def restore(self):
        kept = [(grad, copy) for _, grad, copy in self.grads.values() if grad is not None]
        with torch.no_grad():
            for now, before in [*kept, *self.buffers]:
                if not _same(now, before):
                    now.copy_(before)
            for t, grad, _ in self.grads.values():
                t.grad = grad


def _same(a, b):
    """True if two tensors are equal, NaN for NaN."""
    a = a.detach()
    return torch.equal(a, b) or (
        a.is_floating_point()
        and torch.equal(a.nan_to_num(), b.nan_to_num())
        and torch.equal(a.isnan(), b.isnan())
    )


def _run(loss_fn, named, state):
    """The loss as training would get it: no .grad at the start; the random streams are put back."""
    if not callable(loss_fn):
        raise TypeError(
            f"the audit needs a function that builds the loss, since it must see the forward "
            f"pass: gradient_audit(lambda: loss(net, x), net); got a {type(loss_fn).__name__}"
        )
    for p in named.values():
        p.grad = None
    on_gpus = {p.device for p in named.values() if p.is_cuda}
    with torch.random.fork_rng(on_gpus), state:
        loss = loss_fn()
    if not isinstance(loss, Tensor):
        raise TypeError(
            f"the loss must be a tensor; got a {type(loss).__name__}. Return the loss itself: "
            ".item() and float() cut the graph"
        )
    if loss.numel() != 1 or loss.is_complex():
        raise ValueError(
            f"the loss must be one real number; got shape {tuple(loss.shape)}, {loss.dtype}. "
            "Write .mean() or .sum(); of complex numbers .abs().square() first"
        )
    if not loss.requires_grad:
        raise ValueError(
            "the loss has no graph: nothing that it was computed from requires a gradient, or "
            "no_grad, .detach(), .data or torch.tensor(...) cut the wire on the way"
        )
    return loss


def _gradients(loss, named):
    """{name: gradient of the loss, or None}, touching no .grad."""
    found = torch.autograd.grad(loss, list(named.values()), retain_graph=True, allow_unused=True)
    return dict(zip(named, found))


def _holds_itself(tensor):
    """True if the graph in tensor.grad leads back to the tensor, perhaps by way of other .grad."""
    seen, todo = set(), [tensor]
    while todo:
        t = todo.pop()
        for leaf in graph_leaves([t.grad]) if t.grad is not None else ():
            if leaf is tensor:
                return True
            if id(leaf) not in seen:
                seen.add(id(leaf))
                todo.append(leaf)
    return False


def _alike(found, own):
    """True if two gradients are equal up to rounding; None is 0; NaN and inf are another finding."""
    if found is None or own is None:
        return found is None or not bool(found.any())
    tolerance = 100 * torch.finfo(own.dtype).eps * own.norm()
    return bool(not own.isfinite().all() or (found - own).norm() <= tolerance)


def _reference(reference, named, state):
    """The gradient to compare with, a tensor for each parameter; None without a reference."""
    if reference is None:
        return None
    if callable(reference):
        reference = list(_gradients(_run(reference, named, state), named).values())
    wanted = [(name, tuple(p.shape)) for name, p in named.items()]
    shapes = [None if g is None else tuple(g.shape) for g in reference]
    if len(shapes) != len(wanted):
        raise ValueError(
            f"the reference has {len(shapes)} tensors for {len(wanted)} parameters: hand over one "
            "each (None for 0), or the function of another loss"
        )
    for (name, shape), other in zip(wanted, shapes):
        if other not in (None, shape):
            raise ValueError(f"the reference has shape {other} for {name}: expected {shape}")
    return list(reference)


def _compare(found, wanted):
    """Cosine of the angle, ratio of the sizes, and relative difference of two lists of gradients."""
    pairs = [(f, w) for f, w in zip(found, wanted) if f is not None or w is not None]
    f = _flat([torch.zeros_like(w) if f is None else f for f, w in pairs])
    w = _flat([torch.zeros_like(f) if w is None else w for f, w in pairs])
    return {
        "cosine": (f @ w / (f.norm() * w.norm())).item(),
        "ratio": (f.norm() / w.norm()).item(),
        "difference": 0.0 if torch.equal(f, w) else ((f - w).norm() / w.norm()).item(),
    }


def _flat(tensors):
    return torch.cat(
        [
            torch.zeros(0, dtype=torch.float64, device="cpu"),
            *[t.detach().double().cpu().flatten() for t in tensors],
        ]
    )
