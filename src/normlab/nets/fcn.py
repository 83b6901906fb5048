"""The convolutional net for series in time."""

from itertools import pairwise

from torch import nn

from normlab.errors import NormlabError
from normlab.nets.block import Parts

KERNELS = (7, 5, 3)
PARTS = 4  # of the time, each with a mean of its own: what comes early and what late is told apart


def build(parts: Parts, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Three stages convolution over time → norm → activation, with kernels of 7, 5 and 3 steps, means over quarters of the time, a linear
    head.

    ``net.widths`` are their channels. Input (N, ``shape``), one row high; output (N, ``classes``).

    Paper: Wang, Yan & Oates 2017, whose kernels are of 8, 5 and 3 steps (odd ones keep the length) and whose mean is over all time.

    Raises:
        NormlabError: for other than three widths, or images of several rows.
    """
    if shape[1] != 1 or len(parts.net.widths) != len(KERNELS):
        raise NormlabError(f"net=fcn has three widths and reads series, one row high, not {shape[1]}×{shape[2]} images")
    layers = []
    for (before, after), kernel in zip(pairwise((shape[0], *parts.net.widths)), KERNELS, strict=True):
        norm = parts.norm(after, "conv")
        layers.append(parts.stage(parts.conv(before, after, norm, kernel=(1, kernel)), norm))
    pooled = nn.AdaptiveAvgPool2d((1, PARTS))
    return nn.Sequential(*layers, pooled, nn.Flatten(), *parts.head(PARTS * parts.net.widths[-1], classes))
