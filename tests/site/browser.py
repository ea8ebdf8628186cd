"""What only a browser can see. Pages are opened with every other host blocked and with every font of the machine
hidden; each check returns its faults, in words. No check waits for a clock.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

from axe_playwright_python.base import AXE_SCRIPT
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from playwright.sync_api import BrowserContext, CDPSession, Page, sync_playwright

from tests.site import looks
from tools.chromium import installed

# How wide the windows are in which a page is looked at. It is opened in the first; each other lays it out anew.
SCHEMES = {"light": (1280,), "dark": (390, 320, 768)}
PHONE = 390
OF_COLOURS = ["color-contrast", "link-in-text-block"]  # rules of axe
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
HEAVIEST = 2_000_000  # bytes of a first visit, uncompressed
MOST_SHIFT = 0.01
PATIENCE = 120_000  # milliseconds: a busy machine is no fault of a page
FONTCONFIG = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{folder}</dir><cachedir>{folder}/cache</cachedir></fontconfig>
"""
# The page shows itself after three seconds even without its fonts; not here, where three seconds may be few.
NO_CLOCK = """const later = window.setTimeout;
window.setTimeout = (what, wait, ...rest) => wait === 3000 ? 0 : later(what, wait, ...rest);"""
# Nothing of what the page before left in the tab.
FIRST_VISIT = "if (location.protocol === 'http:') sessionStorage.clear();"


def wide_font(file: Path) -> None:
    """A font that has nearly every character, as one and the same wide box."""
    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    pen.lineTo((100, 700))
    pen.lineTo((1900, 700))
    pen.closePath()
    box = pen.glyph()
    letters = [*range(0x20, 0xD800), *range(0xE000, 0xFFFE), *range(0x1D400, 0x1FB00)]
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder([".notdef", "box"])
    font.setupCharacterMap(
        {0x10000: "box"}
    )  # beyond 16 bits: so it is a table for any number of letters
    cmap = font.font["cmap"]
    cmap.tables = [table for table in cmap.tables if table.format == 12]
    cmap.tables[0].cmap = dict.fromkeys(letters, "box")
    font.setupGlyf({".notdef": box, "box": box})
    font.setupHorizontalMetrics({".notdef": (2000, 100), "box": (2000, 100)})
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": "Machine", "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(file)


@contextmanager
def one_font() -> Iterator[dict[str, str]]:
    """Variables that leave a browser one font of the machine, and that nobody can take for the book's."""
    with tempfile.TemporaryDirectory() as folder:
        wide_font(Path(folder, "machine.ttf"))
        settings = Path(folder, "fonts.conf")
        settings.write_text(FONTCONFIG.format(folder=folder))
        yield {"FONTCONFIG_FILE": str(settings)}


@contextmanager
def chromium() -> Iterator[BrowserContext]:
    """A window of a browser that can reach this machine and nothing else, and sees none of its fonts."""
    # not by page.route, which would switch the browser's cache off
    offline = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
    brief = "--js-flags=--no-opt"  # scripts of pages end before the time to optimise them pays
    drawn = "--in-process-gpu"  # a tenth less work for a page
    with one_font() as variables, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=installed(),
            args=["--no-sandbox", offline, brief, drawn],
            env={**os.environ, **variables},
            timeout=PATIENCE,
        )
        context = browser.new_context(reduced_motion="reduce")
        context.set_default_timeout(PATIENCE)
        yield context
        browser.close()


class Quiet(SimpleHTTPRequestHandler):
    """Says nothing: the browser records what goes wrong. Fonts and pictures wait until they may go."""

    protocol_version = "HTTP/1.1"  # one connection for many files

    def __init__(self, *args: object, let_go: Event, **rest: object) -> None:
        self.let_go = let_go
        super().__init__(*args, **rest)

    def do_GET(self) -> None:
        if self.path.split("?")[0].endswith((".woff2", ".png", "ladder.svg")):
            self.let_go.wait()
        super().do_GET()

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "max-age=3600")  # nothing is asked for again
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder: Path, let_go: Event | None = None) -> Iterator[str]:
    """The address of a server of that folder, on this machine only."""
    if let_go is None:
        let_go = Event()
        let_go.set()
    handler = partial(Quiet, directory=folder, let_go=let_go)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    let_go.set()
    server.shutdown()
    server.server_close()


def tab(context: BrowserContext) -> Page:
    """A tab for one page after the other: so the browser reads their styles, fonts and scripts once."""
    page = context.new_page()
    page.add_init_script(NO_CLOCK + FIRST_VISIT)
    return page


@contextmanager
def record(page: Page, base: str) -> Iterator[list[str]]:
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

    def broken(error: object) -> None:
        faults.append(f"page error: {error}")

    heard = {
        "request": requested,
        "console": console,
        "pageerror": broken,
        "requestfailed": failed,
        "response": answered,
    }
    for event, listener in heard.items():
        page.on(event, listener)
    try:
        yield faults
    finally:
        page.goto("about:blank")  # what is under way ends here, and is no fault of the next page
        for event, listener in heard.items():
            page.remove_listener(event, listener)


def settle(page: Page) -> None:
    """Wait until the page is shown, its fonts are there, and it has been drawn a few times."""
    page.wait_for_function("!document.documentElement.classList.contains('waiting')")
    draw(page, 4)


def draw(page: Page, times: int = 2) -> None:
    """Wait until the page has been drawn anew."""
    page.evaluate(
        "async times => { await document.fonts.ready;"
        " for (; times; times--) await new Promise(requestAnimationFrame) }",
        times,
    )


