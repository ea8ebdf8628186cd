"""Answers to the exercises of chapters 9 to 11, right ones and the tempting wrong ones; test_practice_torch.py asks."""

import math

import torch

from companion.operators import laplacian

# of a label: the right answer, then for each wrong one a pair, it and a part of what is said of it
ANSWERS: dict[str, tuple] = {}

# ---------------------------------------------------------------- chapter 9

ANSWERS["ex-09-which"] = (
    "bc",
    ("c", "(b) W x: you say that x is freed, it is alive"),
    ("abc", "(a) A x: you say that x is alive, it is freed"),
    (["b"], "letters are wanted"),
    ("b c d", "(d) x.detach().sin() * x: you say that x is alive, it is freed"),
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


ANSWERS["ex-09-ctx"] = (
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

ANSWERS["ex-09-second-order"] = (
    second_by_backward,
    (lambda f, x: second_by_backward(f, x, between=False), "f'' is"),
    (lambda f, x: second_by_backward(f, x, after=False), "what your second call returns"),
    (reset_before, "of f = sin x: x outlives its last name, held by its own .grad"),
    (lambda f, x: reset_before(f, x, torch.detach), "leaves something in x.grad"),
    (lambda f, x: kept.append(x) or second_by_backward(f, x), "x outlives its last name"),
)

ANSWERS["problem-09-keystone"] = (
    lambda x, y, z: ((x + z) * y).sum(),
    (lambda x, y, z: (x * y * z).sum(), "after y.grad = None, alive are x, y, z; wanted are none"),
    (lambda x, y, z: (x + y + z).sum(), "with nothing cleared, alive are none"),
    (lambda x, y, z: (x + z) * y, "your f has the shape (3,), and () is expected"),
)

# ---------------------------------------------------------------- chapter 10

ANSWERS["ex-10-walk"] = (
    [7, 4, 2],
    ([1, 2, 5], "is the way forward"),
    ([7, 4, 3], "(7, 4, 3), wrong in entry 3: write the lower"),
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


ANSWERS["ex-10-sine"] = (
    sin_series,
    (lambda u: sin_series(u, weighted=False), "Cauchy's integral says"),
    (lambda u: [torch.sin(row) for row in u], "k = 1: your answer is 0.841471"),
    (lambda u: [torch.sin(u[0])], "yours gives 1"),
    (lambda u: sin_series([*u, *u][:7]), "u = (0.8, -1), with 2 coefficients, yours gives 4"),
)


def bell(x):
    return torch.exp(-(x**2).sum(1, keepdim=True) / 2)


ANSWERS["ex-10-radial"] = (
    lambda x: laplacian(bell, x),
    (lambda x: ((x**2).sum(1, keepdim=True) - 1) * bell(x), "at d = 2"),
    (lambda x: laplacian(bell, x)[:, 0], "has the shape (3,)"),
)

ANSWERS["ex-10-four"] = (
    [2, 2, -4, -4],
    ([1, 1, -2, -2], "on u = x^2·y^2, what your jets add up to is 2, the operator gives 4"),
    ([2, 2, -4, 0], "on u = y^4"),
    ([2, 2, -4], "wants a list of 4 numbers"),
)

third = math.sqrt(3) / 2
ANSWERS["problem-10-plate"] = (
    {(1, 0): 64 / 3, (0.5, third): 64 / 3, (0.5, -third): 64 / 3},
    ({(1, 0): 24, (0, 1): 24}, "on u = x^2·y^2, what your jets add up to is 0"),
    ({(1, 1): 4, (1, -1): 4, (1, 0): 16, (0, 1): 16}, "yours takes 4 jets"),
    ([64 / 3] * 3, "a dict of pairs and weights is wanted"),
)

# ---------------------------------------------------------------- chapter 11, both pages


def seven(x, times=12):
    return x + times * (torch.maximum(x, torch.zeros_like(x)) - torch.relu(x))


ANSWERS["ex-11-any-slope"] = (
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


ANSWERS["ex-11-distances"] = (
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


def cut_at_the_cube(x):
    """The value and three derivatives are right at 0, and the fourth is 0."""
    return torch.where(x.abs() < 1e-8, 1 + x / 2 + x**2 / 6 + x**3 / 24, quotient(x))


ANSWERS["problem-11-quotient"] = (
    quotient,
    (lambda x: torch.expm1(x) / x, "at x = 0: x times your f is nan"),
    (
        mended_at_zero,
        "at x = 0: x times your derivative of order 2 plus 2 times that of order 1 is 0",
    ),
    (lambda x: torch.where(x == 0, 1 + x / 2, mended_at_zero(x)), "plus 3 times that of order 2"),
    (cut_at_the_cube, "at x = 0: 5 times your derivative of order 4 is 0, exp(x) is 1"),
    (lambda x: quotient(x).sum(), "f(x) has the shape (), and (14,) is expected"),
)

ANSWERS["ex-11-view"] = (
    [0, 0],
    ([math.e, math.e**2], "wrong in entries 1, 2: the program was run"),
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


ANSWERS["ex-11-three-cuts"] = (
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

ANSWERS["problem-11-segments"] = (
    [10, 10, 9, 8, 7, 6, 5, 4, 3, 2],
    ([8] * 8, "while your segment 8 is run again, 15 results are alive; the best equal cut has 15"),
    ([11, 10, 9], "your segments have 30 layers"),
    ([64.5, -0.5], "whole numbers"),
)
