"""Verdicts on synthetic tables whose answer is known."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from scipy import stats

from normlab.core.claim import Arm, Case, Claim, Contrast, Extreme, Kind, Pick, Text
from normlab.core.effects import CellReader, Effects
from normlab.core.looks import Looks
from normlab.core.reading import Reading, Value
from normlab.core.statistics import (
    benjamini_hochberg,
    bootstrap_interval,
    holm,
    interval,
    p_greater,
    p_less,
    p_sign_flip,
    tails,
)
from normlab.core.trial import ClaimResult, PartResult
from normlab.core.verdict import evaluate_claim, judge, verdict_rows, verdict_table
from normlab.core.word import Word
from normlab.errors import NormlabError

T = Text("x", "x")
SEEDS = list(range(8))
ONE_LOOK = Looks.of([SEEDS])
NOISE = np.array([-1.2, 0.7, 0.1, -0.4, 1.1, -0.6, 0.5, -0.2]) * 0.01


class Table:
    """Runs as a dictionary: key → (status, {measure: number or Value})."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []
        self.unmeasured: set[tuple[str, str]] = set()
        self.runs: dict[str, tuple[str, dict[str, object]]] = {}

    def add(
        self,
        arm: str,
        values: Sequence[float | Value | None],
        setting: str = "s",
        role: str = "report",
        status: str = "ok",
        grid: str = "g",
        first_seed: int = 0,
        measure: str = "test_accuracy",
        **axes: object,
    ) -> "Table":
        for index, value in enumerate(values):
            seed = first_seed + index
            key = f"{grid}/{setting}/{arm}/{role}/{seed}/{axes}"
            self.rows.append(
                {"grid": grid, "setting": setting, "arm": arm, "role": role, "seed": seed, "run_key": key, **axes}
            )
            known = self.runs.setdefault(key, (status, {}))
            if value is not None:
                known[1][measure] = value
        return self

    def drop(self, arm: str, seed: int, setting: str = "s") -> "Table":
        self.runs = {k: v for k, v in self.runs.items() if not k.startswith(f"g/{setting}/{arm}/report/{seed}/")}
        return self

    def value(self, run_key: str, reading: Reading) -> Value | None:
        found = self.runs.get(run_key, ("", {}))[1].get(str(reading))
        return found if isinstance(found, Value) or found is None else Value(float(found))  # type: ignore[arg-type]

    def recorded(self, run_key: str, reading: Reading) -> bool:
        return True

    def evaluated(self, run_key: str, evaluation: str) -> bool:
        return (run_key, evaluation) not in self.unmeasured

    def status(self, run_key: str) -> str | None:
        return self.runs[run_key][0] if run_key in self.runs else None

    @property
    def reader(self) -> CellReader:
        return CellReader(self.rows, self)


def claim(
    *parts: Contrast, kind: Kind = "superiority", delta: float | str = 0.01, id: str = "c", **options: object
) -> Claim:
    parts = parts or (Contrast(T, "test_accuracy", Arm("g", {"arm": "a"}), Arm("g", {"arm": "b"})),)
    return Claim(id, ("A §1",), T, T, kind, delta=delta, cases=(Case(T, parts),), **options)  # type: ignore[arg-type]


def result(table: Table, tested: Claim, others: Sequence[Claim] = (), **constants: float) -> ClaimResult:
    results = [
        evaluate_claim(c, "quick", table.reader, {"s": constants, "t": constants}, lambda *_: ONE_LOOK)
        for c in (tested, *others)
    ]
    judge(results)
    return results[0]


def pair(difference: float, noise: float = 1.0, setting: str = "s", table: Table | None = None) -> Table:
    base = np.linspace(0.5, 0.6, 8)
    return (table or Table()).add("a", base + difference + noise * NOISE, setting).add("b", base, setting)


