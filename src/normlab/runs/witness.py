"""Which runs a result was read off."""

import hashlib
from collections.abc import Collection

import pandas as pd

from normlab.core.reading import Facts, Reading, Runs, Value

Ask = tuple[str, str]  # a run's key, and the name of an evaluation of it; none for its record


class Witness:
    """Runs, read through someone who notes what was ``asked``, also of those that are not there."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self.measured: dict[tuple[str, Reading], Value | None] = {}
        self.asked: set[Ask] = set()

    def facts(self, run_key: str) -> Facts | None:
        self.asked.add((run_key, ""))
        return self._runs.facts(run_key)

    def history(self, run_key: str) -> pd.DataFrame:
        self.asked.add((run_key, ""))
        return self._runs.history(run_key)

    def evaluation(self, run_key: str, name: str) -> dict[str, float] | None:
        self.asked.add((run_key, name))
        return self._runs.evaluation(run_key, name)

    def __contains__(self, run_key: str) -> bool:
        self.asked.add((run_key, ""))
        return run_key in self._runs

    def is_missing(self, run_key: str) -> bool:
        self.asked.add((run_key, ""))
        return self._runs.is_missing(run_key)


def answers(runs: Runs, asked: Collection[Ask]) -> str:
    """A digest of what ``runs`` answer today. That of a record stands for its history too: they are written together, and it has the digest
    of the weights that training ended in.
    """
    digest = hashlib.sha256()
    for run_key, name in sorted(asked):
        found = runs.evaluation(run_key, name) if name else runs.facts(run_key)
        digest.update(repr((run_key, name, found)).encode())
    return digest.hexdigest()
