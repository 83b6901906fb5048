"""Test accuracy of the usual arms by recipe, against the linear model on the same images."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from normlab.report.results import Results
from normlab.report.style import COLOURS, accuracy_axis, draw_points, method_title


def figure(results: Results) -> Figure | None:
    """A panel a setting: a column an arm, a dot a seed; the line is the linear model."""
    made = [setting for setting in results.settings if len(results.select("base", setting=setting, level="best"))]
    if not made:
        return None
    plot, axes = plt.subplots(1, len(made), figsize=(1.2 + 3.6 * len(made), 3.9), squeeze=False, layout="constrained")
    for ax, setting in zip(axes[0], made, strict=True):
        found = results.select("base", setting=setting, level="best")
        arms = list(dict.fromkeys(found["norm"]))
        for place, arm in enumerate(arms):
            values = [100 * v for v in results.values(found[found["norm"] == arm], "test_accuracy")]
            draw_points(ax, place, values, COLOURS[arm])
        linear = results.linear(setting)
        if linear is not None:
            ax.axhline(100 * linear, color="#57606a", linestyle=":", label=f"linear model, {100 * linear:.1f} %")
            ax.legend(loc="center right", fontsize=8)
        ax.set_xticks(range(len(arms)), [method_title(arm).replace(" ", "\n") for arm in arms], fontsize=8)
        ax.set_title(f"{results.title(setting)}, recipe {results.recipe(setting)}")
        ax.set_xlabel("")
        accuracy_axis(ax, "test accuracy, %" if ax is axes[0][0] else "")
    return plot
