"""Images of one's own: read once from a folder or an .npz, kept below ``DATA_DIR``, and from then on a data set like any other."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from normlab.core.record import write_atomically
from normlab.data.images import Arrays, ImageSet, data_dir, store
from normlab.errors import NormlabError, first_line

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
TEST_FOLDERS = ("test", "val", "valid", "validation")
TEST_SHARE = 0.2  # of each class, where there is no test split
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
SIDES = (8, 256)  # of images, in pixels
MOST_CLASSES = 256
KEYS = {  # of an .npz, in normlab's words and in those of other libraries
    "train_images": ("train_images", "images", "x_train", "x"),
    "train_labels": ("train_labels", "labels", "y_train", "y"),
    "test_images": ("test_images", "x_test"),
    "test_labels": ("test_labels", "y_test"),
}


def import_images(source: Path, name: str, side: int | None = None) -> ImageSet:
    """Make a data set of ``source`` under ``name``: a folder with a subfolder of image files for each class, or with ``train`` and ``test``
    of such; or an .npz with ``images`` (N, H, W), (N, H, W, C) or (N, C, H, W) and ``labels`` (N,), perhaps with ``test_images`` and
    ``test_labels``. Images become squares of ``side`` pixels: 32, or of arrays their own height. Without a test split a fifth of each
    class is one, drawn once and for all.

    Raises:
        NormlabError: for a name that is none, or is taken; a source that is not there or holds no such images.
    """
    if not NAME.fullmatch(name):
        raise NormlabError(f"{name!r} is no name for a data set: small letters, digits, - and _")
    if side is not None and not SIDES[0] <= side <= SIDES[1]:
        raise NormlabError(f"side={side}: images of {SIDES[0]} to {SIDES[1]} pixels a side are taken")
    if source.is_dir():
        arrays, classes = _from_folder(source, side or 32)
    elif source.suffix == ".npz" and source.is_file():
        arrays, classes = _from_arrays(source, side)
    else:
        raise NormlabError(f"{source} is neither a folder of images nor an .npz")
    values = arrays.train_images.astype(np.float64)
    image_set = ImageSet(
        name=name,
        title=name,
        shape=arrays.train_images.shape[1:],
        classes=len(classes),
        mean=tuple(values.mean((0, 2, 3)).round(6).tolist()),
        std=tuple(np.maximum(values.std((0, 2, 3)), 1e-6).round(6).tolist()),
        digest=arrays.digest(),
        version=arrays.digest()[:12],
    )
    store(image_set, arrays)
    said = {"shape": image_set.shape, "classes": list(classes), "mean": image_set.mean, "std": image_set.std}
    write_atomically(_description(name), json.dumps(said | {"digest": image_set.digest}, indent=1).encode())
    return image_set


def own_image_set(name: str) -> ImageSet | None:
    """The data set that was imported under a name.

    Raises:
        NormlabError: if its description is damaged.
    """
    file = _description(name)
    if not NAME.fullmatch(name) or not file.exists():
        return None
    try:
        said = json.loads(file.read_text())
        channels, height, width = said["shape"]
        return ImageSet(
            name=name,
            title=name,
            shape=(channels, height, width),
            classes=len(said["classes"]),
            mean=tuple(said["mean"]),
            std=tuple(said["std"]),
            digest=said["digest"],
            version=said["digest"][:12],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise NormlabError(f"{file} is damaged ({first_line(error)}); import {name} again") from error


def own_names() -> list[str]:
    """All that were imported."""
    return sorted(file.stem for file in _description("any").parent.glob("*.json"))


def _description(name: str) -> Path:
    return data_dir() / "normlab" / "own" / f"{name}.json"


def _from_folder(folder: Path, side: int) -> tuple[Arrays, Sequence[str]]:
    test = next((folder / name for name in TEST_FOLDERS if (folder / name).is_dir()), None)
    split = test is not None and (folder / "train").is_dir()
    files = _files(folder / "train" if split else folder)
    classes = sorted(files)
    _enough(folder, {name: len(found) for name, found in files.items()})
    tested = _files(test) if split and test is not None else {}
    if unknown := sorted(set(tested) - set(classes)):
        raise NormlabError(f"{test}: class {unknown[0]!r} is not among those of {folder / 'train'}")
    images, labels = _read(files, classes, side)
    if not split:
        return _divided(images, labels), classes
    return Arrays(images, labels, *_read(tested, classes, side, channels=images.shape[1])), classes


def _files(folder: Path) -> dict[str, list[Path]]:
    """The image files of each class."""
    return {
        sub.name: found
        for sub in sorted(folder.iterdir())
        if sub.is_dir() and (found := sorted(f for f in sub.rglob("*") if f.suffix.lower() in SUFFIXES))
    }


def _enough(source: Path, counts: dict[str, int]) -> None:
    if len(counts) < 2:
        raise NormlabError(
            f"{source} holds images of {len(counts)} classes; at least two are wanted, each in a folder of its own"
        )
    if len(counts) > MOST_CLASSES:
        raise NormlabError(f"{source} holds {len(counts)} classes; at most {MOST_CLASSES} are taken")
    least = min(counts, key=lambda name: counts[name])
    if counts[least] < 10:
        raise NormlabError(f"{source}: class {least} has {counts[least]} images; at least 10 of each are wanted")


def _read(
    files: dict[str, list[Path]], classes: Sequence[str], side: int, channels: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, C, side, side), grey if all are (or as many channels as said), and labels."""
    from PIL import Image

    images, labels, grey = [], [], True
    for label, name in enumerate(classes):
        for file in files.get(name, []):
            try:
                with Image.open(file) as opened:
                    grey &= opened.mode in ("L", "1", "I;16")
                    images.append(np.asarray(_squared(opened.convert("RGB"), side)))
            except OSError as error:
                raise NormlabError(f"{file} cannot be read: {first_line(error)}") from error
            labels.append(label)
    stacked = np.stack(images).transpose(0, 3, 1, 2)
    keep = channels or (1 if grey else 3)
    return np.ascontiguousarray(stacked[:, :keep]), np.array(labels, dtype=np.uint8)


