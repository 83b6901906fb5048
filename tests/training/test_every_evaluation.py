"""Every evaluation of every method: numbers, nothing, or one line – and the same for a net and for the net beside it."""

import math
from collections.abc import Callable
from contextlib import nullcontext, suppress

import pytest
import torch

from normlab.config import RunConfig
from normlab.data.batches import load_splits
from normlab.errors import NormlabError
from normlab.nets import make_net
from normlab.norms import METHODS
from normlab.training import noise
from normlab.training.evaluations import EVALUATIONS

NAMES = [name for name in METHODS if name != "custom"]
QUICK = [
    name for name in EVALUATIONS if name not in ("features", "corruptions", "landscape")
]  # these have tests of their own
MOVE_WEIGHTS = {"gradient_shift", "landscape"}  # say so where weights are computed from other parameters


@pytest.mark.parametrize("name", NAMES)
def test_numbers_nothing_or_one_line(
    name: str, make_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noise, "GRADIENT_DRAWS", 5)
    monkeypatch.setattr(noise, "DRAWS", 20)
    monkeypatch.setattr(noise, "COMPANION_IMAGES", 4)
    monkeypatch.setattr(noise, "COMPANION_DRAWS", 2)
    config = make_config(**{"norm": name, "data.train_size": 200})
    splits = load_splits(config.data, config.seed)
    net = make_net(config.net, config.norm, splits.shape, splits.classes, config.seed)
    net.train()
    for start in range(0, 100, 20):
        net(splits.train.images[start : start + 20])
    weights = {key: value.clone() for key, value in net.state_dict().items()}
    for evaluation in QUICK:
        net.load_state_dict(weights)
        found: dict[str, float] = {}
        with suppress(NormlabError) if evaluation in MOVE_WEIGHTS else nullcontext():
            found = EVALUATIONS[evaluation](net, config, splits)
        assert all(math.isfinite(value) for value in found.values()), evaluation
        if evaluation in ("statistics_noise",):
            assert bool(found) == bool(METHODS[name].running)
        if evaluation == "gradient_noise_sources" and not METHODS[name].running:
            assert set(found.values()) == {0.0}  # there are no statistics of the batch for gradients to go through


def test_detached_statistics_are_batch_norm_with_constants(make_config: Callable[..., RunConfig]) -> None:
    """Outputs are those of live statistics, gradients those of the formula with μ and σ held fixed; afterwards all is as before."""
    from normlab.norms.batch import BatchNorm

    net = torch.nn.Sequential(BatchNorm(3)).double()
    x = (torch.randn(6, 3, 4, 4, dtype=torch.float64) * 2 + 1).requires_grad_()
    with noise.detached_statistics(net):
        y = net(x)
        (gradient,) = torch.autograd.grad((y * y.detach()).sum(), x)
    expected = (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(y, expected)
    rstd = (x.var((0, 2, 3), correction=0, keepdim=True) + 1e-5).rsqrt()
    torch.testing.assert_close(gradient, (expected * rstd).detach())
    assert torch.equal(net[0].running_mean, torch.zeros(3, dtype=torch.float64))
