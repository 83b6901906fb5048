"""Costs: memory that is really taken, checkpoints that change nothing but memory, and synchronization over real processes."""

import sys
from collections.abc import Callable

import pytest
import torch

from normlab.config import RunConfig
from normlab.data.batches import load_splits
from normlab.errors import NormlabError
from normlab.nets import make_net
from normlab.nets.checkpoint import forward_of
from normlab.nets.fold import folded_difference
from normlab.tasks import train
from normlab.training.cost import net_costs
from normlab.training.memory import training_memory
from normlab.training.peak import peak_bytes
from normlab.training.synchronization import synchronization_costs
from normlab.training.timing import first_batch, inference_seconds, step_seconds

Make = Callable[..., RunConfig]
DEEP = {"net.widths": [16], "net.depth": 6, "data.train_size": 1000, "data.batch_size": 250}
linux = pytest.mark.skipif(sys.platform != "linux", reason="peak memory of a process is read from /proc")


@pytest.mark.parametrize("norm", ["none", "batch", "group"])
def test_checkpoints_change_no_weight(make_config: Make, norm: str) -> None:
    plain, saved = (train(make_config({"net.depth": 4, "numerics.checkpoint": on}, norm=norm)) for on in (False, True))
    assert plain.history == saved.history
    for name, value in plain.weights.items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(value, saved.weights[name])


def test_checkpoints_keep_less(make_config: Make) -> None:
    found = []
    for on in (False, True):
        config = make_config({**DEEP, "numerics.checkpoint": on}, norm="batch")
        splits = load_splits(config.data, 0)
        net = make_net(config.net, config.norm, splits.shape, splits.classes, 0)
        found.append(training_memory(net, config, splits)["saved_bytes"])
    assert found[1] < found[0] / 3


@pytest.mark.parametrize(
    "options",
    [
        {"norm": "renorm", "norm.warmup_steps": 0},
        {"norm": "renorm", "norm.warmup_steps": 3},
        {"norm": "cross_iteration"},
        {"norm": "spectral"},
        {"norm": "batch", "net.dropout": 0.5},
    ],
)
def test_what_cannot_be_computed_again_is_refused(make_config: Make, options: dict[str, object]) -> None:
    config = make_config({**options, "numerics.checkpoint": True})
    splits = load_splits(config.data, 0)
    net = make_net(config.net, config.norm, splits.shape, splits.classes, 0)
    with pytest.raises(NormlabError, match=r"numerics\.checkpoint"):
        forward_of(net, config, splits.train.images[:20])


@linux
def test_peak_memory_holds_what_is_saved_and_repeats(make_config: Make) -> None:
    plain, batch = make_config(DEEP, norm="none"), make_config(DEEP, norm="batch")
    splits = load_splits(batch.data, 0)
    net = make_net(batch.net, batch.norm, splits.shape, splits.classes, 0)
    saved = training_memory(net, batch, splits)["saved_bytes"]
    peaks = peak_bytes([plain, batch, batch])
    assert saved < peaks[1] < 2 * saved
    assert peaks[1] == pytest.approx(peaks[2], rel=0.05)
    assert peaks[0] < peaks[1]


@linux
def test_costs_are_named_and_folding_is_timed_where_it_can_be(make_config: Make) -> None:
    batch, group = net_costs([make_config(norm="batch"), make_config({"norm.num_groups": 4}, norm="group")])
    assert set(batch) - set(group) == {"inference_folded"}
    assert all(value > 0 for value in batch.values())
    assert batch["parameters"] == group["parameters"]
    assert group["state"] == 0


def test_nets_that_take_turns_share_one_batch_and_keep_no_more_of_the_data(make_config: Make) -> None:
    """Dozens of nets are timed side by side: each with a view of its training images in hand, CIFAR-10 would fill 20 GB."""
    first_batch.cache_clear()
    config = make_config(norm="batch")
    step_seconds([config, make_config(norm="none")])
    inference_seconds([config, make_config(norm="none")])
    assert first_batch.cache_info().currsize == 1
    images, labels, shape, classes = first_batch(config.data, config.seed)
    assert images.shape == (config.data.batch_size, *shape)
    assert images.untyped_storage().nbytes() == images.numel() * images.element_size()
    assert labels.untyped_storage().nbytes() == labels.numel() * labels.element_size()
    assert classes == 10


def test_folding_changes_nothing() -> None:
    assert folded_difference() < 1e-10


@pytest.mark.slow
def test_synchronization_sends_what_its_statistics_are(make_config: Make) -> None:
    (found,) = synchronization_costs([make_config({"norm": "sync", "net.hidden": 16})])
    channels, layers = 8 + 16, 2  # one convolution and one hidden layer
    forward = 4 * (2 * channels + layers)  # sums, sums of squares, and a count each, in float32
    backward = 4 * (2 * channels + layers)
    assert found["bytes_2"] == found["bytes_4"] == forward + backward
    assert found["step_2"] > 0
    assert found["unsynchronized_4"] > 0
