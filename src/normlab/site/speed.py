"""What the bench measured, as the page of speed shows it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from normlab.core.claim import Text
from normlab.site.forest import MARGIN, Tick

SECTIONS = {
    "floor": Text("Training steps against what the machine can do", "学習ステップと、この計算機の限界"),
    "loop": Text("The training loop against bare steps", "学習ループと、裸のステップ"),
    "peers": Text("Whole runs against other trainers", "学習全体と、他の学習プログラム"),
    "overhead": Text("What a sweep adds to its runs", "スイープが加える時間"),
    "scaling": Text("Several processes", "複数のプロセス"),
    "norms": Text("Norms against PyTorch's batch norm", "各正規化と PyTorch のバッチ正規化"),
    "start": Text("The time to begin", "始動までの時間"),
    "load": Text("Reading large stores", "大きな保存データの読み込み"),
    "pages": Text("The report's pages in a browser", "ブラウザーでの報告の表示"),
    "tracker": Text("Weights & Biases while it fails", "故障中の Weights & Biases"),
    "gpu": Text("On a GPU", "GPU での計算"),
}
FEWEST = 3  # ticks
STEPS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)


@dataclass(frozen=True)
class Line:
    """A measured row: where its median, range and bar stand in per cent of its section's axis, None where it has none."""

    item: str
    against: str
    number: str
    absolute: str
    note: str
    met: bool | None
    at: float | None = None
    low: float | None = None
    high: float | None = None
    bar: float | None = None


@dataclass(frozen=True)
class Measured:
    """A section of the bench: its lines by setting, and the axis of its ratios."""

    name: str
    title: Text
    settings: Mapping[str, list[Line]]
    ticks: list[Tick]
    one: float
    machine: str


def measured(folder: Path) -> list[Measured]:
    """The sections of a bench's folder that are there."""
    return [
        _section(name, title, folder / f"{name}.csv")
        for name, title in SECTIONS.items()
        if (folder / f"{name}.csv").exists()
    ]


def _section(name: str, title: Text, file: Path) -> Measured:
    table = pd.read_csv(file, keep_default_na=False, na_values=dict.fromkeys(("value", "low", "high", "bar"), ""))
    rows: list[dict[str, Any]] = [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]
    ratios = [row[end] for row in rows if row["unit"] == "×" for end in ("low", "high", "bar") if pd.notna(row[end])]
    low, high = math.log(min([0.9, *ratios])), math.log(max([1.1, *ratios]))

    def at(value: float) -> float:
        return round(MARGIN + (100 - 2 * MARGIN) * (math.log(value) - low) / (high - low), 2)

    settings: dict[str, list[Line]] = {}
    for row in rows:
        places = {}
        if row["unit"] == "×" and pd.notna(row["value"]):
            places = {place: at(row[end]) for place, end in PLACES.items() if pd.notna(row[end])}
        met = {"True": True, "False": False}.get(str(row["met"]))
        line = Line(row["item"], row["against"], _number(row), str(row["absolute"]), str(row["note"]), met, **places)
        settings.setdefault(str(row["setting"]), []).append(line)
    steps = [step for step in STEPS if low <= math.log(step) <= high]
    if len(steps) < FEWEST:
        steps = [math.exp(low), 1.0, math.exp(high)]
    ticks = [Tick(at(step), f"×{step:.2g}") for step in steps] if ratios else []
    first = rows[0]
    parts = (first["cpu"], f"{first['cores']} cores", first["gpu"], f"torch {first['torch']}", first["date"])
    machine = " · ".join(str(part) for part in parts if part)
    return Measured(name, title, settings, ticks, at(1.0), machine)


PLACES = {"at": "value", "low": "low", "high": "high", "bar": "bar"}


def _number(row: Mapping[str, Any]) -> str:
    if pd.isna(row["value"]):
        return ""
    text = f"{row['value']:#.3g}".rstrip(".")
    return f"×{text}" if row["unit"] == "×" else f"{text} {row['unit']}"
