"""Runs done away from the store, on machines that need not share a folder: a chunk of a plan goes out, files come back."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from normlab.core.record import parse, write_atomically
from normlab.runs.store import Store
from normlab.sweeps.plan import Item, plan_content
from normlab.sweeps.work import give_up, working

FOLDERS = ("runs", "evaluations", "weights")
PIECES = 8  # chunks for each worker, so that none waits long for the last one
MOST = 64  # runs in a chunk


def chunks(items: Sequence[Item], workers: int) -> list[list[Item]]:
    """``items``, longest first, in chunks of about equal cost: ``PIECES`` for each worker, of one to ``MOST`` runs."""
    wanted = sum(item.cost for item in items) / max(1, workers * PIECES)
    found: list[list[Item]] = []
    cost = 0.0
    for item in items:
        if not found or cost + item.cost > wanted or len(found[-1]) == MOST:
            found.append([])
            cost = 0.0
        found[-1].append(item)
        cost += item.cost
    return found


def chunk_content(items: Sequence[Item], tracker: dict[str, Any], time_limit: float | None) -> str:
    """A chunk as text, to be sent to where it is done."""
    return json.dumps(plan_content(list(items), tracker, time_limit))


def do_apart(content: str) -> Iterator[dict[str, bytes]]:
    """Do a chunk in a store of its own, for the time being; for each run, in order, the files that it left, by their places
    below a store. Notes of failed runs are below ``failed``.
    """
    with tempfile.TemporaryDirectory(prefix="normlab-") as folder:
        plan = Path(folder) / "plans" / "chunk.json"
        write_atomically(plan, content.encode())
        given: set[str] = set()
        for _ in working(plan):
            places = {f"{name}/{file.name}": file for name in FOLDERS for file in (Path(folder) / name).glob("[!.]*")}
            places |= {f"failed/{file.name}": file for file in plan.with_suffix(".failed").glob("*.json")}
            yield {place: file.read_bytes() for place, file in places.items() if place not in given}
            given |= set(places)


def take_in(plan_file: Path, files: dict[str, bytes], items: Sequence[Item], store: Store) -> None:
    """Put files of a chunk where a worker of the plan would have written them; records last, since they say "done".

    A run that was done again for what is asked of it besides, and was given up over that, keeps its record in ``store``.
    """
    by_key = {item.run_key: item for item in items}
    for place in sorted(files, key=lambda place: place.startswith("runs/")):
        kind, _, name = place.partition("/")
        if kind == "runs" and (facts := parse(files[place], place).facts)["status"] == "missing":
            give_up(by_key[facts["run_key"]], store, plan_file, facts["reason"])
        else:
            folder = plan_file.with_suffix(".failed") if kind == "failed" else store.root / kind
            write_atomically(folder / name, files[place])
