"""An experiment's cells as the table that contrasts read."""

from typing import Any

import pandas as pd

from normlab.core.reading import Reading, Runs, Value
from normlab.sweeps.planned import Expansion


class StoreNumbers:
    """Reads contrasts' numbers off a store."""

    def __init__(self, store: Runs) -> None:
        self.store = store

    def value(self, run_key: str, reading: Reading) -> Value | None:
        return reading.read(self.store, run_key)

    def evaluated(self, run_key: str, evaluation: str) -> bool:
        return self.store.evaluation(run_key, evaluation) is not None

    def recorded(self, run_key: str, reading: Reading) -> bool:
        """Whether a run's record has what is read, where it would: in a run that was measured and has come to its end."""
        facts = self.store.facts(run_key) or {}
        return (
            not reading.in_record or reading.text in facts or facts.get("status") != "ok" or facts.get("reached") == 0
        )

    def status(self, run_key: str) -> str | None:
        facts = self.store.facts(run_key)
        if facts is not None:
            return str(facts["status"])
        return "ok" if self.store.evaluation(run_key, "cost") is not None else None


def cell_rows(expansion: Expansion, store: Runs) -> list[dict[str, Any]]:
    """A row a planned run or measurement of costs: grid, cell, role, run_key, status (None while it is not done) and the grid's axes."""
    numbers = StoreNumbers(store)
    return [
        {
            "grid": plan.grid,
            "cell": plan.cell,
            "role": plan.role,
            "run_key": plan.run_key,
            "status": numbers.status(plan.run_key),
            **plan.axes,
        }
        for plan in (*expansion.planned, *expansion.costs)
    ]


def cell_table(expansion: Expansion, store: Runs) -> pd.DataFrame:
    """The rows of :func:`cell_rows` as a table, for figures."""
    return pd.DataFrame(cell_rows(expansion, store))
