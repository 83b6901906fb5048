"""Running statistics: averages of several decays kept at once, recalibration, statistics of the batch.

Which modules have any, and of what, is asked of :mod:`normlab.norms.running`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from normlab.config import DECAYS
from normlab.norms.ghost import InGhostBatches
from normlab.norms.running import MOMENTS, batch_values, buffers_of, feeds_training, method_of, running_norms, survey


class RunningStatistics:
    """The running averages of a net's norms, for several decays at once.

    Where averages do not feed training, one run can carry any number of them. Each such norm's momentum is set to
    1, which leaves the current batch's statistics in its buffers; the buffers of all norms lie in one flat
    tensor, and :meth:`update` averages it for every decay in one operation:

        average_d ← d·average_d + (1 − d)·batch,   from what the net holds, at first mean 0 and variance 1

    The *configured* average is that of each norm's own momentum, or of PyTorch's cumulative average where that is None.
    :meth:`install` puts one decay's averages into the buffers, for evaluation and at the end. With ``phases`` one more
    average is kept, whose decay changes at those fractions of all updates; :meth:`install_phases` puts it there. Norms whose
    averages feed training, and a user's norms that declare nothing, move theirs themselves and are left alone.

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
        self.layers = [norm for norm in survey(net)[0] if not feeds_training(norm)]
        momenta = [getattr(layer, "momentum", None) for layer in self.layers]
        alike = len({*momenta}) == 1 and momenta[0] is not None
        self.configured = 1.0 - float(momenta[0] or 0.0) if alike else None
        self.decays = sorted({*decays, *([] if self.configured is None else [round(self.configured, 12)])})
        self.device = next(net.parameters()).device
        places = [(layer, name) for name in _names(self.layers) for layer in self.layers if name in buffers_of(layer)]
        held = [layer.get_buffer(name) for layer, name in places]
        self.channels = sum(
            buffer.numel() for (_, name), buffer in zip(places, held, strict=True) if name == MOMENTS[0]
        )
        self.batch = torch.cat([buffer.flatten() for buffer in held] or [torch.zeros(0, device=self.device)])
        for (layer, name), buffer, view in zip(places, held, self.batch.split([b.numel() for b in held]), strict=True):
            setattr(layer, name, view.view_as(buffer))  # views: the norms write into the flat tensor
        for layer in self.layers:
            layer.momentum = 1.0  # type: ignore[assignment]
        self.phases = [(round(start * updates), decay) for start, decay in phases or ()]
        rows = [*self.decays, *(decay for _, decay in self.phases[:1])]
        self.average = self.batch.repeat(len(rows), 1)
        self._weights = 1.0 - torch.tensor(rows, device=self.device).unsqueeze(1)
        # Norms of several momenta, or of cumulative averages (momentum 0 here), have an average that no single decay gives.
        self._own = self.batch.clone() if self.layers and not alike else None
        own = [momenta[self.layers.index(layer)] or 0.0 for layer, _ in places]
        self._momenta = torch.repeat_interleave(
            torch.tensor(own, device=self.device),
            torch.tensor([b.numel() for b in held], device=self.device, dtype=torch.long),
        )
        self._updates = updates
        self._updates_left = updates
        self._done = 0
        self._window = max(2, min(100, updates // 2))
        self._sum_batch = torch.zeros_like(self.batch)
        self._sum_average = torch.zeros_like(self.average)
        self._sum_jump = torch.zeros_like(self.average)

    def update(self) -> None:
        """Take in the statistics of the batch that has just gone forward."""
        self.take_in(self.advance())

    def advance(self) -> bool:
        """Count one more update; whether it is one of those that jitter and lag are measured over."""
        self._done = self._updates - self._updates_left
        for start, decay in self.phases:
            if start == self._done:
                self._weights[-1] = 1.0 - decay
        self._updates_left -= 1
        return self._updates_left < self._window

    def take_in(self, measured: bool) -> None:
        """The arithmetic of an update."""
        if not self.layers:
            return
        if self._own is not None:
            self._own.lerp_(self.batch, torch.where(self._momenta > 0, self._momenta, 1.0 / (self._done + 1)))
        if not measured:
            self.average.lerp_(self.batch, self._weights)
            return
        previous = self.average.clone()
        self.average.lerp_(self.batch, self._weights)
        self._sum_batch += self.batch
        self._sum_average += self.average
        self._sum_jump += (self.average - previous).square()

    @property
    def same_every_step(self) -> bool:
        """Whether an update's arithmetic depends on nothing but whether it is measured."""
        return self._own is None

    def tensors(self) -> list[Tensor]:
        """All averages and sums."""
        return [value for value in vars(self).values() if isinstance(value, Tensor)]

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
        """Put the averages of ``decay`` (default: the configured ones) where evaluation reads them."""
        if not self.layers:
            return
        if decay is None and self._own is not None:
            self.batch.copy_(self._own)
            return
        wanted = self.configured if decay is None else decay
        assert wanted is not None
        self.batch.copy_(self.average[min(range(len(self.decays)), key=lambda i: abs(self.decays[i] - wanted))])

    def install_phases(self) -> None:
        """Put the averages of the decay that changed by phase where evaluation reads them."""
        self.batch.copy_(self.average[-1])

    def steadiness(self) -> dict[str, float]:
        """``jitter_decay_<d>`` and ``lag_decay_<d>`` for every decay, in standard deviations of a channel."""
        if not self.layers:
            return {}
        sigma = (self._sum_batch[self.channels : 2 * self.channels] / self._window).clamp_min(1e-12).sqrt()
        mean = slice(0, self.channels)
        jitter = (self._sum_jump[:, mean] / self._window / sigma**2).mean(1).sqrt()
        lag = ((self._sum_average - self._sum_batch)[:, mean] / self._window / sigma).square().mean(1).sqrt()
        names = [*(f"decay_{decay:g}" for decay in self.decays), *(["phases"] if self.phases else [])]
        return {
            **{f"jitter_{n}": v for n, v in zip(names, jitter.tolist(), strict=True)},
            **{f"lag_{n}": v for n, v in zip(names, lag.tolist(), strict=True)},
        }


def _names(layers: Sequence[nn.Module]) -> list[str]:
    """The running buffers that norms have, means first, then variances, then others."""
    names = dict.fromkeys(name for layer in layers for name in method_of(layer).running)
    return [*(name for name in MOMENTS if name in names), *(name for name in names if name not in MOMENTS)]


@contextmanager
def batch_statistics(net: nn.Module, whole: bool = False) -> Iterator[None]:
    """Within, norms with running statistics use those of the batch they see, and keep no record of it; ``whole``: of all of it,
    where training takes ghost batches.

    Raises:
        NormlabError: for a norm of the user's own that keeps buffers and declares nothing of them.
    """
    norms = running_norms(net)
    ghosts = [module for module in net.modules() if isinstance(module, InGhostBatches)]
    kept = {norm: (norm.track_running_stats, getattr(norm, "statistics_batch", None)) for norm in norms}
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    for norm in norms:
        norm.train()
        norm.track_running_stats = False  # type: ignore[assignment]
        if whole and hasattr(norm, "statistics_batch"):
            norm.statistics_batch = None  # type: ignore[assignment]
    for ghost in ghosts:
        ghost.training = not whole
    try:
        yield
    finally:
        for norm, (tracks, statistics_batch) in kept.items():
            norm.track_running_stats = tracks
            if whole and hasattr(norm, "statistics_batch"):
                norm.statistics_batch = statistics_batch  # type: ignore[assignment]
        for module, training in modes:
            module.training = training


def training_mode(net: nn.Module, statistics: str) -> None:
    """Training mode, in which norms go on with the running statistics they hold unless ``statistics`` is "batch".

    Raises:
        NormlabError: as :func:`batch_statistics`, unless it is "batch".
    """
    net.train()
    if statistics != "batch":
        for norm in running_norms(net):
            norm.eval()


@torch.no_grad()
def recalibrate(net: nn.Module, images: Tensor, batch_size: int = 500) -> None:
    """Recompute the running statistics at fixed weights over ``images`` (N, C, H, W), in batches without ghosts; the net is left in
    evaluation mode.

    Each norm normalizes by the batch it sees, so that the next one's statistics are those of its outputs. With w the share
    of the images in a batch: mean = Σ w·μ_B, variance = Σ w·(σ²_B + (μ_B − mean)²), and Σ w·value for any other running buffer,
    in float64 ("precise" batch norm, Wu & Johnson 2021).

    Raises:
        NormlabError: as :func:`batch_statistics`.
    """
    norms = running_norms(net)
    if norms:
        found: dict[nn.Module, list[dict[str, Tensor]]] = {norm: [] for norm in norms}
        handles = [
            norm.register_forward_pre_hook(lambda norm, inputs: found[norm].append(batch_values(norm, inputs[0])))
            for norm in norms
        ]
        batches = _batches(images, batch_size)
        try:
            with batch_statistics(net, whole=True):
                for batch in batches:
                    net(batch)
        finally:
            for handle in handles:
                handle.remove()
        for norm, rows in found.items():
            shares = torch.tensor([len(batch) for batch in batches], dtype=torch.float64, device=images.device)
            _set(norm, rows, shares / shares.sum())
    net.eval()


def _batches(images: Tensor, batch_size: int) -> list[Tensor]:
    """``images`` in as many batches of about equal size as hold at most ``batch_size``."""
    return list(torch.tensor_split(images, max(1, -(-len(images) // batch_size))))


def _set(norm: nn.Module, rows: list[dict[str, Tensor]], shares: Tensor) -> None:
    """Give a norm the statistics of several batches, weighted by their shares."""

    def mean(name: str) -> Tensor:
        stacked = torch.stack([row[name] for row in rows]).double()
        return torch.tensordot(shares, stacked, 1)

    for name, buffer in buffers_of(norm).items():
        value = mean(name)
        if name == "running_var" and "running_mean" in rows[0]:
            means = torch.stack([row["running_mean"] for row in rows]).double()
            value = value + torch.tensordot(shares, (means - mean("running_mean")).square(), 1)
        buffer.copy_(value)


@contextmanager
def recalibrated(net: nn.Module, images: Tensor) -> Iterator[None]:
    """Within, the net in evaluation mode has recalibrated statistics; afterwards its own again.

    Raises:
        NormlabError: as :func:`batch_statistics`.
    """
    kept = [(buffer, buffer.clone()) for norm in running_norms(net) for buffer in buffers_of(norm).values()]
    recalibrate(net, images)
    try:
        yield
    finally:
        for buffer, value in kept:
            buffer.copy_(value)


def can_recalibrate(net: nn.Module) -> bool:
    """Whether every norm that may keep running statistics says of what."""
    return not survey(net)[1]
