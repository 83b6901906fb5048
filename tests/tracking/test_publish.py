"""A store sent to W&B: read back from the files, whole, once, and on from where it stopped."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from normlab.config import RunConfig
from normlab.errors import NormlabError
from normlab.runs.execute import execute
from normlab.runs.store import Store
from normlab.tracking import publish as publishing
from normlab.tracking.publish import Project, publish
from tests.tracking.test_wandb import items, records

SEEDS = 3


@pytest.fixture
def store(make_config: Callable[..., RunConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An experiment's reported runs, a tuning run and another experiment's."""
    import wandb

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    store = Store(tmp_path / "store" / "quick")
    for seed in range(SEEDS):
        execute(make_config({"measure.log_every": 2}, norm="group", seed=seed), store, "placement", "report")
    execute(make_config(norm="group", seed=1000), store, "placement", "tune")
    execute(make_config(norm="batch", seed=0), store, "momentum", "report")
    yield store
    wandb.teardown()  # W&B keeps the folder that it was first started in


def written(folder: Path) -> dict[str, dict[str, Any]]:
    """What the offline files of a folder hold, by run."""
    import wandb

    wandb.teardown()
    found: dict[str, dict[str, Any]] = {}
    for file in sorted((folder / "wandb").glob("offline-run-*/run-*.wandb")):
        run: dict[str, Any] = {"history": [], "summary": {}, "config": {}}
        for item in records(file):
            match item.WhichOneof("record_type"):
                case "run":
                    run |= {"id": item.run.run_id, "group": item.run.run_group, "project": item.run.project}
                    run["config"] |= items(item.run.config.update)
                case "history":
                    run["history"].append(items(item.history.item))
                case "summary":
                    run["summary"] |= items(item.summary.update)
        assert run["id"] not in found, "sent twice"
        found[run["id"]] = run
    return found


def test_an_experiment_is_sent_whole_and_once(store: Store, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    assert publish(store, "quick", Project("toy"), ["placement"], lambda done, left: told.append((done, left))) == SEEDS
    assert told == [(1, 2), (2, 1), (3, 0)]
    assert publish(store, "quick", Project("toy"), ["placement"]) == 0
    found = written(tmp_path)
    table = store.refresh().runs()
    reported = table[(table["experiment"] == "placement") & (table["role"] == "report")]
    assert set(found) == set(reported["run_key"])
    for facts in reported.to_dict("records"):
        run = found[facts["run_key"]]
        assert (run["group"], run["project"], run["config"]["norm"]["name"]) == ("placement", "toy", "group")
        assert run["summary"]["test_accuracy"] == facts["test_accuracy"]
        history = store.history(facts["run_key"])
        assert [row["train_loss"] for row in run["history"]] == list(history["train_loss"])
        validated = [v for v in history["validation_accuracy"] if not math.isnan(v)]
        assert [row["validation_accuracy"] for row in run["history"] if "validation_accuracy" in row] == validated


def test_what_was_stopped_goes_on(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin, calls = publishing.begin, []

    def failing(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 2:
            raise ConnectionError("no route to host")
        return begin(*given)

    monkeypatch.setattr(publishing, "begin", failing)
    with pytest.raises(NormlabError, match=r"took 1 and then failed: .*no route to host"):
        publish(store, "quick", Project("toy"))
    assert publish(store, "quick", Project("toy")) == SEEDS  # the others of this experiment, and the other's
    assert len(written(tmp_path)) == SEEDS + 1


def test_another_project_knows_nothing_of_the_first(store: Store) -> None:
    assert publish(store, "quick", Project("toy"), ["momentum"]) == 1
    assert publish(store, "quick", Project("another"), ["momentum"]) == 1


def test_verdicts_and_figures_are_sent_when_they_change(store: Store, tmp_path: Path) -> None:
    from PIL import Image

    (store.root / "figures").mkdir()
    Image.new("RGB", (4, 3)).save(store.root / "figures" / "placement.png")
    pd.DataFrame({"claim": ["a"], "verdict": ["holds"]}).to_csv(store.root / "verdicts.csv", index=False)
    assert publish(store, "quick", Project("toy"), ["momentum"]) == 2
    assert publish(store, "quick", Project("toy"), ["momentum"]) == 0
    pd.DataFrame({"claim": ["a"], "verdict": ["varies"]}).to_csv(store.root / "verdicts.csv", index=False)
    assert publish(store, "quick", Project("toy"), ["momentum"]) == 1
    found = written(tmp_path)
    verdicts = [run for run in found.values() if run["group"] == "verdicts"]
    assert len(verdicts) == 2
    for run in verdicts:
        (row,) = run["history"]
        assert row["verdicts._type"] == "table-file"
        assert row["figures/placement._type"] == "image-file"


def test_an_experiment_without_runs_is_named(store: Store) -> None:
    with pytest.raises(NormlabError, match="no reported runs of transfer"):
        publish(store, "quick", Project("toy"), ["placement", "transfer"])
