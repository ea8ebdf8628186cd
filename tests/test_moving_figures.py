"""The figures that a reader moves, in a real browser: what all have in common, and the numbers of Parts I and II."""

import re
import warnings
from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch

from _ext import moving_figure
from companion import engines
from companion.engines import Dual, error_theory, jacobian, jvp, log, sin, taylor, vjp
from companion.operators import partial
from tests.site import moving
from tools import strip

NAMES = moving.NAMES
CHAPTERS = Path(__file__).parent.parent / "chapters"


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
    assert page.locator("#still").is_visible() == (name in moving.UNFOLDED)
    page.evaluate("location.hash = '#still'")  # a link to the figure that stands still unfolds it
    page.locator("#still").wait_for(state="visible")
    page.evaluate("document.querySelector('.still-figure').open = false")
    assert not figures.faults


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_light_and_its_file_short(name: str) -> None:
    assert len(moving_figure.bundle(name)) < 50_000
    source = (moving_figure.FIGURES / f"{name}.js").read_text("utf-8")
    assert len(source.splitlines()) <= 400


@pytest.mark.parametrize("name", NAMES)
def test_on_a_phone_and_on_a_wide_page_no_word_of_a_figure_is_cut(
    name: str, figures: moving.Figures
) -> None:
    figures.shows(name)
    page = figures.page
    page.evaluate("document.fonts.ready.then(() => 0)")
    before = page.viewport_size
    for width in (320, 390, 800):
        page.set_viewport_size({"width": width, "height": 900})
        assert figures.cut() == [], f"{width} wide, at the start"
        for slider in page.locator("input[type=range]").all():
            slider.press("End")
        assert figures.cut() == [], f"{width} wide, every slider at its end"
        figures.shows(name)
    page.set_viewport_size(before)


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


def test_the_strip_of_the_readme_is_what_the_figure_shows(figures: moving.Figures) -> None:
    stills = [figures.shows("backward-walk", step=done) for done in strip.STILLS]
    kept = re.sub(r"@font-face .*", "", strip.RESULT.read_text("utf-8"), count=1)
    assert kept == strip.strip(stills), "run tools/strip.py"


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
    """The backward pass of chapter 4, by recursion over objects that keep their own adjoint."""

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


def counted(n: int, m: int) -> tuple[dict, Callable, np.ndarray]:
    """What chapter 5 counts with, its family with the matrices of the figure, and the point."""
    cells = nbformat.read(CHAPTERS / "05_arrays_and_modes.ipynb", as_version=4)["cells"]
    (source,) = [cell["source"] for cell in cells if "class Counted" in cell["source"]]
    names = {"np": np, "engines": engines, "rng": np.random.default_rng(5)}
    exec(source, names)
    matrices = []
    for q, (rows, columns) in enumerate([(32, n), (32, 32), (m, 32)], 1):
        k = np.arange(1, rows * columns + 1).reshape(rows, columns)
        matrices.append((np.sqrt(2 / columns) * np.sin(k**2 + q)).view(names["Counted"]))
    A, M, B = matrices
    x = (1 / np.arange(1, n + 1)).view(names["Counted"])
    return names, lambda x: B @ engines.tanh(M @ engines.tanh(A @ x)), x


def test_rows_and_columns(figures: moving.Figures) -> None:
    for n, m in ((7, 4), (1, 1), (32, 1), (3, 32), (24, 24), (2, 5)):
        names, f, x = counted(n, m)
        once, J = names["operations"](f, x), np.asarray(jacobian(f)(x))
        for by, passes, pass_by in (
            ("columns", n, lambda k: jvp(f, x, np.eye(n)[k].view(names["Counted"]))[1]),
            ("rows", m, lambda k: vjp(f, x)[1](np.eye(m)[k].view(names["Counted"]))[0]),
        ):
            whole = names["operations"](jacobian(f, by=by), x)
            seen = figures.shows("rows-columns", n=n, m=m, by=by, step=32)
            assert (seen["done"], seen["passes"], seen["spent"]) == (passes, passes, whole)
            assert seen["newest"] == pytest.approx(J[:, -1] if by == "columns" else J[-1])
            assert seen["evaluations"] == seen[by] == pytest.approx(whole / once, rel=1e-14)
            seen = figures.shows("rows-columns", n=n, m=m, by=by, step=1)
            assert seen["spent"] == names["operations"](pass_by, 0)
            assert seen["newest"] == pytest.approx(np.asarray(pass_by(0)), rel=1e-10, abs=1e-13)
            assert figures.shows("rows-columns", n=n, m=m, by=by, step=0)["spent"] == once


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
