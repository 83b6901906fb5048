"""The W&B workspace and reports as code: a section and a report a question, written as JSON, pushed when a key is there."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from normlab.core.record import write_atomically
from normlab.errors import NormlabError, first_line


@dataclass(frozen=True)
class Topic:
    """What is shown of one experiment: its runs (the W&B group of this name, role ``report``) on each of its data sets.

    Attributes:
        varied: the configuration's keys that it varies, the foremost first; True for those whose values are numbers.
        text: what it asks and what came out, a paragraph each.
        metrics: what its tasks measure first.
    """

    name: str
    title: str
    text: tuple[str, ...]
    varied: Mapping[str, bool] = field(default_factory=dict)
    data: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ("accuracy",)


SHOWN = 3  # keys of which a section has a panel
BY_METHOD = "norm.name"


def panels(topic: Topic) -> list[Any]:
    """Curves over epochs, which batches of any size share, and final measures by whatever the experiment varies: over the values
    where these are numbers, in bars where they are names.
    """
    import wandb_workspaces.reports.v2 as reports

    varied = dict(list(topic.varied.items())[:SHOWN]) or {BY_METHOD: False}
    first = next(iter(varied))
    found: list[Any] = [
        reports.LinePlot(
            title=f"{name.replace('_', ' ')} by {first}", x="epoch", y=[name], groupby=reports.Config(first)
        )
        for name in ("train_loss", *(f"validation_{metric}" for metric in topic.metrics))
    ]
    for final in (f"test_{metric}" for metric in topic.metrics):
        for key, is_number in varied.items():
            title = f"{final.replace('_', ' ')} by {key}"
            if is_number:
                measured = reports.SummaryMetric(final)
                found.append(reports.ScatterPlot(title=title, x=reports.Config(key), y=measured, log_x=True))
            else:
                found.append(reports.BarPlot(title=title, metrics=[final], groupby=reports.Config(key)))
    return found


def runs_of(topic: Topic, data: str, where: Mapping[str, str]) -> Any:
    """The reported runs of an experiment on one data set."""
    import wandb_workspaces.reports.v2 as reports

    wanted = f"Metric('Group') = '{topic.name}' and Config('role') = 'report' and Config('data.name') = '{data}'"
    return reports.Runset(**where, name=f"{topic.name}, {data}", filters=wanted)


def build(topics: list[Topic], entity: str, project: str, push: bool) -> tuple[Any, dict[str, Any]]:
    """The workspace, and a report a question; without ``push`` they name no run set to ask the service for."""
    import wandb_workspaces.reports.v2 as reports
    import wandb_workspaces.workspaces as workspaces

    sections = [
        workspaces.Section(name=topic.title, panels=panels(topic), is_open=index == 0)
        for index, topic in enumerate(topics)
    ]
    workspace = workspaces.Workspace(
        entity=entity,
        project=project,
        name="normlab",
        sections=sections,
        runset_settings=workspaces.RunsetSettings(
            filters="Config('role') = 'report'",
            groupby=[workspaces.Metric("Group"), workspaces.Metric("JobType")],
        ),
    )
    where = {"entity": entity, "project": project} if push else {}
    written = {}
    for topic in topics:
        blocks: list[Any] = [reports.P(paragraph) for paragraph in topic.text]
        for data in topic.data:
            blocks += [reports.H2(data), reports.PanelGrid(runsets=[runs_of(topic, data, where)], panels=panels(topic))]
        written[topic.name] = reports.Report(
            entity=entity,
            project=project,
            title=f"normlab: {topic.title}",
            description="Curves and final measures of the reported runs.",
            width="fluid",
            blocks=blocks,
        )
    return workspace, written


def make_dashboard(topics: list[Topic], folder: Path) -> list[str]:
    """Write ``workspace.json`` and a ``report-<question>.json`` each below ``folder`` and push them if a key is there.

    Returns lines that say what was done. The service being unreachable is one of them, not an error.
    """
    key = os.environ.get("WANDB_API_KEY")
    entity = os.environ.get("WANDB_ENTITY", "")
    project = os.environ.get("WANDB_PROJECT", "normlab")
    if key and not entity:
        raise NormlabError("WANDB_API_KEY is set but WANDB_ENTITY is not; say whose project the dashboard belongs to")
    workspace, written = build(topics, entity or "entity", project, push=False)
    said = []
    for name, item in {"workspace": workspace, **{f"report-{name}": each for name, each in written.items()}}.items():
        spec = json.loads(item._to_model().model_dump_json(by_alias=True, exclude_none=True))
        write_atomically(folder / f"{name}.json", (json.dumps(spec, indent=1) + "\n").encode())
        said.append(f"wrote {folder / name}.json")
    if not key:
        return [*said, "not pushed: WANDB_API_KEY is not set"]
    try:
        workspace, written = build(topics, entity, project, push=True)
        links = [f"workspace: {workspace.save().url}"]
        return [*said, *links, *(f"{name}: {each.save().url}" for name, each in written.items())]
    except Exception as error:  # Whatever the service does, the specification is written.
        return [*said, f"not pushed: {first_line(error)[:200]}"]
