"""Whether an effect depends on where it is measured: tests of a claim's registered moderators."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import special

from normlab.core.claim import Moderator
from normlab.core.statistics import spread
from normlab.core.trial import SettingResult

BED = "setting"  # the axis whose values share no seeds: data, net and length change together
BySeed = Mapping[int, float]


def p_moderator(moderator: Moderator, settings: Sequence[SettingResult]) -> float:
    """Two-sided p against "θ/δ is on average the same along the axis, everything else alike"; 1 where nothing can be compared.

    Within a bed a seed has one number: the slope of its effects on the logarithm of their place to base 2 (of two names the difference),
    averaged over whatever else differs. Their means, averaged over beds, are tested by a t-test with Satterthwaite's degrees of
    freedom; where the axis is the bed itself, the difference of two beds' means is (Welch's test). The spread of a number is never
    below that of rounding to the measure's step.
    """
    by_place: dict[Any, list[SettingResult]] = {}
    for setting in settings:
        if moderator.axis in setting.at and setting.run and not setting.same:
            others = {axis: value for axis, value in setting.at.items() if axis != moderator.axis}
            case = None if moderator.axis in (setting.case.at or {}) else id(setting.case)
            by_place.setdefault((case, repr(sorted(others.items()))), []).append(setting)
    by_bed: dict[Any, list[BySeed]] = {}
    for group in by_place.values():
        for part in range(min(len(setting.parts) for setting in group)):
            levels = [(s.at[moderator.axis], s.parts[part].as_effect.by_seed) for s in group]
            if moderator.axis != BED:
                by_bed.setdefault(group[0].at.get(BED), []).append(_along(levels))
            elif len(levels) > 1:
                for bed, effects in levels[:2]:
                    by_bed.setdefault(bed, []).append(effects)
    step = max((part.as_effect.step for setting in settings for part in setting.parts), default=0.0)
    vectors = [values for groups in by_bed.values() if len(values := _averaged(groups)) >= 3]
    if moderator.axis == BED:
        return _p_of_sum(vectors, (1.0, -1.0), step) if len(vectors) == 2 else 1.0
    return _p_of_sum(vectors, (1.0 / len(vectors),) * len(vectors), step) if vectors else 1.0


def _along(levels: Sequence[tuple[Any, BySeed]]) -> dict[int, float]:
    """Per seed, the slope over places that are numbers, or of names the first one's mean effect less the mean of the others'."""
    seeds = sorted(set.intersection(*(set(effects) for _, effects in levels)))
    values = np.array([[effects[seed] for seed in seeds] for _, effects in levels])
    if len(levels) < 2:
        return {}
    try:
        places = np.log2([float(place) for place, _ in levels])
    except (TypeError, ValueError):
        first = np.array([place == levels[0][0] for place, _ in levels])
        return {} if first.all() else dict(zip(seeds, values[first].mean(0) - values[~first].mean(0), strict=True))
    centred = places - places.mean()
    return dict(zip(seeds, centred @ values / (centred @ centred), strict=True)) if centred.any() else {}


def _averaged(groups: Sequence[BySeed]) -> np.ndarray:
    """Each seed's mean over groups, of the seeds that all have; groups without any say nothing."""
    told = [group for group in groups if group]
    seeds = sorted(set.intersection(*map(set, told))) if told else []
    return np.array([np.mean([group[seed] for group in told]) for seed in seeds])


def _p_of_sum(vectors: Sequence[np.ndarray], weights: Sequence[float], step: float) -> float:
    """Two-sided p of a weighted sum of independent means against 0; without any spread and step the means are taken for exact."""
    total = sum(weight * vector.mean() for weight, vector in zip(weights, vectors, strict=True))
    parts = [w**2 * spread(v, step) ** 2 / len(v) for w, v in zip(weights, vectors, strict=True)]
    variance = sum(parts)
    if variance == 0:
        return 0.0 if total else 1.0
    freedom = variance**2 / sum(part**2 / (len(v) - 1) for part, v in zip(parts, vectors, strict=True))
    return float(2 * special.stdtr(freedom, -abs(total) / math.sqrt(variance)))
