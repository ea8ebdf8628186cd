"""What is said of a page, what the search's index holds of it, and how the search ranks a book of a few lines."""

import json
from functools import cache
from pathlib import Path

import pytest
import quickjs
from docutils import nodes
from sphinx.search.en import js_porter_stemmer

from _ext import findable
from _ext.section_search import entries

SCRIPT = Path(__file__).parent.parent / "chapters" / "_static" / "search.js"


# ---------------------------------------------------------------- what is said of a page


@pytest.mark.parametrize(
    ("paragraphs", "said"),
    [
        (["Why?", "One. Two."], "Why? One. Two."),
        (["A question without a mark", "Text:"], "A question without a mark. Text."),
        (["Left out, since \\frac{1}{2} is no text. Kept."], "Kept."),
        (["x" * 60 + ".", "y" * 99 + "."], "x" * 60 + "."),
        (["word " * 40], "word " * 30 + "word…"),
    ],
)
def test_a_description_is_made_of_whole_sentences_that_fit(
    paragraphs: list[str], said: str
) -> None:
    assert findable.description(paragraphs) == said


def test_the_question_of_the_card_comes_first_and_a_formula_without_tex_is_text() -> None:
    question = nodes.definition("", nodes.paragraph(text="Why?"))
    card = nodes.definition_list(
        "", nodes.definition_list_item("", nodes.term(text="The question"), question)
    )
    card["classes"].append("chapter-card")
    first = nodes.paragraph("", "", nodes.Text("Of "), nodes.math(text="u_{xx}"))
    page = nodes.section("", nodes.title(text="T"), first, card)
    assert findable.paragraphs(nodes.document(None, None, "", page)) == ["Why?", "Of u_xx"]


def test_what_is_said_is_escaped() -> None:
    said = findable.tags('A "b" & <c>', "d & e", "https://f", "G")
    assert '<meta property="og:title" content="A &quot;b&quot; &amp; &lt;c&gt;" />' in said
    assert '<meta name="description" content="d &amp; e" />' in said
    assert "<loc>https://a?b&amp;c</loc>" in findable.sitemap(["https://a?b&c"])


# ---------------------------------------------------------------- what the index holds

PAGE = """<body><nav>not this</nav><article><section id="top"><h1><span class="section-number">7. </span>Top<a
class="headerlink">#</a></h1><p>above <code>x</code></p>
<div class="cell_input">code</div><div class="cell_output">1.5</div>
<section id="words"><span id="a"></span><span id="label"></span><h2>Words <span class="math"><span class="katex"><span
class="katex-mathml"><math><mi>β</mi><annotation>\\beta</annotation></math></span><span class="katex-html">β</span>
</span></span></h2><section>an exercise</section></section>
<section id="slug"><h3>Messages</h3>list
<div id="error-x"><pre>ValueError: no</pre></div><ul><li>do this</li></ul>
<dl><dt id="term-jet">jet<a class="headerlink">#</a></dt><dd>a series</dd></dl>
<dl class="py method"><dt class="sig" id="m.Jet.order">order(x)</dt><dd>of it</dd></dl>
<dl class="py function"><dt class="sig" id="m.grad">grad(f)</dt><dd>slope</dd></dl>
</section></section></article></body>"""


def test_an_entry_for_all_that_a_reader_could_want_to_open() -> None:
    assert [tuple(entry.values()) for entry in entries(PAGE)] == [
        ("", "Top", "section", "above x"),
        ("label", "Words β", "section", "an exercise"),
        ("slug", "Messages", "section", "list"),
        ("error-x", "ValueError: no", "message", "do this"),
        ("term-jet", "jet", "word", "a series"),
        ("m.Jet.order", "Jet.order", "name", "order(x) of it"),
        ("m.grad", "grad", "name", "grad(f) slope"),
    ]


# ---------------------------------------------------------------- how the search ranks

