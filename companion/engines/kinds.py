"""The three kinds of operation, and what an engine is.

Every operation is linear, bilinear or pointwise. Its kind and one fact (the adjoint; the two
one-sided adjoints; the slope) give all three modes of differentiation. The facts are written with
the engine's own functions, so that what they return can be differentiated again.

=========== ================= ======================= ========================================
kind        forward           reverse                 Taylor
=========== ================= ======================= ========================================
linear L    L(ẋ)              adjoint(ȳ)              L(uₖ)
bilinear B  B(ẋ, y) + B(x, ẏ) left(ȳ, y), right(ȳ, x) Σ_j B(uⱼ, wₖ₋ⱼ)
pointwise f f′ · ẋ            ȳ · f′                  k vₖ = Σ_j j uⱼ cₖ₋ⱼ, c the series of f′
=========== ================= ======================= ========================================
"""

from functools import reduce
from operator import add, mul

import numpy as np

from companion.series import product_coefficient

TABLE = {}  # name -> rule: every operation that the engines know
UFUNCS = {}  # NumPy ufunc -> rule, so that np.sin(x) of an engine value does the right thing
OUTSIDE = (
    ValueError,
    OverflowError,
    ZeroDivisionError,
)  # what math raises where NumPy gives inf or nan
COMPARISONS = {np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal}


class Value:
    """A number or array that an engine follows: a Dual, a Var or a Jet.

    An engine is a subclass with three things: `primal` (what the value is without its derivatives),
    `tag` (which perturbation it carries; newer tags are greater) and `apply(rule, args, params)`,
    which does one operation.
    """

    __slots__ = ()
    __hash__ = object.__hash__

    @property
    def shape(self):
        """The shape of the primal: () for a scalar."""
        return np.shape(plain(self))

    @property
    def ndim(self):
        """The number of axes of the primal."""
        return len(self.shape)

    @property
    def size(self):
        """The number of elements of the primal."""
        return int(np.prod(self.shape))

    def __len__(self):
        if not self.shape:
            raise TypeError(f"a scalar {type(self).__name__} has no length")
        return self.shape[0]

    def __iter__(self):
        if not self.shape:
            raise TypeError(f"a scalar {type(self).__name__} cannot be iterated over")
        return (self[i] for i in range(len(self)))

    def __bool__(self):
        return bool(plain(self))

    def __float__(self):
        name = type(self).__name__
        raise TypeError(
            f"float() of a {name} would drop its derivative. Write x.primal if you mean that, "
            f"and sin, exp, ... from companion.engines in place of those of math"
        )

    def __setitem__(self, key, value):
        raise TypeError(
            f"a {type(self).__name__} cannot be changed in place: what was computed from it "
            f"would be wrong. Build the new array with where, concatenate or stack"
        )

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            f"NumPy cannot hold a {type(self).__name__}: its derivative would be lost. "
            f"Write x.primal for the plain array, or stack([x, y]) to join engine values"
        )

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if method == "__call__" and not kwargs:
            if ufunc in COMPARISONS:
                return ufunc(*[plain(x) for x in inputs])
            if ufunc in UFUNCS:
                return UFUNCS[ufunc](*inputs)
        raise TypeError(
            f"np.{ufunc.__name__} has no rule for a {type(self).__name__} (called as {method!r} "
            f"with {sorted(kwargs) or 'no'} options). Use a function of companion.engines, "
            f"or add one: Pointwise(name, value, slope)"
        )

    def __array_function__(self, func, types, args, kwargs):
        raise TypeError(
            f"np.{func.__name__} does not know a {type(self).__name__}. "
            f"Use the function of the same name from companion.engines if there is one"
        )


