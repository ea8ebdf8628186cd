"""Wrong types, shapes and numbers for every public function of companion.pinn: the message names what."""

import math

import numpy as np
import pytest
import torch

from companion.pinn import (
    LBFGS,
    MLP,
    Adam,
    Batches,
    Box,
    Causal,
    Condition,
    Dirichlet,
    Field,
    Fourier,
    History,
    Integral,
    LevenbergMarquardt,
    Periodic,
    Problem,
    Siren,
    Solution,
    Start,
    Unknown,
    batch_of,
    check,
    fit,
    march,
    refined,
    residuals,
    run,
    sampled,
    scaled,
)
from companion.pinn.stages import At
from companion.pinn.trial import Trial
from tests.fits import LINE

ORIGIN = torch.zeros(1, 1)
GROWTH = Problem(LINE, lambda u, t: u() - torch.exp(t))
KNOWN = Problem(LINE, lambda u, t: u(0) - 1, exact=lambda t: t)


def network():
    return MLP(LINE, (4,))


def fitted(network=None, stages=None, problem=GROWTH, **rest):
    return fit(problem, network or MLP(LINE, (4,)), stages or [Adam(1)], progress=False, **rest)


NEVER = Adam(10**9)  # what is refused is refused before its steps


def ran(batches, **rest):
    return list(run(GROWTH, network(), [Adam(1)], batches, **rest))


class Own:
    """A stage of one's own, whose step gives what it is told to."""

    def __init__(self, steps=2, memory=None, gives=None):
        self.steps, self.memory, self.gives = steps, memory, gives

    def init(self, objective, theta, batch):
        return self.memory

    def step(self, objective, at, batch, room):
        losses, _ = objective.gradient(at.theta, batch)
        return self.gives(at, {term: loss[None] for term, loss in losses.items()})


def own(gives):
    return lambda: fitted(stages=[Own(gives=gives)])


def exactly(exact):
    return lambda: fitted(problem=Problem(LINE, lambda u, t: u(0) - 1, exact=exact))


def given_by(of):
    return lambda: fitted(problem=Problem(LINE, GROWTH.residual, (Condition("c", ORIGIN, of=of),)))


def hard(*conditions):
    box = Box(t=(0.0, 1.0), x=(0.0, 1.0))
    return lambda: Problem(box, lambda u, x: u(0), hard=conditions)


def loaded(tmp_path, content):
    (tmp_path / "u.pt").write_bytes(content)
    return Solution.load(tmp_path / "u.pt", GROWTH, network())


def with_start(residual):
    return lambda: fitted(problem=Problem(LINE, residual, hard=(Start(1.0),)))


def hard_unknown():
    return Start(lambda x, k: k + 0 * x)


LARGE = 10**400  # which is no float

