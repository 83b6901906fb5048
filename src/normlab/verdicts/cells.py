"""An experiment's cells as the table that contrasts read."""

import pandas as pd

from normlab.runs.measures import Value, measure
from normlab.runs.store import Store
from normlab.sweeps.expand import Expansion


class StoreNumbers:
    """Reads contrasts' numbers off a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def value(self, run_key: str, name: str) -> Value | None:
        return measure(self.store, run_key, name)

    def status(self, run_key: str) -> str | None:
        facts = self.store.facts(run_key)
        return None if facts is None else str(facts["status"])


def cell_table(expansion: Expansion, store: Store) -> pd.DataFrame:
    """A row a planned run: grid, cell, role, run_key, status (None while it is not done) and the grid's axes."""
    numbers = StoreNumbers(store)
    rows = [
        {
            "grid": plan.grid,
            "cell": plan.cell,
            "role": plan.role,
            "run_key": plan.run_key,
            "status": numbers.status(plan.run_key),
            **plan.axes,
        }
        for plan in expansion.planned
    ]
    return pd.DataFrame(rows)
