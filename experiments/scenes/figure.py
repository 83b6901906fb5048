"""How well things are found and outlined with each norm, by the size of batches, beside a simple model."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from experiments.scenes.published import GRIDS, simple_model
from normlab.report.results import Results
from normlab.report.style import COLOURS, draw_points, legend_of_dots, method_title

NORMS = ("none", "batch", "group")
LABELS = {"test_iou": "mean intersection over union, %", "test_average_precision": "average precision, %"}


def figure(results: Results) -> Figure | None:
    """A panel a task: columns of batch sizes, a dot a seed; the line is the simple model."""
    plot, axes = plt.subplots(
        1, len(results.settings), figsize=(5.2 * len(results.settings), 4), squeeze=False, layout="constrained"
    )
    for ax, (setting, config) in zip(axes[0], results.configs.items(), strict=True):
        grid, measure = GRIDS[config.task]
        rows = results.select(grid, setting=setting, level="best")
        sizes = sorted(rows["batch"].unique(), key=int) if len(rows) else []
        for place, size in enumerate(sizes):
            for shift, norm in zip((-0.25, 0.0, 0.25), NORMS, strict=True):
                values = results.values(rows[(rows["norm"] == norm) & (rows["batch"] == size)], measure)
                if values:
                    draw_points(ax, place + shift, [100 * value for value in values], COLOURS[norm])
        simple = 100 * simple_model(results, setting)
        if simple == simple:
            ax.axhline(simple, color="#57606a", linestyle=":")
        ax.set_xticks(range(len(sizes)), sizes)
        ax.set(
            title=f"{results.title(setting)} (dotted: simple model, {simple:.0f} %)",
            xlabel="scenes a batch",
            ylabel=LABELS[measure],
        )
    legend_of_dots(plot, {method_title(norm): COLOURS[norm] for norm in NORMS}, len(NORMS))
    return plot
