"""The evaluation on corrupted images."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from normlab.config import RunConfig
from normlab.data.batches import load_splits
from normlab.data.corruptions import CORRUPTIONS
from normlab.nets import make_net
from normlab.runs.evaluations import evaluate_run
from normlab.runs.execute import execute
from normlab.runs.store import Store
from normlab.tasks import train
from normlab.training.robustness import corruptions

TRAINED = {"data.train_size": 500, "data.validation_size": 300, "data.test_size": 300, "training.epochs": 6}

LEARNS = {"net.widths": [16, 32], "net.hidden": 32, "training.epochs": 20, "optimizer.lr": 0.1, "schedule": "cosine"}


def evaluated(config: RunConfig) -> tuple[dict[str, float], dict[str, float]]:
    result = train(config)
    splits = load_splits(config.data, config.seed)
    net = make_net(config.net, config.norm, splits.shape, splits.classes, config.seed)
    net.load_state_dict(result.weights)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    found = corruptions(net, config, splits)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    return found, result.measures


def test_accuracy_falls_with_severity_and_a_net_without_statistics_cannot_adapt(
    make_config: Callable[..., RunConfig],
) -> None:
    found, measures = evaluated(make_config(TRAINED | LEARNS, norm="none"))
    assert found["accuracy_clean"] == pytest.approx(measures["test_accuracy"])
    levels = [found["accuracy_clean"], *(found[f"accuracy_{s}"] for s in range(1, 6))]
    assert levels == sorted(levels, reverse=True)
    assert found["accuracy"] == pytest.approx(sum(levels[1:]) / 5)
    assert found["accuracy"] == pytest.approx(sum(found[f"accuracy_{name}"] for name in CORRUPTIONS) / len(CORRUPTIONS))
    assert found["accuracy_adapted"] == found["accuracy"]
    assert found["accuracy_adapted_of_8"] == found["accuracy_3"]
    assert found["kept_clean"] == 1.0
    assert found["kept_5"] == pytest.approx((found["accuracy_5"] - 0.1) / (found["accuracy_clean"] - 0.1))
    assert found["kept"] == pytest.approx(sum(found[f"kept_{s}"] for s in range(1, 6)) / 5)


def test_statistics_of_the_target_help_where_inputs_only_move(make_config: Callable[..., RunConfig]) -> None:
    """Brighter and paler images are a shift and a scale of the first layer's outputs: new statistics undo them."""
    found, _ = evaluated(make_config(TRAINED, norm="batch", schedule="cosine"))
    assert found["accuracy_adapted"] > found["accuracy"]
    assert found["accuracy_adapted_of_128"] > found["accuracy_adapted_of_8"]


def test_it_is_an_evaluation_of_any_run_also_of_a_users_own_norm(
    make_config: Callable[..., RunConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = "    def forward(self, x):\n        return super().forward(x[:, :, None, None] if x.dim() == 2 else x).view(x.shape)\n"
    (tmp_path / "my_norms.py").write_text(
        f"from torch import nn\n\nclass Silent(nn.BatchNorm2d):\n{lines}\n"
        "class Mine(Silent):\n    METHOD = {'running': ('running_mean', 'running_var')}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    config = make_config(**{"norm": "custom", "norm.target": "my_norms.Mine"})
    found = evaluate_run(config, "corruptions", Store(tmp_path / "store"))
    assert found["accuracy_clean"] >= 0
    assert found["accuracy_adapted"] != found["accuracy"]
    # Nothing is said of statistics that nothing is known of.
    config = make_config(**{"norm": "custom", "norm.target": "my_norms.Silent"})
    assert not [n for n in evaluate_run(config, "corruptions", Store(tmp_path / "store")) if "adapted" in n]


def test_nothing_moves_in_a_net_that_sees_no_image(make_config: Callable[..., RunConfig]) -> None:
    config = make_config()

    class Blind(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.eye(10)[:1].expand(len(x), 10)

    found = corruptions(Blind(), config, load_splits(config.data, 0))
    accuracies = [value for name, value in found.items() if name.startswith("accuracy")]
    assert accuracies == pytest.approx([found["accuracy_clean"]] * len(accuracies))
    if found["accuracy_clean"] <= 0.1:
        assert all(math.isnan(value) for name, value in found.items() if name.startswith("kept"))


def test_an_evaluation_sees_images_as_the_run_did(make_config: Callable[..., RunConfig], tmp_path: Path) -> None:
    """Without corruption, an evaluation's accuracy of a run whose data shift is the run's own test accuracy; corruptions change
    what images show, not how they are shifted.
    """
    settings = TRAINED | LEARNS | {"training.epochs": 8}
    config = make_config(settings, norm="batch", **{"data.shift": {"start": 0.25, "scale": 3.0, "offset": -2.0}})
    store = Store(tmp_path / "store")
    record = execute(config, store)
    found = evaluate_run(config, "corruptions", store)
    assert found["accuracy_clean"] == pytest.approx(record.facts["test_accuracy"])
    unshifted = evaluate_run(make_config(settings, norm="batch"), "corruptions", store)
    assert found["accuracy"] == pytest.approx(unshifted["accuracy"], abs=0.12)
