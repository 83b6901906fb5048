"""Pages: how long the report's pages take until they can be used, in a browser on a slow processor."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from normlab.bench.overhead import timed_script
from normlab.bench.rows import Row, amount
from normlab.bench.start import copy_results

KINDS = ("index", "choose", "claims", "explore", "compare", "claim/small-batch-hurts", "question/batch_size")
ROUNDS = 5
SLOWER = 4
USABLE = 1.5  # seconds
# Since the navigation began, when the page has been loaded, its scripts have run, and the browser has nothing else to do.
IDLE = "new Promise(done => requestIdleCallback(() => done(performance.now() / 1000)))"


def pages() -> Iterator[Row]:
    """A page of each kind of the committed results of scale cpu, in turns."""
    row = Row("pages", f"Chromium, processor {SLOWER} times slower", "", bar=USABLE, better="lower")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None or find_spec("playwright") is None:
        yield replace(row, item="all", note='not run: needs Chromium and `pip install -e ".[browser]"`')
        return
    with tempfile.TemporaryDirectory() as folder:
        copy_results(Path(folder))
        timed_script("report.py", "cpu", folder)
        times: dict[str, list[float]] = {kind: [] for kind in KINDS}
        with _browser(chromium) as browser:
            for _ in range(ROUNDS):
                for kind in KINDS:
                    file = Path(folder) / "cpu" / "report" / "en" / f"{kind}.html"
                    times[kind].append(_usable_after(browser, file))
    for kind, found in times.items():
        yield amount(replace(row, item=f"{kind}.html", note="loaded, scripts run, and idle"), found, "s")


@contextmanager
def _browser(chromium: str) -> Iterator[Any]:
    with import_module("playwright.sync_api").sync_playwright() as playwright:  # of an extra
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        try:
            yield browser
        finally:
            browser.close()


def _usable_after(browser: Any, file: Path) -> float:
    """Seconds from opening a page in a tab of its own until it can be used."""
    tab = browser.new_page()
    try:
        tab.context.new_cdp_session(tab).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        tab.goto(file.as_uri(), wait_until="load")
        return float(tab.evaluate(IDLE))
    finally:
        tab.close()
