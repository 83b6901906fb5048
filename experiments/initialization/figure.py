"""Test accuracy from every start of the weights, and of γ and β, each at its best rate."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from normlab.report.results import Results
from normlab.report.style import COLOURS, draw_row, legend_of_dots, method_title

ARMS = {"none": -0.2, "batch": 0.2}  # and where they stand in their row
STARTS = ("all_starts", "starts")  # the first of these that a setting has holds all of its starts
AFFINE = ("affine", "more_affine")


def figure(results: Results) -> Figure | None:
    """A panel a setting, a row a start: a dot a seed without norm and with batch norm; the line is the linear model."""
    panels = {}
    for setting in results.settings:
        weights = next((rows for grid in STARTS if len(rows := results.select(grid, setting=setting))), None)
        affine = [rows.assign(norm="batch") for grid in AFFINE if len(rows := results.select(grid, setting=setting))]
        if weights is not None:
            panels[setting, "weights"] = weights.rename(columns={"init": "from"})
        if affine:
            panels[setting, "γ and β"] = pd.concat(affine).drop_duplicates("run_key").rename(columns={"start": "from"})
    if not panels:
        return None
    plot, axes = plt.subplots(1, len(panels), figsize=(4.8 * len(panels), 4.8), squeeze=False, layout="constrained")
    for ax, ((setting, what), rows) in zip(axes[0], panels.items(), strict=True):
        _panel(ax, results, setting, what, rows)
    legend_of_dots(plot, {method_title(norm): COLOURS[norm] for norm in ARMS}, columns=2)
    return plot


def _panel(ax: Axes, results: Results, setting: str, what: str, rows: pd.DataFrame) -> None:
    starts, arms = list(dict.fromkeys(rows["from"])), [norm for norm in ARMS if norm in set(rows["norm"])]
    for place, start in enumerate(starts):
        for norm in arms:
            cell = rows[(rows["from"] == start) & (rows["norm"] == norm)]
            accuracies = [100 * value for value in results.values(cell, "test_accuracy_recalibrated")]
            if accuracies:
                draw_row(ax, place + (ARMS[norm] if len(arms) > 1 else 0), accuracies, COLOURS[norm])
    linear = results.linear(setting)
    if linear is not None and what == "weights":
        ax.axvline(100 * linear, color="#57606a", linestyle=":", label=f"linear model, {100 * linear:.1f} %")
        ax.legend(loc="lower left", fontsize=8)
        ax.set_xlim(0, 101)
    ax.set_yticks(range(len(starts)), starts, fontsize=9)
    ax.set_ylim(len(starts) - 0.4, -0.6)
    ax.set(title=f"{results.title(setting)}: where {what} start", xlabel="test accuracy, %")
