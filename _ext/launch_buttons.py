"""The buttons of a chapter lead to its plain notebook (_ext/plain_notebooks.py), not to its source.

The theme can only point into the branch that the sources are in. The workflow publishes the plain notebooks to
the branch `notebooks`, for Colab and Binder; the file to download stands beside the pages.
"""

from pathlib import PurePosixPath

from sphinx.application import Sphinx


def to_the_plain_notebook(
    app: Sphinx, page: str, _template: str, context: dict, _doctree: object
) -> None:
    if not context.get("page_source_suffix", "").endswith(".ipynb"):
        return
    name = f"{PurePosixPath(page).name}.ipynb"
    branch = app.config.html_theme_options["repository_branch"]
    groups = {group.get("label"): group.get("buttons", []) for group in context["header_buttons"]}
    for button in groups["launch-buttons"]:
        address = button["url"].replace(f"/{branch}/{page}.ipynb", f"/notebooks/{name}")  # Colab
        address = address.replace(f"/{branch}?", "/notebooks?")  # Binder
        button["url"] = address.replace(f"{page}.ipynb", name)
    for button in groups["download-buttons"]:
        if button["label"] == "download-source-button":
            button["url"] = context["pathto"](f"notebooks/{name}", 1)
            button["tooltip"] = "Download this chapter as a notebook"


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", to_the_plain_notebook, priority=600)  # after the theme's own
    return {"parallel_read_safe": True, "parallel_write_safe": True}