@pytest.mark.parametrize(
    ("kind", "difference", "noise", "word", "verdict"),
    [
        ("superiority", 0.05, 1, "supported", "holds"),
        ("superiority", 0.0, 0.3, "negligible", "makes no difference"),
        ("superiority", -0.05, 1, "opposed", "contradicted"),
        ("superiority", 0.005, 0.2, "negligible", "makes no difference"),
        ("superiority", -0.009, 1, "absent", "absent"),
        ("superiority", 0.012, 3, "unresolved", "unresolved"),
        ("superiority", 0.0099, 0.3, "borderline", "unresolved"),
        ("equivalence", 0.0, 0.5, "supported", "holds"),
        ("equivalence", 0.05, 1, "opposed", "contradicted"),
        ("equivalence", -0.05, 1, "opposed", "contradicted"),
        ("equivalence", 0.008, 1, "unresolved", "unresolved"),
        ("noninferiority", 0.0, 0.5, "supported", "holds"),
        ("noninferiority", 0.05, 1, "supported", "holds"),
        ("noninferiority", -0.05, 1, "opposed", "contradicted"),
        ("noninferiority", -0.01, 2, "unresolved", "unresolved"),
    ],
)
def test_every_kind_on_effects_of_known_size(
    kind: Kind, difference: float, noise: float, word: str, verdict: str
) -> None:
    found = result(pair(difference, noise), claim(kind=kind))
    assert str(found.settings[0].verdict) == word
    assert str(found.verdict) == verdict


def test_p_values_are_the_paired_t_tests_of_scipy() -> None:
    a, b = np.array([3.0, 4, 5, 7, 6]), np.array([2.5, 4.5, 4, 5, 6])
    assert p_greater(a - b, 0.0) == pytest.approx(stats.ttest_rel(a, b, alternative="greater").pvalue)
    assert p_less(a - b, 1.0) == pytest.approx(stats.ttest_1samp(a - b, 1.0, alternative="less").pvalue)
    mean, low, high = interval(a - b)
    assert (low, high) == pytest.approx(tuple(stats.ttest_rel(a, b).confidence_interval(0.95)))
    boot_low, boot_high = bootstrap_interval(a - b)
    assert low < boot_low < mean < boot_high < high


def test_pairing_removes_what_seeds_share() -> None:
    shared = np.linspace(0, 1, 8)  # seeds differ by far more than arms
    table = Table().add("a", shared + 0.02 + NOISE / 10).add("b", shared)
    assert str(result(table, claim()).verdict) == "holds"


def test_delta_may_be_a_constant_of_the_setting() -> None:
    assert str(result(pair(0.05), claim(delta="small"), small=0.01).verdict) == "holds"
    assert result(pair(0.05), claim(delta="large"), large=0.2).verdict.word is Word.NO_DIFFERENCE


def test_a_contrast_of_runs_with_themselves_says_nothing() -> None:
    table = Table().add("a", np.linspace(0.5, 0.6, 8)).add("b", np.linspace(0.5, 0.6, 8))
    same = Contrast(T, "test_accuracy", Arm("g", {"arm": "a"}), Arm("g", {"arm": "a"}))
    for kind in ("superiority", "equivalence", "noninferiority"):
        found = result(table, claim(same, kind=kind))  # type: ignore[arg-type]
        assert found.p_support == 1.0
        assert str(found.settings[0].verdict) == "unresolved (no information: both arms are the same runs)"
        assert found.pooled is None
    assert str(result(table, claim()).verdict) == "makes no difference"  # equal numbers of other runs are information


def test_a_quantized_measure_with_zero_spread_is_not_taken_for_exact() -> None:
    table = Table().add("a", [Value(1.0, step=1.0)] * 3).add("b", [Value(0.0, step=0.5)] * 3)
    contrast = Contrast(T, "test_accuracy", Arm("g", {"arm": "a"}), Arm("g", {"arm": "b"}))
    p = evaluate_claim(claim(contrast), "quick", table.reader, {}, lambda *_: Looks.of([[0, 1, 2]])).p_support
    assert p == pytest.approx(stats.t.sf(1 / (1 / math.sqrt(12) / math.sqrt(3)), 2))


