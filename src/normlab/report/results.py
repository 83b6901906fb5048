"""What the report reads: an experiment's cells joined with their runs."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from normlab.config import RunConfig
from normlab.core.claim import Claim, Text
from normlab.core.design import Design
from normlab.core.readings import higher_is_better, of_one_run
from normlab.core.trial import ClaimResult, SettingResult
from normlab.data import SERIES_SETS
from normlab.report.choice import Situation
from normlab.report.comparison import Comparison
from normlab.report.style import DATA_TITLES
from normlab.runs.store import Store
from normlab.sweeps.compose import Composer
from normlab.sweeps.expand import filled
from normlab.sweeps.planned import Expansion, Place
from normlab.verdicts.cells import cell_table
from normlab.verdicts.computed import Computed
from normlab.verdicts.judged import judged as judge


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

    @property
    def compared(self) -> tuple[Comparison, ...]:
        """The situations of the chooser that the experiment has runs for; mostly none."""
        ...

    def situations(self, results: "Results") -> list[Situation]:
        """The situations for which the experiment's runs say which method to choose; mostly none."""
        ...


class Bar(NamedTuple):
    """What a simple model has of a measure: a net has to be better."""

    measure: str
    value: float


@dataclass(frozen=True)
class Length:
    """How many samples (None: all that there are) of a kind, how often, nets are trained on in a setting."""

    title: Text
    samples: int | None
    of: str
    epochs: float


def samples_of(config: RunConfig) -> str:
    """What a run learns from."""
    if config.data.name in SERIES_SETS:
        return "series"
    return {"recommendation": "ratings", "text": "sequences"}.get(config.task, "images")


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
        expansion, tested = judge(design, claims, scale, store, composer)
        found = {result.claim.id: result for result in tested}
        computed = Computed(store.root)
        judged = [found.get(c.id) or computed.finding(c) for c in claims]
        return cls(design, scale, store, expansion, judged, composer)

    def computed(self, name: str, compute: Callable[[], Any], *given: str) -> Any:
        """What ``compute()`` gives, plain data; made once, and again when its code or what it is ``given`` has changed."""
        return Computed(self.store.root).of(f"{self.design.name}: {name}", compute, *given)

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

    def bar(self, setting: str) -> "Bar | None":
        """What a simple model has on a setting's data, as the gates or the experiment's own table of simple models
        (``baselines_<experiment>.csv``) have it; None while they do not.
        """
        if self.design.edition == 1:
            return None  # its images are fewer
        own = self._bars(f"baselines_{self.design.name}", "setting", "simple_model")
        return own.get(setting) or self._bars("gates", "data", "linear_accuracy").get(self.configs[setting].data.name)

    def _bars(self, table: str, of: str, value: str) -> dict[str, "Bar"]:
        file = self.store.root / f"{table}.csv"
        return _read_bars(file, of, value, file.stat().st_mtime_ns) if file.exists() else {}

    def linear(self, setting: str) -> float | None:
        """The test accuracy of a simple model on a setting's data; None while it is not known, or where something else is measured."""
        bar = self.bar(setting)
        return bar.value if bar and bar.measure == "test_accuracy" else None

    def untrained(self, setting: SettingResult) -> bool:
        """Whether a contrast reads a cell whose nets are on average no better than a simple model on the same data."""
        bar = self.bar(str(setting.at.get("setting")))
        if bar is None or self.cells.empty:
            return False
        reading, found = of_one_run(bar.measure), defaultdict[Place, list[float]](list)
        for key in sorted(set().union(*(part.effects.keys for part in setting.parts))):
            # Runs that were trained to their end or diverged; nets that are only looked at have no such number.
            if (value := reading.read(self.store, key)) is not None:
                for place in self._places.get(key, ()):
                    found[place].append(value.number)
        sign = 1.0 if higher_is_better(bar.measure) else -1.0
        return any(sign * float(np.mean(cell)) <= sign * bar.value for cell in found.values())

    @cached_property
    def _places(self) -> dict[str, list[Place]]:
        """The cells that a run stands in, by its key."""
        found = defaultdict[str, list[Place]](list)
        for key, grid, cell in zip(*(self.cells[column] for column in ("run_key", "grid", "cell")), strict=True):
            found[key].append((grid, cell))
        return found

    @cached_property
    def lengths(self) -> list["Length"]:
        """How long and on how much the nets of each setting are trained where nothing else is said."""
        return [self.length(setting) for setting in self.configs]

    def length(self, setting: str) -> "Length":
        """The same of one setting."""
        config, title = self.configs[setting], self.title(setting)
        japanese = self.design.at(self.scale).settings[setting].title_ja or title
        return Length(Text(title, japanese), self._samples(setting, config), samples_of(config), config.training.epochs)

    def _samples(self, setting: str, config: RunConfig) -> int | None:
        """How many samples an epoch has: as the configuration says, or as the record of a run on all data does, if there is one."""
        if config.data.train_size is not None:
            return config.data.train_size
        rows = self.cells[self.cells["setting"] == setting] if "setting" in self.cells else self.cells
        known = (self.store.facts(key) or {} for key in rows["run_key"]) if len(rows) else iter(())
        alike = (f for f in known if f.get("batch_size") == config.data.batch_size and "steps_per_epoch" in f)
        return next((int(f["steps_per_epoch"]) * config.data.batch_size for f in alike), None)

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
        told = (
            f"{each.title.en}: {f'{each.samples:,}' if each.samples else 'all'} {each.of} × {each.epochs:g} epochs"
            for each in self.lengths
        )
        return "; ".join(dict.fromkeys(told))

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


@lru_cache(maxsize=16)
def _read_bars(file: Path, of: str, value: str, written: int) -> dict[str, Bar]:
    """What simple models have by a table, as of when that was ``written``: it is asked for a thousand times a report."""
    del written
    table = pd.read_csv(file)
    measures = table["measure"] if "measure" in table else ["test_accuracy"] * len(table)
    rows = zip(table[of], measures, table[value], strict=True)
    return {str(name): Bar(str(measure), float(bar)) for name, measure, bar in reversed([*rows]) if pd.notna(bar)}
