"""The machine under a run: device, threads, and an allocator that keeps what it has."""

import ctypes
import ctypes.util
from functools import lru_cache

import torch

from normlab.config import NumericsConfig
from normlab.errors import NormlabError

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def resolve_device(config: NumericsConfig) -> torch.device:
    """The device of ``numerics.device``.

    Raises:
        NormlabError: for cuda where there is none.
    """
    available = torch.cuda.is_available()
    if config.device == "cuda" and not available:
        raise NormlabError("numerics.device=cuda, but PyTorch finds no CUDA device here; use numerics.device=cpu")
    return torch.device("cuda" if config.device != "cpu" and available else "cpu")


@lru_cache(maxsize=1)
def keep_freed_memory() -> None:
    """Tell glibc to keep freed blocks: a step allocates what the last one freed, and page faults cost a third of it."""
    _set_thresholds(1 << 30)


def return_freed_memory() -> None:
    """Tell glibc to give every freed block of 16 KiB and more back at once, so that resident memory is what is in use."""
    _set_thresholds(1 << 14)


def _set_thresholds(size: int) -> None:
    library = ctypes.util.find_library("c")
    mallopt = getattr(ctypes.CDLL(library), "mallopt", None) if library else None
    if mallopt:
        for option in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            mallopt(option, size)


def wait(device: torch.device) -> None:
    """Wait until the device has done all that it was given; a clock read before says nothing."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def set_up(config: NumericsConfig) -> torch.device:
    """Prepare this process for one run and return its device. Results are bit-identical for equal thread counts.

    Raises:
        NormlabError: for a device or an option that this machine has not.
    """
    keep_freed_memory()
    torch.set_num_threads(config.threads)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    device = resolve_device(config)
    if config.cuda_graph and device.type != "cuda":
        raise NormlabError("numerics.cuda_graph=true needs a CUDA device; use numerics.cuda_graph=false")
    return device
