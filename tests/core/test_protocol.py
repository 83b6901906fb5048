"""The protocol over settings, looks and claims, on tables and worlds whose truth is known."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from normlab.core.claim import Arm, Case, Claim, Contrast, Extreme, Kind, Moderator, Quantifier, Text
from normlab.core.effects import Effects
from normlab.core.looks import Looks
from normlab.core.moderation import p_moderator
from normlab.core.pooled import Effect, pool
from normlab.core.simulation import World, simulate, summarize
from normlab.core.statistics import Tails, seeds_needed, spent, tails
from normlab.core.trial import ClaimResult, PartResult, SettingResult
from normlab.core.verdict import evaluate_claim, judge
from normlab.core.word import Word
from tests.core.test_verdicts import ONE_LOOK, Table

T = Text("x", "x")
RNG = np.random.default_rng(0)
UNIT = stats.norm.ppf((np.arange(10) + 0.5) / 10)  # ten seeds of mean 0
UNIT = UNIT / UNIT.std(ddof=1)
CONTRAST = Contrast(T, "test_accuracy", Arm("g"), Arm("h"))
CASE = Case(T, (CONTRAST,))


def setting(
    theta: Sequence[float] | np.ndarray, kind: Kind = "superiority", keys: frozenset[str] = frozenset(), **at: Any
) -> SettingResult:
    effects = Effects(dict(enumerate(map(float, theta))), keys=keys)
    part = PartResult(CONTRAST, kind, 1.0, "number", effects, Looks.of([range(len(theta))]))
    return SettingResult(CASE, {"setting": "mnist", **at}, [part])


def judged(
    *settings: SettingResult,
    kind: Kind = "superiority",
    quantifier: Quantifier = "every",
    moderators: tuple[Moderator, ...] = (),
) -> ClaimResult:
    claim = Claim("c", (), T, T, kind, "number", 1.0, quantifier=quantifier, moderators=moderators)
    result = ClaimResult(claim, list(settings))
    judge([result])
    return result


def at(mean: float, sd: float = 0.5) -> np.ndarray:
    return mean + sd * UNIT


# Looks


def test_looks_are_nested_and_pay_their_weight() -> None:
    looks = Looks.counted({10: 0.4, 20: 0.3, 40: 0.3})
    assert looks.upto(1) == tuple(range(10))
    assert looks.upto(3) == tuple(range(40))
    assert spent([Tails(positive=0.02), Tails(positive=0.003)], looks.weights).positive == pytest.approx(0.01)
    assert spent([Tails(positive=0.6)], looks.weights).positive == 1.0
    for wrong in ({10: 0.5, 20: 0.4}, {20: 0.5, 10: 0.5}, {10: 1.5, 20: -0.5}):
        with pytest.raises(ValueError, match="looks"):
            Looks.counted(wrong)


@pytest.mark.parametrize("edge", ["positive", "negative", "below_delta", "above_minus_delta"])
def test_the_error_rate_of_looking_thrice_is_at_most_alpha(edge: str) -> None:
    """At a test's own boundary, whichever look stops."""
    boundary = {"positive": 0.0, "negative": 0.0, "below_delta": 1.0, "above_minus_delta": -1.0}[edge]
    looks = Looks.counted({10: 0.4, 20: 0.3, 40: 0.3})
    wrong = 0
    for _ in range(2000):
        draws = boundary + RNG.standard_normal(40)
        seen = [tails(draws[: len(looks.upto(k))], 1.0) for k in (1, 2, 3)]
        wrong += getattr(spent(seen, looks.weights), edge) <= 0.025
    assert stats.binomtest(wrong, 2000, 0.025, alternative="greater").pvalue > 0.01


def test_seeds_needed_make_the_interval_as_narrow_as_asked() -> None:
    effects = at(0.0, 2.0)
    n = int(seeds_needed(effects, 0.5))
    half = [stats.t.ppf(0.975, k - 1) * effects.std(ddof=1) / math.sqrt(k) for k in (n, int(n * 0.95))]
    assert half[0] <= 0.5 < half[1]


