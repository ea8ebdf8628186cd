"""Conditions: unknowns in them, tables, weights and sigmas for each point; u somewhere else."""

import math

import numpy as np
import pytest
import torch

from companion.pinn import (
    LBFGS,
    Adam,
    Box,
    Condition,
    Field,
    LevenbergMarquardt,
    Problem,
    Unknown,
    batch_of,
    fit,
    residuals,
)
from tests.fits import LINE, Powers, column, train

T = LINE.points(20, "grid")
ORIGIN = column(0.0)


class Line(torch.nn.Module):
    """a + b t, whose least squares are NumPy's."""

    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))

    def forward(self, t):
        return self.w[0] + self.w[1] * t


NOISE = torch.from_numpy(np.random.default_rng(1).normal(0, 0.3, (20, 1)))


@pytest.mark.filterwarnings("ignore:the residuals of equation are of the size")
@pytest.mark.parametrize("stage", [LevenbergMarquardt(30), LBFGS(20), Adam(500, 0.2)])
@pytest.mark.parametrize("what", ["weight", "sigma"])
def test_weights_and_sigmas_for_each_point_are_those_of_least_squares(what, stage):
    sigma = torch.linspace(0.05, 2.0, 20).double()[:, None]
    given = {"sigma": sigma} if what == "sigma" else {"weight": 1 / sigma**2}
    data = Condition("data", T, 1 + 2 * T + NOISE, **given)
    net = Line()
    train([stage], Problem(LINE, lambda u, t: 1e-9 * (u(0) - 1), (data,)), net)
    slope, start = np.polyfit(T[:, 0], (1 + 2 * T + NOISE)[:, 0], 1, w=(1 / sigma)[:, 0])
    assert np.allclose(
        net.w.detach(), [start, slope], atol=1e-3 if isinstance(stage, Adam) else 1e-5
    )


def test_a_loss_is_the_mean_of_weight_times_square():
    weight = torch.linspace(1, 5, 20).double()[:, None]
    problem = Problem(LINE, lambda u, t: u(0), (Condition("data", T, 0.25, weight=weight),))
    rows, found = residuals(problem, {"u": torch.sin}, batch_of(problem, T))["data"]
    assert torch.equal(found, weight) and torch.allclose(rows, torch.sin(T) - 0.25)
    _, solution = train([Adam(1, 1e-12)], problem, Powers())
    assert solution.history.records[-1]["data"] == pytest.approx((weight * 0.0625).mean().item())


def robin(h=0.5):
    """u″ = u with u′(0) = h u(0), data of cosh x + h sinh x: h is to be found."""
    data = Condition("data", T, torch.cosh(T) + h * torch.sinh(T))
    edge = Condition("edge", ORIGIN, of=lambda u, x, h: u(0) - h * u())
    unknowns = {"h": Unknown(0.1, truth=h)}
    return Problem(LINE, lambda u, x: u(0, 0) - u(), (edge, data), order=2, unknowns=unknowns)


@pytest.mark.parametrize("stage", [LevenbergMarquardt(40), LBFGS(30)])
def test_a_robin_coefficient_is_found(stage):
    _, solution = train([stage], robin(), Powers())
    assert solution.unknowns["h"] == pytest.approx(0.5, abs=2e-3)


def test_an_initial_value_and_a_scale_of_the_data_are_found():
    """y = κ u, u(0) = u₀ = 1 known; and u₀ with κ known."""
    late = T[5:]
    scale = Condition("data", late, 2.5 * torch.exp(-late), of=lambda u, t, k: k * u())
    start = Condition("start", ORIGIN, 1.0)
    one = Problem(LINE, lambda u, t: u(0) + u(), (start, scale), unknowns={"k": Unknown(1.0)})
    first = Condition("start", ORIGIN, of=lambda u, t, u0: u() - u0)
    data = Condition("data", late, 2.5 * torch.exp(-late))
    two = Problem(LINE, lambda u, t: u(0) + u(), (first, data), unknowns={"u0": Unknown(1.0)})
    assert train([LevenbergMarquardt(40)], one, Powers())[1].unknowns["k"] == pytest.approx(
        2.5, abs=1e-4
    )
    assert train([LevenbergMarquardt(40)], two, Powers())[1].unknowns["u0"] == pytest.approx(
        2.5, abs=1e-4
    )


