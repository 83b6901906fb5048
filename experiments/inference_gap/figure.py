"""Test accuracy by kind of statistics: over the images that share statistics at both schedules, and over the decay for each training."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.inference_gap.claims import SCHEDULES, SHAPES
from normlab.report.results import Results
from normlab.report.style import COLOURS, accuracy_axis, draw_line

LADDER = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999)
LOOKS = {
    "": ("running, decay 0.9", "-", "o"),
    "_recalibrated": ("recalibrated", "--", "s"),
    "_batch": ("the batch's own", ":", "^"),
}
# Shades of batch norm's colour with marks of their own: other hues would mean other methods.
LOOKS_OF = {"long": ("#0072B2", "o"), "short": ("#56B4E9", "s"), "constant": ("#004166", "^")}


def figure(results: Results) -> Figure | None:
    """A row a setting."""
    plot, axes = plt.subplots(
        len(results.settings), 3, figsize=(12.5, 3.7 * len(results.settings)), squeeze=False, layout="constrained"
    )
    for row, setting in zip(axes, results.settings, strict=True):
        for ax, (grid, schedule) in zip(row, SCHEDULES.items(), strict=False):
            _sizes(ax, results, setting, grid)
            ax.set(title=f"{results.title(setting)}: {schedule}", xlabel="images that share statistics")
        _decays(row[2], results, setting)
        for ax in row:
            accuracy_axis(ax)
            if ax.get_legend_handles_labels()[0]:
                ax.legend(fontsize=7.5, handlelength=2.6)
    return plot


def _sizes(ax: Axes, results: Results, setting: str, grid: str) -> None:
    rows = results.select(grid, setting=setting, level="best")
    sizes = sorted(rows["shared"].unique(), key=int) if len(rows) else []
    for suffix, (label, line, marker) in LOOKS.items():
        groups = [
            [100 * v for v in results.values(rows[rows["shared"] == size], f"test_accuracy{suffix}")] for size in sizes
        ]
        if groups and all(groups):
            draw_line(ax, range(len(sizes)), groups, label, COLOURS["batch"], linestyle=line, marker=marker)
    ax.set_xticks(range(len(sizes)), sizes)


def _decays(ax: Axes, results: Results, setting: str) -> None:
    for training, schedule in SHAPES.items():
        rows = results.select("decays", setting=setting, training=training)
        groups = [[100 * v for v in results.values(rows, f"test_accuracy_decay_{decay:g}")] for decay in LADDER]
        if not all(groups):
            continue
        colour, marker = LOOKS_OF[training]
        draw_line(ax, range(len(LADDER)), groups, label=schedule, colour=colour, marker=marker)
        best = [100 * v for v in results.values(rows, "test_accuracy_recalibrated")]
        draw_line(ax, [0, len(LADDER) - 1], [best, best], "", colour, linestyle="--", marker="")
    ax.set_xticks(range(len(LADDER)), [f"{decay:g}" for decay in LADDER])
    ax.set(
        title=f"{results.title(setting)}: batches of 32 (dashed: recalibrated)", xlabel="decay of the running averages"
    )
