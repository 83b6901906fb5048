"""The largest stretch of a net, against singular values that are known."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from normlab.config import RunConfig
from normlab.data.batches import Split, Splits
from normlab.training.lipschitz import lipschitz

HEAD = nn.Linear(5, 2)


@pytest.fixture
def splits() -> Splits:
    images = torch.randn(7, 1, 3, 4, generator=torch.Generator().manual_seed(0))
    split = Split(images, torch.tensor([0, 1, 0, 1, 0, 1, 0]))
    return Splits(split, split, split, classes=2, shape=(1, 3, 4))


def net_of(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), *layers, HEAD)


def norm(matrix: Tensor) -> float:
    return torch.linalg.matrix_norm(matrix, 2).item()


def test_of_a_linear_map_it_is_the_largest_singular_value(
    make_config: Callable[..., RunConfig], splits: Splits
) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(12, 5)
    found = lipschitz(net_of(layer), make_config(), splits)
    for name in ("largest", "median"):
        assert found[f"log_{name}_features"] == pytest.approx(math.log(norm(layer.weight)), abs=1e-3)
        assert found[f"log_{name}"] == pytest.approx(math.log(norm(HEAD.weight @ layer.weight)), abs=1e-3)


def test_of_other_nets_it_is_that_of_the_jacobian_at_each_image(
    make_config: Callable[..., RunConfig], splits: Splits
) -> None:
    torch.manual_seed(0)
    net = net_of(nn.Linear(12, 9), nn.Tanh(), nn.Linear(9, 5), nn.ReLU())
    found = lipschitz(net, make_config(), splits)
    for part, suffix in ((net, ""), (net[:-1], "_features")):

        def said(image: Tensor, part: nn.Module = part) -> Tensor:
            out: Tensor = part(image[None])[0]
            return out

        each = sorted(norm(torch.autograd.functional.jacobian(said, image).flatten(1)) for image in splits.test.images)
        assert math.exp(found[f"log_largest{suffix}"]) == pytest.approx(each[-1], rel=0.01)
        assert math.exp(found[f"log_median{suffix}"]) == pytest.approx(each[3], rel=0.01)


def test_the_radius_is_the_margin_over_the_stretch_whatever_the_scale(
    make_config: Callable[..., RunConfig], splits: Splits
) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(12, 5)
    net = net_of(layer)
    logits = net(splits.test.images).detach()
    labels = splits.test.labels
    margins = (logits[:, 0] - logits[:, 1]) * (1 - 2 * labels)
    stretch = norm(HEAD.weight @ layer.weight)
    expected = math.log((margins[margins > 0] / (math.sqrt(2) * stretch)).median().item())
    found = lipschitz(net, make_config(), splits)
    assert found["log_radius"] == pytest.approx(expected, abs=1e-3)
    HEAD.weight.data *= 7
    HEAD.bias.data *= 7
    larger = lipschitz(net, make_config(), splits)
    HEAD.weight.data /= 7
    HEAD.bias.data /= 7
    assert larger["log_radius"] == pytest.approx(expected, abs=1e-3)
    assert larger["log_largest"] == pytest.approx(found["log_largest"] + math.log(7), abs=1e-3)
