"""EvoNorm-S0, a norm and an activation in one."""

import torch
from torch import Tensor, nn

from normlab.errors import NormlabError
from normlab.norms.channelwise import ChannelNorm, need_group_values, per_channel
from normlab.norms.method import Method


class EvoNormS0(ChannelNorm):
    """EvoNorm-S0 of (N, C, *): each sample by itself.

    y = γ_c·x·sigmoid(v_c·x) / √(σ²_ng + ε) + β_c, with the biased variance over groups of C/num_groups channels and all
    positions, as in group norm, and a learnable v. It takes the place of a norm and its activation.

    Paper: Liu, Brock, Simonyan & Le 2020.

    Raises:
        NormlabError: if ``num_groups`` does not divide ``num_features``; for groups of a single value.
    """

    def __init__(self, num_features: int, num_groups: int = 8, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__(num_features, eps, affine)
        if num_features % num_groups:
            raise NormlabError(
                f"norm.num_groups={num_groups} does not divide {num_features} channels; "
                "choose a divisor of every width of the net"
            )
        self.num_groups = num_groups
        self.v = nn.Parameter(torch.ones(num_features))

    def normalize(self, x: Tensor) -> Tensor:
        need_group_values(x[0, : self.num_features // self.num_groups].numel() if len(x) else 2, "EvoNorm-S0", x)
        grouped = x.reshape(x.shape[0], self.num_groups, -1)
        variance = grouped.var(2, correction=0)
        rstd = (variance + self.eps).rsqrt().repeat_interleave(self.num_features // self.num_groups, 1)
        gate = torch.sigmoid(per_channel(self.v, x) * x)
        return self.scale_and_shift(x * gate * rstd.view(*x.shape[:2], *[1] * (x.dim() - 2)))


def build(num_features: int, **options: object) -> nn.Module:
    """An :class:`EvoNormS0`."""
    return EvoNormS0(num_features, **options)  # type: ignore[arg-type]


METHOD = Method(
    "evonorm",
    "EvoNorm-S0",
    build,
    version=1,
    owns_activation=True,
    mixes=("channels", "positions"),
    colour="#F4978E",
    title_ja="EvoNorm-S0",
    does="A norm and an activation in one: x·sigmoid(vx) over the standard deviation of a sample's group.",
    does_ja="正規化と活性化を一つにしたもの:x·sigmoid(vx) を、サンプル内のグループの標準偏差で割る。",
    also=("EvoNorm", "エボノーム"),
)
