"""J as outer products, and J Jᵀ from these: for networks with many more parameters than there are rows.

A layer takes each Taylor coefficient aₘ of what goes in to zₘ = W aₘ, so that the part of a row of J which
belongs to W is ∂r/∂W = Σₘ bₘ ⊗ aₘ, where bₘ = ∂r/∂zₘ. Two rows have the product

    Σₘₖ (bₘ · b′ₖ) (aₘ · a′ₖ),

M² (out + in) multiplications for M coefficients, where J would take out · in, and J itself, rows times
parameters, is never written. What is no such sum, as a bias, is a few columns of J as they are.

Source: Novak, Sohl-Dickstein & Schoenholz, *Fast finite width neural tangent kernel* (2022).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.fx import Graph, GraphModule, Node
from torch.nn import functional as F

from companion.pinn.linearise import arguments, ways, weighted
from companion.pinn.residuals import Batch, quadratures
from companion.pinn.trial import Objective

aten = torch.ops.aten
LARGE = 2**20  # entries of J: below, it is made as soon as anything
ROWS = 64  # of J Jᵀ at a time: they stay near the processor
SMALL = 10  # columns: what it costs to multiply two numbers of J Jᵀ, beside making them


class Layer(NamedTuple):
    """The columns of J that belong to a matrix: row n is Σₘ b[m, n] ⊗ a[m, n]."""

    b: Tensor  # (M, N, out)
    a: Tensor  # (M, N, in)

    @property
    def columns(self) -> Tensor:
        """The same, (N, out · in), written out."""
        return torch.einsum("mno,mni->noi", self.b, self.a).flatten(1)


Piece: TypeAlias = Layer | Tensor  # a parameter's columns of J: (N, its length)


class OuterProducts(NamedTuple):
    """The weighted rows r (N,), J in pieces in the order of the parameters, and the weights: see Linearised."""

    rows: Tensor
    pieces: list[Piece]
    scales: dict[str, Tensor]
    losses: dict[str, Tensor]

    def forward(self, h: Tensor) -> Tensor:
        """J h (N,)."""
        parts = zip(h.split([width(p) for p in self.pieces]), self.pieces)
        return sum((applied(piece, part) for part, piece in parts), torch.zeros_like(self.rows))

    def transposed(self, w: Tensor) -> Tensor:
        """Jᵀ w (P,)."""
        return torch.cat([pulled_back(piece, w) for piece in self.pieces])

    def gram(self) -> Tensor:
        """J Jᵀ (N, N); of it the upper half alone is written, with the diagonal."""
        gram = self.rows.new_empty(len(self.rows), len(self.rows))
        none = gram.new_empty(len(gram), 0)
        plain = torch.cat([none, *(p for p in self.pieces if isinstance(p, Tensor))], 1)
        layers = [p for p in self.pieces if isinstance(p, Layer)]
        for first in range(0, len(gram), ROWS):
            here, above = slice(first, first + ROWS), slice(0, first + ROWS)
            block = gram[above, here]
            torch.mm(plain[above], plain[here].T, out=block)
            for b, a in layers:
                for m in range(len(b)):
                    for k in range(len(b)):
                        block.addcmul_(b[m, above] @ b[k, here].T, a[m, above] @ a[k, here].T)
        return gram


def outer_products(objective: Objective, theta: Tensor, batch: Batch) -> OuterProducts | None:
    """r and J at θ, where J Jᵀ is sooner made from outer products than J is; else None."""
    key = "outer products", tuple(len(at.x) for at in batch.values())
    if key not in objective.kept:
        objective.kept[key] = graphs_of(objective, theta, batch)
    if objective.kept[key] is None:
        return None
    found, parts = {}, {}
    for term, at in batch.items():
        r, rows = objective.kept[key][term](theta, *arguments(at))
        found[term], parts[term] = (r, at.weight), [piece_of(*of) for of in zip(*rows)]
    rows, scales, losses = weighted(objective, found, batch)
    beside = [[scaled(p, scales[term]) for p in parts[term]] for term in batch]
    pieces = [joined(of) for of in zip(*beside)]
    if not any(isinstance(piece, Layer) for piece in pieces):
        objective.kept[key] = None
        return None
    return OuterProducts(rows, pieces, scales, losses)


def graphs_of(objective: Objective, theta: Tensor, batch: Batch) -> dict[str, GraphModule] | None:
    """{term: the graph of its pieces}; None where J is narrow or small, or a term has no such graph."""
    rows = sum(len(at.x) for at in batch.values()) * objective.trial.problem.outputs
    if objective.processes.count > 1 or rows >= len(theta) or rows * len(theta) < LARGE:
        return None
    if quadratures(objective.trial.problem, batch, theta):
        return None
    found = {}
    for term, at in batch.items():
        whole = ways(objective, term, theta, at)[0]
        graph = graph_of(whole) if isinstance(whole, GraphModule) else None
        if graph is None:
            return None
        found[term] = graph
    return found


def width(piece: Piece) -> int:
    """How many columns of J it is."""
    if isinstance(piece, Tensor):
        return piece.shape[1]
    return piece.b.shape[2] * piece.a.shape[2]


def applied(piece: Piece, h: Tensor) -> Tensor:
    """Its part of J h (N,), for its own part of h."""
    if isinstance(piece, Tensor):
        return piece @ h
    matrix = h.view(piece.b.shape[2], piece.a.shape[2])
    return ((piece.a @ matrix.T) * piece.b).sum((0, 2))


def pulled_back(piece: Piece, w: Tensor) -> Tensor:
    """Its part of Jᵀ w."""
    if isinstance(piece, Tensor):
        return piece.T @ w
    b = (w[:, None] * piece.b).flatten(0, 1)
    return (b.T @ piece.a.flatten(0, 1)).flatten()


def is_worth_it(layer: Layer) -> bool:
    """Whether J Jᵀ is sooner made from the outer products than from the columns."""
    (m, _, out), into = layer.b.shape, layer.a.shape[2]
    return m**2 * (out + into + SMALL) < out * into


def joined(pieces: Sequence[Piece]) -> Piece:
    """One parameter's pieces, of the rows of several terms, below each other."""
    layers = [p for p in pieces if isinstance(p, Layer)]
    shapes = {(p.b.shape[2], p.a.shape[2]) for p in layers}
    if len(layers) == len(pieces) and len(shapes) == 1:
        most = max(len(p.b) for p in layers)  # a term of fewer coefficients has zeros for the rest
        fill = lambda t: F.pad(t, (0, 0, 0, 0, 0, most - len(t)))
        whole = Layer(*[torch.cat([fill(t) for t in of], 1) for of in zip(*layers)])
        if is_worth_it(whole):
            return whole
    return torch.cat([p.columns if isinstance(p, Layer) else p for p in pieces])


