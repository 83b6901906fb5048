"""Two looks: what the first seeds leave open is looked at again with more of them, and all p-values pay for it."""

from collections.abc import Mapping, Sequence

from normlab.core.claim import Claim
from normlab.core.design import Design
from normlab.core.effects import CellReader
from normlab.core.verdict import ClaimResult, SeedsOf, SettingResult, evaluate_claim, evaluate_parts, judge
from normlab.core.word import Word
from normlab.runs.store import Store
from normlab.sweeps.expand import Expander, Expansion, Place, Planned
from normlab.tasks import check_readings
from normlab.verdicts.cells import StoreNumbers, cell_rows


def expand_and_judge(expander: Expander, claims: Sequence[Claim]) -> tuple[Expansion, list[ClaimResult]]:
    """All runs of an experiment and the verdicts on those of its claims that runs decide.

    Once every run on the reporting seeds is there, each setting that comes out inconclusive gets the seeds of the second
    look; which ones do follows from the runs alone. With two looks planned, every p-value of the experiment counts
    double at either of them (Bonferroni), so a claim's error rate is at most the nominal one whenever it is settled.
    """
    design, scale, store = expander.design, expander.scale_name, expander.store
    seeds = design.at(scale).seeds
    for claim in claims:
        check_readings(claim.readings(), design.tasks(scale), f"claim {claim.id}")
    tested = [claim for claim in claims if claim.kind != "exact"]
    constants = {name: setting.constants for name, setting in design.at(scale).settings.items()}
    while True:
        expansion = expander.expand()
        reader = CellReader(cell_rows(expansion, store), StoreNumbers(store))
        looks = 2 if seeds.second_look else 1
        results = [evaluate_claim(claim, scale, reader, constants, _seeds(design, scale), looks) for claim in tested]
        judge(results)
        wanted: frozenset[Place] = frozenset()
        if looks == 2 and _first_look_done(expansion, store, seeds.second_look):
            wanted = _look_again(results, reader, constants, _seeds(design, scale, second_look=True))
        if wanted <= expander.second_look:
            for result in results:
                result.shown_besides = _look_besides(result.claim, reader, constants, design, scale)
            return expansion, results
        expander.second_look |= wanted


def _seeds(design: Design, scale: str, second_look: bool = False) -> SeedsOf:
    return lambda contrast: design.report_seeds(scale, contrast.plus.grid, second_look)


def _look_besides(
    claim: Claim, reader: CellReader, constants: Mapping[str, Mapping[str, float]], design: Design, scale: str
) -> list[SettingResult]:
    """What is shown with a claim and decides nothing: on all seeds where they are there, else on the first look's."""
    found = []
    for case in claim.shown_besides:
        for at in reader.settings(case.parts[0], case.by):
            setting = SettingResult(case, at, [])
            for second_look in (True, False):
                setting.parts = evaluate_parts(
                    claim, case.parts, at, reader, constants, _seeds(design, scale, second_look)
                )
                if setting.run:
                    break
            found.append(setting)
    return found


def _first_look_done(expansion: Expansion, store: Store, later: tuple[int, ...]) -> bool:
    """Whether every run, evaluation, timing and cost on the first seeds is there."""
    first = [plan for plan in (*expansion.planned, *expansion.costs) if plan.axes.get("seed") not in later]
    return not expansion.waiting and all(_measured(plan, store) for plan in first)


def _measured(plan: Planned, store: Store) -> bool:
    if store.is_missing(plan.run_key):
        return True  # and nothing more is to come of it
    evaluations = ["cost"] if plan.costs else [*plan.evaluate, *(["step_seconds"] if plan.timed else [])]
    present = plan.costs is not None or plan.run_key in store
    return present and all(store.evaluation(plan.run_key, name) is not None for name in evaluations)


def _look_again(
    results: list[ClaimResult],
    reader: CellReader,
    constants: Mapping[str, Mapping[str, float]],
    seeds: SeedsOf,
) -> frozenset[Place]:
    """Judge inconclusive settings on all seeds where those are there; the cells that second looks read.

    One setting's new p-values may move another's adjusted ones, so this goes on until no verdict asks for another look.
    """
    wanted: set[Place] = set()
    looked: list[SettingResult] = []
    while True:
        again = [
            (result, setting)
            for result in results
            for setting in result.settings
            if setting.verdict.word is Word.INCONCLUSIVE and not any(setting is s for s in looked)
        ]
        if not again:
            return frozenset(wanted)
        for result, setting in again:
            looked.append(setting)
            for part in setting.case.contrasts:
                for arm in part.arms:
                    wanted |= reader.places(arm, setting.at)
            parts, given = (
                evaluate_parts(result.claim, each, setting.at, reader, constants, seeds)
                for each in (setting.case.parts, setting.case.given)
            )
            if any(part.effects.missing for part in (*parts, *given)):
                setting.second_look_outstanding = True
            else:
                setting.parts, setting.given = parts, given
        judge(results)
