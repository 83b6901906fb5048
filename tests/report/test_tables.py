"""Tables of an experiment's cells, of a store in which some runs are there."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from experiments import load_experiment
from normlab.core.record import Record
from normlab.report.results import Results
from normlab.report.tables import cell_means
from normlab.runs.store import Store
from normlab.sweeps.compose import Composer

SEASON = "power_season"


def test_before_any_run_a_table_has_no_rows(tmp_path: Path, composer: Composer) -> None:
    results = Results.load(load_experiment("placement").design, (), "cpu", Store(tmp_path / "cpu"), composer)
    assert len(results.cells)
    assert cell_means(results).empty


def test_seeds_are_counted_that_ran_to_an_end(tmp_path: Path, composer: Composer) -> None:
    store = Store(tmp_path / "quick")
    design = load_experiment("gates").design
    planned = Results.load(design, (), "quick", store, composer).expansion.planned
    of_batch = [plan for plan in planned if plan.role == "report" and plan.axes.get("norm") == "batch"]
    for plan, status in zip(of_batch, ("ok", "diverged", "missing"), strict=True):
        facts = {"run_key": plan.run_key, "status": status, "chance": 0.1}
        store.put(Record(facts | ({"test_accuracy": 0.9} if status == "ok" else {}), []))
    table = cell_means(Results.load(design, (), "quick", store.refresh(), composer))
    row = table[(table["grid"] == "base") & (table["norm"] == "batch")].iloc[0]
    assert row["n"] == 2
    assert row["test_accuracy_running"] == (0.9 + 0.1) / 2


@pytest.mark.parametrize(
    ("measure", "value", "simple", "untrained"),
    [
        ("test_accuracy", 0.8, 0.9, True),
        ("test_accuracy", 0.95, 0.9, False),
        ("test_error", 0.3, 0.2, True),
        ("test_error", 0.1, 0.2, False),
    ],
)
def test_nets_no_better_than_their_experiments_simple_model_are_untrained(
    tmp_path: Path, composer: Composer, measure: str, value: float, simple: float, untrained: bool
) -> None:
    store, design = Store(tmp_path / "quick"), load_experiment("tabular_series").design
    planned = Results.load(design, (), "quick", store, composer).expansion.planned
    for plan in planned:
        store.put(Record({"run_key": plan.run_key, "status": "ok", measure: value}, []))
    (store.root / "baselines_tabular_series.csv").write_text(
        f'setting,measure,simple_model\n"{SEASON}",{measure},{simple}\n'
    )
    results = Results.load(design, (), "quick", store.refresh(), composer)
    part: Any = SimpleNamespace(effects=SimpleNamespace(keys={plan.run_key for plan in planned}))
    setting: Any = SimpleNamespace(at={"setting": "power_season"}, parts=[part])
    assert results.untrained(setting) is untrained
    assert results.linear("power_season") == (simple if measure == "test_accuracy" else None)
