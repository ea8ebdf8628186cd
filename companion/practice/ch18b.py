"""Chapter 18b, ten dimensions: the samples that chance needs, and a plane instead of a line."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch
from torch import Tensor

from companion.data import stored
from companion.practice.answers import NUMBER, asks, function, parts
from companion.practice.verdicts import compare, demand, numbers


def for_the_network() -> float:
    """The samples a point for the network's error, from the stored runs: the ratio of the errors, twice."""
    runs, chance = stored("scoreboard"), ("ball", "Monte Carlo")
    row = [r for r in runs["classical"] if (r["problem"], r["method"]) == chance][-1]
    ours = [r for r in runs["networks"] if r["problem"] == "ball"]
    wanted = median(r["error"][-1] for r in ours if r["method"] == "Levenberg-Marquardt")
    return row["size"] * row["error"] / wanted * row["error"] / wanted


@asks(
    parts(needed=function("error, samples, wanted"), network=NUMBER),
    "how many samples a point Monte Carlo needs for the error `wanted`, and for the network's",
    example='{"needed": lambda error, samples, wanted: samples * error / wanted, "network": 1e6}',
)
def ex_18b_samples(answer: dict) -> str:
    """samples · (error/wanted)², to one per cent, for four errors; the network's within a factor of 1.5."""
    needed = answer["needed"]
    for error, samples, wanted in [
        (0.05, 1024, 0.05),
        (0.05, 1024, 0.005),
        (0.05, 1024, 4e-10),
        (0.2, 16, 0.4),
    ]:
        at = {"error": error, "samples": samples, "wanted": wanted}
        exact = samples * np.exp(2 * np.log(error / wanted))
        said = "four times the samples halve the error, so it is"
        compare(needed(error, samples, wanted), exact, at, said, rtol=0.01)
    exact, yours = for_the_network(), answer["network"]
    demand(
        2 / 3 < yours / exact < 1.5,
        f"network: you say {yours:.1e}. For the median error of Levenberg–Marquardt, from the stored run of Monte "
        f"Carlo with the most samples, it is {yours / exact:.1e} times what is needed",
    )
    return "four errors, and that of the network"


@dataclass(frozen=True)
class Load:
    """f = −Δ((1 − |x|²) q(Bᵀx)) with q(s, t) = sin(2 s + 1) e^(−t²) + s t, at points (n, d)."""

    B: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        s, t = (x @ self.B).T
        wave, slope, bell = torch.sin(2 * s + 1), 2 * torch.cos(2 * s + 1), torch.exp(-t * t)
        q = wave * bell + s * t
        along = s * (slope * bell + t) + t * (s - 2 * t * wave * bell)
        laplacian = (4 * t * t - 6) * wave * bell
        return (-(1 - (x * x).sum(1)) * laplacian + 4 * along + 2 * x.shape[1] * q)[:, None]

    def __repr__(self) -> str:
        return "the load of a hidden plane"


@asks(
    function("load, d"),
    "an orthonormal basis (d, 2) of the plane of the hidden directions; load: points (n, d) → f (n, 1), in torch",
    example="lambda load, d: np.eye(d)[:, :2]",
)
def problem_18b_plane(find: Callable) -> str:
    """VᵀV = I to 1e-8, and ‖B - V VᵀB‖₂ < 1e-6 for three hidden orthonormal B (d, 2)."""
    for d, seed in ((10, 0), (5, 1), (12, 2)):
        B, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((d, 2)))
        V = numbers(find(Load(torch.from_numpy(B)), d))
        demand(
            V.shape == (d, 2),
            f"at d = {d}: yours has the shape {V.shape}, and ({d}, 2) is expected",
        )
        skew = np.abs(V.T @ V - np.eye(2)).max()
        demand(skew < 1e-8, f"at d = {d}: your columns are not orthonormal, by {skew:.0e}")
        off = np.linalg.norm(B - V @ (V.T @ B), 2)
        demand(bool(off < 1e-6), f"at d = {d}: a hidden direction leaves your plane by {off:.1e}")
    return "three planes, in five, ten and twelve dimensions"
