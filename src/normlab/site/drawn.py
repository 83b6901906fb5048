"""What the drawing pages draw, as a script that defines one value: browsers refuse to read data beside a page over file://."""

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import t as student

from normlab.norms import METHODS
from normlab.runs.store import Store
from normlab.site.language import LANGUAGES
from normlab.site.situations import Arm, Field

POINTS = 40  # of a training curve
DEGREES = 100  # of freedom, up to which quantiles are listed


def script(fields: Sequence[Field], store: Store) -> str:
    """``window.normlab``: situations with their methods' accuracies by seed, curves and tuning; titles; quantiles of Student's t."""
    shown = [name for name in METHODS if any(arm.method == name for field in fields for arm in field.arms)]
    content = {
        "situations": [_situation(field, store) for field in fields],
        "order": shown,
        "methods": {
            name: {"title": {each.code: each.method(name) for each in LANGUAGES}, "colour": METHODS[name].colour}
            for name in shown
        },
        "quantiles": [None, *(round(float(student.ppf(0.975, n)), 4) for n in range(1, DEGREES + 1))],
    }
    return f"window.normlab = {json.dumps(content, ensure_ascii=False, separators=(',', ':'))};\n"


def _situation(field: Field, store: Store) -> dict[str, Any]:
    return {
        "name": field.name,
        "title": {each.code: each.situation(field) for each in LANGUAGES},
        "trained": {each.code: each.length(field) for each in LANGUAGES},
        "arms": [_arm(arm, store) for arm in field.arms],
    }


def _arm(arm: Arm, store: Store) -> dict[str, Any]:
    return {
        "method": arm.method,
        "lr": arm.lr,
        "diverged": arm.diverged,
        "accuracy": {seed: round(value, 6) for seed, value in arm.accuracy.items()},
        "curve": curve(arm.keys, store),
        "rates": rates(arm.tuned),
    }


def curve(keys: Mapping[int, str], store: Store) -> list[tuple[float, float]]:
    """Epochs and the mean training loss of all seeds, over stretches of equal length; seeds that diverged end where they did."""
    logged = [
        (frame["epoch"].to_numpy(), frame["train_loss"].to_numpy())
        for key in keys.values()
        if len(frame := store.history(key))
    ]
    logged = [(epochs[~np.isnan(losses)], losses[~np.isnan(losses)]) for epochs, losses in logged]
    logged = [(epochs, losses) for epochs, losses in logged if len(epochs)]
    if not logged:
        return []
    ends = np.linspace(0.0, max(epochs[-1] for epochs, _ in logged), POINTS + 1)
    found = []
    for low, high in itertools.pairwise(ends):
        means = [losses[own].mean() for epochs, losses in logged if (own := (epochs > low) & (epochs <= high)).any()]
        finite = [mean for mean in means if np.isfinite(mean)]
        if finite:
            found.append((round(float(low + high) / 2, 3), round(float(np.mean(finite)), 4)))
    return found


def rates(tuned: Mapping[float, Sequence[float]]) -> list[tuple[float, float, int]]:
    """Rates with the mean validation accuracy and the number of their tuning seeds."""
    return [(rate, round(float(np.mean(values)), 5), len(values)) for rate, values in sorted(tuned.items())]