def _squared(image: "Image.Image", side: int) -> "Image.Image":  # type: ignore[name-defined]  # noqa: F821
    """The largest square in the middle, of that side."""
    short = min(image.size)
    left, top = ((extent - short) // 2 for extent in image.size)
    return image.crop((left, top, left + short, top + short)).resize((side, side))


def _from_arrays(file: Path, side: int | None) -> tuple[Arrays, Sequence[str]]:
    try:
        with np.load(file, allow_pickle=False) as content:
            found = {name: content[key] for name, keys in KEYS.items() for key in keys if key in content.files}
    except (ValueError, OSError) as error:
        raise NormlabError(f"{file} cannot be read: {first_line(error)}") from error
    if not {"train_images", "train_labels"} <= set(found):
        raise NormlabError(f"{file} holds {', '.join(sorted(found)) or 'nothing known'}; images and labels are wanted")
    labels, names = _numbered(file, found["train_labels"])
    images = _as_images(file, found["train_images"], labels, side)
    _enough(file, dict(zip(names, np.bincount(labels, minlength=len(names)).tolist(), strict=True)))
    if "test_images" not in found or "test_labels" not in found:
        return _divided(images, labels), names
    known = {name: place for place, name in enumerate(names)}
    asked = [str(value) for value in found["test_labels"].reshape(-1).tolist()]
    if unknown := sorted(set(asked) - set(known)):
        raise NormlabError(f"{file}: test label {unknown[0]} is not among the training labels")
    tested = np.array([known[name] for name in asked], dtype=np.uint8)
    return Arrays(images, labels, _as_images(file, found["test_images"], tested, images.shape[-1]), tested), names


def _numbered(file: Path, labels: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Labels as numbers from 0, and what each was called."""
    values, numbers = np.unique(labels.reshape(-1), return_inverse=True)
    if len(values) > MOST_CLASSES:
        raise NormlabError(f"{file} holds {len(values)} different labels; at most {MOST_CLASSES} are taken")
    return numbers.astype(np.uint8), [str(value) for value in values.tolist()]


def _as_images(file: Path, images: np.ndarray, labels: np.ndarray, side: int | None) -> np.ndarray:
    """(N, C, side, side), uint8."""
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and images.shape[-1] in (1, 3) and images.shape[1] not in (1, 3):
        images = images.transpose(0, 3, 1, 2)
    if images.ndim != 4 or images.shape[1] not in (1, 3) or len(images) != len(labels):
        raise NormlabError(
            f"{file}: images of shape {images.shape} for {len(labels)} labels; (N, H, W[, C]) of 1 or 3 channels are wanted"
        )
    if images.dtype != np.uint8:
        low, high = float(images.min()), float(images.max())
        if low < 0 or high > 255:
            raise NormlabError(f"{file}: values from {low:g} to {high:g}; 0 to 255, or 0 to 1, are wanted")
        images = np.rint(images * (255 if high <= 1 else 1)).astype(np.uint8)
    wanted = side or min(images.shape[2:])
    if not SIDES[0] <= wanted <= SIDES[1]:
        raise NormlabError(f"{file}: images of {wanted} pixels a side; say --side, {SIDES[0]} to {SIDES[1]}")
    if images.shape[2:] == (wanted, wanted):
        return np.ascontiguousarray(images)
    from PIL import Image

    pixels = images.transpose(0, 2, 3, 1)
    squared = [np.asarray(_squared(Image.fromarray(p.squeeze(-1) if p.shape[-1] == 1 else p), wanted)) for p in pixels]
    stacked = np.stack(squared)
    return np.ascontiguousarray(stacked[:, None] if stacked.ndim == 3 else stacked.transpose(0, 3, 1, 2))


def _divided(images: np.ndarray, labels: np.ndarray) -> Arrays:
    """A fifth of each class as the test split."""
    source = np.random.default_rng(0)
    test = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        test[source.permutation(own)[: max(1, round(TEST_SHARE * len(own)))]] = True
    return Arrays(images[~test], labels[~test], images[test], labels[test])
