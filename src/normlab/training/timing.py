"""Seconds per training step of several configurations, measured side by side in one process."""

import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

from normlab.config import RunConfig
from normlab.data.batches import Batches, load_splits
from normlab.nets import make_net
from normlab.nets.block import memory_format
from normlab.training.device import set_up
from normlab.training.optim import make_optimizer

LAYOUTS = ("channels_last", "contiguous")
ROUNDS = 12


def step_seconds(configs: list[RunConfig]) -> list[dict[str, float]]:
    """Median seconds of forward, backward and optimizer step on one resident batch, for each configuration.

    All configurations in both memory layouts are warmed up and then take turns, ``ROUNDS`` times, so that a slow moment
    of the machine meets all of them. Returns for each ``common_layout`` (the configured one) and ``best_layout``.
    """
    steppers = [[_stepper(config, layout) for layout in LAYOUTS] for config in configs]
    repeats = [max(1, round(0.02 / _timed(row[0], 3))) for row in steppers]
    times: list[list[list[float]]] = [[[] for _ in LAYOUTS] for _ in configs]
    for _ in range(ROUNDS):
        for index, row in enumerate(steppers):
            for layout, step in enumerate(row):
                times[index][layout].append(_timed(step, repeats[index]))
    medians = [[sorted(samples)[len(samples) // 2] for samples in row] for row in times]
    return [
        {"common_layout": row[LAYOUTS.index(config.numerics.layout)], "best_layout": min(row)}
        for config, row in zip(configs, medians, strict=True)
    ]


def _timed(step: Callable[[], None], repeats: int) -> float:
    started = time.perf_counter()
    for _ in range(repeats):
        step()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return (time.perf_counter() - started) / repeats


def _stepper(config: RunConfig, layout: str) -> Callable[[], None]:
    device = set_up(config.numerics)
    splits = load_splits(config.data, config.seed)
    net = make_net(config.net, config.norm, splits.shape, splits.classes, config.seed).train()
    net.to(device, memory_format=memory_format(layout))  # type: ignore[call-overload]
    optimizer = make_optimizer(config.optimizer, net.parameters())
    images, labels = next(iter(Batches(splits.train, config.data, config.seed)))
    images, labels = images.to(device).contiguous(memory_format=memory_format(layout)), labels.to(device)

    def step() -> None:
        F.cross_entropy(net(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step
