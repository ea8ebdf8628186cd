"""On CI a test is skipped for want of a GPU and for nothing else: see conftest.py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SKIPS = """\
import pytest

@pytest.mark.skipif(True, reason="there is no GPU here")
def test_on_a_gpu():
    pass

def test_in_a_browser():
    pytest.skip("no Chromium on this machine")

@pytest.mark.xfail(raises=ZeroDivisionError)
def test_that_is_known_to_fail():
    1 / 0
"""


@pytest.mark.parametrize(
    ("ci", "counts"), [("true", "1 failed, 1 skipped, 1 xfailed"), ("", "2 skipped, 1 xfailed")]
)
def test_a_skip_is_a_failure_on_ci(ci: str, counts: str, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "conftest.py").read_text("utf-8"), "utf-8")
    (tmp_path / "test_three.py").write_text(SKIPS, "utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rf", "--color=no"]
    done = subprocess.run(
        [*command, f"--rootdir={tmp_path}", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"CI": ci, "PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        text=True,
        capture_output=True,
    )
    assert counts in done.stdout
    assert ("only what needs a GPU may be skipped" in done.stdout) == bool(ci)
