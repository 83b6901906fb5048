"""A store's runs, verdicts and figures into a W&B project."""

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from normlab.runs.store import Store
from normlab.tracking.publish import Project, publish
from normlab.tracking.wandb import mode


def wandb_publish(
    scale: str, results: str, project: str, entity: str | None, experiments: str | None, rate: float
) -> None:
    """Send what the project lacks, and say how much it was.

    Raises:
        NormlabError: as :func:`normlab.tracking.publish.publish` does.
    """
    store = Store.of_scale(results, scale)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        task = progress.add_task(f"W&B, {mode()}", total=None)
        named = experiments.split(",") if experiments else ()
        sent = publish(
            store,
            scale,
            Project(project, entity, rate),
            named,
            lambda done, left: progress.update(task, completed=done, total=done + left),
        )
    where = "the service" if mode() == "online" else "files below wandb/, for `wandb sync`"
    print(f"{sent} sent to {where}" if sent else "nothing new")
