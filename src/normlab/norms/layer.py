"""Layer normalization of images and of feature vectors."""

from torch import nn

from normlab.norms.group import GroupNorm
from normlab.norms.method import Method


def build(num_features: int, eps: float = 1e-5, affine: bool = True) -> nn.Module:
    """Layer norm of (N, C, *): each sample by itself, over all channels and positions, with γ and β a channel.

    y = γ_c·(x − μ_n) / √(σ²_n + ε) + β_c, which is group norm with one group. The paper gives γ and β one value an
    element; one a channel is what convolutional nets use.

    Paper: Ba, Kiros & Hinton 2016.
    """
    return GroupNorm(num_features, num_groups=1, eps=eps, affine=affine)


METHOD = Method(
    "layer",
    "layer norm",
    build,
    version=1,
    mixes=("channels", "positions"),
    colour="#E69F00",
    title_ja="レイヤー正規化",
    does="Centres and scales a sample by the mean and variance over all its channels and positions.",
    does_ja="サンプルを、全チャネル・全位置の平均と分散で中心化しスケールする。",
    also=("LayerNorm", "LN", "layer normalization", "レイヤーノルム", "層正規化"),
)
