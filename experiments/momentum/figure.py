"""Test accuracy over the decay of running averages, for each training."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.momentum.claims import DECAYS
from normlab.report.results import Results
from normlab.report.style import COLOURS, accuracy_axis, draw_line

LINES = {  # grid and training: label, line, marker
    ("decays", "long"): ("annealed", "-", "o"),
    ("decays", "short"): ("annealed, short", "--", "s"),
    ("decays", "constant"): ("constant rate", (0, (6, 2, 1, 2)), "^"),
    ("shifted", None): ("annealed, inputs changed in the last 10 %", ":", "D"),
}


def figure(results: Results) -> Figure | None:
    """A panel for each setting."""
    settings = [s for s in results.settings if len(results.select("decays", setting=s))]
    if not settings:
        return None
    plot, axes = plt.subplots(1, len(settings), figsize=(5.6 * len(settings), 4.0), squeeze=False, layout="constrained")
    for ax, setting in zip(axes[0], settings, strict=True):
        _decays(ax, results, setting)
    return plot


def _decays(ax: Axes, results: Results, setting: str) -> None:
    for (grid, training), (label, line, marker) in LINES.items():
        rows = results.select(grid, setting=setting, **({"training": training} if training else {}))
        groups = [[100 * v for v in results.values(rows, f"test_accuracy_decay_{decay:g}")] for decay in DECAYS]
        if all(groups):
            draw_line(ax, range(len(DECAYS)), groups, label, COLOURS["batch"], linestyle=line, marker=marker)
    ax.set_xticks(range(len(DECAYS)), [f"{decay:g}" for decay in DECAYS])
    ax.set(
        title=f"{results.title(setting)}: decay of the running averages",
        xlabel="decay (PyTorch's momentum is 1 − decay)",
    )
    accuracy_axis(ax)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(fontsize=8, handlelength=3.2)
