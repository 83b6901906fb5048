"""Which normalization? From accuracies by seed to the best method of a situation and those not distinguishable from it."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from normlab.core.statistics import holm, p_greater
from normlab.report.style import COLOURS, DATA_TITLES, method_title

DISTINGUISHED = 0.05  # adjusted p below which a method is told from the best
WORST_SHOWN = 20  # points behind the best at which the colour of the map ends
SHADES = LinearSegmentedColormap.from_list("gap", ["#0b6e4f", "#8fd0b0", "#f4f1ea", "#e8c9a8", "#c98a5a"])


@dataclass(frozen=True)
class Candidate:
    """One method in one situation: test accuracy by seed, and where measured what a training step costs and the mean test loss.

    ``overconfident``: the test loss is above that of guessing, so that the net's probabilities are of no use.
    """

    method: str
    accuracy: Mapping[int, float]
    step_seconds: float | None = None
    saved_bytes: float | None = None
    test_loss: float | None = None
    overconfident: bool = False

    @property
    def mean(self) -> float:
        return float(np.mean(list(self.accuracy.values())))

    @property
    def deviation(self) -> float:
        """The standard deviation over seeds."""
        return float(np.std(list(self.accuracy.values()), ddof=1)) if len(self.accuracy) > 1 else math.nan


@dataclass(frozen=True)
class Situation:
    """A data set, a net and a batch size, with the methods that were run there."""

    data: str
    net: str
    batch_size: int
    candidates: Sequence[Candidate]

    @property
    def title(self) -> str:
        return f"{self.net}, batch {self.batch_size}"


@dataclass(frozen=True)
class Choice:
    """The answer for one situation.

    ``best`` has the highest mean accuracy; of ``equals`` (with it) a lower accuracy is not established: one-sided paired
    t-tests of the best against each other method, Holm-adjusted within the situation, p ≥ 0.05. ``quickest`` is the one
    among them with the shortest training step, and ``p`` the adjusted p of every method.
    """

    situation: Situation
    best: Candidate
    equals: tuple[Candidate, ...]
    quickest: Candidate | None
    p: Mapping[str, float] = field(default_factory=dict)


def choose(situation: Situation) -> Choice:
    """Apply the rule to a situation."""
    best = max(situation.candidates, key=lambda candidate: candidate.mean)
    others = [candidate for candidate in situation.candidates if candidate is not best]
    p = dict(zip((c.method for c in others), holm([_p_better(best, other) for other in others]), strict=True))
    equals = (best, *sorted((c for c in others if p[c.method] >= DISTINGUISHED), key=lambda c: -c.mean))
    timed = [c for c in equals if c.step_seconds is not None]
    quickest = min(timed, key=lambda c: c.step_seconds or math.inf) if len(timed) == len(equals) else None
    return Choice(situation, best, equals, quickest, p)


def _p_better(best: Candidate, other: Candidate) -> float:
    shared = sorted(set(best.accuracy) & set(other.accuracy))
    if len(shared) < 3:
        return 1.0
    return p_greater(np.array([best.accuracy[seed] - other.accuracy[seed] for seed in shared]), 0.0)


def choice_table(choices: Sequence[Choice]) -> pd.DataFrame:
    """A row a situation and method: accuracy, gap to the best, the test, and time and memory against no normalization."""
    rows = []
    for choice in choices:
        seconds = _against_none(choice.situation, lambda c: c.step_seconds)
        memory = _against_none(choice.situation, lambda c: c.saved_bytes)
        for candidate in sorted(choice.situation.candidates, key=lambda c: -c.mean):
            rows.append(
                {
                    "data": choice.situation.data,
                    "net": choice.situation.net,
                    "batch_size": choice.situation.batch_size,
                    "method": candidate.method,
                    "place": _place(choice, candidate),
                    "test_accuracy": candidate.mean,
                    "test_accuracy_sd": candidate.deviation,
                    "test_loss": candidate.test_loss,
                    "n": len(candidate.accuracy),
                    "behind_best": choice.best.mean - candidate.mean,
                    "p_adjusted": choice.p.get(candidate.method, math.nan),
                    "step_seconds": candidate.step_seconds,
                    "step_over_none": seconds.get(candidate.method),
                    "saved_bytes": candidate.saved_bytes,
                    "memory_over_none": memory.get(candidate.method),
                }
            )
    return pd.DataFrame(rows)


def _place(choice: Choice, candidate: Candidate) -> str:
    if candidate is choice.best:
        return "best"
    return "not distinguishable" if any(candidate is equal for equal in choice.equals) else ""


def _against_none(situation: Situation, cost: Callable[[Candidate], float | None]) -> dict[str, float]:
    """A cost of every method over that of the net without norm, where both are known."""
    none = next((cost(c) for c in situation.candidates if c.method == "none"), None)
    return {c.method: value / none for c in situation.candidates if none and (value := cost(c))}


def choice_figure(choices: Sequence[Choice]) -> Figure:
    """A map: a row a method, a column a situation, coloured by the gap to the best, the best and its equals outlined.

    Beside it, what a training step takes against no normalization, in time and memory, from the last situation of the
    first net, the one with the largest batch.
    """
    methods = [name for name in COLOURS if any(name == c.method for x in choices for c in x.situation.candidates)]
    methods += sorted({c.method for x in choices for c in x.situation.candidates} - set(methods))
    data = list(dict.fromkeys(choice.situation.data for choice in choices))
    costs = _cost_columns(choices)
    counts = [sum(choice.situation.data == name for choice in choices) for name in data]
    figure, axes = plt.subplots(
        1,
        len(data) + len(costs),
        figsize=(1.9 + 1.12 * sum(counts) + 1.5 * len(costs), 0.42 * len(methods) + 2.1),
        width_ratios=[*counts, *[1.3] * len(costs)],
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for ax, name in zip(axes[0], data, strict=False):
        _draw_map(ax, [choice for choice in choices if choice.situation.data == name], methods)
        ax.set_title(DATA_TITLES.get(name, name), fontsize=12, fontweight="bold")
    for ax, (title, values) in zip(axes[0][len(data) :], costs.items(), strict=True):
        _draw_costs(ax, title, values, methods)
    axes[0][0].set_yticks(range(len(methods)), [method_title(name) for name in methods], fontsize=10)
    axes[0][0].set_ylim(len(methods) - 0.5, -0.5)
    scale = ScalarMappable(Normalize(0, WORST_SHOWN), SHADES)
    bar = figure.colorbar(scale, ax=list(axes[0][: len(data)]), location="bottom", aspect=40, shrink=0.6, pad=0.02)
    bar.set_label(f"points behind the best ({WORST_SHOWN} or more)", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    return figure


def pareto_figure(choices: Sequence[Choice]) -> Figure | None:
    """Accuracy against the time and the memory of a training step, for the largest batch of the first net on each data set.

    A line joins the methods that no other one beats in both: the Pareto front. None where costs are not measured.
    """
    first = choices[0].situation.net
    largest = max(choice.situation.batch_size for choice in choices if choice.situation.net == first)
    chosen = [c.situation for c in choices if (c.situation.net, c.situation.batch_size) == (first, largest)]
    readings: dict[str, Callable[[Candidate], float | None]] = {
        "time of a training step, none = 1": lambda c: c.step_seconds,
        "memory of a training step, none = 1": lambda c: c.saved_bytes,
    }
    if any(not _against_none(situation, cost) for situation in chosen for cost in readings.values()):
        return None
    figure, axes = plt.subplots(
        len(chosen), 2, figsize=(12, 4.3 * len(chosen)), squeeze=False, sharey="row", layout="constrained"
    )
    for row, situation in zip(axes, chosen, strict=True):
        accuracy = {c.method: 100 * c.mean for c in situation.candidates}
        for ax, (title, cost) in zip(row, readings.items(), strict=True):
            _draw_pareto(ax, _against_none(situation, cost), accuracy)
            data = DATA_TITLES.get(situation.data, situation.data)
            ax.set(title=f"{data}: {situation.title}", xlabel=title)
        row[0].set_ylabel("test accuracy, %")
    return figure


def pareto_front(costs: Mapping[str, float], accuracy: Mapping[str, float]) -> list[str]:
    """The methods, by rising cost, of which no other one is both cheaper and more accurate."""
    front: list[str] = []
    for method in sorted(costs, key=lambda m: (costs[m], -accuracy[m])):
        if not front or accuracy[method] > accuracy[front[-1]]:
            front.append(method)
    return front


def _draw_pareto(ax: Axes, costs: Mapping[str, float], accuracy: Mapping[str, float]) -> None:
    front = pareto_front(costs, accuracy)
    ax.plot([costs[m] for m in front], [accuracy[m] for m in front], color="#24292f", linewidth=1, zorder=1)
    texts = []
    for method, cost in costs.items():
        on_front = method in front
        ax.plot(
            cost, accuracy[method], "o", color=COLOURS.get(method, "#57606a"), markersize=8 if on_front else 6, zorder=2
        )
        weight = "bold" if on_front else "normal"
        texts.append(ax.text(cost, accuracy[method], method_title(method), fontsize=8, fontweight=weight))
        texts[-1].set_path_effects([withStroke(linewidth=3, foreground="white")])
    ax.margins(x=0.06)
    ax.set_xlim(right=ax.get_xlim()[1] + 0.24 * (ax.get_xlim()[1] - ax.get_xlim()[0]))  # for the last label
    _spread(ax, texts)


def _spread(ax: Axes, texts: list[Text]) -> None:
    """Move labels up or down until none covers another or a point; a line leads to those that are far from theirs."""
    figure = ax.figure
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    points = [ax.transData.transform(text.get_position()) for text in texts]
    placed = [Bbox.from_bounds(x - 5, y - 5, 10, 10) for x, y in points]
    for text in sorted(texts, key=lambda t: -t.get_position()[1]):
        x, y = ax.transData.transform(text.get_position())
        box = text.get_window_extent(renderer)
        for shift in sorted(range(-60, 61, 4), key=abs):
            moved = box.translated(10, shift - box.height / 3)
            if not any(moved.overlaps(other) for other in placed):
                break
        placed.append(moved)
        left, bottom = ax.transData.inverted().transform((x + 10, y + shift - box.height / 3))
        text.set_position((float(left), float(bottom)))
        if abs(shift) > box.height / 2:
            ends = ax.transData.inverted().transform([(x, y), (x + 9, y + shift)])
            ax.plot(ends[:, 0], ends[:, 1], color="#57606a", linewidth=0.7, zorder=1.5)


def _draw_map(ax: Axes, choices: list[Choice], methods: list[str]) -> None:
    for column, choice in enumerate(choices):
        for candidate in choice.situation.candidates:
            row = methods.index(candidate.method)
            gap = 100 * (choice.best.mean - candidate.mean)
            among = any(candidate is equal for equal in choice.equals)
            shade = SHADES(min(gap / WORST_SHOWN, 1.0))
            ax.add_patch(Rectangle((column - 0.48, row - 0.46), 0.96, 0.92, facecolor=shade, linewidth=0))
            if among:
                ax.add_patch(
                    Rectangle((column - 0.46, row - 0.44), 0.92, 0.88, fill=False, edgecolor="#111111", linewidth=1.8)
                )
            dark = gap / WORST_SHOWN < 0.13
            text: dict[str, Any] = {"ha": "center", "va": "center", "color": "white" if dark else "#1f2328"}
            star = "★" if candidate is choice.best else ""
            weight = "bold" if among else "normal"
            ax.text(column, row - 0.13, f"{100 * candidate.mean:.1f}{star}", fontsize=9.5, fontweight=weight, **text)
            ax.text(column, row + 0.24, f"± {100 * candidate.deviation:.1f}", fontsize=6.5, **text)
    ax.set_xlim(-0.5, len(choices) - 0.5)
    labels = [f"{choice.situation.net}\nbatch {choice.situation.batch_size}" for choice in choices]
    ax.set_xticks(range(len(choices)), labels, fontsize=9)
    ax.tick_params(length=0)
    ax.grid(visible=False)
    for side in ax.spines.values():
        side.set_visible(False)


def _cost_columns(choices: Sequence[Choice]) -> dict[str, dict[str, float]]:
    """Time and memory by method, over the situations of the first net with the largest batch: geometric means where it ran."""
    first = choices[0].situation.net
    largest = max(choice.situation.batch_size for choice in choices if choice.situation.net == first)
    chosen = [c.situation for c in choices if (c.situation.net, c.situation.batch_size) == (first, largest)]
    columns: dict[str, dict[str, float]] = {}
    readings: dict[str, Callable[[Candidate], float | None]] = {
        "time": lambda c: c.step_seconds,
        "memory": lambda c: c.saved_bytes,
    }
    for title, cost in readings.items():
        found = [_against_none(situation, cost) for situation in chosen]
        if all(found):
            timed = list(dict.fromkeys(method for values in found for method in values))
            columns[f"{title} of a step\n({first}, batch {largest})"] = {
                method: float(np.exp(np.mean([math.log(values[method]) for values in found if method in values])))
                for method in timed
            }
    return columns


def _draw_costs(ax: Axes, title: str, values: Mapping[str, float], methods: list[str]) -> None:
    for row, method in enumerate(methods):
        if method in values:
            ax.barh(row, values[method], height=0.62, color=COLOURS.get(method, "#57606a"))
            ax.text(values[method] + 0.05, row, f"×{values[method]:.1f}", va="center", fontsize=8.5)
    ax.axvline(1.0, color="#24292f", linewidth=0.8)
    ax.set_xlim(0, max(values.values()) * 1.28)
    ax.set_xlabel(f"{title},\nnone = 1", fontsize=9)
    ax.tick_params(axis="x", labelsize=8)
    ax.grid(visible=False, axis="y")
