"""The rules of linear algebra, complex values and Fourier transforms, in one table.

Orders 0 and 1 are torch's. Each higher coefficient is held against a five-point difference quotient
of the one below, the Laplacian against the sum of second coefficients, and a gradient of it against
a difference quotient: torch's nested derivatives are no oracle beyond order 2.
"""

import math
import warnings
from contextlib import suppress

import pytest
import torch
from torch import linalg

from companion.operators import RULES, Jet, Partials, complexes, laplacian, linear_algebra, taylor
from companion.operators.complexes import TRANSFORMS
from companion.operators.names import written

pytestmark = pytest.mark.filterwarnings("ignore:.*(chain_matmul|torch.cross|torch.cholesky).*")
f64 = dict(dtype=torch.float64)
G = torch.Generator().manual_seed(3)
X, V, C = (torch.rand(2, 3, generator=G, **f64) - 0.3 for _ in range(3))
B = torch.rand(2, 3, 3, generator=G, **f64)
ONE = torch.eye(3, **f64)


def square(x):
    """Regular matrices (2, 3, 3) of full degree along a curve of x (2, 3)."""
    return torch.sin(x[..., None] * B) + 1.5 * ONE + x[..., None, :] * x[..., None] * 0.3


def positive(x):
    return square(x) @ square(x).mT + ONE


def turning(x):
    """Complex numbers (2, 3), none of them 0 or near a branch."""
    return torch.complex(torch.exp(x), 0.4 + torch.sin(x * 2) * 0.3)


def hermitian(x):
    a = torch.complex(square(x), 0.2 * square(x.flip(0)))
    return a @ a.mH + ONE


def wave(x):
    return torch.sin(torch.outer(torch.arange(1.0, 9.0, **f64), x.flatten()).flatten())


