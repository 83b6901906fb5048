"""What ``import normlab`` offers a notebook."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from normlab.errors import NormlabError
from normlab.runs.execute import execute
from normlab.runs.key import run_key
from normlab.runs.store import Store
from normlab.sweeps.compose import Composer


@dataclass(frozen=True)
class Trained:
    """A finished run: its key, its facts (``test_accuracy``, ``status``, …) and its history, a row a logged step."""

    run_key: str
    facts: dict[str, Any]
    history: pd.DataFrame


def train(overrides: Mapping[str, Any] | None = None, results: str | Path = "results") -> Trained:
    """Train one net, or read it where the store below ``results`` has the run already.

    ``overrides`` are those of ``normlab train``: groups by name (``{"norm": "group", "data": "mnist", "scale": "cpu"}``) and values by
    path (``{"optimizer.lr": 0.1}``; ``+`` before a key adds one that the configuration has not).

    Raises:
        NormlabError: for an unknown key, a value out of its range, data that are not there, or a store that cannot be written.
    """
    composer, overrides = Composer(), dict(overrides or {})
    config = composer(overrides)
    store = Store.of_scale(results, str(overrides.get("scale", "quick"))).refresh()
    key = run_key(config)
    if key not in store:
        execute(config, store)
    return Trained(key, dict(store.facts(key) or {}), store.history(key))


def load_results(scale: str = "quick", results: str | Path = "results") -> pd.DataFrame:
    """The runs of a store as a table, a row a run: what each is, how it ended, and its final measures.

    Raises:
        NormlabError: if there are none.
    """
    store = Store.of_scale(results, scale).refresh()
    if not len(store):
        raise NormlabError(f"{store.root} holds no runs")
    return store.runs()
