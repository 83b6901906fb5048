"""The paired effects of a contrast, read off the table of an experiment's cells."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from normlab.core.claim import Arm, Case, Contrast, Pick
from normlab.core.levels import Range, extreme_levels
from normlab.core.over_runs import OverRuns
from normlab.core.reading import Reading, Value
from normlab.core.readings import AnyReading, higher_is_better, of_one_run, parse


class Numbers(Protocol):
    """Where a contrast reads its runs: their values, and how they ended."""

    def value(self, run_key: str, reading: Reading) -> Value | None: ...

    def status(self, run_key: str) -> str | None: ...

    def evaluated(self, run_key: str, evaluation: str) -> bool: ...

    def recorded(self, run_key: str, reading: Reading) -> bool: ...


Row = Mapping[str, Any]  # of a table of cells


@dataclass
class Effects:
    """The effects θ by seed, and what was counted on the way.

    ``missing``: cells without a run; a contrast with any is not run. ``excluded``: seeds without the number asked for
    (a state never reached, both arms censored). ``step`` is the coarsest resolution of the readings, in θ's unit. ``same``: its arms are
    the same runs, so that it says nothing. ``pairs``: of a range, the effects of every ordered pair of its levels, which bound it from
    above as ``by_seed`` does from below, and ``range`` what all its levels have. ``keys``: the runs it reads.
    """

    by_seed: dict[int, float]
    missing: int = 0
    same: bool = False
    pairs: list[dict[int, float]] = field(default_factory=list)
    range: Range | None = None
    keys: frozenset[str] = frozenset()
    diverged: int = 0
    censored: int = 0
    excluded: int = 0
    step: float = 0.0

    @property
    def array(self) -> np.ndarray:
        return np.asarray(list(self.by_seed.values()), dtype=float)


@dataclass
class Side:
    """An arm's value for each seed, what was read, and off which runs."""

    readings: Mapping[int, AnyReading]
    values: dict[int, Value | None] = field(default_factory=dict)
    keys: dict[int, tuple[str, ...]] = field(default_factory=dict)


def _are_the_same(sides: Sequence[Side]) -> bool:
    """Whether a contrast compares readings with themselves."""
    if len(sides) % 2:
        return False
    return all(a.readings == b.readings and a.keys == b.keys for a, b in zip(sides[::2], sides[1::2], strict=True))


def _off_the_same_runs(keys: Sequence[tuple[str, ...]], values: Sequence[Value | None]) -> bool:
    """Whether two arms that have runs in common say the same number of a seed, which then was read off those: it tells nothing of what
    the arms differ in.
    """
    first, second = (value.number if value else None for value in values[:2])
    return first == second and len(keys) > 1 and bool(set(keys[0]) & set(keys[1]))


def _number(value: Value, contrast: Contrast) -> float:
    return float(np.log(max(value.number + contrast.offset, 1e-12))) if contrast.log else value.number


def _taken(arm: Arm) -> str:
    """Which end of a range an arm takes."""
    ends = arm.measure if isinstance(arm.measure, Pick) else arm.extreme
    assert ends is not None
    return ends.take


def _step(value: Value, contrast: Contrast) -> float:
    return value.step / max(value.number + contrast.offset, 1e-12) if contrast.log else value.step


def _theta(numbers: Sequence[float], contrast: Contrast) -> float:
    less = numbers[2] - numbers[3] if contrast.less else 0.0
    return contrast.weight * (numbers[0] - numbers[1]) - less


def _paired(values: Sequence[Mapping[int, Value | None]], contrast: Contrast) -> dict[int, tuple[float, float]]:
    """The numbers of both arms of a contrast, of the seeds that have both."""
    plus, minus = values[0], values[1]
    return {s: (_number(a, contrast), _number(b, contrast)) for s in plus if (a := plus.get(s)) and (b := minus.get(s))}


