"""Numbers read off runs: the columns of a record, and what its history says. A measure is named by a short text.

- a column: ``test_accuracy``, ``train_loss``, ``test_accuracy_decay_0.99``, …
- ``validation_accuracy@2``: after 2 epochs
- ``epochs_to@0.9``, ``steps_to@0.9``: until the validation accuracy first reaches 0.9
- ``seconds_to@0.9``: those steps times the run's measured seconds per step
- ``lowest_train_loss``: the lowest logged training loss
- ``accuracy_gap@0.3``: accuracy on training images minus on validation images where the loss on the former passes 0.3, all
  with recalibrated statistics
- ``roughness@0.5,1.5``: step-to-step change of the probe loss while it lies in that band
- ``test_gap_decay_0.99``: |accuracy with batch statistics − accuracy with that running average|
- ``<evaluation>.<measure>``: of an evaluation of the run
- ``failed``: 1 for a run that diverged or whose training loss ends within 1 % of predicting at random, else 0
- over several runs of one seed that differ in the rate: ``largest_stable_rate@0.05``, ``rate_width@0.02``; in depth:
  ``largest_depth@0.05,0.1``; in anything: ``failed_share``. ``largest_stable_rate_recalibrated@0.05`` and the like read
  accuracies with recalibrated statistics.
"""

import json
import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd

from normlab.core.readings import kind_of
from normlab.errors import NormlabError


class Runs(Protocol):
    """Where runs are read: the facts of each, its history, its evaluations. ``measured`` keeps what was read until these change."""

    measured: dict[tuple[str, str], Any]

    def facts(self, run_key: str) -> dict[str, Any] | None: ...

    def history(self, run_key: str) -> pd.DataFrame: ...

    def evaluation(self, run_key: str, name: str) -> dict[str, float] | None: ...


OWN = ("test_", "validation_", "train_", "jitter_", "lag_")  # a run's own measures; a decay in their names has a dot


class Value(NamedTuple):
    """A measured number; ``censored`` where the run ended before what it was watched for; ``step`` its resolution."""

    number: float
    censored: bool = False
    step: float = 0.0


def evaluation_of(name: str) -> str | None:
    """The evaluation of a run without which a measure cannot be read."""
    base = name.partition("@")[0]
    if base == "seconds_to":
        return "step_seconds"
    if "." in base and not base.startswith(OWN):
        return base.partition(".")[0]
    return None


def measure(runs: Runs, run_key: str, name: str) -> Value | None:
    """A measure of one run; None if the run, or this number of it, is not there.

    A diverged run's accuracy counts at chance.

    Raises:
        NormlabError: for a name that no reading has.
    """
    kind_of(name)
    known = runs.measured
    if (run_key, name) not in known:
        known[run_key, name] = _measure(runs, run_key, name)
    found: Value | None = known[run_key, name]
    return found


def _measure(runs: Runs, run_key: str, name: str) -> Value | None:
    facts = runs.facts(run_key)
    if name.startswith("cost."):  # Costs are measured without training.
        return _value((runs.evaluation(run_key, "cost") or {}).get(name.removeprefix("cost.")))
    if facts is None or facts["status"] == "missing":
        return None
    diverged = facts["status"] == "diverged"
    if name == "failed":
        return Value(float(diverged or facts["train_loss"] > 0.99 * math.log(1 / facts["chance"])))
    base, _, argument = name.partition("@")
    if facts.get("reached") == 0:  # It was to stop at a state that it never came to: there is nothing to measure.
        return None
    if base in ("epochs_to", "steps_to", "seconds_to"):
        return _time_to(runs, run_key, base, float(argument))
    if diverged and base == "accuracy_gap":
        return None
    if diverged and "accuracy" in base:
        return Value(facts["chance"])
    if base in HISTORY_MEASURES and (argument or base not in facts):
        return _value(HISTORY_MEASURES[base](runs.history(run_key), *map(float, filter(None, argument.split(",")))))
    if "_gap_" in base:
        part, _, decay = base.partition("_gap_")
        batch, running = facts.get(f"{part}_accuracy_batch"), facts.get(f"{part}_accuracy_{decay}")
        return None if diverged or batch is None or running is None else Value(abs(batch - running))
    if "." in base and not base.startswith(OWN):
        evaluation, _, what = base.partition(".")
        return _value((runs.evaluation(run_key, evaluation) or {}).get(what))
    return _value(facts.get(base))


def _value(number: float | None) -> Value | None:
    return None if number is None or not math.isfinite(number) else Value(float(number))


def _time_to(runs: Runs, run_key: str, base: str, target: float) -> Value | None:
    history = runs.history(run_key)
    reached = history[history["validation_accuracy"] >= target]
    censored = reached.empty
    row = history.iloc[-1] if censored else reached.iloc[0]
    facts = runs.facts(run_key) or {}
    if censored:  # The horizon, also for a run that broke off before it.
        row = pd.Series({"step": facts["steps"], "epoch": facts["steps"] / facts["steps_per_epoch"]})
    steps_between_looks = float(facts["steps_per_epoch"]) * json.loads(facts["measured"])["validate_every"]
    if base == "epochs_to":
        return Value(float(row["epoch"]), censored, steps_between_looks / facts["steps_per_epoch"])
    if base == "steps_to":
        return Value(float(row["step"]), censored, steps_between_looks)
    seconds = (runs.evaluation(run_key, "step_seconds") or {}).get("best_layout")
    return None if seconds is None else Value(float(row["step"]) * seconds, censored, steps_between_looks * seconds)


