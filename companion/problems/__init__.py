"""Problems of Part III, declared: each with a solution that was found in another way.

oscillator.py       y″ + y = 0: oscillator
poisson.py          −Δu = f: poisson_interval, poisson_square, poisson_lshape; LShape
sir.py              an epidemic: Epidemic, sir and sir_inverse, with SciPy's solution as reference
boarding_school.py  an epidemic that happened: boarding_school, and its readings
gallery.py          GALLERY: standard problems of the field and the settings that solve them; they are declared in
                    burgers.py, waves.py, reactions.py, systems.py and closed.py
solved.py           references by classical solvers
recipes.py          RECIPES: settings that reach six digits in seconds
"""

from companion.problems.boarding_school import boarding_school
from companion.problems.oscillator import oscillator
from companion.problems.poisson import LShape, poisson_interval, poisson_lshape, poisson_square
from companion.problems.sir import Epidemic, reference, sir, sir_inverse

__all__ = [
    "Epidemic",
    "LShape",
    "boarding_school",
    "oscillator",
    "poisson_interval",
    "poisson_lshape",
    "poisson_square",
    "reference",
    "sir",
    "sir_inverse",
]
