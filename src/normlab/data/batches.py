"""Splits, subsets and batches: the data set as tensors in memory, standardized once, augmented a batch at a time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from normlab.config import DataConfig, ShiftConfig
from normlab.data import find_image_set
from normlab.data.images import Arrays, read
from normlab.errors import NormlabError
from normlab.seeds import generator

FIXED = -1  # The seed of what no run's seed may change: the validation split and the test subset.


@dataclass(frozen=True)
class Split:
    """Standardized images (N, C, H, W), float32, and labels (N,), int64; ``padding`` is what augmentation puts around images."""

    images: Tensor
    labels: Tensor
    padding: float = 0.0

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Splits:
    """What one run sees. ``shape`` is (C, H, W)."""

    train: Split
    validation: Split
    test: Split
    shape: tuple[int, int, int]
    classes: int


def balanced(labels: np.ndarray, size: int, source: torch.Generator, what: str) -> np.ndarray:
    """Indices of ``size`` samples with equal counts a class, up to one, drawn without replacement and sorted.

    Raises:
        NormlabError: if a class has too few samples.
    """
    order = torch.randperm(len(labels), generator=source).numpy()
    classes = np.unique(labels)
    counts = np.full(len(classes), size // len(classes))
    counts[: size % len(classes)] += 1
    chosen = [order[labels[order] == c][:count] for c, count in zip(classes, counts, strict=True)]
    if any(len(indices) < count for indices, count in zip(chosen, counts, strict=True)):
        raise NormlabError(f"{what}={size} asks for more images of a class than there are; choose a smaller size")
    return np.sort(np.concatenate(chosen))


IMAGES_OWN = {
    "augment": "none",
    "repeats": 1,
    "shift": None,
    "label_noise": 0.0,
    "pixel_noise": 0.0,
    "classes": None,
    "permuted": False,
    "enlarge": 1,
}


def refuse_what_images_have(data: DataConfig, what: str) -> None:
    """Raises:
    NormlabError: for an option of images, of which ``what`` has none.
    """
    for name, default in IMAGES_OWN.items():
        if getattr(data, name) != default:
            raise NormlabError(f"data.{name}: {what} have none")


@lru_cache(maxsize=3)
def _arrays(name: str, classes: tuple[int, ...] | None = None) -> Arrays:
    """A data set, or the images of some of its classes, numbered in the order given."""
    if classes is None:
        return read(find_image_set(name))
    whole, known = _arrays(name), find_image_set(name).classes
    if len(set(classes)) < max(2, len(classes)) or not set(classes) <= set(range(known)):
        raise NormlabError(f"data.classes={list(classes)}: choose at least two different ones of 0 to {known - 1}")
    parts = []
    for images, labels in ((whole.train_images, whole.train_labels), (whole.test_images, whole.test_labels)):
        kept = np.isin(labels, classes)
        parts += [images[kept], np.array([classes.index(label) for label in labels[kept]], dtype=labels.dtype)]
    return Arrays(*parts)


@lru_cache(maxsize=4)
def _standardized(
    name: str, classes: tuple[int, ...] | None, validation_size: int, test_size: int | None
) -> tuple[Split, Split, np.ndarray]:
    """Validation and test splits, and the indices that remain for training."""
    arrays, together = _arrays(name, classes), find_image_set(name).together
    if validation_size % together:
        raise NormlabError(
            f"data.validation_size={validation_size}: take a multiple of {together}, samples of one thing"
        )
    source = generator(FIXED, "validation")
    first = together * balanced(
        arrays.train_labels[::together], validation_size // together, source, "data.validation_size"
    )
    validation = (first[:, None] + np.arange(together)).ravel()
    rest = np.setdiff1d(np.arange(len(arrays.train_labels)), validation)
    test = np.arange(len(arrays.test_labels))
    if test_size is not None:
        test = balanced(arrays.test_labels, test_size, generator(FIXED, "test"), "data.test_size")
    return (
        _split(name, arrays.train_images[validation], arrays.train_labels[validation]),
        _split(name, arrays.test_images[test], arrays.test_labels[test]),
        rest,
    )


def _split(name: str, images: np.ndarray, labels: np.ndarray) -> Split:
    image_set = find_image_set(name)
    mean = torch.tensor(image_set.mean).view(1, -1, 1, 1)
    std = torch.tensor(image_set.std).view(1, -1, 1, 1)
    return Split(torch.from_numpy(images).float().sub_(mean).div_(std), torch.from_numpy(labels.astype(np.int64)))


def load_splits(config: DataConfig, seed: int) -> Splits:
    """The splits of one run: validation and test fixed, the training subset balanced and drawn by ``seed``.

    Raises:
        NormlabError: for an unknown or absent data set, or sizes that it cannot fill.
    """
    image_set = find_image_set(config.name)
    if config.augment != "none" and image_set.shape[1] == 1:
        raise NormlabError(f"data.augment={config.augment}: {image_set.title} are series, which are not moved")
    arrays = _arrays(config.name, config.classes)
    validation, test, rest = _standardized(config.name, config.classes, config.validation_size, config.test_size)
    if config.train_size is not None:
        labels = arrays.train_labels[rest]
        rest = rest[balanced(labels, config.train_size, generator(seed, "subset"), "data.train_size")]
    if len(rest) < config.batch_size // config.repeats:
        raise NormlabError(f"data.batch_size={config.batch_size} is more than the {len(rest)} training images")
    classes = len(config.classes) if config.classes else image_set.classes
    train = spoil(_split(config.name, arrays.train_images[rest], arrays.train_labels[rest]), config, classes, seed)
    if config.permuted:
        train, validation, test = map(permuted, (train, validation, test))
    if config.enlarge > 1:
        train, validation, test = (enlarged(split, config.enlarge) for split in (train, validation, test))
    return Splits(train, validation, test, shape_of(config), classes)


def shape_of(config: DataConfig) -> tuple[int, int, int]:
    """Channels, height and width of the images that a run sees."""
    channels, height, width = find_image_set(config.name).shape
    return channels, config.enlarge * height, config.enlarge * width


def enlarged(split: Split, times: int) -> Split:
    """``split`` with every pixel shown ``times`` × ``times`` times."""
    return replace(split, images=split.images.repeat_interleave(times, 2).repeat_interleave(times, 3))


def permuted(split: Split) -> Split:
    """``split`` with the pixels of every image in another order, the same for all images and runs."""
    pixels = split.images.flatten(2)
    order = torch.randperm(pixels.shape[2], generator=generator(FIXED, "permutation"))
    return replace(split, images=pixels[:, :, order].view(split.images.shape))


def spoil(split: Split, config: DataConfig, classes: int, seed: int) -> Split:
    """``split`` with the configured label and pixel noise, drawn once by ``seed``."""
    images, labels = split.images, split.labels
    if config.label_noise:
        source = generator(seed, "label_noise")
        wrong = torch.randperm(len(labels), generator=source)[: round(config.label_noise * len(labels))]
        others = torch.randint(1, classes, (len(wrong),), generator=source)
        labels = labels.clone()
        labels[wrong] = (labels[wrong] + others) % classes
    if config.pixel_noise:
        noise = torch.empty(images.shape).normal_(0, config.pixel_noise, generator=generator(seed, "pixel_noise"))
        images = images + noise
    return Split(images, labels)


def shift_images(images: Tensor, shift: ShiftConfig | None) -> Tensor:
    """x → scale·x + offset."""
    return images if shift is None else images * shift.scale + shift.offset


def unshift_images(images: Tensor, shift: ShiftConfig | None) -> Tensor:
    """The inverse of :func:`shift_images`."""
    return images if shift is None else (images - shift.offset) / shift.scale


def shifted(split: Split, shift: ShiftConfig | None) -> Split:
    """``split`` with shifted images, which are augmented as they would be before the shift."""
    if shift is None:
        return split
    return Split(shift_images(split.images, shift), split.labels, split.padding * shift.scale + shift.offset)


def augment(images: Tensor, kind: str, source: torch.Generator, padding: float = 0.0) -> Tensor:
    """A random shift of up to an eighth of the side, filled up with ``padding``, and for ``flip_crop`` a random mirror, an image each."""
    motion = draw_motion(kind, len(images), images.shape[2], source)
    return images if motion is None else moved(images, motion.to(images.device), padding)


def draw_motion(kind: str, count: int, height: int, source: torch.Generator) -> Tensor | None:
    """What :func:`augment` does to each of ``count`` images: (2, N) rows and columns it is shifted by, or (3, N) with whether it is
    mirrored; None where nothing is done.
    """
    if kind == "none":
        return None
    shift = torch.randint(0, 2 * max(1, height // 8) + 1, (2, count), generator=source)
    if kind != "flip_crop":
        return shift
    return torch.cat([shift, (torch.rand(1, count, generator=source) < 0.5).long()])


def moved(images: Tensor, motion: Tensor, padding: float) -> Tensor:
    """Images (N, C, H, W) moved as ``motion`` says, all by one gather of pixels."""
    N, C, H, W = images.shape
    pad = max(1, H // 8)
    rows = motion[0, :, None] + torch.arange(H, device=images.device)
    columns = motion[1, :, None] + torch.arange(W, device=images.device)
    if len(motion) == 3:
        columns = torch.where(motion[2, :, None] > 0, columns.flip(1), columns)
    padded = F.pad(images.permute(0, 2, 3, 1), (0, 0, pad, pad, pad, pad), value=padding)
    _, height, width, _ = padded.shape
    first = torch.arange(0, N * height * width, height * width, device=images.device)
    pixels = first[:, None, None] + (rows * width)[:, :, None] + columns[:, None, :]
    found = padded.view(-1, C).index_select(0, pixels.view(-1)).view(N, H, W, C).permute(0, 3, 1, 2)
    return found if images.is_contiguous(memory_format=torch.channels_last) else found.contiguous()


def as_trained(split: Split, config: DataConfig, seed: int) -> Tensor:
    """The images of ``split`` as training shows them: each once, under an augmentation that the seed draws."""
    if config.augment == "none":
        return split.images
    return augment(split.images, config.augment, generator(seed, "calibration"), split.padding)


def sent(values: Tensor, device: torch.device) -> Tensor:
    """``values`` on ``device``; a GPU gets them without being waited for."""
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values


class Batches:
    """An endless stream of training batches in the seed's order; an incomplete batch at an epoch's end is dropped.

    With ``repeats=k`` a batch holds B/k images, each k times under its own augmentation, laid out as k copies of the
    same sequence: image i stands at i, i + B/k, …, so that the strided groups of a statistics batch that k divides
    hold all copies of their images. An epoch has the same number of batches whatever k.
    """

    def __init__(self, split: Split, config: DataConfig, seed: int) -> None:
        self.split = split
        self.config = config
        self.per_epoch = max(1, len(split) // config.batch_size)
        self._order = generator(seed, "order")
        self._augmentation = generator(seed, "augmentation")
        self._epoch = self._order.get_state()  # of the generator, before the present epoch's order was drawn
        self._place = 0  # of the next batch in its epoch

    def state(self) -> dict[str, Any]:
        """Where the stream is, for :meth:`go_on`."""
        return {"epoch": self._epoch, "place": self._place, "augmentation": self._augmentation.get_state()}

    def go_on(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration start where ``state`` was taken."""
        self._order.set_state(state["epoch"])
        self._augmentation.set_state(state["augmentation"])
        self._place = state["place"]

    def drawn(self) -> Iterator[tuple[Tensor, Tensor | None]]:
        """What makes up each batch: indices (B,) of its images, and how they move."""
        distinct = self.config.batch_size // self.config.repeats
        device, height = self.split.labels.device, self.split.images.shape[-2]
        while True:
            self._epoch = self._order.get_state()
            order = sent(torch.randperm(len(self.split), generator=self._order), device)
            for batch in range(self._place, self.per_epoch):
                self._place = batch + 1
                motion = draw_motion(self.config.augment, self.config.batch_size, height, self._augmentation)
                indices = order[batch * distinct : (batch + 1) * distinct].repeat(self.config.repeats)
                yield indices, None if motion is None else sent(motion, device)
            self._place = 0

    def batch(self, indices: Tensor, motion: Tensor | None) -> tuple[Tensor, Tensor]:
        """The images and labels of a batch."""
        images = self.split.images[indices]
        if motion is not None:
            images = moved(images, motion, self.split.padding)
        return images, self.split.labels[indices]

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return (self.batch(*drawn) for drawn in self.drawn())
