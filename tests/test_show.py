"""companion.show: the ledger counts and measures; the graph says what tape and gradients say."""

import inspect
import math
import re
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from companion.engines import Dual, Var, exp, gradients, log, sin, sum, tanh, tape
from companion.show.layout import layered
from companion.show.ledger import EXACT, POINT, RUNGS, Ledger, Row, f, f_torch, ledger, measure
from companion.show.table import table
from companion.show.tape_graph import MOST_NODES, steps, svg, tape_graph, words

SVG = "{http://www.w3.org/2000/svg}"

# --- the ledger -----------------------------------------------------------------------------------

EVALUATIONS = {
    "forward difference": 3,
    "central difference": 4,
    "complex step": 2,
    "SymPy formula": 0,
    "Dual, one seed": 2,
    "Dual, two seeds": 1,
    "Var": 1,
    "Jet": 2,
    "torch, reverse": 1,
    "torch, forward": 2,
    "torch.func": 1,
    "torch jets": 2,
}


def test_the_rungs_are_those_of_the_book():
    assert list(RUNGS) == list(EVALUATIONS)


@pytest.mark.parametrize("name", RUNGS)
def test_each_rung_finds_the_gradient_and_its_evaluations_are_counted(name):
    [row] = ledger(name).rows
    assert row.evaluations == EVALUATIONS[name]
    low, high = {"forward difference": (1e-9, 3e-7), "central difference": (1e-13, 1e-9)}.get(
        name, (0.0, 1e-14)
    )
    assert low <= row.error < high


def test_the_exact_gradient_is_sympys():
    sympy = pytest.importorskip("sympy")
    x, y = sympy.symbols("x y")
    formula = sympy.log(x) + x * y - sympy.sin(y)
    exact = [float(formula.diff(by).subs({x: POINT[0], y: POINT[1]})) for by in (x, y)]
    assert exact == pytest.approx(EXACT, rel=1e-15)
    assert f(*POINT) == pytest.approx(float(formula.subs({x: 2, y: 5})), rel=1e-15)


def test_f_and_its_torch_twin_are_one_formula():
    formula, twin = [inspect.getsource(g).splitlines()[-1] for g in (f, f_torch)]
    assert formula == twin == "    return log(x1) + x1 * x2 - sin(x2)"


def test_torch_is_loaded_by_its_own_rungs_and_no_earlier(tmp_path):
    """An empty file stands for torch: the rung has loaded it when it fails for want of what is in torch."""
    (tmp_path / "torch.py").touch()
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from companion.show.ledger import RUNGS, ledger\n"
        "ledger(*[name for name in RUNGS if 'torch' not in name]); before = 'torch' in sys.modules\n"
        "try: ledger('torch, reverse')\n"
        "except AttributeError as error: print(before, 'torch' in sys.modules, error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("False True module 'torch' has no attribute ")


def test_the_error_is_the_larger_of_the_two_and_nan_is_not_hidden():
    assert Row("m", (EXACT[0] + 0.25, EXACT[1] - 0.5), 1).error == 0.5
    assert math.isnan(Row("m", (math.nan, EXACT[1]), 1).error)
    assert "nan" in repr(Ledger((Row("m", (EXACT[0], math.nan), 1),)))


def test_text_has_six_decimals_and_one_digit_of_the_error():
    rows = (Row("coarse", (5.5, EXACT[1] + 3.4e-8), 3), Row("fine", (5.5, EXACT[1] + 9e-15), 12))
    lines = repr(Ledger(rows)).splitlines()
    assert lines[0].split() == ["method", "∂f/∂x₁", "∂f/∂x₂", "error", "evaluations", "of", "f"]
    assert lines[2].split() == ["coarse", "5.500000", "1.716338", "3e-08", "3"]
    assert lines[3].split() == ["fine", "5.500000", "1.716338", "<", "1e-14", "12"]
    assert len({len(line) for line in lines}) == 1