# The words of claims


@pytest.mark.parametrize(
    ("means", "quantifier", "word"),
    [
        ((2, 3, 2), "every", Word.HOLDS),
        ((2, 0, 0), "every", Word.VARIES),
        ((2, 0, 0), "some", Word.HOLDS),
        ((-2, -2), "every", Word.CONTRADICTED),
        ((-2, 0), "every", Word.CONTRADICTED),
        ((-2, 2), "every", Word.VARIES),
        ((0, 0), "every", Word.NO_DIFFERENCE),
        ((0, 0), "some", Word.NO_DIFFERENCE),
        ((-0.9, 0), "every", Word.ABSENT),
        ((-0.9, 0), "some", Word.CONTRADICTED),
        ((0.9, 0.9), "every", Word.UNRESOLVED),
    ],
)
def test_the_word_of_a_claim_follows_from_those_of_its_settings(
    means: tuple[float, ...], quantifier: Quantifier, word: Word
) -> None:
    assert judged(*(setting(at(mean)) for mean in means), quantifier=quantifier).verdict.word is word


def test_pooled_words_need_four_settings_on_two_beds() -> None:
    noisy = [at(1.6, 1.8), at(1.5, 1.8), at(1.7, 1.8), at(1.6, 1.8)]
    one_bed = judged(*(setting(theta) for theta in noisy))
    two_beds = judged(*(setting(theta, setting=f"bed {k % 2}") for k, theta in enumerate(noisy)))
    assert {s.verdict.word for s in two_beds.settings} <= {Word.UNRESOLVED, Word.SUPPORTED}
    assert one_bed.verdict.word is not Word.MOSTLY_HOLDS
    assert two_beds.verdict.word in (Word.MOSTLY_HOLDS, Word.HOLDS)


def test_one_setting_opposed_is_no_mostly() -> None:
    means = (2, 2, 2, 2, 2, -2)
    found = judged(*(setting(at(mean), setting=f"bed {k % 2}") for k, mean in enumerate(means)))
    assert found.verdict.word is Word.VARIES


def test_a_claim_depends_on_its_registered_moderator_alone() -> None:
    settings = [setting(at(4 - level), level=2**level) for level in range(5)]
    moderator = Moderator(Text("level", "水準"), "level")
    assert str(judged(*settings, moderators=(moderator,)).verdict) == "depends on level"
    assert judged(*settings).verdict.word is Word.VARIES
    assert judged(*settings, moderators=(Moderator(T, "elsewhere"),)).verdict.word is Word.VARIES


def test_a_word_that_only_the_correction_takes_away_is_not_borderline() -> None:
    """A narrow interval well within ±δ, among so many settings that no adjusted p is small."""
    alone = judged(setting(at(0.0, 0.9)))
    assert alone.settings[0].verdict.word is Word.NEGLIGIBLE
    many = judged(*(setting(at(0.0, 0.9)) for _ in range(40)))
    first = many.settings[0]
    assert first.p(Word.NEGLIGIBLE) <= 0.025 < first.p_adjusted[Word.NEGLIGIBLE]
    assert first.verdict.word is Word.UNRESOLVED
    assert judged(setting(at(0.99, 0.3))).settings[0].verdict.word is Word.BORDERLINE


def test_families_are_corrected_apart() -> None:
    def result(family: str) -> ClaimResult:
        theta = 1.0 + 1.0 * UNIT[:10]
        one = setting(theta + 0.0)
        one.family = family
        return ClaimResult(Claim("c", (), T, T, "superiority", "number", 1.0), [one])

    alone, first, second = result("R"), result(""), result("")
    judge([alone, first, second])
    raw = alone.settings[0].p(Word.SUPPORTED)
    assert alone.settings[0].p_adjusted[Word.SUPPORTED] == pytest.approx(raw)
    assert first.settings[0].p_adjusted[Word.SUPPORTED] == pytest.approx(2 * raw)


# Moderators


