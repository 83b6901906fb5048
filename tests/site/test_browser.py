"""The pages of the committed results in a real Chromium: nothing overflows a telephone, nobody is shut out, nothing is heavy, and what
is to search and to draw does.
"""

import gzip
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from experiments import ARTICLES, LITERATURE, LOCK, all_experiments
from normlab.report.build import build
from normlab.report.page import write_page
from normlab.runs.store import Store
from normlab.site.articles import load_articles
from normlab.site.literature import load_literature
from normlab.site.pages import Site
from normlab.verdicts.registry import read_lock

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
api = pytest.importorskip("playwright.sync_api", reason="playwright is in the extra: make test-browser")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is in the extra: make test-browser")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ROOT = Path(__file__).parents[2] / "results"
KINDS = (  # a page of each kind
    "index", "choose", "claims", "explore", "compare", "methods", "article-a", "judged", "speed", "trials",
    "claim/small-batch-hurts", "question/batch_size",
)  # fmt: skip
LATIN = re.compile(r"^[\x00-\x7fα-ωΑ-Ω×–−·…≥≤]+$")
NAMES = {  # in Latin letters in Japanese, too
    "normlab", "English", "EvoNorm-S0", "evonorm", "FRN", "frn", "TLU", "norm", "MNIST", "CIFAR-10", "n", "δ", "ε", "Pr", "PNG", "CSV",
    "GPU", "SGD",
}  # fmt: skip


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the committed results."""
    root = tmp_path_factory.mktemp("browser")
    for name in ("cpu", "bench"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("report", "runs", "weights"))
    store = Store(root / "cpu")
    report = build(list(all_experiments()), "cpu", store, read_lock(LOCK))
    write_page(report, "cpu", store)
    return Site(report, "cpu", store, load_articles(ARTICLES), load_literature(LITERATURE)).write().parent


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """Chromium, which must be installed."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed here (Debian's package chromium)")
    with api.sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield started
        started.close()


@pytest.fixture
def page(browser: "Browser") -> Iterator["Page"]:
    """A tab on a screen, in which no script may fail."""
    tab = browser.new_page(viewport={"width": 1200, "height": 900})
    failed: list[str] = []
    tab.on("pageerror", lambda error: failed.append(str(error)))
    yield tab
    tab.close()
    assert not failed


def opened(page: "Page", site: Path, name: str, query: str = "") -> "Page":
    page.goto((site / f"{name}.html").as_uri() + query)
    return page


