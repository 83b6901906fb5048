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
    """How far what a net says moves for a small move of the image: in evaluation mode, of what the net says (its logits) and of what its
    linear head reads,

        σ(x) = max_v ‖J(x) v‖ / ‖v‖,   J = ∂f/∂x

    at 500 test images, by 40 power iterations on JᵀJ each (from below). Logarithms of

    - ``log_largest``, ``log_median``: the largest and the median σ(x) of the logits; the former is a lower bound of the Lipschitz constant
    - ``log_largest_features``, ``log_median_features``: the same of what the head reads
    - ``log_radius``: the median of (margin of the logits of the right class over the largest other) / (√2 σ(x)), of images that are told right:
      how far, as long as σ stays what it is, an image may move before it is told wrong. The scale of logits does not change it.

    Distances are Euclidean, of images as the net reads them. Paper: Miyato, Kataoka, Koyama & Yoshida 2018, who bound the constant.
    """
    del config
    net.eval()
    chosen = range(0, min(IMAGES, len(splits.test)), AT_ONCE)
    looked = [_look(net, splits.test.images[i : i + AT_ONCE], splits.test.labels[i : i + AT_ONCE]) for i in chosen]
    logits, features, radii = (torch.cat(part) for part in zip(*looked, strict=True))
    found = {
        "largest": logits.max(),
        "median": logits.median(),
        "largest_features": features.max(),
        "median_features": features.median(),
        "radius": radii.median() if len(radii) else torch.tensor(0.0),
    }
    return {f"log_{name}": math.log(max(value.item(), 1e-12)) for name, value in found.items()}


def _look(net: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """σ(x) of the logits and of what the head reads, and the radii of those images that are told right."""
    images = images.detach().requires_grad_()
    with torch.enable_grad():
        logits, features = _said(net, images)
    stretch, before_head = _stretch(images, logits), _stretch(images, features)
    said = logits.detach().cpu().scatter(1, labels.cpu()[:, None], -math.inf).amax(1)
    margin = logits.detach().cpu().gather(1, labels.cpu()[:, None])[:, 0] - said
    return stretch, before_head, (margin / (math.sqrt(2) * stretch.clamp_min(1e-12)))[margin > 0]


def _stretch(images: Tensor, out: Tensor) -> Tensor:
    """(N,) the largest singular value of each image's own J: in evaluation mode no image moves what the net says of another."""
    with torch.enable_grad():
        # Jᵀu is linear in u, so that its derivative in the direction v is J v.
        probe = torch.zeros_like(out, requires_grad=True)
        pulled = torch.autograd.grad(out, images, probe, create_graph=True)[0]
    direction = torch.randn(images.shape, generator=generator(FIXED, "lipschitz")).to(images)
    stretch = torch.zeros(len(images))
    for _ in range(ITERATIONS):
        direction = direction / _norms(direction)
        pushed = torch.autograd.grad(pulled, probe, direction, retain_graph=True)[0]
        stretch = _norms(pushed).flatten()
        direction = torch.autograd.grad(out, images, pushed, retain_graph=True)[0]
    return stretch.detach().cpu()


def _said(net: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """The logits, and (N, features) what the last linear layer reads."""
    head = [module for module in net.modules() if isinstance(module, nn.Linear)][-1]
    read: list[Tensor] = []
    handle = head.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    try:
        logits: Tensor = net(images)
    finally:
        handle.remove()
    return logits, read[0]


def _norms(values: Tensor) -> Tensor:
    """The Euclidean norm of each sample, shaped to divide it."""
    norms = values.flatten(1).norm(dim=1).clamp_min(1e-30)
    return norms.view(-1, *[1] * (values.dim() - 1))
