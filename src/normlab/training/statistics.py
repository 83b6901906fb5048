"""The running statistics of batch norms: a ladder of decays kept at once, recalibration, batch statistics."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from normlab.config import DECAYS
from normlab.norms.batch import BatchNorm


class RunningStatistics:
    """The running averages of every batch norm of a net, for several decays at once.

    Running averages never feed training, so one run can carry any number of them. Each batch norm's momentum is set to
    1, which leaves the current batch's mean and variance in its buffers; the buffers of all layers lie in one flat
    tensor, and :meth:`update` averages it for every decay in one operation:

        average_d ← d·average_d + (1 − d)·batch,   from what the net holds, at first mean 0 and variance 1

    :meth:`install` puts one decay's averages into the buffers, for evaluation and at the end. With ``phases`` one more
    average is kept, whose decay changes at those fractions of all updates; :meth:`install_phases` puts it there.

    Over the last ``window`` updates it also measures, from the means in units of each channel's standard deviation:
    the *jitter* of each average (root mean square change from one step to the next) and its *lag* (distance between the
    window's mean of the average and the window's mean of the batch statistics).
    """

    def __init__(
        self,
        net: nn.Module,
        updates: int,
        decays: Sequence[float] = DECAYS,
        phases: Sequence[tuple[float, float]] | None = None,
    ) -> None:
        self.layers = [m for m in net.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]
        self.configured = 1.0 - (self.layers[0].momentum or 0.0) if self.layers else None
        self.decays = sorted({*decays, *([] if self.configured is None else [round(self.configured, 12)])})
        device = next(net.parameters()).device
        sizes = [layer.num_features for layer in self.layers]
        self.channels = sum(sizes)
        stored = [[layer.running_mean for layer in self.layers], [layer.running_var for layer in self.layers]]
        self.batch = torch.cat(
            [x.clone() for row in stored for x in row if x is not None] or [torch.zeros(0, device=device)]
        )
        means, variances = self.batch.split(self.channels) if self.layers else (self.batch, self.batch)
        for layer, mean, var in zip(self.layers, means.split(sizes), variances.split(sizes), strict=True):
            layer.running_mean, layer.running_var = mean, var  # views: the layers write into the flat tensor
            layer.momentum = 1.0
        self.phases = [(round(start * updates), decay) for start, decay in phases or ()]
        rows = [*self.decays, *(decay for _, decay in self.phases[:1])]
        self.average = self.batch.repeat(len(rows), 1)
        self._weights = 1.0 - torch.tensor(rows, device=device).unsqueeze(1)
        self._updates = updates
        self._updates_left = updates
        self._window = max(2, min(100, updates // 2))
        self._sum_batch = torch.zeros_like(self.batch)
        self._sum_average = torch.zeros_like(self.average)
        self._sum_jump = torch.zeros_like(self.average)

    def update(self) -> None:
        """Take in the statistics of the batch that has just gone forward."""
        if not self.layers:
            return
        for start, decay in self.phases:
            if start == self._updates - self._updates_left:
                self._weights[-1] = 1.0 - decay
        self._updates_left -= 1
        if self._updates_left >= self._window:
            self.average.lerp_(self.batch, self._weights)
            return
        previous = self.average.clone()
        self.average.lerp_(self.batch, self._weights)
        self._sum_batch += self.batch
        self._sum_average += self.average
        self._sum_jump += (self.average - previous).square()

    def state(self) -> dict[str, Any]:
        """All averages and sums, for :meth:`go_on`."""
        return {name: value.clone() for name, value in vars(self).items() if isinstance(value, Tensor)} | {
            "left": self._updates_left
        }

    def go_on(self, state: Mapping[str, Any]) -> None:
        """Put everything where :meth:`state` was taken."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                value.copy_(state[name])
        self._updates_left = state["left"]

    def install(self, decay: float | None = None) -> None:
        """Put the averages of ``decay`` (default: the configured one) where evaluation reads them."""
        if self.configured is not None:
            wanted = self.configured if decay is None else decay
            self.batch.copy_(self.average[min(range(len(self.decays)), key=lambda i: abs(self.decays[i] - wanted))])

    def install_phases(self) -> None:
        """Put the averages of the decay that changed by phase where evaluation reads them."""
        self.batch.copy_(self.average[-1])

    def steadiness(self) -> dict[str, float]:
        """``jitter_decay_<d>`` and ``lag_decay_<d>`` for every decay, in standard deviations of a channel."""
        if not self.layers:
            return {}
        sigma = (self._sum_batch[self.channels :] / self._window).clamp_min(1e-12).sqrt()
        mean = slice(0, self.channels)
        jitter = (self._sum_jump[:, mean] / self._window / sigma**2).mean(1).sqrt()
        lag = ((self._sum_average - self._sum_batch)[:, mean] / self._window / sigma).square().mean(1).sqrt()
        names = [*(f"decay_{decay:g}" for decay in self.decays), *(["phases"] if self.phases else [])]
        return {
            **{f"jitter_{n}": v for n, v in zip(names, jitter.tolist(), strict=True)},
            **{f"lag_{n}": v for n, v in zip(names, lag.tolist(), strict=True)},
        }


