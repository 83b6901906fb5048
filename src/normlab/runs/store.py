"""The store of one scale: a file a run while sweeps write, one flat table a kind when they are done."""

import hashlib
import json
import math
import re
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from normlab.config import MeasureConfig
from normlab.core.reading import Reading, Value
from normlab.core.record import BrokenRecord, Record, StoreError, read, write, write_atomically
from normlab.errors import NormlabError, first_line
from normlab.runs.lease import Lease, Leases
from normlab.training.savepoint import Savepoint

# The first columns of runs.parquet; a run's further measures follow in alphabetical order.
COLUMNS = [
    "run_key", "experiment", "role", "data", "train_size", "net", "norm", "placement", "batch_size",
    "statistics_batch", "optimizer", "lr", "norm_momentum", "eps", "init", "seed", "status", "reason", "diverged_step",
    "test_accuracy", "test_loss", "train_loss", "seconds",
]  # fmt: skip
# The first columns of history.parquet.
HISTORY = [
    "run_key", "step", "epoch", "train_loss", "validation_loss", "validation_accuracy", "train_set_loss",
    "train_set_accuracy", "validation_accuracy_recalibrated", "probe_loss",
]  # fmt: skip

COMPACTING, TIMING, REGISTERING = "compacting", "timing", "registering"  # leases that are no run's
DIGESTS = "digests.json"  # of the compacted tables
SIDE_BY_SIDE = ("cost", "step_seconds")  # evaluations that are of nets, trained or not, and of a machine at one time
OF_OTHER_WEIGHTS = "of_other_weights"  # a measure of an evaluation: 1 if its weights are not those of the run's record
NO_RUNS = {COMPACTING, TIMING, REGISTERING}


