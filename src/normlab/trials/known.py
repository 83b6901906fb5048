"""What a store knows of other methods in a situation: their runs, found by everything that decided them."""

import json
from collections import defaultdict

import numpy as np
import pandas as pd

from normlab.config import RunConfig
from normlab.core.readings import of_one_run
from normlab.runs.key import run_key, scientific
from normlab.runs.store import Store

ByRate = dict[float, dict[int, str]]  # run keys by rate and seed


def accuracy(store: Store, key: str, split: str = "test") -> float:
    """A run's final accuracy; a diverged one counts at chance."""
    value = of_one_run(f"{split}_accuracy").read(store, key)
    return value.number if value else 0.0


class Known:
    """The reported and the tuning runs of a store by configuration, rates and seeds apart."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._runs: dict[str, ByRate] = defaultdict(lambda: defaultdict(dict))
        self._tuning: dict[str, ByRate] = defaultdict(lambda: defaultdict(dict))
        for key in store:
            facts = store.facts(key) or {}
            if facts["status"] == "missing" or "config" not in facts:
                continue
            config = json.loads(facts["config"])
            kinds = [self._tuning] if facts.get("role") == "tune" else []
            if facts["status"] == "diverged" or pd.notna(facts.get("test_accuracy")):
                kinds.append(self._runs)
            for runs in kinds:
                runs[_identity(config)][config["optimizer"]["lr"]][config["seed"]] = key

    def reported(self, config: RunConfig) -> dict[int, str]:
        """The runs like ``config`` by seed, at the rate that was run on most seeds, of several at the most accurate on validation images.

        Runs of another version of the code are not like it.
        """
        found = self._runs.get(_identity(scientific(config)), {})
        own = {rate: self._of_this_version(config, rate, keys) for rate, keys in found.items()}
        best = max(own.items(), key=lambda item: (len(item[1]), self._validated(item[1])), default=(0.0, {}))
        return best[1]

    def tuned(self, config: RunConfig) -> dict[float, list[float]]:
        """Validation accuracies of the tuning runs like ``config``, by rate."""
        found = self._tuning.get(_identity(scientific(config)), {})
        own = {rate: self._of_this_version(config, rate, keys) for rate, keys in sorted(found.items())}
        return {
            rate: [accuracy(self.store, key, "validation") for key in keys.values()]
            for rate, keys in own.items()
            if keys
        }

    def _of_this_version(self, config: RunConfig, rate: float, keys: dict[int, str]) -> dict[int, str]:
        optimizer = config.optimizer.model_copy(update={"lr": rate})
        return {
            seed: key
            for seed, key in keys.items()
            if run_key(config.model_copy(update={"optimizer": optimizer, "seed": seed})) == key
        }

    def _validated(self, keys: dict[int, str]) -> float:
        return float(np.mean([accuracy(self.store, key, "validation") for key in keys.values()])) if keys else 0.0


def _identity(config: dict[str, object]) -> str:
    """A configuration without its rate and its seed."""
    optimizer = {name: value for name, value in dict(config["optimizer"]).items() if name != "lr"}  # type: ignore[call-overload]
    return json.dumps({**config, "optimizer": optimizer, "seed": None}, sort_keys=True)
