"""Batch normalization, with an optional statistics batch smaller than the optimizer's."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from normlab.errors import NormlabError
from normlab.norms.channelwise import all_but_channels, in_full_precision, need_values, per_channel
from normlab.norms.method import Method


class BatchNorm(_BatchNorm):
    """Batch normalization of (N, C, *) over every axis but the channels.

    y = γ·(x − μ_B) / √(σ²_B + ε) + β, with μ_B and the biased variance σ²_B of the current batch while training, and
    with the running averages running ← (1 − momentum)·running + momentum·batch in evaluation (PyTorch's ``momentum`` is
    one minus the decay of the articles; the running variance averages the unbiased estimate).

    With ``statistics_batch=g`` a batch of N is normalized in N/g groups of g samples, each by its own statistics
    ("ghost batches"): group j holds samples j, j + N/g, j + 2N/g, …, a choice that lets one kernel do all groups. The
    running averages then follow the mean of the groups' statistics. ``statistics_batch=None`` is torch.nn.BatchNorm.

    Statistics are computed in float32 for half-precision inputs; the memory format of the input is kept.

    ``momentum=None`` averages all batches alike, as in PyTorch.

    Papers: Ioffe & Szegedy 2015 (batch normalization); Hoffer, Hubara & Soudry 2017 (ghost batches).

    Raises:
        NormlabError: for ε ≤ 0; while training, if a channel has a single value or ``statistics_batch`` does not divide N.
    """

    METHOD: ClassVar[Method]

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        statistics_batch: int | None = None,
    ) -> None:
        if eps <= 0:
            raise NormlabError(f"norm.eps={eps:g}: batch norm divides by √(variance + ε) and needs ε > 0")
        super().__init__(num_features, eps=eps, momentum=momentum, affine=affine)
        self.statistics_batch = statistics_batch

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2 or input.shape[1] != self.num_features:
            raise NormlabError(f"batch norm of {self.num_features} features got an input of shape {tuple(input.shape)}")

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        if not self.training:
            return super().forward(input)
        group = self.statistics_batch or input.shape[0]
        positions = input.shape[2:].numel()
        values = group * positions
        if values <= 1:
            raise NormlabError(
                "batch norm in training needs more than one value a channel: "
                f"got {values} (batch of {group}, {positions} positions); use a larger batch or another norm"
            )
        if group == input.shape[0]:
            return super().forward(input)
        return self._forward_in_groups(input, group)

    def _forward_in_groups(self, input: Tensor, group: int) -> Tensor:
        N, C = input.shape[:2]
        if N % group:
            raise NormlabError(f"norm.statistics_batch={group} does not divide a batch of {N}")
        groups = N // group
        # A contiguous (N, C, *) seen as (g, N/g·C, *): every group's channels become channels of one batch norm.
        folded = input.contiguous().view(group, groups * C, *input.shape[2:])
        mean = var = None
        if self.track_running_stats and self.running_mean is not None:
            mean, var = (self.running_mean.new_zeros(groups * C) for _ in range(2))
        weight = self.weight.repeat(groups) if self.affine else None
        bias = self.bias.repeat(groups) if self.affine else None
        output = F.batch_norm(folded, mean, var, weight, bias, training=True, momentum=1.0, eps=self.eps)
        if mean is not None and var is not None and self.running_mean is not None and self.running_var is not None:
            share = self.momentum if self.momentum is not None else self._counted()
            self.running_mean.lerp_(mean.view(groups, C).mean(0).to(self.running_mean.dtype), share)
            self.running_var.lerp_(var.view(groups, C).mean(0).to(self.running_var.dtype), share)
        output = output.view(input.shape)
        if input.dim() == 4 and input.is_contiguous(memory_format=torch.channels_last):
            output = output.contiguous(memory_format=torch.channels_last)
        return output

    def _counted(self) -> float:
        """Count one more batch; its share in PyTorch's cumulative average, which ``momentum=None`` asks for."""
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        return 1.0 / float(self.num_batches_tracked)


class BatchMomentsNorm(BatchNorm):
    """Base of methods that use the mean and variance of the batch in a way of their own.

    In training :meth:`moments` gives those of the batch and moves the running averages; in evaluation it gives these.
    """

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        if not self.training and not input.numel():
            return input
        return in_full_precision(self.normalize, input)

    def normalize(self, x: Tensor) -> Tensor:
        """The method itself, on float32 or float64."""
        raise NotImplementedError

    def moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and biased variance a channel, (C,) each."""
        if not self.training and self.running_mean is not None and self.running_var is not None:
            return self.running_mean, self.running_var
        need_values(x, type(self).__name__)
        variance, mean = torch.var_mean(x, all_but_channels(x), correction=0)
        self.follow(mean, variance, x[:, 0].numel())
        return mean, variance

    @torch.no_grad()
    def follow(self, mean: Tensor, variance: Tensor, values: int) -> None:
        """Move the running averages towards a batch of that many values a channel, if they are kept."""
        if self.track_running_stats and self.running_mean is not None and self.running_var is not None:
            share = self._counted() if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
            self.running_var.lerp_((variance * (values / max(1, values - 1))).to(self.running_var.dtype), share)
            if self.momentum is not None and self.num_batches_tracked is not None:
                self.num_batches_tracked += 1

    def scale_and_shift(self, x: Tensor) -> Tensor:
        """γ_c·x + β_c."""
        return x * per_channel(self.weight, x) + per_channel(self.bias, x) if self.affine else x


def build(num_features: int, **options: object) -> nn.Module:
    """A :class:`BatchNorm`."""
    return BatchNorm(num_features, **options)  # type: ignore[arg-type]


METHOD = Method(
    "batch",
    "batch norm",
    build,
    version=1,
    mixes=("samples", "positions"),
    running=("running_mean", "running_var"),
    ghosts=True,
    colour="#0072B2",
    title_ja="バッチ正規化",
    does="Centres and scales each channel by the mean and variance of the batch; in evaluation by running averages of these.",
    does_ja="チャネルごとに、バッチの平均と分散で中心化しスケールする。推論では、その移動平均を使う。",
    also=("BatchNorm", "BN", "batch normalization", "バッチノルム"),
)
BatchNorm.METHOD = METHOD
