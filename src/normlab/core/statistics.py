"""The statistics of paired effects, one a seed: one-sided t-tests, intervals, and corrections for many claims."""

import gc
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

from normlab.core.claim import Kind

ALPHA = 0.05


@dataclass(frozen=True)
class Test:
    """What the effects say about one contrast: both one-sided decisions, the estimate and its intervals.

    ``p_support`` tests against the claim being false, ``p_refute`` against its being true (by the margin δ);
    ``low`` and ``high`` are the 95 % t-interval.
    """

    estimate: float
    low: float
    high: float
    p_support: float
    p_refute: float
    n: int


def spread(effects: np.ndarray, step: float | None) -> float:
    """The standard deviation of effects, never below that of rounding to the measure's ``step``: step/√12."""
    return max(float(effects.std(ddof=1)), (step or 0.0) / math.sqrt(12))


def p_greater(effects: np.ndarray, bound: float, step: float | None = None) -> float:
    """One-sided p of the paired t-test against "the mean effect is at most ``bound``".

    Without any spread (all effects equal, no known step) the effects are taken for exact.
    """
    sd = spread(effects, step)
    mean = float(effects.mean())
    if sd == 0:
        return 0.0 if mean > bound else 1.0
    return float(stats.t.sf((mean - bound) / (sd / math.sqrt(len(effects))), len(effects) - 1))


def p_less(effects: np.ndarray, bound: float, step: float | None = None) -> float:
    """One-sided p against "the mean effect is at least ``bound``"."""
    return p_greater(-effects, -bound, step)


def p_sign_flip(effects: np.ndarray) -> float:
    """One-sided p of the sign-flip permutation test against "the effects are symmetric around zero".

    For effects of −1, 0 and 1 this is McNemar's exact test. All 2ⁿ flips for up to 16 effects, else 99,999 at random.
    """
    if not effects.any():
        return 1.0
    found = stats.permutation_test(
        (effects,), _mean, permutation_type="samples", alternative="greater", vectorized=True,
        n_resamples=2**16 if len(effects) <= 16 else 99_999, rng=np.random.default_rng(0),
    )  # fmt: skip
    return float(found.pvalue)


def _mean(sample: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.asarray(sample.mean(axis=axis))


def decide(
    effects: np.ndarray,
    kind: Kind,
    delta: float,
    step: float | None = None,
    against_zero: Literal["t", "sign_flip"] = "t",
) -> Test:
    """Test effects θ in the claimed direction by the protocol's rules for ``kind``.

    - superiority: supports by rejecting θ ≤ 0 (the estimate must also reach δ), refutes by rejecting θ ≥ δ
    - equivalence: supports by rejecting θ ≤ −δ and θ ≥ δ, refutes by rejecting |θ| ≤ δ (Bonferroni over the two sides)
    - noninferiority: supports by rejecting θ ≤ −δ, refutes by rejecting θ ≥ −δ

    ``against_zero`` is the test by which a superiority claim rejects θ ≤ 0; all others are t-tests. With fewer than three
    effects nothing is decided (p = 1).
    """
    n = len(effects)
    mean = float(effects.mean()) if n else math.nan
    if n < 3:
        return Test(mean, math.nan, math.nan, 1.0, 1.0, n)
    if kind == "superiority":
        support = p_sign_flip(effects) if against_zero == "sign_flip" else p_greater(effects, 0.0, step)
        refute = p_less(effects, delta, step)
    elif kind == "equivalence":
        support = max(p_greater(effects, -delta, step), p_less(effects, delta, step))
        refute = min(1.0, 2 * min(p_greater(effects, delta, step), p_less(effects, -delta, step)))
    else:
        support, refute = p_greater(effects, -delta, step), p_less(effects, -delta, step)
    half = float(stats.t.ppf(0.975, n - 1)) * spread(effects, step) / math.sqrt(n)
    return Test(mean, mean - half, mean + half, support, refute, n)


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
