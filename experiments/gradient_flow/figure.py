"""Growth of gradients per layer at initialization beside theory, and the accuracy of trained nets, over depth."""

from collections.abc import Callable
from dataclasses import dataclass

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from experiments.gradient_flow.claims import ACTIVATIONS, GROWTH, SCALES
from normlab.nets.mean_field import CRITICAL, gradient_growth
from normlab.report.results import Results
from normlab.report.style import COLOURS, accuracy_axis, draw_line, draw_points, legend_of_dots, method_title

COLUMNS = 3
NORMS = ("none", "batch")
THEORY = "#57606a"


@dataclass(frozen=True)
class Panel:
    """A title, and what draws it."""

    title: str
    draw: Callable[[Axes], None]


def figure(results: Results) -> Figure | None:
    """Panels, three a row: growth at initialization for each activation, accuracy over depth for each kind of net."""
    panels = [*_starts(results), *_depths(results)]
    if not panels:
        return None
    rows = -(-len(panels) // COLUMNS)
    plot, axes = plt.subplots(rows, COLUMNS, figsize=(13, 3.5 * rows), squeeze=False, layout="constrained")
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    for ax, panel in zip(axes.flat, panels, strict=False):
        panel.draw(ax)
        ax.set_title(panel.title)
    dots = {method_title(norm): COLOURS[norm] for norm in NORMS} | {"mean-field theory": THEORY}
    legend_of_dots(plot, dots, columns=3)
    return plot


def _starts(results: Results) -> list[Panel]:
    """The deepest MLPs at initialization, a panel an activation."""
    setting = results.settings[0]
    found = []
    for activation in ACTIVATIONS:
        rows = results.select(f"at_init_{activation}", setting=setting, net="mlp", net__depth=64)
        if len(rows):
            title = f"{results.title(setting)}, MLP of 64 layers,\n{activation}: at initialization"
            found.append(Panel(title, _growth(results, rows, activation)))
    return found


def _growth(results: Results, rows: pd.DataFrame, activation: str) -> Callable[[Axes], None]:
    def draw(ax: Axes) -> None:
        starts = [*(f"none, {scale}" for scale in SCALES), "batch"]
        for place, start in enumerate(starts):
            norm, _, scale = start.partition(", ")
            draw_points(ax, place, results.values(rows[rows["start"] == start], GROWTH), COLOURS[norm])
            theory = gradient_growth(norm, activation, CRITICAL[activation] * SCALES.get(scale, 1.0) ** 2)
            ax.plot([place - 0.3, place + 0.3], [theory, theory], color=THEORY, linewidth=1.2, linestyle=(0, (3, 2)))
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(base=10, subs=(1, 1.5, 2, 3, 5, 7), numticks=20))
        ax.yaxis.set_major_formatter(lambda value, _: f"×{value:.3g}")
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.axhline(1, color=THEORY, linewidth=0.7)
        ax.set_ylabel("gradient's growth\nto the layer below")
        ax.set_xticks(range(len(starts)), [*(f"no norm,\n{scale}" for scale in SCALES), "batch\nnorm"], fontsize=8)

    return draw


def _depths(results: Results) -> list[Panel]:
    """Accuracy over depth, a panel a kind of net."""
    found = []
    for setting in results.settings:
        title = results.title(setting)
        for activation in ACTIVATIONS:
            rows = results.select("deep", setting=setting, activation=activation, level="best")
            if len(rows):
                found.append(Panel(f"{title}, MLP, {activation}: trained", _accuracy(results, rows, "net.depth")))
        for grid, kind, axis in (
            ("plain", "convolutions", "depth"),
            ("skips", "convolutions with skips", "net.depth"),
        ):
            rows = results.select(grid, setting=setting, level="best")
            if len(rows):
                found.append(Panel(f"{title}, {kind}: trained", _accuracy(results, rows, axis)))
    return found


def _accuracy(results: Results, rows: pd.DataFrame, axis: str) -> Callable[[Axes], None]:
    def draw(ax: Axes) -> None:
        numbers = rows[axis].astype(int)
        for norm in NORMS:
            depths = sorted(numbers[rows["norm"] == norm].unique())
            groups = [
                [100 * v for v in results.values(rows[(rows["norm"] == norm) & (numbers == depth)], "test_accuracy")]
                for depth in depths
            ]
            if depths and all(groups):
                draw_line(ax, depths, groups, label=method_title(norm), colour=COLOURS[norm])
        depths = sorted(numbers.unique())
        ax.set_xscale("log", base=2)
        ax.set_xticks(depths, [str(depth) for depth in depths])
        ax.minorticks_off()
        ax.set_xlabel("depth, layers")
        accuracy_axis(ax)

    return draw
