"""The W&B workspace and report as code: a section an experiment, written as JSON, pushed when a key is there."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from normlab.core.record import write_atomically
from normlab.errors import NormlabError, first_line


@dataclass(frozen=True)
class Topic:
    """What the dashboard shows of one experiment: its runs (the W&B group of this name), and a text."""

    name: str
    title: str
    text: str


CURVES = ("validation_accuracy", "validation_loss", "train_loss")
BARS = ("test_accuracy", "test_accuracy_recalibrated")


def build(topics: list[Topic], entity: str, project: str, push: bool) -> tuple[Any, Any]:
    """The workspace and the report; without ``push`` they name no run set to ask the service for."""
    import wandb_workspaces.reports.v2 as reports
    import wandb_workspaces.workspaces as workspaces

    def panels() -> list[Any]:
        lines = [
            reports.LinePlot(title=name.replace("_", " "), x="step", y=[name], groupby="config.norm.name")
            for name in CURVES
        ]
        return [
            *lines,
            *(
                reports.BarPlot(title=name.replace("_", " "), metrics=[name], groupby="config.norm.name")
                for name in BARS
            ),
        ]

    sections = [
        workspaces.Section(name=topic.title, panels=panels(), is_open=index == 0) for index, topic in enumerate(topics)
    ]
    workspace = workspaces.Workspace(
        entity=entity,
        project=project,
        name="normlab",
        sections=sections,
        runset_settings=workspaces.RunsetSettings(groupby=[workspaces.Metric("Group"), workspaces.Metric("JobType")]),
    )
    blocks: list[Any] = [reports.TableOfContents()]
    for topic in topics:
        where = {"entity": entity, "project": project} if push else {}
        runs = reports.Runset(**where, name=topic.name, filters=f"Metric('Group') = '{topic.name}'")
        blocks += [reports.H1(topic.title), reports.P(topic.text), reports.PanelGrid(runsets=[runs], panels=panels())]
    report = reports.Report(
        entity=entity,
        project=project,
        title="normlab: normalization on trial",
        description="Curves and final measures of every experiment.",
        width="fluid",
        blocks=blocks,
    )
    return workspace, report


def make_dashboard(topics: list[Topic], folder: Path) -> list[str]:
    """Write ``workspace.json`` and ``report.json`` below ``folder`` and push them if a key is there.

    Returns lines that say what was done. The service being unreachable is one of them, not an error.
    """
    key = os.environ.get("WANDB_API_KEY")
    entity = os.environ.get("WANDB_ENTITY", "")
    project = os.environ.get("WANDB_PROJECT", "normlab")
    if key and not entity:
        raise NormlabError("WANDB_API_KEY is set but WANDB_ENTITY is not; say whose project the dashboard belongs to")
    workspace, report = build(topics, entity or "entity", project, push=False)
    said = []
    for name, item in (("workspace", workspace), ("report", report)):
        spec = json.loads(item._to_model().model_dump_json(by_alias=True, exclude_none=True))
        write_atomically(folder / f"{name}.json", (json.dumps(spec, indent=1) + "\n").encode())
        said.append(f"wrote {folder / name}.json")
    if not key:
        return [*said, "not pushed: WANDB_API_KEY is not set"]
    try:
        workspace, report = build(topics, entity, project, push=True)
        return [*said, f"workspace: {workspace.save().url}", f"report: {report.save().url}"]
    except Exception as error:  # Whatever the service does, the specification is written.
        return [*said, f"not pushed: {first_line(error)[:200]}"]
