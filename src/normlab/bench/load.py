"""Load: a store of many more records than the suite has, opened, aggregated and reported."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd

from normlab.bench.rows import Row, amount
from normlab.errors import NormlabError

RECORDS = 20_000
ROOT = Path(__file__).resolve().parents[3]


def load() -> Iterator[Row]:
    """The committed runs of scale cpu under many keys, through the command that makes the report."""
    with tempfile.TemporaryDirectory() as folder:
        _multiply(ROOT / "results" / "cpu", Path(folder) / "cpu")
        seconds, peak = _measured("report.py", "cpu", folder)
    row = Row("load", f"{RECORDS:,} records", "report.py", note="opens the store, judges, draws, writes the page")
    yield amount(replace(row, bar=60.0, better="lower"), [seconds], "s")
    yield amount(replace(row, item="report.py, peak memory", bar=2.0, better="lower"), [peak / 2**30], "GiB")


def _multiply(source: Path, target: Path) -> None:
    """A store of ``RECORDS`` records: those of ``source``, and copies of them under keys of their own."""
    target.mkdir(parents=True)
    runs = pd.read_parquet(source / "runs.parquet")
    copies = -(-RECORDS // len(runs))
    for name in ("runs", "history", "evaluations"):
        table = pd.read_parquet(source / f"{name}.parquet")
        parts = [table, *(table.assign(run_key=table["run_key"] + f"-{copy}") for copy in range(1, copies))]
        many = pd.concat(parts, ignore_index=True)
        if name == "runs":
            many = many.head(RECORDS)
            kept = set(many["run_key"])
        many[many["run_key"].isin(kept)].to_parquet(target / f"{name}.parquet", index=False, compression="zstd")


def _measured(script: str, *arguments: str) -> tuple[float, float]:
    """Wall seconds and peak resident bytes of a script of the repository.

    Raises:
        NormlabError: if it fails.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / script), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    errors = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise NormlabError(f"scripts/{script} {' '.join(arguments)} failed: {errors.strip()[-300:]}")
    return time.perf_counter() - started, usage.ru_maxrss * 1024.0
