"""Weights & Biases, on a thread of its own behind a queue."""

import netrc
import os
import queue
import sys
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from normlab.config import RunConfig
from normlab.core.record import Record
from normlab.errors import NormlabError

CONNECT_SECONDS = 15.0  # While training goes on; a service that does not answer in this time is given up.
CLOSE_SECONDS = 60.0


class WandbTracker:
    """Logs each run to W&B: config, validation rows as they come, the whole history and the summary at the end.

    Group is the experiment, job type the norm. Without a key (``WANDB_API_KEY`` or a login) runs are written offline
    below ``wandb/``. Whatever W&B does, training goes on: calls only put into a queue, and the first failure ends
    tracking with one warning.
    """

    def __init__(self, project: str, entity: str | None) -> None:
        self.project = project
        self.entity = entity
        self._queue: queue.Queue[tuple[str, Any] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work, name="wandb", daemon=True)
        self._thread.start()

    def start(self, run_key: str, config: dict[str, Any], experiment: str | None, role: str | None) -> None:
        self._queue.put(("start", (run_key, config, experiment, role)))

    def row(self, row: dict[str, float]) -> None:
        self._queue.put(("row", dict(row)))

    def finish(self, record: Record | None) -> None:
        self._queue.put(("finish", record))

    def close(self) -> None:
        """Wait for what is queued, but not for ever."""
        self._queue.put(None)
        self._thread.join(CLOSE_SECONDS)
        if self._thread.is_alive():
            print("warning: W&B did not take everything in time; the records in the store are whole", file=sys.stderr)

    def _work(self) -> None:
        try:
            self._talk()
        except Exception as error:  # An outage of the tracker must never stop a sweep.
            print(f"warning: W&B tracking stopped ({error}); training goes on", file=sys.stderr)
            while self._queue.get() is not None:
                pass

    def _talk(self) -> None:
        run: Any = None
        while (message := self._queue.get()) is not None:
            kind, content = message
            if kind == "start":
                run = begin(self.project, self.entity, *content)
            elif kind == "row" and run is not None:
                run.log(content)
            elif kind == "finish" and run is not None:
                if content is not None:
                    fill(run, [row for row in map(_unvalidated, content.table) if row], content.facts)
                run.finish(exit_code=0 if content is not None else 1)
                run = None


def begin(
    project: str, entity: str | None, run_key: str, config: dict[str, Any], experiment: str | None, role: str | None
) -> Any:
    """A run of W&B for a run of normlab, which has the same id: begun twice, it goes on."""
    # W&B's reports on itself: at the process's end they would wait for a service that does not answer.
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb

    run = wandb.init(
        project=project, entity=entity, mode=mode(), id=run_key, name=_name(config),  # type: ignore[arg-type]
        group=experiment or "single", job_type=config["norm"]["name"], tags=[role] if role else None,
        config=whole(config) | {"run_key": run_key, "experiment": experiment, "role": role}, reinit="finish_previous", resume="allow",
        settings=wandb.Settings(silent=True, console="off", init_timeout=CONNECT_SECONDS),
    )  # fmt: skip
    run.define_metric("*", step_metric="step")
    return run


def whole(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration with its defaults, by which W&B may group, too; one that this version does not know stays as it is."""
    try:
        return RunConfig.parse(config).model_dump(mode="json")
    except NormlabError:
        return config


def fill(run: Any, rows: Iterable[Mapping[str, Any]], facts: Mapping[str, Any]) -> None:
    """Log the rows of a history, and the facts as the summary."""
    for row in rows:
        run.log(dict(row))
    run.summary.update({k: v for k, v in facts.items() if isinstance(v, int | float | str) and k != "config"})


def mode() -> str:
    """Whether runs go to the service or to files."""
    return os.environ.get("WANDB_MODE") or ("online" if _has_key() else "offline")


def _unvalidated(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a history without what was logged while the run went on."""
    return {k: v for k, v in row.items() if v is not None and not k.startswith("validation_")}


def _has_key() -> bool:
    """Whether a W&B key is set in the environment or was stored by a login."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return netrc.netrc().authenticators("api.wandb.ai") is not None
    except (OSError, netrc.NetrcParseError):
        return False


def _name(config: dict[str, Any]) -> str:
    return (
        f"{config['data']['name']} {config['net']['name']} {config['norm']['name']} lr={config['optimizer']['lr']:g} "
        f"seed={config['seed']}"
    )
