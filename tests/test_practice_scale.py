"""The exercises of chapters 18 to 19, solved wrong and right; each wrong answer is the tempting one."""

import math
from itertools import pairwise
from statistics import median

import numpy as np
import torch
from scipy.integrate import solve_ivp

from companion.practice import check
from companion.problems import Epidemic


def says(label: str, answer: object) -> str:
    return str(check(label, answer))


# ---------------------------------------------------------------- chapters 18 and 18b


def test_18_equal() -> None:
    def slower(error, seconds, errors, times):
        good = [t for e, t in zip(errors, times) if e <= error]
        return seconds / min(good) if good else 0.0

    fastest = lambda error, seconds, errors, times: seconds / min(times)
    best = lambda error, seconds, errors, times: seconds / times[int(np.argmin(errors))]
    assert check("ex-18-equal", slower)
    strictly = lambda error, *rest: slower(error * (1 - 1e-9), *rest)
    for wrong, factor in {fastest: 10000, best: 4, strictly: 1000}.items():
        assert f"your answer is {factor}, against the cheapest run that" in says(
            "ex-18-equal", wrong
        )


def errors_of(method: str, atol) -> list[float]:
    ill, t = Epidemic(), np.linspace(0, 160, 400)
    exact, found = ill.solve(t, log=True), []
    for rtol in (1e-4, 1e-6, 1e-8):
        start = (0.99, math.log(0.01))
        run = solve_ivp(ill.rates, (0, 160), start, method, t, rtol=rtol, atol=atol(rtol))
        found.append(np.linalg.norm(run.y - exact) / np.linalg.norm(exact))
    return found


def test_18_row() -> None:
    solvers = "RK23", "RK45", "LSODA"
    rows = {method: errors_of(method, lambda rtol: rtol / 1000) for method in solvers}
    assert check("ex-18-row", rows | {"weak": "RK23"})
    assert "LSODA asks for the rates 275 times" in says("ex-18-row", rows | {"weak": "LSODA"})
    as_scipy_has_it = {"RK45": errors_of("RK45", lambda rtol: 1e-6), "weak": "RK23"}
    assert "RK45 at rtol 1e-06: your error is 9e-07, 3" in says("ex-18-row", rows | as_scipy_has_it)


def test_18_steps() -> None:
    def of(runs, name, method):
        return [r for r in runs if (r["problem"], r["method"]) == (name, method)]

    def seconds(runs, name):
        (n, *_) = {r["n"] for r in of(runs, name, "Levenberg-Marquardt")}
        return n * median(r["seconds"][-1] / r["n"] for r in of(runs, name, "Adam"))

    assert check("ex-18-steps", seconds)
    all_that_it_had = lambda runs, name: median(r["seconds"][-1] for r in of(runs, name, "Adam"))
    assert "at name = line: your time is 19.3" in says("ex-18-steps", all_that_it_had)


def degree(d: int, unknowns: int, most: int = 120) -> int:
    return max(k for k in range(most + 1) if math.comb(d + k, k) <= unknowns)


def test_18_dimension() -> None:
    assert check("ex-18-dimension", degree)
    assert "d = 1, unknowns = 500: the degree is 499, counting" in says(
        "ex-18-dimension", lambda d, unknowns: degree(d, unknowns, 2000)
    )
    of_that_degree_only = lambda d, unknowns: degree(d - 1, unknowns)
    assert "counting the exponents gives" in says("ex-18-dimension", of_that_degree_only)


