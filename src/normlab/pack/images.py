"""A data set cut into parts that each hold a share of its images, losslessly compressed."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from normlab.data.images import Arrays, ImageSet, checked

COLUMNS = 64  # images side by side on a sheet
ROWS = 256  # and below each other: WebP ends at 16,383 pixels


def _sheet(images: np.ndarray) -> np.ndarray:
    """Images (N, 3, H, W) as one picture (rows·H, columns·W, 3), filled up with black ones."""
    rows = -(-len(images) // COLUMNS)
    _, C, H, W = images.shape
    whole = np.concatenate([images, np.zeros((rows * COLUMNS - len(images), C, H, W), images.dtype)])
    return whole.reshape(rows, COLUMNS, C, H, W).transpose(0, 3, 1, 4, 2).reshape(rows * H, COLUMNS * W, C)


def _images(sheet: np.ndarray, count: int, height: int, width: int) -> np.ndarray:
    """The first ``count`` images of a sheet, the inverse of :func:`_sheet`."""
    rows = sheet.shape[0] // height
    parts = sheet.reshape(rows, height, COLUMNS, width, 3).transpose(0, 2, 4, 1, 3)
    return parts.reshape(rows * COLUMNS, 3, height, width)[:count]


def compress(images: np.ndarray) -> np.ndarray:
    """Colour images (N, 3, H, W), uint8, as sheets in lossless WebP; the bytes of all sheets, each behind its length."""
    content = io.BytesIO()
    for first in range(0, len(images), COLUMNS * ROWS):
        sheet = io.BytesIO()
        picture = Image.fromarray(_sheet(images[first : first + COLUMNS * ROWS]))
        picture.save(sheet, "WEBP", lossless=True, quality=0, method=4, exact=True)
        content.write(len(sheet.getvalue()).to_bytes(8, "little") + sheet.getvalue())
    return np.frombuffer(content.getvalue(), np.uint8)


def decompress(content: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """The inverse of :func:`compress`, for images of that shape (N, 3, H, W)."""
    count, _, height, width = shape
    source = io.BytesIO(content.tobytes())
    found: list[np.ndarray] = []
    while length := int.from_bytes(source.read(8), "little"):
        left = min(COLUMNS * ROWS, count - len(found) * COLUMNS * ROWS)
        found.append(_images(np.asarray(Image.open(io.BytesIO(source.read(length)))), left, height, width))
    return np.ascontiguousarray(np.concatenate(found))


def write_part(file: Path, arrays: Arrays, part: int, parts: int) -> None:
    """Write the ``part``-th (from 0) of ``parts`` shares of all splits."""
    content: dict[str, np.ndarray] = {}
    for name, values in arrays._asdict().items():
        share = np.array_split(values, parts)[part]
        colour = share.ndim == 4 and share.shape[1] == 3
        content[f"{name}_shape"] = np.array(share.shape)
        content[name] = compress(share) if colour else share
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(file, **content)  # type: ignore[arg-type]


def read_parts(files: Sequence[Path], image_set: ImageSet) -> Arrays:
    """The data set from all its parts, in order, checked.

    Raises:
        NormlabError: if they do not hold it, bit for bit.
    """
    shares: dict[str, list[np.ndarray]] = {name: [] for name in Arrays._fields}
    for file in files:
        with np.load(file, allow_pickle=False) as content:
            for name, found in shares.items():
                shape = tuple(int(n) for n in content[f"{name}_shape"])
                colour = len(shape) == 4 and shape[1] == 3
                found.append(decompress(content[name], shape) if colour else content[name])
    arrays = Arrays(**{name: np.concatenate(found) for name, found in shares.items()})
    return checked(image_set, arrays, ", ".join(str(file) for file in files))