class Rule:
    """One elementary operation: its value, and by its kind all its derivatives.

    `scalar` is a faster form of the value for Python floats; where it raises (math.log(0)) the
    NumPy form answers.
    """

    def __init__(self, name, value, scalar=None):
        self.name, self.value, self.scalar = name, value, scalar
        TABLE[name] = self
        if isinstance(value, np.ufunc):
            UFUNCS.setdefault(value, self)  # np.sin stays the sin of the table

    def __repr__(self):
        return f"{type(self).__name__}({self.name!r})"

    def __call__(self, *args, **params):
        newest = None
        for a in args:
            if isinstance(a, Value) and (newest is None or a.tag > newest.tag):
                newest = a
        if newest is None:
            return self.evaluate(*[number(a) for a in args], **params)
        return newest.apply(self, args, params)

    def evaluate(self, *xs, **params):
        """The value at plain floats or arrays."""
        if self.scalar is not None and type(xs[0]) is float and type(xs[-1]) is float:
            try:
                return self.scalar(*xs)
            except OUTSIDE:
                pass
        v = self.value(*xs, **params)
        return v.item() if type(v) is np.float64 or type(v) is np.complex128 else v


class Linear(Rule):
    """v = L(x₁, x₂, …), linear in all its arguments together. The fact: adjoint(ȳ, i, xs) -> x̄ᵢ."""

    def __init__(self, name, value, adjoint, scalar=None):
        super().__init__(name, value, scalar)
        self.adjoint = adjoint

    def forward(self, xs, y, tangents, params):
        """L(ẋ), once for each seed; a constant has tangent zero."""
        if len(xs) == 1:
            return tuple([self(dx, **params) for dx in tangents[0]])
        seeds = next(len(t) for t in tangents if t is not None)
        rows = [(zeros_like(x),) * seeds if t is None else t for x, t in zip(xs, tangents)]
        return tuple([self(*dxs, **params) for dxs in zip(*rows)])

    def reverse(self, g, i, xs, y, params):
        """adjoint(ȳ)."""
        return self.adjoint(g, i, xs, **params)

    def taylor(self, us, v, params):
        """vₖ = L(uₖ)."""
        return lambda k: self(*[u.coefficient(k) for u in us], **params)


class Bilinear(Rule):
    """v = B(x, y), linear in each argument. The facts: left(v̄, x, y) -> x̄, right(v̄, x, y) -> ȳ."""

    def __init__(self, name, value, left, right, scalar=None):
        super().__init__(name, value, scalar)
        self.left, self.right = left, right

    def forward(self, xs, v, tangents, params):
        """B(ẋ, y) + B(x, ẏ), once for each seed."""
        (x, y), (dxs, dys) = xs, tangents
        if dys is None:
            return tuple([self(dx, y) for dx in dxs])
        if dxs is None:
            return tuple([self(x, dy) for dy in dys])
        return tuple([self(dx, y) + self(x, dy) for dx, dy in zip(dxs, dys)])

    def reverse(self, g, i, xs, v, params):
        """left(v̄, y) for the first argument, right(v̄, x) for the second."""
        return (self.right if i else self.left)(g, *xs)

    def taylor(self, us, v, params):
        """vₖ = Σ_j B(uⱼ, wₖ₋ⱼ)."""
        u, w = us
        if u.constant:
            return lambda k: self(u.coefficients[0], w.coefficient(k))
        if w.constant:
            return lambda k: self(u.coefficient(k), w.coefficients[0])
        return lambda k: product_coefficient(u.upto(k), w.upto(k), k, self)


