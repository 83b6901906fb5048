"""The answer to a choice as a table, a picture and a page."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from normlab.core.record import write_atomically
from normlab.core.statistics import interval
from normlab.report.choice import choice_table
from normlab.report.style import COLOURS, method_title, use_style
from normlab.trials.card import number
from normlab.trials.choosing import Chosen
from normlab.trials.pages import inlined, page, png


def table(chosen: Chosen) -> pd.DataFrame:
    """A row a method, the best first: accuracy, distance to the best, the test, its rate, time and memory against no normalization, and
    whether it is above a linear model on the same images, where that is known.
    """
    if chosen.choice is None:
        return pd.DataFrame()
    found = choice_table([chosen.choice])
    linear = chosen.facts["linear"]
    clears = True if linear is None else found["test_accuracy"] > 100 * linear
    return found.assign(lr=found["method"].map(chosen.rates), clears_linear=clears).drop(columns=["test_loss"])


def picture(chosen: Chosen) -> Figure:
    """Each method's accuracies, their mean with its 95 % interval, and the time of a step; the best and its equals have a dark ring."""
    use_style()
    assert chosen.choice is not None
    rows = sorted(chosen.choice.situation.candidates, key=lambda candidate: -candidate.mean)
    equals = {candidate.method for candidate in chosen.choice.equals}
    none = next((c.step_seconds for c in rows if c.method == "none"), None)
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(11, 1.4 + 0.42 * len(rows)), width_ratios=[2.4, 1], sharey=True, layout="constrained"
    )
    for row, candidate in enumerate(rows):
        values = 100 * np.array(list(candidate.accuracy.values()))
        colour = COLOURS[candidate.method]
        left.plot(values, np.full(len(values), row), "o", color=colour, alpha=0.35, markersize=4)
        mean, low, high = interval(values) if len(values) > 1 else (values[0], values[0], values[0])
        ring = {"markeredgecolor": "#111111", "markeredgewidth": 2.0} if candidate.method in equals else {}
        left.errorbar(
            [mean], [row], xerr=[[mean - low], [high - mean]], fmt="o", color=colour, markersize=8, capsize=3, **ring
        )
        if candidate.step_seconds and none:
            ratio = candidate.step_seconds / none
            right.barh(row, ratio, height=0.55, color=colour)
            right.text(ratio, row, f" ×{ratio:.1f}", va="center", fontsize=8)
    left.set_yticks(range(len(rows)), [method_title(candidate.method) for candidate in rows])
    left.set_ylim(len(rows) - 0.5, -0.5)
    linear = chosen.facts["linear"]
    left.set_xlabel("test accuracy, %")
    if linear is not None:
        left.axvline(100 * linear, color="#57606a", linestyle=":")
        left.set_xlabel(f"test accuracy, % (dotted: a linear model, {100 * linear:.1f} %)")
    right.set_xlabel("time of a training step, none = 1")
    right.set_xlim(0, right.get_xlim()[1] * 1.15)
    best = method_title(chosen.choice.best.method)
    others = len(equals) - 1
    title = f"{chosen.label}: {best}" + (f", and {others} not told from it" if others else "")
    figure.suptitle(title, fontsize=13, fontweight="bold")
    figure.supxlabel(f"{trained(chosen)} · {chosen.facts['machine']}", fontsize=8, color="#57606a")
    return figure


def trained(chosen: Chosen) -> str:
    """How long and on how many images."""
    return f"{chosen.facts['images']:,} images × {chosen.facts['epochs']:g} epochs"


def html(chosen: Chosen) -> str:
    """The page, in English and Japanese, with everything in it."""
    image = inlined(png(picture(chosen)), chosen.label) if chosen.choice else ""
    rows = table(chosen).to_dict("records")
    return page(
        "answer.html", chosen=chosen, rows=rows, number=number, title=method_title, image=image, trained=trained(chosen)
    )  # fmt: skip


def save(chosen: Chosen, folder: Path) -> Path:
    """Write ``index.html``, ``choice.csv`` and ``choice.png`` there; the page."""
    write_atomically(folder / "choice.csv", table(chosen).to_csv(index=False).encode())
    if chosen.choice is not None:
        write_atomically(folder / "choice.png", png(picture(chosen)))
    write_atomically(folder / "index.html", html(chosen).encode())
    return folder / "index.html"
