"""The figures that a reader moves: their numbers are those of the companion and of NumPy, in a real browser."""

import re
import warnings
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from _ext import moving_figure
from companion.engines import Dual, error_theory, log, sin, taylor
from companion.operators import partial
from companion.problems import Epidemic
from tests.site import browser as site
from tests.site import moving

NAMES = sorted({file.stem for file in moving_figure.FIGURES.glob("*.js")} - {"base", "plot"})


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[moving.Figures]:
    if not site.installed():
        pytest.skip("no Chromium on this machine: nothing is moved (apt install chromium)")
    with moving.opened(tmp_path_factory.mktemp("moving"), NAMES) as opened:
        yield opened


# ---------------------------------------------------------------- what all have in common


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_obeys_the_keyboard_is_described_and_keeps_its_state(
    name: str, figures: moving.Figures
) -> None:
    start, page = figures.shows(name), figures.page
    picture, sliders = page.locator(".mf-stage svg"), page.locator("input[type=range]")
    described = picture.get_attribute("aria-label")
    sliders.first.press("PageUp")
    moved = figures.now()
    assert moved != start and picture.get_attribute("aria-label") != described
    page.evaluate("location.hash = '#below'")  # an ordinary anchor
    assert figures.now() == moved
    page.get_by_role("button", name="Copy link").click()
    address = page.evaluate("location.hash")
    assert re.match(rf"#{name}\?\w+=", address)
    page.get_by_role("button", name="Reset").click()
    assert figures.now() == start
    asked = dict(pair.split("=") for pair in address.split("?")[1].split("&"))
    assert figures.shows(name, **asked) == moved
    named = "all => all.every(one => one.getAttribute('aria-valuetext') && one.labels.length === 1)"
    assert sliders.evaluate_all(named)
    assert not page.locator("#still").is_visible()
    page.evaluate("location.hash = '#still'")  # a link to the figure that stands still unfolds it
    page.locator("#still").wait_for(state="visible")
    page.evaluate("document.querySelector('.still-figure').open = false")
    assert not figures.faults


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_light_and_its_file_short(name: str) -> None:
    assert len(moving_figure.bundle(name)) < 50_000
    source = (moving_figure.FIGURES / f"{name}.js").read_text("utf-8")
    assert len(source.splitlines()) <= 400


def handle(figures: moving.Figures) -> tuple[float, float]:
    """Where on the screen the first handle of the picture is."""
    box = figures.page.locator(".handle .wide").first.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_mouse_and_a_finger_drag_the_same(figures: moving.Figures) -> None:
    start, page = figures.shows("runge")["radius"], figures.page
    page.locator(".mf-stage").scroll_into_view_if_needed()
    x, y = handle(figures)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y)
    page.mouse.up()
    by_mouse = figures.now()["radius"]
    assert by_mouse > start
    figures.shows("runge")
    devtools = page.context.new_cdp_session(page)
    x, y = handle(figures)
    for kind, points in (("Start", [x]), ("Move", [x + 60]), ("End", [])):
        touches = [{"x": at, "y": y} for at in points]
        devtools.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": touches})
    devtools.detach()
    assert figures.now()["radius"] == by_mouse


def test_steps_go_on_and_back_and_run_to_the_end(figures: moving.Figures) -> None:
    figures.shows("backward-walk")
    press = lambda name: figures.page.get_by_role("button", name=name, exact=True).click()
    press("Step")
    press("Step")
    assert figures.now()["path"] == [7, 6]
    press("Back")
    assert figures.now()["path"] == [7]
    press("Run")  # at once, for a reader who wants nothing to move by itself
    assert figures.now()["found"] == pytest.approx([5.5, 2 - np.cos(5)])


def test_without_its_script_a_figure_is_not_there(figures: moving.Figures) -> None:
    figures.open("u-curve")
    page = figures.page
    page.evaluate("document.querySelector('.moving-figure').classList.remove('live')")
    assert not page.locator(".mf-stage").is_visible()
    page.evaluate("document.querySelector('.moving-figure').classList.add('live')")


# ---------------------------------------------------------------- the numbers, figure by figure

F = {
    "float64": lambda x, C: np.log(x) + x * 5 - np.sin(5.0) + C,
    "float32": lambda x, C: np.log(x) + x * np.float32(5) - np.sin(np.float32(5)) + np.float32(C),
}
QUOTIENTS = {  # the quotient, and (order, derivative in the truncation, exact value)
    "forward": (lambda f, x, h: (f(x + h) - f(x)) / h, (1, -1 / 4, 5.5)),
    "central": (lambda f, x, h: (f(x + h) - f(x - h)) / (2 * h), (1, 1 / 4, 5.5)),
    "second": (lambda f, x, h: (f(x + h) - 2 * f(x) + f(x - h)) / h**2, (2, -3 / 8, -0.25)),
}


