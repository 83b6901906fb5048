"""Does the machinery decide fairly? One arm against itself, through every kind of contrast."""

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from normlab.report.inputs import Results
from normlab.report.style import COLOURS, DATA_TITLES
from normlab.verdicts.claim import Claim
from normlab.verdicts.statistics import ALPHA, p_greater, p_sign_flip

CLAIMS: tuple[Claim, ...] = ()
PAIRS = 5  # a trial, as most claims have seeds
Effects = Callable[[np.ndarray], np.ndarray]


def difference(values: np.ndarray) -> np.ndarray:
    """(pairs, 2) → effects."""
    return np.asarray(values[:, 0] - values[:, 1])


def interaction(values: np.ndarray) -> np.ndarray:
    """(pairs, 4) → effects of one difference less another."""
    return np.asarray((values[:, 0] - values[:, 1]) - (values[:, 2] - values[:, 3]))


# name: (measure, change of the values, runs an effect takes, effects, test)
KINDS: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray], int, Effects, Callable[[np.ndarray], float]]] = {
    "difference of accuracies": ("test_accuracy", np.asarray, 2, difference, lambda e: p_greater(e, 0.0)),
    "ratio of losses": ("train_loss", np.log, 2, difference, lambda e: p_greater(e, 0.0)),
    "ratio of epochs to a target": ("epochs_to@{target}", np.log, 2, difference, lambda e: p_greater(e, 0.0, STEP)),
    "difference of differences": ("test_accuracy", np.asarray, 4, interaction, lambda e: p_greater(e, 0.0)),
    "failures (McNemar)": ("test_accuracy", lambda v: (v < np.median(v)).astype(float), 2, difference, p_sign_flip),
}
STEP = 0.1  # of the logarithm of epochs, about one look in ten


def trials(results: Results, setting: str) -> dict[str, np.ndarray]:
    """The p-values of every kind of contrast, one a trial; no run is in two trials of a kind."""
    constants = results.design.at(results.scale).settings[setting].constants
    rows = results.select("same", setting=setting)
    found = {}
    for kind, (measure, change, runs, effects, test) in KINDS.items():
        by_seed = results.by_seed(rows, measure.format(**constants))
        values = change(np.array([by_seed[seed] for seed in sorted(by_seed)]))
        count = len(values) // (PAIRS * runs)
        groups = values[: count * PAIRS * runs].reshape(count, PAIRS, runs)
        found[kind] = np.array([test(effects(group)) for group in groups])
    return found


def table(results: Results) -> pd.DataFrame | None:
    """A row a kind of contrast: how many trials, how many of them "significant", and whether the p-values are uniform."""
    rows = []
    for setting in results.settings:
        for kind, p_values in trials(results, setting).items():
            if len(p_values):
                # Few distinct values are possible for failures: their p-values may be larger than uniform ones, never smaller.
                side = "greater" if "McNemar" in kind else "two-sided"
                rows.append(
                    {
                        "setting": setting,
                        "contrast": kind,
                        "trials": len(p_values),
                        f"share of p < {ALPHA:g}": float((p_values < ALPHA).mean()),
                        "p of uniformity (Kolmogorov-Smirnov)": float(
                            stats.kstest(p_values, "uniform", alternative=side).pvalue
                        ),
                    }
                )
    return pd.DataFrame(rows) if rows else None


def figure(results: Results) -> Figure | None:
    """The p-values' distribution for every kind of contrast, against the uniform one with its 95 % band."""
    plot, axes = plt.subplots(
        1, len(results.settings), figsize=(5.6 * len(results.settings), 4.6), squeeze=False, layout="constrained"
    )
    colours = [COLOURS[name] for name in ("batch", "group", "layer", "instance", "custom")]
    drawn = False
    for ax, setting in zip(axes[0], results.settings, strict=True):
        found = trials(results, setting)
        counts = [len(p_values) for p_values in found.values() if len(p_values)]
        if counts:
            drawn = True
            half = stats.kstwo.ppf(0.95, max(counts))
            line = np.linspace(0, 1, 2)
            ax.fill_between(line, line - half, line + half, color="#57606a", alpha=0.12, linewidth=0, label="95 % band")
            ax.plot(line, line, color="#57606a", linewidth=0.8)
        for (kind, p_values), colour in zip(found.items(), colours, strict=True):
            if len(p_values):
                ax.ecdf(p_values, color=colour, label=f"{kind} ({len(p_values)} trials)")
        ax.set(
            title=f"{DATA_TITLES[setting]}: one arm against itself",
            xlabel="p",
            ylabel="share of trials with a p as small",
        )
        ax.set(xlim=(0, 1), ylim=(0, 1))
        ax.legend(loc="upper left", fontsize=8)
    return plot if drawn else None
