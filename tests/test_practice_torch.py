"""The exercises of Part II, checked: the published solution is right, the tempting wrong answer is refused."""

import math

import pytest
import torch
from torch.autograd import grad
from torch.func import jvp, vmap

from companion.operators import Partials, laplacian, partial
from companion.practice import check
from companion.practice.checking import asked, labels

pytestmark = pytest.mark.filterwarnings("ignore:Using backward.. with create_graph=True")
RIGHT, WRONG = {}, []


def answers(label, right, *wrong):
    """An exercise: the right answer, and for each wrong one a part of what is said of it."""
    RIGHT[label] = right
    WRONG.extend((label, answer, words) for answer, words in wrong)


# ---------------------------------------------------------------- chapter 7

answers(
    "ex-07-neighbours",
    [8, 7, 3],
    ([6, 1, 2], "each row by its own x"),
    ([8, 7, 2], "a difference quotient of the sum says (8, 7, 3)"),
    ([8, 7], "wants a list of 3 numbers"),
)


def rows_are_independent(f, x):
    w = torch.rand(x.shape, generator=torch.Generator().manual_seed(1))
    plain = jvp(f, (x,), (torch.ones_like(x),))[1]
    return torch.allclose(jvp(f, (x,), (w,))[1], plain * w, rtol=1e-3, atol=1e-6)


def row_sums_are_column_sums(f, x):
    """A symmetric Jacobian passes, as that of a softmax."""
    x = x.requires_grad_()
    [columns] = grad(f(x).sum(), x)
    return torch.allclose(jvp(f, (x,), (torch.ones_like(x),))[1], columns, atol=1e-6)


answers(
    "ex-07-rows",
    rows_are_independent,
    (row_sums_are_column_sums, "of f = x - x.mean(): yours says True"),
    (lambda f, x: True, "of f = x - x.mean(): yours says True"),
    (lambda f, x: False, "of f = tanh(x): yours says False"),
)


def as_posed(net, x, t):
    u = net(x, t)
    u.sum().backward(create_graph=True)
    u_t = t.grad[:, 0]
    x.grad.sum().backward(create_graph=True)
    return ((u_t - x.grad) ** 2).mean()


def by_backward(net, x, t, clear_t=True):
    """Mended, but for what backward writes into the parameters."""
    u = net(x, t)
    u.sum().backward(create_graph=True)
    u_x, u_t = x.grad, t.grad
    x.grad = None
    if clear_t:
        t.grad = None
    u_x.sum().backward(create_graph=True)
    return (((u_t if clear_t else t.grad) - x.grad) ** 2).mean()


def heat_loss(net, x, t):
    u = Partials(lambda p: net(p[:, :1], p[:, 1:]), torch.cat([x, t], dim=1))
    return ((u(1) - u(0, 0)) ** 2).mean()


def untrained(net, x, t):
    return heat_loss(net, x, t).detach()


answers(
    "ex-07-hunt",
    heat_loss,
    (as_posed, "a table (N, N), and u_xx has u_x in it"),
    (lambda net, x, t: by_backward(net, x, t, clear_t=False), "u_t has u_xt in it"),
    (by_backward, "has written into the .grad of 5 of the five leaves"),
    (untrained, "does not require a gradient"),
    (lambda net, x, t: 2 * heat_loss(net, x, t), "by the closed form it is"),
)


def forward_over_reverse(net, x, t):
    def u_at(x, t):
        return net(x.reshape(1, 1), t.reshape(1, 1)).squeeze()

    def at(x, t):
        return jvp(lambda x: torch.func.grad(u_at)(x, t), (x,), (torch.ones_like(x),))[1]

    return vmap(at)(x[:, 0], t[:, 0])[:, None]


def by_the_sum(net, x, t):
    x = x.clone().requires_grad_()
    [u_x] = grad(net(x, t).sum(), x, create_graph=True)
    return grad(u_x.sum(), x)[0]


def twice_called(net, x, t):
    net(x, t)
    return forward_over_reverse(net, x, t)


answers(
    "ex-07-forward-over-reverse",
    forward_over_reverse,
    (by_the_sum, "where a point alone is its own mean"),
    (twice_called, "calls the network 2 times"),
    (lambda net, x, t: forward_over_reverse(net, x, t)[:, 0], "has the shape (7,)"),
)


