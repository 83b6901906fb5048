"""Test accuracy over ε, each at its best rate."""

import matplotlib.pyplot as plt
import pandas as pd
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
        for value, group in zip(values, groups, strict=True):
            _failures(ax, value, group, rows[rows["norm.eps"] == value])
    ax.set(title=results.title(setting), xlabel="ε added to the variance")
    plain_log_axis(ax)
    accuracy_axis(ax)


def _failures(ax: Axes, value: float, accuracies: list[float], rows: pd.DataFrame) -> None:
    """Says at a mark how many nets did not train: they, not ε, have pulled the mean down."""
    failed = int((rows["status"] == "diverged").sum())
    if failed:
        ax.annotate(
            f"{failed} of {len(rows)}\ndo not train", (value, sum(accuracies) / len(accuracies)), xytext=(-8, -4),
            textcoords="offset points", fontsize=8, ha="right", va="top",
        )  # fmt: skip
