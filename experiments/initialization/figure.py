"""Test accuracy from every initialization at one rate, and how many of its trainings failed."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from normlab.report.results import Results
from normlab.report.style import COLOURS, DATA_TITLES, draw_row, method_title


def figure(results: Results) -> Figure | None:
    """Test accuracy from every initialization at one rate, and how many of its trainings failed."""
    plot, axes = plt.subplots(
        1,
        len(results.settings),
        figsize=(5.6 * len(results.settings), 4.6),
        squeeze=False,
        sharey=True,
        layout="constrained",
    )
    for ax, setting in zip(axes[0], results.settings, strict=True):
        rows = results.select("failures", setting=setting)
        inits = list(rows["init"].unique()) if len(rows) else []
        for place, name in enumerate(inits):
            for shift, norm in ((-0.2, "none"), (0.15, "batch")):
                cell = rows[(rows["init"] == name) & (rows["norm"] == norm)]
                accuracies = [100 * v for v in results.values(cell, "test_accuracy")]
                if accuracies:
                    draw_row(ax, place + shift, accuracies, COLOURS[norm])
                    failed = int(sum(results.values(cell, "failed")))
                    ax.text(
                        101, place + shift + 0.1, f"{failed}/{len(cell)}", color=COLOURS[norm], fontsize=8, va="center"
                    )
        ax.text(101, -0.75, "failed", fontsize=8, va="center", color="#57606a")
        ax.set_yticks(range(len(inits)), inits, fontsize=9)
        ax.set_ylim(len(inits) - 0.4, -0.95)
        ax.set(title=f"{DATA_TITLES[setting]}: short trainings at one rate", xlabel="test accuracy, %", xlim=(0, 112))
        ax.set_xticks(range(0, 101, 20))
    for norm in ("none", "batch"):
        axes[0][0].plot([], [], "o", color=COLOURS[norm], label=method_title(norm))
    plot.legend(loc="outside upper left", ncols=2, fontsize=9)
    return plot
