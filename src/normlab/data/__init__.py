"""Data sets: one entry each in the registry below."""

from normlab.data.cifar10 import CIFAR10
from normlab.data.digits import DIGITS
from normlab.data.idx import FASHION_MNIST, MNIST
from normlab.data.images import ImageSet
from normlab.errors import NormlabError

IMAGE_SETS: dict[str, ImageSet] = {s.name: s for s in (DIGITS, MNIST, FASHION_MNIST, CIFAR10)}


def find_image_set(name: str) -> ImageSet:
    """The registered data set called ``name``.

    Raises:
        NormlabError: if there is none.
    """
    if name not in IMAGE_SETS:
        raise NormlabError(f"unknown data set {name!r}; there are {', '.join(IMAGE_SETS)}")
    return IMAGE_SETS[name]