MATRICES = {
    "inv": lambda x: linalg.inv(square(x)),
    "inverse": lambda x: square(x).inverse(),
    "inv complex": lambda x: linalg.inv(hermitian(x)),
    "solve": lambda x: linalg.solve(square(x), square(x * x)),
    "solve A": lambda x: linalg.solve(square(x), B),
    "solve B": lambda x: linalg.solve(B + 2 * ONE, square(x)),
    "solve vectors": lambda x: linalg.solve(square(x), torch.exp(x)),
    "solve a vector": lambda x: linalg.solve(square(x)[0], torch.exp(x)[0]),
    "solve a vector of batch 1": lambda x: linalg.solve(square(x), C[0]),
    "solve from the right": lambda x: linalg.solve(square(x), square(x.sin()), left=False),
    "triangular": lambda x: linalg.solve_triangular(square(x), square(x * x), upper=False),
    "triangular A": lambda x: linalg.solve_triangular(square(x), B, upper=True),
    "triangular B": lambda x: linalg.solve_triangular(B + ONE, square(x), upper=True),
    "unitriangular": lambda x: linalg.solve_triangular(
        square(x), square(x * x), upper=True, unitriangular=True
    ),
    "triangular, right": lambda x: linalg.solve_triangular(square(x), B, upper=True, left=False),
    "unitriangular, right": lambda x: linalg.solve_triangular(
        square(x), B, upper=False, left=False, unitriangular=True
    ),
    "tensorinv": lambda x: linalg.tensorinv(square(x).reshape(2, 1, 9)[0].reshape(3, 3), 1),
    "tensorsolve": lambda x: linalg.tensorsolve(square(x)[0].reshape(3, 1, 3), torch.exp(x[:1]).T),
    "tensorsolve dims": lambda x: linalg.tensorsolve(
        square(x)[0].reshape(3, 3, 1), torch.exp(x[:1]), dims=(0,)
    ),
    "det": lambda x: linalg.det(square(x)),
    "det by name": lambda x: square(x).det(),
    "det complex": lambda x: torch.view_as_real(linalg.det(hermitian(x) * (1 + 2j))),
    "slogdet": lambda x: linalg.slogdet(square(x)).logabsdet,
    "slogdet of torch": lambda x: torch.slogdet(-square(x))[1],
    "sign of slogdet": lambda x: linalg.slogdet(square(x) * turning(x)[..., None]).sign,
    "slogdet complex": lambda x: linalg.slogdet(square(x) * turning(x)[..., None]).logabsdet,
    "logdet": lambda x: torch.logdet(square(x)),
    "cholesky": lambda x: linalg.cholesky(positive(x)),
    "cholesky upper": lambda x: linalg.cholesky(positive(x), upper=True),
    "cholesky of torch": lambda x: torch.cholesky(positive(x), True),
    "cholesky complex": lambda x: linalg.cholesky(hermitian(x)),
    "cholesky_solve": lambda x: torch.cholesky_solve(B, linalg.cholesky(positive(x))),
    "cholesky_solve upper": lambda x: torch.cholesky_solve(square(x), square(x).triu(), True),
    "cholesky_solve b": lambda x: torch.cholesky_solve(square(x), (B + ONE).tril()),
    "cholesky_inverse": lambda x: torch.cholesky_inverse(square(x).tril()),
    "cholesky_inverse upper": lambda x: torch.cholesky_inverse(square(x)[0].triu(), True),
    "matrix_exp": lambda x: torch.matrix_exp(square(x)),
    "matrix_exp of linalg": lambda x: linalg.matrix_exp(x[..., None] * B),
    "matrix_power": lambda x: linalg.matrix_power(square(x), 5),
    "matrix_power -2": lambda x: torch.matrix_power(square(x), -2),
    "matrix_power 0": lambda x: torch.matrix_power(square(x), 0) * x[..., None],
    "householder": lambda x: linalg.householder_product(square(x), torch.exp(x)[:, :2]),
    "householder, a constant tau": lambda x: torch.orgqr(square(x), C),
    "householder complex": lambda x: linalg.householder_product(hermitian(x), turning(x)),
    "multi_dot": lambda x: linalg.multi_dot([square(x)[0], B[0], square(x)[1], x[0]]),
    "chain_matmul": lambda x: torch.chain_matmul(square(x)[0], B[0], square(x)[1]),
    "cross": lambda x: linalg.cross(x.sin(), x.exp()),
    "cross constant": lambda x: torch.cross(V, x.exp(), dim=1) + torch.cross(x.exp(), C, 1),
    "cross by the first axis of 3": lambda x: torch.cross(x.T.sin(), x.T.exp()),
    "vander": lambda x: torch.vander(x[0].exp(), 4) + torch.vander(x[1].sin(), 4, increasing=True),
    "vander of linalg": lambda x: linalg.vander(x.exp(), N=4),
}
REMOVED = []
with warnings.catch_warnings(action="ignore"):
    try:
        torch.cholesky(ONE)
    except RuntimeError:  # from torch 2.14 on
        del MATRICES["cholesky of torch"]
        REMOVED.append(torch.cholesky)

