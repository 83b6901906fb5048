"""Weight normalization."""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from normlab.norms.channelwise import all_but_channels
from normlab.norms.method import Method


def wrap(layer: nn.Module, data_init: bool = False) -> None:
    """Weight normalization of a conv or linear layer: w_c = g_c·v_c/‖v_c‖, over the weights of one output channel.

    torch.nn.utils.parametrizations.weight_norm; g starts as ‖w_c‖, so that the layer starts unchanged. With ``data_init``
    the first training batch rescales it: g ← g/σ and bias ← (bias − μ)/σ with the mean μ and the standard deviation σ of
    its outputs a channel, which then have mean 0 and variance 1.

    Paper: Salimans & Kingma 2016.
    """
    parametrizations.weight_norm(layer, dim=0)
    if data_init:
        _InitializeOnce(layer)


class _InitializeOnce(nn.Module):
    """A hook on the first forward pass in training; part of the layer's state, so that it is the first one for good."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.done: Tensor
        self.register_buffer("done", torch.tensor(False))
        layer.data_init = self
        layer.register_forward_hook(self.initialize)

    def initialize(self, layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor | None:
        if self.done or not layer.training:
            return None
        self.done.fill_(True)
        with torch.no_grad():
            values = output if output.dtype == torch.float64 else output.float()
            std, mean = torch.std_mean(values, all_but_channels(output), correction=0)
            std = std.clamp_min(1e-6)
            norms: Tensor = layer.parametrizations.weight.original0  # type: ignore[union-attr, assignment]
            norms.div_(std.view(-1, *[1] * (norms.dim() - 1)))
            bias: Tensor = layer.bias  # type: ignore[assignment]
            bias.sub_(mean).div_(std)
        return layer.forward(*inputs)


def build(num_features: int, data_init: bool = False) -> nn.Module:
    """Nothing stands in the norm's place: the layer before it is wrapped."""
    del num_features, data_init
    return nn.Identity()


METHOD = Method(
    "weight",
    "weight norm",
    build,
    version=1,
    shifts=False,
    wrap=wrap,
    colour="#74A57F",
    title_ja="重み正規化",
    does="Writes each weight vector as a direction times a learned length; activations are left alone.",
    does_ja="重みベクトルを方向と学習する長さに分けて表す。活性には手を加えない。",
    also=("WeightNorm", "WN", "weight normalization"),
)
