"""A differential equation as a declaration: domain, residual, conditions, unknowns.

>>> oscillator = Problem(
...     domain=Box(t=(0.0, 2 * torch.pi)),
...     residual=lambda u, x: u(0, 0) + u(),
...     ansatz=lambda x, n: x * (1 + x * n),          # u(0) = 0 and u′(0) = 1, whatever n is
...     exact=torch.sin,
...     order=2,
... )

A residual is a function of u, the Partials of the solution at the points, and of the points. A
network and an exact solution go through the same door, so check(problem) can test the declaration
before anything is trained. Chapter 12.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from companion.operators import Partials
from companion.pinn.arguments import (
    asked_by,
    need_function,
    need_kind,
    need_rows,
    need_whole,
    refuse_asked,
    tensor_of,
)
from companion.pinn.conditions import KINDS, Hard, closed
from companion.pinn.domain import Box
from companion.pinn.forms import form_of, timed
from companion.pinn.integrals import Integral
from companion.pinn.unknowns import Field, Unknown

Function: TypeAlias = Callable[[Tensor], Tensor]  # x (n, d) → u (n, outputs)
Ansatz: TypeAlias = Callable[[Tensor, Tensor], Tensor]  # (x, n) → u

# What History calls its own, check, and what a residual is called with.
RECORDED = {
    *("stage", "number", "step", "seconds", "loss", "unweighted", "smallest_weight", "norms"),
    *("unknowns", "error", "ansatz", "u", "window"),
}


TAKEN = nn.ModuleDict(), nn.ParameterDict()  # unknowns are kept in them, under their names


@dataclass(frozen=True)
class Condition:
    """What u must be at some points: of(u, x) = values, in the sense of least squares.

    points: (k, d); values: (k, c), or one number for all. An edge, a start, or measured data. of(u, x)
    may ask for more by name: for unknowns and integrals of the problem, and for tables of `given`, each
    with a row for each point, as normals. beside: {name: other points (k, d)}, one for each; by that name
    of(u, x) gets the Partials of u there, to compare with those of u: both sides of an interface, the
    other end of a period. weight: one number, or one for each point (k, 1). sigma: the standard
    deviation of measured values, in place of a weight 1/σ²; with it the fit gives error bars. All is
    kept as float64 tensors. Raises ValueError when shapes do not fit or numbers are complex, NaN or
    infinite, and for a weight, or a σ, that is not positive.

    >>> start = Condition("start", torch.tensor([[0.0]]).double(), 1.0)                # u(0) = 1
    >>> slope = Condition("slope", start.points, 0.0, of=lambda u, x: u(0))           # u′(0) = 0
    >>> robin = Condition("robin", start.points, of=lambda u, x, h: u(0) - h * u())   # h: an Unknown
    >>> again = Condition("again", start.points, of=lambda u, x, end: u() - end(),    # u(0) = u(1)
    ...                   beside={"end": start.points + 1})
    """

    name: str
    points: Tensor
    values: Tensor | float = 0.0
    of: Callable[..., Tensor] = lambda u, x: u()
    weight: Tensor | float = 1.0
    sigma: Tensor | float | None = None
    given: Mapping[str, Tensor] = field(default_factory=dict)
    beside: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        need_kind("the name of a condition", self.name, str, 'a word, as "start"')
        need_function(f"of in condition {self.name!r}", self.of, "of(u, x) → (k, c)")
        need_kind(
            f"condition {self.name!r}: given", self.given, Mapping, "a dictionary, {name: table}"
        )
        points = self._kept("points", self.points)
        if points.ndim != 2 or not len(points):
            raise ValueError(
                f"condition {self.name!r} needs points (k, d), one or more; got {tuple(points.shape)}"
            )
        self._kept("values", self.values)
        self._kept("weight", self.weight)
        if self.sigma is not None:
            self._kept_sigma()
        tables = {name: self._number(name, table) for name, table in self.given.items()}
        object.__setattr__(self, "given", tables)
        for what, table in {"values": self.values, "weight": self.weight, **tables}.items():
            self._refuse_shape(what, torch.as_tensor(table), what in tables)
        if not (torch.as_tensor(self.weight) > 0).all():
            raise ValueError(f"condition {self.name!r} needs a weight above 0; got {self.weight}")
        self._keep_beside()

    def _keep_beside(self):
        said = f"condition {self.name!r}: beside"
        need_kind(said, self.beside, Mapping, "a dictionary, {name: points}")
        beside = {name: self._number(name, points) for name, points in self.beside.items()}
        object.__setattr__(self, "beside", beside)
        for name, points in beside.items():
            if points.shape != self.points.shape:
                raise ValueError(
                    f"condition {self.name!r} has points {tuple(self.points.shape)} and {name} "
                    f"{tuple(points.shape)} beside them; expected one for each, of the same shape"
                )
        if both := set(beside) & set(self.given):
            raise ValueError(f"{said} and given have {', '.join(sorted(both))} both")
        tables = {**beside, **self.given}
        if idle := [name for name in tables if not asked_by(self.of, {name: 0})]:
            raise ValueError(
                f"of in condition {self.name!r} asks for {', '.join(map(str, idle))} nowhere: write "
                f"of=lambda u, x, {', '.join(map(str, idle))}: …"
            )

    def _kept(self, what, value):
        """Keep a field as a tensor; return it."""
        object.__setattr__(self, what, self._number(what, value))
        return getattr(self, what)

    def _kept_sigma(self):
        sigma = self._kept("sigma", self.sigma)
        self._refuse_shape("sigma", sigma, False)
        if not (sigma > 0).all():
            raise ValueError(f"condition {self.name!r} needs a sigma above 0; got {sigma.tolist()}")
        if not (torch.as_tensor(self.weight) == 1).all():
            raise ValueError(
                f"condition {self.name!r} has both a weight and a sigma: the weight of data is "
                "1/sigma², so give one of the two"
            )
        object.__setattr__(self, "weight", 1 / sigma**2)

    def _number(self, what, value):
        return tensor_of(f"condition {self.name!r}", what, value)

    def _refuse_shape(self, what, found, table):
        columns = "c" if what == "values" or table else "1"
        if not (found.ndim or table):
            return
        many = found.shape[1] if found.ndim == 2 else 0
        rows = len(found) if found.ndim else 0
        if rows != len(self.points) or not (many if columns == "c" else many == 1):
            hint = f". Write {what}[:, None]" if found.ndim == 1 else ""
            raise ValueError(
                f"condition {self.name!r} has points {tuple(self.points.shape)} and {what} "
                f"{tuple(found.shape)}; expected {what} ({len(self.points)}, {columns}){hint}"
            )

    def residual(
        self, u: Partials, x: Tensor, values: Tensor, named: Mapping[str, Any] | None = None
    ) -> Tensor:
        """of(u, x, …) − values, one row for each point; named: what `of` may ask for by name."""
        found = self.of(u, x, **asked_by(self.of, named or {}))
        need_kind(
            f"of in condition {self.name!r}", found, Tensor, "a function that gives a tensor (k, c)"
        )
        one_for_all = (
            torch.as_tensor(self.values).ndim == 0 and found.ndim == 2 and len(found) == len(x)
        )
        if found.shape != values.shape and not one_for_all:
            raise ValueError(
                f"condition {self.name!r}: of(u, x) has shape {tuple(found.shape)} and the values "
                f"{tuple(values.shape)}; broadcasting would pair what does not belong together. "
                "Give of one column for each of the values: of=lambda u, x: u()[:, :1]"
            )
        return found - values


@dataclass(frozen=True)
class Problem:
    """Find u on the domain with residual(u, x) = 0 and every condition met.

    residual(u, x) → (n, k), from the Partials u at points x (n, d); the unknowns that it names are
    handed over, residual(u, x, beta): an Unknown as its value, a Field as its Partials; and so are the
    integrals, each as a row (1, c), or (n, c) where it has a kernel. hard: conditions that hold whatever
    the network is: Start, Dirichlet, Neumann, Periodic; make the network for `problem.domain`, which
    knows of them. Or ansatz(x, n) → u builds u from the network's n by a formula of one's own. exact:
    x (n, d) → (n, outputs), a closed form or a reference. order: the highest derivative that the residual
    takes. Raises ValueError for two terms of one name, for points of a condition or of an integral that
    do not lie in the domain, for hard conditions that contradict each other, and for a residual or a
    condition that asks for what is not there.

    >>> from companion.pinn import Dirichlet, Start
    >>> wave = Problem(
    ...     Box(t=(0.0, 1.0), x=(0.0, 1.0)),
    ...     lambda u, x: u(0, 0) - 4 * u(1, 1),
    ...     hard=(Start(lambda x: torch.sin(torch.pi * x[:, 1:]), 0.0), Dirichlet("x")),
    ...     order=2,
    ... )
    >>> wave.solution(lambda x: x[:, :1])(torch.tensor([[0.0, 0.5]]).double()).tolist()
    [[1.0]]

    Source: chapter 12.
    """

    domain: Box
    residual: Callable[..., Tensor]
    conditions: tuple[Condition, ...] = ()
    ansatz: Ansatz | None = None
    exact: Function | None = None
    unknowns: Mapping[str, Unknown | Field] = field(default_factory=dict)
    outputs: int = 1
    order: int = 1
    hard: tuple[Hard, ...] = ()
    integrals: Mapping[str, Integral] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._refuse_kinds()
        self._refuse_names()
        object.__setattr__(self, "hard", tuple(self.hard))
        if self.hard:
            object.__setattr__(self, "domain", closed(self.domain, self.hard))
            form_of(self.domain, self.hard, self.outputs)
        for c in self.conditions:
            refuse_outside(f"condition {c.name!r}", "k", c.points, self.domain)
            for name, points in c.beside.items():
                refuse_outside(f"{name} beside condition {c.name!r}", "k", points, self.domain)
        for name, integral in self.integrals.items():
            box = integral.box(self.domain)
            refuse_outside(f"the integral {name}", "m", integral.points, box)
        self._refuse_asked()

    def _refuse_asked(self):
        """Each function asks for what is there, and all that is there is asked for."""
        named, integrals = {**self.unknowns, **self.integrals}, self.integrals.values()
        refuse_asked("the residual", self.residual, named)
        for c in self.conditions:
            own = {**c.given, **c.beside}
            if both := set(own) & set(named):
                raise ValueError(
                    f"condition {c.name!r}: {', '.join(sorted(both))} is "
                    f"{'given' if both & set(c.given) else 'beside it'} and "
                    f"{'unknown' if both & set(self.unknowns) else 'an integral'} at once"
                )
            refuse_asked(f"of in condition {c.name!r}", c.of, {**named, **own})
        numbers = [name for name, p in self.unknowns.items() if isinstance(p, Unknown)]
        for name, integral in self.integrals.items():
            refuse_asked(f"of in the integral {name}", integral.of, self.unknowns)
            if integral.kernel:
                refuse_asked(f"the kernel of {name}", integral.kernel, numbers)
        terms = [self.residual, *(c.of for c in self.conditions)]
        inner = [i.of for i in integrals] + [i.kernel for i in integrals if i.kernel]
        idle = [n for n in self.unknowns if not any(asked_by(f, {n: 0}) for f in terms + inner)]
        idle += [n for n in self.integrals if not any(asked_by(f, {n: 0}) for f in terms)]
        if idle:
            raise ValueError(
                f"no term asks for {', '.join(idle)}: write residual=lambda u, x, {', '.join(idle)}: …"
            )

    def _refuse_kinds(self):
        need_kind("domain", self.domain, Box, "a Box, as Box(t=(0.0, 1.0))")
        need_function("residual", self.residual, "residual(u, x) → (n, k)")
        for what in ("ansatz", "exact"):
            if getattr(self, what) is not None:
                takes = ("x", "n") if what == "ansatz" else ("x",)
                need_function(what, getattr(self, what), "or None", takes)
        need_kind("conditions", self.conditions, (tuple, list), "a tuple: (Condition(...),)")
        for c in self.conditions:
            need_kind("each of the conditions", c, Condition, "a Condition")
        need_kind("hard", self.hard, (tuple, list), 'a tuple: (Start(1.0), Dirichlet("x"))')
        for c in self.hard:
            need_kind("each of hard", c, KINDS, "a Start, Dirichlet, Neumann or Periodic")
        if self.hard and self.ansatz is not None:
            raise ValueError(
                "hard conditions make an ansatz of their own: give either them or ansatz(x, n)"
            )
        need_kind("unknowns", self.unknowns, Mapping, 'a dictionary, {"k": Unknown(0.2)}')
        need_kind("integrals", self.integrals, Mapping, 'a dictionary, {"mass": Integral(...)}')
        for name, integral in self.integrals.items():
            need_kind(f"the integral {name}", integral, Integral, "Integral(points, weights)")
        need_whole("outputs", self.outputs, 1)
        need_whole("order", self.order, 0)

    def _refuse_names(self):
        names = ["equation", *(c.name for c in self.conditions), *self.integrals]
        if len(set(names)) < len(names) or set(self.integrals) & set(self.unknowns):
            raise ValueError(
                "each term of the loss, each integral and each unknown needs a name of its own; got "
                f"{', '.join([*names, *self.unknowns])}"
            )
        if taken := RECORDED & {*names, *self.unknowns}:
            raise ValueError(
                f"the history calls something else {', '.join(sorted(taken))}: give the condition "
                "another name"
            )
        for name in (*self.unknowns, *self.integrals):
            if not (isinstance(name, str) and name.isidentifier()):
                raise ValueError(
                    f"a residual asks for unknowns and integrals by name, residual(u, x, k), and {name!r} "
                    "is no name of Python"
                )
        for name, unknown in self.unknowns.items():
            if any(hasattr(kept, str(name)) for kept in TAKEN):
                raise ValueError(
                    f"a module of torch calls something else {name}: give the unknown another name"
                )
            if not isinstance(unknown, (Unknown, Field)):
                raise TypeError(
                    f"an unknown is Unknown(guess) or Field(network); {name} is {unknown!r}"
                )
            if isinstance(unknown, Field):
                unknown.function(self.domain)  # which finds its axes there

    @cached_property
    def form(self) -> Ansatz | None:
        """(x, n) ↦ u: the ansatz, or what the hard conditions make of n; None where u is n itself."""
        if not self.hard:
            return self.ansatz
        return timed(form_of(self.domain, self.hard, self.outputs), self._equation)

    def _equation(self, u: Function, x: Tensor) -> Tensor:
        """The residual of a function u at points x, for the guesses of the unknowns."""
        guesses = self.guesses()
        numbers = {name: value for name, value in guesses.items() if not callable(value)}

        def called(f: Callable[..., Tensor], x: Tensor, **more: Tensor) -> Tensor:
            named = {n: Partials(v, x) if callable(v) else v for n, v in guesses.items()}
            rows = f(Partials(u, x), x, **asked_by(f, {**named, **more}))
            need_rows("equation" if f is self.residual else "an integrand", rows, len(x))
            return rows

        integrals = {
            name: integral.value(name, self.domain, x, partial(called, integral.of), numbers)
            for name, integral in asked_by(self.residual, self.integrals).items()
        }
        return called(self.residual, x, **integrals)

    def guesses(self) -> dict[str, Any]:
        """{unknown: its guess, or its function as it is}."""
        return {
            name: p.function(self.domain)
            if isinstance(p, Field)
            else torch.tensor(p.guess, dtype=torch.float64)
            for name, p in self.unknowns.items()
        }

    def solution(self, network: Function) -> Function:
        """u as a function of x: the network inside the ansatz, if there is one."""
        form = self.form
        return network if form is None else lambda x: form(x, network(x))


def refuse_outside(what: str, rows: str, points: Tensor, box: Box) -> None:
    """Raise ValueError unless points are (rows, d), in the box."""
    if points.shape[1] != box.dimension:
        raise ValueError(
            f"{what} has points {tuple(points.shape)}, but {box} has {box.dimension} axes: expected "
            f"({rows}, {box.dimension})"
        )
    if (outside := box.centred(points).abs() > 1 + 1e-6).any():
        raise ValueError(
            f"{what} has {outside.any(1).sum()} of {len(points)} points outside {box}. Are the units the "
            "same? Else make the box larger"
        )
