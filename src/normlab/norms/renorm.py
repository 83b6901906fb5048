"""Batch renormalization."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from normlab.errors import NormlabError
from normlab.norms.channelwise import ChannelNorm, all_but_channels, need_values, per_channel
from normlab.norms.method import Method


class BatchRenorm(ChannelNorm):
    """Batch renormalization of (N, C, *): training sees nearly what evaluation will see.

    Training: y = γ·((x − μ_B)/σ_B·r + d) + β with r = clip(σ_B/σ, 1/r_max, r_max) and d = clip((μ_B − μ)/σ, −d_max, d_max),
    which pass no gradient; σ_B = √(σ²_B + ε), and μ, σ come from the running averages *before* this batch moves them.
    Evaluation: y = γ·(x − μ)/σ + β. With r = 1 and d = 0 this is batch norm; unclipped it is the evaluation's own formula.

    r_max rises from 1 and d_max from 0 to their values, linearly over ``ramp_steps`` steps after ``warmup_steps`` steps of
    plain batch norm, as training with ``track_running_stats=False`` is throughout. Running averages move as batch norm's do, with
    PyTorch's ``momentum``. Since they feed training, no other decay can be read off the same run.

    Paper: Ioffe 2017.

    Raises:
        NormlabError: for r_max < 1, d_max < 0 or ε ≤ 0; in training, for a single value a channel.
    """

    METHOD: ClassVar[Method]
    reads_batch = True
    track_running_stats = True
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.01,
        affine: bool = True,
        r_max: float = 3.0,
        d_max: float = 5.0,
        warmup_steps: int = 0,
        ramp_steps: int = 100,
    ) -> None:
        super().__init__(num_features, eps, affine)
        if r_max < 1 or d_max < 0 or eps <= 0 or warmup_steps < 0 or ramp_steps < 0:
            raise NormlabError(
                "batch renorm needs r_max ≥ 1, d_max ≥ 0, eps > 0 and steps ≥ 0, got "
                f"{r_max}, {d_max}, {eps:g}, {warmup_steps}, {ramp_steps}"
            )
        self.momentum = momentum
        self.r_max, self.d_max = r_max, d_max
        self.warmup_steps, self.ramp_steps = warmup_steps, ramp_steps
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def limits(self) -> tuple[Tensor, Tensor]:
        """r_max and d_max at this step."""
        if not self.ramp_steps:
            risen = (self.num_batches_tracked >= self.warmup_steps).float()
        else:
            risen = ((self.num_batches_tracked - self.warmup_steps) / self.ramp_steps).clamp(0, 1)
        return 1 + risen * (self.r_max - 1), risen * self.d_max

    def normalize(self, x: Tensor) -> Tensor:
        mean, std = self.running_mean, (self.running_var + self.eps).sqrt()
        if not self.training:
            return self.scale_and_shift((x - per_channel(mean, x)) / per_channel(std, x))
        need_values(x, "batch renorm")
        batch_var, batch_mean = torch.var_mean(x, all_but_channels(x), correction=0)
        batch_std = (batch_var + self.eps).sqrt()
        if not self.track_running_stats:
            return self.scale_and_shift((x - per_channel(batch_mean, x)) / per_channel(batch_std, x))
        with torch.no_grad():
            r_max, d_max = self.limits()
            r = (batch_std / std).clamp(1 / r_max, r_max)
            d = ((batch_mean - mean) / std).clamp(-d_max, d_max)
            values = x[:, 0].numel()
            self.running_mean.lerp_(batch_mean.to(mean.dtype), self.momentum)
            self.running_var.lerp_((batch_var * (values / (values - 1))).to(mean.dtype), self.momentum)
            self.num_batches_tracked += 1
        scale = r / batch_std
        return self.scale_and_shift((x - per_channel(batch_mean, x)) * per_channel(scale, x) + per_channel(d, x))


def build(num_features: int, **options: object) -> nn.Module:
    """A :class:`BatchRenorm`."""
    return BatchRenorm(num_features, **options)  # type: ignore[arg-type]


METHOD = Method(
    "renorm",
    "batch renorm",
    build,
    version=2,
    mixes=("samples", "positions"),
    running=("running_mean", "running_var"),
    feeds_training=True,
    remembers=True,
    colour="#56B4E9",
    title_ja="バッチ再正規化",
    does="Batch norm corrected towards its running averages, within limits that open up while training.",
    does_ja="移動平均へ向けて補正するバッチ正規化。補正の限度は学習につれて広がる。",
    also=("Batch Renormalization", "BatchRenorm", "renorm"),
)
BatchRenorm.METHOD = METHOD
