"""Small repairs to the pages: what is empty goes, what has something in it stays."""

from docutils import nodes

from _ext.page_hygiene import with_percents, without_empty_lists


def test_an_empty_list_of_fields_goes_and_a_full_one_stays() -> None:
    full = nodes.field_list("", nodes.field("", nodes.field_name("", "Returns")))
    content = nodes.container("", nodes.paragraph("", "words"), nodes.field_list(), full)
    without_empty_lists(None, "py", "function", content)
    assert [type(node) for node in content] == [nodes.paragraph, nodes.field_list]
    assert content[1] is full


def test_a_percent_sign_stays_with_its_number_and_what_is_printed_as_it_is() -> None:
    body = "<p>by 12 % or 5 %</p><pre>7 %\n% 8 %</pre><p>a % b</p>"
    kept = "<p>by 12\u00a0% or 5\u00a0%</p><pre>7 %\n% 8 %</pre><p>a % b</p>"
    assert with_percents(body) == kept
