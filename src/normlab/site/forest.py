"""A forest as a page draws it: rows of text beside strips whose marks stand at percentages, so that it fits any width in any language."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from matplotlib.ticker import MaxNLocator

from normlab.core.statistics import ALPHA
from normlab.core.trial import ClaimResult, PartResult, SettingResult
from normlab.core.word import TESTED, Word
from normlab.report import sentences
from normlab.site.language import Language

MARGIN = 3.0  # per cent of a strip kept free at either end
RATIO_TICKS = (0.1, 0.2, 0.33, 0.5, 0.67, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1e3, 1e4)
FOLDED = 12  # rows beyond which only the strongest and the weakest are open
ENDS = 3  # of them, at either end
Untrained = Callable[[SettingResult], bool]


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis, in per cent of its length."""

    at: float
    text: str


@dataclass(frozen=True)
class Strip:
    """A row: what it is of, its word, its number as text, and in per cent of the axis its estimate, interval, seeds and zone.

    ``marks``, where a row sums up several settings: where each of them stands, and its word.
    """

    label: str
    part: str
    word: Word
    effect: str
    n: int
    at: float
    low: float
    high: float
    seeds: Sequence[float]
    zone: tuple[float, float]
    untrained: bool = False
    marks: Sequence[tuple[float, Word]] = ()

    @property
    def path(self) -> str:
        """Its seeds as small strokes, on an axis of 1000."""
        return "".join(f"M{10 * x:.0f} 0V1" for x in self.seeds)


@dataclass(frozen=True)
class Panel:
    """Rows on one axis. ``zone`` says what the shaded part means, ``left`` and ``right`` what lies beyond."""

    axis: str
    ticks: Sequence[Tick]
    zero: float
    strips: Sequence[Strip]
    zone: str
    left: str
    right: str
    folded: Sequence[Strip] = field(default=())

    @property
    def words(self) -> list[Word]:
        """The words that its rows have, in the order of words."""
        found = {strip.word for strip in (*self.strips, *self.folded)}
        return [word for word in Word if word in found]


@dataclass(frozen=True)
class Axis:
    """From θ to per cent of an axis that holds ``low`` to ``high``."""

    low: float
    high: float
    unit: str

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(min(max(MARGIN + (100 - 2 * MARGIN) * share, 0.0), 100.0), 2)

    def ticks(self) -> list[Tick]:
        """Three or more, in readers' units."""
        if self.unit == "ratio":
            inside = [math.log(value) for value in RATIO_TICKS if self.low <= math.log(value) <= self.high]
            if len(inside) < 3:
                inside = [self.low + share * (self.high - self.low) for share in (0.1, 0.5, 0.9)]
            kept = inside[:: max(1, math.ceil(len(inside) / 6))]
            return [Tick(self(value), f"×{math.exp(value):.3g}") for value in kept]
        scale = 100.0 if self.unit == "points" else 1.0
        values = MaxNLocator(nbins=6, min_n_ticks=3, steps=[1, 2, 5, 10]).tick_values(
            scale * self.low, scale * self.high
        )
        digits = max(0, -math.floor(math.log10(values[1] - values[0])))
        inside = [value for value in values if scale * self.low <= value <= scale * self.high]
        return [Tick(self(value / scale), _signed(value, digits)) for value in inside]


EDGE = 8.0  # in δ: what lies beyond stands here
IN_DELTAS = Axis(-EDGE, EDGE, "number")


def _signed(value: float, digits: int) -> str:
    text = f"{value:+.{digits}f}".replace("-", "−")
    return "0" if abs(value) < 10**-9 else text


def axis_of(parts: Sequence[PartResult]) -> Axis:
    """An axis that holds the intervals of all parts, 0 and δ, and seeds unless they would take more than half of it: then they are at its
    ends.
    """
    unit = parts[0].unit
    values = [0.0]
    for part in parts:
        values += [value for value in part.interval if math.isfinite(value)]
        values += [part.delta] + ([-part.delta] if part.kind != "superiority" else [])
    low, high = min(values), max(values)
    seeds = [value for part in parts for value in part.effects.by_seed.values()]
    if max(high, *seeds, high) - min(low, *seeds, low) <= 2 * (high - low):
        low, high = min(low, *seeds, low), max(high, *seeds, high)
    spare = 0.06 * (high - low) or 1.0
    return Axis(low - spare, high + spare, unit)


def part_word(setting: SettingResult, part: PartResult) -> Word:
    """The word of one part: that of its setting where it has no other; of several, what its own tests give."""
    if len(setting.parts) == 1 or setting.verdict.word is Word.SUPPORTED:
        return setting.verdict.word
    return next((word for word in TESTED if part.p(word) <= ALPHA), Word.UNRESOLVED)


def panels(
    result: ClaimResult, language: Language, japanese: dict[str, str] | None = None, untrained: Untrained = lambda _: False
) -> list[Panel]:  # fmt: skip
    """The forest of a claim: a panel a unit and kind, the strongest rows first."""
    rows = [(s, p) for s in result.settings for p in s.parts if s.run and p.n]
    found = []
    for unit, kind in dict.fromkeys((part.unit, part.kind) for _, part in rows):
        own = [(s, p) for s, p in rows if (p.unit, p.kind) == (unit, kind)]
        axis = axis_of([part for _, part in own])
        own.sort(key=lambda row: -row[1].estimate / (row[1].delta or 1.0))
        strips = [_strip(s, p, axis, result, language, japanese or {}, untrained) for s, p in own]
        split = len(strips) > FOLDED
        shown = [*strips[:ENDS], *strips[-ENDS:]] if split else strips
        folded = strips[ENDS:-ENDS] if split else []
        left, zone, right = zones(kind, language)
        found.append(Panel(axis_title(unit, language), axis.ticks(), axis(0.0), shown, zone, left, right, folded))
    return found


