"""Training memory, counted by hand for nets small enough."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from normlab.config import RunConfig
from normlab.data.batches import load_splits
from normlab.nets import make_net
from normlab.training.memory import training_memory

FLOAT = 4


def test_saved_bytes_are_the_activations_that_the_backward_pass_reads(make_config: Callable[..., RunConfig]) -> None:
    config = make_config()
    splits = load_splits(config.data, 0)
    batch = config.data.batch_size
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10))
    found = training_memory(net, config, splits)
    hidden, log_probabilities = batch * 8 * FLOAT, batch * 10 * FLOAT
    assert found["saved_bytes"] == pytest.approx(hidden + log_probabilities, abs=FLOAT)  # and the loss's weight
    assert found["parameters"] == 64 * 8 + 8 + 8 * 10 + 10
    assert found["state"] == 0


def test_batch_norm_keeps_one_more_map_and_its_statistics(make_config: Callable[..., RunConfig]) -> None:
    found = {}
    for norm in ("none", "batch"):
        config = make_config(norm=norm, **{"net.norm_in": "conv"})
        splits = load_splits(config.data, 0)
        net = make_net(config.net, config.norm, splits.shape, splits.classes, 0)
        found[norm] = training_memory(net, config, splits)
    pixels = config.data.batch_size * 8 * 8
    more = found["batch"]["saved_bytes"] - found["none"]["saved_bytes"]
    assert more == pytest.approx(pixels * 8 * FLOAT, abs=8 * 8 * FLOAT)  # the map; mean and 1/σ of its 8 channels
    assert found["batch"]["state"] == 2 * 8


def test_it_leaves_weights_and_statistics_as_they_were(make_config: Callable[..., RunConfig]) -> None:
    config = make_config(norm="batch")
    splits = load_splits(config.data, 0)
    net = make_net(config.net, config.norm, splits.shape, splits.classes, 0)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    first = training_memory(net, config, splits)
    assert training_memory(net, config, splits) == first
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
