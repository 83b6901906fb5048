"""Validation accuracy over the learning rate, for each optimizer with and without batch norm."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from normlab.report.results import Results
from normlab.report.style import COLOURS, DATA_TITLES, accuracy_axis, draw_line, method_title, plain_log_axis

# Of the figure: norm, measure and line.
LINES = (
    ("none", "validation_accuracy", "-"),
    ("batch", "validation_accuracy", "-"),
    ("batch", "validation_accuracy_recalibrated", "--"),
)


def figure(results: Results) -> Figure | None:
    """Validation accuracy over the learning rate, for each optimizer with and without batch norm."""
    optimizers = {"sgd_rates": "SGD, momentum 0.9", "adam_rates": "Adam", "rmsprop_rates": "RMSprop"}
    plot, axes = plt.subplots(
        len(results.settings),
        3,
        figsize=(11.5, 3.3 * len(results.settings)),
        squeeze=False,
        layout="constrained",
        sharey="row",
    )
    for row, setting in zip(axes, results.settings, strict=True):
        for ax, (grid, title) in zip(row, optimizers.items(), strict=True):
            for norm, measure, line in LINES:
                rows = results.select(grid, setting=setting, norm=norm)
                rates = sorted(rate for rate in rows["optimizer.lr"].unique()) if len(rows) else []
                groups = [
                    [100 * v for v in results.values(rows[rows["optimizer.lr"] == rate], measure)] for rate in rates
                ]
                common = [(r, g) for r, g in zip(rates, groups, strict=True) if len(g) >= len(results.seeds)]
                if common:
                    x, y = [rate for rate, _ in common], [group for _, group in common]
                    label = method_title(norm) + (", recalibrated statistics" if line == "--" else "")
                    draw_line(ax, x, y, label=label, colour=COLOURS[norm], linestyle=line)
            ax.set(title=f"{DATA_TITLES[setting]}: {title}", xlabel="learning rate")
            plain_log_axis(ax)
        accuracy_axis(row[0], "validation accuracy, %")
    handles, labels = axes[0][0].get_legend_handles_labels()
    plot.legend(handles, labels, loc="outside upper left", ncols=3, fontsize=8, handlelength=3)
    return plot
