"""One arm against itself, and against itself with a planted effect, through every kind of contrast."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.power import TTestPower

from normlab.core.claim import Arm, Contrast, Extreme, Text
from normlab.core.effects import CellReader, Effects
from normlab.core.reading import Failed, OfMetric, Reading, Value
from normlab.core.statistics import Tails, spent, tails
from normlab.report.results import Results
from normlab.verdicts.cells import StoreNumbers

ALPHA = 0.05
PAIRS = 10  # a trial, as the first look has seeds where runs are short
LOOKS, WEIGHTS = (10, 20, 40), (0.4, 0.3, 0.3)  # seeds and weights of looks where runs are short
PAIRINGS = 15  # random pairings of all seeds
LEAST = 3  # effects, with fewer of which nothing is decided
DELTA = 0.01  # of accuracy
FAR = 10.0  # a δ that no difference here comes near
POWER = 0.8  # of a t-test of one trial at the planted effect, by its formula
DIVERGED = 0.2  # of the runs, where failures are put in

Decide = Callable[[Effects, float], float]  # of a trial's effects, and of what is planted on top of them


@dataclass(frozen=True)
class Kind:
    """A kind of contrast, the grid whose runs it reads, and how it decides.

    ``decide`` reads off the tests of a trial's effects the p-value that is at most uniform where the arms are equal, at the edge of what
    the test rejects. ``runs`` are the arms of a contrast, ``pairs`` the seeds of a trial. ``broken``: a fifth of the runs count as
    diverged. ``power``: whether a planted effect is to be found as often as the formula of the t-test says.
    """

    name: str
    contrast: Contrast
    decide: Decide
    grid: str = "same"
    runs: int = 2
    pairs: int = PAIRS
    broken: bool = False
    power: bool = True


def superior(effects: Effects, planted: float) -> float:
    return tails(effects.array + planted, FAR, effects.step).positive


def absent(effects: Effects, planted: float) -> float:
    return tails(effects.array + planted + FAR, FAR, effects.step).below_delta


def not_inferior(effects: Effects, planted: float) -> float:
    return tails(effects.array + planted - FAR, FAR, effects.step).above_minus_delta


def negligible(effects: Effects, planted: float) -> float:
    """At the edge, where the arms differ by δ."""
    found = tails(effects.array + planted + DELTA, DELTA, effects.step)
    return max(found.below_delta, found.above_minus_delta)


def failing(effects: Effects, planted: float) -> float:
    return tails(effects.array + planted, FAR, effects.step, "sign_flip").positive


def looked_at(effects: Effects, planted: float) -> float:
    """Over all looks."""
    looks: list[Tails] = [tails(effects.array[:n] + planted, FAR, effects.step) for n in LOOKS]
    return spent(looks, WEIGHTS).positive


def spanning(effects: Effects, planted: float) -> float:
    """Of a range of levels; nothing is planted there."""
    del planted
    return effects.range.p(list(effects.by_seed)) if effects.range else 1.0


def contrast(measure: str, log: bool = False, less: bool = False, over: str | None = None) -> Contrast:
    a, b, c, d = (Arm("same", {"arm": name}) for name in "abcd")
    return Contrast(Text("", ""), measure, a, b, less=(c, d) if less else None, log=log, over=over)


ACCURACY = contrast("test_accuracy")
LENGTH, RATE, DEPTH = "training.epochs", "optimizer.lr", "net.depth"
BEST, WORST = (Arm("same", {"arm": "a"}, extreme=Extreme("level", take)) for take in ("best", "worst"))
KINDS = (
    Kind("accuracy, larger", ACCURACY, superior),
    Kind("accuracy, larger, over three looks", ACCURACY, looked_at, pairs=max(LOOKS), power=False),
    Kind("accuracy, no gain of δ", ACCURACY, absent, power=False),
    Kind("accuracy, not inferior", ACCURACY, not_inferior),
    Kind("accuracy, no difference of δ", ACCURACY, negligible, power=False),
    Kind("accuracy, a fifth of runs diverged", ACCURACY, superior, broken=True),
    Kind("ratio of losses", contrast("train_loss", log=True), superior),
    Kind("ratio of training times", contrast("train_seconds", log=True), superior),
    Kind("gap at equal loss", contrast("accuracy_gap@{loss}"), superior),
    Kind("difference of differences", contrast("test_accuracy", less=True), superior, runs=4),
    Kind("length to a target", contrast("length_to@{target}", over=LENGTH), superior, grid="lengths", power=False),
    Kind(
        "largest rate that trains",
        contrast("largest_trained_rate@0.23", over=RATE),
        superior,
        grid="rates",
        power=False,
    ),
    Kind(
        "largest depth that trains",
        contrast("largest_depth_above@0.5", over=DEPTH),
        superior,
        grid="depths",
        power=False,
    ),
    Kind(
        "best of three levels − worst",
        Contrast(Text("", ""), "test_accuracy", BEST, WORST),
        spanning,
        runs=3,
        power=False,
    ),
    Kind("failures (McNemar)", contrast("failed"), failing, broken=True, power=False),
)


class WithFailures(StoreNumbers):
    """The store's numbers, but that some of its runs count as diverged."""

    def __init__(self, results: Results, broken: frozenset[str]) -> None:
        super().__init__(results.store)
        self.broken = broken

    def value(self, run_key: str, reading: Reading) -> Value | None:
        if run_key not in self.broken:
            return super().value(run_key, reading)
        if isinstance(reading, Failed):
            return Value(1.0)
        chance = (self.store.facts(run_key) or {}).get("chance")
        counts = isinstance(reading, OfMetric) and reading.metric.failed == "chance" and chance is not None
        return Value(float(chance)) if counts and chance is not None else None


