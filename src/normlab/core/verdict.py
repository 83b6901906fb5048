"""From claims and tables to verdicts, by the protocol."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from normlab.core.claim import Claim, Contrast, Finding
from normlab.core.effects import CellReader
from normlab.core.looks import Looks
from normlab.core.moderation import BED, p_moderator
from normlab.core.pooled import Pooled, pool
from normlab.core.statistics import ALPHA, benjamini_hochberg, holm
from normlab.core.trial import ClaimResult, Moderated, PartResult, SettingResult
from normlab.core.word import DECIDED, NOT_RUN, NOT_SO, TESTED, Verdict, Word

LooksOf = Callable[[Contrast, Mapping[str, Any]], Looks]
SURE = 0.95  # of a further setting, for what is said of all
SETTINGS, BEDS = 4, 2  # at least, for a pooled effect to decide

NO_INFORMATION = "no information: both arms are the same runs"
NO_CONDITION = "its condition is not established"


def found_exactly(claim: Claim, finding: Finding) -> ClaimResult:
    """The verdict on an exact claim, by what its computation found."""
    return ClaimResult(claim, [], finding, verdict=Verdict(Word.VERIFIED if finding.holds else Word.FALSIFIED))


def evaluate_claim(
    claim: Claim,
    scale: str,
    reader: CellReader,
    constants: Mapping[str, Mapping[str, float]],
    looks: LooksOf,
    families: Mapping[str, str] | None = None,
    titles: Mapping[str, str] | None = None,
) -> ClaimResult:
    """The effects of one claim at its settings' first looks; verdicts follow in :func:`judge`, which knows the other claims."""
    settings = []
    for case in claim.at(scale):
        for place in reader.settings(case):
            at = {**place, **(case.at or {})}
            bed = str(place.get(BED))
            family, title = (known.get(bed, "") if known else "" for known in (families, titles))
            setting = SettingResult(case, at, [], family=family, title=title)
            settings.append(look(claim, setting, 1, reader, constants, looks))
    return ClaimResult(claim, settings)


def look(
    claim: Claim,
    setting: SettingResult,
    number: int,
    reader: CellReader,
    constants: Mapping[str, Mapping[str, float]],
    looks: LooksOf,
) -> SettingResult:
    """A setting at its look of that number; itself where a run of that look is not there yet, but for the first."""
    place = setting.case.place(setting.at)
    known = constants.get(str(place.get(BED)), {})

    def parts(contrasts: Sequence[Contrast]) -> list[PartResult]:
        found = []
        for part in contrasts:
            delta = part.delta if part.delta is not None else claim.delta
            of_part = looks(part, place)
            at_most = min(number, len(of_part))
            effects = reader.effects(part, place, known, of_part.upto(at_most))
            number_or_name = known[delta] if isinstance(delta, str) else delta
            found.append(
                PartResult(
                    part, part.kind or claim.kind, number_or_name, part.unit or claim.unit, effects, of_part, at_most
                )
            )
        return found

    new = replace(setting, parts=parts(setting.case.parts), given=parts(setting.case.given), outstanding=False)
    if number > 1 and not new.run:
        setting.outstanding = True
        return setting
    return new


# From p-values to the words of settings


def judge(results: Sequence[ClaimResult]) -> None:
    """Give the claims of one experiment and their settings their words, with Holm's correction over claims and settings.

    For a claim to hold in every setting it counts with its largest p, and all its settings stand or fall together. For any other word it
    counts with its smallest p times the number of its settings, and within it Holm's correction goes on over its settings. Settings
    of a family of their own are corrected among themselves. Claims not run count as p = 1.
    """
    tested = [result for result in results if result.claim.kind != "exact"]
    families = dict.fromkeys(s.family for r in tested for s in r.settings)
    for family in families:
        _adjust(tested, family)
    for result in tested:
        for setting in result.settings:
            setting.verdict = setting_verdict(setting)
        result.p_adjusted = _p_of_claim(result)
        result.pooled = pooled_effect(result)
        result.moderated = _moderated(result, tested)
        result.verdict = claim_verdict(result)


def _adjust(tested: Sequence[ClaimResult], family: str) -> None:
    """Adjust the p-values of a family's settings for all that is asked there."""
    own = [[setting for setting in result.settings if setting.family == family] for result in tested]
    present = [place for place, settings in enumerate(own) if settings or not tested[place].settings]
    for word in TESTED:
        within = [holm([setting.p(word) for setting in own[place]]) for place in present]
        smallest = [min(found, default=1.0) for found in within]
        for index, place in enumerate(present):
            for setting, p in zip(own[place], within[index], strict=True):
                setting.p_adjusted[word] = _in_place(smallest, index, p)
    everywhere = [max((s.p(Word.SUPPORTED) for s in own[place]), default=1.0) for place in present]
    for index, place in enumerate(present):
        if tested[place].claim.quantifier == "every":
            p = _in_place(everywhere, index, everywhere[index])
            for setting in own[place]:
                setting.p_adjusted[Word.SUPPORTED] = min(setting.p_adjusted[Word.SUPPORTED], p)


