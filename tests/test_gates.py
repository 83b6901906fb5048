"""Gates and controls, computed from tables whose answer is known."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from experiments import load_experiment
from experiments.gates.published import controls, gates
from normlab.config import RunConfig
from normlab.core.record import Record
from normlab.report.results import Results
from normlab.runs.store import Store
from normlab.sweeps.compose import Composer
from normlab.sweeps.expand import Expander

LEAD = {"none": 0.0, "batch": 0.05, "layer": 0.01, "group": 0.03, "instance": 0.03}


def accuracy(config: RunConfig) -> float:
    """Of a made-up world: leads of norms that shrink with length, and statistics over two images that cost."""
    if config.net.name == "linear":
        return 0.5 if config.data.name == "cifar10" else 0.9
    long = config.training.epochs in (10, 16)
    value = 0.6 + LEAD[config.norm.name] * (0.5 if long else 1.0) + (0.05 if long else 0.0)
    if config.data.name != "cifar10":
        value += 0.33
    if config.norm.statistics_batch == 2:
        value -= 0.4 if config.net.norm_in == "all" else 0.04
    return value + 0.0001 * (config.seed % 7) * LEAD[config.norm.name] - abs(config.optimizer.lr - 0.1) / 10


def finish(expander: Expander, accuracy: Callable[[RunConfig], float]) -> None:
    while True:
        expansion = expander.expand()
        left = {plan.run_key: plan for plan in expansion.planned if plan.run_key not in expander.store}
        if not left:
            return
        for key, plan in left.items():
            value = accuracy(plan.config)
            facts = {
                "run_key": key,
                "status": "ok",
                "chance": 0.1,
                "test_accuracy": value,
                "validation_accuracy": value,
            }
            expander.store.put(Record(facts, [{"step": 1}]))
        expander.store.refresh()


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    design, composer = load_experiment("gates").design, Composer()
    store = Store(tmp_path_factory.mktemp("gates") / "cpu")
    finish(Expander(design, "cpu", store, composer), accuracy)
    return Results.load(design, (), "cpu", store, composer)


def test_arms_are_held_against_the_linear_model(results: Results) -> None:
    found = gates(results).set_index(["data", "arm"])
    assert set(found["recipe"]) == {"M", "V"}
    assert found.loc[("cifar10", "none"), "linear_accuracy"] == pytest.approx(0.5, abs=0.01)
    assert found["cleared"].all()
    assert found.loc[("cifar10", "batch"), "n"] == 8
    assert found.loc[("mnist", "batch"), "n"] == 10


def test_a_net_no_better_than_the_linear_model_is_not_cleared(results: Results, tmp_path: Path) -> None:
    store = Store(tmp_path / "cpu")
    finish(
        Expander(results.design, "cpu", store, results.composer),
        lambda c: 0.45 if c.norm.name == "layer" and c.data.name == "cifar10" else accuracy(c),
    )
    found = gates(Results.load(results.design, (), "cpu", store, results.composer))
    assert list(found.loc[~found["cleared"], ["data", "arm"]].itertuples(index=False, name=None)) == [
        ("cifar10", "layer")
    ]


def test_what_twice_the_length_changes_is_read_off_tuning_seeds(results: Results) -> None:
    found = gates(results).set_index(["data", "arm"])["change_at_double_length"]
    assert found["cifar10", "none"] == pytest.approx(-0.025, abs=1e-4)  # a lead of 5 points becomes one of 2.5
    assert found["cifar10", "group"] == pytest.approx(-0.01, abs=1e-4)
    assert found["cifar10", "batch"] == found["cifar10", "none"]
    assert found.isna()["cifar10", "layer"]


def test_controls_say_what_is_known_and_whether_it_shows(results: Results) -> None:
    found = controls(results)
    assert list(found["estimate"].round(2)) == [0.04, 0.36, 0.05, -0.02]
    assert found["holds"].all()
    assert isinstance(found, pd.DataFrame)


def test_without_reported_runs_nothing_is_published(results: Results, tmp_path: Path) -> None:
    store = Store(tmp_path / "cpu")
    empty = Results.load(results.design, (), "cpu", store, results.composer)
    assert len(gates(empty)) == len(controls(empty)) == 0
    assert empty.linear("mnist") is None
