"""Iterative normalization, the cheap form of decorrelated batch normalization."""

from torch import nn

from normlab.norms.decorrelated import IterNorm
from normlab.norms.method import Method


def build(num_features: int, **options: object) -> nn.Module:
    """An :class:`IterNorm`."""
    return IterNorm(num_features, **options)  # type: ignore[arg-type]


METHOD = Method(
    "iternorm",
    "IterNorm",
    build,
    version=2,
    mixes=("samples", "channels", "positions"),
    running=("running_mean", "running_var", "running_whitening"),
    colour="#9C9EDE",
)
IterNorm.METHOD = METHOD
