"""The protocol tried on worlds whose truth is known: how often each word is given, and how often wrongly."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from normlab.core.claim import Arm, Case, Claim, Contrast, Kind, Moderator, Quantifier, Text
from normlab.core.effects import Effects
from normlab.core.looks import Looks
from normlab.core.trial import ClaimResult, PartResult, SettingResult
from normlab.core.verdict import take_looks
from normlab.core.word import Word

NAME = Text("", "")
CONTRAST = Contrast(NAME, "test_accuracy", Arm(""), Arm(""))
MODERATOR = Moderator(Text("level", ""), "level")


THRICE, TWICE = Looks.counted({10: 0.4, 20: 0.3, 40: 0.3}), Looks.counted({8: 0.5, 16: 0.5})


@dataclass(frozen=True)
class World:
    """An experiment with known effects, in units of δ.

    The effect in a setting is N(mean, between²), plus ``slope`` a level of a registered moderator (levels 1, 2, 4, …); a seed's is normal
    around that with standard deviation ``noise``. ``claims`` such claims, each in ``settings`` settings on two beds by turns.
    """

    mean: float
    between: float = 0.0
    noise: float = 1.0
    slope: float = 0.0
    settings: int = 4
    claims: int = 6
    kind: Kind = "superiority"
    quantifier: Quantifier = "every"
    looks: Looks = THRICE


@dataclass
class Outcome:
    """One claim of a world after all its looks, and the true effects of its settings."""

    truth: np.ndarray
    result: ClaimResult

    def wrongly(self, word: Word) -> bool:
        """Whether a setting has a word that its true effect forbids."""
        forbidden = {
            Word.SUPPORTED: self._false_support,
            Word.OPPOSED: self.truth == 0 if self.result.claim.kind == "equivalence" else self.truth >= 0,
            Word.NEGLIGIBLE: np.abs(self.truth) >= 1,
            Word.ABSENT: self.truth >= 1,
        }[word]
        found = np.array([setting.verdict.word is word for setting in self.result.settings])
        return bool((found & forbidden).any())

    @property
    def _false_support(self) -> np.ndarray:
        kind = self.result.claim.kind
        if kind == "superiority":
            return np.asarray(self.truth <= 0)
        return np.asarray(self.truth <= -1) if kind == "noninferiority" else np.asarray(np.abs(self.truth) >= 1)


def simulate(world: World, trials: int, seed: int = 0) -> Iterator[list[Outcome]]:
    """The claims of ``trials`` experiments of a world, judged by the code that judges real ones."""
    source = np.random.default_rng(seed)
    for _ in range(trials):
        yield _experiment(world, source)


def _experiment(world: World, source: np.random.Generator) -> list[Outcome]:
    seeds = world.looks.upto(len(world.looks))
    claim = Claim("c", (), NAME, NAME, world.kind, "number", 1.0, quantifier=world.quantifier, moderators=(MODERATOR,))
    truths, draws = [], []
    for _ in range(world.claims):
        level = np.arange(world.settings) // 2
        truth = world.mean + world.between * source.standard_normal(world.settings) + world.slope * level
        truths.append(truth)
        draws.append(truth[:, None] + world.noise * source.standard_normal((world.settings, len(seeds))))

    def at(of: np.ndarray, setting: int, number: int) -> SettingResult:
        effects = Effects({seed: float(of[setting, seed]) for seed in world.looks.upto(number)})
        part = PartResult(CONTRAST, world.kind, 1.0, "number", effects, world.looks, number)
        place = {"setting": f"bed {setting % 2}", "level": 2 ** (setting // 2)}
        return SettingResult(CASE, place, [part])

    results = [ClaimResult(replace(claim), [at(of, s, 1) for s in range(world.settings)]) for of in draws]

    def further(result: ClaimResult, setting: SettingResult, number: int) -> SettingResult:
        index = next(i for i, each in enumerate(results) if each is result)
        place = next(i for i, each in enumerate(result.settings) if each is setting)
        return at(draws[index], place, number)

    take_looks(results, further)
    return [Outcome(truth, result) for truth, result in zip(truths, results, strict=True)]


CASE = Case(NAME, (CONTRAST,))


def summarize(world: World, trials: int, seed: int = 0) -> dict[str, float]:
    """What comes of a world: shares of the words of claims, the share of experiments with a word that is wrong in any setting of any claim,
    and how often the intervals hold the truth.
    """
    words: Counter[str] = Counter()
    wrong = dict.fromkeys((Word.SUPPORTED, Word.OPPOSED, Word.NEGLIGIBLE, Word.ABSENT), 0)
    seeds, inside, predicted, pooled = 0, 0, 0, 0
    source = np.random.default_rng(seed + 1)
    for outcomes in simulate(world, trials, seed):
        words.update(str(outcome.result.verdict.word) for outcome in outcomes)
        for word in wrong:
            wrong[word] += any(outcome.wrongly(word) for outcome in outcomes)
        for outcome in outcomes:
            seeds += sum(s.parts[0].n for s in outcome.result.settings)
            found = outcome.result.pooled
            if found is not None and world.slope == 0:
                pooled += 1
                inside += found.low <= world.mean <= found.high
                new = world.mean + world.between * source.standard_normal()
                predicted += found.predict_low <= new <= found.predict_high
    claims = trials * world.claims
    return {
        **{f"share {word}": words[str(word)] / claims for word in Word if words[str(word)]},
        **{f"wrong {word}": count / trials for word, count in wrong.items()},
        "seeds a setting": seeds / claims / world.settings,
        "interval holds mean": inside / pooled if pooled else float("nan"),
        "prediction holds": predicted / pooled if pooled else float("nan"),
    }


WORLDS: Sequence[World] = (
    *(World(mean) for mean in (-2, -1, 0, 0.5, 1, 2)),
    *(World(mean, between=between) for mean in (0, 1, 2) for between in (0.5, 1.5)),
    *(World(mean, noise=3.0) for mean in (0, 1, 2)),
    *(World(mean, settings=1) for mean in (0, 1, 2)),
    *(World(mean, settings=2, between=0.5) for mean in (0, 2)),
    *(World(mean, settings=8, between=0.5) for mean in (0, 2)),
    World(-1, slope=2.0),
    *(World(mean, quantifier="some") for mean in (0, 2)),
    *(World(mean, kind="noninferiority") for mean in (-1, 0)),
    *(World(mean, kind="equivalence") for mean in (0, 1)),
    *(World(mean, looks=TWICE) for mean in (0, 2)),
    World(0, claims=1),
)
