"""Test accuracy over the decay, for short and long training, and over ε."""

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from experiments.momentum.claims import DECAYS
from normlab.report.results import Results
from normlab.report.style import COLOURS, DATA_TITLES, accuracy_axis, draw_line, plain_log_axis


def figure(results: Results) -> Figure | None:
    """Test accuracy over the decay, for short and long training, and over ε."""
    plot, axes = plt.subplots(
        len(results.settings), 2, figsize=(10, 3.4 * len(results.settings)), squeeze=False, layout="constrained"
    )
    lines: dict[tuple[str, str, Any], tuple[str, Any]] = {
        ("epsilons", "norm.eps", 1e-5): ("short training, rate annealed to 0", (0, (6, 2, 1, 2))),
        ("decays", "length", "short"): ("short training, constant rate", "-"),
        ("decays", "length", "long"): ("long training, constant rate", "--"),
        ("shifted", "change", "recent"): ("inputs changed in the last 10 %, constant rate", ":"),
    }
    for (left, right), setting in zip(axes, results.settings, strict=True):
        for (grid, axis, value), (label, line) in lines.items():
            rows = results.select(grid, setting=setting, **{axis.replace(".", "__"): value})
            groups = [[100 * v for v in results.values(rows, f"test_accuracy_decay_{decay:g}")] for decay in DECAYS]
            if all(groups):
                draw_line(left, range(len(DECAYS)), groups, label=label, colour=COLOURS["batch"], linestyle=line)
        left.set_xticks(range(len(DECAYS)), [f"{decay:g}" for decay in DECAYS])
        left.set(
            title=f"{DATA_TITLES[setting]}: decay of the running averages",
            xlabel="decay (PyTorch's momentum is 1 − decay)",
        )
        rows = results.select("epsilons", setting=setting, level="best")
        if len(rows):
            values = sorted(rows["norm.eps"].unique())
            groups = [
                [100 * v for v in results.values(rows[rows["norm.eps"] == value], "test_accuracy")] for value in values
            ]
            draw_line(right, values, groups, label="batch norm", colour=COLOURS["batch"])
        right.set(title=f"{DATA_TITLES[setting]}: ε", xlabel="ε")
        plain_log_axis(right)
        for ax in (left, right):
            accuracy_axis(ax)
    handles, labels = axes[0][0].get_legend_handles_labels()
    plot.legend(handles, labels, loc="outside upper left", ncols=2, fontsize=8, handlelength=3.5)
    return plot
