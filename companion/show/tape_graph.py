"""The tape as a graph: an SVG drawn from the real Wengert list, in plain text without one.

Left to right the values, as they were computed; right to left the adjoints, as `gradients` found
them. A node stands in the column of its longest path from an input. Nothing is drawn by hand.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape

from companion.engines.dual import show
from companion.engines.tape import Var, gradients, tape
from companion.engines.values import plain, shape
from companion.show.layout import Edge, Layout, layered

__all__ = ["MOST_NODES", "Step", "TapeGraph", "steps", "tape_graph"]

MOST_NODES = 60
INFIX = {"add": "+", "sub": "−", "mul": "·", "div": "/", "matmul": "@"}
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")

PAD, LINE, FONT, LETTER = (
    12,
    21,
    15,
    8.6,
)  # pixels: around the text, line to line, a letter's height and width
SMALLEST = 11  # pixels: the letters on a narrow page; below that the graph scrolls
STYLE = """
.tape-graph { font: 15px system-ui, sans-serif; display: block; margin: 0 auto; }
.tape-graph rect { fill: #ffffff; stroke: #7b8794; stroke-width: 1.2; }
.tape-graph .input rect { fill: #eef3f8; }
.tape-graph g text { fill: #22262b; }
.tape-graph .legend { fill: currentColor; }
.tape-graph g .value { fill: #005a94; }
.tape-graph g .adjoint { fill: #a63c00; }
.tape-graph .edge { fill: none; stroke: #7b8794; stroke-width: 1.6; }
.tape-graph .head { fill: #7b8794; }
html[data-theme="dark"] .tape-graph rect { fill: #1b222b; stroke: #8b98a6; }
html[data-theme="dark"] .tape-graph .input rect { fill: #26313d; }
html[data-theme="dark"] .tape-graph g text { fill: #e6e9ed; }
html[data-theme="dark"] .tape-graph g .value { fill: #79c0ff; }
html[data-theme="dark"] .tape-graph g .adjoint { fill: #ffab70; }
html[data-theme="dark"] .tape-graph .edge { stroke: #8b98a6; }
html[data-theme="dark"] .tape-graph .head { fill: #8b98a6; }
"""


@dataclass(frozen=True)
class Step:
    """One line of the Wengert list, as text: name = formula = value, and its adjoint.

    `inputs` are the places in the list of the Vars that it was computed from, one for each use.
    """

    name: str
    formula: str
    value: str
    adjoint: str | None
    inputs: tuple[int, ...]

    @property
    def title(self) -> str:
        """What stands at the top of the box."""
        return f"{self.name} = {self.formula}" if self.formula else self.name


@dataclass(frozen=True)
class TapeGraph:
    """A drawn tape: a notebook shows the SVG, a terminal the list."""

    steps: tuple[Step, ...]

    def __repr__(self) -> str:
        rows = [
            [s.title, f"→ {s.value}", *([f"← {s.adjoint}"] * (s.adjoint is not None))]
            for s in self.steps
        ]
        widths = [max(map(len, column)) for column in zip(*rows)]
        return "\n".join(
            "   ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip() for row in rows
        )

    def _repr_html_(self) -> str:
        """The SVG in a box that scrolls where the page is too narrow for legible letters."""
        return (
            '<div role="region" tabindex="0" aria-label="Graph of the tape" '
            f'style="overflow-x: auto">\n{svg(self.steps)}\n</div>'
        )


def tape_graph(
    y: Var, names: Mapping[Var, str] | Iterable[str] = (), adjoints: bool = True
) -> TapeGraph:
    """The tape of y as a graph: each node with its operation, its value v, its adjoint v̄ = ∂y/∂v.

    names: {Var: "x1"}, or a list of names for the inputs in the order of their creation; nodes
    without a name are v1, v2, … by their place on the tape. Numbers that are not on the tape stand
    in the formulas. Without `adjoints` y may have any shape.

    Raises TypeError when y is not a Var, ValueError for a y that is not a scalar, for more than 60
    nodes, and for names of what is not on the tape.

    >>> from companion.engines import Var
    >>> x = Var(3.0)
    >>> tape_graph(x * x + 1, names={x: "x"})
    x             → 3    ← 6
    v₂ = x · x    → 9    ← 1
    v₃ = v₂ + 1   → 10   ← 1

    Source: chapter 4.
    """
    return TapeGraph(steps(y, names, adjoints))


def steps(
    y: Var, names: Mapping[Var, str] | Iterable[str] = (), adjoints: bool = True
) -> tuple[Step, ...]:
    """The Wengert list of y as text, a `Step` for each Var on the tape.

    Arguments and errors are those of `tape_graph`.

    >>> from companion.engines import Var, exp
    >>> [step.title for step in steps(exp(Var(0.0)), names=["x"])]
    ['x', 'v₂ = exp(x)']
    """
    nodes = _nodes(y, adjoints)
    place = {node.index: i for i, node in enumerate(nodes)}
    called = _names(nodes, names)
    bars = [_number(bar.value) for bar in gradients(y, nodes)] if adjoints else [None] * len(nodes)
    return tuple(
        Step(
            called[node.index],
            _formula(node, called),
            _number(node.value),
            bar,
            tuple(place[x.index] for x in node.inputs if type(x) is Var),
        )
        for node, bar in zip(nodes, bars)
    )


def _nodes(y, adjoints):
    if type(y) is not Var:
        raise TypeError(
            f"tape_graph draws the tape of a Var; got {type(y).__name__}. "
            f"Make the inputs Vars, x = Var(2.0), and pass what you compute from them"
        )
    if adjoints and shape(y):
        raise ValueError(
            f"adjoints are those of a scalar; y has shape {shape(y)}. "
            f"Write tape_graph(sum(y)), or tape_graph(y, adjoints=False)"
        )
    nodes = tape(y)
    if len(nodes) > MOST_NODES:
        raise ValueError(
            f"the tape has {len(nodes)} nodes; a graph is legible up to {MOST_NODES}. "
            f"Draw a smaller case: fewer steps of the loop, or arrays in place of many scalars"
        )
    return nodes


def _names(nodes, names):
    """{index: name} for every node."""
    if not isinstance(names, Mapping):
        names, inputs = list(names), [node for node in nodes if node.rule is None]
        if len(names) > len(inputs):
            raise ValueError(
                f"{len(names)} names for the {len(inputs)} inputs of this tape: {names}"
            )
        names = dict(zip(inputs, names))
    chosen = {node.index: name for node, name in names.items()}
    if strays := [
        name for index, name in chosen.items() if index not in {node.index for node in nodes}
    ]:
        raise ValueError(
            f"not on this tape: {', '.join(map(repr, strays))}. "
            f"Name the Vars that y was computed from"
        )
    return {
        node.index: _subscripted(chosen.get(node.index, f"v{i}")) for i, node in enumerate(nodes, 1)
    }


def _subscripted(name):
    """x1 as x₁."""
    letters = name.rstrip("0123456789")
    return letters + name[len(letters) :].translate(SUBSCRIPTS) if letters else name


def _formula(node, called):
    if node.rule is None:
        return ""
    arguments = [called[x.index] if type(x) is Var else _number(x) for x in node.inputs]
    if node.rule.name in INFIX:
        return f" {INFIX[node.rule.name]} ".join(arguments)
    return (
        f"−{arguments[0]}"
        if node.rule.name == "neg"
        else f"{node.rule.name}({', '.join(arguments)})"
    )


def _number(x):
    """A number with seven digits, a small vector written out, of other arrays the shape."""
    dims = shape(x)
    if not dims:
        return _signed(show(x + 0.0))  # −0 as 0
    if len(dims) == 1 and dims[0] <= 3:
        return _signed(f"[{', '.join(f'{item:.4g}' for item in plain(x) + 0.0)}]")
    return f"shape {dims}"


def _signed(text):
    return text.replace("-", "−")


# --- drawing --------------------------------------------------------------------------------------


def svg(steps: tuple[Step, ...]) -> str:
    """The graph of the steps as one SVG element, with its title and its description in words."""
    layout = layered([_size(step) for step in steps], [step.inputs for step in steps])
    legend = (
        "→ value, left to right"
        + " " * 6
        + "← adjoint, right to left" * (steps[0].adjoint is not None)
    )
    width, height = max(layout.width, LETTER * len(legend)), layout.height + LINE + PAD
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="tape-graph" role="img" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" '
        f'style="width: 100%; max-width: {width:.0f}px; '
        f'min-width: {width * SMALLEST / FONT:.0f}px">',
        f"<title>Graph of a tape with {len(steps)} nodes</title>",
        f"<desc>{escape(words(steps))}</desc>",
        f"<style>{STYLE}</style>",
        *[_arrow(edge) for edge in layout.edges],
        *[_box(step, place, layout) for place, step in enumerate(steps)],
        f'<text class="legend" x="2" y="{layout.height + LINE:.0f}" xml:space="preserve">'
        f"{legend.strip()}</text>",
    ]
    return "\n".join([*parts, "</svg>"])


def words(steps: tuple[Step, ...]) -> str:
    """The graph as sentences, for those who hear it.

    >>> words((Step("x", "", "3", "6", ()), Step("y", "x · x", "9", "1", (0, 0))))
    'Input x is 3, adjoint 6. y = x · x is 9, adjoint 1.'
    """
    return " ".join(
        f"{'' if step.formula else 'Input '}{step.title} is {step.value}"
        f"{'' if step.adjoint is None else f', adjoint {step.adjoint}'}."
        for step in steps
    )


def _lines(step):
    """(class, text) of the lines in a box."""
    lines = [("name", step.title), ("value", f"→ {step.value}")]
    return lines if step.adjoint is None else [*lines, ("adjoint", f"← {step.adjoint}")]


def _size(step):
    lines = _lines(step)
    return 2 * PAD + LETTER * max(len(text) for _, text in lines), 1.2 * PAD + LINE * len(lines)


def _box(step: Step, place: int, layout: Layout) -> str:
    (x, y), (w, h) = layout.corners[place], layout.sizes[place]
    text = "".join(
        f'<text class="{kind}" x="{x + PAD:.1f}" y="{y + LINE * (i + 1):.1f}">{escape(line)}</text>'
        for i, (kind, line) in enumerate(_lines(step))
    )
    kind = "node" if step.formula else "node input"
    rect = f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="8"/>'
    return f'<g class="{kind}">{rect}{text}</g>'


def _arrow(edge: Edge) -> str:
    (x, y), *rest = edge.points
    path, at = f"M{x:.1f} {y:.1f}", (x, y)
    for i, (x, y) in enumerate(rest):
        if i % 2:  # along a lane
            path += f"H{x:.1f}"
        else:  # from column to column
            bend = (at[0] + x) / 2
            path += f"C{bend:.1f} {at[1]:.1f} {bend:.1f} {y:.1f} {x:.1f} {y:.1f}"
        at = (x, y)
    x, y = at
    head = f"M{x - 1:.1f} {y - 4.5:.1f}L{x + 8:.1f} {y:.1f}L{x - 1:.1f} {y + 4.5:.1f}Z"
    return f'<g class="arrow"><path class="edge" d="{path}"/><path class="head" d="{head}"/></g>'
