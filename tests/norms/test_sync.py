"""Synchronized batch norm over real processes: what one process on the whole batch gives."""

import pytest

from normlab.norms.shards import NAMES, shards_against_whole


@pytest.mark.parametrize("positions", [(), (2, 2)])
def test_shards_of_any_size_give_what_the_whole_batch_gives(positions: tuple[int, ...]) -> None:
    found = shards_against_whole((3, 1, 4), positions)  # uneven, and one of a single sample
    assert tuple(found) == NAMES
    assert max(found.values()) < 1e-9
