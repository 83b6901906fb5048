"""Test accuracy of every method: on MNIST by the size of batches, on CIFAR-10, and after one pass over images one at a time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.methods.claims import SMALL, WHOLE
from normlab.report.choice import Candidate, Situation
from normlab.report.results import Results
from normlab.report.style import COLOURS, draw_row, method_title

BESIDE = 0.5  # points left of the lowest value that is shown
ONLINE = {"weight": "weight", "none": "none", "layer": "layer", "running": "batch"}  # arm: whose colour it has


@dataclass(frozen=True)
class Row:
    """A method's accuracies in percent, a value a seed."""

    title: str
    values: Sequence[float]
    colour: str


def situations(results: Results) -> list[Situation]:
    """For the report's choice of a method: the plain CNN at each size of batches."""
    found = []
    for setting in results.settings:
        for size in (*SMALL, WHOLE):
            grid = "whole" if size == WHOLE else f"small_{size}"
            rows = results.select(grid, setting=setting, level="best")
            found.append(Situation(setting, "CNN", size, candidates(results, rows, "norm")))
    return [situation for situation in found if len(situation.candidates) > 2]


def candidates(results: Results, rows: pd.DataFrame, axis: str) -> list[Candidate]:
    """A candidate for each value of ``axis`` that all reporting seeds have been run with."""
    found = []
    for method, cells in rows.groupby(axis, sort=False) if len(rows) else ():
        found_on = results.by_seed(cells, "test_accuracy")
        accuracy = {
            seed: found_on[seed] for seed in results.seeds if seed in found_on
        }  # the seeds that all methods have
        if len(accuracy) == len(results.seeds):
            seconds = results.values(cells, "step_seconds.common_layout")
            memory = results.values(cells, "training_memory.saved_bytes")
            losses, chance = results.values(cells, "test_loss"), results.values(cells, "chance")
            found.append(
                Candidate(
                    str(method),
                    accuracy,
                    mean(seconds) if seconds else None,
                    mean(memory) if memory else None,
                    mean(losses) if losses else None,
                    bool(losses) and mean(losses) > -math.log(chance[0]),
                )
            )
    return found


def figure(results: Results) -> Figure | None:
    """A panel a situation, a row a method; what is below a panel's left end is written there."""
    panels = _panels(results)
    if not panels:
        return None
    columns = min(3, len(panels))
    lines = [panels[start : start + columns] for start in range(0, len(panels), columns)]
    heights = [max(len(rows) for _, rows in line) for line in lines]
    plot, axes = plt.subplots(
        len(lines),
        columns,
        figsize=(5.0 * columns, 0.34 * sum(heights) + 1.2 * len(lines)),
        height_ratios=heights,
        squeeze=False,
        layout="constrained",
    )
    for ax in axes.flat:
        ax.set_axis_off()
    for line, places in zip(lines, axes, strict=True):
        for (title, rows), ax in zip(line, places, strict=False):
            _panel(ax, title, rows)
    return plot


def _panels(results: Results) -> list[tuple[str, list[Row]]]:
    found: list[tuple[str, list[Row]]] = []
    for setting in results.settings:
        for size in (*SMALL, WHOLE):
            grid = "whole" if size == WHOLE else f"small_{size}"
            rows = _rows(results, grid, setting)
            if size == WHOLE:
                rows += [
                    Row(
                        f"batch norm, of {small} images",
                        _percent(results, "shared", setting, shared=str(small)),
                        COLOURS["batch"],
                    )
                    for small in SMALL
                ]
            found.append((f"{results.title(setting)}: batch {size}", rows))
        online = [
            Row(
                "batch norm on\nrunning averages" if arm == "running" else method_title(of),
                _percent(results, "online", setting, arm=arm),
                COLOURS[of],
            )
            for arm, of in ONLINE.items()
        ]
        found.append((f"{results.title(setting)}: one pass, one image at a time", online))
    kept = [(title, [row for row in rows if row.values]) for title, rows in found]
    return [(title, rows) for title, rows in kept if len(rows) > 2]


def _rows(results: Results, grid: str, setting: str) -> list[Row]:
    return [
        Row(method_title(norm), _percent(results, grid, setting, norm=norm), colour) for norm, colour in COLOURS.items()
    ]


def _percent(results: Results, grid: str, setting: str, **axes: str) -> list[float]:
    rows = results.select(grid, setting=setting, level="best", **axes)
    return [100 * value for value in results.values(rows, "test_accuracy")] if len(rows) else []


def _panel(ax: Axes, title: str, rows: Sequence[Row]) -> None:
    """Values far below all others, such as those of nets that did not train, are counted at the left end."""
    ax.set_axis_on()
    low = sorted(mean(row.values) for row in rows)[len(rows) // 4]
    high = max(max(row.values) for row in rows)
    start = max(0.0, low - 2 * (high - low) - BESIDE)
    for place, row in enumerate(rows):
        inside = [value for value in row.values if value >= start]
        if inside:
            draw_row(ax, place, inside, row.colour)
        if len(inside) < len(row.values):
            below = [value for value in row.values if value < start]
            ax.text(
                0.01,
                place,
                f"◂ {len(below)} of {len(row.values)}: {min(below):.0f} %",
                transform=ax.get_yaxis_transform(),
                va="center",
                fontsize=7,
                color=row.colour,
            )
    ax.set_yticks(range(len(rows)), [row.title for row in rows], fontsize=8)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xlim(left=start - BESIDE / 2 if start else 0)
    ax.set(title=title, xlabel="test accuracy, %")
