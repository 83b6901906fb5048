"""Corruptions of images: ten that cameras and files make, each in five severities, and changes of style from image to image.

They are after Hendrycks & Dietterich 2019, with strengths of our own for images of 28 to 32 pixels. Each takes images
(N, C, H, W) in [0, 1], a strength and a generator; what comes out is cut to [0, 1] again.
"""

import io
import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from normlab.errors import NormlabError
from normlab.seeds import generator

SEVERITIES = (1, 2, 3, 4, 5)
Corruption = Callable[[Tensor, float, torch.Generator], Tensor]


def gaussian_noise(x: Tensor, strength: float, source: torch.Generator) -> Tensor:
    """Independent normal noise of that standard deviation on every value."""
    return x + torch.empty_like(x).normal_(0, strength, generator=source)


def shot_noise(x: Tensor, photons: float, source: torch.Generator) -> Tensor:
    """Every value as a Poisson count, ``photons`` being the mean count of white."""
    return torch.poisson(x * photons, generator=source) / photons


def impulse_noise(x: Tensor, share: float, source: torch.Generator) -> Tensor:
    """That share of the pixels black or white."""
    drawn = torch.empty_like(x[:, :1]).uniform_(generator=source)
    return torch.where(drawn < share / 2, 0.0, torch.where(drawn < share, 1.0, x))


def gaussian_blur(x: Tensor, sigma: float, source: torch.Generator) -> Tensor:
    """A Gaussian filter of that standard deviation in pixels."""
    reach = math.ceil(3 * sigma)
    places = torch.arange(-reach, reach + 1, dtype=x.dtype)
    kernel = torch.exp(-0.5 * (places / sigma).square())
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, 1, -1)
    padded = F.pad(x, (reach,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel, groups=x.shape[1]), kernel.transpose(2, 3), groups=x.shape[1])


def motion_blur(x: Tensor, length: float, source: torch.Generator) -> Tensor:
    """Each image averaged along a path of that many pixels about it, in one of four directions drawn an image."""
    N, _, H, W = x.shape
    steps = int(length)
    path = [k - steps // 2 for k in range(steps)]
    padded = F.pad(x, (steps,) * 4, mode="replicate")
    moved = []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        shifts = [(steps + down * k, steps + right * k) for k in path]
        moved.append(torch.stack([padded[:, :, i : i + H, j : j + W] for i, j in shifts]).mean(0))
    return torch.stack(moved)[torch.randint(0, 4, (N,), generator=source), torch.arange(N)]


def contrast(x: Tensor, factor: float, source: torch.Generator) -> Tensor:
    """Differences from the image's mean, times a factor below 1."""
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean + factor * (x - mean)


def brightness(x: Tensor, offset: float, source: torch.Generator) -> Tensor:
    """That much light on every pixel."""
    return x + offset


def fog(x: Tensor, density: float, source: torch.Generator) -> Tensor:
    """A white veil of uneven thickness, smooth noise of three sizes, between the image and the eye."""
    N, _, H, W = x.shape
    veil = torch.zeros(N, 1, H, W)
    for cells in (2, 4, 8):
        coarse = torch.empty(N, 1, cells, cells).uniform_(generator=source)
        veil += F.interpolate(coarse, size=(H, W), mode="bilinear", align_corners=True) / 3
    thickness = density * (0.5 + veil)
    return x * (1 - thickness) + thickness


def pixelate(x: Tensor, side: float, source: torch.Generator) -> Tensor:
    """Squares of that many pixels a side, each of its mean colour; those at the right and lower edge may be cut."""
    size = int(side)
    blocks = F.avg_pool2d(x, size, ceil_mode=True, count_include_pad=False)
    return blocks.repeat_interleave(size, 2).repeat_interleave(size, 3)[:, :, : x.shape[2], : x.shape[3]]


def jpeg(x: Tensor, quality: float, source: torch.Generator) -> Tensor:
    """Written as JPEG of that quality and read again, by Pillow."""
    pixels = (x.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy()
    read = []
    for image in pixels:
        file = io.BytesIO()
        Image.fromarray(image.squeeze()).save(file, "JPEG", quality=int(quality))
        read.append(np.asarray(Image.open(file)).reshape(image.shape))
    return torch.from_numpy(np.stack(read)).permute(0, 3, 1, 2).to(x.dtype) / 255


def style(x: Tensor, strength: float, source: torch.Generator) -> Tensor:
    """Contrast and brightness of its own for every image: (x − ½)·e^a + ½ + b with a, b ~ U(−strength, strength)."""
    a, b = torch.empty(2, len(x), 1, 1, 1).uniform_(-strength, strength, generator=source)
    return (x - 0.5) * a.exp() + 0.5 + b


# name: (corruption, its strength at each severity)
CORRUPTIONS: dict[str, tuple[Corruption, tuple[float, ...]]] = {
    "gaussian_noise": (gaussian_noise, (0.04, 0.08, 0.12, 0.18, 0.26)),
    "shot_noise": (shot_noise, (250, 100, 50, 20, 10)),
    "impulse_noise": (impulse_noise, (0.01, 0.03, 0.06, 0.12, 0.2)),
    "gaussian_blur": (gaussian_blur, (0.4, 0.6, 0.8, 1.1, 1.5)),
    "motion_blur": (motion_blur, (3, 5, 7, 9, 11)),
    "contrast": (contrast, (0.75, 0.5, 0.35, 0.22, 0.12)),
    "brightness": (brightness, (0.08, 0.16, 0.25, 0.35, 0.5)),
    "fog": (fog, (0.15, 0.3, 0.45, 0.6, 0.75)),
    "pixelate": (pixelate, (2, 3, 4, 5, 6)),
    "jpeg": (jpeg, (60, 40, 25, 15, 8)),
}
STYLES: dict[str, tuple[Corruption, tuple[float, ...]]] = {"style": (style, (0.1, 0.2, 0.3, 0.4, 0.5))}


def corrupt(images: Tensor, name: str, severity: int, seed: int) -> Tensor:
    """Images (N, C, H, W) in [0, 1] under a corruption; the same for the same (seed, name, severity).

    Raises:
        NormlabError: for an unknown corruption, or a severity other than 1 to 5.
    """
    known = CORRUPTIONS | STYLES
    if name not in known:
        raise NormlabError(f"unknown corruption {name!r}; there are {', '.join(known)}")
    if severity not in SEVERITIES:
        raise NormlabError(f"severity={severity}: there are 1 to 5")
    change, strengths = known[name]
    source = generator(seed, f"corruption/{name}/{severity}")
    return change(images.contiguous(), strengths[severity - 1], source).clamp(0, 1)
