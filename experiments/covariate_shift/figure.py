"""Drift of inputs and change of gradients early and late, and test accuracy, by arm."""

import math

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from experiments.covariate_shift.claims import DRIFT, SHIFT
from normlab.report.results import Results
from normlab.report.style import COLOURS, DATA_TITLES, draw_points, legend_of_dots


def figure(results: Results) -> Figure | None:
    """Drift of inputs and change of gradients early and late, and test accuracy, by arm."""
    plot, axes = plt.subplots(
        len(results.settings), 3, figsize=(12, 3.3 * len(results.settings)), squeeze=False, layout="constrained"
    )
    arms = {
        "none": ("no norm", COLOURS["none"]),
        "batch": ("batch norm", COLOURS["batch"]),
        "noisy": ("BN with moving noise", "#D55E00"),
        "steady": ("BN with steady noise", COLOURS["layer"]),
    }
    for row, setting in zip(axes, results.settings, strict=True):
        for ax, measure, label in (
            (row[0], DRIFT, "drift of inputs in 10 steps, σ"),
            (row[1], SHIFT, "change of gradients, relative"),
        ):
            for place, when in enumerate(("early", "late")):
                for offset, (arm, (_, colour)) in enumerate(arms.items()):
                    rows = results.select("moving", setting=setting, arm=arm, when=when, level="best")
                    values = [math.exp(value) for value in results.values(rows, measure)]
                    draw_points(ax, place + 0.2 * (offset - 1.6), values, colour)
            ax.set_xticks([0, 1], ["early", "late"])
            ax.set_xlim(-0.5, 1.5)
            ax.set_yscale("log")
            ax.set(title=DATA_TITLES[setting], ylabel=label)
        for place, (arm, (_, colour)) in enumerate(arms.items()):
            rows = results.select("trained", setting=setting, arm=arm, level="best")
            draw_points(row[2], place, [100 * v for v in results.values(rows, "test_accuracy")], colour)
        row[2].set_xticks(range(len(arms)), [title.replace(" ", "\n") for title, _ in arms.values()], fontsize=8)
        row[2].set_xlim(-0.5, len(arms) - 0.5)
        row[2].set(title=DATA_TITLES[setting], ylabel="test accuracy, %")
    legend_of_dots(plot, dict(arms.values()), columns=3)
    return plot
