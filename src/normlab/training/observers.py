"""What looks at a training from step to step: validation, a probe, the end at a state, savepoints."""

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from normlab.config import RunConfig
from normlab.training.device import wait
from normlab.training.problem import Problem
from normlab.training.savepoint import Savepoint

Listener = Callable[[dict[str, float]], None]
Row = dict[str, float]


class Stopwatch:
    """Seconds of training alone: what is measured on the way does not count."""

    def __init__(self, before: float = 0.0) -> None:
        self._started = time.perf_counter() - before

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._started

    def leave_out(self, seconds: float) -> None:
        """Those seconds were no training."""
        self._started += seconds


class Validations:
    """Measures on validation samples at the steps that the configuration names, and at the end; ``listener`` hears each row."""

    def __init__(self, problem: Problem, config: RunConfig, watch: Stopwatch, listener: Listener | None) -> None:
        self.problem, self.watch, self.listener = problem, watch, listener
        self.rows: dict[int, Row] = {}
        every = max(1.0, config.measure.validate_every * problem.per_epoch)
        places = (round(k * every) for k in range(1, math.ceil(problem.steps / every) + 1))
        self.at = {max(1, place) for place in places if place <= problem.steps} | {problem.steps}

    def look(self, step: int, losses: Tensor) -> bool:
        """Measure after ``step`` steps; whether the losses so far are finite."""
        wait(self.problem.device)
        pause = time.perf_counter()
        train_loss = losses[-10:].mean().item() + 0 * losses.sum().item()
        self.rows[step] = {"train_loss": train_loss} | self.problem.validate()
        if self.listener:
            self.listener({"step": step, "epoch": step / self.problem.per_epoch, **self.rows[step]})
        self.watch.leave_out(time.perf_counter() - pause)
        return math.isfinite(train_loss)


class Probe:
    """The loss on one fixed batch after every step."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.losses = torch.full((problem.steps,), torch.nan)

    def look(self, step: int) -> None:
        """Measure after ``step`` steps."""
        self.losses[step - 1] = self.problem.probe()


class Saving:
    """Keeps the whole state of a training in a savepoint from time to time."""

    def __init__(self, savepoint: Savepoint | None, config: RunConfig) -> None:
        self.savepoint = savepoint
        self.measured = config.measure.model_dump_json()

    def load(self) -> dict[str, Any] | None:
        """What was saved last of a training that was measured like this one."""
        saved = self.savepoint.load(self.measured) if self.savepoint else None
        return saved if saved and "problem" in saved else None  # else it is an earlier version's

    def look(self, step: int, content: Callable[[], dict[str, Any]]) -> None:
        """Save ``content`` after ``step`` steps, if it is time."""
        if self.savepoint and self.savepoint.due:
            self.savepoint.save({"step": step, "measured": self.measured} | content())