# These have no rule: each operation is differentiated step by step.
DECOMPOSED = {
    "qr": lambda x: linalg.qr(square(x)).R,
    "svdvals": lambda x: linalg.svdvals(square(x)),
    "eigvalsh": lambda x: linalg.eigvalsh(positive(x)),
    "eigh": lambda x: linalg.eigh(positive(x)).eigenvectors.abs(),
    "pinv": lambda x: linalg.pinv(square(x)[..., :2]),
    "lstsq": lambda x: linalg.lstsq(square(x)[..., :2], B).solution,
}
COMPLEX = {
    "complex": lambda x: torch.complex(x.sin(), x.exp()),
    "complex, one constant": lambda x: torch.complex(x.sin(), C) * torch.complex(C, x),
    "real, imag": lambda x: turning(x).real * torch.imag(turning(x)) + torch.real(turning(x)),
    "view_as_real": lambda x: torch.view_as_real(turning(x)),
    "view_as_complex": lambda x: torch.view_as_complex(torch.stack([x.sin(), x.exp()], -1)),
    "polar": lambda x: torch.polar(x.exp(), x.sin()),
    "polar, one constant": lambda x: torch.polar(torch.ones_like(C), x.sin()) * torch.polar(x.exp(), C),
    "angle": lambda x: torch.angle(turning(x)) - 2 * turning(x).conj().angle(),
    "angle of real": lambda x: torch.angle(x) * x,
    "abs": lambda x: turning(x).abs() + abs(turning(x)),
    "sgn": lambda x: turning(x).sgn() + x.sgn() * x,
    "conj": lambda x: turning(x).conj() * turning(x) ** 2 + torch.conj_physical(turning(x)),
    "resolved": lambda x: turning(x).conj().resolve_conj().exp() + turning(x).conj().resolve_neg(),
    "adjoint": lambda x: turning(x) @ turning(x).mH @ torch.conj(turning(x)),
    "a complex constant": lambda x: (x + 1j) * (2 - x) / (x - 2j) - 1j,
    "exp": lambda x: torch.exp(1j * x) + turning(x).exp(),
    **{name: lambda x, name=name: getattr(torch, name)(turning(x) * 0.4) for name in
       "log sin cos tan sinh cosh tanh asin acos atan asinh acosh atanh sqrt rsqrt reciprocal sigmoid "
       "log2 log10 square expm1 log1p exp2".split()},
    "acosh, left": lambda x: torch.acosh(-turning(x)),
    "pow": lambda x: turning(x) ** 3 + turning(x) ** -2 + turning(x) ** 0.5,
    "pow of complex": lambda x: turning(x) ** (1.5 + 0.5j) + turning(x) ** x,
    "pow of series": lambda x: torch.pow(turning(x), turning(x)) + (0.5 + 1j) ** x + x.exp() ** 1j,
    "pow of a constant": lambda x: torch.pow(torch.complex(C, V), x) + (x + 1) ** torch.complex(C, V),
    "linear": lambda x: torch.nn.functional.linear(
        turning(x), torch.complex(B[0], B[1]), torch.complex(C[0], V[0])
    ),
    "stft": lambda x: torch.stft(wave(x), 8, 4, window=B.flatten()[:8], return_complex=True),
    "istft": lambda x: torch.istft(
        torch.stft(wave(x), 8, 2, window=B.flatten()[:8], return_complex=True), 8, 2, window=B.flatten()[:8]
    ),
    **{f"fft.{name}": lambda x, name=name: getattr(torch.fft, name)(x.exp())
       for name in (*TRANSFORMS, "ihfft2", "ihfftn")},
    "fft options": lambda x: torch.fft.fft(turning(x), n=5, dim=0, norm="ortho"),
    "irfft of complex": lambda x: torch.fft.irfft(turning(x), 4),
}  # fmt: skip
TORCH_HAS_NO_SLOPE = ["vander"]  # torch.vander writes over what its walk back needs
CALLS = {**MATRICES, **DECOMPOSED, **COMPLEX}
TABLE = {**linear_algebra.TABLE, **complexes.TABLE}
SEES_THE_VALUE = [torch.isreal, torch.is_conj, torch.is_neg]


def near(found, expected, tolerance):
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    error = (found - expected).abs().max()
    assert error <= tolerance * (1 + expected.abs().max()), f"off by {error:.1e}"


def quotient(f, h=2e-3):
    """f′(0) from five points."""
    return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h)


def slope_along(f, x, v):
    """The slope of Σ wᵢ fᵢ along v, by one walk back; 0 where torch sees none."""
    leaf = x.clone().requires_grad_()
    y = f(leaf)
    y = (torch.linspace(-1, 1, y.numel(), **f64).view(y.shape) * y).sum()
    return (torch.autograd.grad(y, leaf)[0] * v).sum() if y.requires_grad else torch.zeros_like(y)


def near_torch(f, x, v, found):
    """The first slope is torch's, by one walk back: nothing is nested."""
    weights = torch.linspace(-1, 1, real(found).numel(), **f64).view(real(found).shape)
    near((weights * real(found)).sum(), slope_along(lambda x: real(f(x)), x, v), 1e-11)


def real(y):
    return torch.view_as_real(y.resolve_conj()) if y.is_complex() else y


@pytest.fixture
def without_fallback(monkeypatch, request):
    """A call that finds a rule missing fails, but for those that are known to have none."""
    if request.node.callspec.params["name"] not in DECOMPOSED:

        def refuse(function, *_):
            raise AssertionError(f"no rule for {function}")

        monkeypatch.setattr("companion.operators.dispatch.alone", refuse)