WRONG = {
    # what a stage is given
    "Adam(lr)": (lambda: Adam(3, lr="fast"), "lr is a number above 0"),
    "Adam(steps)": (lambda: Adam("3"), "steps is a whole number"),
    "LBFGS(inner)": (lambda: LBFGS(3, inner="2"), "inner is a whole number"),
    "LevenbergMarquardt(damping)": (lambda: LevenbergMarquardt(3, damping="x"), "damping is a number"),
    "LevenbergMarquardt(tolerance)": (lambda: LevenbergMarquardt(3, tolerance="x"), "tolerance is 0 or"),
    "LevenbergMarquardt(solver)": (lambda: LevenbergMarquardt(3, solver=1), "solver is one of"),
    "Causal(epsilon)": (lambda: Causal("t", "big"), "epsilon is 0 or more"),
    "Causal(axis)": (lambda: fitted(causal=Causal(1.5)), "the axis of time"),
    "fit(causal=True)": (lambda: fitted(causal=True), "[Cc]ausal"),
    # a stage of one's own
    "steps=0": (lambda: fitted(stages=[Own(0)]), "steps of Own is a whole number, 1 or more; got 0"),
    "memory": (lambda: fitted(stages=[Own(memory=[{}, object()])]), "Own.init gives, for a checkpoint"),
    "step gives θ": (own(lambda at, losses: (at.theta, losses)), r"Own.step gives \(At\(theta, memory"),
    "step gives a part": (own(lambda at, losses: (At(at.theta[1:], None, 1), losses)), "a theta as it was"),
    "step gives floats": (own(lambda at, losses: (At(1.0, None, 1), losses)), "theta, is a tensor"),
    "step makes none": (own(lambda at, losses: (at, losses)), "expected 1 to 2; got 0"),
    "step makes too many": (own(lambda at, losses: (At(at.theta, None, 9), losses)), "expected 1 to 2; got 9"),
    "step loses a term": (own(lambda at, losses: (At(at.theta, None, 1), {})), r"tensors \(1,\) of equation"),
    "step gives a number": (
        own(lambda at, losses: (At(at.theta, None, 1), {"equation": losses["equation"][0]})),
        r"tensors \(1,\) of equation",
    ),
    # a box
    "Box(list)": (lambda: Box([0, 1]), "at least one axis"),
    "Box(nan)": (lambda: Box(t=(math.nan, 1)), "axis t needs two ends"),
    "Box(None)": (lambda: Box(t=None), "axis t needs two ends"),
    "Box(words)": (lambda: Box(t=("0", "1")), "axis t needs two ends"),
    "Box(too long)": (lambda: Box(t=(-1e308, 1e308)), "axis t needs two ends"),
    "Box(infinite)": (lambda: Box(t=(0.0, math.inf)), "both finite"),
    "Box(a number of 400 digits)": (lambda: Box(t=(0, LARGE)), "axis t needs two ends"),
    "Box(units)": (lambda: Box(t=(0, 1), units={"t": 3}), "the unit of t is a word"),
    "Box.label": (lambda: LINE.label("x"), "x: this box has t"),
    "Box.points(True)": (lambda: LINE.points(True), "expected one number of points"),
    "Box.points(seed)": (lambda: LINE.points(2, seed=LARGE), r"seed is .* 0 or more, below 2\*\*62"),
    "Box.edge(how)": (lambda: Box(x=(0, 1), y=(0, 1)).edge(3, "", x=0.0), "points are drawn by"),
    "Box.edge(a number of 400 digits)": (lambda: LINE.edge(1, t=LARGE), "t is a number, and finite"),
    # a condition
    "Condition(points=None)": (lambda: Condition("c", None), "condition 'c'.*points"),
    "Condition(points=str)": (lambda: Condition("c", "left"), "condition 'c'.*points"),
    "Condition(points empty)": (lambda: Condition("c", torch.zeros(0, 1)), "one or more"),
    "Condition(values=str)": (lambda: Condition("c", ORIGIN, "one"), "condition 'c'.*values"),
    "Condition(weight=str)": (lambda: Condition("c", ORIGIN, weight="big"), "condition 'c'.*weight"),
    "Condition(of=3)": (lambda: Condition("c", ORIGIN, of=3), "condition 'c'.*of"),
    "Condition(given=3)": (lambda: Condition("c", ORIGIN, given=3), "condition 'c'.*given"),
    "Condition(name=3)": (lambda: Condition(3, ORIGIN), "the name of a condition is a word"),
    "Condition(two weights for a row)": (
        lambda: Condition("c", ORIGIN, weight=torch.ones(1, 2)),
        r"weight \(1, 2\); expected weight \(1, 1\)$",
    ),
    "Condition(two sigmas for a row)": (
        lambda: Condition("c", ORIGIN, sigma=torch.ones(1, 2)),
        r"sigma \(1, 2\); expected sigma \(1, 1\)$",
    ),
    "Condition(no weight)": (lambda: Condition("c", ORIGIN, weight=torch.ones(1, 0)), r"weight \(1, 0\)"),
    "Condition(no column)": (lambda: Condition("c", ORIGIN, torch.ones(1, 0)), r"values \(1, 0\)"),
    "Condition(values a function)": (
        lambda: Condition("c", LINE.points(2), torch.sin),
        "needs values that are numbers; got a function, <built-in method sin .*Call it",
    ),
    "Condition(values masked)": (
        lambda: Condition("c", LINE.points(2), np.ma.masked_greater([[1.0], [2.0]], 1.5)),
        "1 of 2 values that are masked",
    ),
    "Condition(of gives None)": (given_by(lambda u, t: None), "of in condition 'c' .*; got None"),
    "Condition(of gives an array)": (given_by(lambda u, t: np.ones((1, 1))), "of in condition 'c' .*; got array"),
    "Condition(of gives no column)": (given_by(lambda u, t: u()[:, :0]), r"c returns one row .* got \(1, 0\)"),
    "Condition(given, not asked for)": (
        lambda: Condition("c", ORIGIN, given={"g": ORIGIN}),
        "asks for g nowhere: write of=lambda u, x, g",
    ),
    "Condition(beside, not asked for)": (lambda: Condition("c", ORIGIN, beside={"e": ORIGIN}), "asks for e nowhere"),
    # a hard condition
    "Start(list)": (lambda: Start([1.0]), "the values of Start are one number, finite"),
    "Start(gives an array)": (hard(Start(lambda x: x[:, 1:].numpy())), "what the values of Start give"),
    "Start(gives float32)": (hard(Start(lambda x: x[:, 1:].float())), "float32 at points of torch.float64"),
    "Start(gives NaN)": (hard(Start(lambda x: torch.log(x[:, 1:]))), "of Start are NaN or infinite at t = 0, x = 0"),
    "Start(slopes give None)": (hard(Start(1.0, lambda x: None)), "what the slopes of Start give"),
    "Start(an unknown)": (hard_unknown, r"the values of Start is a function.*: missing a required argument: 'k'"),
    "Start(complex equation)": (with_start(lambda u, t: 1j * u()), "equation has complex rows"),
    "Start(equation of NumPy)": (with_start(lambda u, t: u().numpy()), "equation cannot be evaluated.*numpy"),
    "Start(equation gives None)": (with_start(lambda u, t: None), r"equation returns a tensor .*; got NoneType"),
    "Start(equation gives bool)": (with_start(lambda u, t: u() > 0), "real numbers, floats; got torch.bool"),
    "Dirichlet(an output twice)": (hard(Dirichlet("x", outputs=(0, 0))), "columns of u, 0 to 0, each once"),
    "Periodic(a start that jumps)": (
        hard(Start(lambda x: x[:, 1:]), Periodic("x")),
        r"leave the value 1 away from what Periodic\('x'\)",
    ),
    "Periodic(a start with a kink)": (
        hard(Start(lambda x: (x[:, 1:] - 0.5) ** 2), Periodic("x")),
        r"leave the slope 2 away from what Periodic\('x'\)",
    ),
    # an integral
    "Integral(upto)": (lambda: Integral(*LINE.quadrature(2), axes=("t",), upto="yes"), "upto in an Integral"),
    "Integral(axes twice)": (lambda: Integral(*LINE.quadrature(2), axes=("t", "t")), "name each axis once"),
    "Integral(complex kernel)": (
        lambda: fitted(
            problem=Problem(
                LINE,
                lambda u, t, mass: u(0) - mass,
                integrals={"mass": Integral(*LINE.quadrature(2), kernel=lambda x, y: torch.exp(1j * (x - y)))},
            )
        ),
        "the kernel of mass is complex",
    ),
    "Integral(kernel gives an array)": (
        lambda: fitted(
            problem=Problem(
                LINE,
                lambda u, t, mass: u(0) - mass,
                integrals={"mass": Integral(*LINE.quadrature(2), kernel=lambda x, y: np.ones((16, 2)))},
            )
        ),
        "what the kernel of mass gives",
    ),
    # a problem
    "Problem(domain)": (lambda: Problem((0, 1), GROWTH.residual), "domain.*Box"),
    "Problem(residual)": (lambda: Problem(LINE, 3), "residual"),
    "Problem(one condition)": (lambda: Problem(LINE, GROWTH.residual, Condition("c", ORIGIN)), "conditions"),
    "Problem(no condition)": (lambda: Problem(LINE, GROWTH.residual, ("c",)), "[Cc]ondition"),
    "Problem(unknowns=list)": (lambda: Problem(LINE, GROWTH.residual, unknowns=["k"]), "unknown"),
    "Problem(order=str)": (lambda: Problem(LINE, GROWTH.residual, order="2"), "order"),
    "Problem(order=-1)": (lambda: Problem(LINE, GROWTH.residual, order=-1), "order"),
    "Problem(outputs=0)": (lambda: Problem(LINE, GROWTH.residual, outputs=0), "outputs"),
    "Problem(exact=3)": (lambda: Problem(LINE, GROWTH.residual, exact=3), "exact"),
    "Problem(ansatz=3)": (lambda: Problem(LINE, GROWTH.residual, ansatz=3), "ansatz"),
    "Problem(ansatz of x)": (lambda: Problem(LINE, GROWTH.residual, ansatz=lambda x: x), r"called with \(x, n\)"),
    "Problem(ansatz gives None)": (
        lambda: fitted(problem=Problem(LINE, GROWTH.residual, ansatz=lambda x, n: None)),
        r"is a function that gives \(n, 1\); got None",
    ),
    "Problem(exact of nothing)": (lambda: Problem(LINE, GROWTH.residual, exact=lambda: 1), r"called with \(x\)"),
    "Problem(exact gives None)": (exactly(lambda t: None), r"exact is a function that gives \(n, 1\); got None"),
    "Problem(exact gives a number)": (exactly(lambda t: 1.0), r"exact is a function that gives \(n, 1\); got 1.0"),
    "Problem(unknown a.b)": (
        lambda: Problem(LINE, lambda u, t, **k: u(0), unknowns={"a.b": Unknown(1.0)}),
        "'a.b' is no name of Python",
    ),
    "Problem(unknown update)": (
        lambda: Problem(LINE, lambda u, t, update: u(0) - update, unknowns={"update": Unknown(1.0)}),
        "torch calls something else update",
    ),
    "Problem(residual without u)": (
        lambda: fitted(problem=Problem(LINE, lambda u, t: t - 1)),
        "equation is the same whatever is trained",
    ),
    "Problem(condition detached)": (
        lambda: fitted(
            problem=Problem(
                LINE, GROWTH.residual, (Condition("c", ORIGIN, of=lambda u, t: u().detach()),)
            )
        ),
        "c is the same whatever is trained",
    ),
    "Problem(exact NaN at an end)": (exactly(lambda t: torch.sin(t) / t), "infinite at 1 of 1000 points, as at t = 0"),
    "Problem(exact 0)": (exactly(torch.zeros_like), "exact is 0 everywhere"),
    "Unknown(str)": (lambda: Unknown("x"), "guess"),
    "Unknown(nan)": (lambda: Unknown(math.nan), "low < guess < high"),
    "Unknown(inf)": (lambda: Unknown(math.inf), "low < guess < high"),
    "Unknown(truth)": (lambda: Unknown(1.0, truth="2"), "truth is a number or None"),
    "Unknown(scale)": (lambda: Unknown(1.0, scale=None), "scale is a number"),
    "Field(truth)": (lambda: Field(network(), truth=3), "the truth of a Field is a function"),
    "Field(axes=word)": (lambda: Field(network(), axes="t"), r"the axes of a Field is a tuple of names"),
    "Field(axis of another box)": (
        lambda: Problem(LINE, lambda u, t, a: u(0) - a(), unknowns={"a": Field(network(), axes=("x",))}),
        "x: this box has t",
    ),
    "Field(None)": (lambda: Field(None), "a Field has a network"),
    "Field(axes)": (
        lambda: fitted(
            problem=Problem(
                LINE, lambda u, t, a: u(0) - a(), unknowns={"a": Field(network(), axes=("x",))}
            )
        ),
        "x: this box has t",
    ),
    # points
    "Batches(draw=3)": (lambda: Batches(3), "draw"),
    "Batches(rows=3)": (lambda: Batches(lambda n, s: ORIGIN, 1, rows=3), "rows"),
    "Batches gives None": (lambda: fitted(points=Batches(lambda n, s: None)), "source of points|points"),
    "Batches(every)": (lambda: Batches(lambda n, s: ORIGIN, "often"), "every is a whole number"),
    "sampled(every)": (lambda: sampled(LINE, 8, every=-1), "every is a whole number"),
    "sampled(seed)": (lambda: sampled(LINE, 8, seed="x"), "seed"),
    "sampled(box)": (lambda: sampled((0, 1), 8), "box is a Box"),
    "refined(box)": (lambda: refined(None, 8, 1), "box is a Box"),
    "Batches(seed)": (lambda: Batches(lambda n, s: ORIGIN, seed="x"), "seed is a whole number"),
    "refined(power)": (lambda: refined(LINE, 8, 1, power="x"), "power"),
    "refined(power=-1)": (lambda: refined(LINE, 8, 1, power=-1.0), "power"),
    "fit(points=function)": (lambda: fitted(points=lambda n, s: ORIGIN), "number of points"),
    "fit(points=NumPy)": (lambda: fitted(points=np.zeros((4, 2))), "points"),
    "fit(points=NaN)": (lambda: fitted(points=torch.tensor([[math.nan]])), "all finite"),
    "fit(points outside)": (lambda: fitted(points=torch.tensor([[7.0]])), "outside"),
    "fit(points complex)": (lambda: fitted(points=torch.zeros(4, 1) * 1j), "complex|points"),
    # fit and run
    "fit(network=None)": (lambda: fit(GROWTH, None, [Adam(1)]), "network"),
    "fit(network=function)": (lambda: fit(GROWTH, torch.sin, [Adam(1)]), "network"),
    "fit(turned round)": (lambda: fit(network(), GROWTH, [Adam(1)]), "network|Problem"),
    "fit(seed)": (lambda: fitted(seed="x"), "seed"),
    "fit(seed=1.5)": (lambda: fitted(seed=1.5), "seed"),
    "fit(log_interval)": (lambda: fitted(log_interval="5 s"), "log_interval"),
    "fit(balance)": (lambda: fitted(balance=-1), "balance is a whole number"),
    "fit(metrics=list)": (lambda: fitted(metrics=[len]), "metric"),
    "fit(metrics=3)": (lambda: fitted(metrics={"a": 3}), "metric"),
    "fit(metrics taken)": (lambda: fitted(stages=[NEVER], metrics={"loss": lambda u: 1.0}), "something else loss"),
    "fit(metrics columns)": (
        lambda: fitted(stages=[NEVER], metrics={"a": lambda u: LINE.points(2)}),
        "a metric gives one number",
    ),
    "event.stop()": (lambda: fitted(callbacks=[lambda event: event.stop("")]), "stop says why, in words"),
    "fit(callbacks=function)": (lambda: fitted(callbacks=print), "callback"),
    "fit(method)": (lambda: fitted(method="magic"), "method is"),
    "fit(checkpoint=3)": (lambda: fitted(checkpoint=3), "checkpoint"),
    "run(batches=256)": (lambda: ran(256), "[Bb]atches"),
    "run(batches=tensor)": (lambda: ran(torch.zeros(4, 1)), "[Bb]atches"),
    "run(state=3)": (lambda: ran(sampled(LINE, 8), state=3), "state"),
    "run(balance=-3)": (lambda: ran(sampled(LINE, 8), balance=-3), "balance"),
    # residuals, check, scaled
    "residuals without u": (lambda: residuals(GROWTH, {}, batch_of(GROWTH, ORIGIN)), "'?u'?.*params|params.*u"),
    "residuals without an unknown": (
        lambda: residuals(
            Problem(LINE, lambda u, t, k: u(0) - k, unknowns={"k": Unknown(1.0)}),
            {"u": torch.sin},
            batch_of(GROWTH, LINE.points(3)),
        ),
        "k",
    ),
    "residuals of points": (lambda: residuals(GROWTH, {"u": torch.sin}, LINE.points(3)), "batch"),
    "residuals of no problem": (lambda: residuals(None, {"u": torch.sin}, {}), "problem is a Problem"),
    "residuals(u=3)": (lambda: residuals(GROWTH, {"u": 3}, batch_of(GROWTH, ORIGIN)), "u in params is a function"),
    "residuals(term=tensor)": (lambda: residuals(GROWTH, {"u": torch.sin}, {"equation": ORIGIN}), "equation in batch"),
    "residuals of another term": (
        lambda: residuals(GROWTH, {"u": torch.sin}, {"edge": batch_of(GROWTH, ORIGIN)["equation"]}),
        "edge",
    ),
    "residuals(method)": (
        lambda: residuals(GROWTH, {"u": torch.sin}, batch_of(GROWTH, LINE.points(3)), "magic"),
        "method is",
    ),
    "batch_of(one axis too many)": (lambda: batch_of(GROWTH, torch.zeros(3, 2)), r"\(n, 1\)"),
    "batch_of(no columns)": (lambda: batch_of(GROWTH, torch.zeros(3)), r"\(n, 1\)"),
    "batch_of(no problem)": (lambda: batch_of(None, ORIGIN), "problem is a Problem"),
    "batch_of(list)": (lambda: batch_of(GROWTH, [[0.0]]), "x is points, a tensor"),
    "scaled(no problem)": (lambda: scaled(LINE), "problem is a Problem"),
    "march(checkpoint)": (lambda: march(GROWTH, network, [Adam(1)], checkpoint=3), "the name of a folder"),
    "check(n=0)": (lambda: check(KNOWN, n=0), "1 or more"),
    "check(tolerance)": (lambda: check(KNOWN, tolerance="x"), "tolerance"),
    "scaled(NaN)": (lambda: scaled(Problem(LINE, lambda u, t: u(0) * math.nan)), "sizes that are num"),
    # networks
    "MLP(tuple)": (lambda: MLP((0, 1)), "[Bb]ox"),
    "MLP(spread)": (lambda: MLP(LINE, spread="x"), "spread"),
    "MLP(spread=-1)": (lambda: MLP(LINE, spread=-1.0), "spread"),
    "Fourier(size)": (lambda: Fourier(LINE, size="x"), "size"),
    "Fourier(features)": (lambda: Fourier(LINE, features=2.5), "features"),
    "Siren(omega)": (lambda: Siren(LINE, omega=0.0), "omega"),
    "MLP(seed)": (lambda: MLP(LINE, seed=1.5), "seed is a whole number, 0 or more; got 1.5"),
    "Siren(seed)": (lambda: Siren(LINE, seed=None), "seed is a whole number"),
    "Fourier(seed)": (lambda: Fourier(LINE, seed="x"), "seed is a whole number"),
    "MLP(points=list)": (lambda: network()([[0.5]]), "x is points, a tensor"),
    "Adam(decay)": (lambda: Adam(3, decay="no"), "decay is True or False"),
    "LevenbergMarquardt(marquardt)": (lambda: LevenbergMarquardt(3, marquardt="no"), "marquardt is True or"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("make", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


@pytest.mark.parametrize("x", [np.zeros((2, 1)), [[0.5]], 0.5, None, torch.zeros(3), 1j * ORIGIN])
def test_a_solution_is_called_with_points(x):
    with pytest.raises(TypeError, match=r"u is called with points, a real tensor \(n, 1\)"):
        Solution(Trial(GROWTH, network()), History())(x)


@pytest.mark.parametrize(
    ("problem", "net", "said"),
    [
        (
            Problem(Box(t=(0.0, 2.0)), GROWTH.residual),
            MLP(Box(t=(0.0, 2.0)), (4,)),
            "another function here",
        ),
        (Problem(LINE, GROWTH.residual, hard=(Start(1.0),)), network(), "another function here"),
        (GROWTH, MLP(LINE, (4,), activation="sin"), "another function here"),
        (None, network(), "problem is a Problem"),
        (GROWTH, None, "network is an nn.Module"),
        (GROWTH, network().float(), None),
    ],
)
def test_a_solution_is_loaded_into_its_like_alone(problem, net, said, tmp_path):
    first = MLP(LINE, (4,), seed=1)
    Solution(Trial(GROWTH, first), History()).save(tmp_path / "u.pt")
    if said:
        with pytest.raises((ValueError, TypeError), match=said):
            Solution.load(tmp_path / "u.pt", problem, net)
    else:
        x, u = LINE.points(5), Solution.load(tmp_path / "u.pt", problem, net)
        assert torch.allclose(u(x.float()).double(), first(x), atol=1e-5)


@pytest.mark.parametrize("path", ["", 3, None, b"u.pt"])
def test_a_path_is_the_name_of_a_file(path):
    solution = Solution(Trial(GROWTH, network()), History())
    with pytest.raises((ValueError, TypeError), match="is the name of a file"):
        solution.save(path)
    if path != "":
        with pytest.raises(TypeError, match="is the name of a file"):
            Solution.load(path, GROWTH, network())


@pytest.mark.parametrize("values", [[], [math.nan], ["a"], 3, None, [1j], "12"])
def test_a_profile_needs_numbers(values):
    data = Condition("data", LINE.points(3), 1.0, sigma=0.1)
    problem = Problem(LINE, lambda u, t, k: u(0) - k, (data,), unknowns={"k": Unknown(1.0)})
    with pytest.raises(ValueError, match="a profile needs finite numbers to hold k at"):
        Solution(Trial(problem, network()), History()).profile("k", values)


def test_seconds_since_1970_are_too_long_for_float32():
    day = Box(t=(1.7e9, 1.7e9 + 86400))
    problem = Problem(day, lambda u, t: u(0) - 1e-5, (Condition("c", day.edge(1, t=1.7e9), 1.0),))
    with pytest.raises(ValueError, match=r"along t numbers of torch.float32 are 2e\+02 apart"):
        fitted(MLP(day, (4,)).float(), problem=problem)
    fitted(MLP(day, (4,)), problem=scaled(problem))


@pytest.mark.parametrize("content", [b"", b"no solution"])
def test_a_file_that_holds_no_solution_is_refused(content, tmp_path):
    with pytest.raises(ValueError, match=r"u.pt holds"):
        loaded(tmp_path, content)


def test_a_column_that_no_record_has_is_told_of():
    history = fitted(stages=[Adam(2)]).history
    assert history.column("error") == [None]  # which a history may have
    with pytest.raises(ValueError, match="no record has 'los': they have stage, number, step"):
        history.column("los")


def test_a_kernel_of_numbers_that_are_not_float64_is_an_integral_all_the_same():
    """∫₀¹ [x > 1/2] y dy = [x > 1/2] / 2."""
    kernel = lambda x, y: (x + 0 * y > 0.5)[..., 0]
    step = Integral(*LINE.quadrature(4), kernel=kernel)
    problem = Problem(LINE, lambda u, t, past: past, integrals={"past": step})
    rows, _ = residuals(problem, {"u": lambda t: t}, batch_of(problem, LINE.points((5,), "grid")))[
        "equation"
    ]
    assert torch.allclose(rows[:, 0], torch.tensor([0.0, 0.0, 0.0, 0.5, 0.5]).double())
