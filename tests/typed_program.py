"""What a user writes, for a type checker to read; never run. Marked lines are wrong, and why."""

from datetime import timedelta
from fractions import Fraction

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor, nn

from companion import series
from companion.engines import (
    Dual,
    Jet,
    Pointwise,
    Var,
    check_derivatives,
    complex_step,
    derivative,
    det,
    difference,
    difference_gradient,
    einsum,
    exp,
    flatten,
    grad,
    gradients,
    jvp,
    maximum,
    sin,
    slogdet,
    solve,
    split,
    stencil,
    value_and_grad,
)
from companion.engines import derivatives as engine_derivatives
from companion.operators import (
    RULES,
    LeakProbe,
    Partials,
    check_orders,
    derivatives,
    gradient_audit,
    graph_size,
    laplacian,
    partial,
    taylor,
)
from companion.pinn import (
    LBFGS,
    MLP,
    Adam,
    Batches,
    Box,
    Causal,
    Condition,
    Estimate,
    Field,
    Fourier,
    History,
    Integral,
    LevenbergMarquardt,
    Problem,
    Profile,
    Solution,
    Unknown,
    batch_of,
    check,
    fit,
    grown,
    refined,
    residuals,
    run,
    sampled,
    scaled,
    spread_of,
)
from companion.pinn.residuals import Batch
from companion.pinn.stages import At, Losses
from companion.pinn.trial import Objective
from companion.problems import Epidemic, poisson_square, sir_inverse
from companion.show.curves import cost_curves
from companion.show.ledger import ledger, measure
from companion.show.solutions import error_map, history_curves

# --- series: the kind of number stays ------------------------------------------------------------

floats: list[float] = series.exp([0.0, 1.0, 0.0], 1.0)
fractions: list[Fraction] = series.mul([Fraction(1, 2)], [Fraction(1, 3)])
series.exp(0.0, 1.0)  # wrong: arg-type

# --- engines: a number gives a number, an engine value its own kind ------------------------------

x, y = Var(2.0), Var([1.0, 2.0])
number: float = sin(1.0) + exp(2)
kept: Var = exp(x) * y - 3 / x + maximum(x, 0.0) ** 2
dual: Dual = sin(Dual(1.0, 1.0)) @ Dual(np.eye(2))
slopes: list[Var] = gradients(kept.sum(), [x, y])
again: list[Var] = gradients(slopes[0], x)
found: list[float] = engine_derivatives(lambda t: t**4, 0.0, 6)
value, tangent = jvp(lambda t: sin(t) * t, 2.0, 1.0)
both = jvp(lambda a, b: a * b, (2.0, 3.0), (1.0, 0.0))
curvature = derivative(sin, order=2)(0.5) + grad(lambda t: t * t)(3.0)
gauss = Pointwise("gauss", lambda t: np.exp(-t * t), lambda t, v: -2 * t * v)
check_derivatives(lambda a: gauss(a) * Jet([a, 1.0]).coefficient(0), 2.0, order=2)
near = abs(difference(np.exp, 0.0) - complex_step(np.exp, 0.0))
rows: np.ndarray = difference_gradient(lambda p: p[0] * p[1], [2.0, 5.0], scheme="central")
loss, slope = value_and_grad(lambda p, *, rate: p["w"] * rate, argnum=0)({"w": 2.0}, rate=3.0)
vector, unflatten = flatten({"w": np.ones(2), "b": 1.0})
halves: list[np.ndarray] = split(np.ones(4), 2)
volume: float = slogdet(np.eye(2)).logabsdet + det(solve(np.eye(2), np.eye(2)))
highest: Var = (y.reshape(2, 1) % 1).max(axis=0) + y.clip(0.0, 1.0).round()
weights: tuple[Fraction, ...] = stencil([-1, 0, 1], order=2)

sin("x")  # wrong: call-overload
Var("x")  # wrong: arg-type
jvp(sin, 2.0)  # wrong: call-arg
grad(sin, argnum="x")  # wrong: arg-type
solve(np.eye(2))  # wrong: call-arg
einsum(np.eye(2), "ii")  # wrong: arg-type
y.max("rows")  # wrong: arg-type
gradients(x, 2.0)  # wrong: arg-type
difference(np.exp, 0.0, scheme=1.5)  # wrong: arg-type
difference(np.exp, 0.0, 1e-3, 2)  # wrong: call-arg
engine_derivatives(sin, 0.0, "2")  # wrong: arg-type
print(kept.gradient)  # wrong: attr-defined

# --- operators: tensors --------------------------------------------------------------------------

points = torch.zeros(3, 2, dtype=torch.float64, requires_grad=True)
net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
u = Partials(net, points)
residual: Tensor = u(0) + u() * u(1, 1) - u.laplacian()
Partials(lambda p: p[:, :1] * p[:, 1:] ** 3, points, method="taylor").check_rows()
orders: list[Tensor] = derivatives(torch.exp, points, 4)
coefficients: list[Tensor] = taylor(net, points, torch.ones(3, 2), order=2)
curved: Tensor = laplacian(net, points) + partial(lambda a, b: a * b, "b")(points, points)
check_orders(torch.sin, points, order=3)
RULES[torch.logit] = lambda p: torch.log(p) - torch.log(1 - p)
verdict: bool = gradient_audit(lambda: net(points).square().mean(), net).clean
nodes: int = graph_size([residual, curved])
with LeakProbe() as probe:
    probe.watch(points)

