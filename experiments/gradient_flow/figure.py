"""Growth of gradients per layer at initialization beside theory, and the accuracy of trained nets, over depth."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, NullFormatter

from experiments.gradient_flow.claims import ACTIVATIONS
from normlab.nets.mean_field import gradient_growth
from normlab.report.results import Results
from normlab.report.style import COLOURS, DATA_TITLES, accuracy_axis, draw_line, method_title


def figure(results: Results) -> Figure | None:
    """Growth of gradients per layer at initialization beside theory, and the accuracy of trained nets, over depth."""
    activations = [a for a in ACTIVATIONS if len(results.select("at_init", net__activation=a))]
    if not activations:
        return None
    count = len(results.settings)
    plot, axes = plt.subplots(
        2 * count, len(activations), figsize=(4.2 * len(activations), 5.4 * count), squeeze=False, layout="constrained",
    )  # fmt: skip
    for place, setting in enumerate(results.settings):
        above, below = axes[2 * place], axes[2 * place + 1]
        for ax, activation in zip(above, activations, strict=True):
            for norm in ("none", "batch"):
                for net, line in (("mlp", "-"), ("conv", ":")):
                    rows = results.select("at_init", setting=setting, norm=norm, net=net, net__activation=activation)
                    label = f"{method_title(norm)}, {'MLP' if net == 'mlp' else 'convolutions'}"
                    draw_depths(ax, results, rows, "gradient_flow.growth", 1.0, label, norm, line)
                draw_theory(ax, norm, activation)
            ax.set_title(f"{DATA_TITLES[setting]}, {activation}: at initialization")
            ax.set_yscale("log")
            ax.yaxis.set_major_locator(LogLocator(base=10, subs=(1, 1.25, 1.5, 2, 3, 4, 5, 6, 8), numticks=20))
            ax.yaxis.set_major_formatter(lambda value, _: f"×{value:.3g}")
            ax.yaxis.set_minor_formatter(NullFormatter())
        above[0].set_ylabel("gradient's growth\nto the layer below")
        for ax, activation in zip(below, activations, strict=True):
            for norm in ("none", "batch"):
                rows = results.select("deep", setting=setting, norm=norm, net__activation=activation, level="best")
                draw_depths(ax, results, rows, "test_accuracy", 100.0, f"{method_title(norm)}, MLP", norm, "-")
            ax.set_title(f"{DATA_TITLES[setting]}, {activation}: trained MLPs")
            ax.sharey(below[0])
        accuracy_axis(below[0])
    handles, labels = axes[0][-1].get_legend_handles_labels()
    plot.legend(handles, labels, loc="outside upper left", ncols=4, fontsize=9)
    return plot


def draw_depths(
    ax: Axes, results: Results, rows: pd.DataFrame, measure: str, unit: float, label: str, norm: str, line: str
) -> None:
    """A measure over depth."""
    depths = sorted(rows["net.depth"].unique()) if len(rows) else []
    groups = [[unit * v for v in results.values(rows[rows["net.depth"] == depth], measure)] for depth in depths]
    if depths and all(groups):
        draw_line(ax, depths, groups, label=label, colour=COLOURS[norm], linestyle=line)
        ax.set_xscale("log", base=2)
        ax.set_xticks(depths, [str(int(depth)) for depth in depths])
        ax.minorticks_off()
    ax.set_xlabel("depth, layers")


def draw_theory(ax: Axes, norm: str, activation: str) -> None:
    """What mean-field theory says, as a thin line with its value."""
    theory = gradient_growth(norm, activation, "kaiming")
    ax.axhline(theory, color=COLOURS[norm], linewidth=1, linestyle=(0, (1, 3)))
    label = ax.annotate(
        f"theory ×{theory:.2f}", (0.5, theory), xycoords=("axes fraction", "data"), xytext=(0, 2 if norm == "batch" else -2),
        textcoords="offset points", ha="center", va="bottom" if norm == "batch" else "top", fontsize=7.5, color=COLOURS[norm],
    )  # fmt: skip
    label.set_path_effects([withStroke(linewidth=3, foreground="white")])
