"""The plain convolutional net of most trials."""

from itertools import pairwise

from torch import nn

from normlab.errors import NormlabError
from normlab.nets.block import Parts


def build(parts: Parts, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Stages of 3×3 convolutions with 2×2 max-pools between them, one hidden layer, linear head.

    ``net.widths`` are the channels of the stages, ``net.depth`` the convolutions in each, ``net.hidden`` the features
    of the hidden layer. Between convolutions and hidden layer stands a global average pool, or with ``net.head=flatten``
    a 2×2 max-pool that keeps where things are. Input (N, ``shape``), output (N, ``classes``).

    Raises:
        NormlabError: for more poolings than the images have room for.
    """
    net = parts.net
    flatten = net.head == "flatten"
    pools = len(net.widths) - (not flatten)
    side = tuple(size // 2**pools for size in shape[1:])
    if min(side) < 1:
        raise NormlabError(
            f"net.widths has {len(net.widths)} stages, too many poolings for {shape[1]}×{shape[2]} images"
        )
    layers: list[nn.Module] = []
    channels = shape[0]
    for index, (width, depth) in enumerate(zip(net.widths, net.depths, strict=True)):
        for repeat in range(depth):
            pooled = repeat == depth - 1 and index < pools
            norm = parts.norm(width, "conv")
            layers.append(parts.stage(parts.conv(channels, width, norm), norm, nn.MaxPool2d(2) if pooled else None))
            channels = width
    layers += [nn.Flatten()] if flatten else [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    features = [channels * side[0] * side[1] if flatten else channels, *([net.hidden] if net.hidden else [])]
    for features_in, features_out in pairwise(features):
        norm = parts.norm(features_out, "fc")
        layers.append(parts.stage(parts.linear(features_in, features_out, norm), norm))
    return nn.Sequential(*layers, *parts.head(features[-1], classes))
