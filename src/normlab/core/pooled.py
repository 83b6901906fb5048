"""A claim's effect over its settings: random effects, with the spread between settings integrated out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from normlab.core.statistics import spread

POINTS = 200  # of τ at which the posterior is evaluated
LARGEST_TAU = 6.0  # in units of the prior's scale


@dataclass(frozen=True)
class Effect:
    """θ/δ of one setting by seed, the runs that it was read off, and its resolution in the same unit."""

    by_seed: dict[int, float]
    keys: frozenset[str] = frozenset()
    step: float = 0.0


@dataclass(frozen=True, eq=False)
class Mixture:
    """A mixture of normal distributions: Σ w·N(μ, σ²)."""

    weights: np.ndarray
    means: np.ndarray
    deviations: np.ndarray

    def below(self, x: float) -> float:
        """Pr(X < x)."""
        return float(self.weights @ special.ndtr((x - self.means) / self.deviations))

    def quantile(self, share: float) -> float:
        """The x of which Pr(X < x) is ``share``."""
        low, high = (self.means - 12 * self.deviations).min(), (self.means + 12 * self.deviations).max()
        return float(optimize.brentq(lambda x: self.below(x) - share, low, high, xtol=1e-6))


@dataclass(frozen=True)
class Pooled:
    """What the settings together say, in units of δ.

    ``mean`` is the average effect over settings like these with its 95 % interval, ``predict_low`` and ``predict_high`` bound the effect
    of a further such setting with 95 %, ``tau`` is the posterior mean of the standard deviation between settings. ``new`` is the
    distribution of that further effect, θ_new.
    """

    mean: float
    low: float
    high: float
    predict_low: float
    predict_high: float
    tau: float
    new: Mixture

    def above(self, x: float) -> float:
        """Pr(θ_new > x)."""
        return 1.0 - self.new.below(x)

    @property
    def pr_support(self) -> float:
        """Pr(θ_new > δ)."""
        return self.above(1.0)

    @property
    def pr_opposed(self) -> float:
        """Pr(θ_new < −δ)."""
        return 1.0 - self.above(-1.0)

    @property
    def pr_negligible(self) -> float:
        """Pr(|θ_new| < δ)."""
        return self.above(-1.0) - self.above(1.0)


def pool(effects: Sequence[Effect]) -> Pooled | None:
    """Random effects over settings; None for fewer than two.

    y ~ N(μ, V + τ²I) with y the mean of θ/δ in each setting and V its covariance: the variances of the means, and between settings that
    share runs the covariance of their per-seed effects, its correlations shrunk towards none. Priors are flat for μ and half-normal(1)
    for τ; p(τ | y) ∝ exp(−τ²/2) |V + τ²I|^(−1/2) (1ᵀΣ⁻¹1)^(−1/2) exp(−Q/2), integrated numerically (Röver 2020,
    doi:10.18637/jss.v093.i06).
    """
    effects = [effect for effect in effects if len(effect.by_seed) >= 3]
    if len(effects) < 2:
        return None
    y = np.array([np.mean(list(effect.by_seed.values())) for effect in effects])
    covariance = _covariance(effects)
    taus = np.concatenate([[0.0], np.geomspace(1e-3, LARGEST_TAU, POINTS - 1)])
    ones = np.ones(len(y))
    factors = np.linalg.cholesky(covariance + taus[:, None, None] ** 2 * np.eye(len(y)))  # (τ, settings, settings)
    white_y, white_1 = np.moveaxis(np.linalg.solve(factors, np.stack([y, ones], axis=1)[None]), 2, 0)
    precision = (white_1**2).sum(1)
    means, variances = (white_1 * white_y).sum(1) / precision, 1 / precision
    rest = white_y - white_1 * means[:, None]
    determinants = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(1)
    logs = -(taus**2) / 2 - determinants - np.log(precision) / 2 - (rest**2).sum(1) / 2
    density = np.exp(logs - logs.max())
    weights = density * np.gradient(taus)
    weights /= weights.sum()
    mean = Mixture(weights, means, np.sqrt(variances))
    new = Mixture(weights, means, np.sqrt(variances + taus**2))
    return Pooled(
        float(weights @ means),
        mean.quantile(0.025),
        mean.quantile(0.975),
        new.quantile(0.025),
        new.quantile(0.975),
        float(weights @ taus),
        new,
    )


def _covariance(effects: Sequence[Effect]) -> np.ndarray:
    """The covariance of the settings' means. A variance of n values is that of a t-distributed mean, (n−1)/(n−3) as large."""
    size = len(effects)
    found = np.zeros((size, size))
    for i, effect in enumerate(effects):
        values = np.array(list(effect.by_seed.values()))
        n = len(values)
        inflation = (n - 1) / (n - 3) if n > 3 else 3.0
        found[i, i] = max(inflation * spread(values, effect.step) ** 2 / n, 1e-6)
    for i in range(size):
        for j in range(i):
            if effects[i].keys & effects[j].keys:
                share = _correlation(effects[i].by_seed, effects[j].by_seed)
                found[i, j] = found[j, i] = share * math.sqrt(found[i, i] * found[j, j])
    return _positive(found)


def _correlation(a: dict[int, float], b: dict[int, float]) -> float:
    """The correlation of two settings' means, shrunk towards none as Schäfer and Strimmer (2005) do: r·(1 − Var(r)/r²)."""
    seeds = sorted(set(a) & set(b))
    n = len(seeds)
    x, y = (np.array([effects[seed] for seed in seeds]) for effects in (a, b))
    if n < 4 or x.std() == 0 or y.std() == 0:
        return 0.0
    r = float(np.corrcoef(x, y)[0, 1])
    noise = (1 - r**2) ** 2 / (n - 1)
    return r * max(0.0, 1 - noise / max(r**2, 1e-12)) * n / math.sqrt(len(a) * len(b))


def _positive(covariance: np.ndarray) -> np.ndarray:
    """The covariance with its correlations made smaller as far as it takes to be one (pairs are estimated one by one)."""
    scale = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(scale, scale)
    lowest = float(np.linalg.eigvalsh(correlation)[0])
    if lowest < 1e-3:
        share = (1 - 1e-3) / (1 - lowest)
        correlation = share * correlation + (1 - share) * np.eye(len(scale))
    return np.asarray(correlation * np.outer(scale, scale))
