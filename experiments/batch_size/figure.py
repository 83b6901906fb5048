"""Test accuracy over the images that share statistics, and over true batches."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from normlab.report.results import Results
from normlab.report.style import COLOURS, accuracy_axis, draw_line, method_title, plain_log_axis

READ_WITH = {
    "test_accuracy": ("running statistics", "-", "o"),
    "test_accuracy_recalibrated": ("recalibrated", "--", "s"),
}


def figure(results: Results) -> Figure | None:
    """A row a setting: shared statistics on the left, true batches on the right where they were run."""
    with_true = [s for s in results.settings if len(results.select("batches", setting=s, level="best"))]
    rows = len(results.settings)
    plot, axes = plt.subplots(
        rows, 2 if with_true else 1, figsize=(11 if with_true else 6, 3.7 * rows), squeeze=False, layout="constrained"
    )
    for row, setting in zip(axes, results.settings, strict=True):
        _shared(row[0], results, setting)
        if setting in with_true:
            _true(row[1], results, setting)
        elif with_true:
            row[1].set_axis_off()
    return plot


def _shared(ax: Axes, results: Results, setting: str) -> None:
    rows = results.select("shared", setting=setting, level="best")
    for measure, (label, line, marker) in READ_WITH.items():
        sizes = sorted(rows["shared"].unique(), key=int) if len(rows) else []
        groups = [[100 * v for v in results.values(rows[rows["shared"] == size], measure)] for size in sizes]
        if sizes:
            draw_line(
                ax, [int(s) for s in sizes], groups, label=label, colour=COLOURS["batch"], linestyle=line, marker=marker
            )
    whole = int(results.design.at(results.scale).settings[setting].constants["batch"])
    ax.set(
        title=f"{results.title(setting)}: batch norm, optimizer's batch {whole}",
        xlabel="images that share statistics",
    )
    _finish(ax)


def _true(ax: Axes, results: Results, setting: str) -> None:
    arms = {
        "none": ("batches", {"norm": "none"}),
        "batch": ("batches", {"norm": "batch"}),
        "renorm": ("renorm", {}),
        "cross_iteration": ("cross_iteration", {}),
    }
    for norm, (grid, axes) in arms.items():
        rows = results.select(grid, setting=setting, level="best", **axes)
        sizes = sorted(rows["batch"].unique(), key=int) if len(rows) else []
        groups = [[100 * v for v in results.values(rows[rows["batch"] == size], "test_accuracy")] for size in sizes]
        if sizes:
            draw_line(ax, [int(s) for s in sizes], groups, label=method_title(norm), colour=COLOURS[norm])
    ax.set(title=f"{results.title(setting)}: true batches, equal epochs", xlabel="batch size")
    _finish(ax)


def _finish(ax: Axes) -> None:
    accuracy_axis(ax)
    plain_log_axis(ax, base=2)
    if ax.lines:
        ax.legend(loc="lower right", fontsize=8)
