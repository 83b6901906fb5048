"""Weight standardization, beside group normalization."""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from normlab.norms.group import GroupNorm
from normlab.norms.method import Method

EPS = 1e-5


class Standardized(nn.Module):
    """ŵ_c = (w_c − mean(w_c)) / √(var(w_c) + ε), over the weights of one output channel, with the biased variance."""

    def forward(self, weight: Tensor) -> Tensor:
        flat = weight.flatten(1)
        variance, mean = torch.var_mean(flat, 1, correction=0, keepdim=True)
        return ((flat - mean) * (variance + EPS).rsqrt()).view_as(weight)


def wrap(layer: nn.Module, **_: object) -> None:
    """Weight standardization of a conv or linear layer.

    Paper: Qiao, Wang, Liu, Shen & Yuille 2019.
    """
    parametrize.register_parametrization(layer, "weight", Standardized())


def build(num_features: int, **options: object) -> nn.Module:
    """The group norm that stands behind the standardized layer."""
    return GroupNorm(num_features, **options)  # type: ignore[arg-type]


METHOD = Method(
    "weight_standardization",
    "WS + group norm",
    build,
    version=1,
    wrap=wrap,
    mixes=("channels", "positions"),
    colour="#00594C",
    title_ja="重み標準化+GN",
    does="Standardizes each filter's weights and puts group norm behind the convolution.",
    does_ja="各フィルタの重みを標準化し、畳み込みの後にグループ正規化を置く。",
    also=("WS", "Weight Standardization", "重み標準化"),
)
