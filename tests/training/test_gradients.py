"""Gradient measures on nets whose gradients are known."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from normlab.config import NetConfig, NormConfig, RunConfig
from normlab.data.batches import load_splits
from normlab.nets import make_net
from normlab.training.gradients import gradient_flow, gradient_variance


def chain(factor: float, depth: int) -> nn.Module:
    """Linear layers, each ``factor`` times the identity: gradients shrink or grow by exactly that factor a layer."""
    layers = [nn.Linear(64, 64, bias=False) for _ in range(depth)]
    for layer in layers:
        nn.init.eye_(layer.weight)
        layer.weight.data *= factor
    return nn.Sequential(nn.Flatten(), *layers, nn.Linear(64, 10))


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.5])
def test_growth_is_the_factor_from_a_layer_to_the_one_below(
    make_config: Callable[..., RunConfig], factor: float
) -> None:
    config = make_config()
    found = gradient_flow(chain(factor, 8), config, load_splits(config.data, 0))
    assert found["growth"] == pytest.approx(factor, rel=1e-4)
    assert found["slope"] == pytest.approx(abs(math.log10(factor)), abs=1e-4)
    assert found["range"] == pytest.approx(6 * abs(math.log10(factor)), abs=1e-3)
    assert found["broken"] == 0


def test_the_scale_of_weights_before_batch_norm_changes_nothing(make_config: Callable[..., RunConfig]) -> None:
    config = make_config()
    splits = load_splits(config.data, 0)
    mlp = NetConfig(name="mlp", widths=(16,), depth=6)
    net = make_net(mlp, NormConfig(name="batch", eps=1e-12), splits.shape, splits.classes, 0)
    before = gradient_flow(net, config, splits)
    layers = [module for module in net.modules() if isinstance(module, nn.Linear)]
    for place, layer in enumerate(layers[:-1]):
        for parameter in layer.parameters():
            parameter.data *= 1.0 + place
    assert gradient_flow(net, config, splits) == pytest.approx(before, rel=1e-3, abs=1e-4)


def test_a_gradient_that_vanishes_altogether_is_broken_and_still_a_number(
    make_config: Callable[..., RunConfig],
) -> None:
    config = make_config()
    found = gradient_flow(chain(1e-8, 12), config, load_splits(config.data, 0))
    assert found["broken"] == 1
    assert math.isfinite(found["slope"])
    assert found["growth"] < 1e-3


def test_measuring_gradients_changes_nothing(make_config: Callable[..., RunConfig]) -> None:
    config = make_config(norm="batch")
    splits = load_splits(config.data, 0)
    net = make_net(config.net, config.norm, splits.shape, splits.classes, 0)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    assert gradient_flow(net, config, splits) == gradient_flow(net, config, splits)
    assert gradient_variance(net, config, splits) == gradient_variance(net, config, splits)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())


def test_relative_variance_falls_with_the_batch(make_config: Callable[..., RunConfig]) -> None:
    """For independent samples the variance of the mean gradient falls with 1/B, its mean stays."""
    found = []
    for batch_size in (4, 16):
        config = make_config({"data.train_size": 1000}, **{"data.batch_size": batch_size})
        splits = load_splits(config.data, 0)
        net = make_net(config.net, NormConfig(name="none"), splits.shape, splits.classes, 0)
        found.append(gradient_variance(net, config, splits)["log_relative_variance"])
    assert found[0] - found[1] == pytest.approx(math.log(4), abs=0.35)


def test_where_nothing_flows_there_is_no_slope(make_config: Callable[..., RunConfig]) -> None:
    config = make_config()
    net = chain(1.0, 6)
    nn.init.zeros_(net[-1].weight)  # type: ignore[index]
    assert gradient_flow(net, config, load_splits(config.data, 0)) == {"broken": 1.0}
