"""Every method's time, inference time and memory over those of the net without norm."""

import math
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from normlab.report.results import Results
from normlab.report.style import COLOURS, mean_and_interval, method_title

# What the articles' table says of overhead and of memory, in our words; it names six methods.
ARTICLES = {
    "weight": "very low",
    "layer": "low",
    "instance": "low",
    "group": "low",
    "batch": "medium",
    "spectral": "high",
}


def table(results: Results) -> pd.DataFrame | None:
    """Every measured method over the net without norm, beside what the articles' table says; deeper nets and what saves
    memory; synchronization.
    """
    kinds = {
        "training step": "step",
        "training step, channels last": "step_common",
        "inference": "inference",
        "inference, folded": "inference_folded",
        "peak memory": "peak_bytes",
        "kept for backward": "saved_bytes",
    }
    rows: list[dict[str, Any]] = []
    for setting in results.settings:
        cells = results.select("nets", setting=setting)
        bare = cells[cells["norm"] == "none"] if len(cells) else cells
        none = {kind: results.by_seed(bare, f"cost.{kind}") for kind in kinds.values()}
        for norm in [name for name in COLOURS if len(cells) and name in set(cells["norm"])]:
            own = cells[cells["norm"] == norm]
            rows.append(
                {"data": results.title(setting), "net": "of the recipe", "batch": _batch(results, setting), "method": method_title(norm),
                 "the articles say": ARTICLES.get(norm, "")}
                | {title: _over(results.by_seed(own, f"cost.{kind}"), none[kind.removesuffix("_folded")])
                   for title, kind in kinds.items()}
                | {"parameters": _count(results.values(own, "cost.parameters")),
                   "state": _count(results.values(own, "cost.state"))}
            )  # fmt: skip
    for setting in results.settings:
        rows += _varied(results, setting, kinds) + _synchronized(results, setting)
    return pd.DataFrame(rows) if rows else None


def _varied(results: Results, setting: str, kinds: dict[str, str]) -> list[dict[str, Any]]:
    """Batch norm in deeper nets, with larger images, and with what saves memory, each over the same without norm."""
    rows = []
    for grid, axis, text in (
        ("depths", "net.depth", "convolutions a stage"),
        ("images", "data.enlarge", "times the side"),
    ):
        cells = results.select(grid, setting=setting)
        for value in sorted(cells[axis].unique()) if len(cells) else []:
            here = cells[cells[axis] == value]
            rows.append(
                _row(results, setting, f"{value:g} {text}", "batch norm", here[here["norm"] == "batch"], here, kinds)
            )
    cells = results.select("nets", setting=setting)
    for arm in ("checkpoints", "bfloat16"):
        own = results.select("savers", setting=setting, arm=arm)
        if len(own) and len(cells):
            rows.append(_row(results, setting, "of the recipe", f"batch norm, {arm}", own, cells, kinds))
    return rows


def _row(
    results: Results,
    setting: str,
    net: str,
    method: str,
    own: pd.DataFrame,
    beside: pd.DataFrame,
    kinds: dict[str, str],
) -> dict[str, Any]:
    bare = beside[beside["norm"] == "none"]
    none = {kind: results.by_seed(bare, f"cost.{kind}") for kind in kinds.values()}
    return {"data": results.title(setting), "net": net, "batch": _batch(results, setting), "method": method} | {
        name: _over(results.by_seed(own, f"cost.{kind}"), none[kind.removesuffix("_folded")])
        for name, kind in kinds.items()
    }


def _batch(results: Results, setting: str) -> int:
    """Images in a batch of the recipe."""
    return results.configs[setting].data.batch_size


def _synchronized(results: Results, setting: str) -> list[dict[str, Any]]:
    """Synchronized batch norm over the same norm without the exchange, and what the exchange sends."""
    cells = results.select("synchronized", setting=setting)
    rows = []
    for count in (2, 4) if len(cells) else ():
        alone = results.by_seed(cells, f"cost.unsynchronized_{count}")
        rows.append(
            {"data": results.title(setting), "net": f"CNN, {count} processes (one machine)", "batch": 16,
             "method": "synchronized BN over unsynchronized",
             "training step": _over(results.by_seed(cells, f"cost.step_{count}"), alone),
             "bytes sent": _count(results.values(cells, f"cost.bytes_{count}"))}
        )  # fmt: skip
    return rows


def _over(own: dict[int, float], none: dict[int, float]) -> float:
    """The geometric mean of ratios over repetitions."""
    logs = [math.log(own[seed] / none[seed]) for seed in own if seed in none]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


def _count(values: list[float]) -> str:
    """A number that is the same in every repetition."""
    return f"{values[0]:,.0f}" if values else "–"


def figure(results: Results) -> Figure | None:
    """Every method's time, inference time and memory over those of the net without norm."""
    kinds = {"step": "training step", "inference": "inference", "peak_bytes": "peak memory of training"}
    plot, axes = plt.subplots(
        len(results.settings), len(kinds), figsize=(12, 5.2 * len(results.settings)), squeeze=False, sharey="row",
        layout="constrained",
    )  # fmt: skip
    for row, setting in zip(axes, results.settings, strict=True):
        rows = results.select("nets", setting=setting)
        found = set(rows["norm"]) if len(rows) else set()
        norms = [norm for norm in COLOURS if norm in found and norm != "none"]
        row[0].set_ylabel(f"{results.title(setting)}, batch {_batch(results, setting)}")
        for ax, (measure, title) in zip(row, kinds.items(), strict=True):
            none = results.by_seed(rows[rows["norm"] == "none"], f"cost.{measure}") if len(rows) else {}
            for place, norm in enumerate(norms):
                own = results.by_seed(rows[rows["norm"] == norm], f"cost.{measure}")
                draw_ratio(ax, place, [own[seed] / none[seed] for seed in own if seed in none], norm)
            ax.axvline(1, color="#24292f", linewidth=0.8)
            ax.set(title=title, xlabel="over the net without norm")
            ax.set_xlim(0, ax.get_xlim()[1] * 1.12)
            ax.grid(visible=False, axis="y")
            ax.xaxis.set_major_formatter(lambda value, _: f"×{value:g}")
        row[0].set_yticks(range(len(norms)), [method_title(norm) for norm in norms], fontsize=9)
        row[0].set_ylim(len(norms) - 0.5, -0.5)
    return plot


def draw_ratio(ax: Axes, place: int, ratios: list[float], norm: str) -> None:
    """A bar with its 95 % interval."""
    if ratios:
        mean, low, high = mean_and_interval(ratios)
        ax.barh(
            place, mean, height=0.62, color=COLOURS[norm], xerr=[[mean - low], [high - mean]], error_kw={"linewidth": 1}
        )
        ax.text(high + 0.04, place, f"×{mean:.2f}", va="center", fontsize=8)
