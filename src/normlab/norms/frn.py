"""Filter response normalization with its thresholded linear unit."""

import torch
from torch import Tensor, nn

from normlab.norms.channelwise import ChannelNorm, need_positions, per_channel, positions
from normlab.norms.method import Method


class FilterResponseNorm(ChannelNorm):
    """Filter response normalization of (N, C, *), and the activation that belongs to it.

    z = γ_c·x / √(ν² + ε) + β_c with ν² = mean of x² over the positions of one channel of one sample, then the
    thresholded linear unit max(z, τ_c) with a learnable τ. Nothing is centred, and no sample sees another. The paper's
    learnable ε serves inputs of one position; those are refused here.

    Paper: Singh & Krishnan 2020.

    Raises:
        NormlabError: if a channel has a single position.
    """

    def __init__(self, num_features: int, eps: float = 1e-6, affine: bool = True) -> None:
        super().__init__(num_features, eps, affine)
        self.threshold = nn.Parameter(torch.zeros(num_features))

    def normalize(self, x: Tensor) -> Tensor:
        need_positions(x, "filter response norm")
        mean_square = x.square().mean(positions(x), keepdim=True)
        z = self.scale_and_shift(x * (mean_square + self.eps).rsqrt())
        return torch.maximum(z, per_channel(self.threshold, z))


def build(num_features: int, **options: object) -> nn.Module:
    """A :class:`FilterResponseNorm`."""
    return FilterResponseNorm(num_features, **options)  # type: ignore[arg-type]


METHOD = Method(
    "frn",
    "FRN + TLU",
    build,
    version=1,
    needs_positions=True,
    owns_activation=True,
    mixes=("positions",),
    colour="#C44E52",
    title_ja="FRN + TLU",
    does="Divides a channel of a sample by its root mean square, and cuts off below a learned threshold.",
    does_ja="サンプルのチャネルを二乗平均平方根で割り、学習するしきい値より下を切り落とす。",
    also=("Filter Response Normalization", "FilterResponseNorm", "フィルタ応答正規化"),
)
