"""Which normalization: the rule on synthetic accuracies, its table and its map."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy import stats

from normlab.report.choice import (
    Candidate,
    Situation,
    choice_figure,
    choice_table,
    choose,
    pareto_figure,
    pareto_front,
)

SEEDS = range(5)
NOISE = np.array([-1.2, 0.7, 0.1, -0.4, 0.8]) * 0.01


def candidate(method: str, mean: float, noise: float = 0.1, **costs: float) -> Candidate:
    """Seeds share their difficulty; ``noise`` is what is a method's own."""
    own = noise * np.roll(NOISE, sum(map(ord, method)))
    return Candidate(method, {s: mean + 0.02 * s + float(own[s]) for s in SEEDS}, **costs)


NONE = candidate("none", 0.70, step_seconds=0.010, saved_bytes=1000.0)
BATCH = candidate("batch", 0.90, step_seconds=0.015, saved_bytes=2000.0)
GROUP = candidate("group", 0.8999, noise=1, step_seconds=0.012, saved_bytes=1500.0)
LAYER = candidate("layer", 0.88, step_seconds=0.011, saved_bytes=1800.0)
SITUATION = Situation("mnist", "CNN", 128, [NONE, BATCH, GROUP, LAYER])


def test_the_best_has_the_highest_mean_and_equals_are_those_not_shown_to_be_worse() -> None:
    choice = choose(SITUATION)
    assert choice.best is BATCH
    assert [c.method for c in choice.equals] == ["batch", "group"]  # layer is 2 points behind in every seed
    assert choice.quickest is GROUP


def test_its_p_values_are_holms_of_paired_t_tests() -> None:
    choice = choose(SITUATION)
    raw = {
        c.method: stats.ttest_rel(
            list(BATCH.accuracy.values()), list(c.accuracy.values()), alternative="greater"
        ).pvalue
        for c in (NONE, GROUP, LAYER)
    }
    assert choice.p["group"] == pytest.approx(raw["group"])  # the largest of three is multiplied by one
    assert min(choice.p.values()) == pytest.approx(3 * min(raw.values()))


def test_with_unequal_seeds_only_shared_ones_are_compared_and_two_decide_nothing() -> None:
    few = Candidate("few", {0: 0.1, 1: 0.1, 77: 0.1})
    assert few in choose(Situation("mnist", "CNN", 2, [BATCH, few])).equals


def test_no_quickest_while_a_time_is_missing() -> None:
    untimed = Candidate("other", BATCH.accuracy)
    assert choose(Situation("mnist", "CNN", 2, [BATCH, untimed])).quickest is None


def test_the_table_says_gap_place_and_costs_over_none() -> None:
    table = choice_table([choose(SITUATION)]).set_index("method")
    assert list(table["place"]) == ["best", "not distinguishable", "", ""]
    assert table.loc["layer", "behind_best"] == pytest.approx(BATCH.mean - LAYER.mean)
    assert table.loc["batch", "step_over_none"] == pytest.approx(1.5)
    assert table.loc["batch", "memory_over_none"] == pytest.approx(2.0)
    assert math.isnan(table.loc["batch", "p_adjusted"])


def test_the_map_has_a_tile_for_every_method_and_situation() -> None:
    free = candidate("Fixup, no norm", 0.85)
    other = Situation("cifar10", "ResNet-8", 32, [NONE, BATCH, free])
    figure = choice_figure([choose(SITUATION), choose(other)])
    texts = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert sum("±" in text for text in texts) == 7
    assert sum("★" in text for text in texts) == 2
    assert "×1.5" in texts  # batch norm's time over none's
    plt.close(figure)


def test_the_pareto_front_holds_what_nothing_beats_in_both() -> None:
    costs = {"none": 1.0, "layer": 1.1, "group": 1.2, "batch": 1.5, "dear": 2.0}
    accuracy = {"none": 70.0, "layer": 88.0, "group": 85.0, "batch": 90.0, "dear": 90.0}
    assert pareto_front(costs, accuracy) == ["none", "layer", "batch"]


def test_accuracy_against_cost_labels_every_method_without_overlap() -> None:
    figure = pareto_figure([choose(SITUATION)])
    assert figure is not None
    figure.canvas.draw()
    for ax in figure.axes:
        boxes = [text.get_window_extent() for text in ax.texts]
        assert len(boxes) == 4
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    plt.close(figure)


def test_accuracy_against_cost_needs_costs() -> None:
    assert pareto_figure([choose(Situation("mnist", "CNN", 2, [BATCH, Candidate("other", BATCH.accuracy)]))]) is None
