"""Optimizer steps as replayed CUDA graphs: a step's kernels are captured once, and started by one call from then on."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from normlab.config import RunConfig
from normlab.data.batches import Batches
from normlab.norms import method_of
from normlab.training.statistics import RunningStatistics
from normlab.training.step import Step

WARM_UPS = 3  # steps before a capture, in which libraries set themselves up


def can_be_replayed(config: RunConfig, statistics: RunningStatistics) -> bool:
    """Whether each step's kernels are those of the one before, but for what they read."""
    noisy = config.net.dropout or config.net.disturbance or config.net.state_noise
    changing = noisy or method_of(config.norm).remembers or config.data.shift
    plain = config.optimizer.name == "sgd" and config.training.statistics == "batch" and statistics.same_every_step
    return plain and not (changing or config.numerics.checkpoint)


class ReplayedStep:
    """A :class:`Step` that is captured the first time that it is taken, and replayed from then on.

    What a step reads lies where it lay at the capture: which images and how they move, and the learning rate. Batches are made inside.
    A capture first takes some steps for nothing; weights, statistics and the optimizer's state are put back afterwards.
    """

    def __init__(self, step: Step, batches: Batches) -> None:
        self.step = step
        self.batches = batches
        device = batches.split.labels.device
        self.loss, self.lr = torch.zeros((), device=device), torch.zeros((), device=device)
        self.inputs: list[tuple[Tensor, Tensor | None]] = []
        self.graphs: dict[tuple[bool, ...], torch.cuda.CUDAGraph] = {}

    def __call__(self, drawn: Sequence[tuple[Tensor, Tensor | None]], measured: tuple[bool, ...], loss: Tensor) -> None:
        """Learn from the batches that ``drawn`` makes up (:meth:`Batches.drawn`); ``loss`` becomes their mean loss."""
        if not self.inputs:
            self.inputs = [(i.clone(), m if m is None else m.clone()) for i, m in drawn]
        for (indices, motion), (new_indices, new_motion) in zip(self.inputs, drawn, strict=True):
            indices.copy_(new_indices)
            if motion is not None and new_motion is not None:
                motion.copy_(new_motion)
        self.lr.fill_(self.step.optimizer.param_groups[0]["lr"])
        if measured not in self.graphs:
            self.graphs[measured] = self._capture(measured)
        self.graphs[measured].replay()
        loss.copy_(self.loss)

    def _take(self, measured: tuple[bool, ...]) -> None:
        self.loss.zero_()
        self.step((self.batches.batch(*each) for each in self.inputs), measured, self.loss)

    def _capture(self, measured: tuple[bool, ...]) -> torch.cuda.CUDAGraph:
        group = self.step.optimizer.param_groups[0]
        rate, group["lr"] = group["lr"], self.lr
        side = torch.cuda.Stream()
        with self.put_back_afterwards():
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(WARM_UPS):
                    self._take(measured)
            torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._take(measured)
        group["lr"] = rate
        return graph

    @contextmanager
    def put_back_afterwards(self) -> Iterator[None]:
        """Weights, statistics and the optimizer's state are afterwards what they were before."""
        held = [(value, value.detach().clone()) for value in self._state()]
        fresh = not self.step.optimizer.state
        yield
        with torch.no_grad():
            for value, before in held:
                value.copy_(before)
            if fresh:  # SGD's first step is as one whose momentum is zero
                for value in self._optimizer_state():
                    value.zero_()

    def _state(self) -> list[Tensor]:
        net = self.step.net
        return [*net.parameters(), *net.buffers(), *self.step.statistics.tensors(), *self._optimizer_state()]

    def _optimizer_state(self) -> list[Tensor]:
        states = self.step.optimizer.state.values()
        return [value for state in states for value in state.values() if isinstance(value, Tensor)]
