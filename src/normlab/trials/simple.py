"""What a linear model has on the same images: a net that is no better is not trained."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from normlab.config import RunConfig
from normlab.runs.execute import execute, is_done
from normlab.runs.key import run_key
from normlab.runs.store import Store
from normlab.sweeps.compose import Composer
from normlab.trials.known import accuracy

RATES = (0.003, 0.01, 0.03)  # at batches of 128; of others in proportion
TUNING, SEEDS = 1000, range(3)


def linear_accuracy(base: Mapping[str, Any], composer: Composer, store: Store) -> float:
    """The mean test accuracy of multinomial logistic regression on the images of ``base``, trained as long as the nets and not augmented,
    at the best of three rates; what ``store`` holds of it is not trained again.
    """
    own = {key: value for key, value in base.items() if key.partition(".")[0] != "net"}
    own |= {"net": "linear", "net.widths": [], "norm": "none", "data.augment": "none"}
    share = composer(own).data.batch_size / 128

    def trained(rate: float, seed: int) -> str:
        config: RunConfig = composer({**own, "optimizer.lr": rate, "seed": seed})
        key = run_key(config)
        if not is_done(store, key, config):
            execute(config, store, role="linear")
        return key

    rates = [float(f"{rate * share:.3g}") for rate in RATES]
    best = max(rates, key=lambda rate: accuracy(store, trained(rate, TUNING), "validation"))
    return float(np.mean([accuracy(store, trained(best, seed)) for seed in SEEDS]))
