"""A whole sweep: expand, run what is missing, expand again with what was learnt, until nothing is left."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from normlab.config import RunConfig
from normlab.errors import NormlabError, first_line
from normlab.runs.lease import BEAT_SECONDS, PATIENCE_SECONDS
from normlab.runs.store import TIMING, Store
from normlab.sweeps.plan import Item, outstanding, write_plan
from normlab.sweeps.planned import Expansion, Planned
from normlab.sweeps.progress import SweepProgress
from normlab.sweeps.work import failures, give_up
from normlab.training.cost import COSTS
from normlab.training.timing import step_seconds

WAIT_SECONDS = 3.0
LISTING_SECONDS = 60.0  # after which a shared folder shows what was written on another machine
MAX_CRASHES = 2  # A run that was alone when its worker died this many times is recorded as missing.


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
    crashes = Crashes()
    part, left_before = 0, None
    others_were_at_it, nothing_since = False, time.monotonic()
    while True:
        store.refresh()
        expansion = expand()
        items = [item for item in outstanding(expansion.planned, store) if item.run_key not in failed]
        if not items:
            if _time_side_by_side(expansion.planned, store) or measure_costs(expansion.costs, store):
                continue  # What was measured may ask for more runs.
            break
        left = {(item.run_key, item.evaluate) for item in items}
        if left == left_before and not store.bury():  # Nothing came of the last launch, and nobody died over it.
            if store.running():
                others_were_at_it = True  # Another sweep has these runs.
            elif others_were_at_it:  # It did not do them all.
                others_were_at_it, left_before = False, None
                continue
            elif time.monotonic() - nothing_since > LISTING_SECONDS:
                raise NormlabError(f"no run of {len(items)} was done and none failed; see {store.root / 'plans'}")
            time.sleep(WAIT_SECONDS)
            continue
        batch = crashes.suspects_of(items) or items
        plan = write_plan(store, batch, tracker, time_limit)
        part += 1
        with SweepProgress(store, batch, f"{title}, part {part}", expansion.waiting):
            crashed = _launch(launch, plan, batch, store, crashes)
        found = failures(plan)
        failed |= found
        if not found:
            plan.unlink(missing_ok=True)
        left_before, nothing_since = None if crashed else left, time.monotonic()
    store.compact()
    if not part:
        count = len({plan.run_key for plan in (*expansion.planned, *expansion.costs)})
        print(f"{title}: all {count} runs are there, in {store.root}", file=sys.stderr)
    if failed:
        for run_key, message in failed.items():
            print(f"failed: {run_key}: {message}", file=sys.stderr)
        raise NormlabError(f"{len(failed)} runs failed (tracebacks: {store.root / 'plans'}); all others are done")
    return expansion


def forget_missing(planned: list[Planned], store: Store) -> None:
    """Have the planned runs that are recorded as missing done again."""
    if any(store.is_missing(plan.run_key) for plan in planned):
        forgotten = store.forget_missing({plan.run_key for plan in planned})
        print(f"{len(forgotten)} missing runs are tried again", file=sys.stderr)


@dataclass
class Crashes:
    """Which runs may have killed their workers.

    When a worker dies its neighbours may die with it, so that all runs in flight are suspects. Suspects are done one at a time:
    only a run that is alone when its worker dies has killed it.
    """

    suspects: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)

    def suspects_of(self, items: list[Item]) -> list[Item]:
        """The next suspect, alone; nothing while there is none."""
        self.suspects &= {item.run_key for item in items}
        return [item for item in items if item.run_key in self.suspects][:1]

    def died(self, batch: list[Item], in_flight: list[Item]) -> Item | None:
        """Note that a worker died over ``batch``; the run that is to be given up for it, if any."""
        self.suspects |= {item.run_key for item in in_flight}
        if len(batch) > 1 or not in_flight:
            return None
        key = batch[0].run_key
        self.counts[key] = self.counts.get(key, 0) + 1
        return batch[0] if self.counts[key] >= MAX_CRASHES else None


def _launch(launch: Callable[[Path], None], plan: Path, batch: list[Item], store: Store, crashes: Crashes) -> bool:
    """Start workers and wait for them; whether one of them died."""
    before = _written(batch, store)
    try:
        launch(plan)
        return False
    except KeyboardInterrupt:
        raise
    except NormlabError as error:  # as from a worker that cannot write; Ray wraps it in an error of both kinds
        raise getattr(error, "cause", error) from None
    except ImportError as error:
        raise NormlabError(f"the launcher lacks a package: {first_line(error)}; pip install it") from error
    except Exception as error:  # A dead worker surfaces as an error of the launcher, each launcher with its own kind.
        if isinstance(error.__cause__, NormlabError):
            raise error.__cause__ from None
        in_flight = _abandoned(batch, store)
        print(
            f"warning: a worker died ({first_line(error)[:120]}); {len(in_flight)} runs were in flight", file=sys.stderr
        )
        if not in_flight and not store.running() and _written(batch, store) == before:
            raise NormlabError(f"the workers cannot run: {first_line(error)[:300]}") from error
        given_up = crashes.died(batch, in_flight)
        if given_up:
            give_up(given_up, store, plan, f"killed its process {MAX_CRASHES} times")
        return True


def _abandoned(batch: list[Item], store: Store) -> list[Item]:
    """The items whose workers died. Those of other machines are known to be dead once they showed no life for a while."""
    keys = {item.run_key for item in batch}
    until = time.monotonic() + PATIENCE_SECONDS + BEAT_SECONDS
    while not (dead := store.abandoned() & keys) and store.running() & keys and time.monotonic() < until:
        time.sleep(BEAT_SECONDS)
    return [item for item in batch if item.run_key in dead]


def _written(items: list[Item], store: Store) -> dict[Path, int]:
    """The single files of these runs and when each was written, by the file system's clock."""
    keys = {item.run_key for item in items}
    found = {}
    for file in (store.root / "runs").glob("*.parquet"):
        if file.stem in keys:
            with suppress(FileNotFoundError):
                found[file] = file.stat().st_mtime_ns
    return found


def _time_side_by_side(planned: list[Planned], store: Store) -> bool:
    """Seconds per step for the cells of timed grids; whether any was left to measure."""
    return _together([p for p in planned if p.timed], "step_seconds", step_seconds, "timing steps side by side", store)


def measure_costs(planned: list[Planned], store: Store) -> bool:
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
        if store.is_missing(plan.run_key):
            continue
        group = (plan.axes["setting"], plan.axes["seed"])
        groups.setdefault(group, {})[plan.run_key] = plan

    def left() -> dict[tuple[Any, ...], dict[str, Planned]]:
        return {
            group: plans
            for group, plans in groups.items()
            if any(store.evaluation(key, evaluation) is None for key in plans)
        }

    if not left():
        return False
    with store.exclusive(TIMING):  # Two sweeps that measure would measure each other.
        store.refresh()
        for place, (group, plans) in enumerate((found := left()).items()):
            while store.running():  # So would a sweep that trains.
                store.bury()
                time.sleep(WAIT_SECONDS)
            print(f"{title}, {place + 1} of {len(found)}: {', '.join(map(str, group))}", file=sys.stderr)
            for key, measures in zip(plans, measure([p.config for p in plans.values()]), strict=True):
                store.put_evaluation(key, evaluation, measures)
    return True
