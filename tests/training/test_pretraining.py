"""Nets that start from another training: what is taken over, what is not, and by which statistics they go on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from normlab.config import RunConfig
from normlab.data import find_image_set
from normlab.data.batches import load_splits
from normlab.data.images import read
from normlab.errors import NormlabError
from normlab.nets import make_net
from normlab.norms.running import running_norms
from normlab.runs.execute import execute
from normlab.runs.key import run_key
from normlab.runs.store import Store
from normlab.tasks import TASKS
from normlab.tasks.supervised import load_all_but_head
from normlab.training.statistics import RunningStatistics

SOURCE = {
    "source": {
        "data": {
            "name": "digits", "classes": [0, 1, 2, 3, 4], "train_size": 100, "validation_size": 50, "test_size": 50,
            "batch_size": 20,
        },
        "epochs": 3,
        "lr": 0.05,
    },
    "data.classes": [5, 6, 7, 8, 9],
}  # fmt: skip


def test_classes_are_chosen_and_numbered_from_zero(make_config: Callable[..., RunConfig]) -> None:
    config = make_config(**{"data.classes": [7, 2], "data.train_size": 60})
    splits = load_splits(config.data, 0)
    assert splits.classes == 2
    for split, size in ((splits.train, 60), (splits.validation, 50), (splits.test, 50)):
        assert torch.bincount(split.labels).tolist() == [size // 2, size // 2]
    arrays, image_set = read(find_image_set("digits")), find_image_set("digits")
    sevens = arrays.train_images[arrays.train_labels == 7].astype(np.float32)
    shown = splits.train.images[splits.train.labels == 0][0] * image_set.std[0] + image_set.mean[0]
    assert np.abs(sevens - shown.numpy()).max((1, 2, 3)).min() < 1e-3


@pytest.mark.parametrize("classes", [[3], [3, 3], [3, 10], [-1, 2]])
def test_classes_that_are_not_there_are_refused(make_config: Callable[..., RunConfig], classes: list[int]) -> None:
    with pytest.raises(NormlabError, match=r"data\.classes"):
        load_splits(make_config(**{"data.classes": classes}).data, 0)


def test_all_but_the_head_is_taken_over(make_config: Callable[..., RunConfig]) -> None:
    config = make_config()
    trained, fresh = (
        make_net(config.net, config.norm, (1, 8, 8), classes, seed) for classes, seed in ((5, 1), (10, 2))
    )
    own = fresh[-1].weight.clone()  # type: ignore[index]
    load_all_but_head(fresh, trained.state_dict())
    assert torch.equal(fresh[-1].weight, own)  # type: ignore[index]
    assert torch.equal(fresh[0][0].weight, trained[0][0].weight)  # type: ignore[index]


def test_the_pretraining_is_a_run_of_its_own_and_is_done_once(
    make_config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    store = Store(tmp_path)
    config = make_config(SOURCE)
    before = config.pretraining
    assert before is not None
    assert before.source is None
    assert before.data.classes == (0, 1, 2, 3, 4)
    assert (before.optimizer.lr, before.training.epochs) == (0.05, 3)
    assert len({run_key(before), run_key(config), run_key(make_config(**{"data.classes": [5, 6, 7, 8, 9]}))}) == 3
    first = execute(config, store, "e", "report")
    written = (tmp_path / "runs" / f"{run_key(before)}.parquet").stat().st_mtime_ns
    execute(make_config(SOURCE, **{"training.epochs": 1}), store, "e", "report")
    assert (tmp_path / "runs" / f"{run_key(before)}.parquet").stat().st_mtime_ns == written
    assert store.refresh().facts(run_key(before))["role"] == "source"  # type: ignore[index]
    (tmp_path / "weights" / f"{run_key(before)}.pt").unlink()
    assert execute(config, store.refresh()).facts["weights_sha256"] == first.facts["weights_sha256"]  # replayed


def stored_means(config: RunConfig, store: Store) -> torch.Tensor:
    net = make_net(config.net, config.norm, (1, 8, 8), len(config.data.classes or range(10)), config.seed)
    weights = store.weights(run_key(config))
    assert weights is not None
    net.load_state_dict(weights)
    return torch.cat([norm.running_mean for norm in running_norms(net)])  # type: ignore[misc]


def test_statistics_are_kept_retaken_or_go_on(make_config: Callable[..., RunConfig], tmp_path: Path) -> None:
    store = Store(tmp_path)
    runs = {kind: make_config(SOURCE, **{"training.statistics": kind}) for kind in ("stored", "target", "batch")}
    for config in runs.values():
        execute(config, store)
    before = runs["stored"].pretraining
    assert before is not None
    kept, retaken, gone_on = (stored_means(config, store) for config in runs.values())
    torch.testing.assert_close(kept, stored_means(before, store))
    assert not torch.allclose(kept, retaken, atol=1e-3)
    assert not torch.allclose(kept, gone_on, atol=1e-3)
    assert not torch.allclose(retaken, gone_on, atol=1e-3)


def test_stored_statistics_normalize_training_too(make_config: Callable[..., RunConfig], tmp_path: Path) -> None:
    """With stored statistics nothing depends on the batch: at a rate of nothing the training loss is that of evaluation."""
    still = {"data.batch_size": 100, "training.epochs": 1, "optimizer.lr": 1e-9}
    facts = {
        kind: execute(make_config(SOURCE | still, **{"training.statistics": kind}), Store(tmp_path)).facts
        for kind in ("stored", "batch")
    }
    history = {
        kind: Store(tmp_path).refresh().history(f["run_key"])["train_loss"].iloc[-1] for kind, f in facts.items()
    }
    assert history["stored"] == pytest.approx(facts["stored"]["train_loss"], rel=1e-4)
    assert history["batch"] != pytest.approx(facts["stored"]["train_loss"], rel=1e-2)


def test_what_makes_no_sense_is_refused(make_config: Callable[..., RunConfig]) -> None:
    with pytest.raises(NormlabError, match="set source"):
        make_config(**{"training.statistics": "stored"})
    with pytest.raises(NormlabError, match=r"measure\.train_set"):
        make_config(SOURCE, **{"training.statistics": "stored", "measure.train_set": True})


def test_running_averages_go_on_from_what_the_net_holds() -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    net[1].running_mean.fill_(5.0)  # type: ignore[union-attr,operator]
    RunningStatistics(net, 1).install(0.9)
    assert net[1].running_mean.tolist() == [5.0, 5.0]  # type: ignore[union-attr,operator]


@pytest.mark.parametrize("start", [0.0, 0.5])
def test_statistics_are_retaken_from_images_as_training_first_sees_them(
    make_config: Callable[..., RunConfig], start: float
) -> None:
    shift = {"data.shift": {"start": start, "scale": 0.5, "offset": 1.0}}
    config = make_config({**SOURCE, **shift, "training.statistics": "target", "measure.train_set": False}, norm="batch")
    weights = make_net(config.net, config.norm, (1, 8, 8), 5, 3).state_dict()
    net = TASKS["images"].make(config, torch.device("cpu"), weights).net
    images = load_splits(config.data, config.seed).train.images
    shown = images if start else 0.5 * images + 1.0
    with torch.no_grad():
        seen = net[0][0](shown)
    norm = next(iter(running_norms(net)))
    torch.testing.assert_close(norm.running_mean, seen.mean((0, 2, 3)), rtol=1e-3, atol=1e-4)
