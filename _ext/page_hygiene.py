"""Small repairs to what the theme and its extensions put on every page.

- sphinx-thebe adds its files to every page even where `thebe: false`, and declares one constant twice,
  which is a script error. Nothing of it is used here, so none of it is loaded.
- docutils gives an entry of the bibliography a role that ARIA 1.3 deprecates; it is an item of a list.
- sphinx-exercise gives the content of every exercise the same id, and likewise of every solution; nothing
  links there, so the ids go.
"""

from sphinx.application import Sphinx


def without_thebe(app: Sphinx) -> None:
    """Undo the set-up of sphinx-thebe, which Jupyter Book always loads."""
    for listeners in app.events.listeners.values():
        listeners[:] = [one for one in listeners if one.handler.__module__ != "sphinx_thebe"]
    app.registry.css_files[:] = [
        file for file in app.registry.css_files if file[0] != "sphinx-thebe.css"
    ]


MENDED = {
    'role="doc-biblioentry"': 'role="listitem"',
    '<section id="exercise-content">': "<section>",
    '<section id="solution-content">': "<section>",
}


def mend_body(_app: Sphinx, _page: str, _template: str, context: dict, _doctree: object) -> None:
    for wrong, right in MENDED.items():
        if "body" in context:
            context["body"] = context["body"].replace(wrong, right)


def setup(app: Sphinx) -> dict[str, bool]:
    without_thebe(app)  # local extensions are set up after Jupyter Book's own
    app.connect("html-page-context", mend_body)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
