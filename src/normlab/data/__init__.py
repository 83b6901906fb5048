"""Data sets: one entry each in the registry below."""

from normlab.data.book import MOBY_DICK
from normlab.data.cifar10 import CIFAR10
from normlab.data.digits import DIGITS
from normlab.data.idx import FASHION_MNIST, MNIST
from normlab.data.images import DataSet, ImageSet
from normlab.data.own import own_image_set, own_names
from normlab.data.ratings import MOVIELENS
from normlab.data.series import SERIES
from normlab.data.speech import VOICES
from normlab.errors import NormlabError

IMAGE_SETS: dict[str, ImageSet] = {s.name: s for s in (DIGITS, MNIST, FASHION_MNIST, CIFAR10)}
SERIES_SETS: dict[str, ImageSet] = {s.name: s for s in (*SERIES, VOICES)}
DATA_SETS: dict[str, DataSet] = {s.name: s for s in (*IMAGE_SETS.values(), *SERIES_SETS.values(), MOVIELENS, MOBY_DICK)}


def find_image_set(name: str) -> ImageSet:
    """The data set called ``name``: a registered one, or images of one's own that were imported under it.

    Raises:
        NormlabError: if there is none.
    """
    if name == "own":
        raise NormlabError("data=own: say which, data.name=<name>; `normlab data ./folder` takes images of your own in")
    found = IMAGE_SETS.get(name) or SERIES_SETS.get(name) or own_image_set(name)
    if found is None:
        raise NormlabError(
            f"unknown data set {name!r}; there are {', '.join([*IMAGE_SETS, *SERIES_SETS, *own_names()])}"
        )
    return found


def find_data_set(name: str) -> DataSet:
    """The data set called ``name``, of whatever kind.

    Raises:
        NormlabError: if there is none.
    """
    return DATA_SETS.get(name) or find_image_set(name)
