"""Tasks: what is learned, one file each, and one line in the registry below. The loop knows none of them by name."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from normlab.config import RunConfig
from normlab.core.readings import check
from normlab.errors import MisfitError, NormlabError
from normlab.tasks import control, detection, forecast, gan, images, recommendation, segmentation, text
from normlab.tasks.task import Task
from normlab.training import loop
from normlab.training.device import set_up
from normlab.training.loop import Result
from normlab.training.observers import Listener
from normlab.training.savepoint import Savepoint

TASKS: dict[str, Task] = {
    module.TASK.name: module.TASK
    for module in (images, text, gan, forecast, recommendation, segmentation, detection, control)
}


def task_of(config: RunConfig) -> Task:
    """The task of a run.

    Raises:
        NormlabError: for an unknown one.
    """
    if config.task not in TASKS:
        raise NormlabError(f"unknown task {config.task!r}; there are {', '.join(TASKS)}")
    return TASKS[config.task]


def check_readings(texts: Iterable[str], tasks: Iterable[str], origin: str) -> None:
    """Refuse a reading of a metric that none of ``tasks`` has.

    Raises:
        NormlabError: for it, or for an unknown task.
    """
    unknown = sorted(set(tasks) - set(TASKS))
    if unknown:
        raise NormlabError(f"{origin}: unknown task {unknown[0]!r}; there are {', '.join(TASKS)}")
    known = {name for task in tasks for name in TASKS[task].metrics}
    for asked in texts:
        metric = getattr(check(asked), "of_metric", None)
        if metric is not None and metric.name not in known:
            raise NormlabError(
                f"{origin}: {asked} reads {metric.name}, which task={','.join(sorted(tasks))} does not measure; "
                f"it measures {', '.join(sorted(known))}"
            )


def misfit(config: RunConfig) -> str | None:
    """Why the norm cannot stand at the sites that ``net.norm_in`` names in this net; None if it can."""
    try:
        task_of(config).net(config)
    except MisfitError as error:
        return str(error)
    return None


def train(
    config: RunConfig,
    listener: Listener | None = None,
    pretrained: Mapping[str, Tensor] | None = None,
    savepoint: Savepoint | None = None,
) -> Result:
    """Set up the configured run and train it (:func:`normlab.training.loop.run`). ``pretrained`` are the weights of
    ``config.pretraining``, where the configuration has a source.
    """
    task, device = task_of(config), set_up(config.numerics)
    torch.manual_seed(config.seed)  # for norms of others: normlab's own parts have generators of their own
    return loop.run(task.make(config, device, pretrained), config, listener, savepoint)
