"""Savepoints: the whole state of a long training on disk from time to time, so that it can go on bit by bit where it was."""

import hashlib
import io
import pickle
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from normlab.data.batches import Batches
from normlab.norms.method import Remembering
from normlab.training.statistics import RunningStatistics

EVERY_SECONDS = 60.0
DIGEST = hashlib.sha256().digest_size  # bytes in front of the state


def state_of(net: nn.Module) -> dict[str, Any]:
    """Everything of a net that training changes: weights and buffers, every generator, the global ones among them, and what norms remember
    besides.
    """
    return {
        "net": net.state_dict(),
        "sources": [source.get_state() for source in _sources(net)],
        "global_source": torch.get_rng_state(),
        "global_sources_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
        "memories": [norm.memory() for norm in _remembering(net)],
    }


def put_back(net: nn.Module, state: Mapping[str, Any]) -> None:
    """Put a net where :func:`state_of` was taken."""
    net.load_state_dict(state["net"])
    for source, saved in zip(_sources(net), state["sources"], strict=True):
        source.set_state(saved)
    torch.set_rng_state(state["global_source"])
    if state["global_sources_cuda"]:
        torch.cuda.set_rng_state_all(state["global_sources_cuda"])
    for norm, memory in zip(_remembering(net), state["memories"], strict=True):
        norm.remember(memory)


def _sources(net: nn.Module) -> list[torch.Generator]:
    found = [getattr(module, "source", None) for module in net.modules()]
    return [source for source in found if isinstance(source, torch.Generator)]


def _remembering(net: nn.Module) -> list[Remembering]:
    return [module for module in net.modules() if isinstance(module, Remembering)]


class Training:
    """Everything that a step changes: :meth:`state` takes it down, :meth:`go_on` puts it back."""

    def __init__(
        self,
        net: nn.Module,
        optimizer: Optimizer,
        schedule: LRScheduler | None,
        statistics: RunningStatistics,
        batches: Batches,
    ) -> None:
        self.net, self.optimizer, self.schedule = net, optimizer, schedule
        self.statistics, self.batches = statistics, batches

    def state(self) -> dict[str, Any]:
        """The net's, the optimizer's and the schedule's state, running averages, and the place in the data."""
        return state_of(self.net) | {
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict() if self.schedule else None,
            "statistics": self.statistics.state(),
            "batches": self.batches.state(),
        }

    def go_on(self, state: dict[str, Any]) -> None:
        """Put everything where :meth:`state` was taken."""
        put_back(self.net, state)
        self.optimizer.load_state_dict(state["optimizer"])
        if self.schedule:
            self.schedule.load_state_dict(state["schedule"])
        self.statistics.go_on(state["statistics"])
        self.batches.go_on(state["batches"])


class Savepoint:
    """A file for the state of one run, written once ``every`` seconds have gone since the run began or it was last written.

    Runs that are shorter never touch the disk. ``write`` replaces a file whole or not at all.
    """

    def __init__(self, file: Path, write: Any, every: float = EVERY_SECONDS) -> None:
        self.file = file
        self.write = write
        self.every = every
        self._last = time.monotonic()

    @property
    def due(self) -> bool:
        return time.monotonic() - self._last >= self.every

    def save(self, state: dict[str, Any]) -> None:
        """Write ``state`` (tensors and plain data)."""
        buffer = io.BytesIO()
        torch.save(state, buffer)
        content = buffer.getvalue()
        self.write(self.file, hashlib.sha256(content).digest() + content)
        self._last = time.monotonic()

    def load(self, measured: str) -> dict[str, Any] | None:
        """The state that was saved last; None if there is none, it is damaged, or it measured other things on the way."""
        if not self.file.exists():
            return None
        try:
            content = self.file.read_bytes()
            if hashlib.sha256(content[DIGEST:]).digest() != content[:DIGEST]:
                raise ValueError("checksum mismatch")
            state: dict[str, Any] = torch.load(io.BytesIO(content[DIGEST:]), weights_only=True)
            return state if state["measured"] == measured else None
        except (RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError, pickle.UnpicklingError) as error:
            print(f"warning: {self.file} is damaged ({type(error).__name__}); the run starts anew", file=sys.stderr)
            return None

    def remove(self) -> None:
        """Forget the state: the run is done."""
        self.file.unlink(missing_ok=True)
