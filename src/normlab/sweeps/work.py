"""One worker of a sweep: takes runs from the plan that nobody has done or is doing, until none is left."""

import json
import os
import traceback
from collections.abc import Iterator
from pathlib import Path

from normlab.core.record import BrokenRecord, StoreError, write_atomically
from normlab.errors import first_line
from normlab.runs.evaluations import evaluate_run
from normlab.runs.execute import execute, is_done, missing_record, scientific
from normlab.runs.store import Store
from normlab.sweeps.limit import TimeLimitError, time_limit
from normlab.sweeps.plan import Item, read_plan
from normlab.tracking import make_tracker
from normlab.tracking.tracker import Tracker


def work(plan_file: Path) -> None:
    """Do what is left of a plan. A run that fails is noted beside the plan, and the next one is taken.

    Raises:
        StoreError: if the store cannot be written; then nothing more can be done.
    """
    for _ in working(plan_file):
        pass


def working(plan_file: Path) -> Iterator[Item]:
    """As :func:`work`, giving each item once it is settled."""
    parent = os.getppid()
    items, tracker_config, seconds = read_plan(plan_file)
    store = Store(plan_file.parent.parent).refresh()
    tracker = make_tracker(tracker_config)
    try:
        for item in items:
            if os.getppid() != parent:
                return  # The sweeper was killed; another one may be at work already.
            lock = store.lease(item.run_key)
            if lock is None:
                continue
            with lock:
                _do_in_time(item, store, tracker, plan_file, seconds)
            yield item
    finally:
        tracker.close()


def _do_in_time(item: Item, store: Store, tracker: Tracker, plan_file: Path, seconds: float | None) -> None:
    """Do one item, or give it up if it takes too long."""

    def note() -> None:
        give_up(item, store, plan_file, f"took longer than {seconds:g} s, the limit (sweep.time_limit)")

    try:
        with time_limit(seconds, note):
            _do(item, store, tracker, plan_file)
    except TimeLimitError:
        note()


def give_up(item: Item, store: Store, plan_file: Path, reason: str) -> None:
    """Record a run as missing; where its record is there, note that what was asked of it besides failed."""
    if _is_finished(item, store) or item.run_key in store:
        note_failure(plan_file, item.run_key, f"an evaluation of it, or a further measure, {reason}", "")
    else:
        store.put(missing_record(item.config, reason, item.experiment, item.role))


def _do(item: Item, store: Store, tracker: Tracker, plan_file: Path) -> None:
    try:
        if not _is_finished(item, store):
            tracker.start(item.run_key, scientific(item.config), item.experiment, item.role)
            record = None
            try:
                record = execute(item.config, store, item.experiment, item.role, tracker.row)
            finally:
                tracker.finish(record)
        for name in item.evaluate:
            file = store.root / "evaluations" / f"{item.run_key}-{name}.parquet"
            if not file.exists() and store.evaluation(item.run_key, name) is None:
                evaluate_run(item.config, name, store)
    except (StoreError, TimeLimitError):
        raise
    except Exception as error:  # One failing run, whatever its reason, must not stop the others.
        note_failure(plan_file, item.run_key, first_line(error), traceback.format_exc())


def _is_finished(item: Item, store: Store) -> bool:
    """Whether the run is there with all its measures, perhaps done by another worker since the plan was made."""
    store.refresh_compacted()
    try:
        store.take(store.root / "runs" / f"{item.run_key}.parquet")
    except FileNotFoundError:
        store.refresh_compacted()  # It is not there, or was compacted in this moment.
    except (BrokenRecord, KeyError):
        return False
    return is_done(store, item.run_key, item.config)


def note_failure(plan_file: Path, run_key: str, message: str, details: str) -> None:
    """Leave word of a failed run beside the plan."""
    content = json.dumps({"run_key": run_key, "message": message, "details": details})
    write_atomically(plan_file.with_suffix(".failed") / f"{run_key}.json", content.encode())


def failures(plan_file: Path) -> dict[str, str]:
    """The failed runs of a plan and their messages; the traceback lies beside the plan."""
    files = sorted(plan_file.with_suffix(".failed").glob("*.json"))
    notes = [json.loads(file.read_text()) for file in files]
    return {note["run_key"]: note["message"] for note in notes}
