"""isinstance(x, torch.Tensor) is true of a series, for Python; it is no tensor for C++.

torch's C++ asks the same question by the same means, reads `__class__`, and would take the memory
of a series for that of a tensor. So it depends on who asks: the instruction of the calling frame
tells, and torch's own Python is told the truth. An autograd.Function, which has a derivative of its
own, is refused.
"""

import dis
from functools import lru_cache
from inspect import currentframe
from types import CodeType
from typing import Any

import torch

APPLY = torch.autograd.Function.apply.__func__.__code__  # type: ignore[attr-defined]
READS = ("LOAD_ATTR", "LOAD_METHOD", "MATCH_CLASS")


def class_for_caller(kind: type) -> type:
    """What x.__class__ is for the caller of a property of that name, x a series of this kind."""
    here: Any = currentframe()
    frame = here.f_back.f_back
    if frame.f_code is APPLY:
        raise NotImplementedError(
            "f computes with a series under no_grad or inside an autograd.Function, and a "
            "series cannot tell what slope is meant. Write x.detach() for what is to be "
            "constant, a rule for a function of your own, or take "
            "Partials(f, x, method='reverse')"
        )
    if frame.f_code is torch.is_tensor.__code__:
        return torch.Tensor
    if frame.f_globals.get("__name__", "").partition(".")[0] in ("torch", "companion"):
        return kind
    return torch.Tensor if in_python(frame.f_code, frame.f_lasti) else kind


@lru_cache(maxsize=4096)
def in_python(code: CodeType, at: int) -> bool:
    """Whether that instruction is a call of isinstance, or reads x.__class__ itself."""
    instructions = list(dis.get_instructions(code))
    now = next(i for i in instructions if i.offset == at)
    if now.opname in READS:
        return now.opname == "MATCH_CLASS" or now.argval == "__class__"
    names = [i for i in instructions if i.opname.startswith("LOAD") and i.argval == "isinstance"]
    start = now.positions and now.positions[::2]  # line and column: a call begins with its name
    return any(i.positions and i.positions[::2] == start for i in names)
