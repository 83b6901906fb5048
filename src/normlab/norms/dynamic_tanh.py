"""Dynamic tanh, which takes a norm's place without any statistics."""

import torch
from torch import Tensor, nn

from normlab.norms.channelwise import ChannelNorm
from normlab.norms.method import Method


class DynamicTanh(ChannelNorm):
    """Dynamic tanh of (N, C, *), element by element: y = γ_c·tanh(α·x) + β_c, with one learnable α a layer.

    Paper: Zhu, Chen, He, LeCun & Liu 2025.
    """

    def __init__(self, num_features: int, alpha: float = 0.5, affine: bool = True) -> None:
        super().__init__(num_features, 0.0, affine)
        self.alpha = nn.Parameter(torch.tensor(float(alpha)))

    def normalize(self, x: Tensor) -> Tensor:
        return self.scale_and_shift(torch.tanh(self.alpha * x))


def build(num_features: int, **options: object) -> nn.Module:
    """A :class:`DynamicTanh`."""
    return DynamicTanh(num_features, **options)  # type: ignore[arg-type]


METHOD = Method(
    "dynamic_tanh",
    "dynamic tanh",
    build,
    version=1,
    colour="#8C564B",
    title_ja="動的tanh",
    does="Takes no statistics at all: tanh(αx) with a learned α, then a scale and a shift a channel.",
    does_ja="統計量を取らず、学習する α による tanh(αx) の後にチャネルごとのスケールとシフトを施す。",
    also=("DyT", "DynamicTanh"),
)
