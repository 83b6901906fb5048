"""The figure of a claim: every setting's effects by seed, their mean with its interval, and the zone that matters."""

import math
import textwrap
from collections.abc import Callable

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullFormatter

from normlab.core.trial import ClaimResult, PartResult, SettingResult
from normlab.report.style import VERDICT_COLOURS, add_caption

UNIT_LABELS = {
    "points": "effect in the claimed direction, percentage points",
    "ratio": "ratio in the claimed direction (log scale)",
    "number": "effect in the claimed direction",
}


def to_shown(unit: str) -> Callable[[float], float]:
    """θ as readers see it: points in per cent, ratios as factors."""
    return {"points": lambda v: 100 * v, "ratio": math.exp}.get(unit, lambda v: v)


Untrained = Callable[[SettingResult], bool]


def forest(result: ClaimResult, caption: str, untrained: Untrained = lambda _: False) -> Figure:
    """One panel a unit, one row a setting and part; ``caption`` says scale, device and how long nets were trained. Settings of which
    ``untrained`` says so are marked.
    """
    rows = [(setting, part) for setting in result.settings for part in setting.parts if setting.run and part.n]
    units = list(dict.fromkeys(part.unit for _, part in rows)) or ["points"]
    by_unit = {unit: [(s, p) for s, p in rows if p.unit == unit] for unit in units}
    heights = [max(1, len(group)) for group in by_unit.values()]
    figure, axes = plt.subplots(
        len(units),
        1,
        figsize=(8.2, 1.3 + 0.42 * sum(heights) + 0.7 * (len(units) - 1)),
        squeeze=False,
        height_ratios=heights,
        layout="constrained",
    )
    for ax, (unit, group) in zip(axes[:, 0], by_unit.items(), strict=True):
        _panel(ax, unit, group, result, untrained)
    handles = [
        Line2D([], [], marker="o", color="#999999", linestyle="", markersize=4, label="one seed"),
        Line2D([], [], marker="D", color="#24292f", linestyle="-", markersize=5, label="mean, 95 % interval"),
        Patch(color="#d0d7de", alpha=0.5, label="smaller than δ"),
        *(
            Line2D([], [], marker="s", color=VERDICT_COLOURS[verdict], linestyle="", markersize=6, label=verdict)
            for verdict in dict.fromkeys(setting.verdict.word for setting, _ in rows)
        ),
    ]
    contrasts = {part.contrast.name.en for _, part in rows}
    title = [*textwrap.wrap(result.claim.statement.en, 84), *(contrasts if len(contrasts) == 1 else ())]
    above = 1 + 0.32 / figure.get_figheight()  # a line of legend stands between
    figure.text(0.01, above, "\n".join(title), fontsize=10, ha="left", va="bottom")
    figure.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(handles), fontsize=8)
    seeds = sorted({part.n for _, part in rows})
    several = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"{seeds[0]}" if seeds else "0"
    add_caption(figure, f"n = {several} seeds · colour: verdict of the setting (all its parts together) · {caption}")
    return figure


def _panel(
    ax: Axes, unit: str, rows: list[tuple[SettingResult, PartResult]], result: ClaimResult, untrained: Untrained
) -> None:
    show = to_shown(unit)
    several_cases = len(result.claim.cases) > 1
    labels = []
    for index, (setting, part) in enumerate(rows):
        y = len(rows) - 1 - index
        low_zone = -part.delta if part.kind != "superiority" else 0.0
        high_zone = part.delta if part.kind != "noninferiority" else 0.0
        ax.fill_betweenx([y - 0.42, y + 0.42], show(low_zone), show(high_zone), color="#d0d7de", alpha=0.5, linewidth=0)
        colour = VERDICT_COLOURS[setting.verdict.word]
        seeds = [show(v) for v in part.effects.by_seed.values()]
        ax.plot(seeds, [y + 0.2] * len(seeds), "o", color=colour, alpha=0.45, markersize=4, markeredgewidth=0)
        estimate, low, high = part.interval
        if math.isfinite(low):
            ax.plot([show(low), show(high)], [y, y], color=colour, linewidth=1.6)
        ax.plot([show(estimate)], [y], "D", color=colour, markersize=5)
        name = part.contrast.name.en if len(setting.parts) > 1 else ""
        mark = "untrained" if untrained(setting) else ""
        labels.append(" · ".join(filter(None, (setting.label(several_cases).en, name, mark))))
    if unit == "ratio":
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=_ticks(*ax.get_xlim()), numticks=12))
        ax.xaxis.set_major_formatter(lambda value, _: f"×{value:.3g}")
        ax.xaxis.set_minor_formatter(NullFormatter())
    ax.axvline(show(0.0), color="#24292f", linewidth=0.8)
    ax.set_yticks(range(len(rows) - 1, -1, -1), labels, fontsize=8)
    ax.set_ylim(-0.6, len(rows) - 0.4)
    either_way = all(part.kind == "equivalence" for _, part in rows)
    ax.set_xlabel(
        UNIT_LABELS[unit].replace(" in the claimed direction", "" if either_way else " in the claimed direction")
    )
    ax.grid(visible=False, axis="y")


def _ticks(low: float, high: float) -> tuple[float, ...]:
    """Where ticks stand in every decade, so that a handful of them are seen."""
    span = high / low
    return (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8) if span < 6 else (1, 2, 5) if span < 300 else (1,)
