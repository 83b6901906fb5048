"""Statistics from other data, and a decay that changes by phase."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from normlab.config import MeasureConfig, RunConfig
from normlab.errors import NormlabError
from normlab.norms.batch import BatchNorm
from normlab.norms.group import GroupNorm
from normlab.tasks import train
from normlab.training.adaptation import adapt
from normlab.training.statistics import RunningStatistics


def net() -> nn.Sequential:
    return nn.Sequential(BatchNorm(3), nn.Conv2d(3, 4, 1), BatchNorm(4)).double()


def target(n: int = 64) -> torch.Tensor:
    return torch.randn((n, 3, 5, 5), generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3 + 2


def test_all_target_images_give_their_own_moments_layer_by_layer() -> None:
    adapted, images = net(), target()
    adapt(adapted, images)
    torch.testing.assert_close(adapted[0].running_mean, images.mean((0, 2, 3)))
    torch.testing.assert_close(adapted[0].running_var, images.var((0, 2, 3)), rtol=1e-3, atol=0)
    with torch.no_grad():
        y = adapted.eval()(images)
    torch.testing.assert_close(y.mean((0, 2, 3)), torch.zeros(4, dtype=torch.float64), atol=1e-9, rtol=0)
    torch.testing.assert_close(y.std((0, 2, 3)), torch.ones(4, dtype=torch.float64), atol=1e-3, rtol=0)


@pytest.mark.parametrize("prior", [0.0, 16.0, 48.0])
def test_a_prior_blends_source_and_target_by_their_counts(prior: float) -> None:
    adapted, images = net(), target(16)
    adapt(adapted, images, prior=prior)
    share = 16 / (16 + prior)
    torch.testing.assert_close(adapted[0].running_mean, share * images.mean((0, 2, 3)))
    variance = (1 - share) + share * images.var((0, 2, 3))
    torch.testing.assert_close(adapted[0].running_var, variance, rtol=1e-3, atol=0)


def test_fewer_images_are_a_fixed_part_of_all() -> None:
    first, second, images = net(), net(), target()
    for one in (first, second):
        adapt(one, images, amount=8)
    assert torch.equal(first[0].running_mean, second[0].running_mean)
    assert not torch.allclose(first[0].running_mean, images.mean((0, 2, 3)))


@pytest.mark.parametrize(("amount", "prior"), [(0, 0.0), (65, 0.0), (8, -1.0)])
def test_what_cannot_be_is_refused(amount: int, prior: float) -> None:
    with pytest.raises(NormlabError, match=r"amount=|prior="):
        adapt(net(), target(), amount, prior)


def test_nothing_happens_without_batch_norm() -> None:
    plain = nn.Sequential(GroupNorm(4, 2)).double()
    adapt(plain, target()[:, :1].repeat(1, 4, 1, 1))


def test_the_decay_changes_at_its_phases() -> None:
    layer = nn.Sequential(BatchNorm(2))
    kept = RunningStatistics(layer, updates=10, phases=[(0.0, 0.5), (0.4, 0.9)])
    expected = torch.zeros(2)
    for step in range(10):
        x = torch.randn(8, 2, 3, 3) + step
        layer(x)
        kept.update()
        decay = 0.5 if step < 4 else 0.9
        expected = decay * expected + (1 - decay) * x.mean((0, 2, 3))
    kept.install_phases()
    torch.testing.assert_close(layer[0].running_mean, expected)


def test_a_run_measures_phases_without_changing_a_weight(make_config: Callable[..., RunConfig]) -> None:
    plain = train(make_config(norm="batch"))
    phased = train(make_config({"measure.phases": [[0.0, 0.5], [0.5, 0.99]]}, norm="batch"))
    assert {n for n in phased.measures if "phases" in n} >= {"test_accuracy_phases", "lag_phases", "jitter_phases"}
    assert all(torch.equal(value, phased.weights[name]) for name, value in plain.weights.items())


def test_phases_are_checked_and_covered() -> None:
    phases = ((0.0, 0.5), (0.5, 0.9))
    assert MeasureConfig(phases=phases).covers(MeasureConfig())
    assert not MeasureConfig().covers(MeasureConfig(phases=phases))
    with pytest.raises(ValueError, match="must start at 0"):
        MeasureConfig(phases=((0.1, 0.5),))
