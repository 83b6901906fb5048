"""Sweep overhead: what a sweep costs besides training, and what it costs when there is nothing to do."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from normlab.bench.rows import Row, amount, machine
from normlab.core.record import Record
from normlab.errors import NormlabError
from normlab.runs.execute import execute
from normlab.runs.key import run_key
from normlab.runs.store import Store
from normlab.sweeps.compose import Composer

SHORT = {"data": "digits", "net.widths": [8, 16], "data.train_size": 500, "training.epochs": 1}
SHORT_RUNS, DONE_RUNS = 300, 2000
ROUNDS = 3


def overhead() -> Iterator[Row]:
    """The command line as a user calls it, in a folder of its own."""
    workers = int(str(machine()["cores"]))
    with tempfile.TemporaryDirectory() as folder:
        wall = sweep(SHORT_RUNS, Path(folder), workers)
        seconds = [float(s) for s in Store(Path(folder) / "quick").refresh().runs()["seconds"]]
    ideal = sum(seconds) / workers
    beyond = (wall - 1.10 * ideal) / SHORT_RUNS
    note = (
        f"{wall:.1f} s for {SHORT_RUNS} runs of {sum(seconds) / SHORT_RUNS:.3f} s, start of {workers} workers included"
    )
    row = Row(
        "overhead", f"{SHORT_RUNS} very short runs", "wall time a run", "beyond 1.10 × training / workers", note=note
    )
    yield amount(replace(row, bar=0.05, better="lower"), [beyond], "s")
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder) / "quick", DONE_RUNS)
        walls = [sweep(DONE_RUNS, Path(folder), workers) for _ in range(ROUNDS)]
    row = Row("overhead", f"{DONE_RUNS:,} finished runs", "the same sweep once more", note="the whole command")
    yield amount(replace(row, bar=5.0, better="lower"), walls, "s")


def sweep(runs: int, results: Path, workers: int) -> float:
    """Wall seconds of a sweep over that many seeds."""
    overrides = [f"{key}={str(value).replace(' ', '')}" for key, value in SHORT.items()]
    launcher = ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={workers}"]
    return timed_script("train.py", "-m", f"seed=range({runs})", *overrides, f"results={results}", *launcher)


def timed_script(script: str, *arguments: str) -> float:
    """Wall seconds of a script of the repository.

    Raises:
        NormlabError: if it fails.
    """
    root = Path(__file__).resolve().parents[3]
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, str(root / "scripts" / script), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"NO_COLOR": "1"},
    )
    if done.returncode:
        raise NormlabError(f"scripts/{script} {' '.join(arguments)} failed: {done.stderr.strip()[-300:]}")
    return time.perf_counter() - started


def fill(root: Path, runs: int) -> None:
    """A store of that many finished runs: one that was trained, under the keys and configurations of all seeds."""
    composer, store = Composer(), Store(root)
    first = execute(composer({**SHORT, "seed": 0}), store)
    for seed in range(1, runs):
        config = composer({**SHORT, "seed": seed})
        facts = first.facts | {"run_key": run_key(config), "seed": seed}
        facts["config"] = json.dumps(json.loads(facts["config"]) | {"seed": seed}, sort_keys=True)
        store.put(Record(facts, first.table))
    store.compact()