BOOK = [
    ["p/a", "", "section", "Jets: what does a derivative cost?", "A function's numbers, in order."],
    ["p/a", "jets-bill", "section", "The bill", "What a derivative costs, counted."],
    ["p/a", "jets-twice", "section", "Twice", "A derivative of a derivative is a derivative."],
    ["p/a", "jets-ends", "section", "Series that end", "A polynomial is its own derivative's sum."],
    ["p/errors", "", "section", "Messages", "What is printed."],
    ["p/errors", "error-a", "message", "ValueError: u has shape (…, …) at … points", "Columns."],
    ["p/errors", "error-b", "message", "ValueError: 64 has no shape, 64", "64 points: 64."],
    ["p/glossary", "term-jet", "word", "jet", "Numbers that carry a series."],
    ["p/glossary", "term-dual", "word", "dual numbers", "Numbers that carry a slope."],
    ["p/api", "", "section", "Reference", "All names."],
    ["p/api", "tangents", "section", "Tangents", "A tangent and its sign."],
    ["p/api", "m.Jet", "name", "Jet", "Jet(coefficients), a truncated power series."],
    ["p/api", "m.series", "name", "series", "series(x)"],
    ["p/b", "", "section", "Trees of programs", "Oaks and beeches are no jets, R₀ and u_x."],
    ["p/b", "bill", "section", "The bill", "What an oak costs, counted."],
    ["p/b", "where", "section", "A branch", "torch.where chooses; ask where a branch is."],
    ["p/b", "oak", "section", "Oaks", "An oak is an oak."],
    ["p/b", "below", "section", "A walk", "There was moss below the oak."],
    ["p/b", "carried", "section", "Tangents, carried along", "Each step has a tangent."],
    ["p/b", "dual", "section", "Dual numbers: a slope that is carried", "Two parts."],
    ["p/c", "", "section", "Rain", "Where does it come from? Whoever asks is wet."],
]


@cache
def engine() -> quickjs.Context:
    context = quickjs.Context()
    context.eval(js_porter_stemmer)
    context.eval(SCRIPT.read_text("utf-8"))
    titles = {entry[0]: entry[3] for entry in BOOK if not entry[1]}
    pages = {entry[0]: titles.get(entry[0], entry[0]) for entry in BOOK}
    context.eval(f"setSections({json.dumps({'pages': pages, 'entries': BOOK})})")
    context.eval("function ask(typed) { return JSON.stringify(ranked(book, typed)) }")
    context.eval(
        "function show(t, q) { return JSON.stringify(excerpt(book, t, wanted(book, split(q)))) }"
    )
    return context


def first(query: str) -> str:
    """What the best answer opens."""
    best = json.loads(engine().get("ask")(query))[0]
    return best["page"] + (best["anchor"] and "#" + best["anchor"])


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("cost of jets' derivatives", "p/a"),  # a heading, in other forms of its words
        ("bill of trees", "p/b#bill"),  # of two sections, that of the page about it
        ("ValueError: u has shape (64, 64) at 64 points", "p/errors#error-a"),  # pasted
        ("moss oak", "p/b#below"),  # both, before much of one
        ("carried slope", "p/b#dual"),
        ("jet", "p/glossary#term-jet"),  # the word itself
        ("dual numbers", "p/b#dual"),  # ... unless a heading begins with it
        ("tangents", "p/b#carried"),  # not where names are only listed
        ("Jet", "p/api#m.Jet"),  # written as only a name is
        ("m.Jet", "p/api#m.Jet"),
        ("torch.where", "p/b#where"),
        ("pytorch", "p/b#where"),
        ("beech", "p/b"),
        ("beec", "p/b"),  # the beginning of a word
        ("r0", "p/b"),
        ("u_x", "p/b"),
    ],
)
def test_the_entry_that_answers_is_first(query: str, answer: str) -> None:
    assert first(query) == answer


@pytest.mark.parametrize("query", ["", "…", "42", "xylophone"])
def test_nothing_is_found_for_nothing(query: str) -> None:
    assert engine().get("ask")(query) == "[]"


def test_no_more_than_three_results_of_a_page() -> None:
    found = json.loads(engine().get("ask")("derivative, numbers, oaks"))
    pages = [one["page"] for one in found]
    assert max(map(pages.count, pages)) == 3


def test_an_excerpt_stands_around_the_words_and_loses_no_letter() -> None:
    text = "one " * 50 + "A series, (for) a function. " + "two " * 50
    pieces = json.loads(engine().get("show")(text, "function series"))
    assert [piece for piece, asked in pieces if asked] == ["series", "function"]
    shown = "".join(piece for piece, _ in pieces)
    assert shown.startswith("… one") and shown.endswith("two …") and shown[2:-2] in text
    assert "".join(p for p, _ in json.loads(engine().get("show")("a (series).", "series"))) == (
        "a (series)."
    )
