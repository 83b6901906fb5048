"""How far an experiment is."""

from dataclasses import dataclass

from normlab.runs.store import Store
from normlab.sweeps.plan import outstanding
from normlab.sweeps.planned import Expansion
from normlab.sweeps.progress import duration
from normlab.sweeps.work import failures
from normlab.tasks import task_of


@dataclass(frozen=True)
class Status:
    """Counts of one experiment's runs; ``waiting`` are runs that appear once tuning is done."""

    done: int
    diverged: int
    missing: int
    failed: int
    running: int
    left: int
    waiting: int
    seconds_left: float | None

    def cells(self) -> list[str]:
        """The numbers as texts, in the order of the status table."""
        left = f"{self.left} + about {self.waiting}" if self.waiting else str(self.left)
        time = (
            "–" if not self.left else "unknown" if self.seconds_left is None else f"about {duration(self.seconds_left)}"
        )
        return [*map(str, (self.done, self.diverged, self.missing, self.failed, self.running)), left, time]


def is_finished(expansion: Expansion, store: Store) -> bool:
    """Whether a sweep would find nothing to do: no run, evaluation, timing or cost is left."""
    timed = all(
        store.evaluation(plan.run_key, "step_seconds") is not None or store.is_missing(plan.run_key)
        for plan in expansion.planned
        if plan.timed
    )
    measured = all(store.evaluation(plan.run_key, "cost") is not None for plan in expansion.costs)
    return timed and measured and not outstanding(expansion.planned, store)


def status_of(expansion: Expansion, store: Store) -> Status:
    """Count an experiment's runs; the time left follows from what its finished runs took against their estimated cost."""
    planned = {plan.run_key: plan for plan in expansion.planned}
    items = outstanding(expansion.planned, store)
    left = {item.run_key for item in items}
    facts = {key: store.facts(key) for key in planned}
    finished = {key: found for key, found in facts.items() if found is not None and key not in left}
    unmeasured = sum(store.evaluation(plan.run_key, "cost") is None for plan in expansion.costs)
    running = store.running() & left
    failed = {key for plan in (store.root / "plans").glob("*.json") for key in failures(plan)} & left
    cost = sum(task_of(planned[key].config).cost(planned[key].config) for key in finished)
    seconds = sum(float(found.get("seconds") or 0) for found in finished.values())
    cost_left = sum(item.cost for item in items)
    waiting = expansion.waiting
    if items and cost:
        cost_left *= 1 + waiting / len(items)
    return Status(
        done=len(finished) + len(expansion.costs) - unmeasured,
        diverged=sum(found["status"] == "diverged" for found in finished.values()),
        missing=sum(found["status"] == "missing" for found in finished.values()),
        failed=len(failed),
        running=len(running),
        left=len(items) - len(running) + unmeasured,
        waiting=waiting,
        seconds_left=seconds / cost * cost_left if cost else None,
    )
