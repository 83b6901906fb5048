"""Test accuracy from every start of the weights, at the rate that is best from the usual one."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from normlab.report.results import Results
from normlab.report.style import COLOURS, draw_row, legend_of_dots, method_title

ARMS = {"none": -0.2, "batch": 0.2}  # and where they stand in their row


def figure(results: Results) -> Figure | None:
    """A panel a setting, a row a start: a dot a seed without norm and with batch norm; the line is the linear model."""
    found = {setting: _started(results, setting) for setting in results.settings}
    made = {setting: rows for setting, rows in found.items() if len(rows)}
    if not made:
        return None
    plot, axes = plt.subplots(1, len(made), figsize=(6.4 * len(made), 4.8), squeeze=False, layout="constrained")
    for ax, (setting, rows) in zip(axes[0], made.items(), strict=True):
        _panel(ax, results, setting, rows)
    legend_of_dots(plot, {method_title(norm): COLOURS[norm] for norm in ARMS}, columns=2)
    return plot


def _started(results: Results, setting: str) -> pd.DataFrame:
    """The cells of whichever range of starts the setting has."""
    rows = results.select("failures", setting=setting, level="standard")
    return rows if len(rows) else results.select("failures_six", setting=setting, level="standard")


def _panel(ax: Axes, results: Results, setting: str, rows: pd.DataFrame) -> None:
    starts = list(dict.fromkeys(rows["init"]))
    for place, start in enumerate(starts):
        for norm, shift in ARMS.items():
            cell = rows[(rows["init"] == start) & (rows["norm"] == norm)]
            accuracies = [100 * value for value in results.values(cell, "test_accuracy")]
            if accuracies:
                draw_row(ax, place + shift, accuracies, COLOURS[norm])
    linear = results.linear(setting)
    if linear is not None:
        ax.axvline(100 * linear, color="#57606a", linestyle=":", label=f"linear model, {100 * linear:.1f} %")
        ax.legend(loc="lower left", fontsize=8)
    ax.set_yticks(range(len(starts)), starts, fontsize=9)
    ax.set_ylim(len(starts) - 0.4, -0.6)
    ax.set(title=f"{results.title(setting)}: each arm at its best rate from He et al.'s", xlabel="test accuracy, %", xlim=(0, 101))
