"""Two norms side by side: paired by seed, each at its best rate, nothing else mixed."""

import json
from pathlib import Path
from typing import Any

import pytest

from normlab.core.record import Record
from normlab.errors import NormlabError
from normlab.report.compare import compare
from normlab.runs.store import Store


def put(store: Store, norm: str, lr: float, seed: int, test: float, validation: float, **other: Any) -> None:
    """A record as training leaves it."""
    settings = {
        "data": {"name": "digits", "train_size": other.get("train_size", 100)},
        "seed": seed,
        "optimizer": {"lr": lr},
    }
    settings["norm"] = {"name": norm} if "." not in norm else {"name": "custom", "target": norm}
    settings["norm"] |= other.get("options", {})  # type: ignore[operator]
    key = f"{norm}-{lr}-{seed}-{other.get('train_size', 100)}-{other.get('options')}-{other.get('version')}"
    key = key.replace(".", "_").replace("'", "").replace(" ", "")
    facts = {
        "run_key": key,
        "norm": settings["norm"]["name"],
        "lr": lr,
        "seed": seed,
        "status": other.get("status", "ok"),
    }  # type: ignore[index]
    facts |= {"test_accuracy": test, "validation_accuracy": validation, "chance": 0.1, "config": json.dumps(settings)}
    facts["versions"] = json.dumps({"loop": "1", "norm": other.get("version", "1")})
    store.put(Record(facts))


def test_differences_are_paired_at_each_norms_best_rate(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for seed in range(4):
        put(store, "batch", 0.1, seed, 0.80 + 0.05 * seed, 0.8)
        put(store, "batch", 0.3, seed, 0.99, 0.2)  # better on test images, worse on validation images: not taken
        put(store, "my_pkg.Mine", 0.03, seed, 0.78 + 0.05 * seed, 0.7)
        put(store, "group", 0.1, seed, 0.5, 0.5)
        put(store, "group", 0.1, seed, 0.6, 0.6, train_size=200)
    (row,) = compare(store.refresh(), "batch", "my_pkg.Mine").to_dict("records")
    assert row["n"] == 4
    assert (row["batch, rate"], row["my_pkg.Mine, rate"]) == (0.1, 0.03)
    assert row["difference, points"] == pytest.approx(2.0)
    assert row["low"] == pytest.approx(row["high"], abs=1e-6)  # the seeds' own spread cancels
    assert "data.train_size=100" in row["setting"]


def test_runs_that_read_no_test_images_are_left_out(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for seed in range(4):
        put(store, "batch", 0.1, seed, 0.9 if seed < 3 else float("nan"), 0.9)
        put(store, "none", 0.1, seed, 0.7, 0.7)
    (row,) = compare(store.refresh(), "batch", "none").to_dict("records")
    assert row["n"] == 3
    assert row["difference, points"] == pytest.approx(20.0)


def test_a_diverged_run_counts_at_chance(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for seed in range(3):
        put(store, "batch", 0.1, seed, 0.9, 0.9)
        put(store, "none", 0.1, seed, 0.7, 0.7, status="diverged")
    (row,) = compare(store.refresh(), "batch", "none").to_dict("records")
    assert row["difference, points"] == pytest.approx(80.0)


def test_what_cannot_be_compared_is_told(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, "batch", 0.1, 0, 0.9, 0.9)
    put(store, "group", 0.1, 0, 0.9, 0.9, train_size=200)
    with pytest.raises(NormlabError, match="no runs with norm 'layer'"):
        compare(store.refresh(), "batch", "layer")
    with pytest.raises(NormlabError, match="has its like"):
        compare(store, "batch", "group")


def test_variants_have_rows_of_their_own(tmp_path: Path) -> None:
    """Options and versions of a norm's code are never averaged over."""
    store = Store(tmp_path)
    for seed in range(3):
        for momentum, accuracy in ((0.1, 0.7), (0.9, 0.3)):
            put(store, "batch", 0.1, seed, accuracy, accuracy, options={"momentum": momentum})
        put(store, "layer", 0.1, seed, 0.5, 0.5)
        for version, accuracy in (("a", 0.2), ("b", 0.6)):
            put(store, "my_pkg.Mine", 0.1, seed, accuracy, accuracy, version=version)
    table = compare(store.refresh(), "batch", "layer")
    assert dict(zip(table["setting"], table["batch, %"], strict=True)) == {
        "batch momentum=0.1": pytest.approx(70),
        "batch momentum=0.9": pytest.approx(30),
    }
    assert "data.name=digits" in table.attrs["common"]
    table = compare(store, "my_pkg.Mine", "layer")
    assert sorted(table["my_pkg.Mine, %"]) == pytest.approx([20, 60])
    assert set(table["setting"]) == {"my_pkg.Mine version.norm=a", "my_pkg.Mine version.norm=b"}
    one = compare(store, "batch", "batch")
    assert len(one) == 2  # the two variants against each other, both ways round
