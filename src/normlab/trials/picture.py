"""The picture of a trial: how it does against batch norm, how easy it is, what it costs."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from normlab.report.style import COLOURS, method_title, use_style
from normlab.trials.bench import BATCH
from normlab.trials.docket import YOURS, Docket
from normlab.trials.ease import CHANGES, RATE

OWN = "#D55E00"
TITLES = {
    "step": "training step",
    "inference": "inference",
    "peak_bytes": "peak memory",
    "saved_bytes": "kept for backward",
    "parameters": "parameters",
}


def picture(found: pd.DataFrame, docket: Docket, label: str, caption: str) -> Figure:
    """Differences to batch norm on the left, the width of good rates and costs on the right; 1200 × 675 pixels."""
    use_style()
    figure = plt.figure(figsize=(12, 6.75), dpi=100, layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=[1.25, 1], height_ratios=[1.15, 1])
    _against_batch(figure.add_subplot(grid[:, 0]), found, docket, label)
    _rates(figure.add_subplot(grid[0, 1]), found, label)
    _costs(figure.add_subplot(grid[1, 1]), found)
    right_checks = found[found["question"] == "right"]
    passed = int((right_checks["what"] == "passed").sum())
    asked = int((right_checks["what"] != "not its business").sum())
    figure.suptitle(f"{label} on trial: {passed} of {asked} checks passed", fontsize=15, fontweight="bold")
    figure.supxlabel(caption, fontsize=8, color="#57606a")
    return figure


def _against_batch(ax: Axes, found: pd.DataFrame, docket: Docket, label: str) -> None:
    good = found[found["question"] == "good"]
    names = [name for name in docket.situations if (good["where"] == name).any()]
    ax.set_title(f"{label} (diamonds, 95 % intervals) against batch norm (line)", fontsize=10)
    if not names:
        _not_yet(ax)
        return
    for row, name in enumerate(names):
        here = good[good["where"] == name]
        differences = here[(here["what"] == "difference") & (here["against"] == BATCH)]
        for _, line in differences[differences["arm"] != YOURS].iterrows():
            ax.plot(100 * line["value"], row, "o", color=COLOURS[line["arm"]], markersize=5, zorder=2)
        for _, line in differences[differences["arm"] == YOURS].iterrows():
            ends = [[100 * (line["value"] - line["low"])], [100 * (line["high"] - line["value"])]]
            bars = None if pd.isna(line["low"]) else ends
            ax.errorbar(
                [100 * line["value"]],
                [row],
                xerr=bars,
                fmt="D",
                color=OWN,
                markersize=8,
                capsize=4,
                linewidth=2,
                zorder=3,
            )
    ax.axvline(0, color=COLOURS[BATCH], linewidth=1.5)
    ax.set_yticks(range(len(names)), [docket.situations[name].title for name in names])
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlabel("test accuracy less batch norm's, points")
    arms = [str(arm) for arm in dict.fromkeys(good["arm"]) if arm not in (YOURS, BATCH) and isinstance(arm, str)]
    for arm in arms:
        ax.plot([], [], "o", color=COLOURS[arm], markersize=5, label=method_title(arm))
    if arms:
        ax.legend(loc="best", fontsize=7, ncols=1 + len(arms) // 8)


def _rates(ax: Axes, found: pd.DataFrame, label: str) -> None:
    easy = found[found["question"] == "easy"]
    for arm, colour, name in ((BATCH, COLOURS[BATCH], "batch norm"), (YOURS, OWN, label)):
        own = easy[easy["arm"] == arm].set_index("what")["value"]
        points = {
            change.value: own[change.title.en] for change in CHANGES if change.kind == RATE and change.title.en in own
        }
        if "unchanged" in own and points:
            points[1.0] = own["unchanged"]
            ax.plot(sorted(points), [100 * points[rate] for rate in sorted(points)], "o-", color=colour, label=name)
    ax.set_title("accuracy over the rate, 1 = its best", fontsize=10)
    if not ax.lines:
        _not_yet(ax)
        return
    ax.set_xscale("log")
    ax.set_xlabel("rate, in units of its best")
    ax.set_ylabel("test accuracy, %")
    ax.legend(fontsize=8)


def _costs(ax: Axes, found: pd.DataFrame) -> None:
    cost = found[found["question"] == "cost"]
    ax.set_title("costs, batch norm = 1", fontsize=10)
    if not len(cost):
        _not_yet(ax)
        return
    for row, (_, line) in enumerate(cost.iterrows()):
        ax.barh(row, line["value"], height=0.6, color=OWN)
        ax.text(line["value"], row, f" ×{line['value']:.2f}", va="center", fontsize=8)
    ax.axvline(1.0, color=COLOURS[BATCH], linewidth=1.5)
    ax.set_yticks(range(len(cost)), [TITLES[what] for what in cost["what"]], fontsize=8)
    ax.set_ylim(len(cost) - 0.5, -0.5)
    ax.set_xlim(0, max(1.2, 1.15 * float(cost["value"].max())))


def _not_yet(ax: Axes) -> None:
    ax.text(0.5, 0.5, "not asked yet", ha="center", va="center", color="#57606a", transform=ax.transAxes)
    ax.set_xticks([])
    ax.set_yticks([])
