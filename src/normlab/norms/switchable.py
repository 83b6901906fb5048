"""Switchable normalization."""

import torch
from torch import Tensor, nn

from normlab.norms.batch import BatchMomentsNorm
from normlab.norms.channelwise import need_positions, per_channel, positions
from normlab.norms.method import Method


class SwitchableNorm(BatchMomentsNorm):
    """Switchable normalization of (N, C, *): a learned mixture of instance, layer and batch norm.

    y = γ_c·(x − Σ_k w_k·μ_k) / √(Σ_k w′_k·σ²_k + ε) + β_c over k ∈ {instance, layer, batch}, with w and w′ the softmax of
    learnable numbers, one triple for means and one for variances. In evaluation the batch's part comes from running
    averages (the paper averages over some batches at fixed weights, which recalibration does).

    Paper: Luo, Ren, Peng, Zhang & Li 2019.

    Raises:
        NormlabError: if a channel has a single position, and as batch norm does.
    """

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True) -> None:
        super().__init__(num_features, eps, momentum, affine)
        self.mean_logits = nn.Parameter(torch.zeros(3))
        self.var_logits = nn.Parameter(torch.zeros(3))

    def normalize(self, x: Tensor) -> Tensor:
        need_positions(x, "switchable norm")
        mean_batch, var_batch = (per_channel(m, x) for m in self.moments(x))
        var_instance, mean_instance = torch.var_mean(x, positions(x), correction=0, keepdim=True)
        mean_layer = mean_instance.mean(1, keepdim=True)
        var_layer = (var_instance + (mean_instance - mean_layer).square()).mean(1, keepdim=True)
        w, v = self.mean_logits.softmax(0), self.var_logits.softmax(0)
        mean = w[0] * mean_instance + w[1] * mean_layer + w[2] * mean_batch
        var = v[0] * var_instance + v[1] * var_layer + v[2] * var_batch
        return self.scale_and_shift((x - mean) * (var + self.eps).rsqrt())


def build(num_features: int, **options: object) -> nn.Module:
    """A :class:`SwitchableNorm`."""
    return SwitchableNorm(num_features, **options)  # type: ignore[arg-type]


METHOD = Method(
    "switchable",
    "switchable norm",
    build,
    version=1,
    needs_positions=True,
    mixes=("samples", "channels", "positions"),
    running=("running_mean", "running_var"),
    colour="#9467BD",
    title_ja="切替正規化",
    does="Learns at each site how to mix the statistics of batch, layer and instance norm.",
    does_ja="バッチ・レイヤー・インスタンスの統計量をどう混ぜるかを、場所ごとに学習する。",
    also=("SwitchableNorm", "Switchable Normalization"),
)
SwitchableNorm.METHOD = METHOD
