"""From a design to its runs. What was chosen on tuning seeds is read off the store, so expansion goes on as runs finish."""

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from normlab.config import RunConfig
from normlab.core.design import Choose, Design, Grid, Ladder, Level, Overrides
from normlab.core.over_runs import stable
from normlab.core.readings import higher_is_better, of_one_run
from normlab.errors import NormlabError
from normlab.runs.key import run_key
from normlab.runs.store import Store
from normlab.sweeps.compose import Composer
from normlab.tasks import check_readings, misfit

Place = tuple[str, str]  # A cell's grid and its name there.
EXTENSIONS = 3  # How often an axis may grow on either side.


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


class Expander:
    """Expands one design at one scale against a store. The cells in ``second_look`` have that role's seeds too."""

    def __init__(
        self, design: Design, scale: str, store: Store, composer: Composer | None = None, extra: Overrides | None = None
    ) -> None:
        self.design = design
        self.scale_name = scale
        self.scale = design.at(scale)
        self.store = store
        self.compose = composer or Composer()
        self.extra = extra or {}
        check_readings(design.readings(scale), design.tasks(scale), f"experiment {design.name}")
        self.second_look: frozenset[Place] = frozenset()
        self._keys: dict[str, tuple[str, RunConfig]] = {}

    def expand(self, grids: list[str] | None = None) -> Expansion:
        """The runs of all grids, or of those named."""
        expansion = Expansion()
        for name, grid in self.design.grids.items():
            if name in (grids or self.design.grids) and name in (self.scale.grids or self.design.grids):
                self._expand_grid(name, grid.at_scale(self.scale_name), expansion)
        return expansion

    def _expand_grid(self, name: str, grid: Grid, expansion: Expansion) -> None:
        settings = list(self.scale.settings) if grid.settings is None else grid.settings
        for setting in settings:
            cells = list(self._cells(grid, setting, expansion))
            if grid.choose:
                self._choose(name, grid, grid.choose, cells, expansion)
            elif grid.ladder:
                for cell in cells:
                    for seed in self._report_seeds(name, cell):
                        self._climb(name, grid, grid.ladder, cell, seed, expansion)
            else:
                for cell in cells:
                    for seed in self.scale.seeds.tune if grid.tune else ():
                        self._plan(name, grid, cell, seed, "tune", expansion)
                    for seed in self._report_seeds(name, cell):
                        self._plan(name, grid, cell, seed, "report", expansion)

    def _report_seeds(self, name: str, cell: Cell) -> tuple[int, ...]:
        return self.design.report_seeds(self.scale_name, name, (name, cell.name) in self.second_look)

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
        """Why a cell cannot be: a method that cannot stand where all arms have their norms. ``net.norm_in=both`` leaves it out there."""
        if cell.overrides.get("net.norm_in") not in ("all", "fc"):
            return None
        return misfit(self.compose(cell.overrides))

    def _run(self, overrides: Overrides, seed: int) -> tuple[str, RunConfig]:
        identity = repr((overrides, seed))
        if identity not in self._keys:
            config = self.compose({**overrides, "seed": seed})
            self._keys[identity] = run_key(config), config
        return self._keys[identity]

    def _plan(
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
        reported = role == "report"
        measured = {f"measure.{k}": v for k, v in grid.measure.items()} if reported else {}
        if not reported and grid.choose:
            measured = {"measure.final": "validation"}  # All that a choice reads; the test set stays closed to it.
        key, config = self._run({**cell.overrides, **(values or {}), **measured}, seed)
        (expansion.costs if grid.costs else expansion.planned).append(
            Planned(
                key,
                config,
                self.design.name,
                role,
                name,
                cell.name,
                {**cell.axes, **axes, "seed": seed},
                tuple(grid.evaluate) if reported else (),
                grid.timed and reported,
                grid.costs,
            )
        )
        return key

    # Choosing on tuning seeds

    def _choose(self, name: str, grid: Grid, choose: Choose, cells: list[Cell], expansion: Expansion) -> None:
        over = {key: list(values) for key, values in choose.over.items()}
        grown: dict[tuple[str, str], int] = {}
        seeds = self.scale.seeds
        while True:
            candidates = [dict(zip(over, values, strict=True)) for values in itertools.product(*over.values())]
            if len(candidates) == 1:
                fixed = ", ".join(f"{key} = {value}" for key, value in candidates[0].items())
                expansion.note(name, f"not tuned at this scale: {fixed} for every arm")
                chosen = {(i, level): candidates[0] for i in range(len(cells)) for level in choose.levels}
                break
            keys = {
                (index, place): [
                    self._plan(name, grid, cell, seed, "tune", expansion, choose.overrides(candidate), **candidate)
                    for seed in seeds.tune
                ]
                for index, cell in enumerate(cells)
                for place, candidate in enumerate(candidates)
            }
            if any(key not in self.store for group in keys.values() for key in group):
                reported = self.design.report_seeds(self.scale_name, name)
                expansion.waiting += len(cells) * len(choose.levels) * len(reported)
                return
            chosen = {
                (index, level): self._pick(rule, candidates, [keys[index, p] for p in range(len(candidates))], cell)
                for index, cell in enumerate(cells)
                for level, rule in choose.levels.items()
                if not rule.of
            }
            best = [
                candidates[place]
                for index, cell in enumerate(cells)
                for rule in choose.levels.values()
                for place in self._contenders(rule, candidates, [keys[index, p] for p in range(len(candidates))], cell)
            ]
            if not self._grow(choose, over, best, grown, cells[0].axes["setting"], partial(expansion.note, name)):
                break
        self._note_ends(name, choose, over, list(chosen.values()), cells[0].axes["setting"], expansion)
        for index, cell in enumerate(cells):
            for level, rule in choose.levels.items():
                values = self._level(rule, choose, cells, index, chosen) if rule.of else chosen[index, level]
                for seed in self._report_seeds(name, cell):
                    self._plan(
                        name, grid, cell, seed, "report", expansion, choose.overrides(values), level=level, **values
                    )

    @staticmethod
    def _note_ends(
        name: str,
        choose: Choose,
        over: dict[str, list[Any]],
        chosen: list[Overrides],
        setting: str,
        expansion: Expansion,
    ) -> None:
        """Note where a chosen number is the end of an axis that does not grow."""
        for axis, values in over.items():
            if axis in choose.extend or len(values) < 3 or not all(isinstance(v, int | float) for v in values):
                continue
            for end in sorted({c[axis] for c in chosen} & {min(values), max(values)}):
                expansion.note(name, f"{setting}: a chosen {axis} is the end of its grid, {end:g}")

    def _pick(self, rule: Level, candidates: list[Overrides], groups: list[list[str]], cell: Cell) -> Overrides:
        """The candidate that a rule takes, by means over tuning seeds; ties go to the more accurate, then to the first."""
        scores = self._scores(rule, groups, cell)
        places = self._at_best(rule, candidates, scores)
        if rule.highest:
            best = max(score for score, _ in scores)
            good = [place for place in places if scores[place][0] >= best - rule.margin]
            return candidates[max(good, key=lambda place: next(iter(candidates[place].values())))]
        return candidates[(max if rule.best else min)(places, key=lambda place: scores[place])]

    def _contenders(self, rule: Level, candidates: list[Overrides], groups: list[list[str]], cell: Cell) -> list[int]:
        """The places of the candidates that must not lie at the end of an axis: all that a rule takes for best."""
        if rule.of or (rule.worst and not rule.at_best):
            return []
        scores = self._scores(rule, groups, cell)
        if rule.at_best:
            return self._at_best(rule, candidates, scores)
        return [candidates.index(self._pick(rule, candidates, groups, cell))]

    def _scores(self, rule: Level, groups: list[list[str]], cell: Cell) -> list[tuple[float, float]]:
        constants = self.scale.settings[cell.axes["setting"]].constants
        name = (rule.best or rule.worst or rule.highest or "").format(**constants)
        return [(self._mean(group, name), self._mean(group, "validation_accuracy")) for group in groups]

    @staticmethod
    def _at_best(rule: Level, candidates: list[Overrides], scores: list[tuple[float, float]]) -> list[int]:
        """All places; with ``at_best``, for each value of the other axes the place that is best along those named."""
        if not rule.at_best:
            return list(range(len(candidates)))
        by_others: dict[str, list[int]] = {}
        for place, candidate in enumerate(candidates):
            others = {k: v for k, v in candidate.items() if k not in rule.at_best}
            by_others.setdefault(repr(others), []).append(place)
        return [max(same, key=lambda place: scores[place]) for same in by_others.values()]

    def _mean(self, group: list[str], name: str) -> float:
        """The mean of a measure over runs, negated where lower is better; minus infinity where one has no such number."""
        found = [of_one_run(name).read(self.store, key) for key in group]
        numbers = [value.number for value in found if value is not None]
        sign = 1 if higher_is_better(name) else -1
        return sign * sum(numbers) / len(numbers) if len(numbers) == len(found) else -math.inf

    def _grow(
        self,
        choose: Choose,
        over: dict[str, list[Any]],
        best: list[Overrides],
        grown: dict[tuple[str, str], int],
        setting: str,
        note: Callable[[str], None],
    ) -> bool:
        """Extend the axes at whose ends a best value lies; whether any grew. An end that may not move is noted."""
        changed = False
        for key, factor in choose.extend.items():
            values = over[key]
            found = {candidate[key] for candidate in best}
            for side, end in (("up", max(values)), ("down", min(values))):
                if end not in found:
                    continue
                if grown.get((key, side), 0) == EXTENSIONS:
                    note(f"{setting}: a best {key} is the end of its grid, {end:g}, extended {EXTENSIONS} times")
                    continue
                grown[key, side] = grown.get((key, side), 0) + 1
                values.append(tidy(end * factor if side == "up" else end / factor))
                changed = True
        return changed

    def _level(
        self, rule: Level, choose: Choose, cells: list[Cell], index: int, chosen: dict[tuple[int, str], Overrides]
    ) -> Overrides:
        """The values of a level that is derived from another one, perhaps of another cell."""
        wanted = {**cells[index].axes, **rule.where}
        source = next(i for i, cell in enumerate(cells) if cell.axes == wanted)
        of = choose.levels[rule.of or ""]
        values = self._level(of, choose, cells, source, chosen) if of.of else chosen[source, rule.of or ""]
        return {k: tidy(v * rule.times) if k in choose.extend else v for k, v in values.items()}

    # Climbing a ladder of rates

    def _climb(self, name: str, grid: Grid, ladder: Ladder, cell: Cell, seed: int, expansion: Expansion) -> None:
        rates = sorted(ladder.values)
        step = rates[1] / rates[0]
        lowest, highest = rates[0] / step**ladder.limit, rates[-1] * step**ladder.limit
        planned: set[float] = set()
        while True:
            for rate in rates:
                if rate not in planned:
                    self._plan(name, grid, cell, seed, "report", expansion, {ladder.over: rate}, **{ladder.over: rate})
                    planned.add(rate)
            keys = [self._run({**cell.overrides, ladder.over: rate}, seed)[0] for rate in rates]
            if any(key not in self.store for key in keys):
                expansion.waiting += 2 * len(ladder.margins)
                return
            found = [of_one_run(ladder.measure).read(self.store, key) for key in keys]
            numbers = [value.number if value else 0.0 for value in found]
            new: set[float] = set()
            for margin in ladder.margins:
                good = stable(numbers, margin)
                if good[-1] and rates[-1] < highest * 0.99:
                    new.add(tidy(rates[-1] * step))
                if ladder.extend == "both" and good[0] and rates[0] > lowest * 1.01:
                    new.add(tidy(rates[0] / step))
                top = max(i for i, g in enumerate(good) if g)
                for i, (low, high) in enumerate(itertools.pairwise(rates)):
                    edge = good[i] != good[i + 1] if ladder.extend == "both" else i == top
                    if edge and high / low > ladder.finest * 1.001:
                        new.add(tidy(math.sqrt(low * high)))
            if not new - set(rates):
                return
            rates = sorted({*rates, *new})


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


def tidy(number: float) -> float:
    """``number`` at four significant digits, so that a rate reached on two ways is one rate."""
    return float(f"{number:.4g}")
