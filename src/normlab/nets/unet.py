"""The U-Net: what stands at every pixel."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from normlab.errors import NormlabError
from normlab.nets.block import Parts


class UNet(nn.Module):
    """Down: stages of 3×3 convolutions with 2×2 max-pools between them. Up: each stage's maps, doubled in size, beside those of the stage
    before it, through convolutions again. A 1×1 convolution to the classes of each pixel.

    (N, ``shape``) → (N, classes, H, W).

    Paper: Ronneberger et al. 2015, with padded convolutions and upsampling by repetition.
    """

    def __init__(self, parts: Parts, channels: int, classes: int) -> None:
        super().__init__()
        widths = parts.net.widths
        self.down = nn.ModuleList(
            _stage(parts, before, after) for before, after in zip((channels, *widths), widths, strict=False)
        )
        self.up = nn.ModuleList(
            _stage(parts, deep + wide, wide) for deep, wide in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.head = parts.plain_conv(widths[0], classes, kernel=1)

    def forward(self, input: Tensor) -> Tensor:
        x, passed = input, []
        for index, stage in enumerate(self.down):
            x = stage(F.max_pool2d(x, 2) if index else x)
            passed.append(x)
        for stage, beside in zip(self.up, passed[-2::-1], strict=True):
            x = stage(torch.cat([F.interpolate(x, scale_factor=2.0), beside], dim=1))
        says: Tensor = self.head(x)
        return says


def _stage(parts: Parts, channels_in: int, channels_out: int) -> nn.Sequential:
    assert isinstance(parts.net.depth, int)
    layers = []
    for index in range(parts.net.depth):
        norm = parts.norm(channels_out, "conv")
        layers.append(parts.stage(parts.conv(channels_out if index else channels_in, channels_out, norm), norm))
    return nn.Sequential(*layers)


def build(parts: Parts, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A :class:`UNet` with a stage for each of ``net.widths`` and ``net.depth`` convolutions in each.

    Raises:
        NormlabError: for images whose sides the poolings do not divide.
    """
    parts.refuse_dropout()
    pools = 2 ** (len(parts.net.widths) - 1)
    if shape[1] % pools or shape[2] % pools:
        raise NormlabError(
            f"net.widths has {len(parts.net.widths)} stages, whose poolings do not divide {shape[1]}×{shape[2]} images"
        )
    return UNet(parts, shape[0], classes)
