"""Two norms side by side, from whatever runs a store holds: paired by seed, each at its best rate."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from normlab.core.readings import of_one_run
from normlab.core.statistics import interval
from normlab.errors import NormlabError
from normlab.runs.store import Store

Settings = tuple[tuple[str, str], ...]  # what decided a run, by dotted names
ByRate = dict[float, dict[int, str]]  # run keys by rate and seed
LEAD = (
    "data.name",
    "data.train_size",
    "data.batch_size",
    "net.name",
    "training.epochs",
)  # names a setting that stands alone


def compare(store: Store, first: str, second: str) -> pd.DataFrame:
    """A row for each configuration with which both norms were run: test accuracies and their paired difference.

    A norm is named as in ``norm=…``, a norm of one's own by its class (``my_pkg.MyNorm``). Everything but the norm, the learning
    rate and the seed must be equal. Runs of one norm with other options, or of another version of its code, are variants of it
    and have rows of their own. ``setting`` says what is not the same in all rows, ``attrs["common"]`` of the table what is. Each variant
    is taken at the rate with the highest mean validation accuracy, of those that were run with most seeds; the difference is the
    first minus the second over the seeds that both have, with its 95 % t-interval.

    Raises:
        NormlabError: if there are no such runs.
    """
    arms = [_runs_of(store, name) for name in (first, second)]
    for name, runs in zip((first, second), arms, strict=True):
        if not runs:
            raise NormlabError(f"there are no runs with norm {name!r} in {store.root}")
    pairs = [
        (rest, variant, other)
        for rest in sorted({rest for rest, _ in arms[0]} & {rest for rest, _ in arms[1]})
        for variant in sorted(v for r, v in arms[0] if r == rest)
        for other in sorted(v for r, v in arms[1] if r == rest)
        if (first, variant) != (second, other)
    ]
    rows: list[dict[str, Any]] = []
    for rest, variant, other in pairs:
        (rate_a, a), (rate_b, b) = _best(store, arms[0][rest, variant]), _best(store, arms[1][rest, other])
        seeds = sorted(set(a) & set(b))
        if not seeds:
            continue
        accuracies = [[_accuracy(store, keys[seed], "test") for seed in seeds] for keys in (a, b)]
        estimate, low, high = interval(np.array(accuracies[0]) - np.array(accuracies[1]))
        own = [(f"{name} {key}", value) for name, v in ((first, variant), (second, other)) for key, value in v]
        rows.append(
            {
                "setting": (*rest, *own),
                f"{first}, rate": rate_a,
                f"{first}, %": 100 * float(np.mean(accuracies[0])),
                f"{second}, rate": rate_b,
                f"{second}, %": 100 * float(np.mean(accuracies[1])),
                "difference, points": 100 * estimate,
                "low": 100 * low,
                "high": 100 * high,
                "n": len(seeds),
            }
        )
    if not rows:
        raise NormlabError(
            f"no run with norm {first!r} has its like with norm {second!r}: all but norm, rate and seed must be equal"
        )
    return _named(rows)


def _named(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The rows as a table, each named by what is not common to all of them."""
    common = set.intersection(*(set(row["setting"]) for row in rows))
    for row in rows:
        differing = [item for item in row["setting"] if item not in common]
        named = differing or [item for item in row["setting"] if item[0] in LEAD]
        row["setting"] = ", ".join(f"{key}={value}" for key, value in named)
    table = pd.DataFrame(rows)
    table.attrs["common"] = ", ".join(f"{key}={value}" for key, value in sorted(common))
    return table


def _runs_of(store: Store, norm: str) -> dict[tuple[Settings, Settings], ByRate]:
    """The runs of a norm by all that decided them besides it, and by its variant: its options and its code's version."""
    found: dict[tuple[Settings, Settings], ByRate] = defaultdict(lambda: defaultdict(dict))
    for row in store.runs().to_dict("records"):
        read = row["status"] == "ok" and pd.notna(
            row["test_accuracy"]
        )  # runs that serve to choose a rate read no test images
        if not read and row["status"] != "diverged":
            continue
        config = dict(_flat(json.loads(row["config"])))
        if norm not in (row["norm"], config.get("norm.target")):
            continue
        versions = row.get("versions")
        config |= _flat(json.loads(versions), "version.") if isinstance(versions, str) else {}
        config = {k: v for k, v in config.items() if k not in ("seed", "optimizer.lr", "norm.name", "norm.target")}
        own = {k.removeprefix("norm."): v for k, v in config.items() if k.startswith("norm.") or k == "version.norm"}
        rest = {k: v for k, v in config.items() if not k.startswith("norm.") and k != "version.norm"}
        identity = tuple(sorted(rest.items())), tuple(sorted(own.items()))
        found[identity][float(row["lr"])][int(row["seed"])] = str(row["run_key"])
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
    value = of_one_run(f"{split}_accuracy").read(store, run_key)
    return value.number if value else 0.0