def _strip(
    setting: SettingResult,
    part: PartResult,
    axis: Axis,
    result: ClaimResult,
    language: Language,
    japanese: dict[str, str],
    untrained: Untrained,
) -> Strip:
    estimate, low, high = part.interval
    zone_low = -part.delta if part.kind != "superiority" else 0.0
    zone_high = part.delta if part.kind != "noninferiority" else 0.0
    ends = (low, high) if math.isfinite(low) else (estimate, estimate)
    return Strip(
        label=language.of(setting.label(len(result.claim.cases) > 1, japanese)),
        part=language.of(part.contrast.name) if len(setting.parts) > 1 else "",
        word=part_word(setting, part),
        effect=sentences.interval(part),
        n=part.n,
        at=axis(estimate),
        low=axis(ends[0]),
        high=axis(ends[1]),
        seeds=[axis(value) for value in part.effects.by_seed.values()],
        zone=(axis(zone_low), axis(zone_high)),
        untrained=untrained(setting),
    )


def zones(kind: str, language: Language) -> tuple[str, str, str]:
    """What lies left of the shaded zone, in it, and right of it."""
    if kind == "noninferiority":
        return (
            language("worse by more than δ", "δ より大きく劣る"),
            language("worse, but by less than δ", "劣るが δ 未満"),
            language("not worse", "劣らない"),
        )
    if kind == "equivalence":
        return (
            language("smaller by more than δ", "δ より小さい"),
            language("equal to within δ", "±δ 以内で等しい"),
            language("larger by more than δ", "δ より大きい"),
        )
    return (
        language("the other way", "逆向き"),
        language("less than δ, too little to matter", "δ 未満で意味がない"),
        language("as claimed", "主張どおり"),
    )


def axis_title(unit: str, language: Language) -> str:
    """What the axis counts."""
    return {
        "points": language("percentage points", "パーセントポイント"),
        "ratio": language("ratio", "比"),
    }.get(unit, language("effect", "効果"))


def summary_panel(results: Sequence[ClaimResult], language: Language) -> Panel | None:
    """Claims on one axis, in units of each one's δ: all settings of each, or the interval of the only one."""
    strips = [strip for result in results if (strip := _summary(result, language))]
    if not strips:
        return None
    words = (
        language("the other way", "逆向き"),
        language("shaded: too little to matter", "網掛け:意味のない大きさ"),
        language("as claimed", "主張どおり"),
    )
    title = language(
        "effect in units of δ, the smallest that matters (8 δ and more at the edge), a mark a setting",
        "効果(意味のある最小の大きさ δ を単位とし、8 δ 以上は端に置く)、設定ごとに一つの印",
    )
    ticks = [
        Tick(IN_DELTAS(value), f"{value:+.0f} δ".replace("-", "−").replace("+0", "0")) for value in (-8, -4, 0, 4, 8)
    ]
    return Panel(title, ticks, IN_DELTAS(0.0), strips, words[1], words[0], words[2])


def _summary(result: ClaimResult, language: Language) -> Strip | None:
    """A claim's row; None where nothing of it has run."""
    rows = [(s, s.deciding) for s in result.settings if s.run and s.deciding.n and s.deciding.delta]
    if not rows or not result.deciding or not result.deciding.deciding.delta:
        return None
    part = result.deciding.deciding
    if not math.isfinite(part.interval[1]):
        return None

    def at(value: float, of: PartResult) -> float:
        return IN_DELTAS(min(max(value / of.delta, -EDGE), EDGE))

    several = len(rows) > 1
    return Strip(
        label=language.of(result.claim.statement),
        part=result.claim.id,
        word=result.verdict.word,
        effect=_range([p for _, p in rows], language)
        if several
        else sentences.interval(part) + language.of(sentences.unit_name(part.unit)),
        n=0 if several else part.n,
        at=at(part.estimate, part),
        low=at(part.interval[1], part),
        high=at(part.interval[2], part),
        seeds=[],
        zone=(
            IN_DELTAS(-1.0 if part.kind != "superiority" else 0.0),
            IN_DELTAS(1.0 if part.kind != "noninferiority" else 0.0),
        ),
        marks=[(at(p.estimate, p), s.verdict.word) for s, p in rows] if several else (),
    )


def _range(parts: Sequence[PartResult], language: Language) -> str:
    """From the smallest to the largest effect of several settings."""
    count = language(f"{len(parts)} settings", f"{len(parts)} 設定")
    units = {part.unit for part in parts}
    if len(units) > 1:
        return count
    (unit,) = units
    low, high = (sentences.amount(end(part.estimate for part in parts), unit) for end in (min, max))
    named = language.of(sentences.unit_name(unit))
    return language(f"{low} to {high}{named} in {count}", f"{count}で {low} から {high}{named}")
