"""How far outcomes lie apart: the jackknife of a ratio of standard deviations, and lengths in seconds."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from normlab.core.claim import Arm, Contrast, Text
from normlab.core.effects import CellReader, _pseudo_values
from normlab.core.reading import Value
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


def test_the_shortest_length_that_is_already_there_is_censored() -> None:
    reading = parse("length_to@0.7")
    found = reading.over([1.0, 2.0], [0.8, 0.9])  # type: ignore[union-attr]
    assert found.censored
    assert found.number == pytest.approx(0.0)


def test_roughness_is_that_of_the_logarithm_about_its_slope() -> None:
    steps = np.arange(1, 101)
    smooth = pd.DataFrame({"step": steps, "probe_loss": np.exp(-0.01 * steps)})
    jagged = smooth.assign(probe_loss=smooth["probe_loss"] * np.exp(0.05 * (-1.0) ** steps))
    reading = parse("roughness@0.4,0.9")
    assert reading.seen_in(smooth) == pytest.approx(0.0, abs=1e-9)  # type: ignore[union-attr]
    assert reading.seen_in(jagged) == pytest.approx(0.1 * 8 / 9, rel=1e-6)  # type: ignore[union-attr]
    assert reading.seen_in(jagged.assign(probe_loss=jagged["probe_loss"] * 7)) is None  # type: ignore[union-attr]


class Known:
    """Accuracies by run key; those that are None failed."""

    def __init__(self, accuracies: dict[str, float | None]) -> None:
        self.accuracies = accuracies

    def value(self, run_key: str, reading: object) -> Value | None:
        return Value(self.accuracies[run_key] or 0.1)

    def status(self, run_key: str) -> str:
        return "ok" if self.accuracies[run_key] is not None else "diverged"


def test_a_spread_is_that_of_the_seeds_of_which_no_run_failed() -> None:
    rows = [
        {
            "grid": "g",
            "cell": arm,
            "role": "report",
            "seed": seed,
            "run_key": f"{arm}{seed}",
            "setting": "s",
            "arm": arm,
        }
        for arm in "ab"
        for seed in range(6)
    ]
    trained = {row["run_key"]: 0.5 + 0.1 * (row["seed"] * (2 if row["arm"] == "a" else 1) % 5) for row in rows}
    text = Text("x", "x")
    contrast = Contrast(text, "test_accuracy", Arm("g", {"arm": "a"}), Arm("g", {"arm": "b"}), spread=True)
    with_failure = CellReader(rows, Known({**trained, "a5": None}))  # type: ignore[arg-type]
    found = with_failure.effects(contrast, {"setting": "s"}, {}, tuple(range(6)))
    without = CellReader([r for r in rows if r["seed"] < 5], Known(trained))  # type: ignore[arg-type]
    assert found.excluded == 1
    assert found.by_seed == without.effects(contrast, {"setting": "s"}, {}, tuple(range(5))).by_seed
