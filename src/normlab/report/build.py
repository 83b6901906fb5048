"""Builds results/<scale>/: verdicts.csv, tables and figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from normlab.report.choice import Choice, choice_figure, choice_table, choose, pareto_figure
from normlab.report.forest import forest
from normlab.report.gallery import Gallery, shown_by_claim, shown_by_experiment
from normlab.report.methods import method_table
from normlab.report.overview import overview_figure
from normlab.report.results import Question, Results
from normlab.report.sections import Section, evaluate, overview, verdicts_of
from normlab.report.style import use_style
from normlab.report.tables import as_plain, cell_means, claim_table, write_table
from normlab.runs.store import Store
from normlab.verdicts.registry import Lock


@dataclass(frozen=True)
class Report:
    """What a page is made of: every experiment with its claims, the situations of which methods were compared, the table of methods."""

    sections: list[Section]
    choices: list[Choice]
    methods: pd.DataFrame


def build(questions: Sequence[Question], scale: str, store: Store, lock: Lock) -> Report:
    """Evaluate every question and write tables and figures; a figure is drawn again only where it would show something else."""
    use_style()
    sections = evaluate(questions, scale, store, lock)
    gallery = Gallery(store.root / "figures")
    for section in sections:
        for name, published in section.published.items():
            write_table(published.table, store.root, name, folder=".")
    for section in sections:
        _section(section, store, gallery)
    situations = [s for section in sections for s in section.question.situations(section.results)]
    choices = [choose(situation) for situation in situations]
    if choices:
        _choice(choices, store.root, sections[0].results, gallery)
    methods = method_table()
    write_table(methods, store.root, "method-table")
    write_table(verdicts_of(sections), store.root, "verdicts", folder=".")
    blocks = overview(sections)
    if blocks:
        caption = f"scale {scale} · {sections[0].results.device}"
        gallery.show("verdicts", repr(blocks), lambda: overview_figure(blocks), caption)
    gallery.close()
    return Report(sections, choices, methods)


def _section(section: Section, store: Store, gallery: Gallery) -> None:
    """The tables and figures of one experiment and its claims."""
    name, results = section.question.name, section.results
    if not section.claims or any(result.run for result in section.claims):
        shown = shown_by_experiment(results, section.question.source)
        section.drawn = gallery.show(name, shown, lambda: section.question.draw(results), results.caption())
        plain = results.computed("its table", lambda: as_plain(section.question.table(results)), shown)
        section.table = plain and pd.DataFrame(**plain)
    if section.table is not None:
        write_table(section.table, store.root, f"{name}--table")
    for result in section.claims:
        figure = section.figure_name(result)
        if figure:
            drawn = partial(forest, result, results.foot, results.untrained)
            gallery.show(figure, shown_by_claim(result, results), drawn)
            write_table(claim_table(result), store.root, figure)
    if not results.cells.empty:
        write_table(cell_means(results), store.root, name)


def _choice(choices: list[Choice], root: Path, results: Results, gallery: Gallery) -> None:
    """The table and the maps of the choice of a method."""
    write_table(choice_table(choices), root, "which-normalization")
    seeds = {len(c.accuracy) for choice in choices for c in choice.situation.candidates}
    several = f"{min(seeds)} to {max(seeds)}" if len(seeds) > 1 else f"{seeds.pop()}"
    caption = (
        f"test accuracy, % (mean ± standard deviation over n = {several} seeds, each method at its best rate) · ★ best, outlined: not "
        f"distinguishable from it · {results.where}"
    )
    gallery.show("which-normalization", repr(choices), lambda: choice_figure(choices), caption)
    note = f"line: no method is both cheaper and more accurate · n = {several} seeds · {results.where}"
    gallery.show("accuracy-against-cost", repr(choices), lambda: pareto_figure(choices), note)
