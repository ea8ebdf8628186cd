"""The SIR epidemic, S′ = −β S I, I′ = β S I − γ I: forward, in two sets of variables, and inverse.

S and I are fractions of the population, t is in days, β and γ are rates per day; R = 1 − S − I
needs no equation. There is no closed form: the reference is SciPy's DOP853 at rtol 1e-12, carried
to torch by a Chebyshev series, so that it can be differentiated. Chapters 16 and 17.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import torch
from numpy.polynomial.chebyshev import Chebyshev
from scipy.integrate import OdeSolution, solve_ivp
from torch import Tensor

from companion.operators import Partials
from companion.pinn import Box, Condition, Problem, Unknown

Numbers: TypeAlias = Sequence[float] | np.ndarray | Tensor


@dataclass(frozen=True)
class Epidemic:
    """β and γ in 1/day, the share infected at the start, and the length in days.

    >>> round(Epidemic().reproduction, 6)
    3.0
    """

    beta: float = 0.3
    gamma: float = 0.1
    infected: float = 0.01
    days: float = 160.0

    def __post_init__(self) -> None:
        if not (min(self.beta, self.gamma, self.days) > 0 and 0 < self.infected < 1):
            raise ValueError(
                f"expected rates and days above 0, infected between 0 and 1; got {self}"
            )

    @property
    def reproduction(self) -> float:
        """R₀ = β / γ: how many one case infects."""
        return self.beta / self.gamma

    @property
    def start(self) -> tuple[float, float]:
        """(S, I) at t = 0."""
        return 1 - self.infected, self.infected

    def rates(self, t: float, y: np.ndarray) -> tuple[float, float]:
        """(S′, (ln I)′), for SciPy; in the logarithm I keeps its digits when it is small."""
        s, log_i = y
        return -self.beta * s * np.exp(log_i), self.beta * s - self.gamma

    def solve(self, times: Sequence[float] | np.ndarray, log: bool = False) -> np.ndarray:
        """SciPy's dense (S, I), or (S, ln I), at times (k,): (2, k).

        Raises ValueError for a time before the start or after the last day.
        """
        s, log_i = dense(self)(self.within(times))
        return np.stack([s, log_i if log else np.exp(log_i)])

    def within(self, times: Sequence[float] | np.ndarray) -> np.ndarray:
        """Times (k,) as an array, if all lie in [0, days]."""
        times = np.asarray(times, dtype=float)
        if not ((times >= 0) & (times <= self.days)).all():
            raise ValueError(
                f"this epidemic runs from day 0 to {self.days:g}; got times from {times.min():g} to "
                f"{times.max():g}. A longer one is Epidemic(days=...)"
            )
        return times


@lru_cache
def dense(epidemic: Epidemic) -> OdeSolution:
    """SciPy's t (k,) → (S, ln I) (2, k), integrated once for each epidemic."""
    start = (1 - epidemic.infected, np.log(epidemic.infected))
    days = 0, epidemic.days
    return solve_ivp(
        epidemic.rates, days, start, "DOP853", dense_output=True, rtol=1e-12, atol=1e-14
    ).sol


def reference(epidemic: Epidemic, log: bool = False) -> Callable[[Tensor], Tensor]:
    """t (n, 1) → (S, I), or (S, ln I), as a torch function of t, to about 1e-11.

    t lies in [0, days]: beyond, the series means nothing. Raises ValueError when a series of degree
    2048 does not resolve the epidemic.

    >>> u = reference(Epidemic())
    >>> [round(share, 6) for share in u(torch.zeros(1, 1).double())[0].tolist()]
    [0.99, 0.01]

    Source: Trefethen, *Approximation theory and approximation practice* (2013); chapter 16.
    """
    for degree in (256, 512, 1024, 2048):
        series = [
            Chebyshev.interpolate(
                lambda t, k=k: epidemic.solve(t, log)[k], degree, (0, epidemic.days)
            ).coef
            for k in (0, 1)
        ]
        if all(np.abs(c[-9:]).max() < 1e-11 * np.abs(c).max() for c in series):
            break
    else:
        raise ValueError(
            f"{epidemic} is too sharp for a series of degree {degree}; take fewer days"
        )
    series = [torch.from_numpy(without_noise(c)) for c in series]

    def evaluate(t: Tensor) -> Tensor:
        x = 2 * t / epidemic.days - 1
        return torch.cat([clenshaw(coefficients.to(t), x) for coefficients in series], 1)

    return evaluate


def without_noise(coefficients: np.ndarray) -> np.ndarray:
    """The series up to its last coefficient above rounding: a derivative would magnify the rest."""
    size = np.abs(coefficients)
    return coefficients[: np.flatnonzero(size > 1e-13 * size.max())[-1] + 1]