def test_a_slope_is_tested_by_seed_and_beds_by_welch() -> None:
    noise = RNG.standard_normal((3, 10)) / 4
    settings = [setting(k + noise[k], level=2**k) for k in range(3)]
    slopes = ((2 + noise[2]) - (0 + noise[0])) / 2
    assert p_moderator(Moderator(T, "level"), settings) == pytest.approx(stats.ttest_1samp(slopes, 0).pvalue)
    beds = [setting(at(0)), setting(2 + RNG.standard_normal(20), setting="cifar10")]
    a, b = (list(s.parts[0].effects.by_seed.values()) for s in beds)
    assert p_moderator(Moderator(T, "setting"), beds) == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue)


def test_the_same_slope_in_every_seed_is_no_lack_of_one() -> None:
    exact = [setting([float(k)] * 10, level=2**k) for k in range(3)]
    assert p_moderator(Moderator(T, "level"), exact) == 0.0
    flat = [setting([1.0] * 10, level=2**k) for k in range(3)]
    assert p_moderator(Moderator(T, "level"), flat) == 1.0
    for each in exact:
        each.parts[0].effects.step = 3.0  # of a measure so coarse that rounding alone may make all seeds alike
    sd = 3.0 / math.sqrt(12) / math.sqrt(10)
    assert p_moderator(Moderator(T, "level"), exact) == pytest.approx(2 * stats.t.sf(1 / sd, 9))


def test_levels_of_one_name_are_taken_together_before_names_are_compared() -> None:
    noise = RNG.standard_normal((4, 10)) / 4
    settings = [setting(noise[k] + (2.0 if k < 2 else 0.0), level=k, side="high" if k < 2 else "low") for k in range(4)]
    for each in settings:
        each.at = {"setting": each.at["setting"], "side": each.at["side"]}
    differences = 2 + noise[:2].mean(0) - noise[2:].mean(0)
    assert p_moderator(Moderator(T, "side"), settings) == pytest.approx(stats.ttest_1samp(differences, 0).pvalue)
    assert p_moderator(Moderator(T, "side"), settings[:2]) == 1.0


def test_places_are_alike_whatever_the_order_in_which_their_axes_are_written() -> None:
    noise = RNG.standard_normal((2, 10)) / 4
    settings = [setting(noise[0] + 2, stage="start", net="mlp"), setting(noise[1], net="mlp", stage="end")]
    p = stats.ttest_1samp(2 + noise[0] - noise[1], 0).pvalue
    assert p_moderator(Moderator(T, "stage"), settings) == pytest.approx(p)


def test_moderators_find_nothing_where_nothing_is() -> None:
    found = []
    for _ in range(300):
        settings = [setting(RNG.standard_normal(10), level=2**k, setting=bed) for k in range(3) for bed in ("a", "b")]
        found.append(p_moderator(Moderator(T, "level"), settings))
    assert stats.kstest(found, "uniform").pvalue > 0.01


# Pooling


def test_two_settings_without_noise_are_pooled_by_the_written_out_integral() -> None:
    """With known variances the posterior of μ given τ is normal; the rest is one integral over τ."""
    effects = [Effect(dict(enumerate(at(mean, 1.0)))) for mean in (0.0, 2.0)]
    found = pool(effects)
    assert found is not None
    v = (9 / 7) * 1.0 / 10

    def density(tau: float) -> float:
        s = v + tau**2
        return math.exp(-(tau**2) / 2) * s ** (-1) * math.sqrt(s) * math.exp(-(2.0**2) / (4 * s))

    whole = integrate.quad(density, 0, 6)[0]
    tau = integrate.quad(lambda t: t * density(t), 0, 6)[0] / whole
    new = (
        integrate.quad(lambda t: stats.norm.sf(1.0, 1.0, math.sqrt((v + t**2) / 2 + t**2)) * density(t), 0, 6)[0]
        / whole
    )
    assert found.mean == pytest.approx(1.0, abs=1e-6)
    assert found.tau == pytest.approx(tau, rel=0.01)
    assert found.pr_support == pytest.approx(new, abs=0.005)