def hidden(x):
    """Row i looks at two others so that Σ_j J_ij (w_j − w_i) = 0."""
    seen = torch.zeros(5, 5, dtype=x.dtype)
    for i in range(5):
        j, k = [row for row in range(5) if row != i][:2]
        seen[i, j], seen[i, k] = 1.0, -(j - i) / (k - i)
    return torch.tanh(seen @ x)


answers(
    "problem-07-hidden",
    hidden,
    (lambda x: x.roll(1, dims=0), "the derivative along w is"),
    (torch.tanh, "looks at no other row"),
    (lambda x: x[:, 0], "has the shape (5,)"),
)

# ---------------------------------------------------------------- chapter 8

answers(
    "ex-08-alias",
    lambda x, z, w2: 2 * (x + 0.01 * z**2) * (1 + 0.02 * z * w2),
    (lambda x, z, w2: 2 * (x + 0.01 * z**2), "your formula is the partial derivative"),
    (lambda x, z, w2: 0.0, "the complex step, z following x, says"),
)


def total_twice(f, x, z):
    [f_x] = grad(f(x, z).sum(), x, create_graph=True)
    return grad(f_x.sum(), z, create_graph=True)[0]


answers(
    "ex-08-mixed",
    lambda f, x, z: partial(partial(f, wrt=0), wrt=1)(x, z),
    (total_twice, "with z held it is"),
    (lambda f, x, z: 0.04 * z.detach(), "the wire is cut"),
    (lambda f, x, z: 0.04 * z, "your ∂²f/∂x∂z of f = x² z³"),
    (
        lambda f, x, z: partial(partial(f, wrt=0), wrt=1)(x, z).detach() + 0 * x,
        "a difference quotient says",
    ),
)

answers(
    "ex-08-thousands",
    {"sample": "small", "frozen": "harmless"},
    ({"sample": "large", "frozen": "harmless"}, "Where does that of the cut wire end"),
    ({"sample": "small", "frozen": "harmful"}, "Which gradient of linear2"),
    ({"sample": "small", "frozen": "bad"}, 'one of "harmless", "harmful"'),
)


def one_path(f, x, p, q):
    y = q(x)
    a = x.view_as(x)
    return grad(f(a, p(a), y).sum(), a, create_graph=True)[0]


def total(f, x, p, q):
    return grad(f(x, p(x), q(x)).sum(), x, create_graph=True)[0]


def both_held(f, x, p, q):
    z, y, a = p(x), q(x), x.view_as(x)
    return grad(f(a, z, y).sum(), a, create_graph=True)[0]


def cut(f, x, p, q):
    a = x.detach().requires_grad_()
    return grad(f(a, p(a), q(x)).sum(), a, create_graph=True)[0]


def cut_off(f, x, p, q):
    return one_path(f, x, p, q).detach()


answers(
    "problem-08-one-path",
    one_path,
    (total, "yours is the total derivative: y follows too"),
    (both_held, "yours is the partial derivative: z is held too"),
    (cut, "the derivative of your result by what x was computed from"),
    (cut_off, "the wire is cut"),
    (lambda f, x, p, q: 0 * x, "a complex step says"),
)

# ---------------------------------------------------------------- chapter 9

answers(
    "ex-09-which",
    "bc",
    ("c", "(b) W x: you say that x is freed, it is alive"),
    ("abc", "(a) A x: you say that x is alive, it is freed"),
    (["b"], "letters are wanted"),
)


class Exp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, cotangent):
        return cotangent * ctx.saved_tensors[0]


class Cyclic(Exp):
    @staticmethod
    def forward(ctx, x):
        ctx.y = x.exp()
        return ctx.y

    @staticmethod
    def backward(ctx, cotangent):
        return cotangent * ctx.y


class Numbers(Exp):
    @staticmethod
    def forward(ctx, x):
        ctx.y = x.exp().detach().clone()
        return x.exp()

    @staticmethod
    def backward(ctx, cotangent):
        return cotangent.detach() * ctx.y


answers(
    "ex-09-ctx",
    Exp,
    (Cyclic, "outlives its last name: an attribute of ctx"),
    (Numbers, "cannot be differentiated again"),
    (torch.exp, "inherits from torch.autograd.Function"),
)


def second_by_backward(f, x, between=True, after=True):
    f(x).sum().backward(create_graph=True)
    du = x.grad
    if between:
        x.grad = None
    du.sum().backward(create_graph=True)
    ddu = x.grad
    if after:
        x.grad = None
    return ddu


