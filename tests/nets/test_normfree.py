"""Nets without normalization: how they start, what they compute, and what they refuse."""

import math

import pytest
import torch
from torch import nn

from normlab.config import NetConfig, NormConfig
from normlab.errors import NormlabError
from normlab.nets import make_net
from normlab.nets.normfree import FixupBlock, ScaledBlock, ScaledStandardizedConv2d

SHAPE = (3, 16, 16)


def net(name: str, depth: int = 20, norm: str = "none", widths: tuple[int, ...] = (16, 32, 32)) -> nn.Module:
    return make_net(NetConfig(name=name, widths=widths, depth=depth), NormConfig(name=norm), SHAPE, 10, 0)


def test_fixup_starts_with_blocks_that_are_the_identity_and_a_head_at_zero() -> None:
    built = net("resnet_fixup")
    assert torch.equal(built(torch.randn(4, *SHAPE)), torch.zeros(4, 10))
    block = next(m for m in built.modules() if isinstance(m, FixupBlock))
    x = torch.randn(4, 16, 8, 8).relu()
    assert torch.equal(block(x), x)


def test_fixup_scales_first_layers_with_the_number_of_blocks() -> None:
    block = next(m for m in net("resnet_fixup", depth=56).modules() if isinstance(m, FixupBlock))
    expected = math.sqrt(2 / (16 * 9)) * 27**-0.5  # kaiming, times L^(−1/2) for 27 blocks of two layers
    assert block.first.weight.std().item() == pytest.approx(expected, rel=0.1)
    assert block.second.weight.abs().max() == 0


def test_a_fixup_block_is_its_formula() -> None:
    block = FixupBlock(4, 4, 1, 3).double()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())))
    x, b = torch.randn(2, 4, 5, 5, dtype=torch.float64), block.biases
    hidden = nn.functional.conv2d(x + b[0], block.first.weight, padding=1) + b[1]
    hidden = nn.functional.conv2d(hidden.clamp(min=0) + b[2], block.second.weight, padding=1)
    torch.testing.assert_close(block(x), (x + block.scale * hidden + b[3]).clamp(min=0))


def test_scaled_standardization_is_its_formula_and_keeps_the_variance() -> None:
    layer = ScaledStandardizedConv2d(8, 6, 3, padding=1).double()
    with torch.no_grad():
        layer.weight.copy_(layer.weight * 7 + 1)
        layer.gain.copy_(torch.linspace(0.5, 2, 6))
    weights = []
    for c in range(6):
        values = layer.weight[c].flatten()
        deviation = ((values - values.mean()) ** 2).mean().sqrt()
        weights.append(layer.gain[c] * (layer.weight[c] - values.mean()) / (deviation * math.sqrt(8 * 9)))
    x = torch.randn(64, 8, 6, 6, dtype=torch.float64)
    expected = nn.functional.conv2d(x, torch.stack(weights), layer.bias, padding=1)
    torch.testing.assert_close(layer(x), expected)
    inner = (expected - layer.bias.view(1, 6, 1, 1))[:, :, 1:-1, 1:-1]  # without the padding's zeros
    torch.testing.assert_close(inner.std((0, 2, 3)), layer.gain.detach(), rtol=0.1, atol=0)


def test_variance_grows_as_the_blocks_expect() -> None:
    built = net("resnet_scaled_ws", widths=(64, 64, 64))
    x = torch.randn(64, *SHAPE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for module in built:
            if isinstance(module, ScaledBlock) and x.shape[-1] > 4:  # inside, away from the padding's zeros
                assert x[:, :, 2:-2, 2:-2].var().item() ** 0.5 == pytest.approx(module.beta, rel=0.25)
            x = module(x)


@pytest.mark.parametrize("name", ["resnet_fixup", "resnet_scaled_ws"])
def test_nets_without_norms_refuse_one(name: str) -> None:
    with pytest.raises(NormlabError, match="use it with norm=none"):
        net(name, norm="batch")
    with pytest.raises(NormlabError, match=r"6n\+2"):
        net(name, depth=9)
