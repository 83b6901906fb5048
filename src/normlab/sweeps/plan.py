"""The plan of a sweep: a file with the runs to do, longest first, from which any number of workers take."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from normlab.config import MeasureConfig, RunConfig
from normlab.core.record import write_atomically
from normlab.runs.execute import is_done
from normlab.runs.key import device_class
from normlab.runs.store import Store
from normlab.sweeps.planned import Planned
from normlab.tasks import task_of


@dataclass(frozen=True)
class Item:
    """One run to do, and the evaluations wanted of it."""

    run_key: str
    config: RunConfig
    experiment: str | None
    role: str
    evaluate: tuple[str, ...]
    cost: float


def outstanding(planned: list[Planned], store: Store) -> list[Item]:
    """What is left to do, each run once with everything that any of its plans asks for, longest first."""
    merged: dict[str, Item] = {}
    for plan in planned:
        if store.is_missing(plan.run_key):
            continue  # Nothing can be asked of it.
        missing = tuple(name for name in plan.evaluate if store.evaluation(plan.run_key, name) is None)
        if is_done(store, plan.run_key, plan.config) and not missing:
            continue
        earlier = merged.get(plan.run_key)
        facts = store.facts(plan.run_key) or {}
        measure = plan.config.measure
        if earlier is not None:
            measure = measure.joined(earlier.config.measure)
        if "measured" in facts:  # A worker without this store is to measure it again, too.
            measure = measure.joined(MeasureConfig(**json.loads(facts["measured"])))
        config = plan.config.model_copy(update={"measure": measure})
        merged[plan.run_key] = Item(
            plan.run_key,
            config,
            facts.get("experiment") or plan.experiment,
            facts.get("role") or plan.role,
            tuple(sorted({*missing, *(earlier.evaluate if earlier else ())})),
            task_of(config).cost(config),
        )
    return sorted(merged.values(), key=lambda item: -item.cost)


def plan_content(items: list[Item], tracker: dict[str, Any], time_limit: float | None) -> dict[str, Any]:
    """A plan as plain data: the runs, the tracker's configuration, and the seconds that a run may take.

    ``numerics.device=auto`` becomes what it is here, where the runs' keys are made, whatever the workers' machines have.
    """
    return {
        "tracker": tracker,
        "time_limit": time_limit,
        "items": [
            {
                "run_key": i.run_key,
                "config": _on_device(i.config).plain(),
                "experiment": i.experiment,
                "role": i.role,
                "evaluate": i.evaluate,
                "cost": i.cost,
            }
            for i in items
        ],
    }


def _on_device(config: RunConfig) -> RunConfig:
    numerics = config.numerics.model_copy(update={"device": device_class(config)})
    return config.model_copy(update={"numerics": numerics})


def write_plan(store: Store, items: list[Item], tracker: dict[str, Any], time_limit: float | None = None) -> Path:
    """Write a plan file below the store."""
    file = store.root / "plans" / f"{time.time_ns()}.json"
    write_atomically(file, json.dumps(plan_content(items, tracker, time_limit)).encode())
    return file


def read_plan(file: Path) -> tuple[list[Item], dict[str, Any], float | None]:
    """The items, the tracker's configuration and the time limit of a plan file."""
    content = json.loads(file.read_text())
    items = [
        Item(i["run_key"], RunConfig.parse(i["config"]), i["experiment"], i["role"], tuple(i["evaluate"]), i["cost"])
        for i in content["items"]
    ]
    return items, content["tracker"], content["time_limit"]
