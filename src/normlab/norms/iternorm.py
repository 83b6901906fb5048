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
    title_ja="反復的白色化",
    does="Whitens like decorrelated batch norm, by a few Newton iterations in place of an eigendecomposition.",
    does_ja="無相関化バッチ正規化と同じ白色化を、固有値分解の代わりに数回のニュートン反復で行う。",
    also=("IterNorm", "Iterative Normalization"),
)
IterNorm.METHOD = METHOD