def axe_faults(page: Page, scheme: str, asked: set[str]) -> Iterator[str]:
    """Violations of WCAG, levels A and AA, with the elements that violate.

    Of thousands of tokens and formulas on a page one of each kind stays whole. The rules of colours, the slowest and
    the only ones that another scheme can break, are asked of one element of each kind that is not in `asked`: the
    kinds of the pages before. These join them.
    """
    page.evaluate(looks.ONE_OF_A_KIND)
    page.set_viewport_size({"width": 1280, "height": 900})
    draw(page)
    page.evaluate(looks.AT_REST)
    if scheme == "light":
        yield from violations(page, {"type": "tag", "values": WCAG}, asked)
    elif page.evaluate(looks.CONTRASTS, list(asked)):
        yield from violations(page, OF_COLOURS, asked)


def violations(page: Page, rules: object, asked: set[str]) -> list[str]:
    """What axe finds; kinds of colours are marked in the same turn, as a figure drawn anew loses its marks."""
    # no preload: axe would fetch the style sheets once more, from wrong addresses
    settings = {"resultTypes": ["violations"], "preload": False, "runOnly": rules}
    page.evaluate(AXE_SCRIPT)
    marked, found = page.evaluate(
        f"""async ([asked, settings]) => {{
            const marked = ({looks.CONTRASTS})(asked);
            axe.configure({{rules: {looks.OF_THE_MARKED}}});
            return [marked, (await axe.run(settings)).violations];
        }}""",
        [list(asked), settings],
    )
    asked.update(marked)
    return [
        f"axe: {violation['id']} ({violation['help']}) at {node['target']}"
        for violation in found
        for node in violation["nodes"]
    ]


def theme_faults(page: Page, scheme: str) -> list[str]:
    shown = page.evaluate("document.documentElement.dataset.theme")
    return [] if shown == scheme else [f"the theme is {shown!r} where {scheme!r} was asked for"]


def visit(page: Page, url: str, scheme: str) -> None:
    """Open a page and wait until it is at rest."""
    page.set_viewport_size({"width": SCHEMES[scheme][0], "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.goto(url)
    settle(page)


def first_visit_faults(page: Page, scheme: str) -> list[str]:
    """What the visit weighed, and whether anything moved while it went on.

    A tab that has shown other pages fetches no less than a new one, and some fonts more: what is too heavy there, or
    not told of every file, is weighed in a new one.
    """
    sizes = page.evaluate(looks.SIZES)
    shift, moved = page.evaluate(looks.SHIFTS)
    if sum(sizes) > HEAVIEST or 0 in sizes:
        with closing(tab(page.context)) as new:
            visit(new, page.url, scheme)
            sizes = new.evaluate(looks.SIZES)
    weight = sum(sizes)
    faults = []
    if weight > HEAVIEST:
        faults.append(f"a first visit weighs {weight} bytes, more than {HEAVIEST}")
    if shift >= MOST_SHIFT:
        faults.append(f"the layout shifts by {shift:.3f}: {moved}")
    return faults


def overflow_faults(page: Page, scheme: str) -> Iterator[str]:
    """What is wider than the window, in each of the windows; on a phone also with wider letters."""
    for width in SCHEMES[scheme]:
        page.set_viewport_size({"width": width, "height": 900})
        draw(page)
        yield from page.evaluate(looks.OVERFLOW)
        if width <= PHONE:
            page.evaluate(looks.SPREAD, True)
            yield from (f"with wider letters, {fault}" for fault in page.evaluate(looks.OVERFLOW))
            page.evaluate(looks.SPREAD, False)


def fonts_used(devtools: CDPSession) -> list[list[dict]]:
    """The fonts that the browser took for each span of the hidden box."""
    root = devtools.send("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
    found = devtools.send("DOM.querySelectorAll", {"nodeId": root, "selector": "#letters > span"})
    return [
        devtools.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
        for node in found["nodeIds"]
    ]


def font_faults(page: Page) -> list[str]:
    """The characters of the page that no font of the book has, so that one of the machine must serve."""
    page.evaluate(looks.LETTERS)
    draw(page)
    devtools = page.context.new_cdp_session(page)
    devtools.send("DOM.enable")
    devtools.send("CSS.enable")
    foreign = [any(not font["isCustomFont"] for font in fonts) for fonts in fonts_used(devtools)]
    faults = []
    if any(foreign):
        page.evaluate(looks.ONE_BY_ONE, foreign)
        draw(page)
        letters = page.evaluate(
            "[...document.querySelectorAll('#letters > span')]"
            ".map(span => [span.textContent, span.style.fontFamily])"
        )
        faults = [
            f"no font of the book has {letter!r} (in {family})"
            for (letter, family), fonts in zip(letters, fonts_used(devtools))
            if not all(font["isCustomFont"] for font in fonts)
        ]
    devtools.detach()
    page.evaluate("document.getElementById('letters').remove()")
    return faults


def page_faults(page: Page, base: str, path: str, scheme: str, asked: set[str]) -> Iterator[str]:
    """What is wrong with one page, opened 'light' on a desktop or 'dark' on a phone: each fault as it is found.

    Which fonts it takes is looked at once, and in every window how wide things are: the other scheme moves nothing.
    `asked` are the kinds of colours of the pages before (axe_faults).
    """
    with record(page, base) as recorded:
        visit(page, f"{base}/{path}", scheme)
        yield from first_visit_faults(page, scheme)
        yield from theme_faults(page, scheme)
        page.evaluate(looks.UNFOLD)
        draw(page)
        for look in (looks.MATHS, looks.PICTURES, looks.OPEN_SOLUTIONS):
            yield from page.evaluate(look)
        yield from recorded
        recorded.clear()
        if scheme == "light":
            yield from page.evaluate(looks.MOVED_BY_DARK)
            yield from font_faults(page)
        yield from overflow_faults(page, scheme)
        yield from axe_faults(page, scheme, asked)
        yield from recorded
