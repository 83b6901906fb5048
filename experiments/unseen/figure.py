"""What was predicted of every setting that was drawn, and what was found there."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.unseen.published import unseen
from normlab.report.results import Results

INSIDE, OUTSIDE, PREDICTED = "#1a7f4b", "#b3261e", "#8c959f"


def figure(results: Results) -> Figure | None:
    """A row a setting: the interval predicted, and the effect found with its 95 % interval, in units of δ."""
    found = unseen(results)
    found = found[found["inside"].notna()] if len(found) else found
    if found.empty:
        return None
    plot, ax = plt.subplots(figsize=(11, 1.6 + 0.36 * len(found)), layout="constrained")
    for place, row in enumerate(found.to_dict("records")):
        _row(ax, place, row)
    ax.axvline(0, color="#57606a", linewidth=0.8)
    ax.set_xscale("symlog", linthresh=2)
    names = [f"{claim}: {_without_data(where)}" for claim, where in zip(found["claim"], found["where"], strict=True)]
    ax.set_yticks(range(len(found)), names, fontsize=8)
    ax.set_ylim(len(found) - 0.4, -0.6)
    inside = int(found["inside"].astype(bool).sum())
    ax.set_title(f"Fashion-MNIST: {inside} of {len(found)} effects are inside what was predicted of them with 95 %")
    ax.set_xlabel("effect in units of δ, the smallest that would matter (grey: predicted before any of these was run)")
    return plot


def _row(ax: Axes, place: int, row: Mapping[Any, Any]) -> None:
    low, high, predicted = row["predict_low"], row["predict_high"], row["predicted"]
    ax.plot([low, high], [place, place], color=PREDICTED, linewidth=5, alpha=0.5, solid_capstyle="butt")
    ax.plot([predicted], [place], "|", color=PREDICTED, markersize=9)
    colour, marker = (INSIDE, "o") if row["inside"] else (OUTSIDE, "D")
    error = 1.96 * row["standard_error"]
    ax.errorbar([row["estimate"]], [place], xerr=error, fmt=marker, color=colour, markersize=5, capsize=2)


def _without_data(where: str) -> str:
    """A setting without the data set, which all share."""
    return where.partition(" · ")[2]
