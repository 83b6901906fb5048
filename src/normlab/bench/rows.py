"""What a bench measures: a flat table of ratios with their spread, and the machine they were measured on."""

import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pandas as pd

from normlab.core.record import write_atomically
from normlab.runs.execute import environment


@dataclass(frozen=True)
class Row:
    """One figure of the bench.

    Attributes:
        section: the part of the bench that measured it.
        setting: on what: data set, net and batch, or the command.
        item, against: what is compared with what.
        value: the median over ``n`` rounds, each a ratio of two turns taken one after the other; None where not run.
        low, high: the smallest and largest of these ratios.
        unit: of the value; ``×`` for a ratio.
        absolute: what the item itself reached (median), with its unit.
        bar: what the value should reach, or with ``better="lower"`` should not exceed.
        note: what else a reader must know; the reason where it was not run.
    """

    section: str
    setting: str
    item: str
    against: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = "×"
    n: int = 0
    absolute: str = ""
    bar: float | None = None
    better: Literal["higher", "lower"] = "higher"
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the value reaches its bar; None without one."""
        if self.value is None or self.bar is None:
            return None
        return self.value >= self.bar if self.better == "higher" else self.value <= self.bar


def ratio(row: Row, rates: Sequence[float], references: Sequence[float], absolute: str = "{:,.0f} samples/s") -> Row:
    """``row`` with the ratios of two rates, taken round by round."""
    ratios = [a / b for a, b in zip(rates, references, strict=True)]
    return replace(
        row,
        value=statistics.median(ratios),
        low=min(ratios),
        high=max(ratios),
        n=len(ratios),
        absolute=absolute.format(statistics.median(rates)),
    )


def amount(row: Row, values: Sequence[float], unit: str) -> Row:
    """``row`` with a quantity measured several times."""
    return replace(
        row, value=statistics.median(values), low=min(values), high=max(values), n=len(values), unit=unit, absolute=""
    )


def machine() -> dict[str, object]:
    """The machine's columns of every table of the bench."""
    found = environment()
    return {
        "cpu": found["cpu"],
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "gpu": found["gpu"],
        "torch": found["torch"],
        "commit": found["git_commit"],
        "date": datetime.now(UTC).date().isoformat(),
    }


def write_rows(folder: Path, section: str, rows: Sequence[Row]) -> Path:
    """Write a section's table, ``<folder>/<section>.csv``."""
    table = pd.DataFrame([asdict(row) | {"met": row.met} | machine() for row in rows])
    file = folder / f"{section}.csv"
    write_atomically(file, table.to_csv(index=False, float_format="%.4g").encode())
    return file
