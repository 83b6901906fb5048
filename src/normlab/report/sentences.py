"""The verdict in a sentence, and what would have changed it, in English and Japanese."""

import math

from normlab.core.claim import Text
from normlab.core.statistics import ALPHA
from normlab.core.verdict import ClaimResult, PartResult, SettingResult
from normlab.core.word import Reason, Verdict, Word

WORDS_JA = {
    Word.SUPPORTED: "支持",
    Word.VERIFIED: "確認",
    Word.REFUTED: "反証",
    Word.FALSIFIED: "否定",
    Word.CONDITIONAL: "条件による",
    Word.INCONCLUSIVE: "判定できず",
    Word.NOT_RUN: "未実行",
}
REASONS_JA = {Reason.TOO_SMALL: "実在するが小さすぎる"}


def amount(value: float, unit: str) -> str:
    """θ for readers: +2.3 points, ×1.4, 0.12."""
    if not math.isfinite(value):
        return "–"
    shown = {"points": f"{100 * value:+.1f}", "ratio": f"×{math.exp(value):.2f}", "number": f"{value:+.2f}"}[unit]
    return shown.replace("-", "−")


def unit_name(unit: str) -> Text:
    return {"points": Text(" points", "ポイント")}.get(unit, Text("", ""))


def probability(p: float) -> str:
    """A p-value for readers."""
    return "–" if not math.isfinite(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def interval(part: PartResult) -> str:
    """The effect with its 95 % interval."""
    test = part.test
    if not math.isfinite(test.low):
        return amount(test.estimate, part.unit)
    return f"{amount(test.estimate, part.unit)} [{amount(test.low, part.unit)}, {amount(test.high, part.unit)}]"


def verdict_ja(verdict: Verdict) -> str:
    """A verdict in Japanese."""
    word = WORDS_JA[verdict.word]
    return f"{word}({REASONS_JA[verdict.reason]})" if verdict.reason else word


def summary(result: ClaimResult) -> Text:
    """The verdict in one sentence."""
    if result.finding is not None:
        en = (
            "The computation agrees with the statement."
            if result.finding.holds
            else "The computation contradicts the statement."
        )
        return Text(en, "計算は主張と一致する。" if result.finding.holds else "計算は主張と食い違う。")
    shown = result.deciding
    if shown is None or result.verdict.word is Word.NOT_RUN:
        missing = sum(part.effects.missing for s in result.settings for part in s.parts)
        return Text(f"Not decided: {missing} cells have no run yet.", f"未判定:{missing} 個のセルが未実行。")
    part = shown.deciding
    effect, unit = shown_effect(result), unit_name(part.unit)
    en, ja = f"{effect.en}: {interval(part)}{unit.en}", f"{effect.ja}:{interval(part)}{unit.ja}"
    if len(result.settings) > 1:
        told = settings_by_verdict(result)
        en = f"Of {len(result.settings)} settings: {told.en}. Deciding: {en}"
        ja = f"{len(result.settings)} 設定のうち {told.ja}。決め手は {ja}"
    return Text(f"{en}.", f"{ja}。")


def settings_by_verdict(result: ClaimResult) -> Text:
    """How many settings have each verdict."""
    counts = result.counts.items()
    return Text(
        ", ".join(f"{n} {word}" for word, n in counts),
        "、".join(f"{WORDS_JA[word]} {n}" for word, n in counts),
    )


def shown_effect(result: ClaimResult) -> Text:
    """Which effect a claim's row shows: the setting, where there are several, and the contrast."""
    setting = result.deciding
    if setting is None:
        return Text("", "")
    label, name = setting.label(several_cases=len(result.claim.cases) > 1), setting.deciding.contrast.name
    if len(result.settings) == 1:
        return name
    return Text(f"{label.en}, {name.en}", f"{label.ja}、{name.ja}")


def what_would_change(setting: SettingResult) -> Text:
    """What estimate the setting's deciding part would have needed, its spread and number of seeds being as they are."""
    part = setting.deciding
    test, delta = part.test, part.delta
    if not math.isfinite(test.low):
        return Text("more seeds", "シードの追加")
    half = (test.high - test.low) / 2
    wide = f"×/÷{math.exp(half):.2f}" if part.unit == "ratio" else f"±{amount(half, part.unit).lstrip('+')}"

    def show(value: float) -> str:
        return amount(value, part.unit)

    bounds = {
        "superiority": (show(delta), show(delta)),
        "noninferiority": (show(-delta), show(-delta)),
        "equivalence": (f"{show(-delta)} … {show(delta)}",) * 2,
    }[part.kind]
    if setting.verdict.word is Word.SUPPORTED:
        support = show(0.0) if part.kind == "superiority" else bounds[0]
        return Text(f"an interval that reaches {support}", f"区間が {support} に達すること")
    if setting.verdict.word is Word.REFUTED:
        return Text(f"an interval that reaches {bounds[1]}", f"区間が {bounds[1]} に達すること")
    beyond = {
        "superiority": Text(f"beyond {show(delta)}", f"{show(delta)} を超える"),
        "noninferiority": Text(f"above {show(-delta)}", f"{show(-delta)} を上回る"),
        "equivalence": Text(f"well within {bounds[0]}", f"{bounds[0]} に収まる"),
    }[part.kind]
    return Text(
        f"a narrower interval (now {wide}) or an effect clearly {beyond.en}; adjusted p must fall below {ALPHA:g}",
        f"区間(現在 {wide})が狭まるか、効果が明確に {beyond.ja}こと。補正後 p < {ALPHA:g} が必要",
    )