def test_a_table_of_columns_says_the_same_as_text_and_as_html():
    import torch

    error = [np.float64(0.25), torch.tensor(1e-7, dtype=torch.float64), float("nan")]
    made = table(
        {"method": ["a < b", "c", "d"], "steps": [10, 2000, np.int64(3)], "error": error}, "A & B"
    )
    cells = [["a < b", "10", "0.25"], ["c", "2000", "1e-07"], ["d", "3", "nan"]]
    assert [list(row) for row in made.rows] == cells
    assert [line.split("  ")[-1].strip() for line in repr(made).splitlines()[4:]] == [
        "0.25",
        "1e-07",
        "nan",
    ]
    shown = ElementTree.fromstring(made._repr_html_()).find("table")
    assert shown.find("caption").text == "A & B"
    assert [[cell.text for cell in row] for row in shown.findall("tbody/tr")] == cells


def test_sentences_stand_to_the_left_and_wrap_and_numbers_to_the_right():
    made = table({"what": ["a"], "n": [10], "why": ["a corner that the rule does not know"]}, "A")
    assert repr(made).splitlines()[-1] == "a     10  a corner that the rule does not know"
    row = ElementTree.fromstring(made._repr_html_()).find("table/tbody/tr")
    looks = [cell.get("style") for cell in row]
    assert [look.split(";")[0] for look in looks] == [
        f"text-align: {s}" for s in ("left", "right", "left")
    ]
    assert ["nowrap" in look for look in looks] == [True, True, False]


@pytest.mark.parametrize("columns", [{}, {"a": [1, 2], "b": [1]}])
def test_a_table_needs_columns_of_one_length(columns):
    with pytest.raises(ValueError, match=r"a table needs columns of one length; got \{"):
        table(columns, "none")


def test_html_is_a_table_that_can_be_heard():
    table = ElementTree.fromstring(ledger("Var", "Jet")._repr_html_()).find("table")
    assert "(2, 5)" in table.find("caption").text
    assert [th.get("scope") for th in table.findall("thead/tr/th")] == ["col"] * 5
    body = table.findall("tbody/tr")
    assert [row.find("th").text for row in body] == ["Var", "Jet"]
    assert all(row.find("th").get("scope") == "row" for row in body)
    assert [td.text for td in body[0].findall("td")] == ["5.500000", "1.716338", "< 1e-14", "1"]


def test_html_is_escaped():
    text = Ledger((Row("<b>&", (1.0, 2.0), 1),))._repr_html_()
    assert "&lt;b&gt;&amp;" in text
    assert "<b>" not in text


def test_a_readers_row_is_added_and_counted():
    def gradient(f, x1, x2):
        return [f(Dual(x1, 1.0), Dual(x2, 0.0)).tangent, f(Dual(x1, 0.0), Dual(x2, 1.0)).tangent]

    table = ledger("Var") + measure("my Dual", gradient)
    assert [row.method for row in table.rows] == ["Var", "my Dual"]
    assert table.rows[-1].evaluations == 2
    with pytest.raises(TypeError):
        ledger("Var") + "a row"


def test_a_reader_may_bring_an_f_for_numbers_of_their_own():
    row = measure("mine", lambda f, x1, x2: (f(x1, x2), f(x1, x2)), f=lambda x1, x2: x1 + x2)
    assert row == Row("mine", (7.0, 7.0), 2)


def test_errors_of_the_ledger_say_what_to_write():
    with pytest.raises(ValueError, match="no rung is called 'var'; the ladder has: forward diff"):
        ledger("var")
    for wrong in (lambda f, x, y: f(x, y), lambda f, x, y: [1.0], lambda f, x, y: None):
        with pytest.raises(TypeError, match=r"mine: gradient\(f, x1, x2\) must return the two"):
            measure("mine", wrong)


# --- the graph of the tape ------------------------------------------------------------------------


def reused():
    """A tape with reuse, a diamond, constants and an edge over several columns."""
    a, b = Var(1.5), Var(0.3)
    h = a * a
    y = (3 * h) + (5 * h) * sin(b) - exp(-b * h) / (1 + a) ** 3 + tanh(a * b)
    return y, {a: "a", b: "b1", h: "h"}


def drawing(y, **options):
    return ElementTree.fromstring(tape_graph(y, **options)._repr_html_()).find(f"{SVG}svg")


def groups(root, kind):
    return [g for g in root.iter(f"{SVG}g") if kind in g.get("class").split()]


