"""Verdicts, tables, figures and the page from the runs that are there."""

import webbrowser
from pathlib import Path

from rich.console import Console
from rich.table import Table

from experiments import ARTICLES, LITERATURE, LOCK, all_experiments
from normlab.errors import NormlabError
from normlab.report import sentences
from normlab.report.build import build
from normlab.report.page import write_page
from normlab.report.sections import Section
from normlab.report.style import VERDICT_COLOURS
from normlab.runs.store import Store
from normlab.site.articles import load_articles
from normlab.site.literature import load_literature
from normlab.site.packing import pack
from normlab.site.pages import Site
from normlab.verdicts.registry import read_lock


def show(sections: list[Section], page: Path) -> None:
    """The verdict table and the page's path on the terminal."""
    table = Table("claim", "verdict", "effect [95 % interval]", "n", title="Verdicts", title_justify="left")
    for section in sections:
        for result in section.claims:
            part = result.deciding.deciding if result.deciding else None
            colour = VERDICT_COLOURS[result.verdict.word]
            effect = sentences.interval(part) + sentences.unit_name(part.unit).en if part else ""
            n = str(part.n) if part else ""
            table.add_row(result.claim.id, f"[{colour}]{result.verdict}[/]", effect.replace("[", "\\["), n)
        table.add_section()
    console = Console(highlight=False)
    console.print(table)
    console.print(f"report: {page}", soft_wrap=True)


def report(scale: str, results: str, open_page: bool = False, archive: str = "") -> None:
    """Build the report of a scale, show its verdicts, and open the page or write all pages to an archive where that is asked for.

    Raises:
        NormlabError: for an unknown scale.
    """
    experiments = list(all_experiments())
    if scale not in {name for experiment in experiments for name in experiment.design.scales}:
        raise NormlabError(f"unknown scale {scale!r}; there are quick, cpu, gpu")
    store = Store(Path(results) / scale)
    built = build(experiments, scale, store, read_lock(LOCK))
    write_page(built, scale, store)
    page = Site(built, scale, store, load_articles(ARTICLES), load_literature(LITERATURE)).write()
    show(built.sections, page)
    if archive:
        print(f"packed: {pack(store.root, Path(archive))}")
    if open_page:
        webbrowser.open(page.resolve().as_uri())
