"""The largest stretch of a net, against singular values that are known."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from normlab.config import RunConfig
from normlab.data.batches import Split, Splits
from normlab.training.lipschitz import lipschitz


@pytest.fixture
def splits() -> Splits:
    images = torch.randn(7, 1, 3, 4, generator=torch.Generator().manual_seed(0))
    split = Split(images, torch.zeros(7, dtype=torch.long))
    return Splits(split, split, split, classes=2, shape=(1, 3, 4))


def net_of(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Flatten(), *layers, nn.Linear(5, 2))


def test_of_a_linear_map_it_is_the_largest_singular_value(make_config: Callable[..., RunConfig], splits: Splits) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(12, 5)
    found = lipschitz(net_of(layer), make_config(), splits)
    expected = math.log(torch.linalg.matrix_norm(layer.weight, 2).item())
    assert found == pytest.approx({"log_largest": expected, "log_median": expected}, abs=1e-3)


def test_of_other_nets_it_is_that_of_the_jacobian_at_each_image(
    make_config: Callable[..., RunConfig], splits: Splits
) -> None:
    torch.manual_seed(0)
    net = net_of(nn.Linear(12, 9), nn.Tanh(), nn.Linear(9, 5), nn.ReLU())

    def features(image: Tensor) -> Tensor:
        found: Tensor = net[:-1](image[None])[0]
        return found

    each = [
        torch.linalg.matrix_norm(torch.autograd.functional.jacobian(features, image).reshape(5, -1), 2).item()
        for image in splits.test.images
    ]
    found = lipschitz(net, make_config(), splits)
    assert math.exp(found["log_largest"]) == pytest.approx(max(each), rel=0.01)
    assert math.exp(found["log_median"]) == pytest.approx(sorted(each)[3], rel=0.01)


def test_it_scales_with_the_weights(make_config: Callable[..., RunConfig], splits: Splits) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(12, 5)
    before = lipschitz(net_of(layer), make_config(), splits)["log_largest"]
    layer.weight.data *= 3
    assert lipschitz(net_of(layer), make_config(), splits)["log_largest"] == pytest.approx(before + math.log(3), abs=1e-3)
