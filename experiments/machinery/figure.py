"""How often tests find something where nothing is, and where something was planted, for every kind of contrast."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.machinery.checks import ALPHA, KINDS, POWER, Found, Kind, fair_share, trials
from normlab.report.results import Results
from normlab.report.style import COLOURS

GREY = "#57606a"


def table(results: Results) -> pd.DataFrame | None:
    """A row a kind of contrast: how many trials, in what share of them p ≤ 0.05 where the arms are the same, what a fair test's lies
    between, and the share in which a planted effect was found, which the formula of the t-test puts at 0.8.
    """
    rows = []
    for setting in results.settings:
        for kind, found in _found(results, setting):
            low, high = _fair(results, setting, kind)
            rows.append(
                {
                    "setting": setting,
                    "kind": kind.name,
                    "trials": len(found.p_values),
                    f"share of p ≤ {ALPHA:g}": found.share,
                    "fair from": low,
                    "fair to": high,
                    "too many": found.share > high,
                    "planted effect found": found.power,
                }
            )
    return pd.DataFrame(rows) if rows else None


def figure(results: Results) -> Figure | None:
    """A row a kind: on the left arms that are the same, on the right a planted effect."""
    (setting,) = results.settings
    found = _found(results, setting)
    if not found:
        return None
    plot, (left, right) = plt.subplots(
        1, 2, figsize=(9.6, 0.8 + 0.34 * len(found)), sharey=True, width_ratios=(3, 2), layout="constrained"
    )
    for place, (kind, seen) in enumerate(found):
        low, high = _fair(results, setting, kind)
        left.barh(place, 100 * (high - low), left=100 * low, height=0.62, color=GREY, alpha=0.18)
        left.plot(100 * seen.share, place, "o", color=COLOURS["batch"])
        if kind.power:
            right.plot(100 * seen.power, place, "o", color=COLOURS["batch"])
    left.axvline(100 * ALPHA, color=GREY, linestyle=":")
    left.set(title="one arm against itself", xlabel=f"trials with p ≤ {ALPHA:g}, %\n(band: a fair test)")
    left.set_xlim(0, None)
    left.set_yticks(range(len(found)), [kind.name for kind, _ in found], fontsize=8)
    left.invert_yaxis()
    _power_axis(right)
    return plot


def _power_axis(ax: Axes) -> None:
    ax.axvline(100 * POWER, color=GREY, linestyle=":")
    ax.set(title="a planted effect", xlabel="trials that find it, %\n(line: by the t-test's formula)", xlim=(0, 100))


def _found(results: Results, setting: str) -> list[tuple[Kind, Found]]:
    found = trials(results, setting)
    return [(kind, found[kind.name]) for kind in KINDS if kind.name in found]


def _fair(results: Results, setting: str, kind: Kind) -> tuple[float, float]:
    return fair_share(results.select(kind.grid, setting=setting)["seed"].nunique(), kind.pairs, kind.runs)
