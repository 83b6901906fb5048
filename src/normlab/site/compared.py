"""Situations of the chooser that experiments have runs for, beside those in which norms are tried."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from normlab.core.readings import higher_is_better, of_one_run
from normlab.errors import NormlabError
from normlab.report.comparison import Comparison
from normlab.report.results import Results
from normlab.report.sections import Section
from normlab.runs.store import Store
from normlab.site.situations import ENOUGH, Arm, Field, fields_of_trials, ranked
from normlab.tasks import task_of

RATE = "optimizer.lr"


def gates(sections: Sequence[Section]) -> pd.DataFrame | None:
    """What every recipe's arms reach beside a linear model, where it was measured."""
    return next((section.published["gates"].table for section in sections if "gates" in section.published), None)


def fields(sections: Sequence[Section], scale: str, store: Store) -> list[Field]:
    """The situations of the chooser: those in which norms are tried, then those of other nets and data."""
    table = gates(sections)
    simple = {} if table is None else dict(zip(table["data"], table["linear_accuracy"], strict=True))
    return [*fields_of_trials(store, scale, simple), *fields_of_experiments(sections)]


def fields_of_experiments(sections: Sequence[Section]) -> list[Field]:
    """All whose methods were run on enough seeds; what the first edition ran is left out."""
    found = [
        _field(comparison, section.results)
        for section in sections
        for comparison in section.question.compared
        if not section.old and comparison.setting in section.results.settings
    ]
    return [field for field in found if field.arms]


def _field(comparison: Comparison, results: Results) -> Field:
    setting, config = comparison.setting, results.configs[comparison.setting]
    length, bar = results.length(setting), results.bar(setting)
    measure = "accuracy" if "accuracy" in task_of(config).metrics else "error"
    arms = [arm for grid, axes in comparison.cells for arm in _arms(results, grid, setting, axes, measure)]
    return Field(
        name=comparison.name,
        data=config.data.name,
        batch=config.data.batch_size,
        shared=False,
        samples=length.samples,
        epochs=length.epochs,
        arms=ranked(arms),
        measure="accuracy" if measure == "accuracy" else "explained",
        of=length.of,
        titled=comparison.title,
        note=comparison.note,
        simple=better_up(bar.value, bar.measure) if bar else None,
    )


def _arms(results: Results, grid: str, setting: str, axes: Mapping[str, Any], measure: str) -> list[Arm]:
    """The methods of some cells, each at the rate that it is reported at."""
    reported = _with_method(results, results.select(grid, setting=setting, level="best", **axes))
    tuned = _with_method(results, results.select(grid, "tune", setting=setting, **axes))
    choose = results.design.grids[grid].at_scale(results.scale).choose
    found = []
    for method in dict.fromkeys(reported["method"]):
        rows = reported[reported["method"] == method]
        if rows["seed"].duplicated().any():
            raise NormlabError(
                f"{results.design.name}, {setting}: {grid} has several cells with norm={method}; say which one is meant"
            )
        first = rows.iloc[0]
        beside = [axis for axis in (choose.over if choose else ()) if axis != RATE]
        alike = tuned[(tuned["method"] == method) & (tuned[beside] == first[beside]).all(axis=1)]
        by_rate = defaultdict[float, list[float]](list)
        for rate, value in zip(alike[RATE], _values(results, alike, f"validation_{measure}"), strict=True):
            by_rate[float(rate)].append(value)
        if len(rows) >= ENOUGH:
            found.append(
                Arm(
                    method,
                    float(first[RATE]),
                    dict(zip(rows["seed"], _values(results, rows, f"test_{measure}"), strict=True)),
                    dict(zip(rows["seed"], rows["run_key"], strict=True)),
                    by_rate,
                    int((rows["status"] == "diverged").sum()),
                )
            )
    return found


def _with_method(results: Results, rows: pd.DataFrame) -> pd.DataFrame:
    """Cells with the method that each of their runs has."""
    return rows.assign(method=[str((results.store.facts(key) or {})["norm"]) for key in rows["run_key"]])


def _values(results: Results, rows: pd.DataFrame, name: str) -> list[float]:
    """A measure of each run, the more the better: of an error, what it leaves of 1; 0 where there is none."""
    found = [of_one_run(name).read(results.store, key) for key in rows["run_key"]]
    return [0.0 if value is None else better_up(value.number, name) for value in found]


def better_up(value: float, name: str) -> float:
    """A share of right answers as it is; of an unexplained share of the variance, the explained one."""
    return value if higher_is_better(name) else 1.0 - value
