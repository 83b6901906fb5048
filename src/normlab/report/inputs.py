"""What the report reads: an experiment's cells joined with their runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import pandas as pd
from matplotlib.figure import Figure

from normlab.runs.measures import Value, measure, measure_over_rates
from normlab.runs.store import Store
from normlab.sweeps.compose import Composer
from normlab.sweeps.design import Design
from normlab.sweeps.expand import Expander, Expansion
from normlab.verdicts.claim import Claim
from normlab.verdicts.effects import CellReader


class Question(Protocol):
    """An experiment as the report needs it: its design, its claims, and a figure drawn from its results."""

    @property
    def name(self) -> str: ...

    @property
    def design(self) -> Design: ...

    @property
    def claims(self) -> tuple[Claim, ...]: ...

    def draw(self, results: "Results") -> Figure | None: ...


class StoreNumbers:
    """Reads contrasts' numbers off a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def value(self, run_key: str, name: str) -> Value | None:
        return measure(self.store, run_key, name)

    def status(self, run_key: str) -> str | None:
        facts = self.store.facts(run_key)
        return None if facts is None else str(facts["status"])


@dataclass
class Results:
    """The results of one experiment at one scale."""

    design: Design
    scale: str
    store: Store
    expansion: Expansion

    @classmethod
    def load(cls, design: Design, scale: str, store: Store, composer: Composer) -> "Results":
        return cls(design, scale, store, Expander(design, scale, store, composer).expand())

    @cached_property
    def cells(self) -> pd.DataFrame:
        """A row a planned run: grid, role, run_key, status and the grid's axes."""
        numbers = StoreNumbers(self.store)
        rows = [
            {
                "grid": plan.grid,
                "role": plan.role,
                "run_key": plan.run_key,
                "status": numbers.status(plan.run_key),
                **plan.axes,
            }
            for plan in self.expansion.planned
        ]
        return pd.DataFrame(rows)

    @property
    def reader(self) -> CellReader:
        return CellReader(self.cells, StoreNumbers(self.store), measure_over_rates)

    @property
    def seeds(self) -> list[int]:
        return list(self.design.at(self.scale).seeds.report)

    @property
    def constants(self) -> dict[str, Mapping[str, float]]:
        return {name: setting.constants for name, setting in self.design.at(self.scale).settings.items()}

    @property
    def settings(self) -> list[str]:
        return list(self.design.at(self.scale).settings)

    def select(self, grid: str, role: str = "report", **axes: Any) -> pd.DataFrame:
        """The finished cells of a grid with these values on its axes (dots of an axis' name written as two underscores)."""
        if self.cells.empty:
            return self.cells
        rows = self.cells[
            (self.cells["grid"] == grid) & (self.cells["role"] == role) & self.cells["status"].isin(["ok", "diverged"])
        ]
        for axis, wanted in axes.items():
            name = axis.replace("__", ".")
            rows = rows[rows[name].map(lambda found, wanted=wanted: found == wanted)] if name in rows else rows.iloc[:0]
        return rows

    def values(self, rows: pd.DataFrame, name: str) -> list[float]:
        """A measure of the runs in ``rows``, without those that lack it."""
        found = [measure(self.store, key, name) for key in rows["run_key"]] if len(rows) else []
        return [value.number for value in found if value is not None]

    def caption(self) -> str:
        """n, scale and device, for figures."""
        keys = {plan.run_key for plan in self.expansion.planned if plan.role == "report"}
        done = sum(self.store.facts(key) is not None for key in keys)
        device = "GPU" if self.scale == "gpu" else "CPU"
        return f"n = {len(self.seeds)} seeds a cell · {done} reported runs · scale {self.scale} · {device}"
