"""Accuracy over the severity of corruptions and of changes of style, and over the amount of target images."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from normlab.data.corruptions import SEVERITIES
from normlab.report.results import Results
from normlab.report.style import COLOURS, DATA_TITLES, accuracy_axis, draw_line, draw_points, method_title
from normlab.training.robustness import AMOUNTS

NORMS = ("none", "batch", "layer", "group", "instance")


def figure(results: Results) -> Figure | None:
    """Accuracy over the severity of corruptions and of changes of style, and over the amount of target images."""
    plot, axes = plt.subplots(
        len(results.settings), 3, figsize=(12.5, 3.5 * len(results.settings)), squeeze=False, layout="constrained"
    )
    for (left, middle, right), setting in zip(axes, results.settings, strict=True):
        for norm in NORMS:
            rows = results.select("trained", setting=setting, norm=norm, level="best")
            for ax, prefix in ((left, "accuracy"), (middle, "accuracy_style")):
                names = ["accuracy_clean", *(f"{prefix}_{severity}" for severity in SEVERITIES)]
                _line(ax, results, rows, names, method_title(norm), COLOURS[norm], "-")
            if norm == "batch":
                names = ["accuracy_clean_adapted", *(f"accuracy_adapted_{severity}" for severity in SEVERITIES)]
                _line(left, results, rows, names, "batch norm, target's statistics", COLOURS[norm], "--")
                amounts = ["accuracy_3", *(f"accuracy_adapted_of_{amount}" for amount in AMOUNTS)]
                for place, name in enumerate(amounts):
                    values = [100 * v for v in results.values(rows, f"corruptions.{name}")]
                    draw_points(right, place, values, COLOURS[norm])
        for ax, title in ((left, "ten corruptions"), (middle, "contrast and brightness an image")):
            ax.set(title=f"{DATA_TITLES[setting]}: {title}", xlabel="severity (0: clean)")
            accuracy_axis(ax)
        right.set_xticks(range(len(AMOUNTS) + 1), ["stored", *map(str, AMOUNTS)])
        right.set(
            title=f"{DATA_TITLES[setting]}: batch norm, severity 3", xlabel="target images that statistics are from"
        )
        right.set_xlim(-0.5, len(AMOUNTS) + 0.5)
        right.set_ylabel("test accuracy, %")
    handles, labels = axes[0][0].get_legend_handles_labels()
    plot.legend(handles, labels, loc="outside upper left", ncols=3)
    return plot


def _line(
    ax: Axes, results: Results, rows: pd.DataFrame, names: list[str], label: str, colour: str, linestyle: str
) -> None:
    groups = [[100 * v for v in results.values(rows, f"corruptions.{name}")] for name in names]
    if all(groups):
        draw_line(ax, range(len(names)), groups, label=label, colour=colour, linestyle=linestyle)
