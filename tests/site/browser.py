"""What only a browser can see. Pages are opened with every other host blocked; each check returns
its faults, in words.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, TimeoutError, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
WIDTHS = {"light": 1280, "dark": 1280, "phone": 390}
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def installed() -> str | None:
    """The path of a Chromium on this machine, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def chromium() -> Iterator[BrowserContext]:
    """A window of a browser that can reach this machine and nothing else."""
    # not by page.route, which would switch the browser's cache off
    offline = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=installed(), args=["--no-sandbox", offline]
        )
        yield browser.new_context()
        browser.close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing: the browser records what goes wrong."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a server of that folder, on this machine only."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def record(page: Page, base: str) -> list[str]:
    """A list that grows with everything that goes wrong on this page."""
    faults: list[str] = []

    def outside(url: str) -> bool:
        return not url.startswith((base, "data:", "blob:", "about:"))

    def console(message: object) -> None:
        if message.type == "error":
            faults.append(f"console error: {message.text}")

    def requested(request: object) -> None:
        if outside(request.url):
            faults.append(f"outside request: {request.url}")

    def failed(request: object) -> None:
        if not outside(request.url):
            faults.append(f"failed request: {request.url} ({request.failure})")

    def answered(response: object) -> None:
        if response.status >= 400:
            faults.append(f"HTTP {response.status}: {response.url}")

    page.on("request", requested)
    page.on("console", console)
    page.on("pageerror", lambda error: faults.append(f"page error: {error}"))
    page.on("requestfailed", failed)
    page.on("response", answered)
    return faults


def settle(page: Page) -> None:
    """Wait until mathematics and fonts are there."""
    page.evaluate(
        "async () => { await window.MathJax?.startup?.promise; await document.fonts.ready }"
    )


MATHS = r"""() => {
  const faults = [];
  for (const place of document.querySelectorAll('article .math'))
    if (!place.querySelector('mjx-container'))
      faults.push('mathematics not rendered: ' + place.textContent.slice(0, 60));
  for (const wrong of document.querySelectorAll('mjx-merror, [data-mjx-error]'))
    faults.push('mathematics is wrong: ' + wrong.textContent.slice(0, 60));
  const skip = 'pre, code, script, style, mjx-container, .math';
  const tex = /\\[(\[]|\$\$|\\(frac|begin|partial|dot|bar|sin|ln)\b/;
  const article = document.querySelector('article') || document.body;
  const walk = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.textContent;
    if (tex.test(text) && !walk.currentNode.parentElement.closest(skip))
      faults.push('raw TeX: ' + text.trim().slice(0, 60));
  }
  return faults;
}"""

PICTURES = r"""() => {
  const faults = [];
  for (const image of document.images)
    if (!image.complete || image.naturalWidth === 0) faults.push('image not loaded: ' + image.src);
  for (const svg of document.querySelectorAll('article svg')) {
    const title = svg.querySelector(':scope > title');
    const named = title || svg.matches('[aria-label], [aria-labelledby]');
    if (!named && !svg.closest('[aria-hidden=true], mjx-container, button, summary'))
      faults.push('inline svg without title or aria-label: ' + svg.outerHTML.slice(0, 80));
  }
  return faults;
}"""

OVERFLOW = r"""() => {
  const {clientWidth: width, scrollWidth: needed} = document.documentElement;
  const faults = [];
  if (needed > width + 1) faults.push(`the page is ${needed} px wide on a screen of ${width}`);
  const held = node => node && node.tagName !== 'ARTICLE' &&
    (getComputedStyle(node).overflowX !== 'visible' || held(node.parentElement));
  for (const node of document.querySelectorAll('article *')) {
    const box = node.getBoundingClientRect();
    if (box.width > 0 && box.right > width + 1 && !held(node.parentElement) && !held(node))
      faults.push(`${node.outerHTML.slice(0, 80)} ends at ${Math.round(box.right)} px`);
  }
  return faults.slice(0, 5);
}"""

OPEN_SOLUTIONS = r"""() => [...document.querySelectorAll('.solution')]
  .filter(one => !one.classList.contains('toggle-hidden'))
  .map(one => 'an open solution: ' + one.textContent.trim().slice(0, 40))"""


ONE_TOKEN_A_KIND = r"""() => {
  const seen = new Set();
  for (const token of document.querySelectorAll('.highlight span')) {
    const kind = token.className + (token.closest('.cell_output') ? ' of an output' : '');
    if (seen.has(kind)) token.replaceWith(token.textContent);
    seen.add(kind);
  }
}"""


def axe_faults(page: Page) -> list[str]:
    """Violations of WCAG, levels A and AA, with the elements that violate.

    Of the thousands of tokens of code on a page, one of each kind stays: axe is slow on many elements.
    """
    page.evaluate(ONE_TOKEN_A_KIND)
    # no preload: axe would fetch the style sheets once more, from wrong addresses
    rules = {"type": "tag", "values": WCAG}
    options = {"runOnly": rules, "resultTypes": ["violations"], "preload": False}
    violations = Axe().run(page, options=options).response["violations"]
    return [
        f"axe: {violation['id']} ({violation['help']}) at {node['target']}"
        for violation in violations
        for node in violation["nodes"]
    ]


def theme_faults(page: Page, scheme: str) -> list[str]:
    shown = page.evaluate("document.documentElement.dataset.theme")
    return [] if shown == scheme else [f"the theme is {shown!r} where {scheme!r} was asked for"]


def page_faults(context: BrowserContext, base: str, path: str, mode: str) -> list[str]:
    """Everything wrong with one page, opened as 'light', 'dark' or 'phone'."""
    page = context.new_page()
    page.set_viewport_size({"width": WIDTHS[mode], "height": 900})
    scheme = "dark" if mode == "dark" else "light"
    page.emulate_media(color_scheme=scheme)
    faults = record(page, base)
    page.goto(f"{base}/{path}")
    settle(page)
    faults += theme_faults(page, scheme)
    for look in (MATHS, PICTURES, OVERFLOW, OPEN_SOLUTIONS):
        faults += page.evaluate(look)
    if mode != "phone":  # the colours and the elements of a phone are those of 'light'
        faults += axe_faults(page)
    page.close()
    return faults


def search_faults(context: BrowserContext, base: str, word: str, path: str) -> list[str]:
    """Nothing, if a search for the word lists the page."""
    page = context.new_page()
    faults = record(page, base)
    page.goto(f"{base}/search.html?q={word}")
    listed = (
        "path => [...document.querySelectorAll('ul.search a')].some(a => a.href.includes(path))"
    )
    try:
        page.wait_for_function(listed, arg=path, timeout=5000)
    except TimeoutError:
        faults.append(f"a search for {word!r} does not list {path}")
    page.close()
    return faults


def unfolding_faults(context: BrowserContext, base: str, path: str) -> list[str]:
    """A click on a folded solution shows it."""
    page = context.new_page()
    page.goto(f"{base}/{path}")
    settle(page)
    solution = page.locator(".solution").first
    inside = solution.locator(".cell_input").first
    before = inside.is_visible()
    solution.locator(".admonition-title").first.click(position={"x": 5, "y": 5})
    page.wait_for_timeout(300)
    after = inside.is_visible()
    page.close()
    return (
        []
        if (before, after) == (False, True)
        else [f"{path}: shown before {before}, after {after}"]
    )
