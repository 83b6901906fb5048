"""From a design to its runs. What was chosen on tuning seeds is read off the store, so expansion goes on as runs finish."""

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from normlab.config import RunConfig
from normlab.core.design import Design, Grid, Overrides
from normlab.core.reading import Runs
from normlab.errors import NormlabError
from normlab.runs.key import run_key
from normlab.sweeps.choose import Chooser
from normlab.sweeps.compose import Composer
from normlab.sweeps.draw import drawn
from normlab.sweeps.ladder import climb
from normlab.sweeps.planned import Cell, Expansion, Place, Planned
from normlab.tasks import check_readings, misfit


class Expander:
    """Expands one design at one scale against the runs that are there. ``looks`` says of cells on how many looks' seeds they are reported:
    the first one's, if nothing.
    """

    def __init__(
        self, design: Design, scale: str, store: Runs, composer: Composer | None = None, extra: Overrides | None = None
    ) -> None:
        self.design = design
        self.scale_name = scale
        self.scale = design.at(scale)
        self.store = store
        self.compose = composer or Composer()
        self.extra = extra or {}
        check_readings(design.readings(scale), design.tasks(scale), f"experiment {design.name}")
        self.looks: dict[Place, int] = {}
        self._runs: dict[str, dict[int, tuple[str, RunConfig]]] = {}

    def expand(self, grids: Collection[str] | None = None, settings: Collection[str] | None = None) -> Expansion:
        """The runs of all grids and settings, or of those named."""
        expansion = Expansion()
        for name, grid in self.design.grids.items():
            if (grids is None or name in grids) and name in (self.scale.grids or self.design.grids):
                at_scale = grid.at_scale(self.scale_name)
                stands_in = list(self.scale.settings) if at_scale.settings is None else at_scale.settings
                wanted = [setting for setting in stands_in if settings is None or setting in settings]
                self._expand_grid(name, at_scale, wanted, expansion)
        return expansion

    def _expand_grid(self, name: str, grid: Grid, settings: Sequence[str], expansion: Expansion) -> None:
        for setting in settings:
            cells = list(self._cells(grid, setting, expansion))
            if grid.choose:
                Chooser(self, name, grid, grid.choose, setting, expansion).expand(cells)
                continue
            for cell in cells:
                for seed in self.scale.tuning(setting) if grid.tune else ():
                    self.plan(name, grid, cell, seed, "tune", expansion)
                for seed in self.report_seeds(name, cell):
                    if grid.ladder:
                        climb(self, name, grid, grid.ladder, cell, seed, expansion)
                    else:
                        self.plan(name, grid, cell, seed, "report", expansion)

    def report_seeds(self, name: str, cell: Cell) -> tuple[int, ...]:
        """The seeds of the looks that a cell has had or is at."""
        return self.design.looks(self.scale_name, name, cell.axes["setting"]).upto(self.looks.get((name, cell.name), 1))

    def _cells(self, grid: Grid, setting: str, expansion: Expansion) -> Iterator[Cell]:
        known = self.scale.settings[setting]
        base = {**known.overrides, **grid.fixed}
        for values in itertools.product(*grid.axes.values()):
            axes: dict[str, Any] = {"setting": setting}
            overrides = {"scale": self.scale_name, **base}
            for (axis, choices), value in zip(grid.axes.items(), values, strict=True):
                axes[axis] = value
                overrides |= choices[value] if isinstance(choices, dict) else {axis: value}
            cell = Cell(axes, filled(overrides, known.constants) | self.extra)
            skip = next((skip.reason for skip in grid.skip if skip.holds(axes)), None) or self._misfit(cell)
            if skip:
                expansion.skipped.append((axes, skip))
            else:
                yield cell

    def _misfit(self, cell: Cell) -> str | None:
        """Why a cell cannot be: a method that cannot stand where all arms have their norms (``net.norm_in=both`` leaves it out there), or
        in a net of one's own.
        """
        if cell.overrides.get("net.norm_in") not in ("all", "fc") and "net.target" not in cell.overrides:
            return None
        return misfit(self.compose(cell.overrides))

    def run(self, overrides: Overrides, seed: int) -> tuple[str, RunConfig]:
        """The key and configuration that overrides mean on a seed."""
        seeds = self._runs.setdefault(repr(overrides), {})
        if seed not in seeds:
            like = next(iter(seeds.values()), None)  # composing takes longer than all else that expanding does
            config = like[1].model_copy(update={"seed": seed}) if like else self.compose({**overrides, "seed": seed})
            seeds[seed] = run_key(config), config
        return seeds[seed]

    def plan(
        self,
        name: str,
        grid: Grid,
        cell: Cell,
        seed: int,
        role: str,
        expansion: Expansion,
        values: Overrides | None = None,
        **axes: Any,
    ) -> str:
        """Add a run of a cell, ``values`` on top of its overrides, and ``axes`` of its row beside the cell's own; its key."""
        reported = role == "report"
        measured = {f"measure.{k}": v for k, v in grid.measure.items()} if reported else {}
        if not reported and grid.choose:
            measured = {"measure.final": "validation"}  # All that a choice reads; the test set stays closed to it.
            if grid.choose.reads_the_end:
                measured["measure.validate_every"] = self.run(cell.overrides, seed)[1].training.epochs
        overrides = {**cell.overrides, **(values or {})}
        own = drawn(grid.draw, overrides, seed) if reported else {}
        key, config = self.run({**overrides, **own, **measured}, seed)
        (expansion.costs if grid.costs else expansion.planned).append(
            Planned(
                key,
                config,
                self.design.name,
                role,
                name,
                cell.name,
                {**cell.axes, **axes, **own, "seed": seed},
                tuple(grid.evaluate) if reported else (),
                grid.timed and reported,
                grid.costs,
            )
        )
        return key


def filled(value: Any, constants: Mapping[str, float]) -> Any:
    """``value`` with every text such as "{target}" inside it replaced by the setting's constant of that name."""
    if isinstance(value, dict):
        return {key: filled(each, constants) for key, each in value.items()}
    if isinstance(value, str) and value.startswith("{") and value.endswith("}"):
        name = value[1:-1]
        if name not in constants:
            raise NormlabError(f"the design reads {value}, but the setting has no constant {name!r}")
        return constants[name]
    return value
