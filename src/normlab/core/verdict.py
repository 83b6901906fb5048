"""From claims and tables to verdicts, by the protocol."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from normlab.core.claim import Case, Claim, Contrast, Finding, Kind, Text
from normlab.core.effects import CellReader, Effects
from normlab.core.statistics import ALPHA, Test, benjamini_hochberg, decide, holm
from normlab.core.word import NOT_RUN, Reason, Verdict, Word, combine

SeedsOf = Callable[[Contrast], Sequence[int]]


@dataclass
class PartResult:
    """One contrast in one setting."""

    contrast: Contrast
    kind: Kind
    delta: float
    unit: str
    effects: Effects
    test: Test


@dataclass
class SettingResult:
    """One claim in one setting: all parts must hold.

    ``looks``: how often the setting may be looked at before its verdict; its p-values are multiplied by that number.
    ``given``: its conditions.
    """

    case: Case
    at: dict[str, Any]
    parts: list[PartResult]
    looks: int = 1
    given: list[PartResult] = field(default_factory=list)
    second_look_outstanding: bool = False
    verdict: Verdict = NOT_RUN
    p_adjusted: float = 1.0
    p_refute_adjusted: float = 1.0

    @property
    def run(self) -> bool:
        return bool(self.parts) and not any(part.effects.missing for part in (*self.parts, *self.given))

    @property
    def p_support(self) -> float:
        """Every part must be supported and every condition hold: the largest p."""
        return min(1.0, self.looks * max(p.test.p_support for p in (*self.parts, *self.given))) if self.run else 1.0

    @property
    def p_refute(self) -> float:
        """One refuted part refutes, if every condition holds: the smallest p of the parts, corrected for their number, or
        the largest of the conditions.
        """
        if not self.run:
            return 1.0
        parts = len(self.parts) * min(part.test.p_refute for part in self.parts)
        return min(1.0, self.looks * max(parts, *(part.test.p_support for part in self.given), 0.0))

    @property
    def conditions_hold(self) -> bool:
        """Whether every condition's estimate is as it must be; that it is established is part of the p-values."""
        return all(part.kind != "superiority" or part.test.estimate >= part.delta for part in self.given)

    @property
    def deciding(self) -> PartResult:
        """The part that the setting's row shows: the one that refutes, else the one that is hardest to support."""
        if self.verdict.word is Word.REFUTED:
            return min(self.parts, key=lambda part: part.test.p_refute)
        return max(self.parts, key=lambda part: (part.test.p_support, -part.test.estimate))

    def label(self, several_cases: bool) -> Text:
        """The setting's name."""
        where = " · ".join(_shown(axis, value) for axis, value in self.at.items())
        if not several_cases:
            return Text(where, where)
        return Text(*(" · ".join(filter(None, (where, name))) for name in (self.case.name.en, self.case.name.ja)))


AXES_SHOWN = {
    "net.depth": "depth {}",
    "data.batch_size": "batch {}",
    "optimizer.lr": "rate {}",
    "size": "batches of {}",
    "images": "{} images",
}


def _shown(axis: str, value: Any) -> str:
    if isinstance(value, float) and value.is_integer():  # a column with gaps holds whole numbers as floats
        value = int(value)
    return AXES_SHOWN.get(axis, "{}").format(value)


@dataclass
class ClaimResult:
    """A claim's verdict with everything behind it."""

    claim: Claim
    settings: list[SettingResult]
    finding: Finding | None = None
    shown_besides: list[SettingResult] = field(default_factory=list)
    verdict: Verdict = NOT_RUN
    p_adjusted: float = 1.0
    q: float = 1.0
    changed_after_first_run: bool = False
    locked: bool = True
    notes: list[str] = field(default_factory=list)

    @property
    def run(self) -> bool:
        """Whether any of its settings has all its runs."""
        return any(setting.run for setting in self.settings)

    @property
    def deciding(self) -> SettingResult | None:
        """The setting that a claim's row shows: of those that keep it from being supported, or of all where none does, the
        one that is hardest to support.
        """
        run = [setting for setting in self.settings if setting.run]
        wanted = Word.REFUTED if self.verdict.word is Word.CONDITIONAL else self.verdict.word
        told = [setting for setting in run if setting.verdict.word is wanted] or run
        return max(told, key=lambda setting: setting.p_support, default=None)

    @property
    def counts(self) -> dict[Word, int]:
        """How many settings have each word."""
        return dict(Counter(setting.verdict.word for setting in self.settings))

    @property
    def p_support(self) -> float:
        """Every setting must be supported for the claim to be: the largest p."""
        return max((s.p_support for s in self.settings), default=1.0)

    @property
    def p_refute(self) -> float:
        return max((s.p_refute for s in self.settings), default=1.0)


def check_exactly(claim: Claim) -> ClaimResult:
    """The verdict on an exact claim, by its computation."""
    assert claim.check is not None
    finding = claim.check()
    return ClaimResult(claim, [], finding, verdict=Verdict(Word.VERIFIED if finding.holds else Word.FALSIFIED))


