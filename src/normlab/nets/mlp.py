"""The multilayer perceptron."""

from itertools import pairwise

from torch import nn

from normlab.errors import MisfitError
from normlab.nets.block import Parts
from normlab.norms import method_of


def build(parts: Parts, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Fully connected layers on the flattened image, ``net.depth`` of each of ``net.widths`` features, and a linear head.

    Raises:
        MisfitError: for a norm that needs positions, which no layer of this net has.
    """
    if method_of(parts.norm_config).needs_positions:
        raise MisfitError(
            f"norm={parts.norm_config.name} has one value a channel in every layer of an MLP; use net=cnn"
        )
    layers: list[nn.Module] = [nn.Flatten()]
    widths = [width for width, depth in zip(parts.net.widths, parts.net.depths, strict=True) for _ in range(depth)]
    for features_in, features_out in pairwise([shape[0] * shape[1] * shape[2], *widths]):
        norm = parts.norm(features_out, "fc")
        layers.append(parts.stage(parts.linear(features_in, features_out, norm), norm))
    return nn.Sequential(*layers, *parts.head(widths[-1], classes))
