"""One record, one file: a Parquet table with the record's facts in its metadata, written whole or not at all."""

import hashlib
import json
import math
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from normlab.errors import NormlabError

SCHEMA = 1
META = b"normlab"


class StoreError(NormlabError):
    """The store cannot be written; nothing written before is harmed."""


class BrokenRecord(NormlabError):  # noqa: N818 - a state of a file, not of the program
    """A record's file is truncated, damaged, foreign or of another version."""


@dataclass
class Record:
    """Facts of one run or evaluation (flat, JSON) and its table (rows of a history, or measures)."""

    facts: dict[str, Any]
    table: list[dict[str, Any]] = field(default_factory=list)


def _digest(facts: str, rows: list[dict[str, Any]]) -> str:
    """A digest of all that a record says."""
    return hashlib.sha256((facts + json.dumps(rows)).encode()).hexdigest()


def write_atomically(target: Path, content: bytes) -> None:
    """Write a file so that readers see the old one or the new one, also after a crash: temporary file, fsync, rename.

    Raises:
        StoreError: if the folder is not writable or the disk is full.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".partial")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)  # mkstemp makes files that nobody else can read
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StoreError(
            f"cannot write {target}: {error.strerror or error}; make room or give another folder with results=…"
        ) from error


def _strict(value: Any) -> Any:
    """JSON has no NaN or infinity: they become None."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write(target: Path, record: Record) -> None:
    """Write ``record`` as zstd Parquet with a digest of all it says."""
    facts = json.dumps({k: _strict(v) for k, v in record.facts.items()}, sort_keys=True)
    table = pa.Table.from_pylist(record.table) if record.table else pa.table({"step": pa.array([], pa.int64())})
    meta = json.dumps({"schema": SCHEMA, "sha256": _digest(facts, table.to_pylist()), "facts": facts})
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata({META: meta.encode()}), sink, compression="zstd")
    write_atomically(target, sink.getvalue().to_pybytes())


def read(source: Path) -> Record:
    """The record in a file.

    Raises:
        BrokenRecord: if the file is truncated, damaged, foreign or of another version.
    """
    return parse(source.read_bytes(), source)


def parse(content: bytes, source: object) -> Record:
    """The record in the content of a file; ``source`` is its name in messages.

    Raises:
        BrokenRecord: as :func:`read`.
    """
    try:
        # In this thread: a worker of Arrow's pool may still hold ``content`` when the result is here. Should it let go while the
        # interpreter ends, it asks for the lock of one that is gone, and the process aborts ("terminate called …").
        with pq.ParquetFile(pa.BufferReader(content)) as file:
            metadata, rows = file.metadata.metadata or {}, file.read(use_threads=False).to_pylist()
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:  # a damaged footer has many ways to fail
        raise BrokenRecord(f"{source} is damaged ({type(error).__name__})") from error
    if META not in metadata:
        raise BrokenRecord(f"{source} is no record of normlab")
    return Record(_facts(metadata[META], rows, source), rows)


def _facts(meta: bytes, rows: list[dict[str, Any]], source: object) -> dict[str, Any]:
    """The facts in a record's metadata, if they and the table are what was written.

    Raises:
        BrokenRecord: if they are not, or of another schema.
    """
    try:
        content = json.loads(meta)
        if content["schema"] != SCHEMA:
            raise BrokenRecord(f"{source} has record version {content['schema']}, this normlab reads {SCHEMA}")
        if _digest(content["facts"], rows) != content["sha256"]:
            raise BrokenRecord(f"{source} is damaged: checksum mismatch")
        return json.loads(content["facts"])
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenRecord(f"{source} is no record of normlab") from error
