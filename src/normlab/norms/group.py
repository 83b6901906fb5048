"""Group normalization."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from normlab.errors import NormlabError
from normlab.norms.channelwise import in_full_precision, need_group_values
from normlab.norms.method import Method

LARGEST_MEAN = (
    64.0  # in standard deviations, up to which float32 keeps three digits of a variance that is a difference of squares
)


class GroupNorm(nn.GroupNorm):
    """Group normalization of (N, C, *): each sample by itself, over groups of C/num_groups channels and all positions.

    y = γ_c·(x − μ_ng) / √(σ²_ng + ε) + β_c. ``num_groups=1`` is layer norm on conv maps, ``num_groups=C`` instance norm.
    torch.nn.GroupNorm, with statistics in float32 for half-precision inputs.

    Paper: Wu & He 2018.

    Raises:
        NormlabError: if ``num_groups`` does not divide ``num_features``; for groups of a single value.
    """

    what = "group norm"

    def __init__(self, num_features: int, num_groups: int = 8, eps: float = 1e-5, affine: bool = True) -> None:
        if num_features % num_groups:
            raise NormlabError(
                f"norm.num_groups={num_groups} does not divide {num_features} channels; "
                "choose a divisor of every width of the net"
            )
        super().__init__(num_groups, num_features, eps=eps, affine=affine)

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() < 2 or input.shape[1] != self.num_channels:
            raise NormlabError(
                f"{self.what} of {self.num_channels} channels got an input of shape {tuple(input.shape)}"
            )
        need_group_values(
            input[0, : self.num_channels // self.num_groups].numel() if len(input) else 2, self.what, input
        )
        return in_full_precision(self.normalize, input)

    def normalize(self, x: Tensor) -> Tensor:
        """The method itself, on float32 or float64."""
        weight, bias = (None if p is None else p.to(x.dtype) for p in (self.weight, self.bias))
        if not len(x) or x.device.type != "cpu" or torch.compiler.is_compiling():
            return F.group_norm(x, self.num_groups, weight, bias, self.eps)
        N, C, values = x.shape[0], x.shape[1], x.shape[2:].numel()
        output, mean, rstd = torch.native_group_norm(x, weight, bias, N, C, values, self.num_groups, self.eps)
        if (mean * rstd).abs().max().item() <= LARGEST_MEAN:
            return output
        # A processor's kernel takes the variance of channels-last maps as E[x²] − E[x]², of which large means leave nothing. The
        # result is blind to what is subtracted from a group.
        centre = mean.detach().repeat_interleave(C // self.num_groups, 1).view(N, C, *[1] * (x.dim() - 2))
        return F.group_norm(x - centre, self.num_groups, weight, bias, self.eps)


def build(num_features: int, **options: object) -> nn.Module:
    """A :class:`GroupNorm`."""
    return GroupNorm(num_features, **options)  # type: ignore[arg-type]


METHOD = Method(
    "group",
    "group norm",
    build,
    version=1,
    mixes=("channels", "positions"),
    colour="#009E73",
    title_ja="グループ正規化",
    does="Centres and scales groups of a sample's channels by their own mean and variance.",
    does_ja="サンプルのチャネルをいくつかのグループに分け、各グループの平均と分散で中心化しスケールする。",
    also=("GroupNorm", "GN", "group normalization", "グループノルム"),
)
