"""What a task gives the loop: nets and what trains them, behind a few methods."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from normlab.config import StopConfig


class Problem(Protocol):
    """A training that the loop can run, stop, save, resume and measure, whatever is learned.

    Attributes:
        device: where it runs.
        steps: optimizer steps of the whole training; ``per_epoch`` of an epoch.
    """

    device: torch.device
    steps: int
    per_epoch: int

    @property
    def metrics(self) -> Sequence[str]:
        """The names of what :meth:`validate` and :meth:`measure` give on a split (``loss``, ``accuracy``)."""
        ...

    def step(self, number: int, loss: Tensor) -> None:
        """Take step ``number`` (from 0): draw batches, move weights; ``loss``, a number at 0, becomes what is to be logged."""

    def validate(self) -> dict[str, float]:
        """Measures on the way, ``validation_<metric>`` among them; the nets go on in training mode."""

    def probe(self) -> Tensor:
        """The loss on one fixed batch of validation samples."""

    def reached(self, stop: StopConfig, losses: Tensor) -> bool:
        """Whether training is where ``stop`` ends it, ``losses`` being those of all steps so far."""

    def measure(self) -> dict[str, float]:
        """The measures at the end, on all splits."""

    def facts(self) -> dict[str, float]:
        """What a record says besides: the numbers that a failed run counts as, the number of parameters."""

    def failed_step(self, losses: Tensor) -> int | None:
        """The step (from 1) at which training failed with these losses; None if it did not."""

    def weights(self) -> dict[str, Tensor]:
        """What is kept of the trained nets."""

    def state(self) -> dict[str, Any]:
        """Everything that a step changes, for :meth:`go_on`: tensors and plain data."""

    def go_on(self, state: Mapping[str, Any]) -> None:
        """Put everything where :meth:`state` was taken."""
