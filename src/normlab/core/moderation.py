"""Whether an effect depends on where it is measured: tests of a claim's registered moderators."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from normlab.core.claim import Moderator
from normlab.core.trial import SettingResult

BED = "setting"  # the axis whose values do not share seeds: data, net and length change together


def p_moderator(moderator: Moderator, settings: Sequence[SettingResult]) -> float:
    """Two-sided p against "θ/δ is the same along the axis", everything else alike; of several such comparisons the smallest p, times
    their number.
    """
    groups: dict[Any, list[SettingResult]] = {}
    for setting in settings:
        if moderator.axis in setting.at and setting.run and not setting.same:
            others = {axis: value for axis, value in setting.at.items() if axis != moderator.axis}
            case = None if moderator.axis in (setting.case.at or {}) else id(setting.case)
            groups.setdefault((case, repr(others)), []).append(setting)
    found = [
        p
        for group in groups.values()
        for part in range(min(len(setting.parts) for setting in group))
        if (p := _p_along(moderator.axis, [(s.at[moderator.axis], s.parts[part].as_effect.by_seed) for s in group]))
    ]
    return min(1.0, len(found) * min(found)) if found else 1.0


def _p_along(axis: str, levels: list[tuple[Any, dict[int, float]]]) -> float | None:
    """Of one comparison; None if there is nothing to compare."""
    if len(levels) < 2:
        return None
    if axis == BED:
        pairs = list(itertools.combinations([list(effects.values()) for _, effects in levels], 2))
        if any(min(len(a), len(b)) < 3 for a, b in pairs):
            return None
        return float(min(1.0, len(pairs) * min(_welch(a, b) for a, b in pairs)))
    seeds = sorted(set.intersection(*(set(effects) for _, effects in levels)))
    if len(seeds) < 3:
        return None
    values = np.array([[effects[seed] for seed in seeds] for _, effects in levels])
    try:
        places = np.log2([float(place) for place, _ in levels])
    except (TypeError, ValueError):
        contrasts = [a - b for a, b in itertools.combinations(values, 2)]
        return float(min(1.0, len(contrasts) * min(_paired(contrast) for contrast in contrasts)))
    centred = places - places.mean()
    return _paired(centred @ values / (centred @ centred)) if centred.any() else None


def _paired(contrasts: np.ndarray) -> float:
    return 1.0 if contrasts.std() == 0 else float(stats.ttest_1samp(contrasts, 0.0).pvalue)


def _welch(a: Sequence[float], b: Sequence[float]) -> float:
    return 1.0 if np.std(a) + np.std(b) == 0 else float(stats.ttest_ind(a, b, equal_var=False).pvalue)
