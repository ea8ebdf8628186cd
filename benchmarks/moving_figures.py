"""Frames a second of the figures that a reader moves: every slider pulled from end to end, one step a frame.

    .venv/bin/python benchmarks/moving_figures.py

A browser shows at most 60 frames a second, on a machine that has nothing else to do. What a frame costs in
processor time, of computing, drawing and layout, is told apart; it has 16.7 ms.
"""

import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import CDPSession
from side_by_side import show

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.site import browser, moving

PULL = """async index => {
  const slider = document.querySelectorAll("input[type=range]")[index];
  const {min, max} = slider, times = [];
  for (let i = 0; i <= 100; i++) {
    const start = performance.now();
    slider.value = Number(min) + (Number(max) - Number(min)) * i / 100;
    slider.dispatchEvent(new Event("input"));
    await new Promise(requestAnimationFrame);
    document.querySelector(".mf-stage").getBoundingClientRect();
    times.push(performance.now() - start);
  }
  return [slider.labels[0].textContent, times];
}"""
FRAMES = 101


def spent(devtools: CDPSession) -> float:
    """Seconds of processor time of the page so far."""
    metrics = devtools.send("Performance.getMetrics")["metrics"]
    return next(one["value"] for one in metrics if one["name"] == "TaskDuration")


def main() -> None:
    rows = []
    with (
        tempfile.TemporaryDirectory() as folder,
        browser.chromium() as window,
        moving.opened(Path(folder), window) as figures,
    ):
        devtools = figures.page.context.new_cdp_session(figures.page)
        devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
        for name in moving.NAMES:
            figures.shows(name)
            for index in range(figures.page.locator("input[type=range]").count()):
                before = spent(devtools)
                label, frames = figures.page.evaluate(PULL, index)
                cost = 1000 * (spent(devtools) - before) / FRAMES
                rows.append((f"{name}: {label}", 1000 / statistics.median(frames), cost))
    show("Moving figures", ["slider", "frames/s", "ms of processor a frame"], rows)


if __name__ == "__main__":
    main()
