"""The CIFAR-style residual net."""

import torch.nn.functional as F
from torch import Tensor, nn

from normlab.errors import NormlabError
from normlab.nets.block import Parts


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions around a skip connection.

    - ``before``: x + [conv → norm → act → conv → norm](x), then act (He et al. 2016a)
    - ``after``: x + [conv → act → norm → conv → act → norm](x)
    - ``pre``: x + [norm → act → conv → norm → act → conv](x) (He et al. 2016b)

    Where the shape changes, the skip strides and pads the new channels with zeros, as in the paper's option A, so that
    it holds no parameters and no norm of its own.
    """

    def __init__(self, parts: Parts, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.pad = channels_out - channels_in
        self.stride = stride
        placement = parts.net.placement
        # What each norm sees: its convolution's output, or in "pre" its convolution's input.
        norms = [
            parts.norm(width, "conv")
            for width in ((channels_in, channels_out) if placement == "pre" else (channels_out, channels_out))
        ]
        first = parts.conv(channels_in, channels_out, norms[1] if placement == "pre" else norms[0], stride=stride)
        second = parts.conv(channels_out, channels_out, nn.Identity() if placement == "pre" else norms[1])
        acts = [parts.activation(norm) for norm in norms]
        orders: dict[str, list[nn.Module]] = {
            "before": [first, norms[0], acts[0], second, norms[1]],
            "after": [first, acts[0], norms[0], second, acts[1], norms[1]],
            "pre": [norms[0], acts[0], first, norms[1], acts[1], second],
        }
        if placement != "pre":
            parts.close_branch(norms[1])
        self.branch = nn.Sequential(*orders[placement])
        self.out = parts.activation(nn.Identity()) if placement == "before" else nn.Identity()

    def forward(self, input: Tensor) -> Tensor:
        skip = input[:, :, :: self.stride, :: self.stride]
        if self.pad:
            skip = F.pad(skip, (0, 0, 0, 0, 0, self.pad))
        return self.out(skip + self.branch(input))


def build(parts: Parts, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A ResNet of depth 6n+2 in three stages of ``net.widths`` channels: stem, 3·n blocks, global average pool, head.

    Paper: He, Zhang, Ren & Sun 2016.

    Raises:
        NormlabError: if ``net.depth`` is not 6n+2 or there are not three widths.
    """
    net = parts.net
    if len(net.widths) != 3:
        raise NormlabError(f"net.widths={list(net.widths)}: a ResNet has three stages")
    pre = net.placement == "pre"
    stem_norm = nn.Identity() if pre else parts.norm(net.widths[0], "conv")
    stem = parts.conv(shape[0], net.widths[0], stem_norm)
    layers: list[nn.Module] = [stem] if pre else [parts.stage(stem, stem_norm)]
    channels = net.widths[0]
    for index, width in enumerate(net.widths):
        for repeat in range(net.blocks):
            layers.append(ResidualBlock(parts, channels, width, stride=2 if index and not repeat else 1))
            channels = width
    if pre:
        closing = parts.norm(channels, "conv")
        layers += [closing, parts.activation(closing)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), *parts.head(channels, classes))
