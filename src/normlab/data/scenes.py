"""Scenes: several images of a data set on clutter, with what stands at every pixel and a box around each thing."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from normlab.config import DataConfig
from normlab.data import find_image_set
from normlab.data.batches import FIXED, refuse_what_images_have
from normlab.data.images import Arrays, read
from normlab.errors import NormlabError
from normlab.seeds import generator

SIDE = 48  # pixels of a scene
SIZES = (16, 20, 24, 28)  # pixels that an image of 28 is shown at
MOST = 3  # things in a scene
CLUTTER, PIECE = 10, 7  # pieces of other images, and pixels of each
INK = 0.3  # from which on a pixel belongs to the thing
APART = 0.1  # of the smaller of two boxes may be under the other
CENTRES = 6  # pixels that two centres are apart at least, across or down
TRIES = 20
HELD_OUT = 10_000  # training images that validation scenes are made of
SCENES = {"train": 2000, "test": 1000}  # where the configuration says nothing
VERSION = 1  # part of the key of every run on scenes


@dataclass(frozen=True)
class Scenes:
    """Images (N, 1, S, S) in [0, 1]; masks (N, S, S), 0 where nothing stands and 1 + class elsewhere; boxes (N, MOST, 4) as left, top,
    right, bottom in pixels; and their classes (N, MOST), −1 where there is none.
    """

    images: Tensor
    masks: Tensor
    boxes: Tensor
    classes: Tensor

    def __len__(self) -> int:
        return len(self.images)


def compose(images: Tensor, labels: Tensor, count: int, source: torch.Generator) -> Scenes:
    """``count`` scenes of ``images`` (n, 1, H, W) in [0, 1] of classes ``labels``, all drawn from ``source``.

    Each has one to three things of four sizes, of whose boxes none hides more than a tenth of another, on ten pieces of other images. A
    box is that of the pixels of at least 0.3.
    """
    made = Scenes(
        torch.zeros(count, 1, SIDE, SIDE),
        torch.zeros(count, SIDE, SIDE, dtype=torch.int64),
        torch.zeros(count, MOST, 4),
        torch.full((count, MOST), -1, dtype=torch.int64),
    )
    things = torch.randint(1, MOST + 1, (count,), generator=source).tolist()
    for scene, wanted in enumerate(things):
        _clutter(made.images[scene, 0], images, source)
        _things(made, scene, wanted, images, labels, source)
    return made


def _clutter(canvas: Tensor, images: Tensor, source: torch.Generator) -> None:
    chosen = torch.randint(0, len(images), (CLUTTER,), generator=source).tolist()
    inside = torch.randint(0, images.shape[-1] - PIECE + 1, (CLUTTER, 2), generator=source).tolist()
    places = torch.randint(0, SIDE - PIECE + 1, (CLUTTER, 2), generator=source).tolist()
    for index, (row, column), (top, left) in zip(chosen, inside, places, strict=True):
        piece = images[index, 0, row : row + PIECE, column : column + PIECE]
        part = canvas[top : top + PIECE, left : left + PIECE]
        torch.maximum(part, piece, out=part)


def _things(made: Scenes, scene: int, wanted: int, images: Tensor, labels: Tensor, source: torch.Generator) -> None:
    placed = 0
    for _ in range(TRIES):
        index = int(torch.randint(0, len(images), (), generator=source))
        size = SIZES[int(torch.randint(0, len(SIZES), (), generator=source))]
        top, left = torch.randint(0, SIDE - size + 1, (2,), generator=source).tolist()
        thing = F.interpolate(images[index : index + 1], size=(size, size), mode="bilinear", antialias=True)[0, 0]
        ink = thing >= INK
        rows, columns = ink.any(1).nonzero(), ink.any(0).nonzero()
        if not len(rows):
            continue
        first, last = (torch.stack([columns[at, 0], rows[at, 0]]) for at in (0, -1))
        corner = torch.tensor([left, top])
        box = torch.cat([corner + first, corner + last + 1]).float()
        if any(_hidden(box, other) > APART or _near(box, other) for other in made.boxes[scene, :placed]):
            continue
        part = made.images[scene, 0, top : top + size, left : left + size]
        torch.maximum(part, thing, out=part)
        made.masks[scene, top : top + size, left : left + size][ink] = 1 + labels[index]
        made.boxes[scene, placed], made.classes[scene, placed] = box, labels[index]
        placed += 1
        if placed == wanted:
            return


def _near(one: Tensor, other: Tensor) -> bool:
    """Whether two centres are too close to be told apart on a coarse map."""
    return bool(((one[:2] + one[2:] - other[:2] - other[2:]).abs() / 2).max() < CENTRES)


def _hidden(one: Tensor, other: Tensor) -> float:
    """The share of the smaller box that lies under the other."""
    width, height = (torch.minimum(one[2:], other[2:]) - torch.maximum(one[:2], other[:2])).clamp(min=0).tolist()
    smaller = min(float((box[2:] - box[:2]).prod()) for box in (one, other))
    return width * height / smaller


@dataclass(frozen=True)
class SceneSplits:
    """What one run sees; ``images`` are standardized."""

    train: Scenes
    validation: Scenes
    test: Scenes


def load_scenes(data: DataConfig, seed: int) -> SceneSplits:
    """Scenes of a data set of small grey images: training ones drawn by ``seed``, validation and test ones the same for all runs, each of
    other images than the others are.

    Raises:
        NormlabError: for data in colour or in other sizes, and for options that scenes do not have.
    """
    if find_image_set(data.name).shape != (1, 28, 28):
        raise NormlabError(
            f"data={data.name}: scenes are made of grey images of 28×28 pixels, as mnist and fashion_mnist have"
        )
    refuse_what_images_have(data, "scenes")
    train = _composed(data.name, "train", data.train_size or SCENES["train"], seed)
    if len(train) < data.batch_size:
        raise NormlabError(f"data.batch_size={data.batch_size} is more than the {len(train)} training scenes")
    validation = _composed(data.name, "validation", data.validation_size, FIXED)
    return SceneSplits(train, validation, _composed(data.name, "test", data.test_size or SCENES["test"], FIXED))


@lru_cache(maxsize=6)
def _composed(name: str, part: str, count: int, seed: int) -> Scenes:
    arrays = _arrays(name)
    images, labels = (
        (arrays.test_images, arrays.test_labels) if part == "test" else (arrays.train_images, arrays.train_labels)
    )
    if part != "test":
        order = torch.randperm(len(images), generator=generator(FIXED, "scenes/validation")).numpy()
        chosen = order[:HELD_OUT] if part == "validation" else order[HELD_OUT:]
        images, labels = images[chosen], labels[chosen]
    values = torch.from_numpy(images).float() / 255
    return compose(values, torch.from_numpy(labels.astype(np.int64)), count, generator(seed, f"scenes/{part}"))


@lru_cache(maxsize=2)
def _arrays(name: str) -> Arrays:
    return read(find_image_set(name))


def standardized(scenes: Scenes, name: str) -> Tensor:
    """The images of scenes, less the mean of the data set that they are made of, over its standard deviation."""
    image_set = find_image_set(name)
    return (scenes.images * image_set.white - image_set.mean[0]) / image_set.std[0]
