"""Weights & Biases, on a thread of its own behind a queue."""

import netrc
import os
import queue
import sys
import threading
from typing import Any

from normlab.core.record import Record

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
        # W&B's reports on itself: at the process's end they would wait for a service that does not answer.
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb

        mode = os.environ.get("WANDB_MODE") or ("online" if _has_key() else "offline")
        run: Any = None
        while (message := self._queue.get()) is not None:
            kind, content = message
            if kind == "start":
                run_key, config, experiment, role = content
                run = wandb.init(
                    project=self.project, entity=self.entity, mode=mode, id=run_key, name=_name(config),  # type: ignore[arg-type]
                    group=experiment or "single", job_type=config["norm"]["name"], tags=[role] if role else None,
                    config=config | {"run_key": run_key}, reinit="finish_previous", resume="allow",
                    settings=wandb.Settings(silent=True, console="off", init_timeout=CONNECT_SECONDS),
                )  # fmt: skip
                run.define_metric("*", step_metric="step")
            elif kind == "row" and run is not None:
                run.log(content)
            elif kind == "finish" and run is not None:
                self._finish(run, content)
                run = None

    @staticmethod
    def _finish(run: Any, record: Record | None) -> None:
        if record is not None:
            for row in record.table:
                run.log({k: v for k, v in row.items() if v is not None and not k.startswith("validation_")})
            summary = {k: v for k, v in record.facts.items() if isinstance(v, int | float | str) and k != "config"}
            run.summary.update(summary)
        run.finish(exit_code=0 if record is not None else 1)


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
