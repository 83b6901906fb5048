"""Against implementations that nobody here wrote: the same outputs and gradients, from PyTorch and timm."""

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from normlab.data.sources import torchvision_datasets
from normlab.nets.normfree import ScaledStandardizedConv2d
from normlab.norms.batch import BatchNorm
from normlab.norms.evonorm import EvoNormS0
from normlab.norms.frn import FilterResponseNorm
from normlab.norms.group import GroupNorm
from normlab.norms.instance import InstanceNorm
from normlab.norms.rms import RMSNorm
from normlab.norms.weight_standardization import Standardized, wrap


def timm_layers() -> Any:
    if importlib.util.find_spec("timm") is None:
        pytest.skip("the extra `compare` is not installed; `make test-slow` installs it")
    torchvision_datasets()  # timm imports torchvision, which needs help beside a CPU build of torch
    return importlib.import_module("timm.layers")


def images(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 + 1


def same(
    ours: Callable[[Tensor], Tensor], theirs: Callable[[Tensor], Tensor], x: Tensor, tolerance: float = 1e-8
) -> None:
    weights = torch.randn(ours(x).shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = []
    for function in (ours, theirs):
        leaf = x.clone().requires_grad_()
        y = function(leaf)
        found.append((y.detach(), *torch.autograd.grad((y * weights).sum(), leaf)))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def filled(*modules: nn.Module) -> None:
    """Give modules the same random parameters, in the order of their sorted names."""
    for module in modules:
        source = torch.Generator().manual_seed(2)
        with torch.no_grad():
            for _, parameter in sorted(module.double().named_parameters()):
                parameter.copy_(
                    torch.rand(parameter.numel(), generator=source, dtype=torch.float64).view_as(parameter) + 0.5
                )


@pytest.mark.parametrize(
    ("ours", "theirs", "shape"),
    [
        (BatchNorm(8), nn.BatchNorm2d(8), (6, 8, 4, 3)),
        (BatchNorm(8), nn.BatchNorm1d(8), (6, 8)),
        (GroupNorm(8, 4), nn.GroupNorm(4, 8), (6, 8, 4, 3)),
        (InstanceNorm(8), nn.InstanceNorm2d(8, affine=True), (6, 8, 4, 3)),
        (RMSNorm(8, eps=1e-6), nn.RMSNorm(8, eps=1e-6), (6, 8)),
    ],
)
def test_pytorch(ours: nn.Module, theirs: nn.Module, shape: tuple[int, ...]) -> None:
    filled(ours, theirs)
    same(ours, theirs, images(*shape))


def test_torchvision_frozen_batch_norm_is_evaluation() -> None:
    torchvision_datasets()
    frozen = importlib.import_module("torchvision.ops").FrozenBatchNorm2d(8, eps=1e-5).double()
    ours = BatchNorm(8)
    filled(ours)
    ours(images(6, 8, 4, 3))
    frozen.load_state_dict({k: v for k, v in ours.state_dict().items() if "num_batches" not in k})
    same(ours.eval(), frozen, images(6, 8, 4, 3))


@pytest.mark.compare
def test_timm_filter_response_norm() -> None:
    ours, theirs = FilterResponseNorm(8, eps=1e-5), timm_layers().FilterResponseNormTlu2d(8, eps=1e-5)
    for module, threshold in ((ours, ours.threshold), (theirs, theirs.tau)):
        module.double()
        with torch.no_grad():
            module.weight.copy_(torch.linspace(0.5, 2, 8))
            module.bias.copy_(torch.linspace(-1, 1, 8))
            threshold.copy_(torch.linspace(-0.5, 0.5, 8))
    same(ours, theirs, images(6, 8, 4, 3), tolerance=2e-6)  # theirs takes the mean square in float32


@pytest.mark.compare
def test_timm_evonorm() -> None:
    ours, theirs = EvoNormS0(8, num_groups=4), timm_layers().EvoNorm2dS0(8, groups=4, eps=1e-5)
    filled(ours, theirs)
    same(ours, theirs, images(6, 8, 4, 3), tolerance=2e-6)  # theirs takes the variance in float32


@pytest.mark.compare
def test_timm_rms_norm() -> None:
    ours, theirs = RMSNorm(8), timm_layers().RmsNorm(8, eps=1e-5)
    filled(ours, theirs)
    same(ours, theirs, images(6, 8))


@pytest.mark.compare
def test_timm_weight_standardization() -> None:
    theirs = timm_layers().StdConv2d(4, 8, 3, padding=1, bias=True, eps=1e-5).double()
    ours = nn.Conv2d(4, 8, 3, padding=1).double()
    ours.load_state_dict(theirs.state_dict())
    wrap(ours)
    assert isinstance(ours.parametrizations.weight[0], Standardized)
    same(ours, theirs, images(3, 4, 5, 5))


@pytest.mark.compare
def test_timm_scaled_weight_standardization() -> None:
    theirs = timm_layers().ScaledStdConv2d(4, 8, 3, padding=1, eps=1e-12).double()
    ours = ScaledStandardizedConv2d(4, 8, 3, padding=1).double()
    with torch.no_grad():
        theirs.gain.copy_(torch.linspace(0.5, 2, 8).view_as(theirs.gain))
        ours.weight.copy_(theirs.weight)
        ours.bias.copy_(theirs.bias)
        ours.gain.copy_(theirs.gain.flatten())
    same(ours, theirs, images(3, 4, 5, 5))
