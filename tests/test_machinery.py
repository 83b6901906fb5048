"""The machinery tried on itself: fair where nothing is, and finding what was planted, in made-up runs."""

from pathlib import Path

import numpy as np
import pytest

from experiments import load_experiment
from experiments.machinery import checks as module
from experiments.machinery.checks import ALPHA, KINDS, POWER, fair_share, trials
from experiments.machinery.figure import figure, table
from normlab.core.readings import of_one_run
from normlab.core.record import Record
from normlab.report.results import Results
from normlab.runs.store import Store
from normlab.sweeps.compose import Composer

SEEDS = 120


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Runs of the quick design with more seeds, whose numbers are normal noise."""
    design, composer = load_experiment("machinery").design, Composer()
    grid = design.grids["same"].model_copy(update={"at": {"quick": {"seeds": SEEDS}}})
    design = design.model_copy(update={"grids": {**design.grids, "same": grid}})
    store, source = Store(tmp_path_factory.mktemp("machinery") / "quick"), np.random.default_rng(7)
    while True:
        found = Results.load(design, (), "quick", store, composer)
        left = [plan for plan in found.expansion.planned if plan.run_key not in store]
        if not left:
            return found
        for plan in left:
            accuracy, loss = 0.97 + 0.01 * source.standard_normal(), float(np.exp(source.standard_normal() / 10))
            facts = {"run_key": plan.run_key, "status": "ok", "chance": 0.1, "train_loss": loss, "train_seconds": loss}
            facts |= {"test_accuracy": accuracy, "validation_accuracy": accuracy - abs(plan.config.optimizer.lr - 0.1)}
            looks = [{"step": 1, "train_set_loss": 2.0}, {"step": 2, "train_set_loss": 0.01}]
            for look in looks:
                look |= {"train_set_accuracy": accuracy, "validation_accuracy_recalibrated": source.standard_normal()}
            store.put(Record(facts, looks))
        store.refresh()


def test_every_kind_that_reads_single_runs_is_tried(results: Results) -> None:
    found = trials(results, "digits")
    assert list(found) == [kind.name for kind in KINDS if kind.grid == "same"]
    for kind in KINDS:
        if kind.grid == "same":
            assert len(found[kind.name].p_values) == module.PAIRINGS * (SEEDS // kind.runs // kind.pairs)


def test_fair_tests_find_nothing_more_often_than_they_may(results: Results) -> None:
    for kind in KINDS:
        if kind.grid == "same":
            assert trials(results, "digits")[kind.name].share <= fair_share(SEEDS, kind.pairs, kind.runs)[1], kind.name


def test_a_planted_effect_is_found_as_often_as_the_formula_says(results: Results) -> None:
    found = trials(results, "digits")
    normal = [kind.name for kind in KINDS if kind.power and kind.grid == "same" and not kind.broken]
    assert [found[name].power for name in normal] == pytest.approx([POWER] * len(normal), abs=0.12)


def test_an_unfair_test_is_told(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes the standard error for half of what it is."""
    name = "accuracy, larger"
    (kind,) = [kind for kind in KINDS if kind.name == name]
    unfair = module.Kind(
        name, kind.contrast, lambda effects, planted: kind.decide(effects, float(effects.array.mean()) + planted)
    )
    monkeypatch.setattr(module, "KINDS", (unfair,))
    trials.cache_clear()
    share = trials(results, "digits")[name].share
    trials.cache_clear()
    assert share > fair_share(SEEDS, 10, 2)[1] > ALPHA


def test_the_table_and_the_figure_show_every_kind(results: Results) -> None:
    trials.cache_clear()
    shown = table(results)
    assert shown is not None
    assert not shown["too many"].any()
    plot = figure(results)
    assert plot is not None
    assert [label.get_text() for label in plot.axes[0].get_yticklabels()] == shown["kind"].tolist()


def test_failures_are_put_into_a_fifth_of_the_runs(results: Results, tmp_path: Path) -> None:
    keys = sorted(results.select("same", setting="digits")["run_key"])
    numbers = module.WithFailures(results, frozenset(keys[: len(keys) // 5]))
    assert numbers.value(keys[0], of_one_run("failed")).number == 1.0  # type: ignore[union-attr]
    assert numbers.value(keys[0], of_one_run("test_accuracy")).number == 0.1  # type: ignore[union-attr]
    assert numbers.value(keys[-1], of_one_run("test_accuracy")).number > 0.9  # type: ignore[union-attr]
