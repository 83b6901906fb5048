"""Test accuracy of each arm by cell and order of pixels."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from normlab.report.results import Results
from normlab.report.style import COLOURS, accuracy_axis, draw_points

# arm: (grid, title, colour)
ARMS = {
    "none": ("without", "no norm", COLOURS["none"]),
    "as it is": ("as_it_is", "batch norm\nas it is", COLOURS["batch"]),
    "batch": ("normed", "batch norm,\nfirst states\nnoisy", COLOURS["batch"]),
    "read": ("normed", "batch norm\nat what is\nread alone", COLOURS["batch"]),
    "layer": ("normed", "layer norm", COLOURS["layer"]),
    "weight": ("without", "weight norm", COLOURS["weight"]),
}


def figure(results: Results) -> Figure | None:
    """A row a setting, a panel a cell: a column an arm, a dot a seed; the line is the linear model."""
    made = [setting for setting in results.settings if len(results.select("without", setting=setting, level="best"))]
    if not made:
        return None
    plot, axes = plt.subplots(len(made), 2, figsize=(12, 3.8 * len(made)), squeeze=False, layout="constrained")
    for row, setting in zip(axes, made, strict=True):
        for ax, cell in zip(row, ("lstm", "gru"), strict=True):
            _arms(ax, results, setting, cell)
    return plot


def _arms(ax: Axes, results: Results, setting: str, cell: str) -> None:
    for place, (arm, (grid, _, colour)) in enumerate(ARMS.items()):
        axes = {} if grid == "as_it_is" else {"arm": arm}
        rows = results.select(grid, setting=setting, cell=cell, level="best", **axes)
        if len(rows):
            draw_points(ax, place, [100 * v for v in results.values(rows, "test_accuracy")], colour)
    linear = results.linear(setting)
    if linear is not None:
        ax.axhline(100 * linear, color="#57606a", linestyle=":", label=f"linear model, {100 * linear:.1f} %")
        ax.legend(loc="lower right", fontsize=8)
    ax.set_xticks(range(len(ARMS)), [title for _, title, _ in ARMS.values()], fontsize=8)
    ax.set_title(f"{results.title(setting)}: {cell.upper()}")
    accuracy_axis(ax)
