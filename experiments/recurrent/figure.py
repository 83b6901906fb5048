"""Test accuracy of each arm by cell and order of pixels."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from normlab.report.results import Results
from normlab.report.style import COLOURS, accuracy_axis, draw_points

ARMS = {
    "none": ("none", COLOURS["none"]),
    "batch": ("batch norm,\neach step", COLOURS["batch"]),
    "shared": ("batch norm,\nat what is read", COLOURS["batch"]),
    "layer": ("layer norm", COLOURS["layer"]),
    "weight": ("weight norm", COLOURS["weight"]),
}


def figure(results: Results) -> Figure | None:
    """A row a setting, a panel a cell: a column an arm, a dot a seed; the line is the linear model."""
    made = [setting for setting in results.settings if len(results.select("cells", setting=setting, level="best"))]
    if not made:
        return None
    plot, axes = plt.subplots(len(made), 2, figsize=(11, 3.6 * len(made)), squeeze=False, layout="constrained")
    for row, setting in zip(axes, made, strict=True):
        for ax, cell in zip(row, ("lstm", "gru"), strict=True):
            _arms(ax, results, setting, cell)
    return plot


def _arms(ax: Axes, results: Results, setting: str, cell: str) -> None:
    for place, (arm, (_, colour)) in enumerate(ARMS.items()):
        rows = results.select("cells", setting=setting, cell=cell, arm=arm, level="best")
        if len(rows):
            draw_points(ax, place, [100 * v for v in results.values(rows, "test_accuracy")], colour)
    linear = results.linear(setting)
    if linear is not None:
        ax.axhline(100 * linear, color="#57606a", linestyle=":", label=f"linear model, {100 * linear:.1f} %")
        ax.legend(loc="lower right", fontsize=8)
    ax.set_xticks(range(len(ARMS)), [title for title, _ in ARMS.values()], fontsize=8)
    ax.set_title(f"{results.title(setting)}: {cell.upper()}")
    accuracy_axis(ax)