@dataclass(frozen=True)
class Found:
    """Of a kind of contrast, a p-value a trial, and in what share of the trials a planted effect was found."""

    p_values: np.ndarray
    power: float = float("nan")

    @property
    def share(self) -> float:
        """Of the trials with p ≤ ALPHA."""
        return float(np.mean(self.p_values <= ALPHA))


@lru_cache(maxsize=4)  # for the table and for the figure
def trials(results: Results, setting: str) -> dict[str, Found]:
    """What every kind finds, by the code that decides claims."""
    found = {}
    for kind in KINDS:
        rows = results.select(kind.grid, setting=setting)
        if len(rows) and rows["seed"].nunique() >= kind.runs * kind.pairs:
            of_kind = _of_kind(kind, results, setting, rows)
            if len(of_kind.p_values):
                found[kind.name] = of_kind
    return found


def _of_kind(kind: Kind, results: Results, setting: str, rows: pd.DataFrame) -> Found:
    source = np.random.default_rng(zlib.crc32(kind.name.encode()))  # pairings of its own
    keys = sorted(rows["run_key"])
    broken = source.choice(keys, round(DIVERGED * len(keys)), replace=False) if kind.broken else ()
    numbers = WithFailures(results, frozenset(map(str, broken)))
    by_seed: dict[int, list[dict[str, Any]]] = {}
    for row in rows.to_dict("records"):
        by_seed.setdefault(int(row["seed"]), []).append({str(name): value for name, value in row.items()})
    constants = results.design.at(results.scale).settings[setting].constants
    found = [
        effects
        for _ in range(PAIRINGS)
        for effects in _trials(kind, source.permutation(list(by_seed)).tolist(), by_seed, numbers, constants)
    ]
    p_values = np.array([kind.decide(effects, 0.0) for effects in found])
    if not kind.power or not found:
        return Found(p_values)
    # An effect that one trial's t-test at α/2 finds with a chance of POWER, put on top of what is there.
    whole = np.concatenate([effects.array for effects in found])
    planted = float(whole.std(ddof=1)) * _detectable(kind.pairs) - float(whole.mean())
    return Found(p_values, float(np.mean([kind.decide(effects, planted) <= ALPHA / 2 for effects in found])))


def _trials(
    kind: Kind,
    order: list[int],
    by_seed: dict[int, list[dict[str, Any]]],
    numbers: StoreNumbers,
    constants: dict[str, float],
) -> Iterator[Effects]:
    """θ of the pairs (or fours) of seeds that stand beside one another in ``order``, trial by trial; none is in two trials."""
    size = kind.pairs * kind.runs
    for first in range(0, len(order) - size + 1, size):
        cells = [
            {**row, "grid": "same", "role": "report", "seed": place, **_as_arm(kind, arm)}
            for place in range(kind.pairs)
            for arm in range(kind.runs)
            for row in by_seed[order[first + place * kind.runs + arm]]
        ]
        effects = CellReader(cells, numbers).effects(kind.contrast, {}, constants, list(range(kind.pairs)))
        if len(effects.by_seed) >= LEAST:
            yield effects


def _as_arm(kind: Kind, arm: int) -> dict[str, str]:
    """What makes a run one arm of its contrast: its name, or a level of a range in an arm."""
    if kind.contrast.is_range:
        return {"arm": "a", "level": "abc"[arm]}
    return {"arm": "abcd"[arm]}


def _detectable(pairs: int) -> float:
    """The effect, in standard deviations, that a one-sided t-test of so many pairs at α/2 finds with a chance of POWER."""
    found = TTestPower().solve_power(nobs=pairs, alpha=ALPHA / 2, power=POWER, alternative="larger")
    return float(found)


@lru_cache(maxsize=8)
def fair_share(seeds: int, pairs: int, runs: int) -> tuple[float, float]:
    """Between what a fair test's share of p ≤ 0.05 lies in 95 of 100 such experiments: the same pairings of as many normal numbers."""
    source = np.random.default_rng(1)
    shares = []
    for _ in range(200):
        values = source.standard_normal(seeds)
        found = []
        for _ in range(PAIRINGS):
            order = source.permutation(values)[: seeds // runs * runs].reshape(-1, runs)
            signs = np.array([1, -1, -1, 1])[:runs]
            effects = order @ signs
            whole = effects[: len(effects) // pairs * pairs].reshape(-1, pairs)
            t = whole.mean(1) / (whole.std(1, ddof=1) / np.sqrt(pairs))
            found.append(stats.t.sf(t, pairs - 1) <= ALPHA)
        shares.append(np.mean(found))
    low, high = np.quantile(shares, [0.025, 0.975])
    return float(low), float(high)
