"""Test accuracy over ε, each at its best rate."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from normlab.report.results import Results
from normlab.report.style import COLOURS, accuracy_axis, draw_line, plain_log_axis


def figure(results: Results) -> Figure | None:
    """A panel for each setting."""
    settings = [s for s in results.settings if len(results.select("epsilons", setting=s, level="best"))]
    if not settings:
        return None
    plot, axes = plt.subplots(1, len(settings), figsize=(5.6 * len(settings), 4.0), squeeze=False, layout="constrained")
    for ax, setting in zip(axes[0], settings, strict=True):
        _epsilons(ax, results, setting)
    return plot


def _epsilons(ax: Axes, results: Results, setting: str) -> None:
    rows = results.select("epsilons", setting=setting, level="best")
    values = sorted(rows["norm.eps"].unique())
    groups = [[100 * v for v in results.values(rows[rows["norm.eps"] == value], "test_accuracy")] for value in values]
    if all(groups):
        draw_line(ax, values, groups, label="", colour=COLOURS["batch"])
    ax.set(title=results.title(setting), xlabel="ε added to the variance")
    plain_log_axis(ax)
    accuracy_axis(ax)
