"""Chapter 5, arrays and modes: what an answer to its exercises must satisfy."""

from collections.abc import Callable

import numpy as np

from companion.practice.answers import asks, function, one_of, parts
from companion.practice.verdicts import compare, demand, numbers


@asks(function("ybar"), "x̄, one entry more than ȳ", example="lambda ybar: np.cumsum(ybar)")
def ex_05_diff(adjoint: Callable) -> str:
    """⟨x̄, ẋ⟩ = ⟨ȳ, Lẋ⟩ for every ẋ, where (Lx)ᵢ = xᵢ₊₁ − xᵢ."""
    rng = np.random.default_rng(5)
    lengths = [2, 3, 7, 1]
    for n in lengths:
        ybar, xdot = rng.normal(size=n), rng.normal(size=n + 1)
        xbar = numbers(adjoint(ybar), f"at ȳ with {n} entries: your x̄")
        words = f"at ȳ with {n} entries: x̄ has the shape {xbar.shape}, and x has ({n + 1},)"
        demand(xbar.shape == (n + 1,), words)
        what = "⟨x̄, ẋ⟩ of yours in a random direction"
        compare(xbar @ xdot, ybar @ np.diff(xdot), {"entries": n}, "⟨ȳ, Lẋ⟩ is", what=what)
    return f"⟨ȳ, Lẋ⟩ = ⟨x̄, ẋ⟩ for {len(lengths)} lengths"


MODE = one_of("columns", "rows", "neither")
WHY = {
    "curve": (
        "columns",
        "one input and 200 outputs: how many passes fill one column, how many 200 rows?",
    ),
    "loss": ("rows", "200 inputs and one output: the Jacobian is one row"),
    "entrywise": ("neither", "the Jacobian is diagonal: one pass with (1, …, 1) has all of it"),
}


@asks(
    parts(curve=MODE, loss=MODE, entrywise=MODE),
    example='{"curve": "rows", "loss": "rows", "entrywise": "rows"}',
)
def ex_05_choose(answer: dict[str, str]) -> str:
    """J of shape (200, 1) is one column, of shape (1, 200) one row; a diagonal J needs neither."""
    for name, (right, why) in WHY.items():
        demand(answer[name] == right, f"{name}: not {answer[name]}; {why}")
    return "three Jacobians, three choices"


def counted(A: np.ndarray) -> tuple[Callable, list[int]]:
    """v ↦ A v for one vector v, and a list that has an entry for each product taken so far."""
    calls: list[int] = []

    def product(v: np.ndarray) -> np.ndarray:
        v = np.asarray(v, dtype=float)
        if v.shape != A.shape[:1]:  # a matrix would be many products by one call
            raise ValueError(f"product takes one vector {A.shape[:1]}, and was given {v.shape}")
        calls.append(1)
        return A @ v

    return product, calls


@asks(function("product, g"), "s with product(s) = g", example="lambda product, g: g")
def ex_05_newton(solve: Callable) -> str:
    """Of 200 equations whose matrix has five eigenvalues, six products are enough."""
    rng = np.random.default_rng(6)
    for size, most in [(3, 6), (20, 40), (200, 12)]:
        Q = np.linalg.qr(rng.normal(size=(size, size)))[0]
        eigenvalues = 1.0 + np.arange(size) % 5
        H, g = (Q * eigenvalues) @ Q.T, rng.normal(size=size)
        product, calls = counted(H)
        came = solve(product, g)
        pair = (
            isinstance(came, tuple | list) and len(came) == 2
        )  # (s, the number of products) will do
        s = came[0] if pair else came
        compare(s, np.linalg.solve(H, g), {"size": size}, "H⁻¹g is", rtol=1e-7, atol=1e-8)
        words = (
            f"at size {size}: yours takes {len(calls)} products, and {most} are more than enough"
        )
        demand(len(calls) <= most, f"{words}: a whole H is never needed")
    return "three systems, up to 200 equations with a dozen products"


@asks(function("z, t"), "the gradient with respect to z", example="lambda z, t: z")
def ex_05_softmax(gradient: Callable) -> str:
    """pᵢ = 1 / Σⱼ exp(zⱼ − zᵢ), which no large score breaks."""
    rng = np.random.default_rng(7)
    batches = [(rng.normal(size=(5, 3)), np.array([0, 2, 1, 1, 0]))]
    batches += [(np.array([[0.0, top]]), np.array([0])) for top in (200.0, 800.0, -800.0)]
    for z, t in batches:
        with np.errstate(over="ignore"):
            p = 1 / np.exp(z[:, None, :] - z[:, :, None]).sum(axis=2)
        wanted = p - np.eye(z.shape[1])[t]
        with np.errstate(all="ignore"):
            came = gradient(z.copy(), t.copy())
        compare(came, wanted, {"z": z, "t": t}, "probabilities minus the true class are")
    return f"{len(batches)} batches, with scores up to 800"


@asks(function("product, n"), "the tridiagonal matrix J", example="lambda product, n: np.eye(n)")
def problem_05_bands(f: Callable) -> str:
    """A tridiagonal J (n, n) from at most three products J v, whatever n is."""
    rng = np.random.default_rng(8)
    for n in [1, 2, 3, 4, 5, 9, 50]:
        J = np.triu(np.tril(rng.normal(size=(n, n)), 1), -1)
        product, calls = counted(J)
        compare(f(product, n), J, {"n": n}, "J is", what="your matrix")
        demand(len(calls) <= 3, f"at n = {n}: yours takes {len(calls)} products, three are allowed")
    return "seven sizes up to 50, three products each"