def test_one_straggler_widens_the_prediction_and_not_only_the_mean() -> None:
    alike = pool([Effect(dict(enumerate(at(2.0)))) for _ in range(5)])
    straggler = pool([Effect(dict(enumerate(at(mean)))) for mean in (2, 2, 2, 2, -2)])
    assert alike is not None
    assert straggler is not None
    assert alike.predict_low > 1 > straggler.predict_low
    assert straggler.tau > 1 > alike.tau
    assert straggler.predict_high - straggler.predict_low > straggler.high - straggler.low


def test_settings_of_the_same_runs_count_as_little_more_than_one() -> None:
    theta, keys = dict(enumerate(at(1.0, 2.0))), frozenset({"run"})
    shared = pool([Effect(theta, keys)] * 4)
    apart = pool([Effect(theta)] * 4)
    assert shared is not None
    assert apart is not None
    of_one = 2 * 1.96 * math.sqrt(9 / 7 * 4 / 10)
    assert shared.high - shared.low > 0.95 * of_one
    assert apart.high - apart.low < 0.8 * of_one


def test_a_single_setting_is_not_pooled() -> None:
    assert pool([Effect(dict(enumerate(at(1.0))))]) is None


# Ranges, named by cross-fitting


def ranged(levels: dict[str, Sequence[float]], delta: float = 0.01) -> ClaimResult:
    table = Table()
    for level, values in levels.items():
        table.add("a", list(values), level=level)
        for row in table.rows[-8:]:
            table.runs[str(row["run_key"])][1]["validation_accuracy"] = table.runs[str(row["run_key"])][1][
                "test_accuracy"
            ]
    best, worst = (Arm("g", {"arm": "a"}, extreme=Extreme("level", take)) for take in ("best", "worst"))  # type: ignore[arg-type]
    contrast = Contrast(T, "test_accuracy", best, worst)
    claim = Claim("c", (), T, T, "superiority", delta=delta, cases=(Case(T, (contrast,)),))
    found = evaluate_claim(claim, "quick", table.reader, {}, lambda *_: ONE_LOOK)
    judge([found])
    return found


def test_a_range_of_noise_is_centred_on_nothing() -> None:
    """The best of eight equal levels, named on the seeds it is counted on, would be better by more than a standard deviation."""
    estimates = [
        ranged({str(k): 0.8 + 0.01 * RNG.standard_normal(8) for k in range(8)}).settings[0].parts[0].estimate
        for _ in range(40)
    ]
    assert abs(np.mean(estimates)) < 0.003
    assert ranged({str(k): 0.8 + 0.0005 * RNG.standard_normal(8) for k in range(3)}).verdict.word is Word.NO_DIFFERENCE


def test_a_range_that_is_there_is_found_and_never_called_negligible_by_its_lower_bound() -> None:
    noise = 0.002 * RNG.standard_normal((3, 8))
    found = ranged({"low": 0.7 + noise[0], "middle": 0.75 + noise[1], "high": 0.8 + noise[2]})
    assert found.verdict.word is Word.HOLDS
    assert found.settings[0].parts[0].estimate == pytest.approx(0.1, abs=0.01)
    loud = ranged({"steady": 0.8 + noise[0], "loud": 0.8 + 0.05 * RNG.standard_normal(8)})
    assert loud.verdict.word not in (Word.NO_DIFFERENCE, Word.ABSENT)


def test_a_signed_contrast_counts_in_the_direction_of_the_tuning_seeds() -> None:
    base = np.linspace(0.5, 0.6, 8)
    for direction in (1, -1):
        table = Table().add("a", list(base + direction * 0.05 + 0.001 * UNIT[:8])).add("b", list(base))
        for arm, value in (("a", 0.5 + direction * 0.1), ("b", 0.5)):
            table.add(arm, [value] * 2, role="tune", first_seed=100, measure="validation_accuracy")
        arms = (Arm("g", {"arm": "a"}), Arm("g", {"arm": "b"}))
        contrast = Contrast(T, "test_accuracy", *arms, signed=True)
        claim = Claim("c", (), T, T, "superiority", delta=0.01, cases=(Case(T, (contrast,)),))
        found = evaluate_claim(claim, "quick", table.reader, {}, lambda *_: ONE_LOOK)
        assert found.settings[0].parts[0].estimate == pytest.approx(0.05, abs=0.002)