@pytest.mark.parametrize("stage", [LevenbergMarquardt(15), LBFGS(30), Adam(300, 0.2)])
def test_a_table_of_normals_is_at_its_own_points(stage):
    """∂u/∂n on the edge of a square, the normals a table, and u a plane: its two slopes are found."""
    box = Box(x=(0.0, 1.0), y=(0.0, 1.0))
    edges = [box.edge(5, **{axis: end}) for axis in "xy" for end in (0.0, 1.0)]
    outward = torch.tensor([[-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]])
    normals = outward.repeat_interleave(5, 0).double()

    class Plane(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.zeros(2, 1, dtype=torch.float64))

        def forward(self, x):
            return x @ self.w

    def flux(u, x, normal):
        return u(0) * normal[:, :1] + u(1) * normal[:, 1:]

    values = normals @ torch.tensor([[2.0], [-3.0]]).double()
    rim = Condition("rim", torch.cat(edges), values, of=flux, given={"normal": normals})
    net = Plane()
    train([stage], Problem(box, lambda u, x: u.laplacian() + 0 * u(), (rim,), order=2), net)
    assert net.w[:, 0].tolist() == pytest.approx([2.0, -3.0], abs=1e-2)


@pytest.mark.filterwarnings("ignore:no residual answers to network")
def test_a_condition_may_ask_for_a_field_at_its_points():
    a = Powers(4)
    start = Condition("start", column(0.0, 1.0), column(1.0, 3.0), of=lambda u, x, a: a())
    problem = Problem(LINE, lambda u, x, a: a(0, 0), (start,), unknowns={"a": Field(a)}, order=2)
    _, solution = train([LevenbergMarquardt(20)], problem, Powers(4))
    assert torch.allclose(solution.fields["a"](T), 1 + 2 * T, atol=1e-6)


def test_what_a_condition_is_not_asked_for_it_does_not_get():
    seen = []

    def of(u, x, **named):
        seen.append(sorted(named))
        return u()

    c = Condition("c", ORIGIN, of=of, given={"table": ORIGIN})
    problem = Problem(LINE, lambda u, x, k: u(0) - k, (c,), unknowns={"k": Unknown(1.0)})
    residuals(problem, {"u": torch.sin, "k": torch.ones(())}, batch_of(problem, T))
    assert seen == [["k", "table"]]
    only = Condition("c", ORIGIN, of=lambda u, x, *, k: u() - k)
    residuals(
        Problem(LINE, lambda u, x: u(0), (only,), unknowns={"k": Unknown(1.0)}),
        {"u": torch.sin, "k": torch.ones(())},
        {},
    )


# --- refusals ----------------------------------------------------------------------------------

THREE = column(0.0, 0.5, 1.0)


