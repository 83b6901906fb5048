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


def excerpts(arrays: Arrays, length: int, every: int) -> Arrays:
    """Excerpts of ``length`` steps, one from every ``every``-th step on; those of one series lie on the same side of the split."""

    def cut(series: np.ndarray) -> np.ndarray:
        starts = range(0, series.shape[-1] - length + 1, every)
        return np.concatenate([series[..., start : start + length] for start in starts])

    def repeated(labels: np.ndarray, whole: np.ndarray, parts: np.ndarray) -> np.ndarray:
        return np.tile(labels, len(parts) // len(whole))

    train, test = cut(arrays.train_images), cut(arrays.test_images)
    return Arrays(
        train,
        repeated(arrays.train_labels, arrays.train_images, train),
        test,
        repeated(arrays.test_labels, arrays.test_images, test),
    )


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

# Nine men say the vowels "ae"; eight steps of twelve cepstra from anywhere in a word (a linear model tells whole words, aligned, apart).
VOWELS = ImageSet(
    name="vowels",
    title="Japanese vowels",
    shape=(12, 1, 8),
    classes=9,
    mean=(
        0.88728,
        -0.550523,
        0.208278,
        -0.273496,
        0.232936,
        -0.206267,
        -0.174311,
        -0.055084,
        -0.216137,
        -0.190734,
        -0.018053,
        0.102154,
    ),
    std=(
        0.476544,
        0.384587,
        0.297875,
        0.291707,
        0.252855,
        0.163419,
        0.159676,
        0.181436,
        0.184386,
        0.11344,
        0.098464,
        0.122546,
    ),
    digest="b3d34e7e8e8b39283b96319839c9b305d95cd9a5e6030a795e8d7a0a5cb1267c",
    sources=_from(lambda folder: excerpts(from_aeon("JapaneseVowels", folder, "JapaneseVowels_eq"), 8, 4)),
)

SERIES = (ITALY_POWER, LEAVES, VOWELS)
