"""The plain convolutional net of most trials."""

from itertools import pairwise

from torch import nn

from normlab.errors import NormlabError
from normlab.nets.block import Parts


def build(parts: Parts, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Stages of 3×3 convolutions with 2×2 max-pools between them, global average pool, one hidden layer, linear head.

    ``net.widths`` are the channels of the stages, ``net.depth`` the convolutions in each, ``net.hidden`` the features
    of the hidden layer. Input (N, ``shape``), output (N, ``classes``).
    """
    net = parts.net
    smallest = min(shape[1:]) // 2 ** (len(net.widths) - 1)
    if smallest < 1:
        raise NormlabError(
            f"net.widths has {len(net.widths)} stages, too many poolings for {shape[1]}×{shape[2]} images"
        )
    layers: list[nn.Module] = []
    channels = shape[0]
    for index, width in enumerate(net.widths):
        for repeat in range(net.depth):
            last = repeat == net.depth - 1 and index < len(net.widths) - 1
            norm = parts.norm(width, "conv")
            layers.append(parts.stage(parts.conv(channels, width, norm), norm, nn.MaxPool2d(2) if last else None))
            channels = width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    features = [channels, *([net.hidden] if net.hidden else [])]
    for features_in, features_out in pairwise(features):
        norm = parts.norm(features_out, "fc")
        layers.append(parts.stage(parts.linear(features_in, features_out, norm), norm))
    return nn.Sequential(*layers, *parts.head(features[-1], classes))
