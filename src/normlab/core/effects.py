"""The paired effects of a contrast, read off the table of an experiment's cells."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from normlab.core.claim import Arm, Contrast, Pick
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
    (a state never reached, both arms censored). ``step`` is the coarsest resolution of the readings, in θ's unit.
    """

    by_seed: dict[int, float]
    missing: int = 0
    diverged: int = 0
    censored: int = 0
    excluded: int = 0
    step: float = 0.0

    @property
    def array(self) -> np.ndarray:
        return np.asarray(list(self.by_seed.values()), dtype=float)


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

    def settings(self, contrast: Contrast, by: tuple[str, ...]) -> list[dict[str, Any]]:
        """The values that the axes ``by`` take, in the design's order."""
        rows = [row for (grid, _), rows in self._of_role.items() if grid == contrast.plus.grid for row in rows]
        found = dict.fromkeys(tuple(row[axis] for axis in by) for row in rows)
        return [dict(zip(by, values, strict=True)) for values in found]

    def effects(
        self, contrast: Contrast, at: Mapping[str, Any], constants: Mapping[str, float], seeds: Sequence[int]
    ) -> Effects:
        """θ for every seed of ``seeds`` in one setting."""
        result = Effects({})
        sides = [self._side(arm, contrast, at, constants, seeds, result) for arm in contrast.arms]
        if contrast.minus is None:
            sides.insert(1, {seed: Value(contrast.reference) for seed in seeds})
        if result.missing:
            return result
        read = [row for arm in contrast.arms for row in self.rows(arm, at)]
        keys = {row["run_key"] for row in read if row["seed"] in seeds}
        result.diverged = sum(self.numbers.status(key) == "diverged" for key in keys)
        for seed in seeds:
            values = [side.get(seed) for side in sides]
            result.censored += sum(value is not None and value.censored for value in values)
            if any(v is None for v in values) or all(v.censored for v in values if v):
                result.excluded += 1
                continue
            numbers = [v.number for v in values if v is not None]
            steps = [v.step / max(v.number, 1e-12) if contrast.log else v.step for v in values if v is not None]
            result.step = max(result.step, *steps)
            if contrast.log:
                numbers = [float(np.log(max(number, 1e-12))) for number in numbers]
            result.by_seed[seed] = numbers[0] - numbers[1] - (numbers[2] - numbers[3] if contrast.less else 0.0)
        return result

    def _side(
        self,
        arm: Arm,
        contrast: Contrast,
        at: Mapping[str, Any],
        constants: Mapping[str, float],
        seeds: Sequence[int],
        result: Effects,
    ) -> dict[int, Value | None]:
        by_seed: dict[int, list[Row]] = {}
        for row in self.rows(arm, at):
            by_seed.setdefault(row["seed"], []).append(row)
        reading = self._reading(arm, contrast, at, constants)
        values: dict[int, Value | None] = {}
        for seed in seeds:
            rows = by_seed.get(seed, [])
            keys = [row["run_key"] for row in rows]
            if not keys or any(self.numbers.status(key) in (None, "missing") for key in keys):
                result.missing += 1
                continue
            if isinstance(reading, OverRuns):
                found = [self.numbers.value(key, reading.each) for key in keys]
                places = [row[contrast.over or ""] for row in rows]
                values[seed] = reading.over(places, [v.number if v else 0.0 for v in found])
            else:
                values[seed] = self.numbers.value(keys[0], reading)
                if reading.evaluation and not self.numbers.evaluated(keys[0], reading.evaluation):
                    result.missing += 1  # the run is there, but what is asked of it was not measured yet
                elif values[seed] is None and not self.numbers.recorded(keys[0], reading):
                    result.missing += 1  # nor can it be read off the run's record
        return values

    def _reading(
        self, arm: Arm, contrast: Contrast, at: Mapping[str, Any], constants: Mapping[str, float]
    ) -> AnyReading:
        if isinstance(arm.measure, Pick):
            return parse(self.picked(arm.measure, arm, at))
        return parse((arm.measure or contrast.measure).format(**constants))

    def picked(self, pick: Pick, arm: Arm, at: Mapping[str, Any]) -> str:
        """The reported reading whose mean over tuning seeds is best (or worst); the first one while none are there."""
        keys = [row["run_key"] for row in self.rows(arm, at, "tune")]

        def mean(value: float) -> float:
            name = pick.named("validation", value)
            found = [v.number for key in keys if (v := self.numbers.value(key, of_one_run(name))) is not None]
            return (1 if higher_is_better(name) else -1) * sum(found) / len(found) if found else float("-inf")

        chosen = (max if pick.take == "best" else min)(pick.values, key=mean)
        return pick.named("test", chosen)
