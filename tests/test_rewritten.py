"""Graphs written anew for torch's compiler: the same values, and right where the compiler is not."""

import math
import sys

import mpmath
import pytest
import torch
from torch.nn import functional as F

from companion import torch_private
from companion.operators import rewritten

aten = torch.ops.aten
REAL = [(torch.float64, 1), (torch.float32, 2**29)]  # and a unit in the last place, in float64's


def graph_of(function, *inputs):
    graph = torch_private.traced(function, inputs)
    rewritten.rewrite(graph)
    return graph


def left(graph, operation):
    """How many calls of the operation the graph still has."""
    return len(graph.graph.find_nodes(op="call_function", target=operation.default))


@pytest.mark.parametrize(("dtype", "wider"), REAL)
@pytest.mark.parametrize(
    ("found", "true", "low", "high"),
    [
        (rewritten.tanh, mpmath.tanh, -25, 25),
        (rewritten.tanh, mpmath.tanh, -0.8, 0.8),
        (lambda x: rewritten.tanh(x, rewritten.ENDS[x.dtype]), mpmath.tanh, -25, 25),
        (rewritten.expm1, mpmath.expm1, -90, 80),
        (rewritten.atanh, mpmath.atanh, -1, 1),
        (rewritten.elu, lambda x: x if x > 0 else mpmath.expm1(x), -90, 90),
    ],
)
def test_to_four_units_in_the_last_place(found, true, low, high, dtype, wider):
    uniform = torch.rand(200, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    small = 10 ** (18 * uniform - 18)
    x = torch.cat([low + (high - low) * uniform, small, -small]).to(dtype)
    with mpmath.workdps(60):
        for at, value in zip(x.tolist(), found(x).tolist()):
            exact = true(at)
            assert abs(value - exact) <= 4 * wider * math.ulp(exact), at


def test_the_fraction_gives_tanh_but_for_rounding():
    """P and Q, evaluated in 50 digits."""
    with mpmath.workdps(50):
        for i in range(1, 400):
            x = mpmath.mpf(19 * i) / 400
            p, q = (mpmath.polyval(of, x * x) for of in (rewritten.P, rewritten.Q))
            r = x * p / q
            assert abs(2 * r / (1 + r * r) / mpmath.tanh(x) - 1) < 1e-16, x


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_near_its_end_tanh_leaves_the_slope_right(dtype):
    """1 − tanh², to three units of 1: what a nearly saturated unit learns by."""
    x = torch.linspace(0, 25, 3000).to(dtype)
    found, exact = rewritten.tanh(x, rewritten.ENDS[dtype]), x.double().cosh() ** -2
    assert (1 - found.double() ** 2 - exact).abs().max() <= 3 * torch.finfo(dtype).eps


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_where_there_is_no_number_it_is_torchs(dtype):
    x = torch.tensor([torch.inf, -torch.inf, torch.nan, 0, -0.0, 1, -1, 2, -2, 1e30], dtype=dtype)
    for name in ("tanh", "expm1", "atanh"):
        of_torch = getattr(torch, name)
        y = getattr(rewritten, name)(x)
        assert torch.allclose(y, of_torch(x), rtol=1e-6, atol=0, equal_nan=True)
        assert y[3:5].signbit().tolist() == [False, True]


@pytest.mark.parametrize(("dtype", "end"), rewritten.ENDS.items())
def test_a_saturated_tanh_is_one_and_its_slope_zero(dtype, end):
    """To a float's last digit: Adam would make whole steps of what rounding leaves of a slope."""
    x = torch.cat([torch.linspace(1.001 * end, 25, 200), torch.tensor([1e30])]).to(dtype)
    found = graph_of(torch.tanh, x)
    assert torch.equal(found(x), torch.ones_like(x)) and torch.equal(found(-x), -torch.ones_like(x))


@pytest.mark.parametrize("of_torch", [
    torch.tanh, torch.expm1, torch.atanh, F.elu, F.selu, lambda x: F.celu(x, 0.7), lambda x: F.elu(x, 2.0),
])  # fmt: skip
def test_a_graph_has_them_in_the_place_of_torchs(of_torch):
    x = torch.linspace(-0.9, 0.9, 19, dtype=torch.float64)
    graph = graph_of(lambda x: of_torch(2 * x) + 1, x)
    assert not any(left(graph, one) for one in (aten.tanh, aten.expm1, aten.atanh, aten.elu))
    assert torch.allclose(graph(x), of_torch(2 * x) + 1, rtol=1e-14, equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_keeps_its_digits_and_torchs_tanh(dtype):
    x = torch.linspace(-0.9, 0.9, 19).to(dtype)
    graph = graph_of(lambda x: torch.expm1(x) + torch.tanh(x), x)
    assert (left(graph, aten.expm1), left(graph, aten.tanh)) == (0, 1)
    precision = 8 * torch.finfo(dtype).eps
    assert torch.allclose(graph(x), torch.expm1(x) + torch.tanh(x), atol=precision)


def test_complex_numbers_are_left_to_torch():
    x = torch.tensor([0.1 + 0.2j])
    graph = graph_of(lambda x: torch.expm1(x) + torch.atanh(x), x)
    assert left(graph, aten.expm1) == left(graph, aten.atanh) == 1


def rows(x, y):
    left = torch.cat([x.permute(0, 1).transpose(0, 1).transpose(0, 1).t().t(), y.expand(3, 2)], 1)
    return left, torch.cat([(2 * y).view(3, 2), x.permute(1, 0).reshape(3, 2)], 1)


@pytest.mark.parametrize(
    ("function", "stacks"),
    [
        (lambda x, y: torch.stack(rows(x, y), 1), 0),
        (lambda x, y: torch.stack(rows(x, y), 0), 1),  # along another axis
        (lambda x, y: (torch.stack(rows(x, y), 1), sum(rows(x, y))), 0),
        (lambda x, y: (lambda of: (torch.stack(of, 1), of[0]))(rows(x, y)), 1),  # of use elsewhere
        (lambda x, y: torch.stack([x, y], 1), 1),
    ],
)
def test_a_tidy_graph_moves_nothing_in_vain_and_joins_at_once(function, stacks):
    inputs = torch.arange(6.0).view(3, 2), torch.arange(6.0, 12.0).view(3, 2)
    graph = torch_private.traced(function, inputs, rewritten.tidy)
    assert not any(left(graph, one) for one in (aten.expand, aten.view, aten.t))
    assert not graph.graph.find_nodes(op="call_function", target=aten.transpose.int)
    moves = [
        node.args[1]
        for node in graph.graph.find_nodes(op="call_function", target=aten.permute.default)
    ]
    assert all(axes == [1, 0] for axes in moves)
    assert left(graph, aten.stack) == stacks
    for found, expected in zip(graph(*inputs), function(*inputs)):
        assert torch.equal(found, expected)


def turned_in_place(x):
    y = x * 1
    y.view(3, 3).t_()
    return y.sum(0), y - y.view(3, 3)


def added_in_place(x):
    y, z = x * 1, x * 2
    rows = torch.cat([y, z], 1), torch.cat([z, y], 1)
    y.add_(5)
    return torch.stack(rows, 1), y


def written_through_a_view(x):
    y = x * 1
    y.view(3, 3).t().t()[0].fill_(7)
    return y, y.sum(0)


def written_where_told(x):
    y, z = x * 1, x * 2
    rows = torch.cat([y, z], 1), torch.cat([z, y], 1)
    torch.add(x, 5, out=y)
    return torch.stack(rows, 1), y


IN_PLACE = turned_in_place, added_in_place, written_through_a_view, written_where_told


@pytest.mark.parametrize("function", IN_PLACE)
def test_a_tidy_graph_that_writes_in_place_gives_the_same(function):
    x = torch.arange(9.0).view(3, 3)
    graph = torch_private.traced(function, [x], rewritten.tidy)
    for found, expected in zip(graph(x), function(x)):
        assert torch.equal(found, expected)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(
    ("m", "k", "n", "remain"),
    [
        *[(5, k, 7, k in (0, 4)) for k in (0, 1, 2, 3, 4)],  # few columns
        *[(m, 5, 8, False) for m in (1, 2, 7, 8, 9, 16, 21)],  # rows that fill AT_ONCE, or not
        (16, 32, 32, False),
        (32, 500, 20, False),
        (16, 2**10, 65, True),  # too far away
    ],
)
def test_a_product_becomes_a_sum_of_the_same_numbers(m, k, n, remain, dtype):
    """The factors whole, turned, and pieces of a vector, as weights are."""
    generator = torch.Generator().manual_seed(k)
    a, at, b, bt = (
        torch.randn(s, generator=generator).to(dtype) for s in [(m, k), (k, m), (k, n), (n, k)]
    )
    theta = torch.randn(k * n + 3, generator=generator).to(dtype)
    function = lambda a, at, b, bt, theta: (
        (a + 1) @ b, a @ bt.t() + 1, at.t() @ b, at.t() @ theta[3:].view(k, n)
    )  # fmt: skip
    inputs = a, at, b, bt, theta
    graph = torch_private.traced(function, inputs)
    rewritten.products_as_sums(graph)
    left = graph.graph.find_nodes(op="call_function", target=aten.mm.default)
    assert len(left) == 4 * remain
    precision = (k + 8) * torch.finfo(dtype).eps
    for found, expected in zip(graph(*inputs), function(*inputs)):
        assert found.dtype == dtype
        assert torch.allclose(found, expected, rtol=precision, atol=precision)


LAYOUTS = {
    "columns of a table": lambda x: x[:9, 2:10],
    "every other": lambda x: x[::2, 1:17:2],
    "turned": lambda x: x[2:10, :9].t(),
    "one row for all": lambda x: x[:1, :8].expand(9, 8),
    "one column for all": lambda x: x[:9, :1].expand(9, 8),
    "one number for all": lambda x: x[:1, :1].expand(9, 8),
    "rows that overlap": lambda x: x.as_strided((9, 8), (1, 1), 3),
}


@pytest.mark.parametrize("view", LAYOUTS.values(), ids=LAYOUTS)
def test_a_factor_may_lie_in_memory_in_any_way(view):
    """Its strides may leave gaps, or give many entries the same place."""
    x, y = torch.rand(2, 18, 20, generator=torch.Generator().manual_seed(0)).double()
    function = lambda x, y: ((x + 1)[:, :9] @ view(y), view(y + 1) @ x[:8, :9])
    graph = torch_private.traced(function, (x, y))
    rewritten.products_as_sums(graph)
    assert not graph.graph.find_nodes(op="call_function", target=aten.mm.default)
    for found, expected in zip(graph(x, y), function(x, y)):
        assert torch.allclose(found, expected, rtol=1e-13)


@pytest.mark.parametrize("k", [2, 5])
@pytest.mark.parametrize(
    ("m", "dtype"),
    [
        (0, torch.float64),
        (9, torch.int32),
        (9, torch.uint8),
        (9, torch.float16),
        (9, torch.bfloat16),
    ],
)
def test_products_of_no_rows_whole_numbers_and_half_precision_are_left_to_torch(m, k, dtype):
    a, b = torch.ones(m, k).to(dtype), torch.ones(k, 8).to(dtype)
    graph = torch_private.traced(torch.mm, (a, b))
    rewritten.products_as_sums(graph)
    assert graph(a, b).dtype == dtype and graph(a, b).shape == (m, 8)
    assert graph.graph.find_nodes(op="call_function", target=aten.mm.default)


def test_where_torch_has_no_way_to_hold_a_factor_it_is_made_contiguous(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch._inductor.inductor_prims", None)
    a, b = torch.rand(9, 8), torch.rand(8, 8)
    graph = torch_private.traced(lambda a, b: a.t().contiguous().t() @ b.t(), (a, b))
    rewritten.products_as_sums(graph)
    assert len(graph.graph.find_nodes(op="call_method", target="contiguous")) == 2
    assert torch.allclose(graph(a, b), a @ b.t())