class Store:
    """All runs and evaluations of one scale, below ``root`` (results/<scale>).

    Single files (``runs/``, ``evaluations/``) and the compacted tables (``runs.parquet``, ``history.parquet``,
    ``evaluations.parquet``) count alike; :meth:`compact` moves the former into the latter. A broken file is set aside
    with a warning and its run counts as not done.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._facts: dict[str, dict[str, Any]] = {}
        self._histories: dict[str, pd.DataFrame] = {}
        self._compacted: CompactedHistories | None = None
        self._evaluations: dict[tuple[str, str], dict[str, float]] = {}
        self.measured: dict[
            tuple[str, Reading], Value | None
        ] = {}  # what was read off runs and evaluations, until these change
        self._seen: dict[Path, int] = {}  # single files taken in, and when each was written
        self._tables: tuple[int, int] | None = None  # which compacted tables were taken in
        self._leases = Leases(root / "leases")

    @classmethod
    def of_scale(cls, results: str | Path, scale: str) -> "Store":
        """The store of a scale below the results folder.

        Raises:
            NormlabError: for a name that is no plain folder name.
        """
        if not re.fullmatch(r"\w[\w-]*", scale):
            raise NormlabError(f"scale {scale!r} is no name: letters, digits, _ and - make one")
        return cls(Path(results) / scale)

    # Reading

    def refresh(self) -> "Store":
        """Take in what was written since the last call; itself.

        Raises:
            StoreError: if a compacted table is damaged.
        """
        while True:
            self.refresh_compacted()
            forgotten = set(self._seen)
            for folder, take in (("runs", self._take_run), ("evaluations", self._take_evaluation)):
                for file in sorted((self.root / folder).glob("*.parquet")):
                    try:
                        written = file.stat().st_mtime_ns
                        if self._seen.get(file) != written:
                            take(read(file))
                            self._seen[file] = written
                        forgotten.discard(file)
                    except FileNotFoundError:
                        continue  # Compacted by another process between listing and reading.
                    except (BrokenRecord, KeyError) as error:
                        self._set_aside(file, error)
            if self._tables == self._tables_now():  # else files went into the tables while they were listed
                for file in forgotten:
                    self._drop(file)
                return self

    def take(self, file: Path) -> None:
        """Take in one run's file now; raises :class:`BrokenRecord` or FileNotFoundError."""
        self._take_run(read(file))

    def _take_run(self, record: Record) -> None:
        key = record.facts["run_key"]
        self.measured.clear()
        self._facts[key] = record.facts
        self._histories[key] = pd.DataFrame(record.table)

    def _take_evaluation(self, record: Record) -> None:
        self.measured.clear()
        identity = (record.facts["run_key"], record.facts["evaluation"])
        self._evaluations[identity] = {row["measure"]: row["value"] for row in record.table}

    def _drop(self, file: Path) -> None:
        """Forget what was taken in from a single file that is neither there nor in the tables any more."""
        key, _, evaluation = file.stem.partition("-")
        self.measured.clear()
        del self._seen[file]
        if evaluation:
            self._evaluations.pop((key, evaluation), None)
        else:
            self._facts.pop(key, None)
            self._histories.pop(key, None)

    def _tables_now(self) -> tuple[int, int] | None:
        """What tells the compacted tables that are there from any others: each is a file of its own."""
        try:
            found = (self.root / "runs.parquet").stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_ino, found.st_mtime_ns

    def refresh_compacted(self) -> None:
        """Take in what another process compacted since the last call: the tables, in place of all that is known."""
        now = self._tables_now()
        if now is None or now == self._tables:
            return
        self._tables = now
        for known in (self.measured, self._facts, self._histories, self._evaluations, self._seen):
            known.clear()
        for facts in _rows_without_gaps(_query(self.root / "runs.parquet")):
            self._facts[facts["run_key"]] = facts
        self._compacted = CompactedHistories(self.root / "history.parquet")
        if (self.root / "evaluations.parquet").exists():
            table = _query(self.root / "evaluations.parquet")
            columns = (table[name].tolist() for name in ("run_key", "evaluation", "measure", "value"))
            for run_key, name, measure, value in zip(*columns, strict=True):
                self._evaluations.setdefault((run_key, name), {})[measure] = value

    def _set_aside(self, file: Path, error: BrokenRecord | KeyError) -> None:
        target = self.root / "set_aside" / file.name
        what = f"{file} is no record of normlab" if isinstance(error, KeyError) else str(error)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)
        except FileNotFoundError:
            return  # Another process has set it aside.
        except OSError as problem:
            raise StoreError(f"{what}, and it cannot be moved to {target}: {problem.strerror}") from problem
        print(f"warning: {what}; moved to {target}, that run counts as not done", file=sys.stderr)

    def __contains__(self, run_key: str) -> bool:
        return run_key in self._facts

    def __len__(self) -> int:
        return len(self._facts)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._facts))

    def facts(self, run_key: str) -> dict[str, Any] | None:
        """What is known of a run, or None."""
        return self._facts.get(run_key)

    def history(self, run_key: str) -> pd.DataFrame:
        """A run's history, a row a logged step."""
        if run_key not in self._histories and run_key in self._facts and self._compacted is not None:
            self._histories[run_key] = self._compacted.rows(run_key)
        return self._histories.get(run_key, pd.DataFrame())

    def evaluation(self, run_key: str, name: str) -> dict[str, float] | None:
        """The measures of an evaluation of a run, or None."""
        return self._evaluations.get((run_key, name))

    def runs(self) -> pd.DataFrame:
        """All runs as one flat table, the columns of :data:`COLUMNS` first."""
        table = pd.DataFrame(list(self._facts.values()))
        further = sorted(set(table.columns) - set(COLUMNS))
        return table.reindex(columns=[*COLUMNS, *further]).sort_values("run_key", ignore_index=True)

    # Writing

    def put(self, record: Record) -> None:
        """Add a run, or put another record of it in its place; if that is of other weights, evaluations of the former go, and a warning
        says so.

        Raises:
            StoreError: if it cannot be written.
        """
        key = record.facts["run_key"]
        earlier = self._facts.get(key, {})
        if other_weights(
            earlier, record.facts
        ):  # evaluations go first: a process that dies here loses them, and mixes nothing
            made, dropped = json.loads(earlier["environment"]), self._forget_evaluations({key})
            print(
                f"warning: the new record of run {key} is of other weights than its former one, made with torch {made['torch']} on "
                f"{made['cpu']}; evaluations of the former dropped: {dropped}",
                file=sys.stderr,
            )
        file = self.root / "runs" / f"{key}.parquet"
        write(file, record)
        with suppress(FileNotFoundError):  # compacted in this moment
            self.take(file)

    def put_evaluation(self, run_key: str, name: str, measures: dict[str, float]) -> None:
        """Add an evaluation of a run."""
        found = measures or {"undefined": math.nan}  # a row, so that "nothing to measure" is remembered too
        rows = [{"measure": measure, "value": float(value)} for measure, value in found.items()]
        record = Record({"run_key": run_key, "evaluation": name}, rows)
        write(self.root / "evaluations" / f"{run_key}-{name}.parquet", record)

    def put_weights(self, run_key: str, weights: dict[str, Tensor]) -> None:
        """Keep a run's final weights (local: they are not committed); those of one trained again that ended in others than its record's
        lie beside them, under their own digest.
        """
        import io

        buffer = io.BytesIO()
        torch.save(weights, buffer)
        digest = weights_sha256(weights)
        again = self._facts.get(run_key, {}).get("weights_sha256", digest) != digest
        write_atomically(
            self.root / "weights" / (f"{run_key}-{digest}.pt" if again else f"{run_key}.pt"), buffer.getvalue()
        )

    def savepoint(self, run_key: str) -> Savepoint:
        """Where a long run keeps its state on the way."""
        return Savepoint(self.root / "savepoints" / f"{run_key}.pt", write_atomically)

    def weights(self, run_key: str) -> dict[str, Tensor] | None:
        """A run's final weights, or None if they are gone, damaged, or not those of its record."""
        recorded = self._facts.get(run_key, {}).get("weights_sha256")
        found = (
            _read_weights(self.root / "weights" / f"{name}.pt", recorded) for name in (run_key, f"{run_key}-{recorded}")
        )
        return next((weights for weights in found if weights is not None), None)

    def weights_again(self, run_key: str) -> dict[str, Tensor] | None:
        """Final weights of a run trained again, as on another processor, that are not those of its record; None if there are none whole."""
        files = sorted(
            (self.root / "weights").glob(f"{run_key}-*.pt"), key=lambda file: file.stat().st_mtime_ns
        )  # the first for good
        found = (_read_weights(file, file.stem.partition("-")[2]) for file in files)
        return next((weights for weights in found if weights is not None), None)

    def lease(self, run_key: str) -> Lease | None:
        """The right to do a run, or None while another process has it; a dead holder's right is taken over."""
        try:
            return self._leases.take(run_key)
        except OSError as error:
            raise _cannot_write(self._leases.folder, error) from error

    @contextmanager
    def exclusive(self, run_key: str) -> Iterator[None]:
        """The right to do a run, as :meth:`lease` gives it, but waiting for its turn."""
        while (lease := self.lease(run_key)) is None:
            time.sleep(0.1)
        with lease:
            yield

    def running(self) -> set[str]:
        """Keys of the runs that some process is doing now."""
        return self._leases.held() - NO_RUNS

    def abandoned(self) -> set[str]:
        """Keys of the runs that a process was doing when it died."""
        return self._leases.abandoned() - NO_RUNS

    def bury(self) -> set[str]:
        """Give the runs of dead processes back; their keys."""
        return self._leases.bury()

    def compact(self) -> None:
        """Move all single files into the flat tables; one process at a time, so that none overwrites another's.

        While nobody else is at work, what killed processes left half written goes too.
        """
        with self.exclusive(COMPACTING):
            self.refresh()
            absorbed = {file: written for file, written in self._seen.items() if file.exists()}
            if absorbed:
                self._write_tables()
            for file, written in absorbed.items():
                if file.exists() and file.stat().st_mtime_ns == written:  # else it was written again meanwhile
                    file.unlink(missing_ok=True)
            self._seen.clear()
            if self._leases.held() <= {COMPACTING}:
                for file in self.root.glob("*/.*.partial"):
                    file.unlink(missing_ok=True)

    def is_missing(self, run_key: str) -> bool:
        """Whether a run is recorded as one that could not be done."""
        return self._facts.get(run_key, {}).get("status") == "missing"

    def forget_missing(self, run_keys: Collection[str]) -> set[str]:
        """Drop those of these runs that are recorded as missing, so that they count as not done; their keys."""
        return self.forget(lambda key: key in run_keys and self.is_missing(key))

    def forget(self, of: Callable[[str], bool]) -> set[str]:
        """Drop the runs of which ``of`` says so, with their evaluations, and evaluations of nets that never trained; the runs' keys."""
        with self.exclusive(COMPACTING):
            self.refresh()
            forgotten = {key for key in self._facts if of(key)}
            for key in forgotten:
                del self._facts[key]
                self._histories.pop(key, None)
                (self.root / "runs" / f"{key}.parquet").unlink(missing_ok=True)
            dropped = self._drop_evaluations({key for key, _ in self._evaluations if of(key)})
            self.measured.clear()
            if (forgotten or dropped) and self._tables:
                self._write_tables()
        return forgotten

    def _forget_evaluations(self, run_keys: set[str]) -> int:
        """Drop the evaluations of these runs; how many there were."""
        with self.exclusive(COMPACTING):
            self.refresh()
            dropped = self._drop_evaluations(run_keys)
            if dropped and self._tables:
                self._write_tables()
        return dropped

    def _drop_evaluations(self, run_keys: set[str]) -> int:
        dropped = [found for found in self._evaluations if found[0] in run_keys]
        for key, name in dropped:
            del self._evaluations[key, name]
            (self.root / "evaluations" / f"{key}-{name}.parquet").unlink(missing_ok=True)
        return len(dropped)

    def take_in(self, other: "Store") -> int:
        """Take over the runs and evaluations of another store that this one lacks, or that more was measured of there; how many runs there
        were. Evaluations go with the weights that they are of. What nets cost can be compared within one measurement alone: if any of it is
        lacking here, all that was measured there takes the place of what is here.
        """
        taken = [
            key
            for key, facts in other._facts.items()
            if key not in self._facts or _more_was_measured(facts, self._facts[key])
        ]
        for key in taken:
            rows = [{str(name): value for name, value in row.items()} for row in other.history(key).to_dict("records")]
            self.put(Record(other._facts[key], rows))
        for (key, name), measures in other._evaluations.items():
            lacks = key in self._facts and (key, name) not in self._evaluations and name not in SIDE_BY_SIDE
            if lacks and key in other._facts and not other_weights(self._facts[key], other._facts[key]):
                self.put_evaluation(key, name, measures)
        for timed in SIDE_BY_SIDE:
            there = {key: measures for (key, name), measures in other._evaluations.items() if name == timed}
            if any((key, timed) not in self._evaluations for key in there):
                for key, measures in there.items():
                    self.put_evaluation(key, timed, measures)
        self.compact()
        return len(taken)

    def _write_tables(self) -> None:
        keys = sorted(self._facts)
        histories = [history.assign(run_key=key) for key in keys if len(history := self.history(key))]
        evaluations = [
            {"run_key": key, "evaluation": name, "measure": measure, "value": value}
            for (key, name), measures in sorted(self._evaluations.items())
            for measure, value in measures.items()
        ]
        history = pd.concat([h.dropna(axis=1, how="all") for h in histories]) if histories else pd.DataFrame()
        further = sorted(set(history.columns) - set(HISTORY))  # a task's own metrics
        self._write_table("history", history.reindex(columns=[*HISTORY, *further]))
        if evaluations or (self.root / "evaluations.parquet").exists():  # the last one may have been dropped
            columns = ["run_key", "evaluation", "measure", "value"]
            self._write_table("evaluations", pd.DataFrame(evaluations, columns=columns))
        self._write_table("runs", self.runs())
        self._tables = self._tables_now()

    def _write_table(self, name: str, table: pd.DataFrame) -> None:
        content = table.to_parquet(index=False, compression="zstd")
        file, known = self.root / f"{name}.parquet", _digests(self.root)
        # That of the file that is there and the new one's: what stops between the two writes below leaves either.
        there = [hashlib.sha256(file.read_bytes()).hexdigest()] if file.exists() else []
        known[name] = [*there, hashlib.sha256(content).hexdigest()]
        write_atomically(self.root / DIGESTS, (json.dumps(known, indent=1) + "\n").encode())
        write_atomically(file, content)


