"""One look for all figures: colours belong to methods and never change."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogFormatterMathtext, LogLocator, NullFormatter
from scipy import stats

from normlab.core.word import Word
from normlab.data import IMAGE_SETS
from normlab.norms import METHODS

matplotlib.use("Agg")

COLOURS = {method.name: method.colour for method in METHODS.values()}
VERDICT_COLOURS = {
    Word.SUPPORTED: "#1a7f4b",
    Word.HOLDS: "#1a7f4b",
    Word.VERIFIED: "#1a7f4b",
    Word.MOSTLY_HOLDS: "#4c9a6d",
    Word.DEPENDS: "#8250df",
    Word.VARIES: "#9a6700",
    Word.NEGLIGIBLE: "#2f6f9f",
    Word.NO_DIFFERENCE: "#2f6f9f",
    Word.ABSENT: "#bc6c25",
    Word.OPPOSED: "#b3261e",
    Word.CONTRADICTED: "#b3261e",
    Word.FALSIFIED: "#b3261e",
    Word.BORDERLINE: "#8a6d3b",
    Word.UNRESOLVED: "#57606a",
    Word.NOT_RUN: "#8c959f",
}
OLD = "#8c959f"  # of verdicts of the first edition
DATA_TITLES = {name: image_set.title for name, image_set in IMAGE_SETS.items()}


def method_title(name: str) -> str:
    """A method's name for readers."""
    return METHODS[name].title if name in METHODS else name


def use_style() -> None:
    """Set the shared style; text stays text in SVG, and element ids do not change from build to build."""
    import seaborn as sns  # here: half a second that only drawing needs

    sns.set_theme(context="notebook", style="whitegrid", font_scale=0.9)
    plt.rcParams.update(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "normlab",
            "font.family": "DejaVu Sans",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "figure.dpi": 110,
            "savefig.bbox": "tight",
            "legend.frameon": False,
        }
    )


def mean_and_interval(values: Sequence[float] | np.ndarray) -> tuple[float, float, float]:
    """Mean and 95 % t-interval."""
    array = np.asarray(values, dtype=float)
    mean = float(array.mean())
    if len(array) < 2 or array.std() == 0:
        return mean, mean, mean
    low, high = stats.t.interval(0.95, len(array) - 1, mean, stats.sem(array))
    return mean, float(low), float(high)


def draw_line(
    ax: Axes, x: Sequence[Any], groups: Sequence[Sequence[float]], label: str, colour: str, **options: Any
) -> None:
    """Means of ``groups`` over ``x`` as a line, their 95 % intervals as a band."""
    rows = [mean_and_interval(group) for group in groups]
    means, lows, highs = (np.asarray(column) for column in zip(*rows, strict=True))
    ax.plot(x, means, color=colour, label=label, **{"marker": "o", "markersize": 4, **options})
    ax.fill_between(x, lows, highs, color=colour, alpha=0.15, linewidth=0)


def legend_of_dots(figure: Figure, colours: Mapping[str, str], columns: int) -> None:
    """A legend above the figure: a dot of its colour for every label."""
    handles = [Line2D([], [], color=colour, marker="o", linestyle="", label=label) for label, colour in colours.items()]
    figure.legend(handles=handles, loc="outside upper left", ncols=columns)


def draw_points(
    ax: Axes, position: float, values: Sequence[float], colour: str, label: str | None = None, marker: str = "o"
) -> None:
    """A value a seed as small dots, the mean and its 95 % interval beside them."""
    mean, low, high = mean_and_interval(values)
    ax.plot(
        np.full(len(values), position),
        values,
        marker,
        linestyle="",
        color=colour,
        alpha=0.35,
        markersize=4,
        markeredgewidth=0,
    )
    ax.errorbar(
        [position + 0.12],
        [mean],
        yerr=[[mean - low], [high - mean]],
        fmt=marker,
        color=colour,
        markersize=6,
        capsize=3,
        label=label,
    )


def draw_row(ax: Axes, place: float, values: Sequence[float], colour: str) -> None:
    """The same along a row: a value a seed as small dots, the mean and its 95 % interval below them."""
    mean, low, high = mean_and_interval(values)
    ax.plot(values, np.full(len(values), place), "o", color=colour, alpha=0.35, markersize=4, markeredgewidth=0)
    ax.errorbar(
        [mean], [place + 0.2], xerr=[[mean - low], [high - mean]], fmt="o", color=colour, markersize=5, capsize=2
    )


def accuracy_axis(ax: Axes, label: str = "test accuracy, %") -> None:
    """Label a y-axis of percentages and keep it between 0 and 100."""
    low, high = ax.get_ylim()
    ax.set_ylim(max(low, 0), min(high, 101))
    ax.set_ylabel(label)


def plain_log_axis(ax: Axes, base: float = 10, of: Literal["x", "y"] = "x") -> None:
    """A logarithmic axis labelled in plain numbers: 0.03, 0.1, 0.3 or, at base 2, 4, 8, 16; powers over many decades."""
    set_scale, axis = (ax.set_xscale, ax.xaxis) if of == "x" else (ax.set_yscale, ax.yaxis)
    set_scale("log", base=base)
    low, high = sorted(axis.get_view_interval())
    if base == 10 and high / low > 1e5:
        axis.set_major_locator(LogLocator(base=10, numticks=20))
        axis.set_major_formatter(LogFormatterMathtext())
    else:
        axis.set_major_locator(LogLocator(base=base, subs=(1.0, 3.0) if base == 10 else (1.0,), numticks=12))
        axis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_minor_formatter(NullFormatter())


def add_caption(figure: Figure, caption: str) -> None:
    """The line below a figure that says n, scale and device."""
    figure.text(0.5, -0.02, caption, ha="center", va="top", fontsize=8, color="#57606a")