def _in_place(others: Sequence[float], index: int, p: float) -> float:
    """Holm's adjustment of ``p`` in one place among the p-values of others."""
    return holm([*others[:index], p, *others[index + 1 :]])[index]


def _p_of_claim(result: ClaimResult) -> float:
    found = [setting.p_adjusted[Word.SUPPORTED] for setting in result.settings] or [1.0]
    return max(found) if result.claim.quantifier == "every" else min(found)


def setting_verdict(setting: SettingResult) -> Verdict:
    """The first word that a setting's adjusted p-values give; else whether more seeds could."""
    if not setting.run:
        return NOT_RUN
    if setting.same:
        return Verdict(Word.UNRESOLVED, NO_INFORMATION)
    if not setting.conditions_hold:
        return Verdict(Word.UNRESOLVED, NO_CONDITION)
    for word in (Word.OPPOSED, Word.NEGLIGIBLE, Word.ABSENT, Word.SUPPORTED):
        if setting.p_adjusted[word] <= ALPHA:
            return Verdict(word)
    return Verdict(Word.BORDERLINE if setting.precise and not setting.corrected_away else Word.UNRESOLVED)


def goes_on(setting: SettingResult) -> bool:
    """Whether a setting is to have another look: it has no word, or only that an effect as large as δ is absent, and more seeds could tell
    whether it is negligible.
    """
    return (
        (
            setting.verdict.word is Word.UNRESOLVED
            or (setting.verdict.word is Word.ABSENT and setting.could_be_negligible)
        )
        and setting.verdict.reason != NO_INFORMATION
        and not setting.last_look
        and not setting.outstanding
    )


Further = Callable[[ClaimResult, SettingResult, int], SettingResult]


def take_looks(results: Sequence[ClaimResult], further: Further) -> None:
    """Judge, and have the settings that go on judged at their next looks, as ``further`` gives them, until none does.

    One setting's new p-values may move another's adjusted ones, so all are judged again after every round.
    """
    judge(results)
    while True:
        again = [(r, place) for r in results for place, setting in enumerate(r.settings) if goes_on(setting)]
        if not again:
            return
        for result, place in again:
            setting = result.settings[place]
            result.settings[place] = further(result, setting, max(part.look for part in setting.parts) + 1)
        judge(results)


# From the words of settings to those of claims


def pooled_effect(result: ClaimResult) -> Pooled | None:
    """The effect over all settings that say something, of the weakest part where there are several."""
    return min((each for each in pooled_parts(result) if each), key=lambda pooled: pooled.mean, default=None)


def pooled_parts(result: ClaimResult) -> list[Pooled | None]:
    """The same of every part."""
    told = [
        s for s in result.settings if s.run and not s.same and s.conditions_hold and all(p.delta > 0 for p in s.parts)
    ]
    if len(told) < 2:
        return []
    parts = min(len(setting.parts) for setting in told)
    return [pool([setting.parts[part].as_effect for setting in told]) for part in range(parts)]


def _moderated(result: ClaimResult, tested: Sequence[ClaimResult]) -> Moderated | None:
    """The strongest registered moderator, its p-value adjusted for their number and in its claim's place among the others."""
    found = [(p_moderator(moderator, result.settings), moderator) for moderator in result.claim.moderators]
    if not found:
        return None
    p, moderator = min(found, key=lambda each: each[0])
    others = [
        min((len(r.settings) * setting.p(word) for setting in r.settings for word in TESTED), default=1.0)
        for r in tested
    ]
    adjusted = _in_place([min(1.0, each) for each in others], list(tested).index(result), min(1.0, len(found) * p))
    return Moderated(moderator, p, adjusted)


def claim_verdict(result: ClaimResult) -> Verdict:
    """The first word that the settings' words and the pooled effect give a claim."""
    words = [setting.verdict.word for setting in result.settings]
    told = set(words)
    if not words or Word.NOT_RUN in told:
        return NOT_RUN
    every, here, pooled = result.claim.quantifier == "every", Word.SUPPORTED in told, _Pooled(result)
    if told == {Word.SUPPORTED} or (here and not every):
        return Verdict(Word.HOLDS)
    if here and told & NOT_SO and result.moderated and result.moderated.p_adjusted <= 2 * ALPHA:
        return Verdict(Word.DEPENDS, result.moderated.moderator.name.en)
    if not here:
        if told == {Word.NEGLIGIBLE} or (pooled.negligible and Word.OPPOSED not in told):
            return Verdict(Word.NO_DIFFERENCE)
        if (told <= NOT_SO and (Word.OPPOSED in told or not every)) or (every and pooled.opposed):
            return Verdict(Word.CONTRADICTED)
        if told <= NOT_SO:
            return Verdict(Word.ABSENT)
    if pooled.supported and Word.OPPOSED not in told:
        return Verdict(Word.MOSTLY_HOLDS)
    if here and told & NOT_SO:
        return Verdict(Word.VARIES)
    return Verdict(Word.UNRESOLVED)


