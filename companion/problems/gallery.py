"""GALLERY: standard problems of the field, each with the settings that solve it in a minute. The gallery.

>>> from companion.problems.gallery import GALLERY
>>> heat = GALLERY["heat, inverse"]
>>> D = heat.solve(heat.problem(), seed=0).unknowns["D"]
>>> abs(D - 0.1) < 3 * D.error
True
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from companion.pinn import (
    MLP,
    LevenbergMarquardt,
    Problem,
    Solution,
    fit,
    march,
    refined,
    scaled,
)
from companion.problems.burgers import burgers
from companion.problems.closed import beam, eigenvalue, heat_space, kovasznay, poisson_cube
from companion.problems.reactions import allen_cahn, gray_scott
from companion.problems.systems import (
    LORENZ,
    heat_inverse,
    lorenz_inverse,
    lotka_volterra,
    van_der_pol,
)
from companion.problems.waves import advection, helmholtz, wave

Solve: TypeAlias = Callable[[Problem, int], Solution]
Spread: TypeAlias = float | dict[str, float]


def trained(
    widths: tuple[int, ...], spread: Spread, steps: int, points: Any, **options: Any
) -> Solve:
    """The whole network by Levenberg–Marquardt, over the whole domain."""

    def solve(problem: Problem, seed: int) -> Solution:
        network = MLP(problem.domain, widths, problem.outputs, spread=spread, seed=seed)
        stages = [LevenbergMarquardt(steps)]
        return fit(problem, network, stages, points=points, seed=seed, progress=False, **options)

    return solve


def frozen(ramps: int, spread: Spread, points: int, steps: int = 6) -> Solve:
    """One layer of ramps that stay as they were drawn: the sum of them alone is fitted, by least squares."""

    def solve(problem: Problem, seed: int) -> Solution:
        network = MLP(problem.domain, (ramps,), problem.outputs, spread=spread, seed=seed)
        network.layers[0].requires_grad_(False)
        stages = [LevenbergMarquardt(steps, damping=1e-13, acceleration=0)]
        return fit(problem, network, stages, points=points, resample=0, seed=seed, progress=False)

    return solve


def marched(
    windows: int, widths: tuple[int, ...], spread: Spread, steps: int, points: Any
) -> Solve:
    """Window after window in time, the whole network by Levenberg–Marquardt in each."""

    def solve(problem: Problem, seed: int) -> Solution:
        def network_of(part: Problem) -> MLP:
            return MLP(part.domain, widths, part.outputs, spread=spread, seed=seed)

        stages = [LevenbergMarquardt(steps)]
        return march(problem, network_of, stages, windows, points=points, seed=seed, progress=False)

    return solve


@dataclass(frozen=True)
class Entry:
    """The error that is to be reached, a problem(), the settings that solve(problem, seed) it, and what
    was difficult, in a sentence.

    truth: the unknowns that are looked for, where a problem is solved for their sake.
    """

    reach: float
    problem: Callable[[], Problem]
    solve: Solve
    difficulty: str
    truth: dict[str, float] = field(default_factory=dict)

    def error(self, of_u: float, unknowns: Mapping[str, Any]) -> float:
        """‖u − u*‖ / ‖u*‖ as it was found; of a problem with a truth the largest |k / k* − 1|."""
        return max((abs(float(unknowns[n]) / k - 1) for n, k in self.truth.items()), default=of_u)


GALLERY = {
    "advection": Entry(
        1e-4,
        advection,
        frozen(800, {"t": 8.0, "x": 0.5}, 2500),
        "five waves in time, one in space: a ramp must be steeper along t",
    ),
    "wave": Entry(
        1e-5,
        wave,
        frozen(1200, {"t": 4.0, "x": 2.0}, 4000),
        "two frequencies, and a start that must not be felt too long",
    ),
    "Helmholtz": Entry(
        1e-5, helmholtz, frozen(800, 2.0, 2500), "waves of one length, and no time to march along"
    ),
    "Burgers": Entry(
        5e-5,
        burgers,
        trained((20, 20, 20), 1.0, 220, refined(burgers().domain, 2000, every=5)),
        "a thin layer that the points must find",
    ),
    "Allen-Cahn": Entry(
        1e-3,
        lambda: allen_cahn(weight=1000.0),
        marched(10, (24, 24), {"t": 1.0, "x": 6.0}, 70, 900),
        "a start with a kink, layers that sharpen, and a wrong solution near by, u = 0",
    ),
    "Gray-Scott": Entry(
        1e-4,
        gray_scott,
        marched(4, (20, 20), {"t": 1.0, "x": 6.0}, 40, 500),
        "two species, slow fronts, and a long time",
    ),
    "van der Pol, μ = 1": Entry(
        1e-6,
        lambda: van_der_pol(1.0),
        marched(30, (20,), 1.0, 80, 60),
        "many turns: an error of the phase stays",
    ),
    "van der Pol, μ = 5": Entry(
        1e-5, van_der_pol, marched(40, (20,), 1.0, 80, 60), "jumps between slow stretches"
    ),
    "Lotka-Volterra": Entry(
        1e-6, lotka_volterra, marched(30, (24,), 3.0, 90, 80), "four turns with sharp peaks"
    ),
    "Lorenz, inverse": Entry(
        1e-5,
        lorenz_inverse,
        trained((60,), 6.0, 400, 200),
        "three unknowns at once, from a far guess",
        LORENZ,
    ),
    "heat, inverse": Entry(
        1e-2,
        heat_inverse,
        trained((20,), 1.5, 60, 300),
        "noise: the bar counts, not the digits",
        {"D": 0.1},
    ),
    "beam": Entry(
        1e-7,
        lambda: scaled(beam()),
        trained((20,), 1.0, 400, 60),
        "the fourth derivative of a small solution",
    ),
    "Poisson, 5 dimensions": Entry(
        1e-5, poisson_cube, trained((60,), 1.0, 60, 1000), "ten faces, and no grid"
    ),
    "heat, 3 + 1 dimensions": Entry(
        1e-6, heat_space, trained((120,), 1.0, 120, 1500), "four axes, of which three have edges"
    ),
    "eigenvalue": Entry(
        1e-9,
        eigenvalue,
        trained((16,), 2.0, 400, 80),
        "a norm that is an integral, else u = 0",
        {"k": 1.0},
    ),
    "Kovasznay": Entry(
        1e-4, kovasznay, trained((40,), 2.0, 80, 500), "three unknown functions, no condition on p"
    ),
}
