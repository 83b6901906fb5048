"""A store's finished runs, verdicts and figures into a W&B project, without training."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from normlab.core.record import write_atomically
from normlab.errors import NormlabError, first_line
from normlab.runs.store import Store
from normlab.tracking.wandb import begin, fill, mode

SAVED_EVERY = 20  # runs after which it is noted what is there
Listener = Callable[[int, int], None]


@dataclass(frozen=True)
class Project:
    """Where runs go: a project of W&B, of an entity or of the key's own; runs a minute that it is sent at most."""

    name: str
    entity: str | None = None
    runs_a_minute: float = 60.0


class Noted:
    """What a project has already, kept in a file beside the store: a digest of each thing by its id."""

    def __init__(self, store: Store, project: Project) -> None:
        self.file = store.root / "dashboard" / f"published-{mode()}-{project.entity or 'own'}-{project.name}.json"
        self.digests: dict[str, str] = json.loads(self.file.read_text()) if self.file.exists() else {}

    def has(self, name: str, digest: str) -> bool:
        return self.digests.get(name) == digest

    def add(self, name: str, digest: str) -> None:
        self.digests[name] = digest

    def save(self) -> None:
        write_atomically(self.file, json.dumps(self.digests, indent=1, sort_keys=True).encode())


def publish(
    store: Store,
    scale: str,
    project: Project,
    experiments: Sequence[str] = (),
    tell: Listener = lambda done, left: None,
) -> int:
    """Send what the project has not yet: the reported runs (of all experiments or those named), and a run ``verdicts-<scale>`` with the
    verdict table and the figures; how many were sent. Stopped and called again, it goes on where it stopped.

    Raises:
        NormlabError: where W&B fails, with how many were sent; for an experiment of which the store has no reported run.
    """
    store.refresh()
    noted = Noted(store, project)
    rows = [row for row in store.runs().to_dict("records") if _wanted(row, experiments)]
    if lacking := sorted(set(experiments) - {str(row["experiment"]) for row in rows}):
        raise NormlabError(f"{store.root} has no reported runs of {', '.join(lacking)}")
    waiting = [row for row in rows if not noted.has(row["run_key"], _digest(row))]
    sent = 0
    try:
        for row in waiting:
            started = time.monotonic()
            _send(store, project, {str(name): value for name, value in row.items()})
            noted.add(row["run_key"], _digest(row))
            sent += 1
            tell(sent, len(waiting) - sent)
            if sent % SAVED_EVERY == 0:
                noted.save()
            if mode() == "online" and sent < len(waiting):
                time.sleep(max(0.0, 60.0 / project.runs_a_minute - (time.monotonic() - started)))
        sent += _send_verdicts(store, scale, project, noted)
    except Exception as error:
        raise NormlabError(
            f"W&B took {sent} and then failed: {first_line(error)}; the same command goes on from there"
        ) from None
    finally:
        noted.save()
    return sent


def _wanted(row: dict[Any, Any], experiments: Sequence[str]) -> bool:
    finished = row["status"] in ("ok", "diverged") and isinstance(row.get("config"), str)
    return finished and row["role"] == "report" and (not experiments or row["experiment"] in experiments)


def _digest(row: dict[Any, Any]) -> str:
    content = {str(name): value for name, value in row.items() if not pd.isna(value)}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _send(store: Store, project: Project, facts: dict[str, Any]) -> None:
    run = begin(
        project.name, project.entity, facts["run_key"], json.loads(facts["config"]), facts["experiment"], facts["role"]
    )
    known = {name: value for name, value in facts.items() if not pd.isna(value)}
    fill(run, _rows(store.history(facts["run_key"])), known)
    run.finish(exit_code=0)


def _rows(history: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """A history's rows without what is not there."""
    for row in history.to_dict("records"):
        yield {str(name): value for name, value in row.items() if name != "run_key" and not pd.isna(value)}


def _send_verdicts(store: Store, scale: str, project: Project, noted: Noted) -> int:
    """The verdict table and all figures as media of one run; 0 where they are there, or none are made."""
    table = store.root / "verdicts.csv"
    figures = sorted((store.root / "figures").glob("*.png"))
    files = [file for file in (table, *figures) if file.exists()]
    digest = hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()[:16]
    name = f"verdicts-{scale}"
    if not files or noted.has(name, digest):
        return 0
    import wandb

    run = wandb.init(
        project=project.name, entity=project.entity, mode=mode(), id=f"{name}-{digest}", name=name, group="verdicts",  # type: ignore[arg-type]
        job_type="verdicts", reinit="finish_previous", resume="allow", settings=wandb.Settings(silent=True, console="off"),
    )  # fmt: skip
    media: dict[str, Any] = {f"figures/{file.stem}": wandb.Image(str(file)) for file in figures}
    if table.exists():
        media["verdicts"] = wandb.Table(dataframe=pd.read_csv(table).astype(str))
    run.log(media)
    run.finish(exit_code=0)
    noted.add(name, digest)
    return 1
