"""Test accuracy over the length of training, of all norms at large batches, and over configurations."""

from collections.abc import Callable

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from normlab.report.results import Results
from normlab.report.style import COLOURS, accuracy_axis, draw_line, draw_points, method_title, plain_log_axis

COLUMNS = 3


def figure(results: Results) -> Figure | None:
    """A panel for each grid and setting that has runs."""
    panels: tuple[tuple[str, Callable[[Axes, Results, str], None]], ...] = (
        ("lengths", _lengths), ("large_batch", _norms), ("configurations", _configurations)
    )  # fmt: skip
    drawn = [
        (draw, setting)
        for grid, draw in panels
        for setting in results.settings
        if len(results.select(grid, setting=setting))
    ]
    if not drawn:
        return None
    rows, columns = -(-len(drawn) // COLUMNS), min(COLUMNS, len(drawn))
    plot, axes = plt.subplots(rows, columns, figsize=(4.2 * columns, 3.6 * rows), squeeze=False, layout="constrained")
    for ax in axes.flat[len(drawn) :]:
        ax.set_axis_off()
    for ax, (draw, setting) in zip(axes.flat, drawn, strict=False):
        draw(ax, results, setting)
        accuracy_axis(ax)
    return plot


def _lengths(ax: Axes, results: Results, setting: str) -> None:
    """Each length annealed over its own steps, at its best rate."""
    for norm in ("none", "batch"):
        rows = results.select("lengths", setting=setting, norm=norm, level="best")
        epochs = sorted(rows["training.epochs"].unique())
        groups = [
            [100 * v for v in results.values(rows[rows["training.epochs"] == each], "test_accuracy")] for each in epochs
        ]
        if all(groups):
            draw_line(ax, epochs, groups, label=method_title(norm), colour=COLOURS[norm])
    ax.set(title=f"{results.title(setting)}: by length", xlabel="epochs of training")
    plain_log_axis(ax, base=2)
    ax.legend(fontsize=8)


def _norms(ax: Axes, results: Results, setting: str) -> None:
    rows = results.select("large_batch", setting=setting, level="best")
    _columns(ax, results, {norm: rows[rows["norm"] == norm] for norm in dict.fromkeys(rows["norm"])})
    ax.set_title(f"{results.title(setting)}: batches of 128")


def _configurations(ax: Axes, results: Results, setting: str) -> None:
    """A dot a configuration."""
    rows = results.select("configurations", setting=setting, level="best")
    _columns(ax, results, {norm: rows[rows["norm"] == norm] for norm in dict.fromkeys(rows["norm"])})
    ax.set_title(f"{results.title(setting)}: 40 configurations")


def _columns(ax: Axes, results: Results, arms: dict[str, object]) -> None:
    for place, (norm, rows) in enumerate(arms.items()):
        draw_points(ax, place, [100 * v for v in results.values(rows, "test_accuracy")], COLOURS[norm])  # type: ignore[arg-type]
    ax.set_xticks(range(len(arms)), [method_title(norm) for norm in arms], fontsize=8)
