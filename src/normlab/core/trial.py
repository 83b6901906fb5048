"""What runs say about a claim: its parts, its settings, and the claim as a whole, with the tests of each."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from normlab.core.claim import Case, Claim, Contrast, Finding, Kind, Moderator, Text
from normlab.core.effects import Effects
from normlab.core.looks import Looks
from normlab.core.pooled import Effect, Pooled
from normlab.core.statistics import ALPHA, NO_TAILS, Tails, interval, seeds_needed, spent, tails
from normlab.core.word import NOT_RUN, TESTED, Verdict, Word


@dataclass
class PartResult:
    """One contrast in one setting, on the seeds of the looks that the setting has had."""

    contrast: Contrast
    kind: Kind
    delta: float
    unit: str
    effects: Effects
    looks: Looks
    look: int = 1

    @cached_property
    def tails(self) -> Tails:
        """The four tests, paid for at every look."""
        if self.effects.same:
            return NO_TAILS
        seen = []
        for look in range(1, self.look + 1):
            seeds = self.looks.upto(look)
            values = self._array(self.effects.by_seed, seeds)
            pairs = [self._array(pair, seeds) for pair in self.effects.pairs]
            p_range = self.effects.range.p(seeds) if self.effects.range else 1.0
            seen.append(tails(values, self.delta, self.effects.step, self.contrast.test, pairs, p_range))
        return spent(seen, self.looks.weights)

    @staticmethod
    def _array(by_seed: Mapping[int, float], seeds: tuple[int, ...]) -> np.ndarray:
        return np.array([by_seed[seed] for seed in seeds if seed in by_seed])

    @cached_property
    def interval(self) -> tuple[float, float, float]:
        """The estimate and its 95 % interval."""
        return interval(self.effects.array, self.effects.step)

    @property
    def estimate(self) -> float:
        return self.interval[0]

    @property
    def half_width(self) -> float:
        return (self.interval[2] - self.interval[1]) / 2

    @property
    def n(self) -> int:
        return len(self.effects.by_seed)

    @property
    def seeds_needed(self) -> float:
        """How many seeds would make its interval half of δ wide on either side."""
        return seeds_needed(self.effects.array, self.delta / 2, self.effects.step)

    def tested(self, word: Word) -> float:
        """The p-value of the test that a word rests on; 1 where the kind does not know it."""
        found = self.tails
        within = max(found.below_delta, found.above_minus_delta)
        if word is Word.SUPPORTED:
            return {"superiority": found.positive, "noninferiority": found.above_minus_delta}.get(self.kind, within)
        if word is Word.OPPOSED:
            return min(found.positive, found.negative) if self.kind == "equivalence" else found.negative
        if self.kind != "superiority":
            return 1.0
        return within if word is Word.NEGLIGIBLE else found.below_delta

    def reaches(self, word: Word) -> bool:
        """Whether the estimate is as large as a word needs it."""
        if word is Word.SUPPORTED:
            return self.kind != "superiority" or self.estimate >= self.delta
        if word is Word.OPPOSED:
            return self.estimate <= -self.delta or (self.kind == "equivalence" and self.estimate >= self.delta)
        # An early look may have rejected what all seeds together no longer do.
        return self.estimate < self.delta and (word is not Word.NEGLIGIBLE or self.estimate > -self.delta)

    def p(self, word: Word) -> float:
        """What decides: the p-value of the word's test, 1 where the estimate does not reach."""
        return self.tested(word) if self.reaches(word) else 1.0

    @property
    def as_effect(self) -> Effect:
        """θ/δ, for what is said of several settings."""
        by_seed = {seed: value / self.delta for seed, value in self.effects.by_seed.items()}
        return Effect(by_seed, self.effects.keys, self.effects.step / self.delta)


