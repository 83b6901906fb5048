"""Looks: what the first seeds leave open is looked at again with more of them, and every look is paid for."""

from collections.abc import Mapping, Sequence
from typing import Any

from normlab.core.claim import Claim, Contrast
from normlab.core.design import Design
from normlab.core.effects import CellReader
from normlab.core.looks import Looks
from normlab.core.reading import Runs
from normlab.core.trial import ClaimResult, SettingResult
from normlab.core.verdict import LooksOf, evaluate_claim, judge, look, take_looks
from normlab.sweeps.expand import Expander
from normlab.sweeps.planned import Expansion, Place, Planned
from normlab.tasks import check_readings
from normlab.verdicts.cells import StoreNumbers, cell_rows

LAST = 99  # of any setting's looks


def expand_and_judge(expander: Expander, claims: Sequence[Claim]) -> tuple[Expansion, list[ClaimResult]]:
    """All runs of an experiment and the verdicts on those of its claims that runs decide.

    Once every run of a look is there, each setting without a word that is not precise enough to go without goes on to the seeds of its next
    look; which ones do follows from the runs alone.
    """
    design, scale, store = expander.design, expander.scale_name, expander.store
    for claim in claims:
        check_readings(claim.readings(scale), design.tasks(scale), f"claim {claim.id}")
    tested = [claim for claim in claims if claim.kind != "exact"]
    settings = design.at(scale).settings
    constants = {name: setting.constants for name, setting in settings.items()}
    families = {name: setting.family for name, setting in settings.items()}
    titles = {name: setting.title for name, setting in settings.items()}
    looks = _looks(design, scale)
    if design.edition == 1:
        expander.looks = dict.fromkeys(_places(expander), LAST)
    while True:
        expansion = expander.expand()
        if design.edition == 1:  # Its runs are shown, not made again: no further ones are asked for.
            expansion.planned = [plan for plan in expansion.planned if plan.run_key in store]
            expansion.waiting = 0
        reader = CellReader(cell_rows(expansion, store), StoreNumbers(store))
        results = [evaluate_claim(claim, scale, reader, constants, looks, families, titles) for claim in tested]
        judge(results)
        wanted = _go_on(results, reader, constants, looks) if _finished(expander, expansion, store) else {}
        if all(expander.looks.get(place, 1) >= number for place, number in wanted.items()):
            for result in results:
                result.shown_besides = _look_besides(result.claim, reader, constants, looks, titles)
            return expansion, results
        for place, number in wanted.items():
            expander.looks[place] = max(number, expander.looks.get(place, 1))


def _looks(design: Design, scale: str) -> LooksOf:
    def of(contrast: Contrast, at: Mapping[str, Any]) -> Looks:
        return design.looks(scale, contrast.plus.grid, str(at["setting"]))

    return of


def _look_besides(
    claim: Claim,
    reader: CellReader,
    constants: Mapping[str, Mapping[str, float]],
    looks: LooksOf,
    titles: Mapping[str, str],
) -> list[SettingResult]:
    """What is shown with a claim and decides nothing: on the seeds of the last look that is there."""
    found = []
    for case in claim.shown_besides:
        for at in reader.settings(case):
            place = SettingResult(case, at, [], title=titles.get(str(at.get("setting")), ""))
            setting = look(claim, place, 1, reader, constants, looks)
            for number in range(2, len(looks(case.parts[0], at)) + 1):
                setting = look(claim, setting, number, reader, constants, looks)
            found.append(setting)
    return found


def _places(expander: Expander) -> set[Place]:
    """All cells of an experiment."""
    return {(plan.grid, plan.cell) for plan in expander.expand().planned if plan.grid is not None}


def _finished(expander: Expander, expansion: Expansion, store: Runs) -> bool:
    """Whether every run, evaluation, timing and cost of the first look is there."""
    design, scale = expander.design, expander.scale_name

    def first(plan: Planned) -> bool:
        if plan.role != "report" or plan.grid is None:
            return True
        return plan.axes["seed"] in design.looks(scale, plan.grid, str(plan.axes["setting"])).upto(1)

    plans = [plan for plan in (*expansion.planned, *expansion.costs) if first(plan)]
    return not expansion.waiting and all(_measured(plan, store) for plan in plans)


def _measured(plan: Planned, store: Runs) -> bool:
    if store.is_missing(plan.run_key):
        return True  # and nothing more is to come of it
    evaluations = ["cost"] if plan.costs else [*plan.evaluate, *(["step_seconds"] if plan.timed else [])]
    present = plan.costs is not None or plan.run_key in store
    return present and all(store.evaluation(plan.run_key, name) is not None for name in evaluations)


def _go_on(
    results: list[ClaimResult], reader: CellReader, constants: Mapping[str, Mapping[str, float]], looks: LooksOf
) -> dict[Place, int]:
    """Judge the settings that go on at their next looks where those runs are there; the cells wanted, and at which look."""
    wanted: dict[Place, int] = {}

    def further(result: ClaimResult, setting: SettingResult, number: int) -> SettingResult:
        for part in setting.case.contrasts:
            for arm in part.arms:
                cells = reader.places(arm, setting.case.place(setting.at))
                wanted.update({cell: max(number, wanted.get(cell, 1)) for cell in cells})
        return look(result.claim, setting, number, reader, constants, looks)

    take_looks(results, further)
    return wanted
