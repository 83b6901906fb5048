"""What is decided without training: whether a norm's outputs and gradients depend on the batch."""

import torch
import torch.nn.functional as F
from torch import nn

from normlab.config import NormConfig
from normlab.core.claim import Finding
from normlab.norms import make_norm

FREE, BOUND = ("layer", "group", "instance"), "batch"
ROUNDING = 1e-10  # of float64 through a small net


def others_are_batch_free() -> Finding:
    """The largest relative differences that other samples make to a sample's output, and batches of 2 to a gradient of 64."""
    numbers = {f"{norm}: {what}": value for norm in (*FREE, BOUND) for what, value in differences(norm).items()}
    return Finding(all(v < ROUNDING for name, v in numbers.items() if not name.startswith(BOUND)), numbers)


def differences(norm: str) -> dict[str, float]:
    """Of a two-layer convolutional net with that norm, in training mode."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), make_norm(NormConfig(name=norm), 16, True), nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1), make_norm(NormConfig(name=norm), 16, True), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    ).double()  # fmt: skip
    images, labels = torch.randn(64, 3, 8, 8, dtype=torch.double), torch.randint(0, 10, (64,))
    with torch.no_grad():
        alone, together = torch.cat([net(pair) for pair in images.split(2)]), net(images)
    whole = _gradient(net, [(images, labels)])
    pairs = _gradient(net, list(zip(images.split(2), labels.split(2), strict=True)))
    return {
        "output": float((alone - together).abs().max() / together.abs().max()),
        "gradient": float((whole - pairs).abs().max() / whole.abs().max()),
    }


def _gradient(net: nn.Module, batches: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    net.zero_grad()
    for images, labels in batches:
        (F.cross_entropy(net(images), labels) / len(batches)).backward()
    return torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])
