"""How far training comes over the learning rate, with and without batch norm."""

from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from normlab.report.results import Results
from normlab.report.style import COLOURS, accuracy_axis, draw_line, method_title, plain_log_axis


@dataclass(frozen=True)
class Panel:
    """Ladders of rates, one an arm, and what of their runs is drawn."""

    title: str
    none: str
    batch: str
    measure: str

    @property
    def is_loss(self) -> bool:
        return "loss" in self.measure


LOSS, ACCURACY = "train_loss_recalibrated", "validation_accuracy_recalibrated"
PANELS = (
    Panel("SGD", "none_rates", "batch_rates", LOSS),
    Panel("SGD, fourteen convolutions", "deep_none_rates", "deep_batch_rates", LOSS),
    Panel("SGD", "sgd_widths", "sgd_widths", ACCURACY),
    Panel("Adam", "adam_widths", "adam_widths", ACCURACY),
    Panel("RMSprop", "rmsprop_widths", "rmsprop_widths", ACCURACY),
)
COLUMNS = 3


def figure(results: Results) -> Figure | None:
    """A panel for each ladder and setting that has runs."""
    drawn = [
        (panel, setting)
        for panel in PANELS
        for setting in results.settings
        if len(results.select(panel.batch, setting=setting))
    ]
    if not drawn:
        return None
    rows = -(-len(drawn) // COLUMNS)
    columns = min(COLUMNS, len(drawn))
    plot, axes = plt.subplots(rows, columns, figsize=(3.9 * columns, 3.5 * rows), squeeze=False, layout="constrained")
    for ax in axes.flat[len(drawn) :]:
        ax.set_axis_off()
    for ax, (panel, setting) in zip(axes.flat, drawn, strict=False):
        _ladders(ax, results, panel, setting)
    plot.legend(*axes[0][0].get_legend_handles_labels(), loc="outside upper left", ncols=2, fontsize=9)
    return plot


def _ladders(ax: Axes, results: Results, panel: Panel, setting: str) -> None:
    """Means over seeds at the rates that every seed was run at."""
    scale = 1.0 if panel.is_loss else 100.0
    for norm, grid in (("none", panel.none), ("batch", panel.batch)):
        rows = results.select(grid, setting=setting, **({"norm": norm} if panel.none == panel.batch else {}))
        rates = sorted(rows["optimizer.lr"].unique()) if len(rows) else []
        groups = {
            rate: [scale * v for v in results.values(rows[rows["optimizer.lr"] == rate], panel.measure)]
            for rate in rates
        }
        most = max(map(len, groups.values()), default=0)
        common = [rate for rate in rates if len(groups[rate]) == most > 0]
        if common:
            draw_line(ax, common, [groups[r] for r in common], method_title(norm), COLOURS[norm])
    ax.set(title=f"{results.title(setting)}: {panel.title}", xlabel="learning rate")
    plain_log_axis(ax)
    if panel.is_loss:
        ax.set_ylabel("final training loss, nats")
    else:
        accuracy_axis(ax, "validation accuracy, %")