def test_diverged_runs_count_and_are_counted() -> None:
    base = np.linspace(0.8, 0.85, 8)
    table = Table().add("a", base)
    table.add("b", base[:4]).add("b", [0.1] * 4, status="diverged", first_seed=4)
    found = result(table, claim())
    part = found.settings[0].parts[0]
    assert part.effects.diverged == 4
    assert part.n == 8
    assert part.estimate == pytest.approx((base[4:] - 0.1).sum() / 8)


def test_a_missing_cell_leaves_the_claim_not_run() -> None:
    assert str(result(pair(0.05).drop("b", 3), claim()).verdict) == "not run"
    assert str(result(Table().add("a", [1.0] * 8), claim()).verdict) == "not run"
    table = pair(0.05)
    table.runs["g/s/b/report/2/{}"] = ("missing", {})
    assert str(result(table, claim()).verdict) == "not run"


def test_censored_pairs_tell_nothing_and_single_ones_count_at_the_horizon() -> None:
    horizon = Value(10.0, censored=True)
    slow = [horizon, horizon, *[8.0 + n for n in NOISE[2:]]]
    fast = [horizon, *[4.0 + n for n in NOISE[1:]]]
    contrast = Contrast(T, "test_accuracy", Arm("g", {"arm": "slow"}), Arm("g", {"arm": "fast"}), log=True)
    found = result(Table().add("slow", slow).add("fast", fast), claim(contrast, delta=0.1))
    part = found.settings[0].parts[0]
    assert (part.n, part.effects.excluded, part.effects.censored) == (7, 1, 3)
    assert part.effects.by_seed[1] == pytest.approx(math.log(10 / fast[1]))  # type: ignore[operator]
    assert str(found.verdict) == "holds"


def test_a_state_never_reached_is_excluded_and_too_few_pairs_decide_nothing() -> None:
    table = Table().add("a", [1.0, 1.1, *[None] * 6]).add("b", [0.0] * 8)
    found = result(table, claim())
    assert str(found.verdict) == "unresolved"
    assert found.settings[0].parts[0].effects.excluded == 6


@pytest.mark.parametrize(
    ("drift", "gain", "verdict"),
    [(0.3, 0.0, "makes no difference"), (0.3, 0.05, "holds"), (0.0, 0.0, "unresolved"), (0.0, 0.05, "unresolved")],
)
def test_without_its_condition_a_setting_decides_nothing(drift: float, gain: float, verdict: str) -> None:
    """Parts as clear as can be say nothing where the manipulation that they rest on did not work."""
    base = np.linspace(0.5, 0.6, 8)
    table = Table().add("a", base + gain + NOISE / 4).add("b", base)
    table.add("a", base, measure="input_drift.log_drift").add(
        "b", base + drift + NOISE, measure="input_drift.log_drift"
    )
    moved = Contrast(T, "input_drift.log_drift", Arm("g", {"arm": "b"}), Arm("g", {"arm": "a"}), delta=0.1)
    case = replace(claim().cases[0], given=(moved,))
    found = result(table, replace(claim(), cases=(case,)))
    assert str(found.verdict) == verdict
    assert found.settings[0].given[0].estimate == pytest.approx(drift, abs=1e-3)


def test_a_condition_without_runs_leaves_the_claim_not_run() -> None:
    absent = Contrast(T, "test_accuracy", Arm("g", {"arm": "c"}), Arm("g", {"arm": "a"}))
    case = replace(claim().cases[0], given=(absent,))
    assert str(result(pair(0.05), replace(claim(), cases=(case,))).verdict) == "not run"


