"""Levels of a range, best and worst, named by other seeds than those that they are counted at."""

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

FOLDS = 5
Level = TypeVar("Level")


def extreme_levels(
    measured: Mapping[Level, Mapping[int, float | None]], seeds: Sequence[int], highest: bool
) -> dict[int, Level]:
    """For every seed the level with the highest (or lowest) mean of ``measured`` over the seeds of the other folds.

    Seeds take turns in the five folds. Without cross-fitting the best of several levels is the luckiest: between equal levels best − worst
    would be above 0. A level that has no number in some seed is not named. Ties go to the first level.
    """
    fold_of = {seed: place % FOLDS for place, seed in enumerate(seeds)}
    sign = 1.0 if highest else -1.0

    def mean(level: Level, fold: int) -> float:
        others = [value for seed, value in measured[level].items() if fold_of.get(seed, fold) != fold]
        numbers = [-math.inf if value is None else sign * value for value in others]
        return sum(numbers) / len(numbers) if numbers else -math.inf

    named = {fold: max(measured, key=lambda level: mean(level, fold)) for fold in set(fold_of.values()) if measured}
    return {seed: named[fold] for seed, fold in fold_of.items() if fold in named}
