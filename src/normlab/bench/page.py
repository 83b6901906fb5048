"""The bench's page: a figure and a table a section, from the tables that lie in the folder."""

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
import matplotlib.pyplot as plt
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from normlab.core.record import write_atomically
from normlab.core.word import Word
from normlab.report.style import VERDICT_COLOURS, use_style
from normlab.report.svg import inlined, save_figure

Measured = dict[str, Any]  # a row of a section's table
MET, MISSED, PLAIN = VERDICT_COLOURS[Word.SUPPORTED], VERDICT_COLOURS[Word.OPPOSED], "#0072B2"


def build_page(folder: Path, sections: dict[str, str]) -> Path:
    """Write ``index.html`` beside the tables of ``sections`` (name → title) that are there; its path."""
    use_style()
    parts: list[dict[str, Any]] = []
    for name, title in sections.items():
        file = folder / f"{name}.csv"
        if not file.exists():
            parts.append({"name": name, "title": title, "rows": [], "figure": "", "machine": {}})
            continue
        table = pd.read_csv(file, keep_default_na=False, na_values=dict.fromkeys(("value", "low", "high", "bar"), ""))
        drawn = figure(table)
        if drawn:
            save_figure(drawn, folder, f"bench-{name}")
        svg = inlined(folder, f"bench-{name}") if drawn else ""
        rows = table.to_dict("records")
        parts.append({"name": name, "title": title, "rows": rows, "figure": Markup(svg), "machine": rows[0]})
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("normlab.report"),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    page = environment.get_template("bench.html").render(
        parts=parts, built=datetime.now(UTC).date().isoformat(), number=number, missing=pd.isna
    )
    target = folder / "index.html"
    write_atomically(target, page.encode())
    return target


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    digits = 2 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def figure(table: pd.DataFrame) -> Figure | None:
    """Every measured row of a section with its spread and its bar, one panel a setting; ratios on a logarithmic axis."""
    settings: dict[str, list[Measured]] = {}
    for row in table[table["value"].notna()].to_dict("records"):
        settings.setdefault(str(row["setting"]), []).append({str(key): value for key, value in row.items()})
    if not settings:
        return None
    heights = [0.8 + 0.3 * len(rows) for rows in settings.values()]
    plot, axes = plt.subplots(
        len(settings), 1, figsize=(9, sum(heights)), height_ratios=heights, squeeze=False, layout="constrained"
    )
    ratios = [end for rows in settings.values() for row in rows if row["unit"] == "×" for end in _ends(row)]
    for ax, (setting, rows) in zip(axes[:, 0], settings.items(), strict=True):
        _draw(ax, setting, rows, ratios)
    return plot


def _ends(row: Measured) -> list[float]:
    return [row[name] for name in ("low", "high", "bar") if pd.notna(row[name])]


def _draw(ax: Axes, setting: str, rows: list[Measured], ratios: list[float]) -> None:
    """One setting; ``ratios`` are what a logarithmic axis must hold, the same for all panels."""
    for place, row in enumerate(rows):
        colour = {"True": MET, "False": MISSED}.get(str(row["met"]), PLAIN)
        ax.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=2, solid_capstyle="round")
        ax.plot(row["value"], place, "o", color=colour, markersize=6)
        if pd.notna(row["bar"]):
            ax.plot([row["bar"], row["bar"]], [place - 0.4, place + 0.4], color="#1f2328", linewidth=1.5)
    references = {row["against"] for row in rows}
    common = len(references) == 1 and rows[0]["unit"] == "×"
    labels = [row["item"] if common or row["unit"] != "×" else f"{row['item']} ÷ {row['against']}" for row in rows]
    ax.set_yticks(range(len(rows)), labels, fontsize=8)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_title(f"{setting}, against {references.pop()}" if common else setting, fontsize=9, loc="left")
    if all(row["unit"] == "×" for row in rows):
        ax.axvline(1, color="#8c959f", linewidth=1, linestyle=":")
        low, high = min(0.9, *ratios), max(1.1, *ratios)
        if high / low > 1.5:
            ax.set_xscale("log", base=2)
            ax.xaxis.set_major_locator(LogLocator(base=2, numticks=20))
        ax.set_xlim(low / 1.08, high * 1.08)
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}×")
        ax.xaxis.set_minor_formatter(NullFormatter())
    else:
        ax.set_xlim(0, max(end for row in rows for end in _ends(row)) * 1.08)
        ax.set_xlabel(rows[0]["unit"], fontsize=8)
    ax.tick_params(axis="x", labelsize=8)