@dataclass
class SettingResult:
    """One claim in one setting: all parts must hold, given its conditions.

    ``family``: of settings that are corrected for many claims together. ``title``: of its data and net. ``outstanding``: it goes on to a
    look whose runs are not there.
    """

    case: Case
    at: dict[str, Any]
    parts: list[PartResult]
    given: list[PartResult] = field(default_factory=list)
    family: str = ""
    title: str = ""
    outstanding: bool = False
    verdict: Verdict = NOT_RUN
    p_adjusted: dict[Word, float] = field(default_factory=lambda: dict.fromkeys(TESTED, 1.0))

    @property
    def run(self) -> bool:
        return bool(self.parts) and not any(part.effects.missing for part in (*self.parts, *self.given))

    @property
    def same(self) -> bool:
        """Whether it compares runs with themselves and so says nothing."""
        return any(part.effects.same for part in self.parts)

    @property
    def conditions_hold(self) -> bool:
        """Whether every condition's estimate is as it must be; that it is established is part of the p-values."""
        return all(part.kind != "superiority" or part.estimate >= part.delta for part in self.given)

    def p(self, word: Word) -> float:
        """Every part must be supported: the largest p. One part gives any other word: the smallest p, times their number. With either
        every condition must be established.
        """
        if not self.run:
            return 1.0
        found = [part.p(word) for part in self.parts]
        p = max(found) if word is Word.SUPPORTED else min(found) * len(found)
        return min(1.0, max(p, *(part.p(Word.SUPPORTED) for part in self.given), 0.0))

    @property
    def p_tested(self) -> float:
        """The p-value of the test that supports it, whatever the size of the estimate."""
        return (
            max((part.tested(Word.SUPPORTED) for part in (*self.parts, *self.given)), default=1.0) if self.run else 1.0
        )

    @property
    def precise(self) -> bool:
        """Whether its intervals are so narrow that more seeds would tell nothing that matters."""
        return all(part.half_width <= part.delta / 2 for part in self.parts)

    @property
    def corrected_away(self) -> bool:
        """Whether a test gives it a word that only the correction for other claims and settings takes away: more seeds give it back."""
        return any(self.p(word) <= ALPHA for word in TESTED)

    @property
    def could_be_negligible(self) -> bool:
        """Whether more seeds could tell that an effect which is absent is negligible."""
        return not self.precise or self.p(Word.NEGLIGIBLE) <= ALPHA

    @property
    def last_look(self) -> bool:
        return all(part.look == len(part.looks) for part in self.parts)

    @property
    def deciding(self) -> PartResult:
        """The part that the setting's row shows: the one that gives its word, else the one that is hardest to support."""
        word = self.verdict.word
        if word in TESTED and word is not Word.SUPPORTED:
            return min(self.parts, key=lambda part: part.p(word))
        return max(self.parts, key=lambda part: (part.p(Word.SUPPORTED), -part.estimate / (part.delta or 1.0)))

    def label(self, several_cases: bool, japanese: Mapping[str, str] | None = None) -> Text:
        """The setting's name; ``japanese`` knows that of names on its axes."""
        place = self.case.place(self.at)
        places = [
            Text(self.title, (japanese or {}).get(self.title, self.title))
            if self.title and axis == "setting"
            else shown(axis, at, japanese or {})
            for axis, at in place.items()
        ]
        words = [*places, *([self.case.name] if several_cases else [])]
        return Text(*(" · ".join(filter(None, column)) for column in ([w.en for w in words], [w.ja for w in words])))


AXES_SHOWN = {
    "net.depth": Text("depth {}", "深さ {}"),
    "depth": Text("depth {}", "深さ {}"),
    "data.batch_size": Text("batch {}", "バッチ {}"),
    "batch": Text("batch {}", "バッチ {}"),
    "shared": Text("statistics over {}", "統計量 {} 枚"),
    "optimizer.lr": Text("rate {}", "学習率 {}"),
    "size": Text("batches of {}", "{} 枚のバッチ"),
    "images": Text("{} images", "{} 枚"),
    "images_a_class": Text("{} images a class", "1 クラス {} 枚"),
}


def shown(axis: str, value: Any, japanese: Mapping[str, str]) -> Text:
    """A place on an axis for readers."""
    if isinstance(value, float) and value.is_integer():  # a column with gaps holds whole numbers as floats
        value = int(value)
    form = AXES_SHOWN.get(axis, Text("{}", "{}"))
    return Text(form.en.format(value), form.ja.format(japanese.get(str(value), value)))


@dataclass(frozen=True)
class Moderated:
    """The test of a registered moderator, adjusted in its claim's place among the others."""

    moderator: Moderator
    p: float
    p_adjusted: float


@dataclass
class ClaimResult:
    """A claim's verdict with everything behind it."""

    claim: Claim
    settings: list[SettingResult]
    finding: Finding | None = None
    shown_besides: list[SettingResult] = field(default_factory=list)
    verdict: Verdict = NOT_RUN
    pooled: Pooled | None = None
    moderated: Moderated | None = None
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
        """The setting that a claim's row shows: where it is hardest to support, or easiest if one place is enough."""
        run = [setting for setting in self.settings if setting.run]
        pick = min if self.claim.quantifier == "some" else max
        return pick(run, key=lambda setting: (setting.p(Word.SUPPORTED), -_size(setting)), default=None)

    @property
    def counts(self) -> dict[Word, int]:
        """How many settings have each word."""
        found = Counter(setting.verdict.word for setting in self.settings)
        return {word: found[word] for word in Word if found[word]}

    @property
    def p_support(self) -> float:
        """Of the claim: every setting must be supported, or some one of them."""
        found = [setting.p(Word.SUPPORTED) for setting in self.settings] or [1.0]
        return max(found) if self.claim.quantifier == "every" else min(1.0, len(found) * min(found))

    @property
    def seeds_needed(self) -> float:
        """How many seeds would decide the settings that have no word, their spread being what it is."""
        open_ones = [s for s in self.settings if s.run and s.verdict.word is Word.UNRESOLVED and not s.same]
        found = [part.seeds_needed for s in open_ones for part in s.parts]
        return max((n for n in found if math.isfinite(n)), default=math.nan)


def _size(setting: SettingResult) -> float:
    part = setting.deciding
    return part.estimate / part.delta if part.delta else part.estimate