class Pointwise(Rule):
    """v = f(x), element by element, of one or more arguments.

    The fact: one slope for each argument, slope(*xs, v) -> ∂f/∂xᵢ.

    A slope may use the inputs or the output, whichever is shorter: `lambda x, v: cos(x)` for sin,
    `lambda x, v: 1 - v * v` for tanh.
    """

    def __init__(self, name, value, *slopes, scalar=None):
        if not slopes:
            raise TypeError(
                f"Pointwise({name!r}, ...) needs a slope for each argument, "
                f"e.g. lambda x, v: cos(x)"
            )
        super().__init__(name, value, scalar)
        self.slopes = slopes
        self.shortcuts = {float: scalar} if scalar else {}  # type of one argument -> what to call

    def __call__(self, x, *others):
        shortcut = self.shortcuts.get(type(x))
        if shortcut and not others:
            try:
                return shortcut(x)
            except OUTSIDE:
                pass  # the general way has an answer: inf or nan, with NumPy's warning
        return super().__call__(x, *others)

    def forward(self, xs, v, tangents, params):
        """f′ · ẋ, summed over the arguments, once for each seed; the slopes are computed once."""
        if len(xs) == 1:
            slope = self.slopes[0](*xs, v)
            return tuple([slope * dx for dx in tangents[0]])
        active = [i for i, t in enumerate(tangents) if t is not None]
        slopes = [self.slopes[i](*xs, v) for i in active]
        found = [reduce(add, map(mul, slopes, dxs)) for dxs in zip(*[tangents[i] for i in active])]
        return tuple([_filled(t, v) for t in found])

    def reverse(self, g, i, xs, v, params):
        """v̄ · f′."""
        return g * self.slopes[i](*xs, v)

    def taylor(self, us, v, params):
        """k vₖ = Σ_j j uⱼ cₖ₋ⱼ, summed over the arguments.

        The slope may use v itself (tanh: c = 1 − v²). That is no circle: cₖ₋₁ needs v only up to k
        − 1. So the slope is evaluated on series whose coefficients are computed when asked for, and
        the knot is tied.
        """
        xs = [u.coefficients[0] if u.constant else u.growing(v.order - 1) for u in us]
        active = [i for i, u in enumerate(us) if not u.constant]
        if len(us) == 1:
            xs[0].remember(self, v)
        slopes = []

        def coefficient(k):
            if k == 0:
                return self(*[u.coefficient(0) for u in us])
            if not slopes:
                lower = v.growing(v.order - 1)
                slopes.extend(v.like(self.slopes[i](*xs, lower)) for i in active)
            return _filled(reduce(add, [c.chain(us[i], k) for c, i in zip(slopes, active)]), v)

        return coefficient


def _filled(t, v):
    """t in the shape of v; smaller only where a slope is a number and the arguments broadcast."""
    return t if shape(t) == shape(v) else t + zeros_like(v)


def plain(x):
    """The number or array inside x, all engines removed."""
    while isinstance(x, Value):
        x = x.primal
    return x


def shape(x):
    """The shape of a number, an array or an engine value."""
    if type(x) is float:
        return ()
    return x.shape if type(x) is np.ndarray else np.shape(plain(x))


def number(x):
    """x as something to compute with: integers and lists become float64, all else stays."""
    if type(x) is float or isinstance(x, Value):
        return x
    if type(x) is int:
        return float(x)
    if not isinstance(x, (np.ndarray, np.generic)):
        x = np.asarray(_refuse_values_inside(x))
    if x.dtype.kind in "iub":
        x = x.astype(np.float64)
    elif x.dtype.kind not in "fc":
        raise TypeError(
            f"expected numbers, got {x!r} of dtype {x.dtype}. Pass a float or an array of floats"
        )
    return x if x.ndim else x[()]


def float64(x):
    """x in double precision, as every engine computes; Python floats stay Python floats."""
    if type(x) is float:
        return x
    x = number(x)
    if isinstance(x, np.ndarray):
        return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64, copy=True)
    if isinstance(x, np.generic):
        return complex(x) if x.dtype.kind == "c" else float(x)
    return x


def zeros_like(x):
    """Zeros in the shape of x."""
    dims = shape(x)
    return np.zeros(dims) if dims else 0.0


def _refuse_values_inside(x):
    if isinstance(x, (list, tuple)) and any(isinstance(item, Value) for item in x):
        raise TypeError(
            f"a {type(x).__name__} of engine values is not an array. Join them with stack([...])"
        )
    return x