@pytest.mark.parametrize("precision", F)
@pytest.mark.parametrize("scheme", QUOTIENTS)
@pytest.mark.parametrize("constant", [-1, 3, 6])
def test_u_curve(scheme: str, precision: str, constant: int, figures: moving.Figures) -> None:
    kind, C = np.dtype(precision).type, 0.0 if constant < 0 else 10.0**constant
    quotient, (order, derivative, exact) = QUOTIENTS[scheme]
    rule = "forward" if scheme == "forward" else "central"
    for k in (-14, -8, -5.5, -2, -0.5):
        seen = figures.shows("u-curve", k=k, scheme=scheme, precision=precision, C=constant)
        h = kind(10.0**k)
        assert seen["h"] == pytest.approx(float(h), rel=1e-15)
        h, value = kind(seen["h"]), F[precision](kind(2), C)
        eps = float(np.finfo(kind).eps)
        assert seen["value"] == pytest.approx(float(value), rel=2 * eps)
        found = quotient(lambda x: F[precision](x, C), kind(2), h)
        condition = 4 * eps * abs(float(value)) / float(h) ** order
        assert seen["quotient"] == pytest.approx(float(found), abs=condition)
        assert seen["error"] == pytest.approx(abs(seen["quotient"] - exact), rel=1e-12)
        theory = error_theory(
            [float(h)], float(value), derivative, order=order, scheme=rule, dtype=kind
        )
        assert [seen["truncation"], seen["rounding"]] == pytest.approx(
            np.ravel(theory), rel=max(1e-12, 4 * eps)
        )


# Lines of a list: (number, rule, its inputs), and what a rule does: its value and its slopes.
RULES = {
    "log": (np.log, lambda a: [1 / a]),
    "sin": (np.sin, lambda a: [np.cos(a)]),
    "mul": (lambda a, b: a * b, lambda a, b: [b, a]),
    "add": (lambda a, b: a + b, lambda a, b: [1.0, 1.0]),
    "sub": (lambda a, b: a - b, lambda a, b: [1.0, -1.0]),
    "three": (lambda a: 3 * a, lambda a: [3.0]),
    "five": (lambda a: 5 * a, lambda a: [5.0]),
}
LISTS = {
    "f": [
        (3, "log", (1,)),
        (4, "mul", (1, 2)),
        (5, "add", (3, 4)),
        (6, "sin", (2,)),
        (7, "sub", (5, 6)),
    ],
    "diamond": [(2, "mul", (1, 1)), (3, "three", (2,)), (4, "five", (2,)), (5, "add", (3, 4))],
}


class Walked:
    """The walk of chapter 4, by recursion over objects that keep their own adjoint."""

    def __init__(self, name: str, point: list[float], overwrite: bool) -> None:
        self.lines = {k: (rule, uses) for k, rule, uses in LISTS[name]}
        self.v = dict(enumerate(point, 1))
        for k, (rule, uses) in self.lines.items():
            self.v[k] = RULES[rule][0](*[self.v[i] for i in uses])
        self.last, self.overwrite = max(self.lines), overwrite
        self.bar, self.seen = {self.last: 1.0}, set()

    def push(self, k: int) -> None:
        rule, uses = self.lines[k]
        for i, slope in zip(uses, RULES[rule][1](*[self.v[j] for j in uses])):
            self.bar[i] = self.bar[k] * slope + (0 if self.overwrite else self.bar.get(i, 0))

    def visit(self, k: int, once: bool) -> None:
        if k in self.lines and not (once and k in self.seen):
            self.seen.add(k)
            self.push(k)
            for i in self.lines[k][1]:
                self.visit(i, once)

    def walk(self, order: str) -> dict[int, float]:
        if order == "list":
            for k in sorted(self.lines, reverse=True):
                self.push(k)
        else:
            self.visit(self.last, order == "once")
        return self.bar


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("order", ["list", "every", "once"])
@pytest.mark.parametrize("name", LISTS)
def test_backward_walk(name: str, order: str, overwrite: bool, figures: moving.Figures) -> None:
    for x1, x2 in ((2, 5), (0.5, -6), (3.1, 0.2), (4, 6), (1.7, -2.3)):
        state = {"list": name, "order": order, "overwrite": int(overwrite), "x1": x1, "x2": x2}
        seen = figures.shows("backward-walk", step=9, **state)
        walked = Walked(name, [x1] if name == "diamond" else [x1, x2], overwrite)
        bar = walked.walk(order)
        assert seen["finished"]
        assert seen["v"] == pytest.approx({str(k): v for k, v in walked.v.items()}, rel=1e-14)
        assert seen["bar"] == pytest.approx({str(k): b for k, b in bar.items()}, rel=1e-13)
        if order == "list" and not overwrite:
            assert seen["found"] == pytest.approx(seen["right"], rel=1e-13)