Partials(3, points)  # wrong: arg-type
Partials(net, [0.0, 1.0])  # wrong: arg-type
u("x")  # wrong: arg-type
u.laplace()  # wrong: attr-defined
derivatives(torch.exp, 1.0, 3)  # wrong: arg-type
taylor(net, points, 1.0, 2)  # wrong: call-arg
laplacian(points, net)  # wrong: arg-type
check_orders(net, points)  # wrong: call-arg
partial(net, 1.0)  # wrong: arg-type
gradient_audit(torch.ones(1), net)  # wrong: arg-type

# --- pinn: a declaration and its fit -------------------------------------------------------------

box = Box(t=(0.0, 4.0), x=(-1, 1), units={"t": "days"})
start = Condition("start", box.edge(20, t=0.0), 1.0, of=lambda u, x: u(0), weight=10.0)
heat = Problem(
    box,
    lambda u, x, rate: u(0) - rate * u(1, 1),
    (start,),
    ansatz=lambda x, n: x[:, :1] * n,
    exact=lambda x: torch.exp(-x[:, :1]),
    unknowns={"rate": Unknown(0.4, low=0.0)},
    order=2,
)


class Descent:
    """A stage of one's own."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def init(self, objective: Objective, theta: Tensor, batch: Batch) -> None:
        return None

    def step(self, objective: Objective, at: At, batch: Batch, room: int) -> tuple[At, Losses]:
        losses, slope = objective.gradient(at.theta, batch)
        after = At(at.theta - 1e-3 * slope, None, at.made + 1)
        return after, {term: loss[None] for term, loss in losses.items()}


network = MLP(box, widths=(20, 20), activation="tanh")
stages = [Adam(100, lr=1e-2), LBFGS(10), LevenbergMarquardt(40, marquardt=True)]
fit(heat, network, [Descent(3), Adam(10)])
solution: Solution = fit(
    heat,
    network,
    stages,
    points=(20, 20),
    sampler="grid",
    causal=Causal("t"),
    log_interval=timedelta(seconds=1),
    balance=100,
    metrics={"middle": lambda u: u(points)},
    callbacks=[lambda event: event.stop("enough") if event.step > 5 else None],
    checkpoint="fit.pt",
)
further = fit(heat, solution, [LBFGS(5)], points=points, log_interval=50)
history: History = solution.history
small: bool = (solution.error or 1.0) < 1e-4
rate: Estimate = solution.unknowns["rate"]
spread: float | None = rate.error
scattered: Estimate = solution.scatter["rate"]
profile: Profile = solution.profile("rate", [0.3, 0.4])
low, high = profile.interval(3.84)
slope_in_time: Tensor = solution.partials(points)(0)
solution.save("u.pt")
known: Solution = Solution.load("u.pt", heat, network)
steep = MLP(box, (10,), spread=spread_of(heat))
waves = Fourier(box, size={"x": 2.0})
more_and_more = grown(box, 100, every=50, more=10)
for event in run(heat, steep, stages, refined(box, 100, every=10)):
    if event.step == 20:
        event.next_stage()
several = Batches(lambda number, squares: box.points(64, "uniform", number), 1, {"start": 10})
left = residuals(heat, {"u": network, "rate": 0.4}, batch_of(heat, points))["equation"][0]
data = Condition("data", points, left, sigma=left.abs() + 1, given={"normal": points})
source = Problem(
    box, lambda u, x, f: u(0) - f(), (data,), unknowns={"f": Field(MLP(box), axes=("t",))}
)
other: Problem = scaled(source)
total = Integral(*box.quadrature((8, 8)), of=lambda u, y: u() ** 2)
normed = Problem(box, lambda u, x, total: u(0) - total, integrals={"total": total})
largest: dict[str, float] = check(poisson_square(), tolerance=1e-9)
days = np.linspace(0, 60, 25)
inverse: Problem = sir_inverse(days, Epidemic(days=60).solve(days)[1], sigma=0.01)

fit(heat, network, 3)  # wrong: arg-type
fit(heat, network, Adam(10))  # wrong: arg-type
fit(network, heat, stages)  # wrong: arg-type
fit(heat, network, stages, 200)  # wrong: call-arg
fit(heat, network, stages, point=200)  # wrong: call-arg
Box(t=4.0)  # wrong: arg-type
MLP(box, widths=20)  # wrong: arg-type
MLP((0.0, 1.0))  # wrong: arg-type
Adam("100")  # wrong: arg-type
Condition("start", 0.0)  # wrong: arg-type
Problem(box, residual=3)  # wrong: arg-type
Problem(box, lambda u, x: u(), exact=0.0)  # wrong: arg-type
print(history.err)  # wrong: attr-defined
fit(heat, network, stages, log_interval="often")  # wrong: arg-type
fit(heat, network, stages, report=100)  # wrong: call-arg
LevenbergMarquardt(40, tries=3)  # wrong: call-arg
Field(torch.sin)  # wrong: arg-type
sampled(box, "many")  # wrong: arg-type

# --- show ----------------------------------------------------------------------------------------

picture: Axes = cost_curves({"jet": ([1, 2], [1, 4])}, xlabel="order", ylabel="operations")
history_curves(history, x="seconds", ax=picture)
error_map(poisson_square(), network, limits=(1e-6, 1e-2))
print(ledger("Var") + measure("mine", lambda f, a, b: (1 / a + b, a - np.cos(b))))

cost_curves([1, 2], xlabel="order", ylabel="operations")  # wrong: arg-type
cost_curves({})  # wrong: call-arg
history_curves(network)  # wrong: arg-type
