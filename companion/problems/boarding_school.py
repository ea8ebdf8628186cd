"""An epidemic that happened: influenza among 763 boys in January 1978. Chapter 17b.

The readings were published as a drawing; read off it, they differ by a few boys from book to book.
These are those of de Vries and others. They count who was in bed, and who was convalescent: up, and
not yet back in class.

>>> int(IN_BED.max()), int(DAYS[IN_BED.argmax()])
(298, 6)

Source: *Influenza in a boarding school*, British Medical Journal 1 (4 March 1978), page 587; de Vries
et al., *A course in mathematical biology* (2006), chapter 9.
"""

import numpy as np
import torch
from torch import Tensor

from companion.operators import Partials
from companion.pinn import Box, Condition, Problem, Unknown
from companion.problems.sir import equations

BOYS, FELL_ILL = 763, 512
DAYS = np.arange(1.0, 15.0)  # day 1 is 22 January 1978
IN_BED = np.array([3.0, 8, 26, 76, 225, 298, 258, 233, 189, 128, 68, 29, 14, 4])
CONVALESCENT = np.array([0.0, 0, 0, 0, 9, 17, 105, 162, 176, 166, 150, 85, 47, 20])


def boarding_school(
    sigma: float = 18.0,
    weight: float = 100.0,
    guess: tuple[float, float, float] = (1.5, 0.5, 1.0),
) -> Problem:
    """β, γ and the number I₀ ill on day 0, from the boys in bed, as if bed and infectious were one.

    The variables are (S, ln I), as shares of N = 763; on day 0 S = 1 − I₀/N and ln I = ln(I₀/N). That
    start is a condition, since an ansatz knows no unknowns. I₀ > 0 is trained as its logarithm, in
    which the start is linear. The loss is the mean of (N I − in bed)²/σ² plus weight times that of the
    equations and of the start, both in units of σ/N. sigma: in boys; 18 is what least squares leaves.
    Nobody knows the truth: there is no exact solution. Raises ValueError for a sigma that is not
    positive, and for a guess of I₀ that is not.

    >>> {name: unknown.guess for name, unknown in boarding_school().unknowns.items()}
    {'beta': 1.5, 'gamma': 0.5, 'ill': 1.0}

    Source: chapter 17b.
    """
    share = sigma / BOYS

    def residual(u: Partials, t: Tensor, beta: Tensor, gamma: Tensor) -> Tensor:
        return weight**0.5 / share * equations(u, beta, gamma, log=True)

    def start(u: Partials, t: Tensor, ill: Tensor) -> Tensor:
        s, log_i = u()[:, :1], u()[:, 1:]
        return torch.cat([s - 1 + ill / BOYS, log_i - torch.log(ill / BOYS)], 1)

    days, in_bed = (torch.from_numpy(column)[:, None] for column in (DAYS, IN_BED))
    boys_ill = lambda u, t: BOYS * torch.exp(u()[:, 1:])
    origin = torch.zeros(1, 1, dtype=torch.float64)
    return Problem(
        domain=Box(t=(0.0, 14.0), units={"t": "days"}),
        residual=residual,
        conditions=(
            Condition("in_bed", days, in_bed, boys_ill, sigma=sigma),
            Condition("start", origin, 0.0, start, weight=weight / share**2),
        ),
        unknowns={
            "beta": Unknown(guess[0]),
            "gamma": Unknown(guess[1]),
            "ill": Unknown(guess[2], low=0.0),
        },
        outputs=2,
    )
