"""How well each arm does on each task, beside a simple model."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.tabular_series.published import GRIDS, measure, simple_model
from normlab.report.results import Results
from normlab.report.style import COLOURS, draw_points, method_title

COLUMNS = 3


def figure(results: Results) -> Figure | None:
    """A panel a setting: a column an arm, a dot a seed; the line is the simple model."""
    found = {
        setting: rows
        for setting in results.settings
        for grid in GRIDS
        if len(rows := results.select(grid, setting=setting, level="best"))
    }
    if not found:
        return None
    count = -(-len(found) // COLUMNS)
    columns = min(COLUMNS, len(found))
    plot, axes = plt.subplots(count, columns, figsize=(4.2 * columns, 3.6 * count), squeeze=False, layout="constrained")
    for ax in axes.flat[len(found) :]:
        ax.set_axis_off()
    for ax, (setting, rows) in zip(axes.flat, found.items(), strict=False):
        _arms(ax, results, setting, rows)
    return plot


def _arms(ax: Axes, results: Results, setting: str, rows: pd.DataFrame) -> None:
    config = results.configs[setting]
    arms = list(dict.fromkeys(rows["norm"]))
    for place, arm in enumerate(arms):
        values = [100 * v for v in results.values(rows[rows["norm"] == arm], measure(config))]
        draw_points(ax, place, values, COLOURS[arm])
    simple = 100 * simple_model(results, setting)
    if simple == simple:
        ax.axhline(simple, color="#57606a", linestyle=":")
    ax.set_xticks(range(len(arms)), [method_title(arm) for arm in arms], fontsize=7)
    ax.set_title(f"{results.title(setting)}\n(dotted: simple model, {simple:.1f} %)", fontsize=9)
    more = measure(config) == "test_accuracy"
    ax.set_ylabel("test accuracy, %" if more else "unexplained variance, %\n(less is better)", fontsize=8)