def number(text):
    return float(text.split()[-1].replace("−", "-"))


def test_the_graph_has_the_nodes_and_edges_of_the_tape():
    y, names = reused()
    root, nodes = drawing(y, names=names), tape(y)
    assert len(groups(root, "node")) == len(nodes)
    uses = [x for node in nodes for x in node.inputs if type(x) is Var]
    assert len(groups(root, "arrow")) == len(uses)
    assert len(groups(root, "input")) == 2


def test_values_and_adjoints_are_those_of_the_engine():
    y, names = reused()
    root, nodes = drawing(y, names=names), tape(y)
    for box, node, bar in zip(groups(root, "node"), nodes, gradients(y, nodes), strict=True):
        lines = {text.get("class"): text.text for text in box.iter(f"{SVG}text")}
        assert number(lines["value"]) == pytest.approx(node.value, rel=1e-6)
        assert number(lines["adjoint"]) == pytest.approx(bar.value, rel=1e-6)


def test_the_first_example_of_the_book():
    x1, x2 = Var(2.0), Var(5.0)
    assert repr(tape_graph(f(x1, x2), names=["x1", "x2"])).splitlines() == [
        "x₁             → 2            ← 5.5",
        "x₂             → 5            ← 1.716338",
        "v₃ = log(x₁)   → 0.6931472    ← 1",
        "v₄ = x₁ · x₂   → 10           ← 1",
        "v₅ = v₃ + v₄   → 10.69315     ← 1",
        "v₆ = sin(x₂)   → −0.9589243   ← −1",
        "v₇ = v₅ − v₆   → 11.65207     ← 1",
    ]


def test_title_and_description_tell_the_graph():
    x = Var(3.0)
    root = drawing(x * x + 1, names={x: "x"})
    assert root.get("role") == "img"
    assert root[0].tag == f"{SVG}title"
    assert root[0].text == "Graph of a tape with 3 nodes"
    assert root.find(f"{SVG}desc").text == (
        "Input x is 3, adjoint 6. v₂ = x · x is 9, adjoint 1. v₃ = v₂ + 1 is 10, adjoint 1."
    )


def test_the_graph_scrolls_in_a_box_that_the_keyboard_reaches():
    y, _ = reused()
    html = tape_graph(y)._repr_html_()
    root = ElementTree.fromstring(html)
    assert (root.get("role"), root.get("tabindex"), root.get("style")) == (
        "region",
        "0",
        "overflow-x: auto",
    )
    width = float(root.find(f"{SVG}svg").get("viewBox").split()[2])
    least = float(re.search(r"min-width: (\d+)px", html)[1])
    assert 15 * least / width >= 10.9  # letters of 15 units stay 11 pixels high
    assert " id=" not in html  # several graphs on a page share nothing


def test_the_same_tape_gives_the_same_picture():
    first, second = (tape_graph(*reused())._repr_html_() for _ in range(2))
    assert first == second


def test_boxes_do_not_overlap_and_arrows_point_right():
    y, names = reused()
    root = drawing(y, names=names)
    boxes = [
        [float(g.find(f"{SVG}rect").get(key)) for key in ("x", "y", "width", "height")]
        for g in groups(root, "node")
    ]
    for i, (x, top, w, h) in enumerate(boxes):
        for left, upper, v, k in boxes[:i]:
            assert x >= left + v or left >= x + w or top >= upper + k or upper >= top + h
    place = {node.index: i for i, node in enumerate(tape(y))}
    for node in tape(y):
        for x in node.inputs:
            if type(x) is Var:
                assert boxes[place[x.index]][0] < boxes[place[node.index]][0]


def test_an_edge_over_a_column_passes_beside_its_boxes():
    layout = layered([(50.0, 40.0)] * 3, [(), (0,), (0, 1)])
    long = next(edge for edge in layout.edges if (edge.start, edge.end) == (0, 2))
    assert len(long.points) == 4
    (x, top), (_, height) = layout.corners[1], layout.sizes[1]
    assert long.points[1][0] == x
    assert not top <= long.points[1][1] <= top + height


