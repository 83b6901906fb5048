"""What was predicted of every setting that was drawn, and what was found there."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from experiments.unseen.published import claims_of, unseen
from normlab.report.results import Results
from normlab.report.unseen import Prediction, effect_of

INSIDE, OUTSIDE, PREDICTED = "#1a7f4b", "#b3261e", "#8c959f"
TICKS = (-20, -10, -5, -2, -1, 0, 1, 2, 5, 10, 20, 40)


def figure(results: Results) -> Figure | None:
    """A row a setting: the interval predicted, and the effect found with its 95 % interval, in units of δ."""
    found = unseen(results)
    count = len(found)
    found = found[found["inside"].notna()] if count else found
    if found.empty:
        return None
    plot, ax = plt.subplots(figsize=(11, 1.6 + 0.36 * len(found)), layout="constrained")
    for place, row in enumerate(found.to_dict("records")):
        _row(ax, place, row)
    ax.axvline(0, color="#57606a", linewidth=0.8)
    ax.set_xscale("symlog", linthresh=2)
    ax.xaxis.set_major_locator(FixedLocator(TICKS))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:+g}".replace("-", "−") if value else "0")
    ax.set_yticks(range(len(found)), [_named(row, results) for row in found.to_dict("records")], fontsize=8)
    ax.set_ylim(len(found) - 0.4, -0.6)
    inside = int(found["inside"].astype(bool).sum())
    left = f", {count - len(found)} are still to be run" if len(found) < count else ""
    ax.set_title(f"{inside} of {len(found)} effects on Fashion-MNIST are inside what was predicted of them{left}")
    ax.set_xlabel(
        "effect in units of δ, the smallest that would matter; grey: predicted with 95 % before any of these was run"
    )
    return plot


def _row(ax: Axes, place: int, row: Mapping[Any, Any]) -> None:
    low, high, predicted = row["predict_low"], row["predict_high"], row["predicted"]
    ax.plot([low, high], [place, place], color=PREDICTED, linewidth=5, alpha=0.5, solid_capstyle="butt")
    ax.plot([predicted], [place], "|", color=PREDICTED, markersize=9)
    colour, marker = (INSIDE, "o") if row["inside"] else (OUTSIDE, "D")
    error = 1.96 * row["standard_error"]
    ax.errorbar([row["estimate"]], [place], xerr=error, fmt=marker, color=colour, markersize=5, capsize=2)


def _named(row: Mapping[Any, Any], results: Results) -> str:
    """The claim, the setting without the data set, which all share, and the effect of a claim with several."""
    prediction = Prediction(**{name: row[name] for name in Prediction.__dataclass_fields__})
    claim = next(claim for claim in claims_of(prediction.experiment) if claim.id == prediction.claim)
    effect = effect_of(prediction, claim, results.scale)
    places = [prediction.where.partition(" · ")[2], effect.en if effect else ""]
    return ": ".join(filter(None, [prediction.claim, " · ".join(filter(None, places))]))
