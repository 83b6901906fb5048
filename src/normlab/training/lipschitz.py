"""How much a trained net stretches what it sees."""

import math

import torch
from torch import Tensor, nn

from normlab.config import RunConfig
from normlab.data.batches import FIXED, Splits
from normlab.seeds import generator

IMAGES, AT_ONCE = 500, 100
ITERATIONS = 40


def lipschitz(net: nn.Module, config: RunConfig, splits: Splits) -> dict[str, float]:
    """How far what the linear head reads moves for a small move of the image: of h, the net up to its head in evaluation mode,

        σ(x) = max_v ‖J(x) v‖ / ‖v‖,   J = ∂h/∂x

    at 500 test images, by 40 power iterations on JᵀJ each (from below). Logarithms of

    - ``log_largest``: the largest σ(x), a lower bound of the Lipschitz constant of h
    - ``log_median``: the median σ(x)

    Distances are Euclidean, of images as the net reads them. Paper: Miyato, Kataoka, Koyama & Yoshida 2018, who bound it.
    """
    del config
    net.eval()
    found = torch.cat([_stretch(net, part) for part in splits.test.images[:IMAGES].split(AT_ONCE)])
    largest, median = found.max().item(), found.median().item()
    return {f"log_{name}": math.log(max(value, 1e-12)) for name, value in (("largest", largest), ("median", median))}


def _stretch(net: nn.Module, images: Tensor) -> Tensor:
    """(N,) the largest singular value of each image's own J: in evaluation mode no image moves what the net says of another."""
    images = images.detach().requires_grad_()
    with torch.enable_grad():
        features = _features(net, images)
        # Jᵀu is linear in u, so that its derivative in the direction v is J v.
        probe = torch.zeros_like(features, requires_grad=True)
        pulled = torch.autograd.grad(features, images, probe, create_graph=True)[0]
    direction = torch.randn(images.shape, generator=generator(FIXED, "lipschitz")).to(images)
    stretch = torch.zeros(len(images))
    for _ in range(ITERATIONS):
        direction = direction / _norms(direction)
        pushed = torch.autograd.grad(pulled, probe, direction, retain_graph=True)[0]
        stretch = _norms(pushed).flatten()
        direction = torch.autograd.grad(features, images, pushed, retain_graph=True)[0]
    return stretch.cpu()


def _features(net: nn.Module, images: Tensor) -> Tensor:
    """(N, features): what the last linear layer reads."""
    head = [module for module in net.modules() if isinstance(module, nn.Linear)][-1]
    read: list[Tensor] = []
    handle = head.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    try:
        net(images)
    finally:
        handle.remove()
    return read[0]


def _norms(values: Tensor) -> Tensor:
    """The Euclidean norm of each sample, shaped to divide it."""
    norms = values.flatten(1).norm(dim=1).clamp_min(1e-30)
    return norms.view(-1, *[1] * (values.dim() - 1))
