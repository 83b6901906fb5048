"""The way back: single records gathered in a few files, and taken into a store again."""

import io
import tarfile
from pathlib import Path

from normlab.core.record import write_atomically
from normlab.errors import NormlabError
from normlab.runs.store import Store

FOLDERS = ("runs", "evaluations")
LARGEST = 12 << 20  # bytes of records in one file


def bring_home(root: Path, out: Path) -> list[Path]:
    """Write the single records of the store at ``root`` to ``out``/records-1.tar, -2.tar, …, each whole or not at all."""
    files = [file for folder in FOLDERS for file in sorted((root / folder).glob("*.parquet"))]
    groups: list[list[Path]] = [[]]
    size = 0
    for file in files:
        size += file.stat().st_size
        if size > LARGEST and groups[-1]:
            groups.append([])
            size = file.stat().st_size
        groups[-1].append(file)
    written = []
    for number, group in enumerate(groups):
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as archive:
            for file in group:
                archive.add(file, f"{file.parent.name}/{file.name}")
        written.append(out / f"records-{number + 1}.tar")
        write_atomically(written[-1], content.getvalue())
    return written


def merge(source: Path, store: Store) -> int:
    """Take the records of ``source``/records-*.tar into a store and compact it, and a bench's table to the others beside the store;
    how many records there were.

    Raises:
        NormlabError: if there are none.
    """
    count = 0
    for file in sorted(source.glob("records-*.tar")):
        with tarfile.open(file) as archive:
            for member in archive:
                folder, _, name = member.name.partition("/")
                if folder not in FOLDERS or "/" in name or not name.endswith(".parquet"):
                    raise NormlabError(f"{file} holds {member.name!r}, which is no record")
                content = archive.extractfile(member)
                write_atomically(store.root / folder / name, content.read() if content else b"")
                count += 1
    if not count:
        raise NormlabError(f"there are no records-*.tar below {source}")
    store.compact()
    bench = source / "bench" / "gpu.csv"
    if bench.exists():
        write_atomically(store.root.parent / "bench" / "gpu.csv", bench.read_bytes())
    return count
