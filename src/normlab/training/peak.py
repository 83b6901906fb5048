"""The memory at which a training step peaks, measured in a process of its own."""

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch

from normlab.config import RunConfig
from normlab.errors import NormlabError
from normlab.training.device import resolve_device, return_freed_memory, wait
from normlab.training.timing import stepper

STEPS = 3
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak_bytes(configs: Sequence[RunConfig]) -> list[float]:
    """How far a training step's memory rises above that of the net, its optimizer and one batch at rest, for each.

    A process of its own builds the net, trains a step of it on two images, so that kernels are loaded, and then takes three
    steps on a whole batch. On CUDA the rise is the allocator's (``max_memory_allocated``), on Linux that of the process's
    resident memory (``VmHWM``, reset before), with every freed block given back at once; gradients and the optimizer's
    state count.

    Raises:
        NormlabError: if this system does not tell its peak.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    workers = min(len(configs), os.cpu_count() or 1, 4)  # memory is each process's own, whatever runs beside it
    with ProcessPoolExecutor(max(1, workers), mp_context=context, max_tasks_per_child=1) as pool:
        return list(pool.map(measure, configs))


def measure(config: RunConfig) -> float:
    """The rise in this process, which must be a fresh one."""
    torch.set_num_threads(config.numerics.threads)
    return_freed_memory()
    device = resolve_device(config.numerics)
    small = config.model_copy(update={"data": config.data.model_copy(update={"batch_size": 2})})
    if not config.norm.statistics_batch:
        stepper(small, config.numerics.layout, device)()
    step = stepper(config, config.numerics.layout, device)
    if device.type == "cuda":
        wait(device)
        torch.cuda.reset_peak_memory_stats()
        before = float(torch.cuda.memory_allocated())
        for _ in range(STEPS):
            step()
        return torch.cuda.max_memory_allocated() - before
    if not CLEAR.exists():
        raise NormlabError("peak memory needs Linux or CUDA")
    CLEAR.write_text("5")  # resets VmHWM to what is resident now
    before = _status("VmRSS")
    for _ in range(STEPS):
        step()
    return _status("VmHWM") - before


def _status(name: str) -> float:
    """A field of /proc/self/status, in bytes."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return float(line.split()[1]) * 1024
