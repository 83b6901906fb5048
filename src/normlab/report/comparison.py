"""What an experiment's runs say of which method to choose."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from normlab.core.claim import Text


@dataclass(frozen=True)
class Comparison:
    """A situation of the chooser beside those in which norms are tried: a setting of an experiment, and the cells there that have a
    method each, all at their level ``best``.

    ``name`` is where it stands on the page. ``cells``: grids, and what is meant of their axes. ``note``: what a reader has to know of
    the arms.
    """

    name: str
    title: Text
    setting: str
    cells: tuple[tuple[str, Mapping[str, Any]], ...]
    note: Text | None = None
