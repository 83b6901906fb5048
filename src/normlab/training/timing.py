"""Seconds per training step and forward pass of several configurations, measured side by side in one process."""

import time
from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from normlab.config import DataConfig, RunConfig
from normlab.data.batches import Batches, load_splits
from normlab.errors import NormlabError
from normlab.nets import make_net
from normlab.nets.block import memory_format
from normlab.nets.checkpoint import forward_of
from normlab.nets.fold import can_be_folded, fold
from normlab.training.device import set_up
from normlab.training.optim import make_optimizer

LAYOUTS = ("channels_last", "contiguous")
ROUNDS = 12


def step_seconds(configs: list[RunConfig]) -> list[dict[str, float]]:
    """Median seconds of forward, backward and optimizer step on one resident batch, for each configuration.

    All configurations in both memory layouts take turns. Returns for each ``common_layout`` (the configured one) and
    ``best_layout``.
    """
    steps = [stepper(config, layout, set_up(config.numerics)) for config in configs for layout in LAYOUTS]
    return _by_layout(configs, in_turns(steps))


def inference_seconds(configs: list[RunConfig]) -> list[dict[str, float]]:
    """The same for a forward pass in evaluation mode. ``folded``: in the better layout, with batch norms folded into the
    layers before them, for nets that allow it.
    """
    passes = [forwarder(config, layout, set_up(config.numerics)) for config in configs for layout in LAYOUTS]
    foldable = {index: found for index, config in enumerate(configs) if (found := _folded(config))}
    medians = in_turns([*passes, *(step for pair in foldable.values() for step in pair)])
    rows = _by_layout(configs, medians[: len(passes)])
    for place, index in enumerate(foldable):
        first = len(passes) + 2 * place
        rows[index]["folded"] = min(medians[first : first + 2])
    return rows


def in_turns(steps: Sequence[Callable[[], object]]) -> list[float]:
    """Median seconds of each step; all are warmed up and then take turns, ``ROUNDS`` times, so that a slow moment of the
    machine meets all of them.
    """
    repeats = [max(1, round(0.02 / seconds_of(step, 3))) for step in steps]
    times: list[list[float]] = [[] for _ in steps]
    for _ in range(ROUNDS):
        for samples, step, count in zip(times, steps, repeats, strict=True):
            samples.append(seconds_of(step, count))
    return [sorted(samples)[len(samples) // 2] for samples in times]


def _by_layout(configs: list[RunConfig], medians: list[float]) -> list[dict[str, float]]:
    rows = [medians[i : i + len(LAYOUTS)] for i in range(0, len(medians), len(LAYOUTS))]
    return [
        {"common_layout": row[LAYOUTS.index(config.numerics.layout)], "best_layout": min(row)}
        for config, row in zip(configs, rows, strict=True)
    ]


def _folded(config: RunConfig) -> list[Callable[[], None]]:
    """The folded net's forward passes in both layouts; none where there is nothing to fold, or it cannot be."""
    _, _, shape, classes = first_batch(config.data, config.seed)
    net = make_net(config.net, config.norm, shape, classes, config.seed)
    if not any(can_be_folded(module) for module in net.modules()):
        return []
    try:
        return [forwarder(config, layout, set_up(config.numerics), fold) for layout in LAYOUTS]
    except NormlabError:
        return []


def seconds_of(step: Callable[[], object], repeats: int) -> float:
    """Mean seconds of ``repeats`` calls in a row."""
    started = time.perf_counter()
    for _ in range(repeats):
        step()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return (time.perf_counter() - started) / repeats


@lru_cache(maxsize=16)
def first_batch(data: DataConfig, seed: int) -> tuple[Tensor, Tensor, tuple[int, int, int], int]:
    """The first training batch, the shape of an image and the number of classes: all that is kept of the data, for dozens of nets take
    turns on it.
    """
    splits = load_splits(data, seed)
    images, labels = next(iter(Batches(splits.train, data, seed)))
    return images.clone(), labels.clone(), splits.shape, splits.classes


def stepper(
    config: RunConfig,
    layout: str,
    device: torch.device,
    wrap: Callable[[nn.Module], Callable[[Tensor], Tensor]] = lambda net: net,
) -> Callable[[], None]:
    """A training step of the configured net, called through ``wrap``, on one batch that lies on the device."""
    images, labels, shape, classes = first_batch(config.data, config.seed)
    net = make_net(config.net, config.norm, shape, classes, config.seed).train()
    net.to(device, memory_format=memory_format(layout))  # type: ignore[call-overload]
    optimizer = make_optimizer(config.optimizer, net.parameters())
    images, labels = images.to(device).contiguous(memory_format=memory_format(layout)), labels.to(device)
    call = wrap(net) if not config.numerics.checkpoint else forward_of(net, config, images)

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=config.numerics.amp):
            loss = F.cross_entropy(call(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def forwarder(
    config: RunConfig, layout: str, device: torch.device, change: Callable[[nn.Module], nn.Module] = lambda net: net
) -> Callable[[], None]:
    """A forward pass of the configured net, after ``change``, in evaluation mode on one resident batch."""
    images, _, shape, classes = first_batch(config.data, config.seed)
    net = change(make_net(config.net, config.norm, shape, classes, config.seed).eval())
    net.to(device, memory_format=memory_format(layout))  # type: ignore[call-overload]
    images = images.to(device).contiguous(memory_format=memory_format(layout))

    @torch.no_grad()
    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=config.numerics.amp):
            net(images)

    return step