@pytest.mark.parametrize("language", ["en", "ja"])
def test_no_page_is_wider_than_a_telephone(page: "Page", site: Path, language: str) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    wide = {}
    for file in sorted((site / language).rglob("*.html")):
        page.goto(file.as_uri())
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 390:
            wide[str(file.relative_to(site))] = width
    assert not wide


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "ja"])
def test_nobody_is_shut_out(page: "Page", site: Path, language: str, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    found = {}
    for kind in KINDS:
        results = axe.Axe().run(opened(page, site, f"{language}/{kind}"))
        if results.violations_count:
            found[kind] = [
                (each["id"], [node["target"] for node in each["nodes"]][:3]) for each in results.response["violations"]
            ]
    assert not found


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_claim_is_printed_on_a_page(page: "Page", site: Path, language: str) -> None:
    sheets = {}
    for file in sorted((site / language / "claim").glob("*.html")):
        printed = opened(page, site, f"{language}/claim/{file.stem}").pdf(format="A4")
        sheets[file.stem] = len(re.findall(rb"/Type\s*/Page\b", printed))
    assert {name for name, count in sheets.items() if count > 1} == set()


def test_the_first_page_is_light_and_no_page_is_heavy(page: "Page", site: Path) -> None:
    home = opened(page, site, "en/index")
    assert home.evaluate("document.querySelectorAll('*').length") < 3000
    assert sum(len(gzip.compress(file.read_bytes())) for file in _loaded(site / "en" / "index.html")) < 300_000
    heavy = {
        str(file): size
        for language in ("en", "ja")
        for file in (site / language).rglob("*.html")
        if (size := sum(each.stat().st_size for each in _loaded(file))) > 1_000_000
    }
    assert not heavy


def _loaded(file: Path) -> set[Path]:
    """A page and what it loads before anything is clicked."""
    text = file.read_text(encoding="utf-8")
    asked = re.findall(r'<(?:link rel="stylesheet"|script)[^>]*(?:href|src)="([^"]+)"', text)
    return {file, *((file.parent / name).resolve() for name in asked)}


@pytest.mark.parametrize(
    ("query", "claim"),
    [("GN", "best-use-small-batch"), ("groupnorm", "best-use-small-batch"), ("group norm", "others-batch-free"),
     ("small batches", "small-batch-hurts"), ("小さなバッチ", "small-batch-hurts"), ("バッチが小さい", "small-batch-hurts")],
)  # fmt: skip
def test_claims_are_found_by_what_people_call_things(page: "Page", site: Path, query: str, claim: str) -> None:
    opened(page, site, "ja/claims")
    everything = page.locator("li[data-text]:visible").count()
    page.fill("#q", query)
    assert page.locator(f'li[data-text]:visible a[href="claim/{claim}.html"]').count() == 1
    assert 0 < page.locator("li[data-text]:visible").count() < everything / 2
    address = page.url
    page.goto("about:blank")
    page.goto(address)  # a link shows what its sender saw
    assert page.input_value("#q") == query
    assert page.locator(f'li[data-text]:visible a[href="claim/{claim}.html"]').count() == 1


def test_what_is_nowhere_is_not_found(page: "Page", site: Path) -> None:
    opened(page, site, "en/claims", "?q=xylophone")
    assert page.locator("li[data-text]:visible").count() == 0
    assert page.locator("section.group:visible").count() == 0


def test_explore_draws_the_methods_that_are_ticked(page: "Page", site: Path) -> None:
    opened(page, site, "en/explore")
    lines = page.locator('[data-plot=curves] g[data-mark=line] path[stroke^="#"]')
    ticked = page.locator("input[name=norm]:checked:visible").count()
    assert lines.count() == ticked >= 2
    page.locator("input[name=norm]:visible").first.uncheck()
    assert lines.count() == ticked - 1
    page.select_option("select[name=at]", index=4)
    chosen = page.input_value("select[name=at]")
    page.reload()
    assert page.input_value("select[name=at]") == chosen
    assert not page.locator("input[name=norm]:visible").first.is_checked()


def test_compare_turns_round_with_its_sides(page: "Page", site: Path) -> None:
    def effects() -> list[float]:
        told = page.locator("[data-plot] svg").get_attribute("aria-label") or ""
        return [float(value.replace("−", "-")) for value in re.findall(r": ([+−][\d.]+) \[", told)]

    opened(page, site, "en/compare", "?a=none&b=batch")
    first = effects()
    assert first
    opened(page, site, "en/compare", "?a=batch&b=none")
    assert effects() == pytest.approx([-value for value in first])
    assert page.locator("[data-heading]").inner_text() == "batch norm − no norm"


def test_japanese_pages_speak_japanese(page: "Page", site: Path) -> None:
    labels = "nav a, h1, h2, h3, th, label, legend, button, summary, option"
    latin = {}
    for kind in KINDS:
        opened(page, site, f"ja/{kind}")
        texts = page.eval_on_selector_all(
            labels,
            "all => all.filter(e => !e.closest('[lang=en]') && !e.querySelector('input')).map(e => e.textContent.trim())",
        )
        found = {text for text in texts if LATIN.match(text) and re.search("[A-Za-z]{2}", text)}
        if left := {text for text in found if not set(re.findall(r"[A-Za-z][\w-]+", text)) <= NAMES}:
            latin[kind] = left
    assert not latin


def test_all_is_readable_without_scripts(browser: "Browser", site: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    for kind in KINDS:
        opened(page, site, f"en/{kind}")
        assert len(page.locator("main").inner_text()) > 200, kind
    context.close()