def clenshaw(coefficients: Tensor, x: Tensor) -> Tensor:
    """Σₖ cₖ Tₖ(x) by Clenshaw's recurrence: b ← cₖ + 2 x b₁ − b₂."""
    b, after = torch.zeros_like(x), torch.zeros_like(x)
    for c in coefficients[1:].flip(0):
        b, after = c + 2 * x * b - after, b
    return coefficients[0] + x * b - after


def sir(epidemic: Epidemic | None = None, log: bool = True, tau: float = 10.0) -> Problem:
    """The forward problem for u = (S, I), or (S, ln I) with log, the start built in.

    The ansatz is u = u₀ + (1 − e^{−t/τ}) n(t). In the variables (S, I) the constant (1, 0) leaves
    almost no residual, and training falls into it; with ln I it is not there (chapter 16).

    >>> from companion.pinn import check
    >>> check(sir(), tolerance=1e-9)["equation"] < 1e-9
    True

    Source: Kermack and McKendrick, *A contribution to the mathematical theory of epidemics* (1927);
    chapter 16.
    """
    epidemic = epidemic or Epidemic()
    return Problem(
        domain=Box(t=(0.0, epidemic.days), units={"t": "days"}),
        residual=lambda u, t: equations(u, epidemic.beta, epidemic.gamma, log),
        ansatz=_from_start(epidemic, log, tau),
        exact=reference(epidemic, log),
        outputs=2,
    )


def equations(u: Partials, beta: float | Tensor, gamma: float | Tensor, log: bool) -> Tensor:
    """The residuals of S and I, (n, 2); for ln I the second is divided by I."""
    s, i = u()[:, :1], u()[:, 1:]
    ds, di = u(0)[:, :1], u(0)[:, 1:]
    if log:
        return torch.cat([ds + beta * s * torch.exp(i), di - beta * s + gamma], 1)
    return torch.cat([ds + beta * s * i, di - beta * s * i + gamma * i], 1)


def _from_start(epidemic, log, tau):
    s, i = epidemic.start

    def ansatz(t: Tensor, n: Tensor) -> Tensor:
        first = torch.tensor([s, np.log(i) if log else i], dtype=t.dtype, device=t.device)
        return first + (1 - torch.exp(-t / tau)) * n

    return ansatz


def sir_inverse(
    times: Numbers,
    infected: Numbers,
    sigma: float,
    epidemic: Epidemic | None = None,
    susceptible: Numbers | None = None,
    weight: float = 100.0,
    guess: tuple[float, float] = (0.4, 0.2),
) -> Problem:
    """β and γ from measured I (k,), and S if there is any, at times (k,), with known noise σ.

    The variables are (S, ln I). The loss is the mean of |data − I|² plus weight times that of the
    equations, both in units of σ²: a smaller weight lets the curve follow the noise, a larger one
    takes more steps. epidemic gives the start, the length and the truth to compare with. β and γ
    have no bounds: behind γ > 0 stands γ = eᶿ, and a first step to a tiny γ comes back late or never.

    >>> days = np.linspace(0, 60, 25)
    >>> ill = Epidemic(days=60).solve(days)[1]
    >>> problem = sir_inverse(days, ill, sigma=0.01, epidemic=Epidemic(days=60))
    >>> {name: unknown.guess for name, unknown in problem.unknowns.items()}
    {'beta': 0.4, 'gamma': 0.2}

    Source: chapter 17.
    """
    epidemic = epidemic or Epidemic()
    t = torch.as_tensor(times, dtype=torch.float64).reshape(-1, 1)
    seen = {"infected": (infected, lambda u, t: torch.exp(u()[:, 1:]))}
    if susceptible is not None:
        seen["susceptible"] = (susceptible, lambda u, t: u()[:, :1])
    data = tuple(
        Condition(name, t, torch.as_tensor(y).double().reshape(-1, 1), of, sigma=sigma)
        for name, (y, of) in seen.items()
    )

    def residual(u: Partials, t: Tensor, beta: Tensor, gamma: Tensor) -> Tensor:
        return weight**0.5 / sigma * equations(u, beta, gamma, log=True)

    return Problem(
        domain=Box(t=(0.0, epidemic.days), units={"t": "days"}),
        residual=residual,
        conditions=data,
        ansatz=_from_start(epidemic, True, 10.0),
        exact=reference(epidemic, log=True),
        unknowns={
            "beta": Unknown(guess[0], truth=epidemic.beta),
            "gamma": Unknown(guess[1], truth=epidemic.gamma),
        },
        outputs=2,
    )
