"""Synchronized batch norm over real processes against batch norm on the whole batch."""

import json
import os
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import NoReturn

import torch
from torch import Tensor, distributed, nn

from normlab.errors import NormlabError
from normlab.norms.batch import BatchNorm
from normlab.norms.sync import SyncBatchNorm

NAMES = ("outputs", "gradients", "second derivatives", "outputs in evaluation", "running mean", "running variance")
CHANNELS = 3


def _inputs(samples: int, positions: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Features of the whole batch, and weights for a loss."""
    source = torch.Generator().manual_seed(0)
    x = torch.randn((samples, CHANNELS, *positions), generator=source, dtype=torch.float64) * 2 + 3
    return x, torch.randn(x.shape, generator=source, dtype=torch.float64)


def _measured(norm: nn.Module, x: Tensor, weights: Tensor) -> list[Tensor]:
    norm = norm.double()
    with torch.no_grad():
        for parameter, values in zip(norm.parameters(), ([0.5, 1.0, 2.0], [0.1, 0.0, -1.0]), strict=True):
            parameter.copy_(torch.tensor(values))
    x = x.clone().requires_grad_()
    y = norm(x)
    (gradient,) = torch.autograd.grad((y * weights).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), x)
    buffers = dict(norm.named_buffers())
    found = [y, gradient, second, norm.eval()(x), buffers["running_mean"], buffers["running_var"]]
    return [tensor.detach() for tensor in found]


def _process(rank: int, shards: list[int], positions: list[int], folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=len(shards))
    x, weights = (part.split(shards)[rank] for part in _inputs(sum(shards), tuple(positions)))
    torch.save(_measured(SyncBatchNorm(CHANNELS), x, weights), f"{folder}/{rank}.pt")
    leave_group()


def leave_group() -> NoReturn:
    """End this process, one of a group that is done, without the interpreter's own end: in that, threads of the group that
    still hold a tensor abort the process now and then.
    """
    distributed.barrier()
    distributed.destroy_process_group()
    sys.stdout.flush()
    os._exit(0)


@lru_cache(maxsize=4)
def shards_against_whole(shards: tuple[int, ...] = (3, 1, 4), positions: tuple[int, ...] = (2, 2)) -> dict[str, float]:
    """The largest difference of each of :data:`NAMES` between processes that hold ``shards`` samples each and one process
    that holds them all, in float64.

    Raises:
        NormlabError: if a process fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        started = [
            subprocess.Popen([sys.executable, "-m", __name__, json.dumps([rank, shards, positions, folder])])
            for rank in range(len(shards))
        ]
        codes = [process.wait() for process in started]
        if any(codes):
            raise NormlabError("the processes of synchronized batch norm failed; see above")
        parts = [torch.load(Path(folder) / f"{rank}.pt", weights_only=True) for rank in range(len(shards))]
    whole = _measured(BatchNorm(CHANNELS), *_inputs(sum(shards), positions))
    return {
        name: max((part[index] - expected).abs().max().item() for part in parts)
        if name.startswith("running")
        else (torch.cat([part[index] for part in parts]) - expected).abs().max().item()
        for index, (name, expected) in enumerate(zip(NAMES, whole, strict=True))
    }


if __name__ == "__main__":
    _process(*json.loads(sys.argv[1]))
