"""Test accuracy by kind of statistics: over the batch size at both rates, and over the decay for both lengths."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from experiments.inference_gap.claims import RATES
from normlab.report.results import Results
from normlab.report.style import COLOURS, DATA_TITLES, accuracy_axis, draw_line

LADDER = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999)


def figure(results: Results) -> Figure | None:
    """Test accuracy by kind of statistics: over the batch size at both rates, and over the decay for both lengths."""
    plot, axes = plt.subplots(
        len(results.settings), 3, figsize=(12.5, 3.5 * len(results.settings)), squeeze=False, layout="constrained"
    )
    looks = {
        "": ("running, decay 0.9", "-"),
        "_recalibrated": ("recalibrated", "--"),
        "_batch": ("the batch's own", ":"),
    }
    for row, setting in zip(axes, results.settings, strict=True):
        for ax, (grid, title) in zip(row, RATES.items(), strict=False):
            rows = results.select(grid, setting=setting)
            sizes = sorted(rows["data.batch_size"].unique()) if len(rows) else []
            for suffix, (label, line) in looks.items():
                groups = [
                    [100 * v for v in results.values(rows[rows["data.batch_size"] == size], f"test_accuracy{suffix}")]
                    for size in sizes
                ]
                if groups and all(groups):
                    draw_line(ax, range(len(sizes)), groups, label=label, colour=COLOURS["batch"], linestyle=line)
            ax.set_xticks(range(len(sizes)), [str(int(size)) for size in sizes])
            ax.set(title=f"{DATA_TITLES[setting]}: {title.en}", xlabel="batch size")
            accuracy_axis(ax)
        for length, colour in (("short", COLOURS["decorrelated"]), ("long", COLOURS["learned_momentum"])):
            rows = results.select("lengths", setting=setting, length=length)
            groups = [[100 * v for v in results.values(rows, f"test_accuracy_decay_{decay:g}")] for decay in LADDER]
            if all(groups):
                draw_line(row[2], range(len(LADDER)), groups, label=f"{length}, running", colour=colour)
                best = [100 * v for v in results.values(rows, "test_accuracy_recalibrated")]
                draw_line(
                    row[2],
                    [0, len(LADDER) - 1],
                    [best, best],
                    f"{length}, recalibrated",
                    colour,
                    linestyle="--",
                    marker="",
                )
        row[2].set_xticks(range(len(LADDER)), [f"{decay:g}" for decay in LADDER])
        row[2].set(title=f"{DATA_TITLES[setting]}: constant rate", xlabel="decay of the running averages")
        accuracy_axis(row[2])
    handles = {label: handle for ax in axes[0] for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    plot.legend(handles.values(), handles.keys(), loc="outside upper left", ncols=4, handlelength=3)
    return plot
