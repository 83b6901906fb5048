"""Seconds per training step of several configurations, measured side by side in one process."""

import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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
    steppers = [[stepper(config, layout, set_up(config.numerics)) for layout in LAYOUTS] for config in configs]
    repeats = [max(1, round(0.02 / seconds_of(row[0], 3))) for row in steppers]
    times: list[list[list[float]]] = [[[] for _ in LAYOUTS] for _ in configs]
    for _ in range(ROUNDS):
        for index, row in enumerate(steppers):
            for layout, step in enumerate(row):
                times[index][layout].append(seconds_of(step, repeats[index]))
    medians = [[sorted(samples)[len(samples) // 2] for samples in row] for row in times]
    return [
        {"common_layout": row[LAYOUTS.index(config.numerics.layout)], "best_layout": min(row)}
        for config, row in zip(configs, medians, strict=True)
    ]


def seconds_of(step: Callable[[], object], repeats: int) -> float:
    """Mean seconds of ``repeats`` calls in a row."""
    started = time.perf_counter()
    for _ in range(repeats):
        step()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return (time.perf_counter() - started) / repeats


def stepper(
    config: RunConfig,
    layout: str,
    device: torch.device,
    wrap: Callable[[nn.Module], Callable[[Tensor], Tensor]] = lambda net: net,
) -> Callable[[], None]:
    """A training step of the configured net, called through ``wrap``, on one batch that lies on the device."""
    splits = load_splits(config.data, config.seed)
    net = make_net(config.net, config.norm, splits.shape, splits.classes, config.seed).train()
    net.to(device, memory_format=memory_format(layout))  # type: ignore[call-overload]
    optimizer = make_optimizer(config.optimizer, net.parameters())
    images, labels = next(iter(Batches(splits.train, config.data, config.seed)))
    images, labels = images.to(device).contiguous(memory_format=memory_format(layout)), labels.to(device)
    call = wrap(net)

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=config.numerics.amp):
            loss = F.cross_entropy(call(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step
