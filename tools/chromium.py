"""Where Chromium is on this machine: it prints the book, and tests look at its pages with it."""

import shutil

# The first is the same browser without windows: it spends a quarter less time on a page.
NAMES = (
    "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"
)  # fmt: skip


def installed() -> str | None:
    """The path of a Chromium on this machine, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)