def test_all_parts_must_hold_and_one_refuted_part_refutes() -> None:
    base = np.linspace(0.5, 0.6, 8)
    table = (
        Table()
        .add("a", base)
        .add("low", base - 0.05 + NOISE)
        .add("same", base + NOISE / 4)
        .add("loud", base + 8 * NOISE)
    )
    part = lambda other: Contrast(T, "test_accuracy", Arm("g", {"arm": "a"}), Arm("g", {"arm": other}))  # noqa: E731
    assert str(result(table, claim(part("low"))).verdict) == "holds"
    assert str(result(table, claim(part("low"), part("same"))).verdict) == "makes no difference"
    assert str(result(table, claim(part("low"), part("loud"))).verdict) == "unresolved"


def test_a_difference_of_differences() -> None:
    base = np.linspace(0.5, 0.6, 8)
    table = Table().add("a", base + 0.1).add("b", base).add("c", base + 0.04 + NOISE / 4).add("d", base)
    arms = {name: Arm("g", {"arm": name}) for name in "abcd"}
    found = result(table, claim(Contrast(T, "test_accuracy", arms["a"], arms["b"], less=(arms["c"], arms["d"]))))
    assert found.settings[0].parts[0].estimate == pytest.approx(0.1 - 0.04, abs=1e-9)
    assert str(found.verdict) == "holds"


def test_a_reference_number_stands_for_the_second_arm() -> None:
    table = Table().add("a", -0.5 + NOISE)
    assert (
        result(
            table,
            claim(Contrast(T, "test_accuracy", Arm("g", {"arm": "a"}), reference=-0.5), kind="equivalence", delta=0.1),
        ).verdict.word
        == "holds"
    )
    assert (
        result(
            table,
            claim(Contrast(T, "test_accuracy", Arm("g", {"arm": "a"}), reference=-1.0), kind="equivalence", delta=0.1),
        ).verdict.word
        == "contradicted"
    )


def test_measures_over_rates_reduce_each_seeds_runs() -> None:
    table = Table()
    for rate in (0.1, 1.0, 10.0):
        table.add("a", [0.9 - 0.001 * rate] * 8, measure="validation_accuracy", lr=rate)
        table.add("b", [0.9 if rate < 0.5 else 0.1] * 8, measure="validation_accuracy", lr=rate)
    contrast = Contrast(T, "largest_stable_rate@0.05", Arm("g", {"arm": "a"}), Arm("g", {"arm": "b"}), over="lr")
    found = result(table, claim(contrast, delta=math.log(3)))
    assert found.settings[0].parts[0].estimate == pytest.approx(math.log(100))
    assert str(found.verdict) == "holds"


def test_what_an_early_look_rejected_is_no_word_where_all_seeds_say_otherwise() -> None:
    """Eight seeds without any gain, then eight with a large one: the first look rejects θ ≥ δ, the estimate is far above δ."""
    looks = Looks((tuple(range(8)), tuple(range(8, 16))), (0.5, 0.5))
    effects = Effects({seed: 1e-4 * (seed % 3 - 1) + (0.0 if seed < 8 else 0.3) for seed in range(16)})
    contrast = Contrast(T, "test_accuracy", Arm("g", {"arm": "a"}), Arm("g", {"arm": "b"}))
    part = PartResult(contrast, "superiority", 0.01, "points", effects, looks, look=2)
    assert part.tested(Word.NEGLIGIBLE) < 0.001
    assert part.estimate > 0.1
    assert not any(part.reaches(word) for word in (Word.NEGLIGIBLE, Word.ABSENT))
    first = PartResult(contrast, "superiority", 0.01, "points", Effects(dict(list(effects.by_seed.items())[:8])), looks)
    assert all(first.reaches(word) for word in (Word.NEGLIGIBLE, Word.ABSENT))


def test_a_range_less_another_is_refused() -> None:
    best, worst = (Arm("g", {}, extreme=Extreme("level", take)) for take in TAKES)
    with pytest.raises(NormlabError, match="has no test"):
        Contrast(T, "test_accuracy", best, worst, less=(best, worst))