def reset_before(f, x, keep=lambda u: u):
    """Right twice, since the reset is at the beginning; the last result stays."""
    x.grad = None
    x.grad = keep(second_by_backward(f, x))
    return x.grad


kept = []  # a list of all inputs, as for a plot

answers(
    "ex-09-second-order",
    second_by_backward,
    (lambda f, x: second_by_backward(f, x, between=False), "f'' is"),
    (lambda f, x: second_by_backward(f, x, after=False), "what your second call returns"),
    (reset_before, "of f = sin x: x outlives its last name, held by its own .grad"),
    (lambda f, x: reset_before(f, x, torch.detach), "leaves something in x.grad"),
    (lambda f, x: kept.append(x) or second_by_backward(f, x), "x outlives its last name"),
)

answers(
    "problem-09-keystone",
    lambda x, y, z: ((x + z) * y).sum(),
    (lambda x, y, z: (x * y * z).sum(), "after y.grad = None, alive are x, y, z; wanted are none"),
    (lambda x, y, z: (x + y + z).sum(), "with nothing cleared, alive are none"),
)

# ---------------------------------------------------------------- chapter 10

answers(
    "ex-10-walk",
    [7, 4, 2],
    ([1, 2, 5], "is the way forward"),
    ([7, 4, 3], "the transposed matrix gives (7, 4, 2)"),
)


def sin_series(u, weighted=True):
    s, c = [torch.sin(u[0])], [torch.cos(u[0])]
    for k in range(1, len(u)):
        terms = [((j if weighted else k) * u[j], k - j) for j in range(1, k + 1)]
        s_k = sum(a * c[i] for a, i in terms) / k
        c_k = -sum(a * s[i] for a, i in terms) / k
        s.append(s_k)
        c.append(c_k)
    return s


answers(
    "ex-10-sine",
    sin_series,
    (lambda u: sin_series(u, weighted=False), "Cauchy's integral says"),
    (lambda u: [torch.sin(row) for row in u], "k = 1: your answer is 0.841471"),
    (lambda u: [torch.sin(u[0])], "yours gives 1"),
)


def bell(x):
    return torch.exp(-(x**2).sum(1, keepdim=True) / 2)


answers(
    "ex-10-radial",
    lambda x: laplacian(bell, x),
    (lambda x: ((x**2).sum(1, keepdim=True) - 1) * bell(x), "at d = 2"),
    (lambda x: laplacian(bell, x)[:, 0], "has the shape (3,)"),
)

answers(
    "ex-10-four",
    [2, 2, -4, -4],
    ([1, 1, -2, -2], "on u = x^2·y^2, what your jets add up to is 2, the operator gives 4"),
    ([2, 2, -4, 0], "on u = y^4"),
    ([2, 2, -4], "wants a list of 4 numbers"),
)

third = math.sqrt(3) / 2
answers(
    "problem-10-plate",
    {(1, 0): 64 / 3, (0.5, third): 64 / 3, (0.5, -third): 64 / 3},
    ({(1, 0): 24, (0, 1): 24}, "on u = x^2·y^2, what your jets add up to is 0"),
    ({(1, 1): 4, (1, -1): 4, (1, 0): 16, (0, 1): 16}, "yours takes 4 jets"),
    ([64 / 3] * 3, "a dict of pairs and weights is wanted"),
)

# ---------------------------------------------------------------- chapter 11, both pages


def seven(x, times=12):
    return x + times * (torch.maximum(x, torch.zeros_like(x)) - torch.relu(x))


answers(
    "ex-11-any-slope",
    seven,
    (lambda x: seven(x, times=6), "at x = 0: your slope is (4), it should be (7)"),
    (lambda x: 7 * x, "at x = -1: your value is (-7)"),
    (lambda x: x.detach(), "does not require a gradient"),
)


def squares(p):
    return ((p[:, None] - p[None]) ** 2).sum(2)


def safe_distances(p):
    apart = squares(p) > 0
    return torch.where(apart, torch.where(apart, squares(p), 1.0).sqrt(), 0.0)


answers(
    "ex-11-distances",
    safe_distances,
    (lambda p: squares(p).sqrt(), "your gradient is ((nan, nan)"),
    (lambda p: (squares(p) + 1e-12).sqrt(), "your table is ((1e-06, 5, 3)"),
    (lambda p: torch.where(squares(p) > 0, squares(p).sqrt(), 0.0), "((nan, nan)"),
)


