"""A whole sweep: expand, run what is missing, expand again with what was learnt, until nothing is left."""

import itertools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from normlab.config import RunConfig
from normlab.errors import NormlabError, first_line
from normlab.runs.execute import missing_record
from normlab.runs.record import StoreError
from normlab.runs.store import Store
from normlab.sweeps.expand import Expansion, Planned
from normlab.sweeps.plan import Item, outstanding, write_plan
from normlab.sweeps.progress import SweepProgress
from normlab.sweeps.work import failures
from normlab.training.cost import COSTS
from normlab.training.timing import step_seconds

WAIT_SECONDS = 3.0
MAX_CRASHES = 3  # A run in flight at this many deaths of a worker, its own or a neighbour's, is recorded as missing.


def sweep(
    title: str,
    expand: Callable[[], Expansion],
    launch: Callable[[Path], None],
    store: Store,
    tracker: dict[str, Any],
    time_limit: float | None = None,
) -> Expansion:
    """Do every run that ``expand`` names and the store lacks; ``launch`` starts workers on a plan file and waits. A run that
    takes longer than ``time_limit`` seconds is recorded as missing.

    Workers that die (out of memory, kill -9) cost the runs they held; the rest is planned again. Runs that fail with an
    error are reported at the end.

    Raises:
        NormlabError: after everything else was done, if runs failed.
        StoreError: at once, if the store cannot be written.
    """
    failed: dict[str, str] = {}
    crashes: dict[str, int] = {}
    for phase in itertools.count(1):
        store.refresh()
        expansion = expand()
        items = [item for item in outstanding(expansion.planned, store) if item.run_key not in failed]
        if not items:
            if _time_side_by_side(expansion.planned, store) or _measure_costs(expansion.costs, store):
                continue  # What was measured may ask for more runs.
            break
        plan = write_plan(store, items, tracker, time_limit)
        with SweepProgress(store, items, f"{title}, part {phase}", expansion.waiting):
            crashed = _launch(launch, plan, items, store, crashes)
        failed |= failures(plan)
        if not failures(plan):
            plan.unlink(missing_ok=True)
        if not crashed:
            _wait_for_others(items, failed, store)
    store.compact()
    if failed:
        for run_key, message in failed.items():
            print(f"failed: {run_key}: {message}", file=sys.stderr)
        raise NormlabError(f"{len(failed)} runs failed (tracebacks: {store.root / 'plans'}); all others are done")
    return expansion


def _launch(
    launch: Callable[[Path], None], plan: Path, items: list[Item], store: Store, crashes: dict[str, int]
) -> bool:
    """Start workers and wait for them; whether one of them died."""
    started = time.time()
    try:
        launch(plan)
        return False
    except (KeyboardInterrupt, StoreError):
        raise
    except Exception as error:  # A dead worker surfaces as an error of the launcher, each launcher with its own kind.
        if isinstance(error.__cause__, StoreError):
            raise error.__cause__ from None
        in_flight = _in_flight(items, store)
        print(
            f"warning: a worker died ({first_line(error)[:120]}); {len(in_flight)} runs were in flight", file=sys.stderr
        )
        if not in_flight and not _any_finished(items, store, started):
            raise NormlabError(f"the workers cannot run: {first_line(error)[:300]}") from error
        for item in in_flight:
            crashes[item.run_key] = crashes.get(item.run_key, 0) + 1
            if crashes[item.run_key] >= MAX_CRASHES and item.run_key not in store:
                store.put(
                    missing_record(
                        item.config, f"its process was killed {MAX_CRASHES} times", item.experiment, item.role
                    )
                )
        return True


def _wait_for_others(items: list[Item], failed: dict[str, str], store: Store) -> None:
    """Where nothing was left to take because another sweep is at it, wait a little instead of planning at once again."""
    store.refresh()
    if all(item.run_key not in store and item.run_key not in failed for item in items):
        if not store.running():
            raise NormlabError(f"no run of {len(items)} was done and none failed; see {store.root / 'plans'}")
        time.sleep(WAIT_SECONDS)


def _in_flight(items: list[Item], store: Store) -> list[Item]:
    """Items whose worker died over them."""
    abandoned = store.abandoned()
    return [
        item
        for item in items
        if item.run_key in abandoned and not (store.root / "runs" / f"{item.run_key}.parquet").exists()
    ]


def _any_finished(items: list[Item], store: Store, started: float) -> bool:
    """Whether a run of the plan was written since ``started``, as by a worker that ended itself at its time limit."""
    files = (store.root / "runs" / f"{item.run_key}.parquet" for item in items)
    return any(file.exists() and file.stat().st_mtime >= started - 1 for file in files)


def _time_side_by_side(planned: list[Planned], store: Store) -> bool:
    """Seconds per step for the cells of timed grids; whether any was left to measure."""
    return _together([p for p in planned if p.timed], "step_seconds", step_seconds, "timing steps side by side", store)


def _measure_costs(planned: list[Planned], store: Store) -> bool:
    """The costs of the cells of grids that measure them; whether any was left to measure."""
    left = [
        _together([p for p in planned if p.costs == kind], "cost", measure, f"measuring costs ({kind})", store)
        for kind, measure in COSTS.items()
    ]
    return any(left)


def _together(
    planned: list[Planned],
    evaluation: str,
    measure: Callable[[list[RunConfig]], list[dict[str, float]]],
    title: str,
    store: Store,
) -> bool:
    """Measure the cells of each setting and seed side by side, now that runs are over; whether any was left.

    All grids together: a cell that two of them share is measured once, beside everything it is compared with.
    """
    groups: dict[tuple[Any, ...], dict[str, Planned]] = {}
    for plan in planned:
        group = (plan.axes["setting"], plan.axes["seed"])
        groups.setdefault(group, {})[plan.run_key] = plan
    left = {
        group: plans
        for group, plans in groups.items()
        if any(store.evaluation(key, evaluation) is None for key in plans)
    }
    for place, (group, plans) in enumerate(left.items()):
        while store.running():  # A sweep beside this one would be measured too.
            time.sleep(WAIT_SECONDS)
        print(f"{title}, {place + 1} of {len(left)}: {', '.join(map(str, group))}", file=sys.stderr)
        for key, measures in zip(plans, measure([p.config for p in plans.values()]), strict=True):
            store.put_evaluation(key, evaluation, measures)
    return bool(left)
