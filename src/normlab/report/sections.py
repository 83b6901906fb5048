"""The experiments of a report, evaluated and judged at a scale."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from normlab.core.claim import Text
from normlab.core.over_runs import OverRuns
from normlab.core.readings import check
from normlab.core.trial import ClaimResult
from normlab.core.verdict import add_q_values, verdict_rows, verdict_table
from normlab.report.overview import Block
from normlab.report.results import Published, Question, Results
from normlab.runs.store import OF_OTHER_WEIGHTS, Store
from normlab.sweeps.compose import Composer
from normlab.verdicts.registry import Lock, claim_hash, grids_of, registered, second_look_changed


@dataclass
class Section:
    """One experiment of the report."""

    question: Question
    results: Results
    claims: list[ClaimResult]
    drawn: bool = False
    table: pd.DataFrame | None = None
    published: dict[str, Published] = field(default_factory=dict)
    runs: int = 0

    @property
    def old(self) -> bool:
        """Whether its evidence is that of the first edition, to be replaced."""
        return self.question.design.edition == 1

    def figure_name(self, result: ClaimResult) -> str:
        """The file name of a claim's figure; empty while it has no runs."""
        return f"{self.question.name}--{result.claim.id}" if result.run else ""

    def notes(self, result: ClaimResult) -> list[Text]:
        """Rates not tuned, or tuned at the end of their grid, on the claim's grids; looks that are outstanding; nets trained again."""
        grids = grids_of(result.claim)
        expanded = self.results.expansion.notes
        found = [f"{grid}: {note}" for grid, notes in expanded.items() if grid in grids for note in notes]
        notes = [Text(note, note) for note in found]
        if waiting := sum(setting.outstanding for setting in result.settings):
            notes.append(
                Text(
                    f"{waiting} settings wait for the runs of their next look",
                    f"{waiting} 設定は次の回の学習を待っている",
                )
            )
        if again := self._trained_again(result):
            notes.append(
                Text(
                    f"{again} nets were trained again to be asked this, and ended in other weights than those of their records",
                    f"{again} 個のネットは、この測定のために学習し直したところ、記録とは異なる重みになった",
                )
            )
        return notes

    def _trained_again(self, result: ClaimResult) -> int:
        """How many nets that a claim reads evaluations of ended in other weights than those of their records."""
        readings = [check(name) for name in result.claim.readings(self.results.scale)]
        asked = {(r.each if isinstance(r, OverRuns) else r).evaluation for r in readings}
        keys = {key for setting in result.settings for part in setting.parts for key in part.effects.keys}
        store = self.results.store
        return sum(
            any(OF_OTHER_WEIGHTS in (store.evaluation(key, name) or {}) for name in asked if name) for key in keys
        )


def evaluate(questions: Sequence[Question], scale: str, store: Store, lock: Lock) -> list[Section]:
    """Evaluate and judge every claim at a scale."""
    store.refresh()
    composer = Composer()
    noted = registered(store.root)
    sections = []
    for question in questions:
        if scale not in question.design.scales:
            continue
        results = Results.load(question.design, question.claims, scale, store, composer)
        for result in results.judged:
            now = claim_hash(result.claim, question.design, scale)
            result.locked = lock.get(result.claim.id, {}).get(scale) == now
            result.changed_after_first_run = noted.get(result.claim.id, now) != now or second_look_changed(
                noted, question.design, scale
            )
        runs = len({p.run_key for p in results.expansion.planned if p.run_key in store})
        found = question.published(results) if runs else {}
        published = {name: each for name, each in found.items() if len(each.table)}
        section = Section(question, results, results.judged, published=published, runs=runs)
        if runs or not section.old:
            sections.append(section)
    add_q_values([result for section in sections for result in section.claims])
    return sections


def verdicts_of(sections: list[Section]) -> pd.DataFrame:
    """verdicts.csv."""
    rows = []
    for section in sections:
        for result in section.claims:
            name = section.figure_name(result)
            rows += [
                row | {"edition": section.question.design.edition}
                for row in verdict_rows(result, section.question.name, f"figures/{name}.png" if name else "")
            ]
    return verdict_table(rows)


def overview(sections: list[Section]) -> list[Block]:
    """The title of every question and the verdicts of its claims."""
    return [Block(s.question.design.title, {r.claim.id: r.verdict.word for r in s.claims}, s.old) for s in sections]
