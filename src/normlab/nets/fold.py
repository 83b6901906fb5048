"""Batch norm folded into the layer before it, for evaluation."""

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from normlab.config import NetConfig, NormConfig
from normlab.errors import NormlabError
from normlab.nets import make_net
from normlab.norms.batch import BatchMomentsNorm, BatchNorm
from normlab.seeds import generator


def fold(net: nn.Module) -> nn.Module:
    """A copy of ``net`` in evaluation mode without batch norms, which gives the same outputs.

    A batch norm with running statistics is the map x → s·x + t a channel, s = γ/√(σ² + ε), t = β − s·μ; behind a
    convolution or linear layer it becomes part of it: W ← s·W, b ← s·b + t. A max-pool in between commutes with the map
    where every s ≥ 0.

    Raises:
        NormlabError: if a batch norm stands anywhere else (behind an activation or a residual sum, or behind a pool with
            a negative s), where no layer can take it up exactly: before a convolution the zeros of its padding would
            have to become −t/s.
    """
    folded = copy.deepcopy(net).eval()
    for chain in [module for module in folded.modules() if isinstance(module, nn.Sequential)]:
        _fold_chain(chain)
    left = [name for name, module in folded.named_modules() if can_be_folded(module)]
    if left:
        raise NormlabError(
            f"batch norm {left[0]} cannot be folded: it does not follow a convolution or linear layer; "
            "net.placement=before can be folded"
        )
    return folded


def can_be_folded(module: nn.Module) -> bool:
    """Whether the module is a batch norm that is a fixed map in evaluation and nothing more."""
    return isinstance(module, BatchNorm) and not isinstance(module, BatchMomentsNorm)


def _fold_chain(chain: nn.Sequential) -> None:
    names = [name for name, module in chain.named_children() if not isinstance(module, nn.Identity)]
    for place, name in enumerate(names):
        norm = chain.get_submodule(name)
        if not (isinstance(norm, BatchNorm) and can_be_folded(norm)) or place == 0:
            continue
        before = place - 1
        if isinstance(chain.get_submodule(names[before]), nn.MaxPool2d) and before and (_scale(norm) >= 0).all():
            before -= 1
        layer = chain.get_submodule(names[before])
        if not norm.affine:  # PyTorch folds batch norms that have γ and β.
            norm.weight = nn.Parameter(torch.ones_like(_scale(norm)))
            norm.bias = nn.Parameter(torch.zeros_like(norm.weight))
        if parametrize.is_parametrized(layer):
            continue
        if isinstance(layer, nn.Conv2d):
            chain.set_submodule(names[before], fuse_conv_bn_eval(layer, norm))
        elif isinstance(layer, nn.Linear):
            chain.set_submodule(names[before], fuse_linear_bn_eval(layer, norm))
        else:
            continue
        chain.set_submodule(name, nn.Identity())


def _scale(norm: BatchNorm) -> Tensor:
    assert norm.running_var is not None
    rstd = torch.rsqrt(norm.running_var + norm.eps)
    return rstd * norm.weight if norm.affine else rstd


def folded_difference() -> float:
    """The largest difference of outputs between a plain CNN with random weights, statistics, γ and β and its folded copy,
    in float64, on random images.
    """
    source = generator(0, "folded_difference")
    net = make_net(
        NetConfig(name="cnn", widths=(8, 16), hidden=16), NormConfig(name="batch"), (3, 16, 16), 10, 0
    ).double()
    for norm in (module for module in net.modules() if isinstance(module, BatchNorm)):
        assert norm.running_mean is not None
        assert norm.running_var is not None
        with torch.no_grad():
            norm.weight.uniform_(0.5, 2, generator=source)
            norm.bias.normal_(generator=source)
            norm.running_mean.normal_(generator=source)
            norm.running_var.uniform_(0.5, 2, generator=source)
    images = torch.randn(32, 3, 16, 16, generator=source, dtype=torch.float64)
    with torch.no_grad():
        return (net.eval()(images) - fold(net)(images)).abs().max().item()