@pytest.mark.parametrize("name", CALLS)
def test_every_order_is_the_slope_of_the_one_below(without_fallback, name):
    check_orders(name, 3 if name in DECOMPOSED else 4)


def check_orders(name, order):
    f = CALLS[name]
    found = taylor(f, X, V, order=order)
    near(found[0], f(X), 1e-12)
    if name not in TORCH_HAS_NO_SLOPE:
        near_torch(f, X, V, found[1])
    below = quotient(lambda t: torch.stack(taylor(f, X + t * V, V, order=order - 1)))
    for k in range(1, order + 1):
        near(found[k], below[k - 1] / k, 1e-7)


@pytest.mark.parametrize("name", CALLS)
def test_the_laplacian_is_the_sum_of_second_derivatives_and_its_gradient_a_slope(
    without_fallback, name
):
    f, x = CALLS[name], X[:, :2].clone()
    near_x = lambda x: torch.cat([x, x.sum(1, keepdim=True) * 0.5], 1)
    g = lambda x: real(f(near_x(x)))
    found, axes = laplacian(g, x), torch.eye(2, **f64)
    by_axes = lambda x: sum(2 * taylor(g, x, e.expand(2, 2), order=2)[2] for e in axes)
    near(found, by_axes(x), 1e-11)
    slopes = [slope_along(second, x, V[:, :2]) for second in (lambda x: laplacian(g, x), by_axes)]
    near(*slopes, 1e-10)
    weights = torch.linspace(-1, 1, found.numel(), **f64).view(found.shape)
    near(slopes[0], quotient(lambda t: (weights * laplacian(g, x + t * V[:, :2])).sum()), 1e-7)


def test_each_rule_is_called_and_a_wrong_one_is_seen(monkeypatch):
    """Off by a thousandth in its slopes, one rule after another."""
    called = {}
    for f in TABLE:
        rule = RULES[f]
        spy = lambda *args, f=f, rule=rule, **kw: called.setdefault(f, name) and rule(*args, **kw)
        monkeypatch.setitem(RULES, f, spy)
    for name in CALLS:
        taylor(CALLS[name], X, V, order=1)
    assert [written(f) for f in TABLE if f not in [*called, *SEES_THE_VALUE, *REMOVED]] == []
    monkeypatch.undo()
    missed = []
    for f, name in called.items():
        if f in SEES_THE_VALUE:
            continue
        with monkeypatch.context() as planted:
            planted.setitem(RULES, f, lambda *args, rule=RULES[f], **kw: off(rule(*args, **kw)))
            missed.append((written(f), name))
            with suppress(AssertionError):
                check_orders(name, 1)
                continue
            missed.pop()
    assert missed == []


def off(y):
    if isinstance(y, tuple):
        return type(y)(map(off, y))
    return y.like(torch.cat([y.rows[:1], y.rows[1:] * 1.001])) if isinstance(y, Jet) else y


# --- where there is no slope, and where there is one all the same ---------------------------------


@pytest.mark.parametrize("rank", [0, 1, 2, 3, 4])
def test_the_determinant_of_a_singular_matrix_has_all_its_slopes(rank):
    a = torch.randn(4, rank, generator=G, **f64) @ torch.randn(rank, 4, generator=G, **f64)
    b, c = torch.randn(2, 4, 4, generator=G, **f64)
    f = lambda t: torch.linalg.det(a + t * b + t * t * c)
    found = taylor(f, torch.zeros((), **f64), order=8)
    at = torch.cos(torch.arange(9, **f64) * math.pi / 8)[:, None]  # a polynomial of degree 8
    values = torch.stack([torch.linalg.det(a + t * b + t * t * c) for t in at[:, 0]])
    near(torch.stack(found), torch.linalg.solve(at ** torch.arange(9), values), 1e-10)
    leaf = a.clone().requires_grad_()
    third = lambda a: taylor(
        lambda t: torch.linalg.det(a + t * b), torch.zeros((), **f64), order=3
    )[3]
    (slope,) = torch.autograd.grad(third(leaf), leaf)
    near((slope * c).sum(), quotient(lambda t: third(a + t * c), 0.1), 1e-10)
    x = torch.zeros(1, 2, **f64)
    bend = laplacian(lambda x: torch.linalg.det(a + x[0, 0] * b + x[0, 1] * c)[None, None], x)
    seconds = [
        taylor(lambda t, b=b: torch.linalg.det(a + t * b), x[0, 0], order=2)[2] for b in (b, c)
    ]
    near(bend[0, 0], 2 * sum(seconds), 1e-11)


