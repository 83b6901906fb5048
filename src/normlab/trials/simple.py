"""What a linear model has on the same images: a net that is no better is not trained."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from normlab.runs.execute import execute, is_done
from normlab.runs.key import run_key
from normlab.runs.store import Store
from normlab.sweeps.compose import Composer
from normlab.trials.known import accuracy

RATES = (0.01, 0.003, 0.03)  # at batches of 128, the likeliest first; of others in proportion
TUNING, SEEDS = 1000, range(3)


def linear_accuracy(base: Mapping[str, Any], composer: Composer, store: Store, seconds: float) -> float | None:
    """The mean test accuracy of multinomial logistic regression on the images of ``base``, trained as long as the nets and not augmented,
    at the best of three rates; None if it cannot be trained here. What ``store`` holds of it is not trained again; after so many
    ``seconds`` it makes do with the rates and seeds that it has.
    """
    own = {key: value for key, value in base.items() if key.partition(".")[0] != "net"}
    own |= {"net": "linear", "net.widths": [], "norm": "none", "data.augment": "none"}
    share, until = composer(own).data.batch_size / 128, time.monotonic() + seconds

    def trained(rate: float, seed: int) -> str:
        config = composer({**own, "optimizer.lr": rate, "seed": seed})
        key = run_key(config)
        if not is_done(store, key, config):
            execute(config, store, role="linear")
        return key

    found: dict[float, float] = {}
    for rate in (float(f"{rate * share:.3g}") for rate in RATES):
        if found and time.monotonic() > until:
            break
        key = trained(rate, TUNING)
        if store.is_missing(key):
            return None
        found[rate] = accuracy(store, key, "validation")
    best, accuracies = max(found, key=lambda rate: found[rate]), list[float]()
    for seed in SEEDS:
        if accuracies and time.monotonic() > until:
            break
        accuracies.append(accuracy(store, trained(best, seed)))
    return float(np.mean(accuracies))