def quotient(x):
    near = x.abs() < 0.5
    far = torch.where(near, 1.0, x)
    series = sum(torch.where(near, x, 0.0) ** k / math.factorial(k + 1) for k in range(16))
    return torch.where(near, series, torch.expm1(far) / far)


def mended_at_zero(x):
    safe = torch.where(x == 0, 1.0, x)
    return torch.where(x == 0, 1.0, torch.expm1(safe) / safe)


answers(
    "problem-11-quotient",
    quotient,
    (lambda x: torch.expm1(x) / x, "at x = 0: x times your f is nan"),
    (
        mended_at_zero,
        "at x = 0: x times your derivative of order 2 plus 2 times that of order 1 is 0",
    ),
    (lambda x: torch.where(x == 0, 1 + x / 2, mended_at_zero(x)), "plus 3 times that of order 2"),
    (lambda x: quotient(x).sum(), "must have the shape of x"),
)

answers(
    "ex-11-view",
    [0, 0],
    ([math.e, math.e**2], "the program was run, and its slopes are (0, 0)"),
    ("raises", "torch has counted 0 changes"),
)


def only_generator(generator, critic, z):
    critic.requires_grad_(False)
    score = critic(generator(z))
    critic.requires_grad_(True)
    return score


def left_frozen(generator, critic, z):
    return critic.requires_grad_(False)(generator(z))


def under_no_grad(generator, critic, z):
    sample = generator(z)
    with torch.no_grad():
        return critic(sample)


def only_critic(generator, critic, z):
    return critic(generator(z).detach())


answers(
    "ex-11-three-cuts",
    {"a": only_generator, "b": only_critic},
    (
        {"a": under_no_grad, "b": only_critic},
        "the generator should learn, and your score has no graph",
    ),
    ({"a": left_frozen, "b": only_critic}, "leaves the critic frozen"),
    ({"a": only_generator, "b": only_generator}, "where the critic should learn, the gradient of"),
    ({"a": lambda g, c, z: c(g(z)), "b": only_critic}, "the gradient of the critic is"),
    ({"a": only_generator}, "has the names"),
)

answers(
    "problem-11-segments",
    [10, 10, 9, 8, 7, 6, 5, 4, 3, 2],
    ([8] * 8, "while your segment 8 is run again, 15 results are alive; the best equal cut has 15"),
    ([11, 10, 9], "your segments have 30 layers"),
    ([64.5, -0.5], "whole numbers"),
)

# ---------------------------------------------------------------- the tests


@pytest.mark.parametrize("label", RIGHT)
def test_the_right_answer(label):
    verdict = check(label, RIGHT[label])
    assert verdict, verdict
    assert str(verdict).startswith("right: ")


@pytest.mark.parametrize(("label", "answer", "words"), WRONG)
def test_the_tempting_wrong_answer(label, answer, words):
    verdict = check(label, answer)
    assert not verdict
    assert words in str(verdict)
    assert str(verdict).startswith("not yet: ")


@pytest.mark.parametrize("label", RIGHT)
def test_a_blank_and_the_example_of_a_call(label):
    blank = check(label, ...)
    assert not blank
    assert str(blank).startswith(f"your turn: {label} wants ")
    assert f'As in check("{label}", ' in str(blank)


@pytest.mark.parametrize("label", sorted(set(RIGHT) - {"ex-09-ctx", "ex-11-three-cuts"}))
def test_the_example_of_a_call_is_of_the_right_kind_and_no_solution(label):
    verdict = check(label, eval(asked(label).example, {"torch": torch}))
    assert str(verdict).startswith("not yet: ")
    assert f"{label} wants" not in str(verdict)


def test_every_exercise_of_part_two_is_here():
    part_two = {
        label for label in labels() if label.split("-")[1] in {"07", "08", "09", "10", "11"}
    }
    assert part_two == set(RIGHT)


def test_what_was_tried_leaves_no_tensor_alive():
    """The checkers of chapter 9 make leaks on purpose: each lets go of what it made."""
    import gc

    def alive():  # by type: asked for their class, some objects of torch warn
        return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())

    gc.collect()
    before = alive()
    for label in "ex-09-which", "problem-09-keystone":
        check(label, RIGHT[label])
    assert alive() == before
