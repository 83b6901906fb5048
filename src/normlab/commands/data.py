"""Data made ready: the registered sets, or images of one's own."""

import re
from collections.abc import Sequence
from pathlib import Path

from normlab.data import DATA_SETS
from normlab.data.own import import_images
from normlab.data.prepare import prepare
from normlab.errors import NormlabError


def data(names: Sequence[str], name: str | None, side: int | None, verbose: bool) -> None:
    """Fetch and verify data sets by name, or the usual ones; what is a folder or a file is taken in.

    Raises:
        NormlabError: if one cannot be had, or a name is given for several.
    """
    own = [word for word in names if is_source(word)]
    if name is not None and len(own) != 1:
        raise NormlabError("--name is what one folder or .npz of your own is to be called")
    for word in own:
        taken_in(word, name, side)
    usual = [] if names else [known.name for known in DATA_SETS.values() if not known.on_request]
    if registered := [word for word in names if word not in own] or usual:
        prepare(registered, verbose)


def is_source(word: str) -> bool:
    """Whether a word is a place of images rather than the name of a data set."""
    return word not in DATA_SETS and (Path(word).exists() or "/" in word or word.endswith(".npz"))


def taken_in(word: str, name: str | None = None, side: int | None = None) -> str:
    """Take in a folder or an .npz, say so, and give the name it has.

    Raises:
        NormlabError: if it holds no images, or the name is that of another data set.
    """
    source = Path(word).expanduser()
    called = name or re.sub(r"[^a-z0-9_-]+", "_", source.resolve().stem.lower()).strip("_-")
    if called in DATA_SETS:
        raise NormlabError(f"{called} is the name of another data set; give yours one with --name")
    found = import_images(source, called, side)
    channels, height, width = found.shape
    print(
        f"{called}: {found.classes} classes, images of {channels} × {height} × {width}; use it as data=own data.name={called}"
    )
    return called
