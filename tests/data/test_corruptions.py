"""Corruptions: what each does to images, that they repeat, and that they get worse."""

import pytest
import torch

from normlab.data.corruptions import (
    CORRUPTIONS,
    SEVERITIES,
    STYLES,
    brightness,
    contrast,
    corrupt,
    fog,
    gaussian_blur,
    gaussian_noise,
    impulse_noise,
    jpeg,
    motion_blur,
    pixelate,
    shot_noise,
    style,
)
from normlab.errors import NormlabError

ALL = list(CORRUPTIONS | STYLES)


def source() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def photos(N: int = 64, C: int = 3, side: int = 32) -> torch.Tensor:
    """Smooth images with a square somewhere, in [0, 1]."""
    coarse = torch.rand(N, C, 4, 4, generator=source())
    images = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bilinear")
    for image, (row, column) in zip(images, torch.randint(0, side // 2, (N, 2), generator=source()), strict=True):
        image[:, row : row + side // 3, column : column + side // 3] = 0.9
    return images


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (1, 8, 8)])
def test_images_stay_images(name: str, shape: tuple[int, int, int]) -> None:
    images = photos(6, shape[0], shape[1])
    for severity in SEVERITIES:
        found = corrupt(images, name, severity, seed=0)
        assert found.shape == images.shape
        assert found.dtype == images.dtype
        assert 0 <= found.min() <= found.max() <= 1


@pytest.mark.parametrize("name", ALL)
def test_the_same_seed_gives_the_same_images_whatever_came_before(name: str) -> None:
    images = photos(5)
    first = corrupt(images, name, 3, seed=1)
    torch.rand(100)
    corrupt(images, name, 2, seed=1)
    assert torch.equal(corrupt(images, name, 3, seed=1), first)
    assert torch.equal(corrupt(images.to(memory_format=torch.channels_last), name, 3, seed=1), first)


@pytest.mark.parametrize("name", ALL)
def test_higher_severities_change_images_more(name: str) -> None:
    images = photos()
    distances = [(corrupt(images, name, severity, seed=0) - images).square().mean().item() for severity in SEVERITIES]
    assert distances == sorted(distances)
    assert distances[-1] > 1.5 * distances[0]


def test_noises_have_the_moments_they_say() -> None:
    grey = torch.full((50, 1, 32, 32), 0.5)
    assert gaussian_noise(grey, 0.1, source()).std().item() == pytest.approx(0.1, rel=0.02)
    counted = shot_noise(grey, 20, source())
    assert counted.mean().item() == pytest.approx(0.5, rel=0.02)
    assert counted.var().item() == pytest.approx(0.5 / 20, rel=0.05)  # a Poisson count's variance is its mean
    struck = impulse_noise(grey, 0.2, source())
    assert (struck == 0).float().mean().item() == pytest.approx(0.1, abs=0.01)
    assert (struck == 1).float().mean().item() == pytest.approx(0.1, abs=0.01)


def test_blurs_keep_flat_images_and_spread_a_point() -> None:
    flat = torch.full((4, 3, 16, 16), 0.3)
    point = torch.zeros(200, 1, 17, 17)
    point[:, :, 8, 8] = 1
    for blur, strength in ((gaussian_blur, 1.0), (motion_blur, 4)):
        torch.testing.assert_close(blur(flat, strength, source()), flat)
        assert blur(point, strength, source()).sum((1, 2, 3)) == pytest.approx(torch.ones(200), rel=1e-4)
    spread = gaussian_blur(point, 1.0, source())[0, 0]
    places = torch.arange(17.0) - 8
    assert (spread.sum(0) * places.square()).sum().item() == pytest.approx(1.0, rel=0.05)  # the variance is σ²
    assert {int(n) for n in (motion_blur(point, 4, source()) > 0).sum((1, 2, 3))} == {4}


def test_contrast_brightness_and_style_by_their_formulas() -> None:
    images = photos(8)
    mean = images.mean((1, 2, 3), keepdim=True)
    torch.testing.assert_close(contrast(images, 0.5, source()), mean + 0.5 * (images - mean))
    torch.testing.assert_close(brightness(images, 0.2, source()), images + 0.2)
    styled = style(images, 0.3, source())
    scale = styled.std((1, 2, 3)) / images.std((1, 2, 3))
    assert ((scale.log().abs() <= 0.3 + 1e-5) & (scale.log().abs() > 0)).all()
    assert len(scale.unique()) == 8


def test_fog_hides_and_lightens() -> None:
    images = photos()
    fogged = fog(images, 0.6, source())
    assert fogged.mean() > images.mean()
    assert fogged.std() < images.std()


def test_pixelate_shows_blocks_and_jpeg_of_high_quality_little_loss() -> None:
    images = photos(2)
    blocks = pixelate(images, 4, source())
    assert torch.equal(blocks[:, :, ::4, ::4].repeat_interleave(4, 2).repeat_interleave(4, 3), blocks)
    torch.testing.assert_close(blocks[0, 0, 0, 0], images[0, 0, :4, :4].mean())
    torch.testing.assert_close(pixelate(images, 5, source())[1, 2, -1, -1], images[1, 2, -2:, -2:].mean())
    assert (jpeg(images, 95, source()) - images).abs().mean() < 0.02
    assert (jpeg(images, 5, source()) - images).abs().mean() > 0.02


def test_unknown_names_and_severities_are_refused() -> None:
    with pytest.raises(NormlabError, match="unknown corruption 'rain'"):
        corrupt(photos(2), "rain", 1, 0)
    with pytest.raises(NormlabError, match="severity=6"):
        corrupt(photos(2), "fog", 6, 0)
