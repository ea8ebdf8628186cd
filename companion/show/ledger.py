"""The ledger: one function, one point, and a row for every way to differentiate it.

The function is f(x₁, x₂) = ln x₁ + x₁x₂ − sin x₂ at (2, 5). A rung of the ladder is a function
`gradient(f, x1, x2)` that returns (∂f/∂x₁, ∂f/∂x₂); the ledger runs it, counts how often it
evaluates f, and measures its error. The rungs of Part II get f written for torch, which is loaded
when one of them is run, and not before.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from companion._project import require
from companion.engines import Dual, Jet, Var, gradients, log, sin
from companion.engines.differences import complex_step, difference_gradient
from companion.show.table import html_table, text_table

__all__ = ["EXACT", "POINT", "RUNGS", "Ledger", "Row", "f", "f_torch", "ledger", "measure"]

POINT = (2.0, 5.0)
EXACT = (5.5, 2 - math.cos(5.0))
HEADINGS = ("method", "∂f/∂x₁", "∂f/∂x₂", "error", "evaluations of f")
CAPTION = "f(x₁, x₂) = ln x₁ + x₁x₂ − sin x₂ at (2, 5); error: the larger of the two"


def f(x1, x2):
    """ln x₁ + x₁x₂ − sin x₂, for all that the engines know: numbers, arrays, Dual, Var, Jet.

    >>> round(f(2.0, 5.0), 6)
    11.652071
    """
    return log(x1) + x1 * x2 - sin(x2)


def f_torch(x1, x2):
    """ln x₁ + x₁x₂ − sin x₂ once more, with torch's functions: for tensors and all that act as one.

    >>> import torch
    >>> f_torch(torch.tensor(2.0), torch.tensor(5.0))
    tensor(11.6521)
    """
    require("f_torch", "torch", "torch")
    from torch import log, sin

    return log(x1) + x1 * x2 - sin(x2)


@dataclass(frozen=True)
class Row:
    """One line of the ledger: the method, the gradient it found, how often it evaluated f.

    >>> Row("by eye", (5.5, 1.75), 0).error < 0.1
    True
    """

    method: str
    gradient: tuple[float, float]
    evaluations: int

    @property
    def error(self) -> float:
        """The larger of the two absolute errors; NaN if a derivative is."""
        errors = [abs(found - exact) for found, exact in zip(self.gradient, EXACT, strict=True)]
        return math.nan if any(map(math.isnan, errors)) else max(errors)

    def cells(self) -> tuple[str, ...]:
        """The line as text: six decimals, one digit of the error, the same on every machine."""
        return (
            self.method,
            *[f"{d:.6f}" for d in self.gradient],
            "< 1e-14" if self.error < 1e-14 else f"{self.error:.0e}",
            str(self.evaluations),
        )


@dataclass(frozen=True)
class Ledger:
    """Rows, printed as a table; `ledger + row` has one more."""

    rows: tuple[Row, ...]

    def __add__(self, row: Row) -> "Ledger":
        return Ledger((*self.rows, row)) if isinstance(row, Row) else NotImplemented

    def __repr__(self) -> str:
        return text_table(HEADINGS, [row.cells() for row in self.rows])

    def _repr_html_(self) -> str:
        return html_table(HEADINGS, [row.cells() for row in self.rows], CAPTION, "The ledger")


def ledger(*rungs: str) -> Ledger:
    """The table of these rungs of the ladder, each computed now.

    `RUNGS` holds their names, in the book's order. Raises ValueError for a name that is not there,
    and ImportError where torch or SymPy is not, for a rung that needs it.

    >>> ledger("central difference", "Dual, two seeds")
    method                ∂f/∂x₁    ∂f/∂x₂    error  evaluations of f
    ──────────────────  ────────  ────────  ───────  ────────────────
    central difference  5.500000  1.716338    6e-11                 4
    Dual, two seeds     5.500000  1.716338  < 1e-14                 1

    A rung of your own is one more row: `ledger(...) + measure("mine", my_gradient)`.
    """
    for name in rungs:
        if name not in RUNGS:
            raise ValueError(f"no rung is called {name!r}; the ladder has: {'; '.join(RUNGS)}")
        if name in TORCH:
            require(f"The rung {name!r}", "torch", "torch")
    return Ledger(
        tuple(measure(name, RUNGS[name], f_torch if name in TORCH else f) for name in rungs)
    )


def measure(method: str, gradient: Callable, f: Callable = f) -> Row:
    """The row of a method: gradient(f, x1, x2) -> (∂f/∂x₁, ∂f/∂x₂), run at (2, 5).

    The f that the method gets counts its evaluations. Numbers of your own that the engines do not
    know need an f of their own: pass the same function written with your log and sin as `f`; for
    tensors there is `f_torch`. The two derivatives may be numbers, engine values or tensors. Raises
    TypeError when there are not two.

    >>> measure("by the formula", lambda f, x1, x2: (1 / x1 + x2, x1 - math.cos(x2)))
    Row(method='by the formula', gradient=(5.5, 1.7163378145367738), evaluations=0)
    """
    evaluations = 0

    def counted(x1, x2):
        nonlocal evaluations
        evaluations += 1
        return f(x1, x2)

    found = gradient(counted, *POINT)
    try:
        d1, d2 = [float(getattr(d, "primal", d)) for d in found]
    except (TypeError, ValueError):
        raise TypeError(
            f"{method}: gradient(f, x1, x2) must return the two numbers (∂f/∂x₁, ∂f/∂x₂); "
            f"got {found!r}"
        ) from None
    return Row(method, (d1, d2), evaluations)


# --- the rungs: gradient(f, x1, x2) -> (∂f/∂x₁, ∂f/∂x₂) -----------------------------------------


def _differences(scheme):
    return lambda f, x1, x2: difference_gradient(
        lambda x: f(*x.tolist()), [x1, x2], scheme=scheme
    ).tolist()


def _complex_step(f, x1, x2):
    return complex_step(lambda x: f(x, x2), x1), complex_step(lambda x: f(x1, x), x2)


def _sympy_formula(f, x1, x2):
    require("The rung 'SymPy formula'", "book", "sympy")
    import sympy

    x, y = sympy.symbols("x1 x2")
    formula = sympy.log(x) + x * y - sympy.sin(y)
    return [float(formula.diff(by).subs({x: x1, y: x2})) for by in (x, y)]


def _dual_one_seed(f, x1, x2):
    return f(Dual(x1, 1.0), Dual(x2, 0.0)).tangent, f(Dual(x1, 0.0), Dual(x2, 1.0)).tangent


def _dual_two_seeds(f, x1, x2):
    return f(Dual(x1, 1.0, 0.0), Dual(x2, 0.0, 1.0)).tangents


def _var(f, x1, x2):
    x, y = Var(x1), Var(x2)
    return gradients(f(x, y), [x, y])


def _jet(f, x1, x2):
    return f(Jet([x1, 1.0]), Jet([x2, 0.0])).coefficient(1), f(
        Jet([x1, 0.0]), Jet([x2, 1.0])
    ).coefficient(1)


def _tensors(*numbers, **options):
    """Each number (or list of numbers) as a tensor of float64."""
    import torch

    return [torch.tensor(number, dtype=torch.float64, **options) for number in numbers]


def _torch_reverse(f, x1, x2):
    import torch

    x, y = _tensors(x1, x2, requires_grad=True)
    return torch.autograd.grad(f(x, y), [x, y])


def _torch_forward(f, x1, x2):
    from torch.autograd.forward_ad import dual_level, make_dual, unpack_dual

    x, y, one, zero = _tensors(x1, x2, 1.0, 0.0)
    with dual_level():
        by_x = unpack_dual(f(make_dual(x, one), make_dual(y, zero))).tangent
        by_y = unpack_dual(f(make_dual(x, zero), make_dual(y, one))).tangent
    return by_x, by_y


def _torch_func(f, x1, x2):
    import torch

    return torch.func.grad(f, argnums=(0, 1))(*_tensors(x1, x2))


def _torch_jets(f, x1, x2):
    from companion.operators import taylor

    point, *directions = _tensors([x1, x2], [1.0, 0.0], [0.0, 1.0])
    return [taylor(lambda x: f(x[0], x[1]), point, v, order=1)[1] for v in directions]


TORCH = {
    "torch, reverse": _torch_reverse,
    "torch, forward": _torch_forward,
    "torch.func": _torch_func,
    "torch jets": _torch_jets,
}
RUNGS = {
    "forward difference": _differences("forward"),
    "central difference": _differences("central"),
    "complex step": _complex_step,
    "SymPy formula": _sympy_formula,
    "Dual, one seed": _dual_one_seed,
    "Dual, two seeds": _dual_two_seeds,
    "Var": _var,
    "Jet": _jet,
    **TORCH,
}