class _Pooled:
    """What a claim's pooled effect says, if it has settings and beds enough."""

    def __init__(self, result: ClaimResult) -> None:
        beds = {setting.at.get(BED) for setting in result.settings}
        enough = len(result.settings) >= SETTINGS and len(beds) >= BEDS
        self.pooled = result.pooled if enough else None
        self.kind = result.claim.kind

    @property
    def supported(self) -> bool:
        found = self.pooled
        if found is None:
            return False
        if self.kind == "equivalence":
            return found.low > -1 and found.high < 1 and found.pr_negligible >= SURE
        shift = 1.0 if self.kind == "noninferiority" else 0.0
        return found.low > -shift and found.mean >= 1.0 - shift and found.above(-shift) >= SURE

    @property
    def opposed(self) -> bool:
        found = self.pooled
        if found is None:
            return False
        down = found.high < 0 and found.mean <= -1 and found.above(0.0) <= 1 - SURE
        up = found.low > 0 and found.mean >= 1 and found.above(0.0) >= SURE
        return down or (up and self.kind == "equivalence")

    @property
    def negligible(self) -> bool:
        return self.pooled is not None and self.kind == "superiority" and self.pooled.pr_negligible >= SURE


def add_q_values(results: list[ClaimResult]) -> None:
    """Benjamini–Hochberg q over all claims of the report; it decides nothing."""
    family = [result for result in results if result.claim.kind != "exact"]
    for result, q in zip(family, benjamini_hochberg([r.p_support for r in family]), strict=True):
        result.q = q


# verdicts.csv


def verdict_rows(result: ClaimResult, experiment: str, figure: str) -> list[dict[str, Any]]:
    """The rows of verdicts.csv: one a setting, and one with setting ``all``."""
    claim = result.claim
    common = {
        "claim": claim.id,
        "experiment": experiment,
        "article": "; ".join(claim.sources),
        "kind": claim.kind,
        "figure": figure,
    }
    rows = [
        {
            **common,
            "setting": setting.label(len(claim.cases) > 1).en,
            "verdict": str(setting.verdict),
            "p": setting.p_tested,
            "p_adjusted": setting.p_adjusted[Word.SUPPORTED],
            "p_refute_adjusted": min(setting.p_adjusted[word] for word in NOT_SO),
            "q": math.nan,
            **(_numbers(setting.deciding) if setting.run else {}),
        }
        for setting in result.settings
    ]
    overall = {**common, "setting": "all", "verdict": str(result.verdict), "p_refute_adjusted": math.nan}
    if claim.kind != "exact":
        overall |= {"p": result.p_support, "p_adjusted": result.p_adjusted, "q": result.q}
    if result.deciding:
        overall |= _numbers(result.deciding.deciding)
    if result.pooled:
        overall |= _of_pooled(result.pooled)
    if result.moderated:
        overall |= {"moderator": result.moderated.moderator.name.en, "p_moderator": result.moderated.p}
    if result.verdict.word not in DECIDED:
        overall |= {"seeds_needed": result.seeds_needed}
    return [*rows, overall]


def _numbers(part: PartResult) -> dict[str, Any]:
    estimate, low, high = part.interval
    return {
        "estimate": estimate,
        "unit": part.unit,
        "low": low,
        "high": high,
        "sesoi": part.delta,
        "n": part.n,
        "diverged": part.effects.diverged,
    }


def _of_pooled(pooled: Pooled) -> dict[str, float]:
    """In units of δ."""
    return {
        "pooled": pooled.mean,
        "pooled_low": pooled.low,
        "pooled_high": pooled.high,
        "predict_low": pooled.predict_low,
        "predict_high": pooled.predict_high,
        "tau": pooled.tau,
        "pr_support": pooled.pr_support,
        "pr_negligible": pooled.pr_negligible,
        "pr_opposed": pooled.pr_opposed,
    }


COLUMNS = [
    *("claim", "experiment", "article", "setting", "kind", "estimate", "unit", "low", "high", "p", "p_adjusted", "q"),
    *("sesoi", "n", "diverged", "verdict", "figure", "p_refute_adjusted"),
    *("pooled", "pooled_low", "pooled_high", "predict_low", "predict_high", "tau"),
    *("pr_support", "pr_negligible", "pr_opposed", "moderator", "p_moderator", "seeds_needed", "edition"),
]


def verdict_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """verdicts.csv."""
    return pd.DataFrame(rows).reindex(columns=COLUMNS)
