"""Series in time, as images one row high: channels, 1, steps."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from normlab.data.images import Arrays, ImageSet, Source
from normlab.data.sources import pypi_file
from normlab.errors import NormlabError

AEON = "aeon==1.6.0"  # whose wheel carries some sets of the UCR and UEA archives


def read_ts(text: str) -> tuple[np.ndarray, np.ndarray]:
    """A file of the archives' own format: float32 (N, C, 1, T), and the classes' numbers (N,), uint8, in the order of their names.

    A line a series: its channels apart by colons, the values of each by commas, and behind the last colon its class.

    Raises:
        NormlabError: for series of unequal length.
    """
    lines = [line.strip().split(":") for line in text.partition("@data")[2].splitlines() if line.strip()]
    series = [[[float(value) for value in channel.split(",")] for channel in line[:-1]] for line in lines]
    if len({(len(channels), len(channel)) for channels in series for channel in channels}) != 1:
        raise NormlabError("series of unequal length")
    names = sorted({line[-1] for line in lines})
    labels = np.array([names.index(line[-1]) for line in lines], dtype=np.uint8)
    return np.asarray(series, dtype=np.float32)[:, :, None], labels


def from_aeon(name: str, folder: Path, file: str = "") -> Arrays:
    """A set of the archives, as they split it."""
    parts = [
        read_ts(pypi_file(AEON, f"aeon/datasets/data/{name}/{file or name}_{part}.ts", folder).decode())
        for part in ("TRAIN", "TEST")
    ]
    return Arrays(*parts[0], *parts[1])


def halved(arrays: Arrays) -> Arrays:
    """All series, the second, fourth, … being for testing: for a set whose own split trains on a few."""
    series = np.concatenate([arrays.train_images, arrays.test_images])
    labels = np.concatenate([arrays.train_labels, arrays.test_labels])
    return Arrays(series[::2].copy(), labels[::2].copy(), series[1::2].copy(), labels[1::2].copy())


def coarser(arrays: Arrays, steps: int) -> Arrays:
    """Means over ``steps`` steps; what is left at the end is dropped."""

    def means(series: np.ndarray) -> np.ndarray:
        length = series.shape[-1] // steps
        found: np.ndarray = series[..., : length * steps].reshape(*series.shape[:-1], length, steps).mean(-1)
        return found

    return arrays._replace(train_images=means(arrays.train_images), test_images=means(arrays.test_images))


def _from(fetch: Callable[[Path], Arrays]) -> tuple[Source, ...]:
    return (Source(f"PyPI {AEON}", fetch),)


# A day's demand for electric power in Italy, an hour a step, each day standardized; October to March, or April to September.
ITALY_POWER = ImageSet(
    name="italy_power",
    title="Italian power demand",
    shape=(1, 1, 24),
    classes=2,
    mean=(0.0,),
    std=(1.0,),
    digest="37b1c602ccfde0d2650883c0654afb401a2a3968d8cbc312f03e51e17f93ab99",
    sources=_from(lambda folder: halved(from_aeon("ItalyPowerDemand", folder))),
)

# The distance of a leaf's outline from its middle, all around, a third as fine as in the archive.
LEAVES = ImageSet(
    name="leaves",
    title="outlines of leaves",
    shape=(1, 1, 142),
    classes=6,
    mean=(0.0,),
    std=(1.0,),
    digest="4ee385867fe8e23fa67fb0b96c24b93460e03fecd2cbccce688a0ab6f31f979c",
    sources=_from(lambda folder: coarser(halved(from_aeon("OSULeaf", folder)), 3)),
)

SERIES = (ITALY_POWER, LEAVES)
