"""Measures of how layers' inputs and gradients move, on nets where the answer is known."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from normlab.config import RunConfig
from normlab.data.batches import Split, Splits, load_splits
from normlab.errors import NormlabError
from normlab.nets import make_net
from normlab.training.covariate_shift import gradient_shift, input_drift, layer_inputs, moments
from normlab.training.landscape import landscape

MEASURES = (layer_inputs, input_drift, gradient_shift, landscape)


def built(config: RunConfig) -> tuple[nn.Module, Splits]:
    splits = load_splits(config.data, 0)
    return make_net(config.net, config.norm, splits.shape, splits.classes, 0), splits


def test_moments_are_those_of_the_input_by_channel() -> None:
    x = torch.randn(6, 3, 4, 4)
    layer = nn.Conv2d(3, 2, 1)
    ((mean, variance),) = moments(layer, x, [layer])
    assert torch.allclose(mean, x.double().mean((0, 2, 3)))
    assert torch.allclose(variance, x.double().var((0, 2, 3), correction=0))


def test_inputs_directly_behind_batch_norm_are_standardized(make_config: Callable[..., RunConfig]) -> None:
    """At the start γ = 1 and β = 0; the activation then moves mean and variance, the norm's own output is (0, 1)."""
    config = make_config(norm="batch")
    found = layer_inputs(*_swap(config))
    assert found["norm_mean"] == pytest.approx(0.0, abs=0.1)
    assert found["norm_variance"] == pytest.approx(0.0, abs=0.1)
    assert found["variance"] > 0.2
    assert found["mean"] > 0.2


def _swap(config: RunConfig) -> tuple[nn.Module, RunConfig, Splits]:
    net, splits = built(config)
    return net, config, splits


def test_nothing_drifts_without_learning(make_config: Callable[..., RunConfig]) -> None:
    slow, fast = (
        input_drift(*_swap(make_config(norm="none", **{"optimizer.lr": rate})))["log_drift"] for rate in (1e-4, 1e-2)
    )
    assert fast - slow == pytest.approx(math.log(100), abs=0.7)  # small steps move inputs in proportion to the rate


def test_noise_on_the_inputs_is_drift(make_config: Callable[..., RunConfig]) -> None:
    found = [
        input_drift(*_swap(make_config(norm="batch", **{"net.disturbance": amount, "optimizer.lr": 1e-3})))["log_drift"]
        for amount in (0.0, 1.0)
    ]
    assert found[1] > found[0] + 1


class TwoLinear(nn.Module):
    """L depends on W2·W1·x: the gradient of W2 moves with W1."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(64, 8, bias=False), nn.Linear(8, 10, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x.flatten(1)))


def test_gradient_shift_by_its_definition(make_config: Callable[..., RunConfig]) -> None:
    config = make_config(norm="none", **{"optimizer.lr": 0.05, "data.batch_size": 500, "data.train_size": 500})
    splits = load_splits(config.data, 0)
    torch.manual_seed(0)
    net = TwoLinear()
    images, labels = splits.train.images, splits.train.labels
    loss = lambda: nn.functional.cross_entropy(net(images), labels)  # noqa: E731
    g1, g2 = torch.autograd.grad(loss(), [net.first.weight, net.second.weight])
    net.first.weight.data -= 0.05 * g1
    (moved,) = torch.autograd.grad(loss(), [net.second.weight])
    net.first.weight.data += 0.05 * g1
    found = gradient_shift(net, config, splits)
    assert found["log_shift"] == pytest.approx(math.log((moved - g2).norm() / g2.norm()), abs=1e-3)
    assert found["cosine"] == pytest.approx(torch.cosine_similarity(moved.flatten(), g2.flatten(), 0).item(), abs=1e-4)


@pytest.mark.parametrize("evaluation", MEASURES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_measuring_leaves_the_weights_alone(
    make_config: Callable[..., RunConfig], evaluation: Callable[..., dict[str, float]], norm: str
) -> None:
    config = make_config(norm=norm)
    net, splits = built(config)
    before = {name: value.clone() for name, value in net.state_dict().items() if "running" not in name}
    first = evaluation(net, config, splits)
    assert all(math.isfinite(value) for value in first.values())
    assert evaluation(net, config, splits) == pytest.approx(first, rel=1e-4)
    for name, value in before.items():
        if "num_batches" not in name:
            torch.testing.assert_close(net.state_dict()[name], value, rtol=1e-6, atol=1e-7)
    assert all(p.grad is None for p in net.parameters())


class Quadratic(nn.Module):
    """Logits whose loss is that of a plain linear classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x.flatten(1))


def test_the_landscape_by_its_definition(make_config: Callable[..., RunConfig]) -> None:
    config = make_config(norm="none", **{"data.train_size": 500})
    splits = load_splits(config.data, 0)
    torch.manual_seed(0)
    net = Quadratic()
    weight = net.layer.weight
    found = landscape(net, config, splits)

    def look() -> tuple[float, torch.Tensor]:
        loss = nn.functional.cross_entropy(net(splits.train.images), splits.train.labels)
        return loss.item(), torch.autograd.grad(loss, [weight])[0]

    start, length = weight.detach().clone(), weight.norm().item()
    loss, gradient = look()
    losses, changes, steps = [loss], [], (0.003, 0.006, 0.012, 0.025, 0.05, 0.1)
    for step in steps:
        weight.data = start - step * length * gradient / gradient.norm()
        moved_loss, moved = look()
        losses.append(moved_loss)
        changes.append(length * (moved - gradient).norm().item())
    expected = {
        "log_loss_range": max(losses) - min(losses),
        "log_gradient_change": max(changes),
        "log_smoothness": max(c / s for c, s in zip(changes, steps, strict=True)),
    }
    logs = {name: math.log(value) for name, value in expected.items()}
    assert found == pytest.approx(logs | {"loss": loss}, abs=1e-3)


def test_the_landscape_is_blind_to_the_scale_that_batch_norm_is_blind_to(make_config: Callable[..., RunConfig]) -> None:
    config = make_config(norm="batch", **{"norm.eps": 1e-9})
    net, splits = built(config)
    before = landscape(net, config, splits)
    hidden = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)][:-1]
    for factor, layer in zip((2.0, 0.5), hidden, strict=True):
        layer.weight.data *= factor
    assert landscape(net, config, splits) == pytest.approx(before, abs=1e-3)


def test_weights_that_are_computed_cannot_be_moved(make_config: Callable[..., RunConfig]) -> None:
    config = make_config(norm="weight")
    net, splits = built(config)
    for evaluation in (gradient_shift, landscape):
        with pytest.raises(NormlabError, match="computed from other parameters"):
            evaluation(net, config, Splits(Split(splits.train.images, splits.train.labels), *_rest(splits)))


def _rest(splits: Splits) -> tuple[Split, Split, tuple[int, int, int], int]:
    return splits.validation, splits.test, splits.shape, splits.classes
