"""Leave a redirect where a page was, so that no link into the book ever dies.

    redirects: {chapters/old: chapters/new}

in _config.yml writes chapters/old.html, which goes on to chapters/new.html at once, to the same anchor. Names
are those of _toc.yml. A redirect from a page that exists, or to one that does not, fails the build.

A chapter that became two pages keeps its anchors, too: 05_x.html#far goes on to 05b_y.html#far where the label
`far` stands on that second page.
"""

import json
import posixpath
import re
from html import escape
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>This page has moved</title>
<meta name="robots" content="noindex">
<link rel="canonical" href="{new}">
<script>location.replace("{new}" + location.search + location.hash)</script>
<noscript><meta http-equiv="refresh" content="0; url={new}"></noscript>
</head>
<body><main><h1>This page has moved</h1><p><a href="{new}">It is here now.</a></p></main></body>
</html>
"""


def redirect(old: str, new: str) -> str:
    """The HTML at the address of the page `old` that leads to the page `new`.

    >>> 'href="../b/new.html"' in redirect("a/old", "b/new")
    True
    """
    return PAGE.format(new=escape(posixpath.relpath(f"{new}.html", posixpath.dirname(old) or ".")))


def refuse_wrong(app: Sphinx, env: BuildEnvironment) -> None:
    for old, new in app.config.redirects.items():
        if old in env.found_docs:
            raise ExtensionError(
                f"redirects in _config.yml: {old} is still a page of _toc.yml; take one of the two away"
            )
        if new not in env.found_docs:
            raise ExtensionError(
                f"redirects in _config.yml: {old} leads to {new}, which is no page of _toc.yml; name "
                "the page where a reader finds it now"
            )


def write(app: Sphinx, exception: Exception | None) -> None:
    if exception is None and app.builder.format == "html":
        for old, new in app.config.redirects.items():
            file = Path(app.outdir, f"{old}.html")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(redirect(old, new), encoding="utf-8")


FIRST = re.compile(r"(.*/)?(\d+)_[^/]*")
LEAD_ON = """\
(there => {{
  const lead = () => {{
    const id = location.hash.slice(1)
    if (there[id] && !document.getElementById(id)) location.replace(there[id] + location.hash)
  }}
  addEventListener("DOMContentLoaded", lead)
  addEventListener("hashchange", lead)
}})({there})"""


def moved(page: str, labels: dict[str, tuple[str, str]]) -> dict[str, str]:
    """{id: file} of the labels that stand on the second pages of a chapter, and not on its first.

    >>> moved("a/05_x", {"far": ("a/05b_y", "far"), "near": ("a/05_x", "near"), "else": ("a/06_z", "else")})
    {'far': '05b_y.html'}
    """
    if not (first := FIRST.fullmatch(page)):
        return {}
    second = re.compile(re.escape(first[1] or "") + first[2] + "[b-z]_[^/]*")
    found = sorted((id, doc) for doc, id in labels.values() if second.fullmatch(doc))
    return {id: f"{posixpath.basename(doc)}.html" for id, doc in found}


def lead_on(app: Sphinx, page: str, _template: str, _context: dict, _doctree: object) -> None:
    """On the first page of a chapter, a script that follows an anchor to the page where it is now."""
    if there := moved(page, app.env.domaindata["std"]["anonlabels"]):
        app.add_js_file(None, body=LEAD_ON.format(there=json.dumps(there)))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_config_value("redirects", {}, rebuild="")
    app.connect("html-page-context", lead_on)
    app.connect("env-check-consistency", refuse_wrong)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