def gradients(load, d: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    draw = torch.Generator().manual_seed(7)
    x = (scale * torch.randn(30, d, generator=draw, dtype=torch.float64)).requires_grad_()
    (slope,) = torch.autograd.grad(load(x).sum(), x)
    return x.detach().numpy(), slope.numpy()


def test_18_direction() -> None:
    def find(load, d):
        M = np.zeros((d, d))
        for pair in zip(*gradients(load, d, 0.2)):
            Q, _ = np.linalg.qr(np.stack(pair, 1))
            M += np.eye(d) - Q @ Q.T
        return np.linalg.eigh(M)[1][:, 0]

    assert check("ex-18-direction", find)
    twice = lambda load, d: 2 * find(load, d)
    assert "a unit vector is asked, and yours is 2 long" in says("ex-18-direction", twice)
    without_x = lambda load, d: np.linalg.svd(gradients(load, d, 0.2)[1])[2][0]
    assert "at d = 10, with wave along the direction: yours is off by an angle of" in says(
        "ex-18-direction", without_x
    )
    assert "raises RuntimeError" in says("ex-18-direction", lambda load, d: load(torch.ones(2, 3)))


def by_harmonics(g, x, corner: bool = True):
    """Least squares on the edge for zᵏ and r^(2k/3) sin(2kθ/3): the first without a corner in it."""
    ends = np.array([(0, 0), (1, 0), (1, 1), (-1, 1), (-1, -1), (0, -1), (0, 0)], float)
    s = ((1 - np.cos(np.pi * np.arange(1, 80) / 80)) / 2)[:, None] ** 3
    edge = np.concatenate([a + s * (b - a) for a, b in pairwise(ends)])

    def basis(x):
        z, k = (x[:, :1] + 1j * x[:, 1:]) / 1.4, np.arange(31)
        angle = np.where(np.angle(z) < -1e-9, np.angle(z) + 2 * np.pi, np.angle(z))
        sharp = abs(z) ** (2 * k / 3) * np.sin(2 * k * angle / 3)
        return np.hstack([(z**k).real, (z**k).imag, sharp * corner])

    return basis(x) @ np.linalg.lstsq(basis(edge), g(edge), rcond=1e-13)[0]


def test_18_corner() -> None:
    assert check("problem-18-corner", by_harmonics)
    assert "with edge A: the relative error is 3.8e-02" in says(
        "problem-18-corner", lambda g, x: by_harmonics(g, x, corner=False)
    )
    assert "g knows u on the edge of the L only" in says("problem-18-corner", lambda g, x: g(x))
    assert "raises ValueError: g knows" in says("problem-18-corner", lambda g, x: g(x / 9))
    assert "u has the shape" in says("problem-18-corner", lambda g, x: by_harmonics(g, x)[:5])


def test_18b_samples() -> None:
    needed = lambda error, n, wanted: n * (error / wanted) ** 2
    right = {"needed": needed, "network": 6e16}  # as the page prints it
    assert check("ex-18b-samples", right)
    linear = right | {"needed": lambda error, n, wanted: n * error / wanted}
    assert "wanted = 0.005: your answer is 10240, four times the samples" in says(
        "ex-18b-samples", linear
    )
    assert "network: you say 6.0e+10. For the median error" in says(
        "ex-18b-samples", right | {"network": 6e10}
    )


def test_18b_plane() -> None:
    def at_the_centre(load, d):
        f = lambda x: load(x[None]).sum()
        H = torch.autograd.functional.hessian(f, torch.zeros(d, dtype=torch.float64)).numpy()
        found, vectors = np.linalg.eigh(H)
        return vectors[:, np.argsort(abs(found - np.median(found)))[-2:]]

    assert check("problem-18b-plane", at_the_centre)
    main = lambda load, d: np.linalg.svd(gradients(load, d, 0.1)[1])[2][:2].T
    assert "at d = 10: a hidden direction leaves your plane by" in says("problem-18b-plane", main)
    assert "not orthonormal, by 3e+00" in says(
        "problem-18b-plane", lambda load, d: 2 * at_the_centre(load, d)
    )
    assert "yours has the shape (10,), and (10, 2) is expected" in says(
        "problem-18b-plane", lambda load, d: np.eye(d)[0]
    )


# ---------------------------------------------------------------- chapter 19


def test_19_amdahl() -> None:
    gain = lambda repeated, p: 1 / (repeated + (1 - repeated) / p)
    right = {"gain": gain, "most": lambda repeated: 1 / repeated}
    assert check("ex-19-amdahl", right)
    no_share = {"gain": lambda repeated, p: p * (1 - repeated)}
    assert "at repeated = 0.1, p = 4: your answer is 3.6, a step of 1000 s" in says(
        "ex-19-amdahl", right | no_share
    )
    of_64 = {"most": lambda repeated: gain(repeated, 64)}
    assert "at repeated = 0.1: your bound is 8.76712, where only what is repeated takes" in says(
        "ex-19-amdahl", right | of_64
    )


def test_19_share() -> None:
    def message(p, N, latency, number):
        return latency * math.log2(p) + number * N * 2 * (p - 1) / p

    assert check("ex-19-share", lambda p, N, a, b, each: 9 * message(p, N, a, b) / each)
    assert "messages take 9.1% of the step: fewer points would do" in says(
        "ex-19-share", lambda p, N, a, b, each: 10 * message(p, N, a, b) / each
    )
    one_message_of_two = lambda p, N, a, b, each: 9 * (a + b * N) / each
    assert "points messages take 39.4% of the step" in says("ex-19-share", one_message_of_two)


def test_19_qr() -> None:
    assert check("ex-19-qr", lambda factors: torch.linalg.qr(torch.cat(factors)).R)
    assert "RᵀR of yours is off by 88% of JᵀJ" in says("ex-19-qr", sum)
    sizes_alone = lambda factors: torch.diag(torch.linalg.svdvals(torch.cat(factors)))
    assert "RᵀR of yours is off by" in says("ex-19-qr", sizes_alone)
    damped = lambda factors: (
        torch.linalg.cholesky(sum(R.T @ R for R in factors) + 1e-6 * torch.eye(len(factors[0]))).T
    )
    assert "where J has the condition 1e+05: a singular value of yours is off" in says(
        "ex-19-qr", damped
    )
    squared = lambda factors: torch.linalg.cholesky(sum(R.T @ R for R in factors)).T
    assert says("ex-19-qr", squared).startswith(
        "not yet: at factors = numbers of the shape (4, 6, 6): your function raises _LinAlgError"
    )
    assert "is not upper triangular" in says("ex-19-qr", lambda factors: squared(factors).T)
    assert "yours has the shape (20, 5), and (5, 5)" in says("ex-19-qr", torch.cat)


def by_trying(work, sizes, a, b):
    """The best cut, one layer at a time: the end of each prefix, and the counts that reach it."""
    layers, best = len(work), {0: (0.0, [])}
    done = np.cumsum([0.0, *work])
    for end in range(1, layers + 1):
        best[end] = min(
            (max(best[k][0], done[end]) + a + b * sum(sizes[k:end]), [*best[k][1], end - k])
            for k in range(end)
        )
    return best[layers][1]


def test_19_buckets() -> None:
    assert check("problem-19-buckets", by_trying)
    for cut, words in [
        (lambda work, *rest: [len(work)], "with 6 layers, a = 0 s, b = 0.001 s: your step ends"),
        (lambda work, *rest: [1] * len(work), "with 6 layers, a = 1 s, b = 0.001 s: your step"),
        (lambda work, *rest: [2, 2], "is no list of counts, each 1 or more, with the sum 6"),
    ]:
        assert words in says("problem-19-buckets", cut)
