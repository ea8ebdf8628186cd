"""No address of a page dies: what was ever in _toc.yml is there still, or leads on, anchor and all.

tests/site/published.txt lists every page that was ever published; it only grows.
"""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.site import browser as site
from tests.site import static

ROOT = Path(__file__).parent.parent
PUBLISHED = (ROOT / "tests" / "site" / "published.txt").read_text("utf-8").split()


def pages(toc: str) -> set[str]:
    """The pages that a _toc.yml names."""
    return set(re.findall(r"^[ -]*(?:file|root): *(\S+)", toc, re.MULTILINE))


def lost(published: set[str], toc: set[str], redirects: dict[str, str]) -> list[str]:
    """The pages at whose address nothing is now."""
    return sorted(published - toc - set(redirects))


TOC = pages((ROOT / "_toc.yml").read_text("utf-8"))
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
REDIRECTS = CONFIG["sphinx"]["config"]["redirects"]


def test_every_page_is_listed_as_published() -> None:
    new = sorted(TOC - set(PUBLISHED))
    assert new == [], f"append to tests/site/published.txt: {' '.join(new)}"


def test_no_page_that_was_published_is_lost() -> None:
    gone = lost(set(PUBLISHED), TOC, REDIRECTS)
    assert gone == [], f"_config.yml, redirects: say where to find {' '.join(gone)}"


def test_the_list_forgets_no_page_of_the_history() -> None:
    """Where the history is there; a shallow clone has only its last commit."""
    git = ["git", "log", "--format=", "--unified=0", "--patch", "--", "_toc.yml"]
    done = subprocess.run(git, cwd=ROOT, text=True, capture_output=True)
    added = "\n".join(re.findall(r"^\+(?!\+\+)(.*)$", done.stdout, re.MULTILINE))
    assert pages(added) <= set(PUBLISHED)


def test_a_page_that_was_dropped_or_renamed_is_noticed() -> None:
    assert pages("root: a\nparts:\n- chapters:\n  - file: b/c\n") == {"a", "b/c"}
    assert lost({"a", "b", "c"}, {"a"}, {"b": "a"}) == ["c"]


# ---------------------------------------------------------------- the mechanism, on a book of two pages

Build = Callable[[dict[str, str]], subprocess.CompletedProcess]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Builds a small book with such redirects into tmp_path/html."""

    def run(redirects: dict[str, str]) -> subprocess.CompletedProcess:
        (tmp_path / "part").mkdir(exist_ok=True)
        (tmp_path / "conf.py").write_text(
            f"import sys; sys.path.insert(0, {str(ROOT / '_ext')!r})\n"
            f"extensions, redirects, html_theme = ['redirects'], {redirects!r}, 'basic'\n"
        )
        (tmp_path / "index.rst").write_text("Book\n====\n\n.. toctree::\n\n   part/new\n")
        (tmp_path / "part" / "new.rst").write_text(
            "New\n===\n\n.. _far:\n\nFar\n---\n\nA sentence.\n"
        )
        command = [sys.executable, "-m", "sphinx", "-W", "-n", "-q", str(tmp_path)]
        return subprocess.run(
            [*command, str(tmp_path / "html")], cwd=tmp_path, text=True, capture_output=True
        )

    return run


def test_a_redirect_leads_to_a_page_and_keeps_the_anchor(
    build: Build, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    done = build({"part/old": "part/new", "older": "part/new"})
    assert done.returncode == 0, done.stderr
    html = tmp_path / "html"
    for path in ("part/old.html", "older.html"):
        page = static.parse((html / path).read_text("utf-8"))
        assert static.dead_links(path, page, html) == []
        (refresh,) = page.xpath("//meta[@http-equiv='refresh']/@content")
        assert refresh == "0; url=" + page.xpath("//a/@href")[0]
        assert "+ location.hash" in page.xpath("string(//script)")
    window = request.getfixturevalue("browser")
    with site.served(html) as url:
        for path in ("part/old.html", "older.html"):
            tab = window.new_page()
            tab.goto(f"{url}/{path}?q=a#far")
            tab.wait_for_url(f"{url}/part/new.html?q=a#far")
            assert tab.locator("#far").count() == 1
            tab.close()


@pytest.mark.parametrize(
    ("redirects", "words"),
    [
        ({"part/old": "part/gone"}, "part/old leads to part/gone, which is no page of _toc.yml"),
        ({"part/new": "index"}, "part/new is still a page of _toc.yml; take one of the two away"),
    ],
)
def test_a_redirect_that_leads_nowhere_fails_the_build(
    redirects: dict[str, str], words: str, build: Build
) -> None:
    done = build(redirects)
    assert done.returncode
    assert words in done.stderr


def test_an_anchor_that_is_on_the_second_page_now_leads_there(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    (tmp_path / "conf.py").write_text(
        f"import sys; sys.path.insert(0, {str(ROOT / '_ext')!r})\n"
        "extensions, html_theme = ['redirects'], 'basic'\n"
    )
    section = "\n\n.. _{label}:\n\n{label}\n-----\n\nA sentence.\n"
    pages = {"05_x": "near", "05b_y": "far", "06_z": "other"}
    names = "\n   ".join(pages)
    (tmp_path / "index.rst").write_text(f"Book\n====\n\n.. toctree::\n\n   {names}\n")
    for name, label in pages.items():
        (tmp_path / f"{name}.rst").write_text(f"Page\n====\n{section.format(label=label)}")
    command = [sys.executable, "-m", "sphinx", "-W", "-n", "-q", str(tmp_path)]
    html = tmp_path / "html"
    done = subprocess.run([*command, str(html)], cwd=tmp_path, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    found = {name: (html / f"{name}.html").read_text("utf-8") for name in pages}
    assert '{"far": "05b_y.html"}' in found["05_x"]
    assert "location.replace" not in found["05b_y"] + found["06_z"]
    window = request.getfixturevalue("browser")
    with site.served(html) as url:
        for asked, reached in {"far": "05b_y.html#far", "near": "05_x.html#near"}.items():
            tab = window.new_page()
            tab.goto(f"{url}/05_x.html#{asked}")
            tab.wait_for_url(f"{url}/{reached}")
            assert tab.locator(f"#{asked}").count() == 1
            tab.close()
