"""Part I: three engines from scratch, on NumPy alone.

    differences.py   difference quotients and the complex step, the oracle of all the rest
    kinds.py         linear, bilinear, pointwise: how one fact gives all modes
    rules.py         the table: every operation and its one derivative rule
    dual.py          forward mode, Dual
    tape.py          reverse mode, Var
    jet.py           Taylor mode, Jet
    checks.py        every engine against every other
"""

from companion.engines.dual import Dual, derivative, jvp
from companion.engines.jet import Jet, derivatives, taylor
from companion.engines.kinds import Bilinear, Linear, Pointwise
from companion.engines.rules import (
    abs,
    add,
    arccos,
    arcsin,
    arctan,
    broadcast_to,
    concatenate,
    cos,
    cosh,
    div,
    exp,
    expm1,
    index,
    log,
    log1p,
    logsumexp,
    matmul,
    maximum,
    mean,
    minimum,
    mul,
    neg,
    power,
    reciprocal,
    relu,
    reshape,
    sigmoid,
    sin,
    sinh,
    softplus,
    sqrt,
    stack,
    sub,
    sum,
    tan,
    tanh,
    transpose,
    where,
)
from companion.engines.tape import Var, grad, gradients, hessian, hvp, jacobian, tape, vjp
