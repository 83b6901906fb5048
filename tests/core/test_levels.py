"""The test of a range of levels: fair where all levels are alike, and finding where one is not."""

import numpy as np
import pytest
from scipy import stats

from normlab.core.levels import Range, _t_of_range


def of(named: np.ndarray, counted: np.ndarray) -> float:
    seeds = range(len(named))
    return Range(dict(zip(seeds, named, strict=True)), dict(zip(seeds, counted, strict=True))).p(list(seeds))  # type: ignore[arg-type]


@pytest.mark.parametrize(("seeds", "levels", "shared"), [(8, 2, 0.0), (10, 6, 0.5), (16, 4, 1.0)])
def test_levels_that_are_alike_are_told_apart_no_more_often_than_the_test_may(
    seeds: int, levels: int, shared: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``shared``: how much of what validation images say of a run is what test images say."""
    monkeypatch.setattr("normlab.core.levels.PERMUTATIONS", 199)
    source = np.random.default_rng(3)
    p_values = []
    for _ in range(300):
        good = source.standard_normal((seeds, levels)) + source.standard_normal((seeds, 1))
        named = shared * good + (1 - shared) * source.standard_normal((seeds, levels))
        p_values.append(of(named, good))
    for alpha in (0.025, 0.1, 0.5):
        found = sum(p <= alpha for p in p_values)
        assert stats.binomtest(found, len(p_values), alpha, alternative="greater").pvalue > 0.001, (alpha, found)


def test_the_t_test_of_cross_fitted_differences_would_err_twice_as_often_as_it_may() -> None:
    """Why a range is not tested so."""
    source, found = np.random.default_rng(5), 0
    for _ in range(1000):
        good = source.standard_normal((10, 6))
        t = _t_of_range(good, good)
        found += stats.t.sf(t, 9) <= 0.025
    assert stats.binomtest(found, 1000, 0.05, alternative="greater").pvalue < 0.01


def test_a_level_that_is_worse_in_every_seed_is_found() -> None:
    source = np.random.default_rng(0)
    good = source.standard_normal((8, 3)) + np.array([0.0, 0.0, -4.0])
    assert of(good, good) < 0.005


def test_of_two_levels_all_shuffles_are_flips_of_sign() -> None:
    """Ten seeds in which one level is better by as much: only the flip of all or of none is as extreme, two of 2¹⁰."""
    named = np.tile([1.0, 0.0], (10, 1))
    assert of(named, named) == pytest.approx(2 / 2**10, abs=0.002)


def test_fewer_than_three_seeds_decide_nothing() -> None:
    assert of(np.eye(2), np.eye(2)) == 1.0


def test_one_level_decides_nothing() -> None:
    assert of(np.ones((10, 1)), np.ones((10, 1))) == 1.0
