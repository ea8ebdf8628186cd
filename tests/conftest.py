"""What tests of several files share: the moving figures in one window of a browser."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """tests.site.moving.Figures, which those who test the package alone cannot import."""
    from tests.site import browser as site
    from tests.site import moving

    if not site.installed():
        pytest.skip("no Chromium on this machine: nothing is moved (apt install chromium)")
    with moving.opened(tmp_path_factory.mktemp("moving")) as opened:
        yield opened
