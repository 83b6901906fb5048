"""How far outcomes lie apart: the jackknife of a ratio of standard deviations, and lengths in seconds."""

import math

import numpy as np
import pytest
from scipy import stats

from normlab.core.effects import _pseudo_values
from normlab.core.readings import parse


def test_pseudo_values_have_the_ratio_for_a_mean_and_cover_it() -> None:
    source, covered, means = np.random.default_rng(0), 0, []
    for _ in range(400):
        pairs = {seed: (2 * a, b) for seed, (a, b) in enumerate(source.standard_normal((40, 2)))}
        found = np.array(list(_pseudo_values(pairs).values()))
        half = stats.t.isf(0.025, 39) * found.std(ddof=1) / math.sqrt(40)
        covered += abs(found.mean() - math.log(2)) <= half
        means.append(found.mean())
    assert np.mean(means) == pytest.approx(math.log(2), abs=0.02)
    assert 0.92 <= covered / 400 <= 0.98


def test_fewer_than_three_seeds_have_no_spread() -> None:
    assert _pseudo_values({0: (1.0, 2.0), 1: (2.0, 1.0)}) == {}


def test_a_length_in_seconds_has_a_unit_and_interpolates_on_its_logarithm() -> None:
    reading = parse("training_seconds_to@0.7")
    assert reading.unit is not None  # type: ignore[union-attr]
    found = reading.over([10.0, 20.0, 40.0], [0.5, 0.6, 0.8])  # type: ignore[union-attr]
    assert found.number == pytest.approx(math.log(20 * math.sqrt(2)))
