"""A verdict as an answer: in words, and where the claim holds and where it does not."""

from collections import Counter
from collections.abc import Mapping

from normlab.core.trial import ClaimResult, SettingResult
from normlab.core.word import NOT_SO, Word
from normlab.report import sentences
from normlab.site.language import Language

FEW = 3  # settings that are named one by one
Japanese = Mapping[str, str]


def answer(result: ClaimResult, language: Language, japanese: Japanese) -> str:
    """A verdict in a sentence or two."""
    word = result.verdict.word
    held = places(result, {Word.SUPPORTED}, language, japanese)
    failed = places(result, NOT_SO, language, japanese)
    several = len(result.settings) > 1
    whole = language("everywhere that it was tried", "試した全ての設定で") if several else held
    said = {
        Word.VERIFIED: language("True, by computation.", "正しい(計算で確認)。"),
        Word.FALSIFIED: language("Not so, by computation.", "正しくない(計算で否定)。"),
        Word.NOT_RUN: language("Not decided: its runs are not there.", "未判定:学習がまだない。"),
        Word.HOLDS: language(f"Yes, {whole}.", f"成り立つ:{whole}。"),
        Word.MOSTLY_HOLDS: language(
            f"Mostly: {held}; nowhere the other way.", f"おおむね成り立つ:{held}。逆の設定はない。"
        ),
        Word.VARIES: language(f"Now and then: yes {held}; no {failed}.", f"一定しない:成り立つのは{held}、成り立たないのは{failed}。"),
        Word.NO_DIFFERENCE: language("It makes no difference that matters.", "意味のある違いはない。"),
        Word.ABSENT: language("No: nowhere large enough to matter.", "認められない:意味のある大きさの効果はどの設定にもない。"),
        Word.CONTRADICTED: language(f"No, {failed}.", f"成り立たない:{failed}。"),
    }  # fmt: skip
    if word is Word.DEPENDS:
        on = result.moderated.moderator.name if result.moderated else None
        what = language.of(on) if on else language("the setting", "設定")
        yes, no = language(f"yes {held}", f"成り立つのは{held}"), language(f"no {failed}", f"成り立たないのは{failed}")
        return language(f"It depends on {what}: {yes}; {no}.", f"{what}による:{yes}、{no}。")
    if word is Word.CONTRADICTED and result.claim.quantifier == "some" and not failed:
        return language("No: nowhere that it was tried.", "成り立たない:どの設定でも。")
    return said.get(word) or _undecided(result, language, japanese)


def _undecided(result: ClaimResult, language: Language, japanese: Japanese) -> str:
    """Which settings are open, and which way what is known leans."""
    open_ones = {Word.UNRESOLVED, Word.BORDERLINE}
    held, left = (places(result, words, language, japanese) for words in ({Word.SUPPORTED}, open_ones))
    failed = places(result, NOT_SO, language, japanese)
    told = [
        language(f"yes {held}", f"成り立つのは{held}") if held else "",
        language(f"no {failed}", f"成り立たないのは{failed}") if failed else "",
        language(f"open {left}", f"未定は{left}") if left else "",
    ]
    return language("Not decided: ", "未判定:") + language("; ", "、").join(filter(None, told)) + language(".", "。")


def places(
    result: ClaimResult, words: set[Word] | frozenset[Word], language: Language, japanese: Japanese
) -> str:  # fmt: skip
    """The settings that have one of these words: by name if they are few, else how many of each data set's."""
    own = [setting for setting in result.settings if setting.verdict.word in words]
    if not own:
        return ""
    if len(own) == len(result.settings) > FEW:
        return language("in all settings", "全ての設定")
    beds = Counter(_bed(s) for s in result.settings)
    counts = Counter(_bed(s) for s in own)
    if all(counts[bed] == beds[bed] for bed in counts) and "" not in counts:
        return language("on ", "") + language.listed([language(bed, japanese.get(bed, bed)) for bed in counts])
    if len(own) <= FEW:
        several = len(result.claim.cases) > 1
        names = [language.of(setting.label(several, japanese)) for setting in own]
        return language("in ", "") + language("; ", "、").join(names)
    told = [
        language(f"{n} of {beds[bed]} settings of {bed}", f"{japanese.get(bed, bed)} の {beds[bed]} 設定中 {n}")
        for bed, n in counts.items()
    ]
    return language("in ", "") + language(" and ", "、").join(told)


def _bed(setting: SettingResult) -> str:
    return setting.title or str(setting.at.get("setting", ""))


def extremes(result: ClaimResult) -> tuple[SettingResult, SettingResult] | None:
    """Its strongest and its weakest setting, where there are several: by the effect of the part that decides in units of δ."""
    run = [setting for setting in result.settings if setting.run and setting.deciding.n]
    if len(run) < 2:
        return None
    ordered = sorted(run, key=lambda s: s.deciding.estimate / (s.deciding.delta or 1.0))
    return ordered[-1], ordered[0]


def told(setting: SettingResult, result: ClaimResult, language: Language, japanese: Japanese) -> str:
    """A setting with its effect."""
    part = setting.deciding
    label = language.of(setting.label(len(result.claim.cases) > 1, japanese))
    effect = sentences.interval(part) + language.of(sentences.unit_name(part.unit))
    return language(
        f"{label}: {effect} ({setting.verdict.word})", f"{label}:{effect}({language.word(setting.verdict.word)})"
    )


def notable(results: list[ClaimResult], count: int) -> list[ClaimResult]:
    """The findings to begin with: decided claims that the articles make most often, then those whose effects are the largest against δ,
    words taking turns.
    """
    ranked = sorted(
        (r for r in results if r.deciding and r.verdict.word in RANKS),
        key=lambda r: (RANKS[r.verdict.word], -len(r.claim.sources), -_weight(r)),
    )
    by_word: dict[Word, list[ClaimResult]] = {}
    for result in ranked:
        by_word.setdefault(result.verdict.word, []).append(result)
    found: list[ClaimResult] = []
    while len(found) < count and any(by_word.values()):
        for own in by_word.values():
            if own and len(found) < count:
                found.append(own.pop(0))
    return found


RANKS = {
    word: rank
    for rank, word in enumerate(
        (
            Word.CONTRADICTED, Word.HOLDS, Word.DEPENDS, Word.NO_DIFFERENCE, Word.MOSTLY_HOLDS, Word.VARIES, Word.UNRESOLVED,
        )
    )
}  # fmt: skip


def _weight(result: ClaimResult) -> float:
    part = result.deciding.deciding if result.deciding else None
    return abs(part.estimate / part.delta) if part and part.delta else 0.0
