"""The figures that a reader moves, in a real browser: the numbers of Part III."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from companion.data import stored
from companion.problems import Epidemic
from tests.site import moving


def test_valley(figures: moving.Figures) -> None:
    states = [  # log10 of the condition number, rate times the largest eigenvalue, momentum, steps
        (1, 1, 0, 40),
        (2, 1.95, 0, 300),
        (1.5, 2.1, 0, 60),
        (2, 1, 0.9, 120),
        (3, 2.4, 0.5, 300),
        (0, 0.3, 0.99, 7),
    ]
    for condition, rate, momentum, k in states:
        seen = figures.shows("valley", condition=condition, rate=rate, momentum=momentum, step=k)
        eigenvalues = np.array([1.0, 1 / seen["kappa"]])
        assert seen["kappa"] == pytest.approx(10.0**condition, rel=1e-14)
        # a step is linear in (a, v): its power, applied to the start
        for n, eigenvalue in enumerate(eigenvalues):
            step = np.array([[1 - rate * eigenvalue, momentum], [-rate * eigenvalue, momentum]])
            a = np.linalg.matrix_power(step, k)[0, 0]
            assert seen["left"][n] == pytest.approx(a, rel=1e-10, abs=1e-13)
            if momentum == 0:
                assert seen["left"][n] == pytest.approx((1 - rate * eigenvalue) ** k, rel=1e-10)
            largest = np.abs(np.linalg.eigvals(step)).max()
            assert seen["factors"][n] == pytest.approx(largest, rel=1e-6)
        assert seen["diverges"] == (rate > 2 * (1 + momentum))
    for mu, k in ((0, 1), (-3, 1), (-6, 4), (-1, 30), (-2, 2)):
        seen = figures.shows("valley", method="damped", condition=2, mu=mu, step=k)
        eigenvalues = np.array([1.0, 1 / 100])
        assert seen["left"] == pytest.approx((10.0**mu / (eigenvalues + 10.0**mu)) ** k, rel=1e-12)
    assert figures.shows("valley", condition=3)["k90"] == pytest.approx(
        np.log(0.1) / np.log1p(-1e-3)
    )


END, BETA = 2 * np.pi, 4
SPACING = {"straight": 0.5, "smooth": 0.25}
BEND = {
    "straight": lambda x: np.maximum(x, 0),
    "smooth": lambda x: np.logaddexp(0, BETA * x) / BETA,
}


def second_difference(kind: str, x: np.ndarray, d: float) -> np.ndarray:
    """Of a column beside its knot, in a form that subtracts nothing; for d = 0 the second derivative."""
    smooth = 1 / (4 * np.cosh(BETA * x / 2) ** 2)
    if not d:
        return 0 * x if kind == "straight" else BETA * smooth
    if kind == "straight":
        return np.maximum(0, d - np.abs(x)) / d**2
    return np.log1p(4 * np.sinh(BETA * d / 2) ** 2 * smooth) / BETA / d**2


def test_second_differences_that_subtract_nothing() -> None:
    x = np.linspace(-3, 3, 101)
    for kind, f in BEND.items():
        for d in (0.1, 0.5, 2):
            quotient = (f(x + d) - 2 * f(x) + f(x - d)) / d**2
            assert second_difference(kind, x, d) == pytest.approx(quotient, abs=1e-12)
    quotient = (BEND["smooth"](x + 1e-3) - 2 * BEND["smooth"](x) + BEND["smooth"](x - 1e-3)) / 1e-6
    assert second_difference("smooth", x, 0) == pytest.approx(quotient, abs=1e-5)


def best_fit(kind: str, d: float, weight: float) -> tuple[float, float]:
    """Height and RMS error of the best f, as chapter 13 computes them: least squares over all columns."""
    t = np.linspace(-END, END, 200)[:, None]
    knots = np.arange(-END - 3.1, END + 3, SPACING[kind])
    A = np.concatenate([np.ones_like(t), t, BEND[kind](t - knots)], 1)
    B = np.concatenate([0 * t, 0 * t, second_difference(kind, t - knots, d)], 1)
    rows = np.concatenate([A, weight**0.5 * (A + B)])
    right = np.concatenate([np.sin(t), np.zeros_like(t)])
    f, sine = A @ np.linalg.lstsq(rows, right, rcond=1e-13)[0], np.sin(t)
    return float((f * sine).sum() / (sine**2).sum()), float(np.sqrt(np.mean((f - sine) ** 2)))


@pytest.mark.parametrize("kind", SPACING)
@pytest.mark.parametrize("way", ["exact", "difference"])
def test_flattened_sine(kind: str, way: str, figures: moving.Figures) -> None:
    for k, logd in ((-2.1, 0), (-1, -0.3), (0, -2), (0.5, -0.7), (1, 0.5), (2, -1.1)):
        seen = figures.shows("flattened-sine", k=k, logd=logd, kind=kind, way=way)
        d = 10.0**logd if way == "difference" else 0.0
        assert seen["weight"] == pytest.approx(0 if k < -2 else 10.0**k, rel=1e-14)
        wanted = best_fit(kind, d, seen["weight"])
        # smooth columns are dependent to rounding, so that the two methods drop different ones
        close = 1e-11 if kind == "straight" else 1e-7
        assert [seen["height"], seen["rms"]] == pytest.approx(wanted, abs=close)
        if kind == "straight" and way == "exact":
            whole = best_fit(kind, d, 0.0)[0]
            assert seen["height"] * (1 + seen["weight"]) == pytest.approx(whole, rel=1e-11)


def test_kinks_that_a_difference_sees(figures: moving.Figures) -> None:
    """For d ≤ Δ/2 the tents do not meet and κ = ⅔ Δ/d; for d = Δ they add up to a constant."""
    for logd in (-2, -1.5, -1, -0.7):
        seen = figures.shows("flattened-sine", logd=logd, way="difference")
        assert seen["kappa"] == pytest.approx(2 / 3 * 0.5 / 10.0**logd, rel=1e-12)
    fine = np.linspace(-8, 8, 160_001)[:-1]
    for logd in (-0.3, 0, 0.4):
        seen, d = figures.shows("flattened-sine", logd=logd, way="difference"), 10.0**logd
        tents = sum(np.maximum(0, 1 - np.abs(fine - knot) / d) for knot in np.arange(-12, 12, 0.5))
        middle = tents[np.abs(fine) < 3][:-1]
        assert seen["kappa"] == pytest.approx(np.mean(middle**2) / np.mean(middle) ** 2, rel=1e-3)


def late_epidemic(lam: float, infected: float, days: float, d: float) -> tuple[float, float]:
    """The losses of an epidemic that is late, in (S, I) and in (S, ln I), as chapter 16 computes the first."""
    gamma = lam / 4
    beta = lam + gamma
    flow = lambda s, i: np.array([-beta * s * i, beta * s * i - gamma * i])
    t = np.linspace(0, days, 6001)
    b = infected * (1 - np.exp(-lam * d))
    share = np.array([[beta / lam], [1]])
    start = np.array([1 - infected, infected]) - b * share[:, 0]
    options = {"t_eval": t, "rtol": 1e-11, "atol": 1e-14}
    y = solve_ivp(lambda t, y: flow(*y), (0, days), start, "DOP853", **options).y
    rest = b * np.exp(-lam * t) * share
    path, slope = y + rest, flow(*y) - lam * rest
    r = slope - flow(*path)
    weighed = np.stack([r[0], r[1] / path[1]])
    return tuple(float(np.trapezoid((one**2).sum(0), t) / days) for one in (r, weighed))


def test_plateau(figures: moving.Figures) -> None:
    states = [
        (4, -2, 0.4, 60, 1),
        (0.5, -2, 0.4, 60, 7),
        (32, -2, 0.4, 60, 60),
        (10, -3, 0.25, 120, 1),
        (20, -1, 1, 20, 10),
    ]
    for d, k, lam, days, unit in states:
        seen = figures.shows("plateau", d=d, k=k, days=days, unit=unit, **{"lambda": lam})
        infected = 10.0**k
        cost = 2 * lam * infected**2 / days * unit**2
        assert seen["price"] == pytest.approx(cost, rel=1e-13)
        assert seen["formula"] == pytest.approx(cost * (1 - np.exp(-lam * d)) ** 2, rel=1e-13)
        # trapezia of another width, h² apart: the integrand is smooth on the scale 1/λ
        apart = (lam * days / 3000) ** 2
        wanted = np.array(late_epidemic(lam, infected, days, d)) * unit**2
        assert [seen["loss"], seen["lossOfLog"]] == pytest.approx(wanted, rel=apart)
        if (k, days) == (-2, 60):  # as chapter 16 asserts
            assert seen["loss"] == pytest.approx(seen["formula"], rel=0.03)
    truth = figures.shows("plateau", d=0)
    assert truth["loss"] < 1e-25 and truth["lossOfLog"] < 1e-20
    reference = Epidemic(0.5, 0.1, infected=0.01, days=60).solve([60.0])[:, 0]
    assert [truth["last"]["S"], truth["last"]["I"]] == pytest.approx(reference, rel=1e-8)


def noise(seed: int, count: int) -> np.ndarray:
    """mulberry32, and Box and Muller."""
    mask, state, drawn = 0xFFFFFFFF, seed, []
    for _ in range(2 * count):
        state = (state + 0x6D2B79F5) & mask
        t = (state ^ (state >> 15)) * (state | 1) & mask
        t = ((t + ((t ^ (t >> 7)) * (t | 61) & mask)) & mask) ^ t
        drawn.append((t ^ (t >> 14)) / 2**32)
    u, v = np.array(drawn).reshape(count, 2).T
    return np.sqrt(-2 * np.log(1 - u)) * np.cos(2 * np.pi * v)


def march(beta: complex, gamma: complex, times: np.ndarray, substeps: int = 8) -> np.ndarray:
    """I at each time, as chapter 17 computes it, for rates of any kind."""
    rates = lambda s, i: (-beta * s * i, beta * s * i - gamma * i)
    s, i, t, path = 0.99, 0.01, 0.0, []
    for end in times:
        h = (end - t) / substeps
        for _ in range(substeps):
            a, b = rates(s, i)
            c, d = rates(s + h / 2 * a, i + h / 2 * b)
            e, f = rates(s + h / 2 * c, i + h / 2 * d)
            p, q = rates(s + h * e, i + h * f)
            s, i = s + h / 6 * (a + 2 * c + 2 * e + p), i + h / 6 * (b + 2 * d + 2 * f + q)
        t = end
        path.append(i)
    return np.array(path)


def test_ridge(figures: moving.Figures) -> None:
    states = [
        (60, 1, 0.5, 0.1),
        (8, 1, 0.6, 0.19),
        (8, 7, -0.5, -0.9),
        (25, 0, 0.3, -0.05),
        (14, 50, 0.7, 0.3),
    ]
    for days, seed, beta, gamma in states:
        seen = figures.shows("ridge", days=days, seed=seed, beta=beta, gamma=gamma)
        times = np.linspace(0, days, 31)[1:]
        data = march(0.5, 0.1, times) + 0.005 * noise(seed, 30)
        assert seen["seen"] == pytest.approx(data, rel=1e-12)
        chi2 = lambda pair: (((march(*pair, times) - data) / 0.005) ** 2).sum()
        assert seen["chi2"] == pytest.approx(chi2((beta, gamma)), rel=1e-11)
        assert (seen["mirror"] is None) == (days > 20)  # far above the first by then
        for name in ("best", "mirror") if days == 8 else ("best",):
            pair = np.array(seen[name]["pair"])
            moves = [np.array([1e-30j, 0]), np.array([0, 1e-30j])]
            J = np.stack([march(*(pair + move), times).imag / 1e-30 for move in moves], 1) / 0.005
            r = (march(*pair, times) - data) / 0.005
            C = np.linalg.inv(J.T @ J)
            step = C @ J.T @ r  # at a minimum another step of Gauss and Newton moves nothing
            assert np.abs(step).max() < 1e-8
            assert seen[name]["chi2"] == pytest.approx(chi2(pair), rel=1e-11)
            assert seen[name]["errors"] == pytest.approx(np.sqrt(np.diag(C)), rel=1e-8)
            rho = C[0, 1] / np.sqrt(C[0, 0] * C[1, 1])
            assert seen[name]["correlation"] == pytest.approx(rho, rel=1e-9)
    last = figures.shows("ridge", days=20)  # the last day on which the second valley is looked for
    assert last["mirror"]["chi2"] > last["best"]["chi2"] + 1000
    assert march(0.5, 0.1, np.linspace(0, 60, 31)[1:]) == pytest.approx(
        Epidemic(0.5, 0.1, infected=0.01, days=60).solve(np.linspace(0, 60, 31)[1:])[1], abs=1e-6
    )


@pytest.mark.parametrize(
    ("name", "runs"),
    [("oscillator", ("alone", "soft", "hard")), ("sir", ("late", "never", "log"))],
)
def test_training(name: str, runs: tuple[str, ...], figures: moving.Figures) -> None:
    data = stored(f"training_{name}")
    truth = np.array(data["truth"]) / 1000
    for run in runs:
        for k in (0, 1, 7, 16, len(data[run]) - 1):
            seen, state = figures.shows(f"training-{name}", run=run, k=k), data[run][k]
            u = np.array(state["values"]) / 1000
            assert (seen["step"], seen["stage"]) == (state["step"], state["stage"])
            assert seen["loss"] == state["loss"]
            assert seen["u"] == pytest.approx(u, abs=1e-15)
            off = np.linalg.norm(u - truth) / np.linalg.norm(truth)
            assert seen["error"] == pytest.approx(off, rel=1e-12)
            assert seen["first"] == pytest.approx(np.array(data[run][0]["values"]) / 1000)
            words = figures.page.locator(".mf-says").inner_text()
            if name == "oscillator":
                assert f"The largest |y| is {np.abs(u).max():.2g}." in words
            elif run == "never":  # the price of no epidemic is said
                price = 2 * (0.5 - 0.1) * 0.01**2 / 60
                times = float(f"{state['loss'] / price:.3g}")
                assert f"{times:g} times J" in words
