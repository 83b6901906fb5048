"""Synchronized batch norm over real processes: what one process on the whole batch gives."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, multiprocessing, nn

from normlab.norms.batch import BatchNorm
from normlab.norms.sync import SyncBatchNorm

SHARDS = (3, 1, 4)  # uneven, and one of a single sample


def whole(shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    source = torch.Generator().manual_seed(0)
    x = torch.randn((sum(SHARDS), *shape), generator=source, dtype=torch.float64) * 2 + 3
    return x, torch.randn(x.shape, generator=source, dtype=torch.float64)


def prepared(norm: nn.Module) -> nn.Module:
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([0.5, 1.0, 2.0]))
        norm.bias.copy_(torch.tensor([0.1, 0.0, -1.0]))
    return norm.double()


def process(rank: int, shape: tuple[int, ...], folder: str) -> None:
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=len(SHARDS))
    x, weights = (part.split(SHARDS)[rank].clone() for part in whole(shape))
    x.requires_grad_()
    norm = prepared(SyncBatchNorm(3))
    y = norm(x)
    (gradient,) = torch.autograd.grad((y * weights).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), x)
    with torch.no_grad():
        evaluated = norm.eval()(x)
    torch.save([y, gradient, second, evaluated, norm.running_mean, norm.running_var], f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


@pytest.mark.parametrize("shape", [(3,), (3, 2, 2)])
def test_shards_of_any_size_give_what_the_whole_batch_gives(shape: tuple[int, ...], tmp_path: Path) -> None:
    multiprocessing.spawn(process, (shape, str(tmp_path)), nprocs=len(SHARDS))
    parts = [torch.load(tmp_path / f"{rank}.pt") for rank in range(len(SHARDS))]
    x, weights = whole(shape)
    x.requires_grad_()
    norm = prepared(BatchNorm(3))
    y = norm(x)
    (gradient,) = torch.autograd.grad((y * weights).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), x)
    evaluated = norm.eval()(x)
    for index, expected in enumerate((y, gradient, second, evaluated)):
        torch.testing.assert_close(torch.cat([part[index] for part in parts]), expected)
    for part in parts:
        torch.testing.assert_close(part[4], norm.running_mean)
        torch.testing.assert_close(part[5], norm.running_var)