def _more_was_measured(there: dict[str, Any], here: dict[str, Any]) -> bool:
    """Whether a record holds all that another one of its run does, and more; one of a run that could not be done holds nothing."""
    if "missing" in (there["status"], here["status"]):
        return there["status"] != "missing"
    if "measured" not in there or "measured" not in here:
        return "measured" in there
    known, other = (MeasureConfig(**json.loads(facts["measured"])) for facts in (here, there))
    return other.covers(known) and not known.covers(other)


def other_weights(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two records of a run are of trainings that ended in different weights, as on different processors."""
    known = one.get("weights_sha256"), other.get("weights_sha256")
    return None not in known and known[0] != known[1]


class CompactedHistories:
    """The histories in a compacted table, checked at once and taken apart when the first one is asked for: most questions are
    answered without any.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._content: bytes | None = _content(file)
        self._table = pd.DataFrame()
        self._places: dict[str, tuple[int, int]] = {}

    def rows(self, run_key: str) -> pd.DataFrame:
        """The history of a run; empty if it has none.

        Raises:
            StoreError: if the table is damaged.
        """
        if self._content is not None:
            table = _parsed(self._file, self._content).sort_values("run_key", kind="stable", ignore_index=True)
            keys = table.pop("run_key").to_numpy()
            starts = [0, *(np.flatnonzero(keys[1:] != keys[:-1]) + 1)] if len(keys) else []
            self._places = {str(keys[start]): (int(start), int(end)) for start, end in pairwise([*starts, len(keys)])}
            self._table, self._content = table, None
        start, end = self._places.get(run_key, (0, 0))
        return self._table.iloc[start:end].reset_index(drop=True)


def _cannot_write(folder: Path, error: OSError) -> StoreError:
    return StoreError(f"cannot write below {folder}: {error.strerror or error}; make room or set results=…")


def _read_weights(file: Path, sha256: str | None) -> dict[str, Tensor] | None:
    """The weights in a file, or None if it is not there, is damaged, or holds others than those of the digest."""
    try:
        weights: dict[str, Tensor] | None = torch.load(file, weights_only=True) if file.exists() else None
        return None if weights and sha256 and weights_sha256(weights) != sha256 else weights
    except Exception:  # torch raises many kinds for a damaged file; each means that the run must be trained again
        return None


def weights_sha256(weights: dict[str, Tensor]) -> str:
    """A digest of all weights and buffers, by name and bytes."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].contiguous().numpy().tobytes())
    return digest.hexdigest()


def _query(file: Path) -> pd.DataFrame:
    """A compacted table, if it is what was written under its name.

    Raises:
        StoreError: if it is damaged. It holds many runs, so nothing but its owner can say what is to become of it.
    """
    return _parsed(file, _content(file))


def _content(file: Path) -> bytes:
    """A compacted table's bytes, if they are what was written and begin and end as a table.

    Raises:
        StoreError: if not.
    """
    try:
        content, known = file.read_bytes(), _digests(file.parent).get(file.stem)
        if known and hashlib.sha256(content).hexdigest() not in known:
            raise ValueError("checksum mismatch")
        pq.read_metadata(pa.BufferReader(content))
        return content
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damaged(file, error) from error


def _parsed(file: Path, content: bytes) -> pd.DataFrame:
    """The table in those bytes.

    Raises:
        StoreError: if it is damaged.
    """
    try:
        with pq.ParquetFile(
            pa.BufferReader(content)
        ) as parquet:  # in this thread, as single records are and for their reason
            return parquet.read(use_threads=False).to_pandas(use_threads=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damaged(file, error) from error


def _damaged(file: Path, error: Exception) -> StoreError:
    what = "is not there" if isinstance(error, FileNotFoundError) else f"is damaged ({first_line(error)[:80]})"
    return StoreError(
        f"{file} {what}; restore it and {DIGESTS} from a copy (as with git checkout), or remove all tables of its folder and run again"
    )


def _digests(root: Path) -> dict[str, list[str]]:
    file = root / DIGESTS
    return json.loads(file.read_text()) if file.exists() else {}


def _rows_without_gaps(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table as plain data, each without the columns that it has no value in."""
    rows: list[dict[str, Any]] = [{} for _ in range(len(table))]
    for name in table.columns:
        values = table[name].tolist()
        for place in np.flatnonzero(table[name].notna().to_numpy()):
            rows[place][str(name)] = values[place]
    return rows
