"""Levels of a range, best and worst, named by other seeds than those that they are counted at, and the test of the range."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

FOLDS = 5
PERMUTATIONS = 9_999
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


@dataclass(frozen=True)
class Range:
    """What the levels of a range have: by seed, a number a level on ``validation`` images, by which levels are named (the higher, the more
    it is for the one that the range adds), and in ``effects``, by which they are counted.
    """

    validation: Mapping[int, Sequence[float]]
    effects: Mapping[int, Sequence[float]]

    def p(self, seeds: Sequence[int]) -> float:
        """One-sided p of "best − worst is above 0" against "which level a seed's numbers belong to makes no difference".

        The t of the cross-fitted differences, against its values when each seed's levels are shuffled (all of its numbers alike), 9,999
        times at random. A t-test of these differences would be wrong: what names a level at one seed is counted at the others, so
        that all seeds name the luckier of two equal levels together, and one side's errors are twice the nominal and more.
        """
        known = [seed for seed in seeds if seed in self.validation and seed in self.effects]
        if len(known) < 3 or len(self.validation[known[0]]) < 2:
            return 1.0
        named, counted = (np.array([of[seed] for seed in known], float) for of in (self.validation, self.effects))
        source = np.random.default_rng(0)
        n, levels = named.shape
        orders = source.permuted(np.broadcast_to(np.arange(levels), (PERMUTATIONS, n, levels)), axis=2)
        orders = np.concatenate([np.broadcast_to(np.arange(levels), (1, n, levels)), orders])
        seed = np.arange(n)[None, :, None]
        found = _t_of_range(named[seed, orders], counted[seed, orders])
        return float(np.mean(found >= found[0] - 1e-9))


def _t_of_range(named: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """The t of cross-fitted best − worst of numbers (…, seeds, levels)."""
    fold = np.arange(named.shape[-2]) % FOLDS
    apart: np.ndarray = np.empty(named.shape[:-1])
    for each in np.unique(fold):
        means = named[..., fold != each, :].mean(-2)
        here = counted[..., fold == each, :]
        best, worst = means.argmax(-1, keepdims=True), means.argmin(-1, keepdims=True)
        apart[..., fold == each] = (_taken(here, best) - _taken(here, worst)).squeeze(-1)
    mean, error = apart.mean(-1), apart.std(-1, ddof=1) / math.sqrt(apart.shape[-1])
    return np.asarray(mean / np.maximum(error, 1e-9 + 1e-9 * np.abs(mean)))


def _taken(numbers: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Of numbers (…, seeds, levels) those of a level (…, 1), (…, seeds, 1)."""
    return np.asarray(np.take_along_axis(numbers, level[..., None, :], -1))
