"""Answers to the exercises of chapters 7 and 8, right ones and the tempting wrong ones; test_practice_torch.py asks."""

import math

import torch
from torch.autograd import grad
from torch.func import jvp, vmap

from companion.operators import Partials, partial

# of a label: the right answer, then for each wrong one a pair, it and a part of what is said of it
ANSWERS: dict[str, tuple] = {}

# ---------------------------------------------------------------- chapter 7

ANSWERS["ex-07-neighbours"] = (
    [8, 7, 3],
    ([6, 1, 2], "each row by its own x"),
    ([8, 7, 2], "(8, 7, 2), wrong in entry 3: write the sum"),
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


ANSWERS["ex-07-rows"] = (
    rows_are_independent,
    (row_sums_are_column_sums, "of f = x - x.mean(): yours says True"),
    (lambda f, x: True, "of f = x - x.mean(): yours says True"),
    (lambda f, x: "True", "yours is 'True', and True or False is expected"),
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


ANSWERS["ex-07-hunt"] = (
    heat_loss,
    (as_posed, "a table (N, N), and u_xx has u_x in it"),
    (lambda net, x, t: by_backward(net, x, t, clear_t=False), "u_t has u_xt in it"),
    (by_backward, "has written into the .grad of 5 of the five leaves"),
    (untrained, "does not require a gradient"),
    (lambda net, x, t: heat_loss(net, x, t).item(), "and a tensor is expected"),
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


ANSWERS["ex-07-forward-over-reverse"] = (
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


ANSWERS["problem-07-hidden"] = (
    hidden,
    (lambda x: x.roll(1, dims=0), "the derivative along w is"),
    (torch.tanh, "looks at no other row"),
    (lambda x: math.inf * x.roll(1, dims=0), "no finite Jacobian"),
    (lambda x: x[:, 0], "has the shape (5,)"),
)

# ---------------------------------------------------------------- chapter 8

ANSWERS["ex-08-alias"] = (
    lambda x, z, w2: 2 * (x + 0.01 * z**2) * (1 + 0.02 * z * w2),
    (lambda x, z, w2: 2 * (x + 0.01 * z**2), "your formula is the partial derivative"),
    (lambda x, z, w2: 0.0, "the complex step, z following x, says"),
)


def total_twice(f, x, z):
    [f_x] = grad(f(x, z).sum(), x, create_graph=True)
    return grad(f_x.sum(), z, create_graph=True)[0]


ANSWERS["ex-08-mixed"] = (
    lambda f, x, z: partial(partial(f, wrt=0), wrt=1)(x, z),
    (total_twice, "with z held it is"),
    (lambda f, x, z: ANSWERS["ex-08-mixed"][0](f, x, z).abs(), "with z held it is (-0.0336"),
    (lambda f, x, z: 0.04 * z.detach(), "the wire is cut"),
    (lambda f, x, z: 0.04 * z, "your ∂²f/∂x∂z of f = x² z³"),
    (
        lambda f, x, z: partial(partial(f, wrt=0), wrt=1)(x, z).detach() + 0 * x,
        "a difference quotient says",
    ),
)


def near(c0, c1, c2, fourth=3.0):
    return c0**2 + (c1 - 1) ** 2 + fourth * c2**2 + 2 * c0 * c2


def far(c0, c1, c2):
    s = torch.arange(1.0, 1001.0, dtype=torch.float64)
    return ((c0 + (c1 - 1) * s + c2 * s**2) ** 2).mean()


def frozen(x, w2, b2, target):
    """On a leaf, as on the page."""
    leaf = x.detach().requires_grad_()
    y = 100 + (leaf + 0.01 * (w2 * x + b2) ** 2) ** 2
    y.backward(torch.ones_like(y), create_graph=True)
    dx, leaf.grad, w2.grad, b2.grad = leaf.grad, None, None, None
    return grad(((dx - target) ** 2).mean(), (w2, b2))


ANSWERS["ex-08-thousands"] = (
    {"sample": near, "frozen": frozen},
    (
        {"sample": far, "frozen": frozen},
        'at c0 = 0.2, c1 = 0.9, c2 = -0.05: "sample": your error is 5.03752e+08, on',
    ),
    (
        {"sample": lambda *c: near(*c, fourth=1.0), "frozen": frozen},
        "on a normal sample it is 0.0375",
    ),
    (
        {"sample": near, "frozen": lambda x, w2, b2, target: (0.0, 0.0)},
        'w2 = 0.3, b2 = -0.5, target = (1.5, -3, 6, 4.5): "frozen": your pair is (0, 0), the complex step',
    ),
    ({"sample": "small", "frozen": "harmless"}, "of \"sample\", yours is 'small'"),
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


ANSWERS["problem-08-one-path"] = (
    one_path,
    (total, "yours is the total derivative: y follows too"),
    (both_held, "yours is the partial derivative: z is held too"),
    (cut, "the derivative of your result by what x was computed from"),
    (cut_off, "the wire is cut"),
    (lambda f, x, p, q: 0 * x, "a complex step says"),
)
