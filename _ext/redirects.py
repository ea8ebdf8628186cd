"""Leave a redirect where a page was, so that no link into the book ever dies.

    redirects: {chapters/old: chapters/new}

in _config.yml writes chapters/old.html, which goes on to chapters/new.html at once, to the same anchor. Names
are those of _toc.yml. A redirect from a page that exists, or to one that does not, fails the build.
"""

import posixpath
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


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_config_value("redirects", {}, rebuild="")
    app.connect("env-check-consistency", refuse_wrong)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
