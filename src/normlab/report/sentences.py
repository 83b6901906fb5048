"""The verdict in a sentence, and what would have changed it, in English and Japanese."""

import math

from normlab.core.claim import Text
from normlab.core.trial import ClaimResult, PartResult, SettingResult
from normlab.core.verdict import NO_CONDITION, NO_INFORMATION
from normlab.core.word import Verdict, Word

WORDS_JA = {
    Word.SUPPORTED: "支持",
    Word.OPPOSED: "逆",
    Word.NEGLIGIBLE: "差は無視できる",
    Word.ABSENT: "認められない",
    Word.BORDERLINE: "境界上",
    Word.HOLDS: "成り立つ",
    Word.VERIFIED: "確認",
    Word.MOSTLY_HOLDS: "おおむね成り立つ",
    Word.DEPENDS: "条件による",
    Word.VARIES: "一定しない",
    Word.NO_DIFFERENCE: "違いはない",
    Word.CONTRADICTED: "反する",
    Word.FALSIFIED: "否定",
    Word.UNRESOLVED: "未解決",
    Word.NOT_RUN: "未実行",
}
REASONS_JA = {
    NO_INFORMATION: "情報なし:両方の条件が同じ学習",
    NO_CONDITION: "前提条件が確かめられていない",
}


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
    estimate, low, high = part.interval
    if not math.isfinite(low):
        return amount(estimate, part.unit)
    return f"{amount(estimate, part.unit)} [{amount(low, part.unit)}, {amount(high, part.unit)}]"


def verdict_text(verdict: Verdict, result: ClaimResult | None = None) -> Text:
    """A verdict in both languages; ``result`` knows what a claim depends on."""
    word = WORDS_JA[verdict.word]
    if verdict.word is Word.DEPENDS and result is not None and result.moderated is not None:
        return Text(str(verdict), f"{result.moderated.moderator.name.ja}による")
    return Text(str(verdict), f"{word}({REASONS_JA.get(verdict.reason, verdict.reason)})" if verdict.reason else word)


def pooled(result: ClaimResult) -> Text | None:
    """What the settings together say of a further one like them, in units of δ."""
    found = result.pooled
    if found is None:
        return None
    numbers = f"{found.mean:+.1f} δ [{found.low:+.1f}, {found.high:+.1f}]".replace("-", "−")
    a_new_one = f"[{found.predict_low:+.1f}, {found.predict_high:+.1f}]".replace("-", "−")
    chances = [round(100 * p) for p in (found.pr_support, found.pr_negligible, found.pr_opposed)]
    return Text(
        f"over settings like these {numbers}; in a further one {a_new_one}, with {chances[0]} % more than δ, {chances[1]} % less than δ "
        f"either way, {chances[2]} % as much the other way",
        f"同様の設定全体では {numbers}。新しい設定では {a_new_one}:δ を超える確率 {chances[0]} %、±δ 以内 {chances[1]} %、"
        f"逆向きに δ を超える確率 {chances[2]} %",
    )


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
    part, word = setting.deciding, setting.verdict.word
    if not math.isfinite(part.half_width):
        return Text("more seeds", "シードの追加")

    def show(value: float) -> str:
        return amount(value, part.unit)

    if word is Word.SUPPORTED:
        edge = {"superiority": 0.0, "noninferiority": -part.delta, "equivalence": part.delta}[part.kind]
        return Text(f"an interval that reaches {show(edge)}", f"区間が {show(edge)} に達すること")
    if word is Word.OPPOSED:
        return Text(f"an interval that reaches {show(0.0)}", f"区間が {show(0.0)} に達すること")
    if word in (Word.NEGLIGIBLE, Word.ABSENT):
        return Text(f"an interval that reaches {show(part.delta)}", f"区間が {show(part.delta)} に達すること")
    half = part.half_width
    wide = f"×/÷{math.exp(half):.2f}" if part.unit == "ratio" else f"±{show(half).lstrip('+')}"
    seeds = part.seeds_needed
    if word is Word.BORDERLINE or not math.isfinite(seeds):
        return Text(
            f"nothing that more seeds could tell: the effect lies at the edge of what matters (interval {wide})",
            f"シードを増やしても変わらない:効果が意味の境界にある(区間 {wide})",
        )
    return Text(
        f"about {seeds:.0f} seeds, which would make the interval (now {wide}) half of δ wide on either side",
        f"約 {seeds:.0f} シード(区間 {wide} が片側 δ の半分になる)",
    )
