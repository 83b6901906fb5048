"""One optimizer step: gradients of one or more batches, then the weights."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from normlab.config import RunConfig
from normlab.training.objective import CLASSIFY, Objective
from normlab.training.statistics import RunningStatistics


class Step:
    """An optimizer step of a net, of which ``forward`` gives what the objective reads."""

    def __init__(
        self,
        net: nn.Module,
        forward: Callable[[Tensor], Tensor],
        optimizer: torch.optim.Optimizer,
        statistics: RunningStatistics,
        config: RunConfig,
        objective: Objective = CLASSIFY,
    ) -> None:
        self.net = net
        self.objective = objective
        self.forward = forward
        self.optimizer = optimizer
        self.statistics = statistics
        self.batches = config.training.accumulate
        self.clip_norm = config.training.clip_norm
        self.amp = config.numerics.amp

    def __call__(self, batches: Iterable[tuple[Tensor, Tensor]], measured: Iterable[bool], loss: Tensor) -> None:
        """Learn from ``batches`` of images and labels; ``loss`` grows by their mean loss. ``measured`` says of each batch whether running
        statistics are measured over it (:meth:`RunningStatistics.advance`).
        """
        for (images, labels), look in zip(batches, measured, strict=True):
            with torch.autocast(images.device.type, torch.bfloat16, enabled=self.amp, cache_enabled=False):
                found = self.objective.loss(self.forward(images), labels) / self.batches
            found.backward()
            self.statistics.take_in(look)
            loss += found.detach()
        if self.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.net.parameters(), self.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