TAKES: tuple[Literal["best", "worst"], ...] = ("best", "worst")


def test_a_picked_reading_is_named_by_the_other_folds_on_validation_images() -> None:
    """Reading 2 is better on validation images in all seeds but 0 and 5, which are a fold: that one's are named by the others."""
    table = Table()
    table.add("a", [0.5] * 10, measure="validation_accuracy_decay_1")
    table.add("a", [0.3 if seed in (0, 5) else 0.6 for seed in range(10)], measure="validation_accuracy_decay_2")
    for value in (1, 2):
        table.add("a", [value / 10 + seed / 1000 for seed in range(10)], measure=f"test_accuracy_decay_{value}")
    best, worst = (Arm("g", {"arm": "a"}, Pick("{part}_accuracy_decay_{value}", (1, 2), take)) for take in TAKES)
    found = table.reader.effects(Contrast(T, "test_accuracy", best), {"setting": "s"}, {}, range(10))
    assert list(found.by_seed.values()) == pytest.approx([0.2 + seed / 1000 for seed in range(10)])
    spread = table.reader.effects(Contrast(T, "test_accuracy", best, worst), {"setting": "s"}, {}, range(10))
    assert list(spread.by_seed.values()) == pytest.approx([0.1] * 10)
    assert sorted(np.mean(list(pair.values())) for pair in spread.pairs) == pytest.approx([-0.1, 0.1])


def test_holm_counts_claims_that_were_not_run() -> None:
    alone = result(pair(0.01, 1.5), claim(delta=0.001))
    unrun = [claim(Contrast(T, "test_accuracy", Arm("absent"), Arm("absent")), id=f"u{i}") for i in range(9)]
    among = result(pair(0.01, 1.5), claim(delta=0.001), unrun)
    assert alone.p_support == among.p_support
    assert among.p_adjusted == pytest.approx(min(1, 10 * alone.p_adjusted))
    assert str(alone.verdict) == "holds"
    assert str(among.verdict) == "unresolved"


def test_corrections_are_the_textbooks() -> None:
    p = [0.01, 0.04, 0.03, 0.005]
    assert holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert benjamini_hochberg(p) == pytest.approx([0.02, 0.04, 0.04, 0.02])


@pytest.mark.parametrize("edge", ["positive", "negative", "below_delta", "above_minus_delta"])
def test_a_against_a_gives_uniform_p_values(edge: str) -> None:
    """One arm's seeds split in two at random, many times: the raw p of each test at its own boundary is uniform."""
    rng = np.random.default_rng(0)
    boundary = {"positive": 0.0, "negative": 0.0, "below_delta": 0.01, "above_minus_delta": -0.01}[edge]
    p_values = []
    for _ in range(400):
        arm = rng.normal(0.8, 0.02, 80)
        p_values.append(getattr(tails(arm[:40] - arm[40:] + boundary, 0.01), edge))
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


def test_planted_effects_are_recovered_at_the_nominal_rate() -> None:
    rng = np.random.default_rng(1)
    effect, sd, n = 0.03, 0.02, 10
    draws = [rng.normal(effect, sd, n) for _ in range(500)]
    power = np.mean([tails(d, 0.02).positive < 0.025 for d in draws])
    nominal = stats.nct.sf(stats.t.ppf(0.975, n - 1), n - 1, effect / sd * math.sqrt(n))
    assert power == pytest.approx(nominal, abs=0.06)
    assert np.mean([low < effect < high for _, low, high in map(interval, draws)]) == pytest.approx(0.95, abs=0.03)


