"""A detector without anchors: at every place of a coarse map, whether a thing has its centre there, of which class, and its box."""

from torch import nn

from normlab.errors import NormlabError
from normlab.nets.block import Parts

STRIDE = 4  # pixels between the places of the map
BOX = 4  # numbers that a box is told by


def build(parts: Parts, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Three stages of 3×3 convolutions with 2×2 max-pools between them, one more convolution, and a 1×1 convolution to a logit for each
    class and the four numbers of a box.

    ``net.widths`` are the channels of the stages, ``net.depth`` the convolutions in each. (N, ``shape``) → (N, classes + 4, H/4, W/4).

    Paper: Zhou, Wang & Krähenbühl 2019 (objects as points), with a plain backbone.

    Raises:
        NormlabError: for other than three widths, or images whose sides are no multiples of 4.
    """
    net = parts.net
    parts.refuse_dropout()
    if len(net.widths) != 3 or shape[1] % STRIDE or shape[2] % STRIDE:
        raise NormlabError(
            f"net=detector has three widths and reads images whose sides are multiples of {STRIDE}, not {shape[1]}×{shape[2]}"
        )
    layers: list[nn.Module] = []
    channels = shape[0]
    for index, (width, depth) in enumerate(zip(net.widths, net.depths, strict=True)):
        for repeat in range(depth + (index == len(net.widths) - 1)):
            pooled = repeat == depth - 1 and index < len(net.widths) - 1
            norm = parts.norm(width, "conv")
            layers.append(parts.stage(parts.conv(channels, width, norm), norm, nn.MaxPool2d(2) if pooled else None))
            channels = width
    return nn.Sequential(*layers, parts.plain_conv(channels, classes + BOX, kernel=1))
