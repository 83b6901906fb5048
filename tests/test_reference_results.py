"""The committed results: their verdicts follow from their runs, and their runs can be made again."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from experiments import LOCK, all_experiments
from normlab.config import RunConfig
from normlab.data.batches import load_splits
from normlab.errors import NormlabError
from normlab.report.build import build
from normlab.report.readme import table
from normlab.report.sections import evaluate, verdicts_of
from normlab.report.unseen import content, from_table
from normlab.runs.execute import environment, execute
from normlab.runs.key import run_key
from normlab.runs.store import Store
from normlab.verdicts.registry import read_lock

COMMITTED = Path(__file__).resolve().parents[1] / "results" / "cpu"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A copy of the committed tables alone, as in a fresh clone."""
    root = tmp_path_factory.mktemp("results") / "cpu"
    root.mkdir()
    for name in ("runs.parquet", "history.parquet", "evaluations.parquet", "registered.json", "predictions.csv"):
        shutil.copy(COMMITTED / name, root / name)
    return Store(root).refresh()


def test_the_committed_verdicts_follow_from_the_committed_runs(store: Store) -> None:
    sections = evaluate(list(all_experiments()), "cpu", store, read_lock(LOCK))
    derived = verdicts_of(sections)
    committed = pd.read_csv(COMMITTED / "verdicts.csv", keep_default_na=True)
    derived["figure"] = derived["figure"].replace("", None)
    pd.testing.assert_frame_equal(derived, committed, check_dtype=False, rtol=1e-4, atol=1e-9)
    assert not [r.claim.id for s in sections for r in s.claims if not r.locked or r.changed_after_first_run]
    expected = table(sections, "cpu", store).replace(store.root.as_posix(), "results/cpu")
    assert expected in (COMMITTED.parents[1] / "README.md").read_text(encoding="utf-8"), "run `make readme SCALE=cpu`"


def test_what_came_of_predictions_follows_from_the_committed_runs(store: Store) -> None:
    unseen = [each for each in all_experiments() if each.name == "unseen"]
    (section,) = evaluate(unseen, "cpu", store, read_lock(LOCK))
    derived, committed = section.published["unseen"].table, pd.read_csv(COMMITTED / "unseen.csv")
    numbers = ["predicted", "predict_low", "predict_high", "n", "estimate", "standard_error"]
    pd.testing.assert_frame_equal(derived[numbers].astype(float), committed[numbers].astype(float), rtol=1e-4)
    assert [found == True for found in derived["inside"]] == [found == True for found in committed["inside"]]  # noqa: E712


def test_what_is_run_unseen_is_what_was_drawn() -> None:
    predictions = from_table(pd.read_csv(COMMITTED / "predictions.csv"))
    asked = {each.name: (each.design, each.claims) for each in all_experiments()}
    unseen = yaml.safe_load(
        (COMMITTED.parents[1] / "configs" / "experiment" / "unseen.yaml").read_text(encoding="utf-8")
    )
    made = content(predictions, asked, "cpu")
    assert unseen["scales"] == {"cpu": {"settings": made["settings"]}}
    assert unseen["grids"] == made["grids"]


@pytest.mark.parametrize("every", [11, pytest.param(1, marks=pytest.mark.slow)])
def test_every_run_key_is_that_of_its_record(store: Store, every: int) -> None:
    """Nothing that was changed since voids a committed run."""
    runs = store.runs().iloc[::every]
    runs = runs[runs["status"] != "missing"]
    assert len(runs) > 1000
    for key, config, measured in zip(runs["run_key"], runs["config"], runs["measured"], strict=True):
        assert run_key(RunConfig.parse(json.loads(config) | {"measure": json.loads(measured)})) == key


@pytest.mark.slow
def test_the_committed_tables_come_out_byte_for_byte(store: Store) -> None:
    build(list(all_experiments()), "cpu", store, read_lock(LOCK))
    names = ["verdicts.csv", *(f"tables/{file.name}" for file in (COMMITTED / "tables").glob("*.csv"))]
    assert len(names) > 90
    different = [name for name in names if (store.root / name).read_bytes() != (COMMITTED / name).read_bytes()]
    assert not different


@pytest.mark.parametrize(
    ("data", "net", "norm"), [("mnist", "cnn", "batch"), ("cifar10", "cnn", "layer"), ("cifar10", "resnet", "batch")]
)
def test_a_committed_run_can_be_made_again(store: Store, tmp_path: Path, data: str, net: str, norm: str) -> None:
    runs = store.runs()
    kind = (runs["data"] == data) & (runs["net"] == net) & (runs["norm"] == norm)
    trained = (runs["status"] == "ok") & (runs["steps"] > 0)
    reported = runs[kind & trained & (runs["role"] == "report")]
    # Of the quick ones the best: a net that hardly trained ends elsewhere on another processor.
    quick = reported[reported["seconds"] <= 2 * reported["seconds"].min()]
    row = quick.sort_values(["test_accuracy", "run_key"]).iloc[-1]
    config = RunConfig.parse(json.loads(row["config"]) | {"measure": json.loads(row["measured"])})
    assert run_key(config) == row["run_key"]
    try:
        load_splits(config.data, config.seed)
    except NormlabError as error:
        pytest.skip(f"{error} (make data)")
    again = execute(config, Store(tmp_path / "cpu"))
    history, earlier = pd.DataFrame(again.table), store.history(row["run_key"])
    assert history["train_loss"].iloc[0] == pytest.approx(earlier["train_loss"].iloc[0], rel=1e-3)
    assert again.facts["test_accuracy"] == pytest.approx(row["test_accuracy"], abs=0.04)
    then = json.loads(row["environment"])
    if {k: environment()[k] for k in ("cpu", "torch")} == {k: then[k] for k in ("cpu", "torch")}:
        assert again.facts["weights_sha256"] == row["weights_sha256"]
