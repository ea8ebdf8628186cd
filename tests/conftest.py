"""What tests of several files share: the built book, one browser, and the moving figures in one of its windows.

The book is built while the other tests run; only those that look at it wait. A second browser in one process
would be refused by Playwright, and cost a second more.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits for the book comes first, so that its build begins at once; other workers begin elsewhere."""
    items.sort(key=lambda item: "book" not in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What one run of `make book` says that failed; warnings are errors. All workers wait for one of them."""
    from filelock import FileLock  # not needed by those who test the package alone

    folder = tmp_path_factory.getbasetemp()  # of this worker; above it that of the whole run
    said = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "book.txt"
    with FileLock(said.with_suffix(".lock")):
        if said.exists():
            return said.read_text("utf-8")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "PYTEST"))}
        done = subprocess.run(
            ["make", "book"], cwd=ROOT, env=environment, text=True, capture_output=True
        )
        fault = (done.stdout + done.stderr)[-8000:] if done.returncode else ""
        said.write_text(fault, "utf-8")
        return fault


@pytest.fixture(scope="session")
def book(build: str) -> Path:
    """The folder of the built book."""
    if build:
        pytest.fail("the book does not build: see test_the_book_builds", pytrace=False)
    return ROOT / "_build" / "html"


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """tests.site.browser.chromium, which those who test the package alone cannot import."""
    from tests.site import browser as site
    from tools.chromium import installed

    if not installed():
        pytest.skip("no Chromium on this machine: no page is looked at (apt install chromium)")
    with site.chromium() as running:
        yield running


@pytest.fixture(scope="session")
def address(book: Path) -> Iterator[str]:
    """Where the built book is served, on this machine."""
    from tests.site import browser as site

    with site.served(book) as url:
        yield url


@pytest.fixture(scope="session")
def tab(browser: object) -> Iterator:
    """A tests.site.browser.tab for all pages."""
    from tests.site import browser as site

    with closing(site.tab(browser)) as page:
        yield page


@pytest.fixture(scope="session")
def figures(tmp_path_factory: pytest.TempPathFactory, browser: object) -> Iterator:
    """tests.site.moving.Figures."""
    from tests.site import moving

    with moving.opened(tmp_path_factory.mktemp("moving"), browser) as opened:
        yield opened
