"""What a design comes to: cells, and the runs planned of each."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from normlab.config import RunConfig
from normlab.core.design import Overrides

Place = tuple[str, str]  # A cell's grid and its name there.


@dataclass(frozen=True)
class Planned:
    """One run of an experiment: what it is, and where it stands in its grid. ``cell`` names its cell, seeds apart."""

    run_key: str
    config: RunConfig
    experiment: str | None
    role: str
    grid: str | None = None
    cell: str = ""
    axes: Mapping[str, Any] = field(default_factory=dict)
    evaluate: tuple[str, ...] = ()
    timed: bool = False
    costs: str | None = None


@dataclass
class Expansion:
    """All runs known so far, the cells skipped with their reasons, and how many runs wait for tuning to finish.

    ``costs`` are configurations of which costs are measured instead. ``notes`` say of a grid where its values were not
    chosen, or chosen at the end of an axis.
    """

    planned: list[Planned] = field(default_factory=list)
    costs: list[Planned] = field(default_factory=list)
    skipped: list[tuple[dict[str, Any], str]] = field(default_factory=list)
    waiting: int = 0
    notes: dict[str, list[str]] = field(default_factory=dict)

    def note(self, grid: str, text: str) -> None:
        """Add a note on a grid, once."""
        if text not in self.notes.setdefault(grid, []):
            self.notes[grid].append(text)


@dataclass(frozen=True)
class Cell:
    """A point of a grid, without seed."""

    axes: dict[str, Any]
    overrides: Overrides

    @property
    def name(self) -> str:
        return json.dumps(self.axes, default=str)


def tidy(number: float) -> float:
    """``number`` at four significant digits, so that a rate reached on two ways is one rate."""
    return float(f"{number:.4g}")
