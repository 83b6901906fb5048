"""What takes turns: normlab's loop, its floor, its runs, and a large matrix product."""

import itertools
import time
from pathlib import Path
from typing import Any

import torch

from normlab.bench.crew import Turns
from normlab.config import RunConfig
from normlab.runs.execute import execute
from normlab.runs.store import Store
from normlab.sweeps.compose import Composer
from normlab.tasks import train
from normlab.training.device import keep_freed_memory, resolve_device, set_up
from normlab.training.timing import seconds_of, stepper

BATCH = 128
NETS: dict[str, dict[str, Any]] = {
    "MNIST · cnn 16-32": {"data": "mnist", "net": "cnn", "net.widths": [16, 32], "data.augment": "none"},
    "CIFAR-10 · cnn_wide": {"data": "cifar10", "net": "cnn_wide", "data.augment": "flip_crop"},
}
STEPS = {"mnist": 64, "cifar10": 24}  # of a turn: some seconds
TRAIN_SIZE = 10_000


def configure(setting: str, **overrides: Any) -> RunConfig:
    """A setting of :data:`NETS` with batch norm at batch 128, measured on nothing but its steps."""
    values = {
        **NETS[setting],
        "norm": "batch",
        "data.batch_size": BATCH,
        "data.train_size": TRAIN_SIZE,
        "data.validation_size": 100,
        "data.test_size": 100,
        "measure.final": "validation",
        "optimizer.lr": 0.05,
        "scale": "cpu",
    }
    return Composer()({**values, **overrides})


def with_steps(config: RunConfig, steps: int) -> RunConfig:
    """``config`` for that many steps, and one validation at their end."""
    per_epoch = (config.data.train_size or 0) // config.data.batch_size
    epochs = steps / per_epoch
    return config.model_copy(
        update={
            "training": config.training.model_copy(update={"epochs": epochs}),
            "measure": config.measure.model_copy(update={"validate_every": epochs}),
        }
    )


def loops(configs: dict[str, RunConfig]) -> Turns:
    """normlab's own training loop as every run uses it, validation apart: samples a second."""

    def turn(config: RunConfig) -> float:
        measures = train(config).measures
        return measures["steps"] * config.data.batch_size / measures["train_seconds"]

    return {name: (lambda c=config: turn(c)) for name, config in configs.items()}  # type: ignore[misc]


def floors(configs: dict[str, tuple[RunConfig, str, int]], keep: bool = True) -> Turns:
    """The bare training step, on one batch in memory: samples a second. A turn is (config, layout, steps in a row).

    With ``keep=False`` the allocator stays as the system has it.
    """
    turns = {}
    for name, (config, layout, steps) in configs.items():
        step = stepper(config, layout, set_up(config.numerics) if keep else resolve_device(config.numerics))
        turns[name] = lambda c=config, n=steps, s=step: c.data.batch_size / seconds_of(s, n)
    return turns


def compiled_floor(config: RunConfig, steps: int) -> Turns:
    """The bare step through torch.compile, compiled before the first turn."""
    step = stepper(config, "channels_last", set_up(config.numerics), wrap=torch.compile)
    step()
    return {"step": lambda: config.data.batch_size / seconds_of(step, steps)}


def matmul(size: int = 2048) -> Turns:
    """A square matrix product in float32: billions of operations a second."""
    keep_freed_memory()
    a, b = torch.randn(size, size), torch.randn(size, size)
    out = torch.empty(size, size)
    return {"product": lambda: 2 * size**3 / seconds_of(lambda: torch.mm(a, b, out=out), 5) / 1e9}


def runs(config: RunConfig, folder: Path, count: int) -> Turns:
    """Whole runs as a sweep's worker does them, records and all: runs an hour."""
    store = Store(folder)
    seeds = itertools.count()

    def turn() -> float:
        started = time.perf_counter()
        for _ in range(count):
            execute(config.model_copy(update={"seed": next(seeds)}), store)
        return 3600 * count / (time.perf_counter() - started)

    return {"runs": turn}


def whole(configs: dict[str, RunConfig]) -> Turns:
    """Whole trainings, splits and validation included: trainings a second."""
    return {name: (lambda c=config: 1 / seconds_of(lambda: train(c), 1)) for name, config in configs.items()}  # type: ignore[misc]