def evaluate_claim(
    claim: Claim,
    scale: str,
    reader: CellReader,
    constants: Mapping[str, Mapping[str, float]],
    seeds: SeedsOf,
    looks: int = 1,
) -> ClaimResult:
    """The effects and tests of one claim at a scale; verdicts follow in :func:`judge`, which knows the other claims."""
    settings = []
    for case in claim.at(scale):
        for at in reader.settings(case.parts[0], case.by):
            parts, given = (
                evaluate_parts(claim, each, at, reader, constants, seeds) for each in (case.parts, case.given)
            )
            settings.append(SettingResult(case, at, parts, looks, given))
    return ClaimResult(claim, settings)


def evaluate_parts(
    claim: Claim,
    contrasts: Sequence[Contrast],
    at: Mapping[str, Any],
    reader: CellReader,
    constants: Mapping[str, Mapping[str, float]],
    seeds: SeedsOf,
) -> list[PartResult]:
    """Contrasts of one case in one setting, over the seeds that ``seeds`` says of each."""
    known = constants.get(str(at.get("setting")), {})
    parts = []
    for part in contrasts:
        delta = part.delta if part.delta is not None else claim.delta
        number = known[delta] if isinstance(delta, str) else delta
        effects = reader.effects(part, at, known, seeds(part))
        kind = part.kind or claim.kind
        test = decide(effects.array, kind, number, effects.step, part.test)
        parts.append(PartResult(part, kind, number, part.unit or claim.unit, effects, test))
    return parts


def judge(results: list[ClaimResult]) -> None:
    """Give the claims of one experiment their verdicts, Holm-adjusted among themselves; claims not run count as p = 1.

    A setting's p is adjusted as its claim's would be if the setting stood alone: it takes the claim's place among the
    other claims. A claim's own p is the largest of its settings', since all must agree.
    """
    family = [result for result in results if result.claim.kind != "exact"]
    support = [result.p_support for result in family]
    refute = [result.p_refute for result in family]
    for index, result in enumerate(family):
        result.p_adjusted = holm(support)[index]
        for setting in result.settings:
            setting.p_adjusted = holm([*support[:index], setting.p_support, *support[index + 1 :]])[index]
            setting.p_refute_adjusted = holm([*refute[:index], setting.p_refute, *refute[index + 1 :]])[index]
            setting.verdict = _setting_verdict(result.claim, setting)
        result.verdict = combine([setting.verdict for setting in result.settings])


def _setting_verdict(claim: Claim, setting: SettingResult) -> Verdict:
    if not setting.run:
        return NOT_RUN
    if not setting.conditions_hold:
        return Verdict(Word.INCONCLUSIVE)
    reaches = all(p.kind != "superiority" or p.test.estimate >= p.delta for p in setting.parts)
    if setting.p_adjusted < ALPHA and reaches:
        return Verdict(Word.SUPPORTED)
    if setting.p_refute_adjusted < ALPHA:
        small = claim.kind == "superiority" and setting.p_adjusted < ALPHA
        return Verdict(Word.REFUTED, Reason.TOO_SMALL if small else Reason.NONE)
    return Verdict(Word.INCONCLUSIVE)


def add_q_values(results: list[ClaimResult]) -> None:
    """Benjamini–Hochberg q over all claims of the report; it decides nothing."""
    family = [result for result in results if result.claim.kind != "exact"]
    for result, q in zip(family, benjamini_hochberg([r.p_support for r in family]), strict=True):
        result.q = q


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
    rows = []
    several = len(claim.cases) > 1
    for setting in result.settings:
        row = {
            **common,
            "setting": setting.label(several).en,
            "verdict": str(setting.verdict),
            "p": setting.p_support,
            "p_adjusted": setting.p_adjusted,
            "p_refute_adjusted": setting.p_refute_adjusted,
            "q": math.nan,
        }
        if setting.run:
            row |= _numbers(setting.deciding)
        rows.append(row)
    overall = {
        **common,
        "setting": "all",
        "verdict": str(result.verdict),
        "p": result.p_support,
        "q": result.q,
        "p_adjusted": result.p_adjusted,
        "p_refute_adjusted": math.nan,
    }
    if claim.kind == "exact":
        overall |= {"p": math.nan, "p_adjusted": math.nan, "q": math.nan}
    if result.deciding:
        overall |= _numbers(result.deciding.deciding)
    return [*rows, overall]


def _numbers(part: PartResult) -> dict[str, Any]:
    test = part.test
    return {
        "estimate": test.estimate,
        "unit": part.unit,
        "low": test.low,
        "high": test.high,
        "sesoi": part.delta,
        "n": test.n,
        "diverged": part.effects.diverged,
    }


COLUMNS = [
    "claim",
    "experiment",
    "article",
    "setting",
    "kind",
    "estimate",
    "unit",
    "low",
    "high",
    "p",
    "p_adjusted",
    "q",
    "sesoi",
    "n",
    "diverged",
    "verdict",
    "figure",
    "p_refute_adjusted",
]


def verdict_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """verdicts.csv."""
    return pd.DataFrame(rows).reindex(columns=COLUMNS)
