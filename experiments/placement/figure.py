"""Test accuracy of each placement by net and activation, and of norms in each kind of layer."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from normlab.report.results import Results
from normlab.report.style import COLOURS, DATA_TITLES, draw_points


def figure(results: Results) -> Figure | None:
    """Test accuracy of each placement by net and activation, and of norms in each kind of layer."""
    plot, axes = plt.subplots(
        len(results.settings),
        2,
        figsize=(11, 3.4 * len(results.settings)),
        squeeze=False,
        layout="constrained",
        width_ratios=[3, 2],
    )
    shades = {"before": "#0072B2", "after": "#56B4E9", "pre": "#004166"}
    titles = {"before": "before the activation", "after": "after the activation", "pre": "before the layer (pre)"}
    nets = [(net, activation) for net in ("cnn", "resnet") for activation in ("relu", "tanh")]
    for (left, right), setting in zip(axes, results.settings, strict=True):
        for index, (net, activation) in enumerate(nets):
            for shift, (placement, colour) in enumerate(shades.items()):
                rows = results.select(
                    "placements",
                    setting=setting,
                    net=net,
                    activation=activation,
                    net__placement=placement,
                    level="best",
                )
                if len(rows):
                    accuracies = [100 * v for v in results.values(rows, "test_accuracy")]
                    label = titles[placement] if index == 0 else None
                    draw_points(left, index + 0.28 * (shift - 1), accuracies, colour, label)
        left.set_xticks(range(len(nets)), [f"{net} · {activation}" for net, activation in nets])
        left.set(title=f"{DATA_TITLES[setting]}: where batch norm stands", ylabel="test accuracy, %")
        for index, arm in enumerate(arms := ("none", "conv", "fc", "both")):
            rows = results.select("layers", setting=setting, arm=arm, level="best")
            if len(rows):
                accuracies = [100 * v for v in results.values(rows, "test_accuracy")]
                draw_points(right, index, accuracies, COLOURS["none" if arm == "none" else "batch"])
        right.set_xticks(range(len(arms)), ["no norm", "conv only", "fc only", "both"])
        right.set(title=f"{DATA_TITLES[setting]}: in which layers", ylabel="test accuracy, %")
        right.set_xlim(-0.4, len(arms) - 0.4)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    plot.legend(handles, labels, loc="outside upper left", ncols=3, fontsize=9)
    return plot
