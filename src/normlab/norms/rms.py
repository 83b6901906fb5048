"""Root-mean-square normalization."""

from torch import Tensor, nn

from normlab.norms.channelwise import ChannelNorm, need_group_values
from normlab.norms.method import Method


class RMSNorm(ChannelNorm):
    """Root-mean-square normalization of (N, C, *): each sample by itself, over all channels and positions.

    y = γ_c·x / √(mean(x²) + ε). No mean is subtracted and nothing is added: layer norm without its centring. On feature
    vectors (N, C) this is torch.nn.RMSNorm(C).

    Paper: Zhang & Sennrich 2019.

    Raises:
        NormlabError: for samples of a single value.
    """

    def __init__(self, num_features: int, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__(num_features, eps, affine, shift=False)

    def normalize(self, x: Tensor) -> Tensor:
        need_group_values(x[0].numel() if len(x) else 2, "RMS norm", x)
        mean_square = x.square().mean(tuple(range(1, x.dim())), keepdim=True)
        return self.scale_and_shift(x * (mean_square + self.eps).rsqrt())


def build(num_features: int, **options: object) -> nn.Module:
    """An :class:`RMSNorm`."""
    return RMSNorm(num_features, **options)  # type: ignore[arg-type]


METHOD = Method(
    "rms",
    "RMS norm",
    build,
    version=1,
    shifts=False,
    mixes=("channels", "positions"),
    colour="#BCA300",
    title_ja="RMS正規化",
    does="Divides a sample by the root mean square over its channels and positions, without centring it.",
    does_ja="サンプルを、全チャネル・全位置の二乗平均平方根で割る。中心化はしない。",
    also=("RMSNorm", "root mean square"),
)
