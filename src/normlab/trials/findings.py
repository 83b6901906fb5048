"""What a trial found, as a table: one row a number, each with what it was measured on."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from normlab.core.readings import of_one_run
from normlab.core.statistics import interval, p_greater
from normlab.report.style import method_title
from normlab.trials.bench import BATCH, ENOUGH, ROBUST, Bench, Keys, Progress
from normlab.trials.checks import Check
from normlab.trials.docket import YOURS
from normlab.trials.ease import RATE
from normlab.trials.known import accuracy

COLUMNS = ("question", "where", "what", "arm", "against", "value", "low", "high", "n", "p_better", "said")
DRAWS = 2000  # of seeds, for the interval of a rank
WITHIN = 0.02  # of the best: rates that are good
COSTS = ("step", "inference", "peak_bytes", "saved_bytes", "parameters")
Row = dict[str, Any]


def findings(
    bench: Bench, progress: Progress, checks: Sequence[Check], costs: Mapping[str, Mapping[str, float]]
) -> pd.DataFrame:
    """All of it: ``right``, ``good``, ``easy``, ``robust``, ``cost``. Accuracies and differences are shares; costs are ratios to batch
    norm's; intervals are 95 % t-intervals over seeds, of ranks bootstrapped ones.
    """
    rows = [*_right(checks)]
    for name in bench.docket.situations:
        rows += _good(bench, name, progress.standings[name].runs)
    rows += [*_easy(bench, progress), *_robust(bench, progress), *_cost(bench, costs)]
    return pd.DataFrame(rows).reindex(columns=list(COLUMNS))


def _right(checks: Sequence[Check]) -> Iterator[Row]:
    for check in checks:
        yield {"question": "right", "where": check.name, "what": check.outcome, "arm": YOURS, "said": check.said}


def _values(bench: Bench, keys: Keys, reading: str = "test_accuracy") -> dict[int, float]:
    if reading == "test_accuracy":
        return {seed: accuracy(bench.store_of(key), key) for seed, key in sorted(keys.items())}
    read = of_one_run(reading)
    found = {seed: read.read(bench.store_of(key), key) for seed, key in sorted(keys.items())}
    return {seed: value.number for seed, value in found.items() if value is not None}


def paired(a: Mapping[int, float], b: Mapping[int, float]) -> Row | None:
    """The mean difference over the seeds that both have, its interval, and the chance that it is above 0 (flat prior, t)."""
    seeds = sorted(set(a) & set(b))
    if not seeds:
        return None
    effects = np.array([a[seed] - b[seed] for seed in seeds])
    if len(seeds) < 2:
        return {"value": float(effects.mean()), "n": len(seeds)}
    estimate, low, high = interval(effects)
    return {"value": estimate, "low": low, "high": high, "n": len(seeds), "p_better": 1.0 - p_greater(effects, 0.0)}


def _good(bench: Bench, where: str, runs: Mapping[str, Keys]) -> Iterator[Row]:
    about = {"question": "good", "where": where}
    values = {arm: _values(bench, keys) for arm, keys in runs.items() if keys}
    for arm, own in values.items():
        estimate, low, high = (
            interval(np.array(list(own.values()))) if len(own) > 1 else (*own.values(), np.nan, np.nan)
        )
        yield about | {"what": "test_accuracy", "arm": arm, "value": estimate, "low": low, "high": high, "n": len(own)}
    if YOURS not in values:
        return
    pairs = [(YOURS, other) for other in values if other != YOURS]
    pairs += [(other, BATCH) for other in values if other not in (YOURS, BATCH) and BATCH in values]
    for arm, against in pairs:
        if found := paired(values[arm], values[against]):
            yield about | {"what": "difference", "arm": arm, "against": against} | found
    if ranked := rank(values):
        yield about | {"what": "rank", "arm": YOURS} | ranked


def rank(values: Mapping[str, Mapping[int, float]]) -> Row | None:
    """The place of the norm among all with which it shares at least three seeds, on those that all have; with a bootstrapped 95 %
    interval.
    """
    rivals = [name for name, own in values.items() if name != YOURS and len(set(own) & set(values[YOURS])) >= ENOUGH]
    seeds = sorted(set(values[YOURS]).intersection(*(values[name] for name in rivals)))
    if len(seeds) < ENOUGH or not rivals:
        return None
    own = np.array([values[YOURS][seed] for seed in seeds])
    others = np.array([[values[name][seed] for seed in seeds] for name in rivals])
    drawn = np.random.default_rng(0).integers(len(seeds), size=(DRAWS, len(seeds)))
    places = 1 + (others[:, drawn].mean(2) > own[drawn].mean(1)).sum(0)
    low, high = np.quantile(places, [0.025, 0.975], method="nearest")
    place = 1 + int((others.mean(1) > own.mean()).sum())
    return {"value": place, "low": low, "high": high, "n": len(seeds), "said": f"of {len(rivals) + 1}"}


def _easy(bench: Bench, progress: Progress) -> Iterator[Row]:
    about = {"question": "easy", "where": bench.docket.flagship}
    curves: dict[str, dict[float, float]] = {YOURS: {}, BATCH: {}}
    for arm in curves:
        own = _values(bench, progress.flagship.runs.get(arm, {}))
        first = [own[seed] for seed in sorted(own)[:3]]
        if progress.eased and first:
            curves[arm][1.0] = float(np.mean(first))
            yield about | {"what": "unchanged", "arm": arm, "value": curves[arm][1.0], "n": len(first)}
    for change, plans in progress.eased.items():
        for arm, curve in curves.items():
            keys = [plan.run_key for plan in plans if plan.axes["arm"] == arm and plan.run_key in bench.store]
            values = [accuracy(bench.store, key) for key in keys if not bench.store.is_missing(key)]
            if values:
                mean = float(np.mean(values))
                yield about | {"what": change.title.en, "arm": arm, "value": mean, "n": len(values)}
                if change.kind == RATE:
                    curve[change.value] = mean
    for arm, curve in curves.items():
        if len(curve) > 3:
            yield about | {"what": "decades of good rates", "arm": arm, "value": width(curve)}


def width(curve: Mapping[float, float]) -> float:
    """Decades around the best rate in which accuracy is within :data:`WITHIN` of the best, interpolated between neighbours on log rate."""
    rates = np.log10(sorted(curve))
    short = np.array([curve[rate] for rate in sorted(curve)])
    short = short - (short.max() - WITHIN)
    best = int(short.argmax())

    def edge(step: int) -> float:
        at = best
        while 0 <= at + step < len(rates) and short[at + step] >= 0:
            at += step
        if not 0 <= at + step < len(rates):
            return float(rates[at])
        share = short[at] / (short[at] - short[at + step])
        return float(rates[at] + share * (rates[at + step] - rates[at]))

    return edge(1) - edge(-1)


def _robust(bench: Bench, progress: Progress) -> Iterator[Row]:
    about = {"question": "robust", "where": bench.docket.flagship}
    kept: dict[str, dict[int, float]] = {YOURS: {}, BATCH: {}}
    for plan in progress.robust:
        found = bench.store.evaluation(plan.run_key, ROBUST)
        if found and not math.isnan(found.get("kept", math.nan)):
            kept[str(plan.axes["arm"])][plan.config.seed] = found["kept"]
    for arm, values in kept.items():
        if values:
            what = "share of accuracy kept under corruptions"
            yield about | {"what": what, "arm": arm, "value": float(np.mean(list(values.values()))), "n": len(values)}
    for name, standing in progress.standings.items():
        for arm in (YOURS, BATCH):
            keys = standing.runs.get(arm, {})
            gap = paired(_values(bench, keys, "test_accuracy_batch"), _values(bench, keys))
            if gap and gap["value"]:
                yield {"question": "robust", "where": name, "what": "batch statistics − running", "arm": arm} | gap


def _cost(bench: Bench, costs: Mapping[str, Mapping[str, float]]) -> Iterator[Row]:
    if not {YOURS, BATCH} <= set(costs):
        return
    for what in COSTS:
        if costs[BATCH].get(what):
            ratio = costs[YOURS][what] / costs[BATCH][what]
            yield {
                "question": "cost",
                "where": bench.docket.flagship,
                "what": what,
                "arm": YOURS,
                "against": BATCH,
                "value": ratio,
            }


def titled(arm: str, label: str) -> str:
    """How readers call an arm."""
    return label if arm == YOURS else method_title(arm)
