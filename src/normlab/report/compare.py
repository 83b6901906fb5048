"""Two norms side by side, from whatever runs a store holds: paired by seed, each at its best rate."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from normlab.errors import NormlabError
from normlab.runs.measures import measure
from normlab.runs.store import Store
from normlab.verdicts.statistics import decide

Rest = tuple[tuple[str, str], ...]  # a run's configuration without norm, rate and seed
ByRate = dict[float, dict[int, str]]  # run keys by rate and seed


def compare(store: Store, first: str, second: str) -> pd.DataFrame:
    """A row for each configuration with which both norms were run: test accuracies and their paired difference. Of the
    configuration ``setting`` says what is not the same in all rows.

    A norm is named as in ``norm=…``, a norm of one's own by its class (``my_pkg.MyNorm``). Everything but the norm, the learning
    rate and the seed must be equal. Each norm is taken at the rate with the highest mean validation accuracy, of those that were
    run with most seeds; the difference is the first minus the second over the seeds that both have, with its 95 % t-interval.

    Raises:
        NormlabError: if there are no such runs.
    """
    arms = [_runs_of(store, name) for name in (first, second)]
    for name, runs in zip((first, second), arms, strict=True):
        if not runs:
            raise NormlabError(f"there are no runs with norm {name!r} in {store.root}")
    rows: list[dict[str, Any]] = []
    for rest in sorted(set(arms[0]) & set(arms[1])):
        (rate_a, a), (rate_b, b) = (_best(store, arm[rest]) for arm in arms)
        seeds = sorted(set(a) & set(b))
        if not seeds:
            continue
        accuracies = [[_accuracy(store, keys[seed], "test") for seed in seeds] for keys in (a, b)]
        test = decide(np.array(accuracies[0]) - np.array(accuracies[1]), "superiority", 0.0, 0.0)
        rows.append(
            {
                "setting": rest,
                f"{first}, rate": rate_a,
                f"{first}, %": 100 * float(np.mean(accuracies[0])),
                f"{second}, rate": rate_b,
                f"{second}, %": 100 * float(np.mean(accuracies[1])),
                "difference, points": 100 * test.estimate,
                "low": 100 * test.low,
                "high": 100 * test.high,
                "n": len(seeds),
            }
        )
    if not rows:
        raise NormlabError(
            f"no run with norm {first!r} has its like with norm {second!r}: all but norm, rate and seed must be equal"
        )
    common = set.intersection(*(set(row["setting"]) for row in rows)) if len(rows) > 1 else set()
    for row in rows:
        row["setting"] = ", ".join(f"{key}={value}" for key, value in row["setting"] if (key, value) not in common)
    return pd.DataFrame(rows)


def _runs_of(store: Store, norm: str) -> dict[Rest, ByRate]:
    found: dict[Rest, ByRate] = defaultdict(lambda: defaultdict(dict))
    for row in store.runs().to_dict("records"):
        read = row["status"] == "ok" and pd.notna(
            row["test_accuracy"]
        )  # runs that serve to choose a rate read no test images
        if not read and row["status"] != "diverged":
            continue
        config = dict(_flat(json.loads(row["config"])))
        if norm in (row["norm"], config.get("norm.target")):
            rest = {k: v for k, v in config.items() if k not in ("seed", "optimizer.lr") and not k.startswith("norm.")}
            found[tuple(sorted(rest.items()))][float(row["lr"])][int(row["seed"])] = str(row["run_key"])
    return found


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """A configuration by dotted names."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, str(value)


def _best(store: Store, by_rate: ByRate) -> tuple[float, dict[int, str]]:
    most = max(len(keys) for keys in by_rate.values())
    full = {rate: keys for rate, keys in by_rate.items() if len(keys) == most}
    return max(
        full.items(), key=lambda item: np.mean([_accuracy(store, key, "validation") for key in item[1].values()])
    )


def _accuracy(store: Store, run_key: str, split: str) -> float:
    value = measure(store, run_key, f"{split}_accuracy")
    return value.number if value else 0.0
