"""Methods that act on weights: their formulas, what they leave of a layer, and how they start."""

import pytest
import torch
from torch import Tensor, nn

from normlab.config import NetConfig, NormConfig
from normlab.nets import make_net
from normlab.norms import wrap_layer
from normlab.norms.weight_standardization import EPS

LAYERS = {"conv": lambda: nn.Conv2d(3, 6, 3, padding=1), "fc": lambda: nn.Linear(12, 6)}


def wrapped(name: str, kind: str, **options: object) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    layer = LAYERS[kind]().double()
    weight = layer.weight.detach().clone()
    wrap_layer(NormConfig(name=name, **options), layer, torch.Generator().manual_seed(0))
    return layer, weight


def inputs(kind: str) -> Tensor:
    shape = (16, 3, 5, 5) if kind == "conv" else (64, 12)
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 3 + 1


@pytest.mark.parametrize("kind", list(LAYERS))
def test_weight_norm_starts_as_the_layer_and_is_its_formula(kind: str) -> None:
    layer, weight = wrapped("weight", kind)
    torch.testing.assert_close(layer.weight, weight)
    g, v = layer.parametrizations.weight.original0, layer.parametrizations.weight.original1
    with torch.no_grad():
        g.mul_(1.7)
        v.mul_(5.0)  # only its direction counts
    for c in range(6):
        torch.testing.assert_close(layer.weight[c], g[c] * v[c] / v[c].flatten().norm())


@pytest.mark.parametrize("kind", list(LAYERS))
def test_weight_norm_initialized_by_data_standardizes_the_first_batch_alone(kind: str) -> None:
    layer, _ = wrapped("weight", kind, data_init=True)
    layer.eval()(inputs(kind))  # evaluation initializes nothing
    output = layer.train()(inputs(kind))
    axes = [0, 2, 3] if kind == "conv" else [0]
    torch.testing.assert_close(output.mean(axes), torch.zeros(6, dtype=torch.float64), atol=1e-9, rtol=0)
    torch.testing.assert_close(output.std(axes, correction=0), torch.ones(6, dtype=torch.float64))
    torch.testing.assert_close(layer(2 * inputs(kind)), layer.eval()(2 * inputs(kind)))
    output.square().sum().backward()
    assert layer.bias.grad is not None


@pytest.mark.parametrize("kind", list(LAYERS))
def test_the_largest_singular_value_is_one_once_warmed_up(kind: str) -> None:
    layer, weight = wrapped("spectral", kind)
    for _ in range(100):
        layer.train()(inputs(kind))
    largest = torch.linalg.svdvals(layer.weight.flatten(1))[0].item()
    assert largest == pytest.approx(1, abs=1e-3)
    torch.testing.assert_close(layer.weight, weight / torch.linalg.svdvals(weight.flatten(1))[0], rtol=1e-3, atol=1e-6)
    kept = layer.weight.detach().clone()
    layer.eval()(inputs(kind))
    torch.testing.assert_close(layer.weight, kept)


@pytest.mark.parametrize("kind", list(LAYERS))
def test_weight_standardization_is_its_formula(kind: str) -> None:
    layer, weight = wrapped("weight_standardization", kind)
    for c in range(6):
        values = weight[c].flatten()
        deviation = (((values - values.mean()) ** 2).mean() + EPS).sqrt()
        torch.testing.assert_close(layer.weight[c].flatten(), (values - values.mean()) / deviation)


@pytest.mark.parametrize("name", ["weight", "spectral", "weight_standardization"])
def test_nets_wrap_the_layers_that_norm_in_names_and_not_the_head(name: str) -> None:
    def found(norm_in: str) -> list[str]:
        config = NetConfig(name="cnn", widths=(8, 8), hidden=8, norm_in=norm_in)
        net = make_net(config, NormConfig(name=name), (3, 16, 16), 10, 0)
        layers = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        return ["wrapped" if hasattr(layer, "parametrizations") else "plain" for layer in layers]

    assert found("both") == ["wrapped", "wrapped", "wrapped", "plain"]
    assert found("conv") == ["wrapped", "wrapped", "plain", "plain"]
    assert found("fc") == ["plain", "plain", "wrapped", "plain"]


def test_what_a_method_draws_comes_from_the_runs_seed() -> None:
    def state(seed: int) -> dict[str, Tensor]:
        torch.manual_seed(torch.seed() % 1000)
        config = NetConfig(name="cnn", widths=(8,), hidden=8)
        return make_net(config, NormConfig(name="spectral"), (3, 8, 8), 10, seed).state_dict()

    first, second = state(3), state(3)
    assert all(torch.equal(first[name], second[name]) for name in first)
