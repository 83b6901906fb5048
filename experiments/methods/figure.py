"""Test accuracy of every method at each batch size."""

import math
from dataclasses import replace
from statistics import mean

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from experiments.methods.claims import SIZES
from normlab.report.choice import Candidate, Situation
from normlab.report.results import Results
from normlab.report.style import COLOURS, DATA_TITLES, draw_row, method_title


def situations(results: Results) -> list[Situation]:
    """For the report's choice of a method: the plain CNN at each batch size, and the residual net."""
    found = []
    for setting in results.settings:
        for size in SIZES:
            rows = results.select(f"batch_{size}", setting=setting, level="best")
            found.append(Situation(setting, "CNN", size, candidates(results, rows, "norm")))
        residual = candidates(results, results.select("residual", setting=setting, level="best"), "norm")
        without = candidates(results, results.select("normfree", setting=setting, level="best"), "arm")
        named = {"fixup": "Fixup, no norm", "scaled": "scaled WS, no norm"}
        free = [replace(c, method=named[c.method]) for c in without if c.method in named]
        alone = [] if residual else [c for c in without if c.method == "batch"]
        found.append(Situation(setting, "ResNet-8", 32, [*residual, *alone, *free]))
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
    """Test accuracy of every method at each batch size."""
    run = {setting: set(results.select("batch_128", setting=setting)["norm"]) for setting in results.settings}
    shown = {setting: [name for name in COLOURS if name in run[setting]] for setting in results.settings}
    heights = [max(1, len(names)) for names in shown.values()]
    plot, axes = plt.subplots(
        len(results.settings),
        len(SIZES),
        figsize=(12, 0.34 * sum(heights) + 1.2 * len(heights)),
        height_ratios=heights,
        squeeze=False,
        sharey="row",
        layout="constrained",
    )
    for row, (setting, names) in zip(axes, shown.items(), strict=True):
        for ax, size in zip(row, SIZES, strict=True):
            for place, norm in enumerate(names):
                rows = results.select(f"batch_{size}", setting=setting, norm=norm, level="best")
                if len(rows):
                    draw_row(ax, place, [100 * v for v in results.values(rows, "test_accuracy")], COLOURS[norm])
            ax.set_yticks(range(len(names)), [method_title(name) for name in names], fontsize=8)
            ax.set_ylim(len(names) - 0.4, -0.6)
            ax.set(title=f"{DATA_TITLES[setting]}: batch {size}", xlabel="test accuracy, %", xlim=(0, 100))
    return plot
