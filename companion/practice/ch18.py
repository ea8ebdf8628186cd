"""Chapters 18 and 18b, the scoreboard: fair rules, the cost of a step, degrees, and a hidden direction."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.integrate import solve_ivp
from torch import Tensor

from companion.practice.answers import asks, function, numbers_of, one_of, parts
from companion.practice.verdicts import compare, demand, numbers
from companion.problems import Epidemic

TOLERANCES = 1e-4, 1e-6, 1e-8


@asks(
    function("error, seconds, errors, times"),
    "how many times slower the network is at equal error, 0 where no run is as accurate",
    example="lambda error, seconds, errors, times: seconds / min(times)",
)
def ex_18_equal(slower: Callable) -> str:
    """seconds / min {times of the runs with errors ≤ error}, and 0 where there is none; for four networks."""
    errors, times = [1e-9, 3e-2, 2e-6, 4e-4, 3e-8], [0.5, 0.0002, 0.004, 0.001, 0.002]
    for network in (1e-3, 1e-5, 1e-11, 4e-4):
        cheapest = math.inf
        for error, spent in zip(errors, times):
            if error <= network and spent < cheapest:
                cheapest = spent
        at = {"error": network, "seconds": 2.0, "errors": errors, "times": times}
        said = "against the cheapest run that is no less accurate it is"
        exact = 2.0 / cheapest  # 0, if no run is as accurate
        compare(slower(network, 2.0, errors, times), exact, at, said, rtol=1e-6)
    return "four networks against five runs, one of them more accurate than all, one as accurate as a run"


ERRORS = numbers_of("at rtol 1e-4", "1e-6", "1e-8")


@asks(
    parts(RK23=ERRORS, RK45=ERRORS, LSODA=ERRORS, weak=one_of("RK23", "RK45", "LSODA")),
    example='{"RK23": (1e-4, 1e-6, 1e-8), "RK45": ..., "LSODA": ..., "weak": "LSODA"}',
)
def ex_18_row(rows: dict) -> str:
    """Nine relative errors in (S, ln I), each within a factor of 3 of ours; weak needs the most calls of the rates."""
    ill = Epidemic()
    t = np.linspace(0, ill.days, 1000)
    exact, calls = ill.solve(t, log=True), {}
    for method in ("RK23", "RK45", "LSODA"):
        for k, rtol in enumerate(TOLERANCES):
            start, options = (0.99, math.log(0.01)), {"rtol": rtol, "atol": 1e-3 * rtol}
            run = solve_ivp(ill.rates, (0, ill.days), start, method, dense_output=True, **options)
            error = np.linalg.norm(run.sol(t) - exact) / np.linalg.norm(exact)
            demand(
                1 / 3 < rows[method][k] / error < 3,
                f"{method} at rtol {rtol:g}: your error is {rows[method][k]:.0e}, "
                f"{rows[method][k] / error:.2g} times what it is here: relative, in (S, ln I), with atol = rtol / 1000",
            )
            calls[method] = run.nfev
    weak = max(calls, key=lambda method: calls[method])
    words = f"{rows['weak']} asks for the rates {calls[rows['weak']]} times at rtol 1e-8; another solver needs more"
    demand(rows["weak"] == weak, words)
    second = sorted(calls.values())[-2]
    return f"nine errors, and {weak} asks for the rates {calls[weak]} times, the next one {second} times"


def table_of_runs() -> list[dict]:
    """Runs as the scoreboard stores them: three methods on two problems, the cost of a step drawn at random."""
    rng, runs = np.random.default_rng(2), []
    for problem in ("line", "ball"):
        made = (300, 120, 3000) if problem == "line" else (80, 120, 2000)
        for method, n in zip(("Levenberg-Marquardt", "Adam + L-BFGS", "Adam"), made):
            for seed in range(3):
                ends = n * rng.uniform(0.001, 0.03) * np.linspace(0.05, 1, 20)
                row = {"problem": problem, "method": method, "n": n, "seed": seed}
                runs.append(row | {"seconds": ends.tolist(), "error": (1 / ends).tolist()})
    return [runs[k] for k in rng.permutation(len(runs))]


@asks(
    function("runs, name"),
    "the seconds of Adam, for as many steps as Levenberg–Marquardt made; runs as in the stored table",
    example="lambda runs, name: 4.0",
)
def ex_18_steps(seconds: Callable) -> str:
    """n × median over the seeds of Adam's seconds per step, n the steps of Levenberg–Marquardt."""
    runs = table_of_runs()
    for name, steps in {"line": 300, "ball": 80}.items():
        adam = [
            r["seconds"][-1] / r["n"] for r in runs if (r["problem"], r["method"]) == (name, "Adam")
        ]
        exact = sorted(adam)[1] * steps
        said = f"at the median cost of a step, {steps} steps take"
        compare(seconds(runs, name), exact, {"name": name}, said, "your time", rtol=1e-6)
    return "two problems of a drawn table"


def affordable(d: int, unknowns: int) -> int:
    """The largest degree that so many unknowns buy, by counting the exponents, one variable at a time."""
    of_degree = np.eye(1, 122, dtype=object)[0]
    for _ in range(d):
        of_degree = np.cumsum(of_degree)
    return int(np.searchsorted(np.cumsum(of_degree).astype(float), unknowns, side="right")) - 1