def test_weights_and_offsets_of_a_contrast() -> None:
    table = Table()
    for arm, value in (("a", 0.9), ("b", 0.5), ("c", 0.6), ("d", 0.5)):
        table.add(arm, [value] * 8)
    arms = {name: Arm("g", {"arm": name}) for name in "abcd"}
    half = Contrast(T, "test_accuracy", arms["a"], arms["b"], less=(arms["c"], arms["d"]), weight=0.5)
    effects = table.reader.effects(half, {}, {}, range(8))
    assert list(effects.by_seed.values()) == pytest.approx([0.5 * 0.4 - 0.1] * 8)
    log = Contrast(T, "test_accuracy", arms["a"], arms["b"], log=True, offset=0.1)
    assert table.reader.effects(log, {}, {}, range(8)).by_seed[0] == pytest.approx(math.log(1.0 / 0.6))


def test_cases_take_the_levels_among_which_they_ask() -> None:
    table = Table()
    for size in ("2", "8", "128"):
        table.add("a", [0.9 - 0.1 / int(size)] * 8, size=size)
    contrast = Contrast(T, "test_accuracy", Arm("g", {"size": "128"}), Arm("g"))
    case = Case(T, (contrast,), by=("setting", "size"), among={"size": ("2", "8")}, at={"statistics": "running"})
    claim = Claim("c", (), T, T, "superiority", delta=0.01, cases=(case,))
    found = evaluate_claim(claim, "quick", table.reader, {}, lambda *_: ONE_LOOK)
    assert [setting.at for setting in found.settings] == [
        {"setting": "s", "size": size, "statistics": "running"} for size in ("2", "8")
    ]
    assert found.settings[0].parts[0].estimate == pytest.approx(0.05 - 0.1 / 128)


# The whole protocol


@pytest.mark.parametrize(
    "world",
    [
        World(0.0, settings=1, noise=3.0),
        World(1.0, kind="equivalence"),
        pytest.param(World(0.0), marks=pytest.mark.slow),
        pytest.param(World(1.0), marks=pytest.mark.slow),
        pytest.param(World(-1.0, kind="noninferiority"), marks=pytest.mark.slow),
    ],
    ids=lambda world: f"{world.kind} {world.mean:g}",
)
def test_at_the_boundary_wrong_words_are_as_rare_as_promised(world: World) -> None:
    """A word that is wrong anywhere in an experiment of six claims, over all looks."""
    trials = 40
    found = summarize(world, trials)
    for word in ("supported", "opposed", "negligible", "absent"):
        wrong = round(found[f"wrong {word}"] * trials)
        assert stats.binomtest(wrong, trials, 0.05, alternative="greater").pvalue > 0.01, word


@pytest.mark.parametrize(
    ("world", "word"),
    [
        (World(2.0), Word.HOLDS),
        (World(0.0), Word.NO_DIFFERENCE),
        (World(-2.0), Word.CONTRADICTED),
        (World(-1.0, slope=2.0), Word.DEPENDS),
    ],
    ids=str,
)
def test_clear_truths_get_their_word(world: World, word: Word) -> None:
    found = summarize(world, 20)
    assert found[f"share {word}"] > 0.6


def test_pooled_intervals_hold_the_truth() -> None:
    found = summarize(World(1.0, between=0.5, settings=8, claims=2), 60)
    assert found["interval holds mean"] > 0.9
    assert found["prediction holds"] > 0.88


def test_a_simulation_is_the_same_again() -> None:
    first, second = (next(iter(simulate(World(1.0), 1, seed=3))) for _ in range(2))
    assert [o.result.verdict for o in first] == [o.result.verdict for o in second]
