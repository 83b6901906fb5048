"""A data set as four uint8 arrays, checked against a pinned digest whatever source they came from."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from normlab.errors import NormlabError


class Arrays(NamedTuple):
    """Images (N, C, H, W) and labels (N,), all uint8; of series float32 values (N, C, 1, T) in place of images, of ratings uint16 pairs
    (N, 2), of a text its characters one by one and the chapter of each.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray

    def digest(self) -> str:
        """SHA-256 over shapes and contents, in this order."""
        digest = hashlib.sha256()
        for array in self:
            digest.update(repr(array.shape).encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


@dataclass(frozen=True)
class Source:
    """One way to get the files: ``fetch(folder)`` returns the arrays, or raises with the reason why it cannot."""

    label: str
    fetch: Callable[[Path], Arrays]


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A data set, as registered in :mod:`normlab.data`.

    Attributes:
        digest: what :meth:`Arrays.digest` must say.
        version: bumped when the splits or the preprocessing change; part of the key of every run on this data. Of images of
            one's own, from their digest.
        embedded: reads the arrays without any file, for a data set inside an installed package.
        sources: in the order in which they are tried.
        on_request: fetched when it is named or a sweep needs it, not with all others: a large download that not every system can make.
    """

    name: str
    title: str
    digest: str
    version: int | str = 1
    embedded: Callable[[], Arrays] | None = None
    sources: tuple[Source, ...] = ()
    on_request: bool = False


@dataclass(frozen=True, kw_only=True)
class ImageSet(DataSet):
    """Images in classes.

    Attributes:
        shape: channels, height and width of an image.
        mean, std: of each channel over the training images, in units of 0…``white``.
        white: the largest value of a pixel.
        together: how many samples in a row are of one thing, as excerpts of one word, and lie on the same side of every split.
        other: the data set on which features learned on this one are probed besides; none for embedded data.
    """

    shape: tuple[int, int, int]
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    white: float = 255.0
    together: int = 1
    other: str | None = None


def data_dir() -> Path:
    """The folder of data files: the environment's ``DATA_DIR``, else ``data``."""
    return Path(os.environ.get("DATA_DIR") or "data")


def checked(data_set: DataSet, arrays: Arrays, origin: str) -> Arrays:
    """``arrays`` if they are the data set, bit for bit.

    Raises:
        NormlabError: otherwise, naming ``origin``.
    """
    if arrays.digest() != data_set.digest:
        raise NormlabError(f"{origin} does not hold {data_set.title}: checksum mismatch; delete it and run `make data`")
    return arrays


def stored_file(data_set: DataSet) -> Path:
    """Where :func:`store` puts a data set."""
    return data_dir() / "normlab" / f"{data_set.name}.npz"


def store(data_set: DataSet, arrays: Arrays) -> Path:
    """Write the arrays in one piece: a reader sees the whole file or none."""
    target = stored_file(data_set)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".partial", delete=False) as file:
        try:
            np.savez(file, **arrays._asdict())
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(target)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    return target


def read(data_set: DataSet) -> Arrays:
    """The data set from memory or disk, checked.

    Raises:
        NormlabError: if the file is absent or damaged.
    """
    if data_set.embedded:
        return checked(data_set, data_set.embedded(), "the installed scikit-learn")
    file = stored_file(data_set)
    if not file.exists():
        raise NormlabError(f"{data_set.title} is not there ({file}); run `make data` once")
    try:
        with file.open("rb") as handle, np.load(handle, allow_pickle=False) as content:
            arrays = Arrays(**{name: content[name] for name in Arrays._fields})
    except Exception as error:
        raise NormlabError(f"{file} is damaged ({type(error).__name__}); delete it and run `make data`") from error
    return checked(data_set, arrays, str(file))