@pytest.mark.parametrize("seed", [1, 2])
def test_forward_walk(seed: int, figures: moving.Figures) -> None:
    for x1, x2 in ((2, 5), (0.5, -6), (3.1, 0.2), (4, 6), (1.7, -2.3)):
        x = [Dual(float(x1), float(seed == 1)), Dual(float(x2), float(seed == 2))]
        y = log(x[0]) + x[0] * x[1] - sin(x[1])
        seen = figures.shows("backward-walk", step=9, way=seed, x1=x1, x2=x2)
        assert seen["found"] == pytest.approx(float(y.tangent), rel=1e-13)
        assert seen["right"] == pytest.approx(float(y.tangent), rel=1e-13)


def test_runge(figures: moving.Figures) -> None:
    for a, order, x in ((0, 8, 1.1), (0.8, 20, 1.1), (-2.5, 30, 3), (1.37, 0, 0.2), (0, 30, -0.99)):
        seen = figures.shows("runge", a=a, order=order, x=x)
        coefficients = taylor(lambda t: 1 / (1 + t * t), float(a), order=order)
        assert seen["coefficients"] == pytest.approx(np.ravel(coefficients), rel=1e-12, abs=1e-14)
        powers = (float(x) - a) ** np.arange(order + 1)
        sizes = np.abs(powers * np.ravel(coefficients)).sum()
        assert seen["polynomial"] == pytest.approx(
            powers @ np.ravel(coefficients), abs=1e-12 * sizes
        )
        assert seen["f"] == pytest.approx(1 / (1 + x**2), rel=1e-14)
        assert seen["radius"] == pytest.approx(abs(complex(a, -1)), rel=1e-14)
        assert seen["inside"] == (abs(x - a) < abs(complex(a, -1)))
        if a == 0 and order % 2 == 0:  # a geometric series, as chapter 6 says
            rest = abs(x) ** (order + 2) / (1 + x**2)
            assert seen["error"] == pytest.approx(rest, rel=1e-9, abs=1e-14)


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
    assert march(0.5, 0.1, np.linspace(0, 60, 31)[1:]) == pytest.approx(
        Epidemic(0.5, 0.1, infected=0.01, days=60).solve(np.linspace(0, 60, 31)[1:])[1], abs=1e-6
    )


def by_torch(op: str, tap: str, zeroed: str, w1: float, w2: float) -> tuple[list[float], float]:
    """The gradient of one step and the loss, by the ops of chapter 8 in torch."""
    u = torch.tensor([-2, -1, 0.5, 1, 2], dtype=torch.float64)
    parameters = [
        torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (w1, 0.3, w2, 2)
    ]
    functional = lambda x, z: 100 + (x + 0.01 * z**2) ** 2

    def read(holder: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        y = functional(holder, z)
        y.backward(torch.ones_like(y), create_graph=True)
        dx, holder.grad = holder.grad, None
        return dx

    def on_x(x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        x.retain_grad()
        return read(x, z)

    ops = {
        "hand": lambda x, z: 2 * (x + 0.01 * z**2),
        "grad": lambda x, z: torch.autograd.grad(functional(x, z).sum(), x, create_graph=True)[0],
        "onX": on_x,
        "leaf": lambda x, z: read(x.detach().requires_grad_(), z),
        "alias": partial(functional),
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Using backward")  # chapter 9 is about it
        x = parameters[0] * u + parameters[1]
        out = ops[op](x, parameters[2] * (x if tap == "x" else u) + parameters[3])
        loss = ((out - u) ** 2).mean()
        if zeroed == "between":
            for p in parameters:
                p.grad = None
        loss.backward()
    return [0.0 if p.grad is None else p.grad.item() for p in parameters], loss.item()


@pytest.mark.parametrize("op", ["hand", "grad", "onX", "leaf", "alias"])
@pytest.mark.parametrize("tap", ["x", "u"])
def test_wires(op: str, tap: str, figures: moving.Figures) -> None:
    places = [
        (0.5, 1, "between"),
        (0.5, 1, "first"),
        (-1, 3, "between"),
        (1.5, -3, "first"),
        (0.05, 0.1, "first"),
    ]
    for w1, w2, zeroed in places:
        seen = figures.shows("wires", op=op, tap=tap, zeroed=zeroed, w1=w1, w2=w2)
        gradient, loss = by_torch(op, tap, zeroed, w1, w2)
        truth = by_torch("hand", tap, "between", w1, w2)[0]
        assert seen["gradient"] == pytest.approx(gradient, rel=1e-12, abs=1e-13)
        assert seen["truth"] == pytest.approx(truth, rel=1e-12, abs=1e-13)
        assert seen["loss"] == pytest.approx(loss, rel=1e-12)
        off = np.linalg.norm(np.subtract(gradient, truth)) / np.linalg.norm(truth)
        assert seen["off"] == pytest.approx(off, rel=1e-9, abs=1e-12)
