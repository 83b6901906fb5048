"""No normalization: the reference arm of every contrast."""

from torch import nn

from normlab.norms.method import Method


def build(num_features: int) -> nn.Module:
    """The identity, y = x, on (N, C, *)."""
    del num_features
    return nn.Identity()


METHOD = Method(
    "none",
    "no norm",
    build,
    version=1,
    identity=True,
    shifts=False,
    colour="#666666",
    title_ja="正規化なし",
    does="Leaves everything as it is: the arm that all others are held against.",
    does_ja="何もしない。他の全ての手法を比べる基準。",
    also=("no normalization", "正規化無し", "identity"),
)
