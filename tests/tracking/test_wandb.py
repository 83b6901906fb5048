"""W&B: a real offline run read back from its file, and services that fail."""

import json
import struct
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from experiments import load_experiment
from normlab.bench.tracker import closed, refusing, silent
from normlab.commands.dashboard import topic, varied
from normlab.config import RunConfig
from normlab.report.sections import evaluate
from normlab.runs.execute import execute, scientific
from normlab.runs.key import run_key
from normlab.runs.store import Store
from normlab.tracking import make_tracker
from normlab.tracking.dashboard import Topic, make_dashboard
from normlab.tracking.wandb import WandbTracker

HEADER, BLOCK, FULL, LAST = 7, 32768, 1, 4


def records(file: Path) -> Iterator[Any]:
    """The protobuf records of an offline run: LevelDB's log format behind a header of seven bytes."""
    from wandb.proto import wandb_internal_pb2

    content = file.read_bytes()
    assert content[:4] == b":W&B"
    place, payload = HEADER, b""
    while place + HEADER <= len(content):
        room = BLOCK - place % BLOCK
        if room < HEADER:
            place += room
            continue
        _, size, kind = struct.unpack("<IHB", content[place : place + HEADER])
        payload += content[place + HEADER : place + HEADER + size]
        place += HEADER + size
        if kind in (FULL, LAST):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(payload)
            payload = b""
            yield record


def items(container: Any) -> dict[str, Any]:
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in container}


def test_an_offline_run_holds_config_history_and_summary(
    make_config: Callable[..., RunConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    config = make_config({"measure.log_every": 2}, norm="group")
    tracker = make_tracker({"name": "wandb", "project": "toy", "entity": None})
    tracker.start(run_key(config), scientific(config), "placement", "report")
    record = execute(config, Store(tmp_path / "store"), listener=tracker.row)
    tracker.finish(record)
    tracker.close()
    wandb.teardown()  # W&B's own process has written everything by then
    (file,) = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    found: dict[str, Any] = {"history": [], "summary": {}, "config": {}}
    for item in records(file):
        match item.WhichOneof("record_type"):
            case "run":
                found |= {
                    "id": item.run.run_id,
                    "group": item.run.run_group,
                    "job_type": item.run.job_type,
                    "project": item.run.project,
                }
                found["config"] |= items(item.run.config.update)
            case "history":
                found["history"].append(items(item.history.item))
            case "summary":
                found["summary"] |= items(item.summary.update)
    assert (found["id"], found["group"], found["job_type"], found["project"]) == (
        run_key(config),
        "placement",
        "group",
        "toy",
    )
    assert found["config"]["optimizer"]["lr"] == 0.1
    assert found["config"]["norm"]["num_groups"] == 8
    validated = [row["validation_accuracy"] for row in found["history"] if "validation_accuracy" in row]
    assert validated == [row["validation_accuracy"] for row in record.table if row["validation_accuracy"] is not None]
    assert [row["train_loss"] for row in found["history"] if "validation_accuracy" not in row] == [
        r["train_loss"] for r in record.table
    ]
    assert found["summary"]["test_accuracy"] == record.facts["test_accuracy"]
    assert found["summary"]["status"] == record.facts["status"]


def test_an_outage_never_reaches_the_sweep(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import wandb

    def down(**_: object) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(wandb, "init", down)
    tracker = WandbTracker("toy", None)
    for _ in range(3):
        tracker.start(
            "key",
            {
                "norm": {"name": "batch"},
                "data": {"name": "d"},
                "net": {"name": "n"},
                "optimizer": {"lr": 1.0},
                "seed": 0,
            },
            None,
            None,
        )
        tracker.row({"step": 1})
        tracker.finish(None)
    tracker.close()
    assert capsys.readouterr().err.count("W&B tracking stopped") == 1


@pytest.mark.parametrize("service", [closed, silent, refusing])
def test_a_real_service_that_fails_is_given_up_with_one_warning(
    service: Callable[[], AbstractContextManager[int]],
    make_config: Callable[..., RunConfig],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("normlab.tracking.wandb.CONNECT_SECONDS", 2.0)
    config = make_config(norm="batch")
    with service() as port:
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{port}")
        tracker = WandbTracker("toy", None)
        for _ in range(2):
            tracker.start(run_key(config), scientific(config), "placement", "report")
            tracker.finish(None)
        tracker.close()
    assert capsys.readouterr().err.count("W&B tracking stopped") == 1


def test_the_dashboard_has_a_section_and_a_report_a_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    topics = [
        Topic("placement", "Where?", ("Claims.",), {"net.placement": False}, ("mnist", "cifar10")),
        Topic("batch_size", "How many?", ("More claims.",), {"data.batch_size": True, "norm.name": False}, ("mnist",)),
    ]
    said = make_dashboard(topics, tmp_path)
    assert said[-1] == "not pushed: WANDB_API_KEY is not set"
    workspace = json.loads((tmp_path / "workspace.json").read_text())
    sections = workspace["spec"]["section"]["panelBankConfig"]["sections"]
    assert [s["name"] for s in sections][:2] == ["Where?", "How many?"]
    where, how_many = ((tmp_path / f"report-{topic.name}.json").read_text() for topic in topics)
    assert "More claims." in how_many
    assert "More claims." not in where
    assert all(f'"value": "{text}"' in where for text in ("placement", "report", "mnist", "cifar10"))
    assert '"value": "cifar10"' not in how_many
    assert '"xAxis": "config:data.value.batch_size"' in how_many  # over the numbers that it varies
    assert '"groupBy": "net.value.placement"' in where  # grouped by the names that it varies
    assert '"xAxis": "epoch"' in where  # which trainings of any batch size share


def test_a_question_without_accuracies_shows_what_its_task_measures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    make_dashboard([Topic("stars", "Stars?", (), {"norm.name": False}, ("movielens",), ("error",))], tmp_path)
    said = (tmp_path / "report-stars.json").read_text()
    assert "test_error" in said
    assert "validation_error" in said
    assert "accuracy" not in said


def test_a_topic_says_what_the_pages_say(tmp_path: Path) -> None:
    experiment = load_experiment("placement")
    (section,) = evaluate([experiment], "cpu", Store(tmp_path / "cpu"), {})
    found = topic(section)
    assert found.data == ("mnist", "cifar10")
    assert found.metrics == ("accuracy",)
    assert "10,000 images × 5 epochs" in found.text[0]
    claim = experiment.claims[0]
    assert found.text[1].startswith(f"{claim.statement.en} – not run")
    assert found.text[1].endswith(claim.method.en)


def test_what_an_experiment_varies_is_read_off_its_design() -> None:
    found = varied(load_experiment("batch_size").design, "cpu")
    assert {"norm.statistics_batch": True, "data.batch_size": True, "norm.name": False}.items() <= found.items()
    assert list(found)[-1] == "optimizer.lr"
    assert varied(load_experiment("placement").design, "cpu")["net.placement"] is False
