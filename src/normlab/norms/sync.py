"""Synchronized batch normalization over several processes, on any device."""

import torch
from torch import Tensor, distributed, nn

from normlab.norms.batch import BatchMomentsNorm
from normlab.norms.channelwise import all_but_channels, need_values, per_channel
from normlab.norms.method import Method


class SyncBatchNorm(BatchMomentsNorm):
    """Batch normalization of a batch that is spread over processes: statistics of all of it.

    For inputs (N, C, *) in each process, a channel's μ = Σ_p Σx / Σ_p n_p and then σ² = Σ_p Σ(x − μ)² / Σ_p n_p, each sum
    over the default process group of torch.distributed (gloo, NCCL) and differentiable, so shards may be of different sizes.
    In one process this is batch norm, as it is where ``synchronized`` is turned off. torch.nn.SyncBatchNorm is the same for
    GPUs alone.

    Paper: Peng et al. 2018 (MegDet).

    Raises:
        NormlabError: in training, if all processes together hold a single value a channel.
    """

    synchronized = True

    def normalize(self, x: Tensor) -> Tensor:
        together = self.training and self.synchronized and _processes() > 1
        mean, variance = self._over_processes(x) if together else self.moments(x)
        scale = (variance + self.eps).rsqrt()
        return self.scale_and_shift((x - per_channel(mean, x)) * per_channel(scale, x))

    def _over_processes(self, x: Tensor) -> tuple[Tensor, Tensor]:
        axes = all_but_channels(x)
        count = torch.tensor([float(x[:, 0].numel())], dtype=x.dtype, device=x.device)
        sums = sum_over_processes(torch.cat([x.sum(axes), count]))
        values = sums[-1].detach()
        if values < 2:
            need_values(x, "synchronized batch norm")
        mean = sums[:-1] / values
        variance = sum_over_processes((x - per_channel(mean, x)).square().sum(axes)) / values
        self.follow(mean.detach(), variance.detach(), int(values))
        return mean, variance


def _processes() -> int:
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


class _Sum(torch.autograd.Function):
    """The sum over processes; the gradient of a sum is the sum of the gradients, over processes again."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        total = x.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        return sum_over_processes(gradient)


def sum_over_processes(x: Tensor) -> Tensor:
    """Σ_p x_p, the same in every process, differentiable any number of times."""
    return _Sum.apply(x)


def build(num_features: int, **options: object) -> nn.Module:
    """A :class:`SyncBatchNorm`."""
    return SyncBatchNorm(num_features, **options)  # type: ignore[arg-type]


METHOD = Method(
    "sync",
    "synchronized BN",
    build,
    version=1,
    mixes=("samples", "positions"),
    running=("running_mean", "running_var"),
    colour="#9ECAE1",
    title_ja="同期バッチ正規化",
    does="Batch norm whose statistics are taken over the batches of all processes together.",
    does_ja="全プロセスのバッチを合わせて統計量を取るバッチ正規化。",
    also=("SyncBN", "SyncBatchNorm", "synchronized batch norm"),
)
SyncBatchNorm.METHOD = METHOD
