"""Part III: networks inside differential equations.

domain.py         Box: the domain, and points in it and on its faces
conditions.py     Start, Dirichlet, Neumann, Periodic: hard conditions by name
forms.py          u = G + D n: the ansatz that they make
unknowns.py       Unknown, Field: a number, a function that is to be found
problem.py        Condition, Problem: an equation as a declaration
integrals.py      Integral: a norm, a mass, a kernel, by a quadrature that is given once
residuals.py      residuals(problem, params, batch): the only evaluation there is
checks.py         check, and all that fit looks at before it trains
strangers.py      parameters that a term uses and nobody trains
differences.py    the derivatives of a reference that leaves torch
units.py          scaled: sizes far from 1, found and taken away
interfaces.py     where a coefficient jumps and nothing ties the flux
doubts.py         u outside the box, an equation that holds at its points alone
missing.py        a condition that was forgotten
networks.py       MLP, Fourier, Siren: smooth, scaled to the domain
spreads.py        spread_of: how steep its first layer should be along each axis
batches.py        Batches, sampled, refined, grown: where the points come from
trial.py          Trial, Objective: what is trained, as one vector θ, and its loss; Causal weights
stages.py         what a stage is; LBFGS
adam.py           Adam
compiled.py       whole steps of Adam as one compiled program
levenberg_marquardt.py   LevenbergMarquardt, the stage that takes a small network to six digits
linearise.py      the residuals and their Jacobian, point by point
outer_products.py  the same where a network is wide, the Jacobian never written
state.py          State: everything that a fit is at a step; on disk a checkpoint
files.py          what is kept on disk, whole or not at all
arguments.py      what an argument must be
loop.py           run: the loop, as one can see it
training.py       fit: run with its usual parts
windows.py        march: one time window after another
starts.py         the start of a window in space, as a sum of ramps
processes.py      one fit on several processes: shares, and sums over all
train.py          a fit from the command line, for torchrun
parts.py          the parts: stop on NaN, record, progress, checkpoint
estimates.py      Estimate: what the data know of the unknowns
profiles.py       Profile: the same without a parabola
solution.py       Solution, History: what comes back
"""

import warnings
from typing import Any

from companion._project import require

require(__name__, "pinn", "scipy", "torch", "tqdm")

from companion.pinn.adam import Adam
from companion.pinn.batches import Batches, grown, refined, sampled
from companion.pinn.checks import check
from companion.pinn.conditions import Dirichlet, Neumann, Periodic, Start
from companion.pinn.domain import Box
from companion.pinn.estimates import Estimate
from companion.pinn.integrals import Integral
from companion.pinn.levenberg_marquardt import LevenbergMarquardt
from companion.pinn.loop import run
from companion.pinn.networks import MLP, Fourier, Siren
from companion.pinn.problem import Condition, Problem
from companion.pinn.profiles import Profile
from companion.pinn.residuals import batch_of, residuals
from companion.pinn.solution import History, Solution
from companion.pinn.spreads import spread_of
from companion.pinn.stages import LBFGS
from companion.pinn.training import fit
from companion.pinn.trial import Causal
from companion.pinn.units import scaled
from companion.pinn.unknowns import Field, Unknown
from companion.pinn.windows import march

__all__ = [
    "LBFGS",
    "MLP",
    "Adam",
    "Batches",
    "Box",
    "Causal",
    "Condition",
    "Dirichlet",
    "Estimate",
    "Field",
    "Fourier",
    "History",
    "Integral",
    "LevenbergMarquardt",
    "Neumann",
    "Periodic",
    "Problem",
    "Profile",
    "Siren",
    "Solution",
    "Start",
    "Unknown",
    "batch_of",
    "check",
    "fit",
    "grown",
    "march",
    "refined",
    "residuals",
    "run",
    "sampled",
    "scaled",
    "spread_of",
]


def __getattr__(name: str) -> Any:
    """GaussNewton, the name of LevenbergMarquardt until 2026, for one release."""
    if name == "GaussNewton":
        warnings.warn(
            "GaussNewton is called LevenbergMarquardt now, and each of its steps is one try",
            DeprecationWarning,
            stacklevel=2,
        )
        return LevenbergMarquardt
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
