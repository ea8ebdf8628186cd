"""isinstance(x, torch.Tensor) is true of a series, for Python; it is no tensor for C++.

torch's C++ asks the same question by the same means, reads `__class__`, and would take the memory
of a series for that of a tensor. So it depends on who asks: the instruction of the calling frame
tells, and torch's own Python is told the truth. An autograd.Function, which has a derivative of its
own, is refused. From torch 2.14 on its apply is C++, and is known by what the instruction calls.
"""

import dis
from contextlib import suppress
from functools import lru_cache, partial
from inspect import currentframe
from types import CodeType, FrameType
from typing import Any

import torch

from companion.torch_private import APPLY

ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD", "MATCH_CLASS")
READ = ("__class__",)  # no call: the instruction reads x.__class__ itself
ROOTS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FAST", "LOAD_DEREF", "LOAD_CLASSDEREF")


def class_for_caller(kind: type) -> type:
    """What x.__class__ is for the caller of a property of that name, x a series of this kind."""
    here: Any = currentframe()
    frame = here.f_back.f_back
    if frame.f_code is torch.is_tensor.__code__:
        return torch.Tensor
    within = frame.f_globals.get("__name__", "").partition(".")[0] in ("torch", "companion")
    called = None if APPLY and within else named(frame)
    if frame.f_code is APPLY or applies(called):
        raise NotImplementedError(
            "f computes with a series under no_grad or inside an autograd.Function, and a "
            "series cannot tell what slope is meant. Write x.detach() for what is to be "
            "constant, a rule for a function of your own, or take "
            "Partials(f, x, method='reverse')"
        )
    if not within and not APPLY and hides(called):
        raise NotImplementedError(
            "f hands a series to what it calls without a name, as in fns[0](x): were it an "
            "autograd.Function, its slope would be lost. Give it a name first, g = fns[0]"
        )
    asked = called is READ or called is isinstance
    return torch.Tensor if asked and not within else kind


def applies(called: Any) -> bool:
    """Whether this is the apply of an autograd.Function."""
    owner = getattr(called, "__self__", None)
    return isinstance(owner, type) and issubclass(owner, torch.autograd.Function)


def hides(called: Any) -> bool:
    """Whether what is called has no name here, or calls another that has none."""
    calls = isinstance(called, type) and called.__module__ == "builtins"  # list(map(g, xs))
    return called is None or calls or isinstance(called, partial)


def named(frame: FrameType) -> Any:
    """What the instruction of a frame calls, None if no name leads to it; READ if it reads a class.

    () if it is no call: an operator, which torch answers.
    """
    names = path(frame.f_code, frame.f_lasti)
    if not names or names is READ:
        return names
    found = None
    with suppress(Exception):  # what was found a moment ago is found again, or is not ours to find
        places = frame.f_locals, frame.f_globals, frame.f_builtins
        found = next(place[names[0]] for place in places if names[0] in place)
        for name in names[1:]:
            found = getattr(found, name)
    return found


@lru_cache(maxsize=4096)
def path(code: CodeType, at: int) -> tuple[str, ...] | None:
    """("Square", "apply") if that instruction calls Square.apply; READ if it reads x.__class__.

    None of a call that begins with no name, () of what is no call.
    """
    before = [i for i in dis.get_instructions(code) if i.offset <= at]
    now = before.pop()
    if now.opname in ATTRIBUTES:
        read = now.opname == "MATCH_CLASS" or now.argval == "__class__"
        return READ if read else ()
    start = now.positions and now.positions[::2]  # line and column: a call begins with its name
    names: list[str] = []
    for i in reversed(before):
        if not i.positions or i.positions[::2] != start:
            continue
        if i.opname.startswith("LOAD"):
            names.insert(0, i.argval)
            if i.opname.startswith(ROOTS):
                return tuple(names)
        elif i.opname.startswith(("CALL", "BINARY")):
            break  # what that gave has no name; its methods may be a tensor's, y.sin().where(…)
    method = names and hasattr(torch.Tensor, names[-1])
    return None if now.opname.startswith("CALL") and not method else ()