@asks(
    function("d, unknowns"),
    "the largest total degree that has at most so many unknowns, and at most 120",
    example="lambda d, unknowns: int(unknowns ** (1 / d))",
)
def ex_18_dimension(degree: Callable) -> str:
    """The largest k ≤ 120 with C(d + k, k) ≤ unknowns, for six d and three numbers of unknowns."""
    for d in (1, 2, 3, 4, 6, 10):
        for unknowns in (500, 66, 1000):
            wanted = min(affordable(d, unknowns), 120)
            at = {"d": d, "unknowns": unknowns}
            compare(
                degree(d, unknowns),
                wanted,
                at,
                "counting the exponents gives",
                "the degree",
                rtol=0,
                atol=0,
            )
    return "six dimensions, three numbers of unknowns"


@dataclass(frozen=True)
class Load:
    """f = −Δ((1 − |x|²) q(b·x)) at points (n, d), where profile(s) gives q, q′, q″."""

    b: Tensor
    profile: Callable

    def __call__(self, x: Tensor) -> Tensor:
        s = x @ self.b
        q, q1, q2 = self.profile(s)
        return (-(1 - (x * x).sum(1)) * q2 + 4 * s * q1 + 2 * x.shape[1] * q)[:, None]

    def __repr__(self) -> str:
        return f"the load with {self.profile.__name__} along its direction"


def wave(s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """q = sin 3s + 1 and its first two derivatives."""
    return torch.sin(3 * s) + 1, 3 * torch.cos(3 * s), -9 * torch.sin(3 * s)


def bell(s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """q = e^(-4s²) and its first two derivatives."""
    q = torch.exp(-4 * s * s)
    return q, -8 * s * q, (64 * s * s - 8) * q


@asks(
    function("load, d"),
    "the hidden unit vector, up to its sign; load: points (n, d) → f (n, 1), in torch",
    example="lambda load, d: np.eye(d)[0]",
)
def ex_18_direction(find: Callable) -> str:
    """‖(I - bbᵀ) a‖ < 1e-8 ‖a‖ for three hidden unit vectors b."""
    for seed, (d, profile) in enumerate([(10, wave), (4, bell), (10, bell)]):
        b = np.random.default_rng(40 + seed).standard_normal(d)
        b /= np.linalg.norm(b)
        found = numbers(find(Load(torch.from_numpy(b), profile), d))
        demand(
            found.shape == (d,),
            f"at d = {d}: yours has the shape {found.shape}, and ({d},) is expected",
        )
        length = float(np.linalg.norm(found))
        demand(
            abs(length - 1) < 1e-6,
            f"at d = {d}: a unit vector is asked, and yours is {length:.3g} long",
        )
        across = float(np.linalg.norm(found / np.linalg.norm(found) @ (np.eye(d) - np.outer(b, b))))
        demand(
            across < 1e-8,
            f"at d = {d}, with {profile.__name__} along the direction: yours is off by an angle of {across:.1e}",
        )
    return "three hidden directions"


@dataclass(frozen=True)
class Edge:
    """A function that is harmonic in the L, with its corner in it and a logarithm outside; asked on the edge only."""

    name: str
    c: float

    def __repr__(self) -> str:
        return self.name

    def inside(self, x: np.ndarray) -> np.ndarray:
        """At points (n, 2) of the L: (n,)."""
        r, angle = np.hypot(x[:, 0], x[:, 1]), np.arctan2(x[:, 1], x[:, 0])
        angle = np.where(angle < -1e-9, angle + 2 * math.pi, angle)
        corner = r ** (2 / 3) * np.sin(2 * angle / 3) - self.c * r ** (4 / 3) * np.sin(
            4 * angle / 3
        )
        return corner + self.c * np.log(np.hypot(x[:, 0] - 2.5, x[:, 1] + 2))

    def __call__(self, x: Any) -> np.ndarray:
        a, b = np.asarray(x, dtype=float).reshape(-1, 2).T
        outer = np.maximum(abs(a), abs(b)) - 1
        inner = np.where((a > -1e-9) & (b < 1e-9), np.minimum(abs(a), abs(b)), np.inf)
        if (outer > 1e-9).any() or (np.minimum(abs(outer), inner) > 1e-9).any():
            raise ValueError("g knows u on the edge of the L only, and was asked for another point")
        return self.inside(np.stack([a, b], 1))


@asks(
    function("g, x"),
    "u at points x (n, 2) of the L, in NumPy; g: points of its edge (n, 2) → u (n,)",
    example="lambda g, x: 0 * x[:, 0]",
)
def problem_18_corner(solve: Callable) -> str:
    """‖u - exact‖/‖exact‖ < 1e-6 at points drawn in the L, for three harmonic functions known on its edge."""
    x = np.random.default_rng(3).uniform(-1, 1, (200, 2))
    x = x[(x[:, 0] < 0) | (x[:, 1] > 0)]
    for edge in (Edge("edge A", 0.0), Edge("edge B", 1.0), Edge("edge C", -0.4)):
        found, exact = numbers(solve(edge, x)), edge.inside(x)
        demand(
            found.shape == exact.shape,
            f"u has the shape {found.shape}, and {exact.shape} is expected",
        )
        error = float(np.linalg.norm(found - exact) / np.linalg.norm(exact))
        demand(
            error < 1e-6,
            f"with {edge}: the relative error is {error:.1e}, and should be below 1e-6",
        )
    return "three edges, each with an error below 1e-6"
