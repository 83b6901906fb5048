"""A report as one archive for any static host: its pages, and the figures, tables and report cards that they link to."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

from normlab.errors import NormlabError

START = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>normlab</title><meta http-equiv="refresh" content="0; url={start}"></head>
<body><p><a href="{start}">normlab</a></p></body></html>
"""


def pack(store: Path, target: Path) -> Path:
    """Write the report of the store's folder to the archive ``target``, laid out as it lies there, with a page at the top that leads to it.

    Raises:
        NormlabError: if there is no report.
    """
    if not (store / "report" / "index.html").exists():
        raise NormlabError(f"{store} has no report; make report builds it")
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("index.html", START.format(start=f"{store.name}/report/index.html"))
        for file in sorted(_files(store)):
            archive.write(file, file.relative_to(store.parent))
    return target


def _files(store: Path) -> Iterator[Path]:
    for pattern in ("report/**/*", "figures/*.png", "tables/*.csv", "*.csv"):
        yield from (file for file in store.glob(pattern) if file.is_file())
    yield from (file for file in (store.parent / "trials" / store.name).glob("*/*") if file.is_file())
