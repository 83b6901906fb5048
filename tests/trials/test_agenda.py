"""What a trial does next, and what it makes of what it has: arithmetic whose answer is known."""

import math

import numpy as np
import pytest
from scipy import stats

from normlab.trials.agenda import Question, next_jobs, ranked
from normlab.trials.docket import YOURS
from normlab.trials.findings import paired, rank, width


def ask(name: str, pairs: int, *seconds: float, weight: float = 1.0, later: float = 0.0) -> Question[str]:
    """A question with a run a step, of so many seconds."""
    return Question(name, pairs, [[(f"{name}{i}", s)] for i, s in enumerate(seconds)], later, weight)


def test_a_first_pair_is_worth_more_than_any_further_one_of_the_same_length() -> None:
    assert [q.name for q in ranked([ask("b", 1, 10), ask("c", 4, 10), ask("a", 0, 10)])] == ["a", "b", "c"]


def test_more_is_learned_a_second_where_runs_are_short() -> None:
    assert ranked([ask("long", 0, 100), ask("short", 2, 1)])[0].name == "short"
    assert ranked([ask("tuned", 0, 10, later=1000), ask("other", 0, 10, later=10)])[0].name == "other"


def test_the_gain_of_all_pairs_together_is_that_of_the_interval() -> None:
    """Each pair takes 1/√n − 1/√(n + 1) off the half-width of an interval, in units of the spread."""
    assert sum(ask("q", n, 1).gain for n in range(1, 9)) == pytest.approx(1 - 1 / 3)


def test_what_would_end_too_late_is_not_begun() -> None:
    questions = [ask("q", 0, 5, 50), ask("r", 1, 8)]
    assert next_jobs(questions, 3, 60.0) == ["q0", "q1", "r0"]
    assert next_jobs(questions, 3, 10.0) == ["q0", "r0"]
    assert next_jobs(questions, 3, 1.0) == []


def test_a_job_of_two_questions_is_done_once() -> None:
    shared: list[list[tuple[str, float]]] = [[("same", 1.0)]]
    assert next_jobs([Question("a", 0, shared), Question("b", 0, shared)], 2, 10.0) == ["same"]


def test_a_difference_is_the_paired_t_interval() -> None:
    a, b = {0: 0.9, 1: 0.8, 2: 0.95, 3: 0.5}, {0: 0.85, 1: 0.82, 2: 0.90, 7: 0.1}
    effects = np.array([0.05, -0.02, 0.05])
    found = paired(a, b)
    assert found is not None
    half = stats.t.ppf(0.975, 2) * effects.std(ddof=1) / math.sqrt(3)
    assert found["n"] == 3
    assert (found["value"], found["low"], found["high"]) == pytest.approx(
        (effects.mean(), effects.mean() - half, effects.mean() + half)
    )
    assert found["p_better"] == pytest.approx(stats.t.cdf(effects.mean() / (effects.std(ddof=1) / math.sqrt(3)), 2))
    assert paired({0: 1.0}, {1: 1.0}) is None


def test_a_rank_is_told_with_its_doubt() -> None:
    seeds = range(10)
    noise = np.random.default_rng(1).normal(0, 0.001, 10)
    values = {
        YOURS: {s: 0.90 + noise[s] for s in seeds},
        "far above": dict.fromkeys(seeds, 0.95),
        "alike": {s: 0.90 + noise[-1 - s] for s in seeds},
        "far below": dict.fromkeys(seeds, 0.5),
        "hardly run": {0: 1.0},
    }
    found = rank(values)
    assert found is not None
    assert found["said"] == "of 4"
    assert (found["low"], found["high"]) == (2, 3)
    assert found["low"] <= found["value"] <= found["high"]
    assert rank({YOURS: {0: 0.9}, "batch": {0: 0.8}}) is None


def test_the_width_of_good_rates_ends_where_two_points_are_lost() -> None:
    """Flat over two decades, then a line that loses four points a decade: half a decade more on that side."""
    curve = {0.1: 0.90, 1.0: 0.90, 10.0: 0.90, 100.0: 0.86, 0.01: 0.50}
    assert width(curve) == pytest.approx(2 + 0.5 + 0.02 / 0.40)
    assert width({0.1: 0.9, 1.0: 0.9, 10.0: 0.9}) == pytest.approx(2)
