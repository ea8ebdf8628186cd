"""What an engine is: a value that carries derivatives, and the plain numbers beside it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from companion.engines.numerics import real

if TYPE_CHECKING:
    from companion.engines.kinds import Rule

V = TypeVar("V", bound="Value")  # the same kind of engine value

UFUNCS: dict[np.ufunc, Callable[..., Any]] = {}  # what np.sin(x) does of an engine value x,
FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {}  # and np.sum(x); see numpy_names.py
PLAIN: set[Any] = {  # what asks for the value alone
    np.less,
    np.less_equal,
    np.greater,
    np.greater_equal,
    np.equal,
    np.not_equal,
}
COMPLEX = "fft conj conjugate real imag angle real_if_close isreal iscomplex".split()


class Value:
    """A number or array that an engine follows: a Dual, a Var or a Jet.

    An engine is a subclass with three things: `primal` (what the value is without its derivatives),
    `tag` (which perturbation it carries; newer tags are greater) and `apply(rule, args, params)`,
    which does one operation.
    """

    __slots__ = ()
    __hash__ = object.__hash__

    if TYPE_CHECKING:  # what an engine has, and the operators, which rules.py gives to all

        @property
        def primal(self) -> Any: ...
        @property
        def tag(self) -> tuple[int, ...]: ...
        @property
        def parts(self) -> tuple[Any, ...]: ...
        @property
        def T(self: V) -> V: ...
        def rebuild(self: V, parts: Sequence[Number]) -> V: ...
        def apply(self, rule: Rule, args: Sequence[Number], params: dict[str, Any]) -> Value: ...
        def sum(self: V, axis: Axes = None, keepdims: bool = False) -> V: ...
        def mean(self: V, axis: Axes = None, keepdims: bool = False) -> V: ...
        def max(self: V, axis: Axes = None, keepdims: bool = False) -> V: ...
        def min(self: V, axis: Axes = None, keepdims: bool = False) -> V: ...
        def prod(self: V, axis: Axes = None, keepdims: bool = False) -> V: ...
        def var(self: V, axis: Axes = None, ddof: int = 0, keepdims: bool = False) -> V: ...
        def std(self: V, axis: Axes = None, ddof: int = 0, keepdims: bool = False) -> V: ...
        def cumsum(self: V, axis: int | None = None) -> V: ...
        def cumprod(self: V, axis: int | None = None) -> V: ...
        def reshape(self: V, *to: int | Sequence[int]) -> V: ...
        def transpose(self: V, *axes: int | Sequence[int] | None) -> V: ...
        def ravel(self: V) -> V: ...
        def flatten(self: V) -> V: ...
        def copy(self: V) -> V: ...
        def squeeze(self: V, axis: Axes = None) -> V: ...
        def swapaxes(self: V, axis1: int, axis2: int) -> V: ...
        def repeat(self: V, repeats: Any, axis: int | None = None) -> V: ...
        def diagonal(self: V, offset: int = 0, axis1: int = 0, axis2: int = 1) -> V: ...
        def trace(self: V, offset: int = 0, axis1: int = 0, axis2: int = 1) -> V: ...
        def dot(self: V, y: V | Plain) -> V: ...
        def clip(self: V, a_min: Any = None, a_max: Any = None) -> V: ...
        def round(self: V, decimals: int = 0) -> V: ...
        def __add__(self: V, other: V | Plain) -> V: ...
        def __radd__(self: V, other: V | Plain) -> V: ...
        def __sub__(self: V, other: V | Plain) -> V: ...
        def __rsub__(self: V, other: V | Plain) -> V: ...
        def __mul__(self: V, other: V | Plain) -> V: ...
        def __rmul__(self: V, other: V | Plain) -> V: ...
        def __truediv__(self: V, other: V | Plain) -> V: ...
        def __rtruediv__(self: V, other: V | Plain) -> V: ...
        def __matmul__(self: V, other: V | Plain) -> V: ...
        def __rmatmul__(self: V, other: V | Plain) -> V: ...
        def __pow__(self: V, other: V | Plain) -> V: ...
        def __rpow__(self: V, other: V | Plain) -> V: ...
        def __mod__(self: V, other: V | Plain) -> V: ...
        def __rmod__(self: V, other: V | Plain) -> V: ...
        def __floordiv__(self: V, other: V | Plain) -> V: ...
        def __rfloordiv__(self: V, other: V | Plain) -> V: ...
        def __divmod__(self: V, other: V | Plain) -> tuple[V, V]: ...
        def __rdivmod__(self: V, other: V | Plain) -> tuple[V, V]: ...
        def __round__(self: V, digits: int = 0) -> V: ...
        def __floor__(self: V) -> V: ...
        def __ceil__(self: V) -> V: ...
        def __trunc__(self: V) -> V: ...
        def __neg__(self: V) -> V: ...
        def __pos__(self: V) -> V: ...
        def __abs__(self: V) -> V: ...
        def __getitem__(self: V, key: Any) -> V: ...
        def __lt__(self, other: Number) -> Any: ...
        def __le__(self, other: Number) -> Any: ...
        def __gt__(self, other: Number) -> Any: ...
        def __ge__(self, other: Number) -> Any: ...

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the primal: () for a scalar."""
        return np.shape(plain(self))

    @property
    def ndim(self) -> int:
        """The number of axes of the primal."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements of the primal."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError(f"a scalar {type(self).__name__} has no length")
        return self.shape[0]

    def __iter__(self: V) -> Iterator[V]:
        if not self.shape:
            raise TypeError(f"a scalar {type(self).__name__} cannot be iterated over")
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(plain(self))

    def __float__(self) -> float:
        name = type(self).__name__
        raise TypeError(
            f"float() of a {name} would drop its derivative. Write x.primal if you mean that, "
            f"and sin, exp, ... from companion.engines in place of those of math"
        )

    def __int__(self) -> int:
        raise TypeError(
            f"int() of a {type(self).__name__} would drop its derivative, which is that of trunc: 0. "
            f"Write int(x.primal) if you mean that, and floor, trunc, ... from companion.engines"
        )

    def __index__(self) -> int:
        raise TypeError(
            f"a {type(self).__name__} is no index and no count: those are whole numbers without a "
            f"derivative. Write int(x.primal) if you mean that"
        )

    def __complex__(self) -> complex:
        raise TypeError(f"complex() of a {type(self).__name__}: {_REAL}")

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError(
            f"a {type(self).__name__} cannot be changed in place: what was computed from it "
            f"would be wrong. Build the new array with where, concatenate or stack"
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        raise TypeError(
            f"NumPy cannot hold a {type(self).__name__}: its derivative would be lost. "
            f"Write x.primal for the plain array, or stack([x, y]) to join engine values"
        )

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and not kwargs:
            if ufunc in PLAIN:
                return ufunc(*[real(plain(x)) for x in inputs])
            if ufunc in UFUNCS:
                return UFUNCS[ufunc](*inputs)
        name = type(self).__name__
        if ufunc.__name__ in COMPLEX:
            raise TypeError(f"np.{ufunc.__name__} of a {name}: {_REAL}")
        if kwargs.get("out") is not None:
            raise TypeError(
                f"np.{ufunc.__name__} would write a {name} into an array of plain numbers, where its "
                f"derivative would be lost. Write a = a + x for a += x, and nothing with out="
            )
        whose = "np." if getattr(np, ufunc.__name__, None) is ufunc else ""  # SciPy has its own
        raise TypeError(
            f"{whose}{ufunc.__name__} has no rule for a {name} (called as {method!r} "
            f"with {sorted(kwargs) or 'no'} options). Use a function of companion.engines, "
            f"or add one: Pointwise(name, value, slope)"
        )

    def __array_function__(self, func: Callable, types: Any, args: Any, kwargs: Any) -> Any:
        name = type(self).__name__
        if func in PLAIN:
            found = func(*map(plain, args), **{key: plain(x) for key, x in kwargs.items()})
            return found[()] if isinstance(found, np.ndarray) else found
        if func.__name__ in COMPLEX or "fft" in func.__module__:
            raise TypeError(f"np.{func.__name__} of a {name}: {_REAL}")
        ours = FUNCTIONS.get(func)
        if ours is None:
            raise TypeError(
                f"np.{func.__name__} does not know a {name}. Write it with functions of "
                f"companion.engines, or add a rule: Linear(name, value, adjoint)"
            )
        signature = inspect.signature(ours)
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(
                f"np.{func.__name__} of a {name}: {error}. It is {func.__name__}{signature} here"
            ) from None
        return ours(*args, **kwargs)


_REAL = (
    "the engines differentiate real functions. Compute with the real and the imaginary part as two "
    "real values; a Fourier transform is a product with the matrices of its cosines and sines"
)
_DOUBLE = np.dtype(np.float64)
Plain = float | list | np.ndarray  # numbers without derivatives; lists become arrays
Number = Plain | Value  # what every operation takes
Axes = int | tuple[int, ...] | None  # one axis, several, or all


def plain(x: Any) -> Any:
    """The number or array inside x, all engines removed."""
    while isinstance(x, Value):
        x = x.primal
    return x


def shape(x: Any) -> tuple[int, ...]:
    """The shape of a number, an array or an engine value."""
    if type(x) is float:
        return ()
    return x.shape if type(x) is np.ndarray else np.shape(plain(x))


def number(x: Any) -> Any:
    """x as something to compute with: integers and lists become float64, all else stays."""
    if type(x) is float or isinstance(x, Value):
        return x
    if type(x) is int:
        return float(x)
    if not isinstance(x, (np.ndarray, np.generic)):
        x = _array(_refuse_values_inside(x))
    if isinstance(x, np.ndarray) and type(x).__mul__ is not np.ndarray.__mul__:  # masked, matrix
        raise TypeError(
            f"a {type(x).__name__} computes by rules of its own, which no engine follows. Pass "
            f"np.asarray(x), and leave out what is masked by where(mask, 0.0, x)"
        )
    if x.dtype.kind in "iub":
        x = x.astype(np.float64)
    elif x.dtype.kind not in "fc":
        raise TypeError(
            f"expected numbers, got {x!r} of dtype {x.dtype}. Pass a float or an array of floats"
        )
    return x if x.ndim else x[()]  # np.float32 has it too


def float64(x: Any) -> Any:
    """x in double precision, as every engine computes; Python floats stay Python floats."""
    if type(x) is float:
        return x
    if type(x) is np.ndarray and x.dtype is _DOUBLE and x.ndim:
        return x.copy()
    x = number(x)
    if isinstance(x, np.ndarray):
        return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64, copy=True)
    if isinstance(x, np.generic):
        return complex(x) if x.dtype.kind == "c" else float(x)
    return x


def whole(order: Any) -> int:
    """An order of differentiation as an int. Raises ValueError for what is not 0, 1, 2, …"""
    is_number = isinstance(order, (int, float, np.integer, np.floating))
    if not (is_number and order >= 0 and float(order).is_integer()):
        raise ValueError(f"order is a whole number, 0 or more; got {order!r}")
    return int(order)


def zeros_like(x: Number) -> float | np.ndarray:
    """Zeros in the shape of x."""
    dims = shape(x)
    return np.zeros(dims) if dims else 0.0


def _array(x):
    try:
        return np.asarray(x)
    except ValueError as error:
        raise ValueError(
            f"{x!r:.80} is no array: its parts have different shapes. For a tree of arrays write "
            f"np.array(...) for each of them"
        ) from error


def _refuse_values_inside(x):
    if isinstance(x, (list, tuple)) and any(isinstance(item, Value) for item in x):
        raise TypeError(
            f"a {type(x).__name__} of engine values is not an array. Join them with stack([...])"
        )
    return x
