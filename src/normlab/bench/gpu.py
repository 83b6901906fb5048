"""The GPU path: replayed graphs and bfloat16 against the eager loop, what a step's kernels cost, several runs on one device, and the
time to 94 %.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from normlab.bench.contestants import configure, loops, runs, with_steps
from normlab.bench.crew import Crew, take_turns
from normlab.bench.rows import Row, amount, ratio
from normlab.config import RunConfig
from normlab.sweeps.compose import Composer
from normlab.tasks import train
from normlab.training.device import set_up
from normlab.training.timing import LAYOUTS, seconds_of, stepper

ROUNDS = 5
NET = "CIFAR-10 · cnn_wide"
PACKED = (1, 4, 8, 16)
TARGET = 0.94
BEST_NET = {  # The suite's residual net at the width of a ResNet-18, on all of CIFAR-10.
    "data": "cifar10",
    "net": "resnet",
    "net.widths": [64, 128, 256],
    "net.depth": 14,
    "norm": "batch",
    "data.batch_size": 512,
    "optimizer.lr": 0.4,
    "+optimizer.nesterov": True,
    "optimizer.weight_decay": 5e-4,
    "schedule": "one_cycle",
    "training.epochs": 24,
    "scale": "gpu",
    "numerics.amp": True,
}
RECIPE = {  # R: ResNet-20 at batch 128
    "data": "cifar10",
    "net": "resnet",
    "net.depth": 20,
    "net.norm_in": "conv",
    "norm": "batch",
    "data.batch_size": 128,
    "scale": "gpu",
}
KERNELS = {"deterministic": (True, False), "any": (False, False), "chosen by measuring": (False, True)}
OWN = ("channels_last", "deterministic")  # what runs use
REPLAYED, HALF = "the loop with a replayed graph", "the same in bfloat16"


def gpu() -> Iterator[Row]:
    """Needs a CUDA device; without one every row says so."""
    if not torch.cuda.is_available():
        reason = "not run: no CUDA device"
        for item in (REPLAYED, HALF):
            yield Row("gpu", f"{NET} · batch 512", item, "the eager loop", note=reason)
        for variant in _variants():
            yield Row("gpu", "ResNet-20 · batch 128 · replayed step", ", ".join(variant), ", ".join(OWN), note=reason)
        for count in PACKED[1:]:
            yield Row("gpu", "runs an hour on one GPU", f"{count} processes", "1 process", note=reason)
        yield Row("gpu", "all of CIFAR-10 · resnet 64-128-256", "seconds to 94 %", unit="s", note=reason)
        return
    yield from _loops()
    yield from _kernels()
    yield from _packed()
    yield _seconds_to_target()


def _loops() -> Iterator[Row]:
    base = {"scale": "gpu", "data.batch_size": 512, "data.train_size": 40_960}
    eager = with_steps(configure(NET, **{**base, "numerics.cuda_graph": False}), 160)
    replayed = with_steps(configure(NET, **base), 160)
    half = with_steps(configure(NET, **{**base, "numerics.amp": True}), 160)
    with Crew(loops, {"eager": eager, REPLAYED: replayed, HALF: half}) as crew:
        rates = take_turns({name: (crew, name) for name in ("eager", REPLAYED, HALF)}, ROUNDS)
    for item in (REPLAYED, HALF):
        yield ratio(Row("gpu", f"{NET} · batch 512", item, "the eager loop"), rates[item], rates["eager"])


def _variants() -> list[tuple[str, str]]:
    """Memory layouts and choices of convolutions' kernels, but for the suite's own."""
    return [(layout, kernels) for layout in LAYOUTS for kernels in KERNELS if (layout, kernels) != OWN]


def _kernels() -> Iterator[Row]:
    """Steps a second where nothing but kernels takes time, by layout and by which kernels cuDNN may take."""
    config = Composer()(RECIPE)
    device = set_up(config.numerics)
    graphs = {variant: _captured(config, *variant, device) for variant in (OWN, *_variants())}
    rates: dict[tuple[str, str], list[float]] = {variant: [] for variant in graphs}
    for _ in range(ROUNDS):
        for variant, graph in graphs.items():
            rates[variant].append(1 / seconds_of(graph.replay, 50))
    set_up(config.numerics)
    for variant in _variants():
        row = Row("gpu", "ResNet-20 · batch 128 · replayed step", ", ".join(variant), ", ".join(OWN))
        yield ratio(row, rates[variant], rates[OWN], "{:,.0f} steps/s")


def _captured(config: RunConfig, layout: str, kernels: str, device: torch.device) -> torch.cuda.CUDAGraph:
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = KERNELS[kernels]
    step = stepper(config, layout, device)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph


def _packed() -> Iterator[Row]:
    config = with_steps(configure(NET, scale="gpu"), 78)
    rates: dict[int, list[float]] = {}
    for count in PACKED:
        with (
            tempfile.TemporaryDirectory() as folder,
            Crew(runs, config, Path(folder), 2, processes=count) as crew,
        ):
            rates[count] = take_turns({"runs": (crew, "runs")}, 3)["runs"]
    for count in PACKED[1:]:
        row = Row("gpu", "runs an hour on one GPU", f"{count} processes", "1 process")
        yield ratio(row, rates[count], rates[1], "{:,.0f} runs/h")


def _seconds_to_target() -> Row:
    measures = train(Composer()(BEST_NET)).measures
    accuracy = measures["test_accuracy"]
    row = Row("gpu", "all of CIFAR-10 · resnet 64-128-256", "seconds to 94 %")
    note = f"test accuracy {100 * accuracy:.2f} % after {BEST_NET['training.epochs']} epochs"
    if accuracy < TARGET:
        return replace(row, unit="s", note=f"not reached: {note}")
    return replace(amount(row, [measures["train_seconds"]], "s"), note=note)
