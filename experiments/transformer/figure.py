"""How accurate transformers are with each norm, before and behind their branches."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from normlab.report.results import Results
from normlab.report.style import COLOURS, accuracy_axis, draw_points, legend_of_dots, method_title

NORMS = ("none", "batch", "layer", "rms", "dynamic_tanh")
PLACES = {"pre": "before the branch", "after": "behind the sum"}


def figure(results: Results) -> Figure | None:
    """A panel a task: columns of places, a dot a seed."""
    plot, axes = plt.subplots(
        1, len(results.settings), figsize=(5.6 * len(results.settings), 4), squeeze=False, layout="constrained"
    )
    for ax, setting in zip(axes[0], results.settings, strict=True):
        for place, name in enumerate(PLACES):
            for index, norm in enumerate(NORMS):
                rows = results.select("branches", setting=setting, norm=norm, net__placement=name, level="best")
                if values := [100 * value for value in results.values(rows, "test_accuracy")]:
                    draw_points(ax, place + 0.16 * (index - 2), values, COLOURS[norm])
        ax.set_xticks(range(len(PLACES)), list(PLACES.values()))
        ax.set_title(results.title(setting))
        accuracy_axis(ax)
    legend_of_dots(plot, {method_title(norm): COLOURS[norm] for norm in NORMS}, len(NORMS))
    return plot
