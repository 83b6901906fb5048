"""How fast normlab is."""

import time
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console

from normlab.bench import SECTIONS, section
from normlab.bench.page import build_page, number
from normlab.bench.rows import Row, write_rows
from normlab.errors import NormlabError


def told(row: Row) -> str:
    """A row in one line."""
    against = f" against {row.against}" if row.against else ""
    text = f"{row.setting}: {row.item}{against}"
    if row.value is None or row.low is None or row.high is None:
        return f"{text}: {row.note}"
    text += f": {number(row.value)} {row.unit} ({number(row.low)} … {number(row.high)})"
    if row.met is not None:
        text += f", bar {number(row.bar or 0)}: {'met' if row.met else 'NOT MET'}"
    return text


def bench(sections: Sequence[str], device: str, results: str) -> None:
    """Measure the sections asked for, apart or with commas between them (all by default; on ``cuda`` the GPU's), write their
    tables, and build the page.

    Raises:
        NormlabError: for an unknown section, or a device that is not here.
    """
    sections = [name for words in sections for name in words.split(",")]
    unknown = [name for name in sections if name not in SECTIONS]
    if unknown:
        raise NormlabError(f"unknown section {unknown[0]!r}; there are {', '.join(SECTIONS)}")
    if device == "cuda" and not torch.cuda.is_available():
        raise NormlabError("--device cuda, but PyTorch finds no CUDA device here")
    console = Console(highlight=False, soft_wrap=True)
    folder = Path(results) / "bench"
    for name in sections or (["gpu"] if device == "cuda" else SECTIONS):
        console.print(f"[bold]{SECTIONS[name]}[/]")
        started, rows = time.perf_counter(), []
        for row in section(name)():
            rows.append(row)
            console.print("  " + told(row).replace("[", "\\["))
        console.print(f"  [dim]{write_rows(folder, name, rows)}, {time.perf_counter() - started:.0f} s[/]")
    console.print(f"page: {build_page(folder, SECTIONS)}")
