"""Test accuracy over the length of training, of nets of other sizes and over configurations; the loss from step to step."""

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
        ("lengths", _lengths), ("nets", _nets), ("configurations", _configurations), ("curves", _curves)
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
    return plot


def _lengths(ax: Axes, results: Results, setting: str) -> None:
    """Each length annealed over its own steps, at its best rate."""
    for norm in ("none", "batch"):
        rows = results.select("lengths", setting=setting, norm=norm, level="best")
        epochs = sorted(rows["training.epochs"].unique())
        groups = [
            [100 * v for v in results.values(rows[rows["training.epochs"] == each], "test_accuracy_recalibrated")]
            for each in epochs
        ]
        if all(groups):
            draw_line(ax, epochs, groups, label=method_title(norm), colour=COLOURS[norm])
    ax.set(title=f"{results.title(setting)}: by length", xlabel="epochs of training")
    plain_log_axis(ax, base=2)
    ax.legend(fontsize=8)
    accuracy_axis(ax)


def _nets(ax: Axes, results: Results, setting: str) -> None:
    """A pair of columns a net."""
    rows = results.select("nets", setting=setting, level="best")
    nets = list(dict.fromkeys(zip(rows["width"], rows["net.depth"], strict=True)))
    for place, (width, depth) in enumerate(nets):
        for norm, shift in (("none", -0.15), ("batch", 0.15)):
            cell = rows[(rows["width"] == width) & (rows["net.depth"] == depth) & (rows["norm"] == norm)]
            accuracies = [100 * v for v in results.values(cell, "test_accuracy_recalibrated")]
            if accuracies:
                draw_points(ax, place + shift, accuracies, COLOURS[norm], label=None if place else method_title(norm))
    ax.set_xticks(range(len(nets)), [f"width {width},\ndepth {depth}" for width, depth in nets], fontsize=8)
    ax.set_title(f"{results.title(setting)}: width and depth")
    ax.legend(fontsize=8)
    accuracy_axis(ax)


def _curves(ax: Axes, results: Results, setting: str) -> None:
    """The loss of the first seed, step by step."""
    for norm in ("none", "batch"):
        rows = results.select("curves", setting=setting, norm=norm).sort_values("seed")
        if len(rows):
            history = results.store.history(str(rows["run_key"].iloc[0]))
            ax.plot(
                history["step"], history["probe_loss"], color=COLOURS[norm], linewidth=0.8, label=method_title(norm)
            )
    ax.set(
        title=f"{results.title(setting)}: one seed, constant rate",
        xlabel="step",
        ylabel="loss on 256 validation images",
    )
    ax.set_yscale("log")
    ax.legend(fontsize=8)


def _configurations(ax: Axes, results: Results, setting: str) -> None:
    """A dot a configuration."""
    rows = results.select("configurations", setting=setting, level="best")
    _columns(ax, results, {norm: rows[rows["norm"] == norm] for norm in dict.fromkeys(rows["norm"])})
    ax.set_title(f"{results.title(setting)}: {rows['seed'].nunique()} configurations")
    accuracy_axis(ax)


def _columns(ax: Axes, results: Results, arms: dict[str, object]) -> None:
    for place, (norm, rows) in enumerate(arms.items()):
        draw_points(ax, place, [100 * v for v in results.values(rows, "test_accuracy_recalibrated")], COLOURS[norm])  # type: ignore[arg-type]
    ax.set_xticks(range(len(arms)), [method_title(norm) for norm in arms], fontsize=8)
