"""Floor and peak: how fast the bare step is, by layout, allocator, precision and compiler, and how far from the peak."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack

import torch
from torch.utils.flop_counter import FlopCounterMode

from normlab.bench.contestants import BATCH, NETS, STEPS, compiled_floor, configure, floors, matmul
from normlab.bench.crew import Crew, take_turns
from normlab.bench.rows import Row, ratio
from normlab.config import RunConfig
from normlab.training.timing import stepper

ROUNDS = 5
PLAIN, BEST = "NCHW, the system's allocator", "channels_last, memory kept (the floor)"


def floor() -> Iterator[Row]:
    """One thread, one batch of 128 that stays in memory: forward, backward and optimizer step."""
    for setting in NETS:
        yield from _of(setting)


def _of(setting: str) -> Iterator[Row]:
    config = configure(setting)
    half = configure(setting, **{"numerics.amp": True})
    large = configure(setting, **{"data.batch_size": 4 * BATCH})
    steps = STEPS[config.data.name] // 2
    compiler = shutil.which("g++") or shutil.which("clang++")
    with ExitStack() as stack:
        system = stack.enter_context(
            Crew(
                floors,
                {
                    "NCHW": (config, "contiguous", steps),
                    "last": (config, "channels_last", steps),
                    "large": (large, "channels_last", steps // 4),
                },
                False,
            )
        )
        kept = stack.enter_context(
            Crew(
                floors,
                {
                    "NCHW": (config, "contiguous", steps),
                    "last": (config, "channels_last", steps),
                    "half": (half, "channels_last", steps),
                    "large": (large, "channels_last", steps // 4),
                },
            )
        )
        members = {
            PLAIN: (system, "NCHW"),
            "NCHW, memory kept": (kept, "NCHW"),
            "channels_last, the system's allocator": (system, "last"),
            BEST: (kept, "last"),
            "the floor in bfloat16 (numerics.amp)": (kept, "half"),
        }
        notes = {}
        if compiler:
            compiled = stack.enter_context(Crew(compiled_floor, config, steps))
            members["the floor through torch.compile"] = (compiled, "step")
            notes["the floor through torch.compile"] = f"{compiled.made_in:.0f} s until one shape is compiled"
        peak = stack.enter_context(Crew(matmul))
        more = {"peak": (peak, "product"), "large, system": (system, "large"), "large, kept": (kept, "large")}
        rates = take_turns(members | more, ROUNDS)
    name = f"{setting} · batch {BATCH}"
    for label in members:
        if label != PLAIN:
            yield ratio(Row("floor", name, label, PLAIN, note=notes.get(label, "")), rates[label], rates[PLAIN])
    if not compiler:
        yield Row("floor", name, "the floor through torch.compile", PLAIN, note="not run: no C++ compiler")
    row = Row("floor", f"{setting} · batch {4 * BATCH}", "memory kept", "the system's allocator")
    yield ratio(row, rates["large, kept"], rates["large, system"])
    operations = [rate * flops_per_sample(config) / 1e9 for rate in rates[BEST]]
    row = Row("floor", name, "floating-point rate of the floor", "a 2048×2048 matrix product")
    yield ratio(row, operations, rates["peak"], "{:,.0f} GFLOP/s")


def flops_per_sample(config: RunConfig) -> float:
    """Floating-point operations of convolutions and matrix products in a training step, a sample."""
    step = stepper(config, "contiguous", torch.device("cpu"))
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops() / config.data.batch_size
