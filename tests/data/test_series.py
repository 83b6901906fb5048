"""Series and ratings: their files' formats, and what is made of them."""

import numpy as np
import pytest

from normlab.data import DATA_SETS, SERIES_SETS, find_data_set, find_image_set
from normlab.data.images import Arrays
from normlab.data.ratings import read_ratings
from normlab.data.series import coarser, halved, read_ts
from normlab.errors import NormlabError

TS = """#a comment
@problemName Two
@classLabel true b a
@data
1,2,3:4,5,6:b
7,8,9:10,11,12:a
"""


def arrays(train: int, test: int, steps: int) -> Arrays:
    """Series whose values say which series and step they are of."""

    def series(count: int, first: int) -> np.ndarray:
        return (np.arange(first, first + count)[:, None] * 100 + np.arange(steps)).astype(np.float32)[:, None, None]

    labels = np.arange(train + test, dtype=np.uint8)
    return Arrays(series(train, 0), labels[:train], series(test, train), labels[train:])


def test_a_file_of_series_is_read_channel_by_channel_with_classes_in_the_order_of_their_names() -> None:
    series, labels = read_ts(TS)
    assert series.shape == (2, 2, 1, 3)
    assert series.dtype == np.float32
    assert series[0, 1, 0].tolist() == [4, 5, 6]
    assert labels.tolist() == [1, 0]
    with pytest.raises(NormlabError, match="series of unequal length"):
        read_ts(TS.replace("1,2,3", "1,2"))


def test_halves_take_turns() -> None:
    found = halved(arrays(2, 3, 4))
    assert found.train_labels.tolist() == [0, 2, 4]
    assert found.test_labels.tolist() == [1, 3]
    assert found.test_images[1, 0, 0].tolist() == [300, 301, 302, 303]


def test_coarser_series_are_means_of_steps() -> None:
    found = coarser(arrays(1, 1, 7), 3)
    assert found.train_images[0, 0, 0].tolist() == [1, 4]
    assert found.test_images.shape == (1, 1, 1, 2)


def test_every_fifth_rating_is_for_testing() -> None:
    lines = ["user_id:token\titem_id:token\trating:float\ttimestamp:float"]
    lines += [f"{i + 1}\t{2 * i + 1}\t{i % 5 + 1}\t0" for i in range(10)]
    found = read_ratings("\n".join(lines))
    assert found.test_images.tolist() == [[0, 0], [5, 10]]
    assert found.train_images[0].tolist() == [1, 2]
    assert found.train_labels[:5].tolist() == [2, 3, 4, 5, 2]


def test_registered_sets_are_found_by_name() -> None:
    assert {"movielens", *SERIES_SETS} <= set(DATA_SETS)
    assert all(find_data_set(name) is known for name, known in DATA_SETS.items())
    assert find_image_set("voices").shape[1] == 1
    with pytest.raises(NormlabError, match="unknown data set 'movielens'"):
        find_image_set("movielens")  # it has no images