def graph_of(whole: GraphModule) -> GraphModule | None:
    """The graph of (r (n, k), J (n, k, P)) as one of (r, [the pieces of a point's first row, …]).

    A piece is (b (n, out, M), a (n, M, in)), or (columns (n, p),). None where J is made otherwise than by
    putting the parameters' columns beside each other, as where a network is asked in two places.
    """
    results: Any = whole.graph.output_node().args[0]
    r, j = results
    if j.target != "unflatten" or j.args[0].target is not aten.cat.default:
        return None  # not as tidy leaves it
    part, copies = Graph(), dict[Node, Node]()
    for node in whole.graph.nodes:
        if node.op != "output":
            copies[node] = part.node_copy(node, copies.__getitem__)
    pieces, (count, _) = j.args[0].args[0], j.args[2]
    found = [tuple(copies[of] for of in factors(piece)) for piece in pieces]
    each = len(pieces) // count
    part.output((copies[r], [found[i : i + each] for i in range(0, len(pieces), each)]))
    part.eliminate_dead_code()
    return GraphModule(whole, part)


def factors(piece: Any) -> tuple[Node, ...]:
    """(b, a) of what is their product in a row, and (piece,) of anything else."""
    if piece.target is not aten.view.default or piece.args[0].target is not aten.bmm.default:
        return (piece,)
    product = piece.args[0]
    b, a = product.meta["inputs"]
    flat = [b.shape[0], b.shape[1] * a.shape[2]]
    return product.args if piece.args[1] == flat else (piece,)


def piece_of(*rows: tuple[Tensor, ...]) -> Piece:
    """One parameter's columns, from those of each of the k rows of a point."""
    found = [torch.stack(of, 1).flatten(0, 1) for of in zip(*rows)]
    if len(found) == 1:
        return found[0]
    b, a = found
    return Layer(b.permute(2, 0, 1).contiguous(), a.transpose(0, 1).contiguous())


def scaled(piece: Piece, scale: Tensor) -> Piece:
    """Each row times the weight of its point (n, 1)."""
    if isinstance(piece, Tensor):
        return (piece.view(len(scale), -1) * scale).view_as(piece)
    b = piece.b.unflatten(1, (len(scale), -1)) * scale[:, :, None]
    return Layer(b.flatten(1, 2), piece.a)
