"""What the report reads: an experiment's cells joined with their runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from normlab.config import RunConfig
from normlab.core.claim import Claim, Text
from normlab.core.design import Design
from normlab.core.readings import of_one_run
from normlab.core.trial import ClaimResult, SettingResult
from normlab.core.verdict import check_exactly
from normlab.report.choice import Situation
from normlab.report.style import DATA_TITLES
from normlab.runs.store import Store
from normlab.sweeps.compose import Composer
from normlab.sweeps.expand import Expander, filled
from normlab.sweeps.planned import Expansion
from normlab.verdicts.cells import cell_table
from normlab.verdicts.looks import expand_and_judge


class Published(NamedTuple):
    """A table that stands before all verdicts, and what it is called."""

    title: Text
    table: pd.DataFrame


class Question(Protocol):
    """An experiment as the report needs it: its design, its claims, and a figure drawn from its results."""

    @property
    def name(self) -> str: ...

    @property
    def design(self) -> Design: ...

    @property
    def claims(self) -> tuple[Claim, ...]: ...

    @property
    def source(self) -> str:
        """The code that draws its figure."""
        ...

    @property
    def japanese(self) -> dict[str, str]:
        """The Japanese of its texts."""
        ...

    def draw(self, results: "Results") -> Figure | None: ...

    def table(self, results: "Results") -> pd.DataFrame | None:
        """A table of the experiment's own, shown below its figure; mostly none."""
        ...

    def published(self, results: "Results") -> dict[str, Published]:
        """Tables that stand before all verdicts, by the name of their file; mostly none."""
        ...

    def situations(self, results: "Results") -> list[Situation]:
        """The situations for which the experiment's runs say which method to choose; mostly none."""
        ...


@dataclass(eq=False)
class Results:
    """The results of one experiment at one scale: its runs, and its claims with their verdicts."""

    design: Design
    scale: str
    store: Store
    expansion: Expansion
    judged: list[ClaimResult]
    composer: Composer = field(default_factory=Composer)

    @classmethod
    def load(cls, design: Design, claims: Sequence[Claim], scale: str, store: Store, composer: Composer) -> "Results":
        expansion, tested = expand_and_judge(Expander(design, scale, store, composer), claims)
        found = {result.claim.id: result for result in tested}
        return cls(design, scale, store, expansion, [found.get(c.id) or check_exactly(c) for c in claims], composer)

    @cached_property
    def cells(self) -> pd.DataFrame:
        """A row a planned run: grid, cell, role, run_key, status and the grid's axes."""
        return cell_table(self.expansion, self.store)

    @property
    def seeds(self) -> list[int]:
        """The reporting seeds that every cell has: those of the first look that has fewest."""
        scale = self.design.at(self.scale)
        first_looks = [list(scale.looks(setting).upto(1)) for setting in scale.settings]
        return min(first_looks, key=lambda seeds: len(seeds))

    @property
    def seeds_a_cell(self) -> str:
        """How many reporting seeds a cell has: "5", or "5 to 10" where some have more, such as after further looks."""
        done = (
            self.cells[(self.cells["role"] == "report") & self.cells["status"].notna()]
            if len(self.cells)
            else self.cells
        )
        counts = done.groupby(["grid", "cell"])["seed"].nunique() if len(done) else pd.Series([len(self.seeds)])
        return f"{counts.min()} to {counts.max()}" if counts.max() > counts.min() else str(counts.max())

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
        found = [of_one_run(name).read(self.store, key) for key in rows["run_key"]] if len(rows) else []
        return [value.number for value in found if value is not None]

    def by_seed(self, rows: pd.DataFrame, name: str) -> dict[int, float]:
        """A measure of the runs in ``rows`` by seed, without those that lack it."""
        if not len(rows):
            return {}
        found = {
            int(seed): of_one_run(name).read(self.store, key)
            for seed, key in zip(rows["seed"], rows["run_key"], strict=True)
        }
        return {seed: value.number for seed, value in found.items() if value is not None}

    @property
    def device(self) -> str:
        return "GPU" if self.scale == "gpu" else "CPU"

    def title(self, setting: str) -> str:
        """A setting's name for readers."""
        return self.design.at(self.scale).settings[setting].title or DATA_TITLES.get(setting, setting)

    def recipe(self, setting: str) -> str:
        """The recipe that a setting departs from; empty if it writes its own."""
        return str(self.design.at(self.scale).settings[setting].overrides.get("recipe", ""))

    def linear(self, setting: str) -> float | None:
        """The test accuracy of a linear model on a setting's images, as the gates have it; None while they do not."""
        if self.design.edition == 1:
            return None  # its images are fewer
        file = self.store.root / "gates.csv"
        gates = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=["data", "linear_accuracy"])
        found = gates.loc[gates["data"] == self.configs[setting].data.name, "linear_accuracy"].dropna()
        return float(found.iloc[0]) if len(found) else None

    def untrained(self, setting: SettingResult) -> bool:
        """Whether a contrast reads a cell whose nets are on average no better than a linear model on the same images."""
        linear = self.linear(str(setting.at.get("setting")))
        if linear is None or self.cells.empty:
            return False
        keys = set().union(*(part.effects.keys for part in setting.parts))
        rows = self.cells[self.cells["run_key"].isin(keys)]
        means = [np.mean(found) for _, cell in rows.groupby(["grid", "cell"]) if (found := self._accuracies(cell))]
        return any(mean <= linear for mean in means)

    def _accuracies(self, rows: pd.DataFrame) -> list[float]:
        """Test accuracies of the runs that were trained to their end or diverged; those of nets that are only looked at have none."""
        return self.values(rows, "test_accuracy")

    @cached_property
    def lengths(self) -> list[tuple[str, int | None, float]]:
        """How long and on how many images (None: all) the nets of each setting are trained where nothing else is said."""
        return [
            (self.title(setting), config.data.train_size, config.training.epochs)
            for setting, config in self.configs.items()
        ]

    @cached_property
    def configs(self) -> dict[str, RunConfig]:
        """By setting, how nets are trained there where nothing else is said."""
        return {
            setting: self.composer({"scale": self.scale, **filled(known.overrides, known.constants)})
            for setting, known in self.design.at(self.scale).settings.items()
        }

    @property
    def trained(self) -> str:
        """The same in words, for the foot of figures."""
        return "; ".join(
            f"{title}: {f'{images:,} images' if images else 'all images'} × {epochs:g} epochs"
            for title, images, epochs in self.lengths
        )

    def caption(self) -> str:
        """n, length of training, scale and device, for figures."""
        keys = {plan.run_key for plan in self.expansion.planned if plan.role == "report"}
        done = sum(self.store.facts(key) is not None for key in keys)
        return (
            f"n = {self.seeds_a_cell} seeds a cell · {done} reported runs · bars, bands: 95 % intervals · {self.where}\n"
            f"{self.trained}"
        )

    @property
    def foot(self) -> str:
        """Where and how long the nets were trained, for figures."""
        return f"{self.where}\n{self.trained}"

    @property
    def where(self) -> str:
        """Scale and device, for figures."""
        return f"scale {self.scale} · {self.device}"
