"""The statistics of paired effects, one a seed: one-sided t-tests, intervals, and corrections for many claims."""

import gc
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from scipy import special, stats
from statsmodels.stats.multitest import multipletests

ALPHA = 0.025  # of one tail


@dataclass(frozen=True)
class Tails:
    """One-sided p-values of four tests: what speaks for θ > 0, θ < 0, θ < δ and θ > −δ."""

    positive: float = 1.0
    negative: float = 1.0
    below_delta: float = 1.0
    above_minus_delta: float = 1.0


NO_TAILS = Tails()


def spread(effects: np.ndarray, step: float | None) -> float:
    """The standard deviation of effects, never below that of rounding to the measure's ``step``: step/√12."""
    return max(float(effects.std(ddof=1)), (step or 0.0) / math.sqrt(12))


def p_greater(effects: np.ndarray, bound: float, step: float | None = None) -> float:
    """One-sided p of the paired t-test against "the mean effect is at most ``bound``".

    Without any spread (all effects equal, no known step) the effects are taken for exact; if they lie on the bound, they say nothing.
    """
    sd = spread(effects, step)
    mean = float(effects.mean())
    if sd == 0:
        return 0.0 if mean > bound else 1.0
    return float(special.stdtr(len(effects) - 1, -(mean - bound) / (sd / math.sqrt(len(effects)))))


def p_less(effects: np.ndarray, bound: float, step: float | None = None) -> float:
    """One-sided p against "the mean effect is at least ``bound``"."""
    return p_greater(-effects, -bound, step)


def p_sign_flip(effects: np.ndarray) -> float:
    """One-sided p of the sign-flip permutation test against "the effects are symmetric around zero".

    For effects of −1, 0 and 1 this is McNemar's exact test, and computed as such. Otherwise all 2ⁿ flips for up to 16 effects,
    else 99,999 at random.
    """
    changed = effects[effects != 0]
    if not len(changed):
        return 1.0
    if len(set(np.abs(changed))) == 1:
        return float(stats.binom.sf((changed > 0).sum() - 1, len(changed), 0.5))
    found = stats.permutation_test(
        (effects,), _mean, permutation_type="samples", alternative="greater", vectorized=True,
        n_resamples=2**16 if len(effects) <= 16 else 99_999, rng=np.random.default_rng(0),
    )  # fmt: skip
    return float(found.pvalue)


def _mean(sample: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.asarray(sample.mean(axis=axis))


def tails(
    effects: np.ndarray,
    delta: float,
    step: float | None = None,
    against_zero: Literal["t", "sign_flip"] = "t",
    pairs: Sequence[np.ndarray] = (),
    p_range: float = 1.0,
) -> Tails:
    """The four tests of effects θ, one a seed; with fewer than three effects nothing is decided.

    All are t-tests, but for ``sign_flip`` those against zero. ``pairs`` are the effects of all pairs of levels of a range, of which
    ``effects`` is only a lower bound: it is below δ if every pair is, above −δ by its nature, and ``p_range`` says whether it is above 0
    (:meth:`normlab.core.levels.Range.p`).
    """
    if len(effects) < 3:
        return NO_TAILS
    if against_zero == "sign_flip":
        positive, negative = p_sign_flip(effects), p_sign_flip(-effects)
    else:
        positive, negative = p_greater(effects, 0.0, step), p_less(effects, 0.0, step)
    if pairs:
        below = max(p_less(pair, delta, step) if len(pair) > 2 else 1.0 for pair in pairs)
        return Tails(p_range, 1.0, below, below)
    return Tails(positive, negative, p_less(effects, delta, step), p_greater(effects, -delta, step))


def spent(looks: Sequence[Tails], weights: Sequence[float]) -> Tails:
    """The p-values after several looks: the smallest p_j / w_j of each test, valid at whichever look it stops."""

    def least(name: str) -> float:
        return min(1.0, *(getattr(look, name) / weight for look, weight in zip(looks, weights, strict=False)))

    return Tails(*(least(field.name) for field in fields(Tails)))


def interval(effects: np.ndarray, step: float | None = None) -> tuple[float, float, float]:
    """The mean and its 95 % t-interval; without bounds for fewer than three effects."""
    n = len(effects)
    mean = float(effects.mean()) if n else math.nan
    if n < 3:
        return mean, math.nan, math.nan
    half = float(special.stdtrit(n - 1, 0.975)) * spread(effects, step) / math.sqrt(n)
    return mean, mean - half, mean + half


def seeds_needed(effects: np.ndarray, half_width: float, step: float | None = None) -> float:
    """How many seeds would make the interval as narrow as ``half_width`` on either side, the spread being what it is."""
    if len(effects) < 3 or half_width <= 0:
        return math.nan
    sd, n = spread(effects, step), len(effects)
    while special.stdtrit(n - 1, 0.975) * sd / math.sqrt(n) > half_width and n < 100_000:
        n = max(n + 1, int(n * 1.02))
    return float(n)


def bootstrap_interval(effects: np.ndarray) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of the mean, which stands beside the t-interval as a check."""
    if len(effects) < 3:
        return math.nan, math.nan
    if effects.std() == 0:
        return float(effects[0]), float(effects[0])
    found = stats.bootstrap((effects,), np.mean, method="percentile", rng=np.random.default_rng(0))
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def holm(p_values: list[float]) -> list[float]:
    """Holm's step-down adjustment."""
    return _adjusted(p_values, "holm")


def benjamini_hochberg(p_values: list[float]) -> list[float]:
    """Benjamini and Hochberg's q-values."""
    return _adjusted(p_values, "fdr_bh")


def _adjusted(p_values: list[float], method: str) -> list[float]:
    if not p_values:
        return []
    gc.freeze()  # statsmodels collects garbage on every call, which among all objects of a report takes long.
    try:
        return [float(p) for p in multipletests(p_values, method=method)[1]]
    finally:
        gc.unfreeze()
