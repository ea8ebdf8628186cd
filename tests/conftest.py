"""What tests of several files share: one browser, and the moving figures in one of its windows.

A second browser in one process would be refused by Playwright, and cost a second more.
"""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """tests.site.browser.chromium, which those who test the package alone cannot import."""
    from tests.site import browser as site

    if not site.installed():
        pytest.skip("no Chromium on this machine: no page is looked at (apt install chromium)")
    with site.chromium() as running:
        yield running


@pytest.fixture(scope="session")
def figures(tmp_path_factory: pytest.TempPathFactory, browser: object) -> Iterator:
    """tests.site.moving.Figures."""
    from tests.site import moving

    with moving.opened(tmp_path_factory.mktemp("moving"), browser) as opened:
        yield opened