def test_a_batch_may_hold_singular_and_regular_matrices():
    a = torch.stack([torch.diag(torch.tensor(d, **f64)) for d in ([1, 2, 3], [1, 0, 2], [0, 0, 1])])
    found = taylor(lambda t: torch.linalg.det(a + t * ONE), torch.zeros((), **f64), order=3)
    assert torch.stack(found, 1).allclose(
        torch.tensor([[6, 11, 6, 1], [0, 2, 3, 1], [0, 0, 1, 1]], **f64), rtol=1e-13, atol=1e-13
    )


SINGULAR = {
    "inv": linalg.inv, "solve": lambda a: linalg.solve(a, a), "slogdet": lambda a: linalg.slogdet(a)[1],
    "logdet": torch.logdet, "cholesky": linalg.cholesky, "matrix_power": lambda a: linalg.matrix_power(a, -1),
}  # fmt: skip


@pytest.mark.parametrize("name", SINGULAR)
def test_a_singular_matrix_raises_torchs_error(name):
    a = torch.zeros(3, 3, **f64)
    with pytest.raises(RuntimeError, match=r"singular|positive-definite"):
        taylor(lambda t: SINGULAR[name](a + t), torch.zeros((), **f64), order=2)


def test_a_triangular_zero_is_not_finite():
    a = torch.diag(torch.tensor([1.0, 0.0], **f64))
    for k, c in enumerate(
        taylor(lambda t: linalg.solve_triangular(a + t, a, upper=True), X[0, 0] * 0, order=2)
    ):
        assert not c.isfinite().all(), k


def test_the_logarithm_of_a_negative_determinant_is_nan_in_all_orders():
    for c in taylor(lambda t: torch.logdet(ONE[:2, :2].flip(0) * (1 + t)), X[0, 0], order=2):
        assert c.isnan()


def test_at_zero_abs_sgn_and_angle_have_torchs_slope():
    z = torch.zeros(2, dtype=torch.complex128)
    for f in (torch.abs, torch.sgn, torch.angle):
        g = lambda t, f=f: real(f(t * torch.tensor([1 + 1j, 2j]) + z))
        leaf = torch.zeros((), **f64, requires_grad=True)
        value, slope, bend = taylor(g, leaf.detach(), order=2)
        near_torch(g, leaf.detach(), leaf.detach() + 1, slope)
        assert torch.equal(value, g(leaf.detach())) and not slope.any() and not bend.any()


def test_facts_of_complex_series():
    seen = []

    def f(x):
        z = turning(x)
        seen.append(
            [
                z.conj().is_conj(),
                z.is_conj(),
                torch.isreal(z).any().item(),
                z.is_neg(),
                z.is_complex(),
            ]
        )
        return z.abs()

    taylor(f, X, order=1)
    assert seen[0][1:] == [False, False, False, True]


def test_options_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="vector B from the left only"):
        taylor(lambda x: linalg.solve(square(x)[0], x[0], left=False), X, order=1)
    with pytest.raises(NotImplementedError, match="in place"):
        taylor(lambda x: linalg.inv(square(x), out=torch.empty(2, 3, 3, **f64)), X, order=1)


def test_networks_of_complex_weights_and_of_matrices_learn():
    """The gradient by the weights, of all orders, is that of nested reverse mode."""
    weight = torch.complex(B[0], B[1]).requires_grad_()
    f = lambda x: torch.exp(1j * torch.tanh(x.to(weight.dtype) @ weight)).real
    for order in (1, 2):
        found = [
            torch.autograd.grad(Partials(f, X, way)(*[0] * order).square().sum(), weight)[0]
            for way in ("taylor", "reverse")
        ]
        near(*found, 1e-11)
    near(*[torch.autograd.grad(Partials(f, X, way).laplacian().square().sum(), weight)[0]
           for way in ("taylor", "reverse")], 1e-11)  # fmt: skip
