"""The W&B workspace and reports of the experiments, as code."""

from collections import Counter
from typing import Any

from experiments import LOCK, all_experiments
from normlab.core.design import Design
from normlab.report.sections import Section, evaluate
from normlab.runs.store import Store
from normlab.site.answers import answer
from normlab.site.language import ENGLISH
from normlab.tasks import TASKS
from normlab.tracking.dashboard import Topic, make_dashboard
from normlab.verdicts.registry import read_lock

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
    store = Store.of_scale(results, scale)
    asked = [each for each in all_experiments() if scale in each.design.scales and each.design.grids]
    topics = [topic(section) for section in evaluate(list(asked), scale, store, read_lock(LOCK))]
    print("\n".join(make_dashboard(topics, store.root / "dashboard")))


def topic(section: Section) -> Topic:
    """A question with what the report's pages say of it: how its nets were trained, and of each claim the answer and how it was tested."""
    design, scale, results = section.question.design, section.results.scale, section.results
    said = [f"Nets were trained on {ENGLISH.trained(results)}; {results.where}."]
    for result in section.claims:
        found = f"{result.verdict}. {answer(result, ENGLISH, section.question.japanese)}"
        said.append(f"{result.claim.statement.en} – {found} {result.claim.method.en}")
    metrics = [name for task in sorted(design.tasks(scale)) for name in list(TASKS[task].metrics)[:1]]
    data = dict.fromkeys(config.data.name for config in results.configs.values())
    return Topic(
        section.question.name,
        design.title,
        tuple(said),
        varied(design, scale),
        tuple(data),
        tuple(dict.fromkeys(metrics)),
    )


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
