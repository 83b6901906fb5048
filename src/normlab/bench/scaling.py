"""Scaling: with workers, with the batch, and with the width, the depth and the amount of data."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from normlab.bench.contestants import NETS, configure, floors, loops, runs, whole, with_steps
from normlab.bench.crew import Crew, take_turns
from normlab.bench.rows import Row, ratio

ROUNDS = 5
BATCHES = (1, 4, 16, 64, 256, 512)
SAMPLES = 2048  # of a turn at the larger batches


def scaling() -> Iterator[Row]:
    """Runs an hour by workers; a step by batch; a step by net; a run by images."""
    yield from _workers()
    yield from _batches()
    yield from _sizes()


def _workers() -> Iterator[Row]:
    for setting in NETS:
        config = configure(setting, **{"data.train_size": 2000, "data.batch_size": 32, "data.augment": "none"})
        config = with_steps(config, 62)
        with (
            tempfile.TemporaryDirectory() as folder,
            Crew(runs, config, Path(folder) / "one", 2) as one,
            Crew(runs, config, Path(folder) / "two", 2, processes=2) as two,
        ):
            rates = take_turns({"one": (one, "runs"), "two": (two, "runs")}, ROUNDS)
        row = Row("scaling", f"{setting} · runs of an epoch of 2,000 images", "2 workers", "1 worker", bar=1.85)
        yield ratio(row, rates["two"], rates["one"], "{:,.0f} runs/h")


def _batches() -> Iterator[Row]:
    """Batch norm in the convolutions alone, where a batch of one image still has more than one value a channel."""
    setting = "MNIST · cnn 16-32"
    configs = {
        str(b): configure(setting, **{"data.batch_size": b, "net.norm_in": "conv", "measure.log_every": 1000})
        for b in BATCHES
    }
    steps = {b: min(400, max(4, SAMPLES // int(b))) for b in configs}
    with (
        Crew(loops, {b: with_steps(c, steps[b]) for b, c in configs.items()}) as loop,
        Crew(floors, {b: (c, "channels_last", steps[b]) for b, c in configs.items()}) as floor,
    ):
        members = {f"{kind} {b}": (crew, b) for b in configs for kind, crew in (("loop", loop), ("floor", floor))}
        rates = take_turns(members, ROUNDS)
    for b in configs:
        per_step = sorted(int(b) / rate * 1e6 for rate in rates[f"loop {b}"])[ROUNDS // 2]
        row = Row("scaling", f"{setting} · the training loop", f"batch {b}", "floor")
        yield ratio(row, rates[f"loop {b}"], rates[f"floor {b}"], f"{per_step:,.0f} µs/step")


def _sizes() -> Iterator[Row]:
    base = "CIFAR-10 · cnn_wide"
    plain: dict[str, Any] = {"net": "cnn", "data.batch_size": 32, "data.augment": "none", "net.widths": [16, 32, 64]}
    variants: dict[str, dict[str, Any]] = {
        "widths 16-32-64": {},
        "widths 32-64-128": {"net.widths": [32, 64, 128]},
        "widths 64-128-256": {"net.widths": [64, 128, 256]},
        "2 convolutions a stage": {"net.depth": 2},
        "4 convolutions a stage": {"net.depth": 4},
    }
    configs = {name: configure(base, **{**plain, **overrides}) for name, overrides in variants.items()}
    sizes = {
        f"{size:,} images": with_steps(configure(base, **{**plain, "data.train_size": size}), size // 32)
        for size in (1000, 2000, 4000)
    }
    first, least = next(iter(variants)), next(iter(sizes))
    with (
        Crew(floors, {name: (config, "channels_last", 16) for name, config in configs.items()}) as floor,
        Crew(whole, sizes) as epoch,
    ):
        members = {name: (floor, name) for name in configs} | {name: (epoch, name) for name in sizes}
        rates = take_turns(members, ROUNDS)
    for name in variants:
        if name != first:
            seconds = [1 / rate for rate in rates[name]]
            row = Row("scaling", "CIFAR-10 · cnn · batch 32, time of a step", name, first)
            yield ratio(row, seconds, [1 / rate for rate in rates[first]], "")
    for name in sizes:
        if name != least:
            row = Row("scaling", "CIFAR-10 · cnn 16-32-64 · batch 32, time of an epoch", name, least)
            yield ratio(row, [1 / r for r in rates[name]], [1 / r for r in rates[least]], "")
