"""The W&B workspace and reports of the experiments, as code."""

from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from experiments import Experiment, all_experiments
from normlab.core.design import Design
from normlab.runs.store import Store
from normlab.sweeps.recipe import with_recipe
from normlab.tracking.dashboard import Topic, make_dashboard

RATE = "optimizer.lr"
GROUPS = (
    "norm",
    "net",
    "data",
    "optimizer",
    "schedule",
)  # an override of these names an option: norm=batch is norm.name


def dashboard(scale: str, results: str) -> None:
    """Write the specification, push it when a key is there, and say so."""
    root = Store.of_scale(results, scale).root
    verdicts = _verdicts(root / "verdicts.csv")
    topics = [_topic(e, scale, verdicts) for e in all_experiments() if scale in e.design.scales and e.design.grids]
    print("\n".join(make_dashboard(topics, root / "dashboard")))


def _topic(experiment: Experiment, scale: str, verdicts: dict[str, str]) -> Topic:
    said = tuple(
        f"{claim.statement.en} – {verdicts.get(claim.id, 'not judged yet')}. {claim.method.en}"
        for claim in experiment.claims
    )
    settings = [with_recipe(setting.overrides) for setting in experiment.design.at(scale).settings.values()]
    data = dict.fromkeys(str(overrides["data"]) for overrides in settings if "data" in overrides)
    return Topic(experiment.name, experiment.design.title, said, varied(experiment.design, scale), tuple(data))


def _verdicts(file: Path) -> dict[str, str]:
    """Each claim's word in a table of verdicts, where there is one."""
    if not file.exists():
        return {}
    table = pd.read_csv(file)
    whole = table[table["setting"] == "all"]
    return dict(zip(whole["claim"].astype(str), whole["verdict"].astype(str), strict=True))


def varied(design: Design, scale: str) -> dict[str, bool]:
    """The configuration's keys that a design's grids vary, those of most grids first and rates last; whether their values are numbers."""
    counts: Counter[str] = Counter()
    numbers: dict[str, bool] = {}
    for grid in design.grids.values():
        own = grid.at_scale(scale)
        over = own.choose.over if own.choose else {}
        for axis, values in {**own.axes, **over}.items():
            for key, value in _overrides(axis, values):
                name = f"{key}.name" if key in GROUPS else key
                counts[name] += 1
                numbers[name] = numbers.get(name, True) and isinstance(value, int | float)
    ordered = sorted(counts, key=lambda key: (key == RATE, -counts[key]))
    return {key: numbers[key] for key in ordered}


def _overrides(axis: str, values: Any) -> list[tuple[str, Any]]:
    """The overrides of an axis: of its own name, or those that its names bundle."""
    if isinstance(values, dict):
        return [(key, value) for bundle in values.values() for key, value in bundle.items()]
    if isinstance(values, str):  # the range of a setting
        return [(axis, 0.0)]
    return [(axis, value) for value in values]
