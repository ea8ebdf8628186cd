"""Part III: networks inside differential equations.

problem.py        Box, Condition, Unknown, Problem: an equation as a declaration
checks.py         check, and all that fit looks at before it trains
networks.py       MLP, Fourier, Siren: smooth, scaled to the domain
objective.py      Trial, Objective: what is trained, and its loss, term by term; Causal weights
recipes.py        RECIPES: settings that reach six digits in seconds
training.py       fit: the loop over stages, and all around it; History
stages.py         Adam, LBFGS
compiled.py       whole steps of Adam as one compiled graph
gauss_newton.py   GaussNewton, the stage that takes a small network to six digits
oscillator.py     y″ + y = 0: oscillator
poisson.py        −Δu = f: poisson_interval, poisson_square, poisson_lshape; LShape
sir.py            an epidemic: Epidemic, sir and sir_inverse, with SciPy's solution as reference
"""

from companion._project import require

require(__name__, "pinn", "scipy", "torch", "tqdm")

from companion.pinn.checks import check
from companion.pinn.gauss_newton import GaussNewton
from companion.pinn.networks import MLP, Fourier, Siren
from companion.pinn.objective import Causal
from companion.pinn.problem import Box, Condition, Problem, Unknown
from companion.pinn.stages import LBFGS, Adam
from companion.pinn.training import History, fit

__all__ = [
    "LBFGS",
    "MLP",
    "Adam",
    "Box",
    "Causal",
    "Condition",
    "Fourier",
    "GaussNewton",
    "History",
    "Problem",
    "Siren",
    "Unknown",
    "check",
    "fit",
]