def problem(residual=lambda u, x: u(0), *conditions, **rest):
    return Problem(LINE, residual, conditions, **rest)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Condition("c", THREE, weight=torch.ones(2, 1)), r"weight \(2, 1\); expected weight \(3, 1\)"),
        (lambda: Condition("c", THREE, weight=torch.ones(3)), r"weight \(3,\); expected weight \(3, 1\)"),
        (lambda: Condition("c", THREE, weight=column(1.0, 0.0, 1.0)), "needs a weight above 0"),
        (lambda: Condition("c", THREE, weight=column(1.0, -2.0, 1.0)), "needs a weight above 0"),
        (lambda: Condition("c", THREE, weight=math.nan), "1 of 1 weight that are NaN or infinite"),
        (lambda: Condition("c", THREE, sigma=0.0), "needs a sigma above 0; got 0.0"),
        (lambda: Condition("c", THREE, sigma=-0.25), "needs a sigma above 0; got -0.25"),
        (lambda: Condition("c", THREE, sigma=math.inf), "1 of 1 sigma that are NaN or infinite"),
        (lambda: Condition("c", THREE, sigma=torch.ones(3)), r"sigma \(3,\); expected sigma \(3, 1\)"),
        (lambda: Condition("c", THREE, sigma=0.5, weight=3.0), "both a weight and a sigma"),
        (lambda: Condition("c", THREE, given={"n": torch.ones(3)}), r"and n \(3,\); expected n \(3, c"),
        (lambda: Condition("c", THREE, given={"n": torch.ones(2, 2)}), r"and n \(2, 2\); expected n"),
        (lambda: Condition("c", THREE, given={"n": column(1.0, math.nan, 1.0)}), "has 1 of 3 n that"),
        (lambda: Condition("c", THREE, given={"n": 1.0}), r"and n \(\); expected n \(3, c\)"),
        (lambda: Condition("c", THREE * 1j), "has complex points: its imaginary part would be lost"),
        (lambda: Condition("c", THREE, 1j), r"has complex values: .*two outputs.*view_as_real"),
        (lambda: Condition("c", THREE, torch.exp(1j * THREE)), "has complex values"),
        (lambda: Condition("c", THREE, np.exp(1j * THREE.numpy())), "has complex values"),
        (
            lambda: problem(lambda u, x, k: u() * k, Condition("c", THREE, of=lambda u, x, k: u() - k,
                            given={"k": THREE}), unknowns={"k": Unknown(1.0)}),
            "condition 'c': k is given and unknown at once",
        ),
        (
            lambda: problem(lambda u, x: u(0), Condition("c", THREE, of=lambda u, x, h: u() * h)),
            r"of in condition 'c' is called with \(u, x\), by name: missing .*'h'",
        ),
        (
            lambda: problem(lambda u, x: u(0), Condition("c", THREE, of=lambda u: u())),
            "of in condition 'c' is called with .*too many positional",
        ),
        (lambda: problem(lambda u, x, k: u() * k), r"residual is called with \(u, x\).*missing .*'k'"),
        (lambda: problem(unknowns={"k": Unknown(1.0)}), r"no term asks for k: write residual=lambda u, x, k"),
    ],
)  # fmt: skip
def test_a_condition_and_a_problem_refuse(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("unknowns", "error", "message"),
    [
        ({"k": 1.0}, TypeError, r"an unknown is Unknown\(guess\) or Field\(network\); k is 1\.0"),
        ({"k": torch.nn.Linear(1, 1)}, TypeError, "k is Linear"),
        ({"loss": Unknown(1.0)}, ValueError, "the history calls something else loss"),
        ({"u": Unknown(1.0)}, ValueError, "the history calls something else u"),
    ],
)
def test_unknowns_refuse(unknowns, error, message):
    with pytest.raises(error, match=message):
        Problem(LINE, lambda u, x, **unknowns: u(0), unknowns=unknowns)


def test_a_network_is_no_unknown_and_what_it_is_is_said():
    with pytest.raises(TypeError, match=r"Field\(network\)"):
        Problem(LINE, lambda u, x, a: u(0) - a(x), unknowns={"a": torch.nn.Linear(1, 1)})
    with pytest.raises(TypeError, match=r"a Field has a network, an nn.Module; got function"):
        Field(lambda x: x)


@pytest.mark.parametrize("scale", [0.0, -1.0, math.inf, math.nan])
def test_an_unknown_has_a_scale_above_zero(scale):
    with pytest.raises(ValueError, match="scale is a number above 0, and finite"):
        Unknown(1.0, scale=scale)


def test_complex_values_by_two_outputs():
    """iu′ = −u with u(0) = 1, that is e^{it}: as the real and the imaginary part."""

    def residual(u, t):
        re, im = u(0)[:, :1], u(0)[:, 1:]
        return torch.cat([re + u()[:, 1:], im - u()[:, :1]], 1)

    start = Condition("start", ORIGIN, torch.view_as_real(torch.exp(1j * ORIGIN[:, 0])))
    schroedinger = Problem(LINE, residual, (start,), outputs=2)

    class Two(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.re, self.im = Powers(), Powers()

        def forward(self, t):
            return torch.cat([self.re(t), self.im(t)], 1)

    solution = fit(schroedinger, Two(), [LevenbergMarquardt(40)], points=30, progress=False)
    assert torch.allclose(solution(T), torch.cat([T.cos(), T.sin()], 1), atol=1e-6)
