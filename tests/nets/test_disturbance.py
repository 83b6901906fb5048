"""Noise behind norms: its size, its seeds, and where it stands."""

from collections.abc import Callable

import pytest
import torch

from normlab.config import NetConfig, NormConfig, RunConfig
from normlab.errors import NormlabError
from normlab.nets import make_net
from normlab.nets.disturbance import Disturbance
from normlab.tasks import train


def test_shift_and_scale_differ_by_sample_and_channel_and_are_shared_by_positions() -> None:
    layer = Disturbance(0.5).train()
    x = torch.randn(4, 3, 5, 5)
    shift = layer(torch.zeros_like(x))
    assert torch.equal(shift, shift[:, :, :1, :1].expand_as(shift))
    assert len(shift[:, :, 0, 0].unique()) == 12


def test_its_moments_over_many_steps() -> None:
    """Over steps a shift has mean 0 and variance a²/3 + a²/4; a scale mean 1 and the same variance."""
    amount = 0.6
    layer = Disturbance(amount).train()
    shifts = torch.stack([layer(torch.zeros(1, 50)) for _ in range(2000)])
    expected = amount**2 / 3 + amount**2 / 4
    assert shifts.mean().item() == pytest.approx(0.0, abs=0.01)
    assert shifts.var().item() == pytest.approx(expected, rel=0.03)
    both = torch.stack([layer(torch.ones(1, 50)) for _ in range(2000)])
    assert both.mean().item() == pytest.approx(1.0, abs=0.01)
    assert both.var().item() == pytest.approx(2 * expected, rel=0.03)


def test_noise_that_does_not_move_has_the_same_values_and_a_steady_distribution() -> None:
    amount = 0.6
    found = {}
    for moving in (True, False):
        layer = Disturbance(amount, moving=moving).train()
        shifts = torch.stack([layer(torch.zeros(200, 5)) for _ in range(300)])
        assert shifts.var().item() == pytest.approx(amount**2 / 3 + amount**2 / 4, rel=0.05)
        found[moving] = shifts.mean(1).std().item()  # of a batch's mean, over steps
    assert found[True] == pytest.approx(amount / 3**0.5, rel=0.1)
    assert found[False] < 0.2 * found[True]


def test_evaluation_changes_nothing() -> None:
    x = torch.randn(5, 3, 2, 2)
    assert torch.equal(Disturbance(1.0).eval()(x), x)


def test_it_stands_behind_every_norm_and_follows_from_the_seed(make_config: Callable[..., RunConfig]) -> None:
    config = make_config(norm="batch", **{"net.disturbance": 0.5})
    net = make_net(config.net, config.norm, (1, 8, 8), 10, 0)
    stages = [list(stage) for stage in net if isinstance(stage, torch.nn.Sequential)]  # type: ignore[attr-defined]
    assert all(isinstance(stage[2], Disturbance) for stage in stages)
    assert len({stage[2].source.initial_seed() for stage in stages}) == len(stages)
    assert train(config).history == train(config).history
    assert train(config).history != train(make_config(norm="batch")).history


def test_a_residual_net_has_no_place_for_it() -> None:
    config = NetConfig(name="resnet", widths=(4, 4, 8), depth=8, disturbance=0.5)
    with pytest.raises(NormlabError, match=r"net\.disturbance"):
        make_net(config, NormConfig(name="batch"), (1, 8, 8), 10, 0)
