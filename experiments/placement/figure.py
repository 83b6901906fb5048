"""Test accuracy of each placement by net and activation, and of norms in each kind of layer."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from normlab.report.results import Results
from normlab.report.style import COLOURS, draw_points

PLACEMENTS = {
    "before": ("before the activation", "#0072B2"),
    "after": ("behind the activation", "#56B4E9"),
    "pre": ("before the layer", "#004166"),
}
LAYERS = {
    "none": "no norm",
    "fc": "fully\nconnected",
    "conv": "convolutions",
    "both": "both",
    "conv, after": "convolutions,\nbehind act.",
    "fc, after": "fully conn.,\nbehind act.",
}


def figure(results: Results) -> Figure | None:
    """A panel of placements for the settings that have them, then one of layers for each setting."""
    placed = [s for s in results.settings if len(results.select("placements", setting=s))]
    layered = [s for s in results.settings if len(results.select("layers", setting=s))]
    count = len(placed) + len(layered)
    if not count:
        return None
    plot, axes = plt.subplots(count, 1, figsize=(8.5, 3.4 * count), squeeze=False, layout="constrained")
    panels = iter(axes[:, 0])
    for setting in placed:
        _placements(next(panels), results, setting)
    for setting in layered:
        _layers(next(panels), results, setting)
    return plot


def _placements(ax: Axes, results: Results, setting: str) -> None:
    cells = results.select("placements", setting=setting, level="best")
    groups = list(dict.fromkeys(zip(cells["net"], cells["activation"], strict=True)))
    for index, (net, activation) in enumerate(groups):
        for shift, (placement, (title, colour)) in enumerate(PLACEMENTS.items()):
            rows = cells[
                (cells["net"] == net) & (cells["activation"] == activation) & (cells["placement"] == placement)
            ]
            if len(rows):
                values = [100 * v for v in results.values(rows, "test_accuracy")]
                draw_points(ax, index + 0.28 * (shift - 1), values, colour, title if index == 0 else None)
    ax.set_xticks(range(len(groups)), [f"{net} net, {activation}" for net, activation in groups])
    ax.set(title=f"{results.title(setting)}: where batch norm stands", ylabel="test accuracy, %")
    ax.legend(loc="lower left", ncols=3, fontsize=8)


def _layers(ax: Axes, results: Results, setting: str) -> None:
    for index, arm in enumerate(LAYERS):
        rows = results.select("layers", setting=setting, arm=arm, level="best")
        if len(rows):
            values = [100 * v for v in results.values(rows, "test_accuracy")]
            draw_points(ax, index, values, COLOURS["none" if arm == "none" else "batch"])
    ax.set_xticks(range(len(LAYERS)), LAYERS.values())
    ax.set(title=f"{results.title(setting)}: in which layers batch norm stands", ylabel="test accuracy, %")
    ax.set_xlim(-0.5, len(LAYERS) - 0.5)
