"""How long runs take here."""

import json
import statistics

from normlab.config import RunConfig
from normlab.runs.store import Store
from normlab.tasks import task_of


class Seconds:
    """How long runs take on this machine, learned from those that were done."""

    def __init__(self, store: Store) -> None:
        self._ratios: list[float] = []
        for facts in (store.facts(key) for key in list(store)[-20:]):
            if facts and facts.get("status") == "ok":
                config = RunConfig.parse({**json.loads(facts["config"]), "measure": {}})
                self.learn(config, float(facts["seconds"]))

    def of(self, config: RunConfig) -> float:
        """What a run is expected to take; before any was done, that of a usual core."""
        return task_of(config).cost(config) * (statistics.median(self._ratios) if self._ratios else 1e-3)

    def learn(self, config: RunConfig, seconds: float) -> None:
        """Take in a run that was done."""
        self._ratios = [*self._ratios[-19:], seconds / max(task_of(config).cost(config), 1e-9)]
