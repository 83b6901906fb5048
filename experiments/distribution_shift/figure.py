"""What nets keep of their accuracy under corruptions and changes of style, and what adapting batch norm's statistics gives."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.distribution_shift.claims import DECAYS, SCHEDULES
from normlab.data.corruptions import CORRUPTIONS, SEVERITIES, STYLES
from normlab.report.results import Results
from normlab.report.style import (
    COLOURS,
    accuracy_axis,
    draw_line,
    draw_points,
    legend_of_dots,
    mean_and_interval,
    method_title,
)
from normlab.training.robustness import AMOUNTS

NORMS = ("batch", "layer", "group", "instance")
KEPT = "share of clean accuracy kept, %"
# Batch norm's shades with marks of their own: other hues would mean other methods.
ADAPTED, HALF = ("#56B4E9", "--", "s"), ("#004166", ":", "^")
MARKS = {"long": ("o", "#0072B2"), "constant": ("^", "#004166")}


def figure(results: Results) -> Figure | None:
    """Four panels a setting: over severity, by corruption, by the images adapted to, and by the decay of running averages."""
    settings = results.settings
    plot, axes = plt.subplots(
        2 * len(settings), 2, figsize=(11.5, 8.0 * len(settings)), squeeze=False, layout="constrained"
    )
    for place, setting in enumerate(settings):
        (severity, kind), (amount, phase) = axes[2 * place : 2 * place + 2]
        _severities(severity, results, setting)
        _kinds(kind, results, setting)
        _amounts(amount, results, setting)
        _phases(phase, results, setting)
    legend_of_dots(plot, {method_title(norm): COLOURS[norm] for norm in NORMS}, len(NORMS))
    return plot


def _severities(ax: Axes, results: Results, setting: str) -> None:
    measures = ["kept_clean", *(f"kept_{severity}" for severity in SEVERITIES)]
    adapted = ["kept_clean_adapted", *(f"kept_adapted_{severity}" for severity in SEVERITIES)]
    lines = [(_trained(norm), measures, (COLOURS[norm], "-", "o"), "") for norm in NORMS]
    lines += [(_trained("batch"), adapted, ADAPTED, "batch norm, target's statistics")]
    lines += [(("half", {}), measures, HALF, "batch norm, half the training")]
    for (grid, of), names, (colour, line, marker), label in lines:
        rows = results.select(grid, setting=setting, level="best", **of)
        groups = [[100 * v for v in results.values(rows, f"corruptions.{name}")] for name in names]
        if all(groups):
            draw_line(ax, range(len(names)), groups, label, colour, linestyle=line, marker=marker)
    ax.set(title=f"{results.title(setting)}: ten corruptions", xlabel="severity (0: clean)")
    accuracy_axis(ax, KEPT)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(fontsize=8, handlelength=3)


def _kinds(ax: Axes, results: Results, setting: str) -> None:
    names = [*CORRUPTIONS, *STYLES]
    for shift, norm in zip((-0.24, -0.08, 0.08, 0.24), NORMS, strict=True):
        rows = results.select("trained", setting=setting, level="best", norm=norm)
        for place, name in enumerate(names):
            if values := [100 * v for v in results.values(rows, f"corruptions.kept_{name}")]:
                mean, low, high = mean_and_interval(values)
                ax.errorbar(
                    [mean],
                    [place + shift],
                    xerr=[[mean - low], [high - mean]],
                    fmt="o",
                    color=COLOURS[norm],
                    markersize=4,
                    capsize=2,
                )
    ax.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    ax.invert_yaxis()
    ax.set(title=f"{results.title(setting)}: mean of five severities", xlabel=KEPT)


def _amounts(ax: Axes, results: Results, setting: str) -> None:
    rows = results.select("trained", setting=setting, level="best", norm="batch")
    for place, name in enumerate(["kept_3", *(f"kept_adapted_of_{amount}" for amount in AMOUNTS), "kept_adapted_3"]):
        if values := [100 * v for v in results.values(rows, f"corruptions.{name}")]:
            draw_points(ax, place, values, COLOURS["batch"])
    ax.set_xticks(range(len(AMOUNTS) + 2), ["stored", *map(str, AMOUNTS), "500"])
    ax.set_xlim(-0.5, len(AMOUNTS) + 1.5)
    ax.set(
        title=f"{results.title(setting)}: batch norm, severity 3", xlabel="corrupted images that statistics are from"
    )
    accuracy_axis(ax, KEPT)


def _phases(ax: Axes, results: Results, setting: str) -> None:
    names = [*(f"decay_{decay:g}" for decay in DECAYS), "phases"]
    for shift, (training, schedule) in zip((-0.1, 0.1), SCHEDULES.items(), strict=True):
        rows = results.select("phases", setting=setting, training=training)
        marker, colour = MARKS[training]
        for place, name in enumerate(names):
            if values := [100 * v for v in results.values(rows, f"test_accuracy_{name}")]:
                draw_points(ax, place + shift, values, colour, schedule if name == "phases" else None, marker)
    ax.set_xticks(range(len(names)), [*(f"{decay:g}" for decay in DECAYS), "by phase"])
    ax.set(title=f"{results.title(setting)}: batches of 32", xlabel="decay of the running averages")
    accuracy_axis(ax)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(fontsize=8)


def _trained(norm: str) -> tuple[str, dict[str, str]]:
    return "trained", {"norm": norm}
