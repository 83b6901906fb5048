"""The gates of every recipe and the controls, as tables that the first page shows."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from normlab.core.claim import Text
from normlab.core.statistics import interval
from normlab.report.results import Results

FURTHER = {"batch − none": ("batch", "none"), "batch − group": ("batch", "group")}
STEADY = 0.01  # by which twice the length may move a conclusion
NEAR = 0.06  # of batch norm, for group norm at a large batch


def gates(results: Results) -> pd.DataFrame:
    """A row a setting and arm: whether it clears the linear model on the same images, and how far twice the length moves the lead of batch
    norm.

    ``change_at_double_length`` is, over tuning seeds, (batch − arm) at twice the recipe's length minus (batch − arm) at its own; the
    row of batch norm has the larger of those against none and group norm. ``cleared``: more accurate than the linear
    model, diverged runs at chance.
    """
    rows = []
    for setting in results.settings:
        recipe = results.recipe(setting)
        linear = _mean(results.values(results.select("linear", setting=setting, level="best"), "test_accuracy"))
        found = results.select("base", setting=setting, level="best")
        for arm in dict.fromkeys(found["norm"]) if len(found) else ():
            runs = found[found["norm"] == arm]
            values = results.values(runs, "test_accuracy")
            rows.append(
                {
                    "recipe": recipe,
                    "data": setting,
                    "arm": arm,
                    "n": len(values),
                    "test_accuracy": _mean(values),
                    "linear_accuracy": linear,
                    "change_at_double_length": _change(results, setting, arm),
                    "cleared": bool(_mean(values) > linear),
                    "diverged": int((runs["status"] == "diverged").sum()),
                }
            )
    return pd.DataFrame(rows)


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _change(results: Results, setting: str, arm: str) -> float:
    if arm == "batch":
        changes = [_change(results, setting, other) for other in ("none", "group")]
        return max(changes, key=abs)
    if arm not in ("none", "group"):
        return float("nan")
    leads = []
    for grid in ("double", "base"):
        best = {norm: _best_on_tuning_seeds(results, grid, setting, norm) for norm in ("batch", arm)}
        leads.append(best["batch"] - best[arm])
    return leads[0] - leads[1]


def _best_on_tuning_seeds(results: Results, grid: str, setting: str, norm: str) -> float:
    """Validation accuracy at the best rate, over the tuning seeds that it was chosen on."""
    rows = results.select(grid, role="tune", setting=setting, norm=norm)
    by_rate = [
        results.values(rows[rows["optimizer.lr"] == rate], "validation_accuracy")
        for rate in (rows["optimizer.lr"].unique() if len(rows) else ())
    ]
    most = max(map(len, by_rate), default=0)
    return max((_mean(values) for values in by_rate if len(values) == most), default=float("nan"))


Control = tuple[str, str, Callable[[Results], dict[int, float]], Callable[[float, float, float], bool]]


def _difference(grid: str, axis: str, plus: str, minus: str) -> Callable[[Results], dict[int, float]]:
    def by_seed(results: Results) -> dict[int, float]:
        sides = [
            results.by_seed(results.select(grid, setting="cifar10", level="best", **{axis: value}), "test_accuracy")
            for value in (plus, minus)
        ]
        return {seed: sides[0][seed] - sides[1][seed] for seed in sides[0] if seed in sides[1]}

    return by_seed


def _interaction(results: Results) -> dict[int, float]:
    """What statistics over two images cost with norms everywhere, less what they cost behind convolutions alone."""
    everywhere = _difference("everywhere", "shared", "128", "2")(results)
    behind = _difference("shared", "shared", "32", "2")(results)
    return {seed: everywhere[seed] - behind[seed] for seed in everywhere if seed in behind}


CONTROLS: tuple[Control, ...] = (
    (
        "statistics over 2 images against 32 (batch norm)",
        "they cost accuracy: 32 − 2 above 0",
        _difference("shared", "shared", "32", "2"),
        lambda estimate, low, high: low > 0,
    ),
    (
        "the same with a norm in the fully connected layer, too",
        "they ruin the net: at least 20 points more",
        _interaction,
        lambda estimate, low, high: estimate > 0.2,
    ),
    (
        "batch norm against none at six convolutions",
        "batch − none above 0",
        _difference("base", "norm", "batch", "none"),
        lambda estimate, low, high: low > 0,
    ),
    (
        "group norm against batch norm at batch 128",
        f"within {100 * NEAR:g} points",
        _difference("base", "norm", "group", "batch"),
        lambda estimate, low, high: abs(estimate) < NEAR,
    ),
)


def controls(results: Results) -> pd.DataFrame:
    """Effects that are known: whether they show on CIFAR-10 by recipe V. They decide no verdict."""
    rows = []
    for control, expected, read, holds in CONTROLS:
        values = np.array(list(read(results).values()))
        if "cifar10" in results.settings and len(values) >= 3:
            estimate, low, high = interval(values)
            shown = {"estimate": estimate, "low": low, "high": high, "n": len(values)}
            rows.append({"control": control, "expected": expected, **shown, "holds": bool(holds(estimate, low, high))})
    return pd.DataFrame(rows)


PUBLISHED = {
    "gates": (Text("Are the nets trained?", "ネットは学習できているか"), gates),
    "controls": (Text("Does what is known show?", "既知の効果は現れるか"), controls),
}
