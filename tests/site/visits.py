"""What a reader does in the built book, and what goes wrong then: waits, searches, opens, unfolds."""

from contextlib import closing
from pathlib import Path
from threading import Event
from urllib.parse import quote

from playwright.sync_api import BrowserContext, Page, TimeoutError

from tests.site import looks
from tests.site.browser import HEAVIEST, first_visit_faults, record, served, settle, tab


def late_faults(context: BrowserContext, folder: Path, path: str) -> list[str]:
    """What moves on a page whose fonts and pictures come after everything else."""
    let_go = Event()
    with served(folder, let_go) as base:
        page = tab(context)
        page.goto(f"{base}/{path}", wait_until="domcontentloaded")
        early = not page.evaluate("document.documentElement.classList.contains('waiting')")
        let_go.set()
        page.wait_for_load_state("load")
        settle(page)
        faults = ["the page is shown before its fonts are there"] if early else []
        faults += first_visit_faults(page, "light")
        page.close()
    return faults


def fontless_faults(context: BrowserContext, folder: Path, path: str) -> list[str]:
    """Nothing, if the page is shown while its fonts are still being waited for."""
    with served(folder, Event()) as base:
        page = context.new_page()
        page.goto(f"{base}/{path}", wait_until="domcontentloaded")
        try:
            page.wait_for_function("!document.documentElement.classList.contains('waiting')")
        except TimeoutError:
            return ["the page waits for its fonts for ever"]
        finally:
            page.close()
    return []


def typed(page: Page, query: str) -> list[str]:
    """The addresses that the page Search lists for a query, best first."""
    page.locator(".bd-search-container input").fill(query)
    said = "query => document.querySelector('p.search-summary')?.dataset.query === query"
    page.wait_for_function(said, arg=query)
    return page.evaluate(
        "[...document.querySelectorAll('ul.search > li > a')].map(a => a.getAttribute('href'))"
    )


def search_faults(
    context: BrowserContext, base: str, queries: list[tuple[str, str]], among: bool = False
) -> list[str]:
    """The queries, typed one after the other into one page, whose first result is not the one wanted.

    With `among`, the queries that list nothing of the page that is wanted.
    """
    with closing(context.new_page()) as page, record(page, base) as faults:
        page.goto(f"{base}/search.html")
        for query, wanted in queries:
            listed = typed(page, query)
            found = [address.split("#")[0] for address in listed] if among else listed[:1]
            if wanted not in found:
                faults.append(f"a search for {query!r} wants {wanted} and lists {listed[:3]}")
        weight = sum(page.evaluate(looks.SIZES))
        if weight > HEAVIEST:
            faults.append(f"a visit with a search weighs {weight} bytes, more than {HEAVIEST}")
    return faults


def opening_faults(context: BrowserContext, base: str, query: str) -> list[str]:
    """A click on the first result of a query opens its section: the heading is in the window."""
    with closing(context.new_page()) as page, record(page, base) as faults:
        page.goto(f"{base}/search.html?q={quote(query)}")
        page.locator("ul.search a").first.click()
        page.wait_for_load_state()
        settle(page)
        top, height = page.evaluate(
            "[document.querySelector(':target').parentElement.getBoundingClientRect().top, innerHeight]"
        )
        if not 0 <= top < height / 2:
            faults.append(
                f"{query!r} opens {page.url}, and its section stands {top:.0f} px from the top"
            )
    return faults


def unfolding_faults(context: BrowserContext, base: str, path: str) -> list[str]:
    """A click on a folded solution shows it."""
    page = context.new_page()
    page.goto(f"{base}/{path}")
    settle(page)
    solution = page.locator(".solution").first
    inside = solution.locator(".cell_input").first
    faults = [f"{path}: a solution is open before the click"] if inside.is_visible() else []
    solution.locator(".admonition-title").first.click(position={"x": 5, "y": 5})
    try:
        inside.wait_for(state="visible")
    except TimeoutError:
        faults.append(f"{path}: a click does not unfold the solution")
    page.close()
    return faults