def test_the_verdict_table_has_a_row_a_setting_and_one_for_all() -> None:
    found = result(pair(0.05, setting="t", table=pair(0.05)), claim())
    table = verdict_table(verdict_rows(found, "toy", "figures/c.svg"))
    assert list(table["setting"]) == ["s", "t", "all"]
    assert list(table.columns[:17]) == [
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
    ]
    assert list(table["verdict"]) == ["supported", "supported", "holds"]
    assert table["estimate"].iloc[2] == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize(("worse", "better", "same"), [(6, 1, 5), (0, 4, 3), (3, 3, 2)])
def test_sign_flips_of_one_pair_a_seed_are_mcnemars_exact_test(worse: int, better: int, same: int) -> None:
    effects = np.array([1.0] * worse + [-1.0] * better + [0.0] * same)
    exact = stats.binomtest(worse, worse + better, 0.5, alternative="greater").pvalue
    assert p_sign_flip(effects) == pytest.approx(exact)


def test_without_any_difference_sign_flips_show_nothing() -> None:
    assert p_sign_flip(np.zeros(20)) == 1.0


def test_a_share_of_failures_is_taken_over_the_members_of_a_range() -> None:
    table = Table()
    for init, broken in (("kaiming", (0, 0)), ("huge", (1, 0)), ("tiny", (1, 1))):
        for arm, failed in zip("ab", broken, strict=True):
            table.add(arm, [float(failed)] * 8, init=init, measure="failed")
    share = Contrast(T, "failed_share", Arm("g", {"arm": "a"}), Arm("g", {"arm": "b"}), over="init", test="sign_flip")
    found = result(table, claim(share, delta=0.05))
    assert found.settings[0].parts[0].estimate == pytest.approx(2 / 3 - 1 / 3)
    assert found.settings[0].p(Word.SUPPORTED) == pytest.approx(0.5**8)
    assert str(found.verdict) == "holds"


def test_an_evaluation_that_was_not_made_yet_is_missing_and_an_undefined_one_excluded() -> None:
    table = (
        Table()
        .add("a", [0.9] * 6 + [None] * 2, measure="features.linear")
        .add("b", [0.5] * 8, measure="features.linear")
    )
    contrast = Contrast(T, "features.linear", Arm("g", {"arm": "a"}), Arm("g", {"arm": "b"}))
    found = result(table, claim(contrast))
    assert found.settings[0].parts[0].effects.excluded == 2
    assert str(found.verdict) == "holds"
    last = next(key for key in table.runs if key.startswith("g/s/a/report/7/"))
    table.unmeasured.add((last, "features"))
    assert str(result(table, claim(contrast)).verdict) == "not run"


def test_a_length_read_off_runs_that_both_arms_share_says_nothing_of_its_seed() -> None:
    """Both arms are one run at lengths 1, 2 and 4 and two at 8; seeds 0 to 3 reach the target by 4, the others by 8."""
    table = Table()
    for arm in "ab":
        for seed in range(8):
            for length, accuracy in (
                (1, 0.5),
                (2, 0.6),
                (4, 0.8 if seed < 4 else 0.65),
                (8, 0.9 if arm == "a" else 0.8),
            ):
                key = f"{'both' if length < 8 else arm}/{seed}/{length}"
                place = {"grid": "g", "setting": "s", "arm": arm, "role": "report", "seed": seed, "epochs": length}
                table.rows.append({**place, "run_key": key})
                table.runs[key] = ("ok", {"validation_accuracy_recalibrated": accuracy})
    arms = (Arm("g", {"arm": "b"}), Arm("g", {"arm": "a"}))
    read = table.reader.effects(
        Contrast(T, "length_to@0.7", *arms, over="epochs"), {"setting": "s"}, {}, list(range(8))
    )
    assert sorted(read.by_seed) == [4, 5, 6, 7]
    assert read.excluded == 4
    expected = math.log(2) * (0.05 / 0.15 - 0.05 / 0.25)  # b reaches 0.7 later on the way from 4 to 8 epochs
    assert list(read.by_seed.values()) == pytest.approx([expected] * 4)
