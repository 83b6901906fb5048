"""Batch normalization whose decay of running statistics is learned."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from normlab.errors import NormlabError
from normlab.norms.channelwise import ChannelNorm, all_but_channels, need_values, per_channel
from normlab.norms.method import Method


class LearnedMomentumNorm(ChannelNorm):
    """Batch normalization of (N, C, *) with a decay d a layer that is learned while training.

    Training is batch norm's. The running averages follow μ ← d·μ + (1 − d)·μ_B, and d = sigmoid(ρ) descends the error with
    which the average foretells the next batch,

        L = ½·mean_c((μ_c − μ_{B,c})² / σ²_{B,c}),

    by ρ ← ρ − ``decay_lr``·∂L/∂ρ, before the batch is taken in. The derivative is exact: s = ∂μ/∂d follows
    s ← μ − μ_B + d·s beside the average. Steady statistics raise d, drifting ones lower it.

    No paper: "learnable momentum" is named by the articles without a source; this is the definition used here.
    ``momentum`` = 1 − d at the start.

    Raises:
        NormlabError: for a momentum outside (0, 1); in training, for a single value a channel.
    """

    decay_logit: Tensor
    track_running_stats = True
    METHOD: ClassVar[Method]
    reads_batch = True
    running_mean: Tensor
    running_var: Tensor
    sensitivity: Tensor

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        decay_lr: float = 1.0,
    ) -> None:
        super().__init__(num_features, eps, affine)
        if not 0 < momentum < 1:
            raise NormlabError(f"norm.momentum={momentum:g}: a learned decay starts between 0 and 1")
        self.decay_lr = decay_lr
        self.register_buffer("decay_logit", torch.tensor(math.log((1 - momentum) / momentum)))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("sensitivity", torch.zeros(num_features))

    @property
    def decay(self) -> Tensor:
        """d, the weight of the past."""
        return torch.sigmoid(self.decay_logit)

    def normalize(self, x: Tensor) -> Tensor:
        if self.training:
            need_values(x, "batch norm with a learned decay")
            variance, mean = torch.var_mean(x, all_but_channels(x), correction=0)
            if self.track_running_stats:
                self._learn(mean.detach(), variance.detach(), x[:, 0].numel())
        else:
            mean, variance = self.running_mean, self.running_var
        scale = (variance + self.eps).rsqrt()
        return self.scale_and_shift((x - per_channel(mean, x)) * per_channel(scale, x))

    @torch.no_grad()
    def _learn(self, mean: Tensor, variance: Tensor, values: int) -> None:
        mean, variance = mean.to(self.running_mean.dtype), variance.to(self.running_var.dtype)
        error = (self.running_mean - mean) / (variance + self.eps)
        d = self.decay
        self.decay_logit -= self.decay_lr * (error * self.sensitivity).mean() * d * (1 - d)
        d = self.decay
        self.sensitivity.mul_(d).add_(self.running_mean - mean)
        self.running_mean.lerp_(mean, 1 - d)
        self.running_var.lerp_(variance * (values / (values - 1)), 1 - d)


def build(num_features: int, **options: object) -> nn.Module:
    """A :class:`LearnedMomentumNorm`."""
    return LearnedMomentumNorm(num_features, **options)  # type: ignore[arg-type]


METHOD = Method(
    "learned_momentum",
    "BN, learned decay",
    build,
    version=2,
    mixes=("samples", "positions"),
    running=("running_mean", "running_var"),
    feeds_training=True,
    remembers=True,
    colour="#1B9AAA",
    title_ja="減衰率を学習するBN",
    does="Batch norm whose running averages follow the batches at a pace that is learned.",
    does_ja="移動平均がバッチを追う速さを学習するバッチ正規化。",
    also=("learned decay", "learned momentum"),
)
LearnedMomentumNorm.METHOD = METHOD