def _pseudo_values(pairs: Mapping[int, tuple[float, float]]) -> dict[int, float]:
    """Of ln(sd of the first numbers ÷ sd of the second), the jackknife's pseudo-value of each seed."""

    def ratio(numbers: np.ndarray) -> float:
        first, second = np.maximum(numbers.std(0, ddof=1), 1e-12)
        return float(np.log(first / second))

    numbers, n = np.array(list(pairs.values())), len(pairs)
    if n < 3:
        return {}
    whole = ratio(numbers)
    return {seed: n * whole - (n - 1) * ratio(np.delete(numbers, i, 0)) for i, seed in enumerate(pairs)}


class CellReader:
    """Reads contrasts off ``cells``: a row a planned run with grid, cell, role, seed, run_key and the grid's axes."""

    def __init__(self, cells: Iterable[Row], numbers: Numbers) -> None:
        self.numbers = numbers
        self._of_role: dict[tuple[str, str], list[Row]] = {}
        for row in cells:
            self._of_role.setdefault((row["grid"], row["role"]), []).append(row)

    def rows(self, arm: Arm, at: Mapping[str, Any], role: str = "report") -> list[Row]:
        """The rows of an arm in a setting."""
        wanted = {**at, **arm.axes}.items()
        return [
            row
            for row in self._of_role.get((arm.grid, role), [])
            if all(axis in row and row[axis] == value for axis, value in wanted)
        ]

    def places(self, arm: Arm, at: Mapping[str, Any]) -> set[tuple[str, str]]:
        """The cells, by grid and name, that an arm reads in a setting."""
        return {(arm.grid, row["cell"]) for row in self.rows(arm, at)}

    def settings(self, case: Case) -> list[dict[str, Any]]:
        """The places of a case: the values that its axes ``by`` take, in the design's order."""
        grids = {case.parts[0].plus.grid}
        rows = [row for (grid, _), rows in self._of_role.items() if grid in grids for row in rows]
        found = dict.fromkeys(tuple(row[axis] for axis in case.by) for row in rows)
        places = [dict(zip(case.by, values, strict=True)) for values in found]
        return [at for at in places if all(at[axis] in values for axis, values in (case.among or {}).items())]

    def effects(
        self, contrast: Contrast, at: Mapping[str, Any], constants: Mapping[str, float], seeds: Sequence[int]
    ) -> Effects:
        """θ for every seed of ``seeds`` in one setting."""
        result = Effects({})
        sides = [self._side(arm, contrast, at, constants, seeds, result) for arm in contrast.arms]
        if result.missing:
            return result
        result.same = _are_the_same(sides)
        used = {key for side in sides for keys in side.keys.values() for key in keys}
        result.keys = frozenset(used)
        result.diverged = sum(self.numbers.status(key) == "diverged" for key in used)
        values = [side.values for side in sides]
        if contrast.minus is None:
            values.insert(1, {seed: Value(contrast.reference) for seed in seeds})
        for seed in seeds:
            found = [side.get(seed) for side in values]
            result.censored += sum(value is not None and value.censored for value in found)
            nothing_known = any(v is None for v in found) or all(v.censored for v in found if v)
            failed = contrast.spread and any(self._failed(key) for side in sides for key in side.keys[seed])
            if (
                failed
                or nothing_known
                or (contrast.over and _off_the_same_runs([side.keys[seed] for side in sides], found))
            ):
                result.excluded += 1
                continue
            numbers = [v for v in found if v is not None]
            result.step = max(result.step, *(_step(v, contrast) for v in numbers))
            result.by_seed[seed] = _theta([_number(v, contrast) for v in numbers], contrast)
        if contrast.spread:
            pairs = _paired(values, contrast)
            result.by_seed = _pseudo_values({seed: pairs[seed] for seed in result.by_seed})
        if contrast.signed and self._sign_on_tuning_seeds(contrast, at, constants) < 0:
            result.by_seed = {seed: -value for seed, value in result.by_seed.items()}
        if contrast.is_range:
            self._bound(contrast, at, constants, seeds, result)
        return result

    def _side(
        self,
        arm: Arm,
        contrast: Contrast,
        at: Mapping[str, Any],
        constants: Mapping[str, float],
        seeds: Sequence[int],
        result: Effects,
    ) -> "Side":
        """One arm's value for each seed, and the runs it was read off."""
        by_seed: dict[int, list[Row]] = {}
        for row in self.rows(arm, at):
            by_seed.setdefault(row["seed"], []).append(row)
        side = Side(self._readings(arm, contrast, constants, by_seed, seeds))
        named = self._named_levels(arm, by_seed, side.readings, seeds) if arm.extreme else {}
        for seed in seeds:
            rows = by_seed.get(seed, [])
            if not rows or any(self.numbers.status(row["run_key"]) in (None, "missing") for row in rows):
                result.missing += 1
                continue
            if arm.extreme:
                rows = [row for row in rows if row[arm.extreme.axis] == named[seed]]
            keys = [row["run_key"] for row in rows]
            side.keys[seed] = tuple(keys)
            reading = side.readings[seed]
            if isinstance(reading, OverRuns):
                found = [self.numbers.value(key, reading.each) for key in keys]
                places = self._places_of(reading, contrast, rows)
                if places is None:
                    result.missing += 1  # what a unit of the axis costs was not measured yet
                    continue
                side.values[seed] = reading.over(places, [v.number if v else reading.lacking for v in found])
            else:
                side.values[seed] = self.numbers.value(keys[0], reading)
                if reading.evaluation and not self.numbers.evaluated(keys[0], reading.evaluation):
                    result.missing += 1  # the run is there, but what is asked of it was not measured yet
                elif side.values[seed] is None and not self.numbers.recorded(keys[0], reading):
                    result.missing += 1  # nor can it be read off the run's record
        return side

    def _places_of(self, reading: OverRuns, contrast: Contrast, rows: Sequence[Row]) -> list[float] | None:
        """Where runs stand on the axis that a reading goes over, in what a unit of it costs; None where that is not known."""
        places = [row[contrast.over or ""] for row in rows]
        if reading.unit is None:
            return places
        units = (self.numbers.value(row["run_key"], reading.unit) for row in rows)
        unit = next(
            (found for found in units if found), None
        )  # of whichever run was timed: a step costs the same in all
        return [float(place) * unit.number for place in places] if unit else None

    def _failed(self, run_key: str) -> bool:
        return self.numbers.status(run_key) != "ok"

    def _sign_on_tuning_seeds(self, contrast: Contrast, at: Mapping[str, Any], constants: Mapping[str, float]) -> float:
        """θ of the means over tuning seeds on validation images, of the runs that are like the reported ones in all but the seed."""
        means = []
        for arm in contrast.arms:
            reported = self.rows(arm, at)[0]
            alike = {k: v for k, v in reported.items() if k not in ("role", "seed", "run_key", "status", "level")}
            rows = [
                row
                for row in self._of_role.get((arm.grid, "tune"), [])
                if all(row.get(k) == v for k, v in alike.items())
            ]
            name = str(self._reading(arm, contrast, constants)).replace("test_", "validation_", 1)
            found = [v for row in rows if (v := self.numbers.value(row["run_key"], of_one_run(name)))]
            means.append(float(np.mean([_number(value, contrast) for value in found])) if found else math.nan)
        if contrast.minus is None:
            means.insert(1, contrast.reference)
        return _theta(means, contrast)

    def _readings(
        self,
        arm: Arm,
        contrast: Contrast,
        constants: Mapping[str, float],
        by_seed: Mapping[int, list[Row]],
        seeds: Sequence[int],
    ) -> dict[int, AnyReading]:
        """What is read of each seed's runs."""
        pick = arm.measure
        if not isinstance(pick, Pick):
            return dict.fromkeys(seeds, self._reading(arm, contrast, constants))
        on_validation = {value: of_one_run(pick.named("validation", value)) for value in pick.values}
        measured = {
            value: {
                seed: found.number if (found := self.numbers.value(rows[0]["run_key"], reading)) else None
                for seed, rows in by_seed.items()
            }
            for value, reading in on_validation.items()
        }
        better = higher_is_better(str(on_validation[pick.values[0]]))
        named = extreme_levels(measured, seeds, better == (pick.take == "best"))
        return {seed: parse(pick.named("test", named[seed])) for seed in seeds}

    def _named_levels(
        self, arm: Arm, by_seed: Mapping[int, list[Row]], readings: Mapping[int, AnyReading], seeds: Sequence[int]
    ) -> dict[int, Any]:
        """The level along an axis that each seed is counted at, by the other folds' means on validation images."""
        assert arm.extreme is not None
        name = str(readings[seeds[0]]).replace("test_", "validation_", 1)
        on_validation = of_one_run(name)
        measured: dict[Any, dict[int, float | None]] = {}
        for seed, rows in by_seed.items():
            for row in rows:
                found = self.numbers.value(row["run_key"], on_validation)
                measured.setdefault(row[arm.extreme.axis], {})[seed] = found.number if found else None
        return extreme_levels(measured, seeds, higher_is_better(name) == (arm.extreme.take == "best"))

    def _bound(
        self,
        contrast: Contrast,
        at: Mapping[str, Any],
        constants: Mapping[str, float],
        seeds: Sequence[int],
        result: Effects,
    ) -> None:
        """Take down what all levels of a range have: the effects of every ordered pair, and by what they are named and counted. A level
        that lacks a number of some seed on validation images is never named, and so no part of the latter.
        """
        levels = self._levels(contrast.plus, at)
        counted = [self._side(arm, contrast, at, constants, seeds, Effects({})).values for arm in levels]
        result.pairs = [
            {s: _number(x, contrast) - _number(y, contrast) for s in seeds if (x := a.get(s)) and (y := b.get(s))}
            for a, b in itertools.permutations(counted, 2)
        ]
        on_validation = replace(contrast, measure=contrast.measure.replace("test_", "validation_", 1))
        names = [
            replace(arm, measure=arm.measure.replace("test_", "validation_", 1))
            if isinstance(arm.measure, str)
            else arm
            for arm in levels
        ]
        seen = Effects({})
        named = [self._side(arm, on_validation, at, constants, seeds, seen).values for arm in names]
        result.missing += seen.missing
        sign = (
            1.0
            if higher_is_better(str(self._reading(names[0], on_validation, constants)))
            == (_taken(contrast.plus) == "best")
            else -1.0
        )
        whole = [i for i, of in enumerate(named) if all(of.get(s) for s in result.by_seed)]
        result.range = Range(
            {s: [sign * v.number for i in whole if (v := named[i].get(s))] for s in result.by_seed},
            {
                s: [contrast.weight * _number(v, contrast) for i in whole if (v := counted[i].get(s))]
                for s in result.by_seed
                if all(counted[i].get(s) for i in whole)
            },
        )

    def _levels(self, arm: Arm, at: Mapping[str, Any]) -> list[Arm]:
        """An arm of a range at each of its levels."""
        if isinstance(arm.measure, Pick):
            return [replace(arm, measure=arm.measure.named("test", value)) for value in arm.measure.values]
        assert arm.extreme is not None
        axis = arm.extreme.axis
        levels = dict.fromkeys(row[axis] for row in self.rows(arm, at))
        return [replace(arm, axes={**arm.axes, axis: level}, extreme=None) for level in levels]

    def _reading(self, arm: Arm, contrast: Contrast, constants: Mapping[str, float]) -> AnyReading:
        name = arm.measure or contrast.measure
        assert not isinstance(name, Pick)
        return parse(name.format(**constants))