def batch_norms(net: nn.Module) -> list[_BatchNorm]:
    """The batch norms of a net that keep running statistics."""
    return [m for m in net.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]


@contextmanager
def batch_statistics(net: nn.Module) -> Iterator[None]:
    """Within, batch norms use the statistics of the batch they see, and keep no record of it."""
    layers = batch_norms(net)
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    for layer in layers:
        layer.train()
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in layers:
            layer.track_running_stats = True
        for module, training in modes:
            module.training = training


def training_mode(net: nn.Module, statistics: str) -> None:
    """Training mode, in which batch norms go on with the running statistics they hold unless ``statistics`` is "batch"."""
    net.train()
    if statistics != "batch":
        for layer in batch_norms(net):
            layer.eval()


@torch.no_grad()
def recalibrate(net: nn.Module, images: Tensor, batch_size: int = 500) -> None:
    """Recompute the running statistics at fixed weights over ``images`` (N, C, H, W), in batches without ghosts.

    mean = E[μ_B] and var = E[σ²_B + μ_B²] − mean², over equal batches ("precise" batch norm, Wu & Johnson 2021).
    """
    layers = batch_norms(net)
    if not layers:
        return
    batch_size = min(batch_size, len(images))
    batches = images[: len(images) // batch_size * batch_size].split(batch_size)
    sums = [(images.new_zeros(m.num_features), images.new_zeros(m.num_features)) for m in layers]
    counts = [m.num_batches_tracked.clone() for m in layers if m.num_batches_tracked is not None]
    kept = [(m.momentum, getattr(m, "statistics_batch", None)) for m in layers]
    net.eval()
    for layer in layers:
        layer.train()
        layer.momentum = 1.0
        if isinstance(layer, BatchNorm):
            layer.statistics_batch = None
    for batch in batches:
        net(batch)
        for layer, (mean, square) in zip(layers, sums, strict=True):
            assert layer.running_mean is not None
            assert layer.running_var is not None
            mean += layer.running_mean / len(batches)
            square += (layer.running_var + layer.running_mean**2) / len(batches)
    for layer, (mean, square), (momentum, statistics_batch) in zip(layers, sums, kept, strict=True):
        assert layer.running_mean is not None
        assert layer.running_var is not None
        layer.running_mean.copy_(mean)
        layer.running_var.copy_((square - mean**2).clamp_min(0))
        layer.momentum = momentum
        if isinstance(layer, BatchNorm):
            layer.statistics_batch = statistics_batch
    for layer, count in zip(layers, counts, strict=True):
        layer.num_batches_tracked = count
    net.eval()
