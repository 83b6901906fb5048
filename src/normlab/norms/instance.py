"""Instance normalization."""

import torch
from torch import Tensor, nn

from normlab.norms.channelwise import need_positions
from normlab.norms.group import GroupNorm
from normlab.norms.method import Method


class InstanceNorm(GroupNorm):
    """Instance normalization of (N, C, *): each channel of each sample by itself, over its positions.

    y = γ_c·(x − μ_nc) / √(σ²_nc + ε) + β_c: group norm with as many groups as channels, and the same in training and
    evaluation (torch.nn.InstanceNorm2d without running statistics).

    Paper: Ulyanov, Vedaldi & Lempitsky 2016.

    Raises:
        NormlabError: if a channel has a single position, where the result would be β whatever the input.
    """

    what = "instance norm"

    def __init__(self, num_features: int, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__(num_features, num_groups=num_features, eps=eps, affine=affine)

    def forward(self, input: Tensor) -> Tensor:
        need_positions(input, self.what)
        if input.device.type == "cpu" and input.dim() == 4 and input.is_contiguous(memory_format=torch.channels_last):
            # PyTorch's CPU kernel takes several times as long in this layout where a group is one channel.
            return super().forward(input.contiguous()).contiguous(memory_format=torch.channels_last)
        return super().forward(input)


def build(num_features: int, **options: object) -> nn.Module:
    """An :class:`InstanceNorm`."""
    return InstanceNorm(num_features, **options)  # type: ignore[arg-type]


METHOD = Method(
    "instance",
    "instance norm",
    build,
    version=2,
    needs_positions=True,
    mixes=("positions",),
    colour="#CC79A7",
    title_ja="インスタンス正規化",
    does="Centres and scales each channel of a sample by its own mean and variance over positions.",
    does_ja="サンプルの各チャネルを、その位置全体の平均と分散で中心化しスケールする。",
    also=("InstanceNorm", "IN", "instance normalization", "インスタンスノルム"),
)
