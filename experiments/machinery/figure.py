"""The p-values' distribution for every kind of contrast, against the uniform one with its 95 % band."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from normlab.core.claim import Arm, Contrast, Text
from normlab.core.effects import CellReader
from normlab.core.reading import Failed, Reading, Value
from normlab.core.readings import of_one_run
from normlab.core.statistics import tails
from normlab.report.results import Results
from normlab.report.style import COLOURS, DATA_TITLES
from normlab.verdicts.cells import StoreNumbers

ALPHA = 0.05
PAIRS = 5  # a trial, as most claims have seeds
FAR = 10.0  # a δ that no difference here comes near


@dataclass(frozen=True)
class Kind:
    """A kind of contrast. ``decide`` reads off its tests the p-value that is uniform where the arms are equal, at the edge
    of what the test rejects.
    """

    contrast: Contrast
    decide: Callable[[np.ndarray, float], float]
    runs: int = 2


def superior(effects: np.ndarray, step: float) -> float:
    return tails(effects, FAR, step).positive


def not_superior(effects: np.ndarray, step: float) -> float:
    return tails(effects + FAR, FAR, step).below_delta


def not_inferior(effects: np.ndarray, step: float) -> float:
    return tails(effects - FAR, FAR, step).above_minus_delta


def equivalent(effects: np.ndarray, step: float) -> float:
    found = tails(effects + FAR, FAR, step)
    return max(found.below_delta, found.above_minus_delta)


def failing(effects: np.ndarray, step: float) -> float:
    return tails(effects, FAR, step, "sign_flip").positive


def contrast(measure: str, log: bool = False, less: bool = False) -> Contrast:
    a, b, c, d = (Arm("same", {"arm": name}) for name in "abcd")
    return Contrast(Text("", ""), measure, a, b, less=(c, d) if less else None, log=log)


ACCURACY = contrast("test_accuracy")
KINDS = {
    "superiority, accuracy": Kind(ACCURACY, superior),
    "superiority, absent": Kind(ACCURACY, not_superior),
    "noninferiority": Kind(ACCURACY, not_inferior),
    "equivalence": Kind(ACCURACY, equivalent),
    "ratio of losses": Kind(contrast("train_loss", log=True), superior),
    "ratio of epochs to a target": Kind(contrast("epochs_to@{target}", log=True), superior),
    "difference of differences": Kind(contrast("test_accuracy", less=True), superior, runs=4),
    "failures (McNemar)": Kind(contrast("failed"), failing),
}


FINAL = of_one_run("test_accuracy")


class WithEvents(StoreNumbers):
    """The store's numbers, but that a run counts as failed if its accuracy is below that of half of the others."""

    def __init__(self, results: Results, keys: list[str]) -> None:
        super().__init__(results.store)
        found = [super(WithEvents, self).value(key, FINAL) for key in keys]
        self.half = float(np.median([value.number for value in found if value]))

    def value(self, run_key: str, reading: Reading) -> Value | None:
        if not isinstance(reading, Failed):
            return super().value(run_key, reading)
        found = super().value(run_key, FINAL)
        return found and Value(float(found.number < self.half))


@lru_cache(maxsize=4)  # for the table and for the figure
def trials(results: Results, setting: str) -> dict[str, np.ndarray]:
    """The p-values of every kind of contrast, one a trial, by the code that decides claims. No run is in two trials of a kind."""
    constants = results.design.at(results.scale).settings[setting].constants
    rows = results.select("same", setting=setting)
    if not len(rows):
        return {}
    keys = list(rows.sort_values("seed")["run_key"])
    numbers = WithEvents(results, keys)
    return {name: _trials(kind, keys, numbers, constants) for name, kind in KINDS.items()}


def _trials(kind: Kind, keys: list[str], numbers: WithEvents, constants: Mapping[str, float]) -> np.ndarray:
    pairs = len(keys) // (PAIRS * kind.runs) * PAIRS
    found = []
    for first in range(0, pairs, PAIRS):
        cells = [
            {
                "grid": "same",
                "role": "report",
                "arm": "abcd"[arm],
                "seed": pair,
                "run_key": keys[pair * kind.runs + arm],
            }
            for pair in range(first, first + PAIRS)
            for arm in range(kind.runs)
        ]
        reader = CellReader(cells, numbers)
        effects = reader.effects(kind.contrast, {}, constants, range(first, first + PAIRS))
        if len(effects.by_seed) >= 3:  # with fewer nothing is decided, and p is 1 by definition
            found.append(kind.decide(effects.array, effects.step))
    return np.array(found)


def table(results: Results) -> pd.DataFrame | None:
    """A row a kind of contrast: how many trials, how many of them "significant", and whether the p-values are uniform."""
    rows = []
    for setting in results.settings:
        for kind, p_values in trials(results, setting).items():
            share = stats.binomtest(int((p_values < ALPHA).sum()), len(p_values))
            low, high = share.proportion_ci()
            # Few distinct values are possible for failures: their p-values may be larger than uniform ones, never smaller.
            side = "greater" if "McNemar" in kind else "two-sided"
            rows.append(
                {
                    "setting": setting,
                    "kind": kind,
                    "trials": len(p_values),
                    f"share of p < {ALPHA:g}": float(share.statistic),
                    "its 95 % interval": f"{low:.3f} to {high:.3f}",
                    "p of uniformity": float(stats.kstest(p_values, "uniform", alternative=side).pvalue),
                }
            )
    return pd.DataFrame(rows) if rows else None


def figure(results: Results) -> Figure | None:
    """The p-values' distribution for every kind of contrast, against the uniform one with its 95 % band."""
    plot, axes = plt.subplots(
        1, len(results.settings), figsize=(6.4 * len(results.settings), 5), squeeze=False, layout="constrained"
    )
    colours = [
        COLOURS[name]
        for name in ("batch", "renorm", "cross_iteration", "switchable", "group", "layer", "instance", "custom")
    ]
    drawn = False
    for ax, setting in zip(axes[0], results.settings, strict=True):
        found = trials(results, setting)
        if found:
            drawn = True
            most = max(len(p_values) for p_values in found.values())
            half = stats.kstwo.ppf(0.95, most)
            line = np.linspace(0, 1, 2)
            ax.fill_between(
                line,
                line - half,
                line + half,
                color="#57606a",
                alpha=0.12,
                linewidth=0,
                label=f"95 % band, {most} trials",
            )
            ax.plot(line, line, color="#57606a", linewidth=0.8)
        for (kind, p_values), colour in zip(found.items(), colours, strict=False):
            ax.ecdf(p_values, color=colour, label=f"{kind} ({len(p_values)})")
        ax.set(
            title=f"{DATA_TITLES[setting]}: one arm against itself",
            xlabel="p",
            ylabel="share of trials with a p as small",
        )
        ax.set(xlim=(0, 1), ylim=(0, 1))
        ax.legend(loc="lower right", fontsize=8)
    return plot if drawn else None