def _validation_accuracy_at(history: pd.DataFrame, epoch: float) -> float | None:
    accuracies = history["validation_accuracy"].to_numpy(dtype=float)
    distance = np.where(np.isnan(accuracies), np.inf, (history["epoch"] - epoch).abs().to_numpy(dtype=float))
    place = int(distance.argmin())
    return float(accuracies[place]) if distance[place] < 0.051 else None


def _lowest_train_loss(history: pd.DataFrame) -> float | None:
    return history["train_loss"].min()


def _accuracy_gap(history: pd.DataFrame, loss: float) -> float | None:
    """By linear interpolation between the two looks around the first one at which the training images' loss is below."""
    if "validation_accuracy_recalibrated" not in history:
        return None
    rows = history.dropna(subset=["train_set_loss"])
    below = np.flatnonzero(rows["train_set_loss"].to_numpy() <= loss)
    if not len(below) or below[0] == 0:
        return None
    before, after = rows.iloc[below[0] - 1], rows.iloc[below[0]]
    share = (before["train_set_loss"] - loss) / (before["train_set_loss"] - after["train_set_loss"])
    gaps = [row["train_set_accuracy"] - row["validation_accuracy_recalibrated"] for row in (before, after)]
    return float((1 - share) * gaps[0] + share * gaps[1])


def _roughness(history: pd.DataFrame, low: float, high: float) -> float | None:
    """Root mean square of the step-to-step change of the probe loss, over steps at which the loss is in the band.

    A step counts if the running median of nine steps around it lies in the band; at least ten such steps are needed.
    """
    if "probe_loss" not in history or (history["step"].diff().dropna() > 1).any():
        return None
    loss = history["probe_loss"]
    level = loss.rolling(9, center=True, min_periods=1).median()
    change = loss.diff()[(level >= low) & (level <= high)].dropna()
    return None if len(change) < 10 else float(np.sqrt((change**2).mean()))


HISTORY_MEASURES: dict[str, Callable[..., float | None]] = {
    "validation_accuracy": _validation_accuracy_at,
    "lowest_train_loss": _lowest_train_loss,
    "roughness": _roughness,
    "accuracy_gap": _accuracy_gap,
}


def stable_rates(rates: Sequence[float], accuracies: Sequence[float], margin: float) -> list[bool]:
    """Which of the rates train to within ``margin`` of the best accuracy among them."""
    best = max(accuracies)
    return [accuracy >= best - margin for accuracy in accuracies]


def _largest_depth(depths: np.ndarray, accuracies: np.ndarray, margin: float, chance: float) -> Value:
    step = math.log(depths[1] / depths[0])
    if accuracies[0] <= chance + margin:
        return Value(math.log(depths[0]) - step, step=step)
    fine = (accuracies >= accuracies[0] - margin) & (accuracies > chance + margin)
    last = len(fine) - 1 if fine.all() else int(np.argmin(fine)) - 1
    edge = min(last, len(depths) - 2)
    return Value(math.log(depths[last]), last == len(depths) - 1, math.log(depths[edge + 1] / depths[edge]))


def reading_of(name: str) -> str:
    """What a measure over several runs reads of each of them."""
    if name == "failed_share":
        return "failed"
    return "validation_accuracy_recalibrated" if "_recalibrated" in name else "validation_accuracy"


def measure_over_runs(rates: Sequence[float], readings: Sequence[float], name: str) -> Value:
    """A measure of one arm and seed over several of its runs: their rates and readings in the same order.

    - ``failed_share``: the mean of ``failed``
    - ``largest_depth@m,c``: natural logarithm of the largest depth (here the "rate") up to which every accuracy is within m of
      the shallowest net's and more than m above chance c; where that one is not, one step of the grid below its depth
    - ``largest_stable_rate@m``: natural logarithm of the largest rate within m of the arm's best accuracy
    - ``rate_width@m``: decades from the smallest to the largest of the stable rates around the best one

    Censored where the largest (or, for the width, either end) is an end of the grid.
    """
    if name == "failed_share":
        return Value(sum(readings) / len(readings), step=1 / len(readings))
    base, _, argument = name.replace("_recalibrated", "").partition("@")
    order = np.argsort(rates)
    if base == "largest_depth":
        margin, chance = map(float, argument.split(","))
        return _largest_depth(np.asarray(rates, float)[order], np.asarray(readings)[order], margin, chance)
    ordered = np.asarray(rates)[order]
    good = np.asarray(stable_rates(rates, readings, float(argument)))[order]
    if base == "largest_stable_rate":
        top = int(np.flatnonzero(good)[-1])
        edge = min(top, len(ordered) - 2)
        step = math.log(ordered[edge + 1] / ordered[edge])
        return Value(math.log(ordered[top]), top == len(ordered) - 1, step)
    if base == "rate_width":
        low = high = int(np.argmax(np.asarray(readings)[order]))
        while low > 0 and good[low - 1]:
            low -= 1
        while high < len(good) - 1 and good[high + 1]:
            high += 1
        step = math.log10(max(b / a for a, b in pairwise(ordered[max(0, low - 1) : high + 2])))
        return Value(math.log10(ordered[high] / ordered[low]), low == 0 or high == len(good) - 1, step)
    raise NormlabError(f"unknown measure {name!r}")