def test_two_uses_are_two_arrows_side_by_side():
    first, second = layered([(50.0, 40.0)] * 2, [(), (0, 0)]).edges
    assert first.points[0][1] != second.points[0][1]
    assert first.points[-1][1] != second.points[-1][1]


def test_crossings_are_undone():
    layout = layered([(50.0, 40.0)] * 4, [(), (), (1,), (0,)])
    (_, a), (_, b), (_, of_b), (_, of_a) = layout.corners
    assert (a < b) == (of_a < of_b)


def test_arrays_and_a_tape_without_adjoints():
    x = Var([[1.0, 2.0], [3.0, 4.0]])
    graph = tape_graph(x @ Var([1.0, -2.0]), names=["A", "b"], adjoints=False)
    assert [(s.title, s.value, s.adjoint) for s in graph.steps] == [
        ("A", "shape (2, 2)", None),
        ("b", "[1, −2]", None),
        ("v₃ = A @ b", "[−3, −5]", None),
    ]
    root = ElementTree.fromstring(svg(graph.steps))
    assert "adjoint" not in "".join(root.itertext()).split("}")[-1]
    assert words(graph.steps).startswith("Input A is shape (2, 2). Input b")


def test_names_are_escaped_and_constants_stand_in_the_formula():
    x = Var(2.0)
    graph = tape_graph(-log(x) / 4, names={x: "<x&>"})
    assert [step.title for step in graph.steps] == [
        "<x&>",
        "v₂ = log(<x&>)",
        "v₃ = −v₂",
        "v₄ = v₃ / 4",
    ]
    ElementTree.fromstring(graph._repr_html_())


def test_an_input_alone_is_a_graph():
    assert repr(tape_graph(Var(2.0), names=["x"])) == "x   → 2   ← 1"


def test_colours_have_the_contrast_that_reading_needs():
    text = svg(steps(Var(2.0)))
    colour = dict(re.findall(r"\n(\.tape-graph[^{]*?|html[^{]*?) \{ fill: (#\w{6})", text))
    for start in (".tape-graph", 'html[data-theme="dark"] .tape-graph'):
        for ground in (colour[f"{start} rect"], colour[f"{start} .input rect"]):
            for kind in ("g text", "g .value", "g .adjoint"):
                assert contrast(colour[f"{start} {kind}"], ground) >= 4.5
        for page in {".": ("#ffffff",), "h": ("#121212", "#1a1a1a")}[start[0]]:
            assert contrast(colour[f"{start} .head"], page) >= 3


def contrast(a, b):
    """The contrast ratio of WCAG 2."""

    def luminance(colour):
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted([luminance(a), luminance(b)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_errors_of_the_graph_say_what_to_write():
    x = Var(2.0)
    with pytest.raises(TypeError, match=r"got float. Make the inputs Vars, x = Var\(2.0\)"):
        tape_graph(2.0)
    with pytest.raises(TypeError, match="got Dual"):
        tape_graph(Dual(2.0, 1.0))
    with pytest.raises(ValueError, match=r"shape \(2,\). Write tape_graph\(sum\(y\)\)"):
        tape_graph(Var([1.0, 2.0]))
    with pytest.raises(ValueError, match="2 names for the 1 inputs of this tape"):
        tape_graph(x * x, names=["x", "y"])
    with pytest.raises(ValueError, match="not on this tape: 'stranger'"):
        tape_graph(x * x, names={Var(1.0): "stranger"})
    y = x
    for _ in range(MOST_NODES - 1):
        y = sin(y)
    assert len(tape_graph(y).steps) == MOST_NODES
    with pytest.raises(ValueError, match=r"61 nodes; a graph is legible up to 60. Draw a smaller"):
        tape_graph(sin(y))


def test_a_sum_is_drawn_where_an_array_is_refused():
    assert tape_graph(sum(Var([1.0, 2.0]))).steps[0].adjoint == "[1, 1]"


def test_peak_memory_is_that_of_this_process_not_of_the_one_that_started_it():
    """What Linux's getrusage tells a child begins with the peak of its parent."""
    large = bytearray(b"1" * (300 * 2**20))
    code = "from companion.show.cost import peak_memory; print(peak_memory())"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 250 < len(large) / 2**20
