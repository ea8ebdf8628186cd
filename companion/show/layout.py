"""Where the boxes of a graph stand: columns by longest path, few crossings, short edges.

The steps are those of Sugiyama, Tagawa and Toda (1981): give every node its column; let an edge
that passes a column run in a lane of it; order each column by the mean of its neighbours; move
everything as close to its neighbours as the gaps allow. Plain numbers in, plain numbers out, the
same for the same graph.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

ACROSS, BETWEEN, LANE = (
    54.0,
    22.0,
    10.0,
)  # pixels: from column to column, box to box, the height of a lane
HEAD, PORT = 8.0, 12.0  # pixels: the length of an arrow head, the distance of two arrows at one box
SWEEPS = 24


@dataclass(frozen=True)
class Edge:
    """An arrow from node `start` to node `end`; its points are the ends of its curves."""

    start: int
    end: int
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Layout:
    """The upper left corner and the size of every box, the edges, and the size of the whole."""

    corners: list[tuple[float, float]]
    sizes: list[tuple[float, float]]
    edges: list[Edge]
    width: float
    height: float


@dataclass
class _Columns:
    """The columns of items, nodes first and then the lanes, and what is joined to what."""

    column: list  # of each item
    heights: list
    routes: list  # (start, lanes..., end) of each edge
    neighbours: list = field(
        default_factory=list
    )  # (items to the left, items to the right) of each item
    orders: list = field(default_factory=list)  # the items of each column from top to bottom


def layered(sizes: list[tuple[float, float]], inputs: Sequence[Sequence[int]]) -> Layout:
    """The layout of a graph: node i needs the size (width, height) sizes[i] and has an arrow from
    each node of inputs[i].

    Nodes come after their inputs. The boxes of a column get the width of its widest. A node used
    twice by another has two arrows to it.

    >>> layout = layered([(50.0, 40.0), (50.0, 40.0)], [(), (0,)])
    >>> layout.corners
    [(1.0, 1.0), (105.0, 1.0)]
    """
    columns = _columns(sizes, inputs)
    _order(columns)
    ys = _heights(columns)
    top = min(y - h / 2 for y, h in zip(ys, columns.heights)) - 1
    ys = [y - top for y in ys]
    widths = [max(sizes[i][0] for i in order if i < len(sizes)) for order in columns.orders]
    lefts = [1 + sum(widths[:c]) + ACROSS * c for c in range(len(widths))]
    sizes = [(widths[c], h) for (_, h), c in zip(sizes, columns.column)]
    corners = [(lefts[c], y - h / 2) for (_, h), c, y in zip(sizes, columns.column, ys)]
    bottom = max(y + h / 2 for y, h in zip(ys, columns.heights))
    spans = [(left, left + width) for left, width in zip(lefts, widths)]
    edges = _edges(columns, corners, sizes, ys, spans)
    return Layout(corners, sizes, edges, spans[-1][1] + 1, bottom + 1)


def _columns(sizes, inputs):
    """Every node in the column of its longest path from an input, passing edges in lanes."""
    column: list[int] = []
    for xs in inputs:
        column.append(1 + max((column[i] for i in xs), default=-1))
    columns = _Columns(column, [h for _, h in sizes], [])
    for end, xs in enumerate(inputs):
        for start in xs:
            between = range(column[start] + 1, column[end])
            lanes = range(len(columns.column), len(columns.column) + len(between))
            columns.column += between
            columns.heights += [LANE] * len(between)
            columns.routes.append((start, *lanes, end))
    columns.neighbours = [([], []) for _ in columns.column]
    for route in columns.routes:
        for a, b in pairwise(route):
            columns.neighbours[a][1].append(b)
            columns.neighbours[b][0].append(a)
    columns.orders = [
        [i for i, c in enumerate(columns.column) if c == place] for place in range(max(column) + 1)
    ]
    return columns


def _order(columns):
    """Sort each column by the mean place of its neighbours, left and right; keep the best."""
    best, fewest = columns.orders, _crossings(columns, columns.orders)
    orders = [list(order) for order in best]
    for sweep in range(SWEEPS):
        side = sweep % 2
        for c in range(1, len(orders)) if side == 0 else range(len(orders) - 2, -1, -1):
            place = {i: k for k, i in enumerate(orders[c + (1 if side else -1)])}
            here = {i: k for k, i in enumerate(orders[c])}
            wish = {
                i: _mean([place[j] for j in columns.neighbours[i][side]], here[i]) for i in here
            }
            orders[c].sort(key=wish.__getitem__)
        if (crossings := _crossings(columns, orders)) < fewest:
            best, fewest = [list(order) for order in orders], crossings
    columns.orders = best


def _crossings(columns, orders):
    """How many pairs of edges cross between neighbouring columns."""
    place = {i: k for order in orders for k, i in enumerate(order)}
    total = 0
    for order in orders:
        pairs = [(place[i], place[j]) for i in order for j in columns.neighbours[i][1]]
        total += sum((a - c) * (b - d) < 0 for n, (a, b) in enumerate(pairs) for c, d in pairs[:n])
    return total


def _heights(columns):
    """The middle of every item: as near to the mean of its neighbours as order and gaps allow."""
    ys = [0.0] * len(columns.column)
    for sweep in range(SWEEPS):
        for order in columns.orders if sweep % 2 == 0 else reversed(columns.orders):
            wishes = [
                _mean([ys[j] for side in columns.neighbours[i] for j in side], ys[i]) for i in order
            ]
            for i, y in zip(order, _apart(wishes, [columns.heights[i] for i in order])):
                ys[i] = y
    return ys


def _apart(wishes, heights):
    """The nearest places to the wishes, in their order, that do not overlap: pool what collides."""
    offset, offsets = 0.0, []
    for k, height in enumerate(heights):
        offset += (heights[k - 1] + height) / 2 + BETWEEN if k else 0.0
        offsets.append(offset)
    pools = []  # of [sum, count], their means rising
    for wish, offset in zip(wishes, offsets):
        pools.append([wish - offset, 1])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] >= pools[-1][0] / pools[-1][1]:
            total, count = pools.pop()
            pools[-1][0] += total
            pools[-1][1] += count
    starts = [total / count for total, count in pools for _ in range(count)]
    return [start + offset for start, offset in zip(starts, offsets)]


def _edges(columns, corners, sizes, ys, spans):
    """The arrows; those that meet at a box stand side by side, ordered by their other ends."""
    out = _ports(columns, ys, lambda route: (route[0], route[1]))
    into = _ports(columns, ys, lambda route: (route[-1], route[-2]))
    edges = []
    for r, route in enumerate(columns.routes):
        start, *lanes, end = route
        points = [(corners[start][0] + sizes[start][0], ys[start] + out[r])]
        for lane in lanes:
            points += [(x, ys[lane]) for x in spans[columns.column[lane]]]
        points.append((corners[end][0] - HEAD, ys[end] + into[r]))
        edges.append(Edge(start, end, tuple(points)))
    return edges


def _ports(columns, ys, ends):
    """For each route, how far from the middle of the box `ends(route)[0]` its arrow touches it."""
    at: dict[int, list[tuple[float, int]]] = {}
    for r, route in enumerate(columns.routes):
        box, other = ends(route)
        at.setdefault(box, []).append((ys[other], r))
    ports = {}
    for box, arrows in at.items():
        gap = min(PORT, 0.7 * columns.heights[box] / len(arrows))
        for k, (_, r) in enumerate(sorted(arrows)):
            ports[r] = gap * (k - (len(arrows) - 1) / 2)
    return ports


def _mean(numbers, otherwise):
    return sum(numbers) / len(numbers) if numbers else otherwise
