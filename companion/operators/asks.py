"""isinstance(x, torch.Tensor) is true of a series, for Python; it is no tensor for C++.

torch's C++ asks the same question by the same means, reads `__class__`, and would take the memory
of a series for that of a tensor. So it depends on who asks: the instruction of the calling frame
tells, and torch's own Python is told the truth. An autograd.Function, which has a derivative of its
own, is refused.
"""

import dis
from contextlib import suppress
from functools import lru_cache
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
    called = None if within and APPLY else named(frame)
    if frame.f_code is APPLY or applies(called):
        raise NotImplementedError(
            "f computes with a series under no_grad or inside an autograd.Function, and a "
            "series cannot tell what slope is meant. Write x.detach() for what is to be "
            "constant, a rule for a function of your own, or take "
            "Partials(f, x, method='reverse')"
        )
    asked = called is READ or called is isinstance
    return torch.Tensor if asked and not within else kind


def applies(called: Any) -> bool:
    """Whether this is the apply of an autograd.Function."""
    owner = getattr(called, "__self__", None)
    return isinstance(owner, type) and issubclass(owner, torch.autograd.Function)


def named(frame: FrameType) -> Any:
    """What the instruction of a frame calls, where a name leads to it; READ where it reads a class."""
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
def path(code: CodeType, at: int) -> tuple[str, ...]:
    """("Square", "apply") if that instruction calls Square.apply; READ if it reads x.__class__."""
    before = [i for i in dis.get_instructions(code) if i.offset <= at]
    now = before.pop()
    if now.opname in ATTRIBUTES:
        read = now.opname == "MATCH_CLASS" or now.argval == "__class__"
        return READ if read else ()
    start = now.positions and now.positions[::2]  # line and column: a call begins with its name
    names: list[str] = []
    for i in reversed(before):
        if i.opname.startswith("LOAD") and i.positions and i.positions[::2] == start:
            names.insert(0, i.argval)
            if i.opname.startswith(ROOTS):
                return tuple(names)
    return ()
