"""What a claim, a design or a figure may read off one run.

A reading is written as a short text and parsed once (:mod:`normlab.core.readings`); a text that no reading has is an error there.
"""

import json
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd

from normlab.core.metric import Direction, Metric

Facts = dict[str, Any]


class Value(NamedTuple):
    """A measured number; ``censored`` where the run ended before what it was watched for; ``step`` its resolution."""

    number: float
    censored: bool = False
    step: float = 0.0


class Runs(Protocol):
    """Where runs are read: the facts of each, its history, its evaluations. ``measured`` keeps what was read until these change."""

    measured: dict[tuple[str, "Reading"], Value | None]

    def facts(self, run_key: str) -> Facts | None: ...

    def history(self, run_key: str) -> pd.DataFrame: ...

    def evaluation(self, run_key: str, name: str) -> dict[str, float] | None: ...

    def __contains__(self, run_key: str) -> bool: ...

    def is_missing(self, run_key: str) -> bool: ...


@dataclass(frozen=True)
class Reading(ABC):
    """Base of readings. ``text`` is how it is written.

    ``better`` says in which direction (None: in neither, and nothing can be chosen by it), ``evaluation`` without which evaluation
    of a run it cannot be read.
    """

    text: str

    @property
    def better(self) -> Direction | None:
        return "down"

    @property
    def evaluation(self) -> str | None:
        return None

    @property
    def of_metric(self) -> Metric | None:
        """The metric of a task that it reads, if it does."""
        return None

    @property
    def in_record(self) -> bool:
        """Whether every measured run that came to its end has a column of this name."""
        return False

    def __str__(self) -> str:
        return self.text

    def read(self, runs: Runs, run_key: str) -> Value | None:
        """Its value for one run; None if the run, or this number of it, is not there."""
        known = runs.measured
        if (run_key, self) not in known:
            known[run_key, self] = self._read(runs, run_key)
        return known[run_key, self]

    def _read(self, runs: Runs, run_key: str) -> Value | None:
        facts = runs.facts(run_key)
        if facts is None or facts["status"] == "missing":
            return None
        if facts.get("reached") == 0:  # It was to stop at a state that it never came to: there is nothing to measure.
            return None
        return self._of_failed(runs, facts) if facts["status"] == "diverged" else self._of(runs, facts)

    @abstractmethod
    def _of(self, runs: Runs, facts: Facts) -> Value | None:
        """Of a run that came to its end."""

    def _of_failed(self, runs: Runs, facts: Facts) -> Value | None:
        """Of a run that diverged."""
        return self._of(runs, facts)


def _value(number: float | None) -> Value | None:
    return None if number is None or not math.isfinite(number) else Value(float(number))


def _of_failed(metric: Metric, facts: Facts) -> Value | None:
    return None if metric.failed is None else _value(facts.get(metric.failed))


@dataclass(frozen=True)
class Fact(Reading):
    """A column of the record that is no metric: how long it took, how large the net is, how steady its running averages are."""

    direction: Direction | None

    @property
    def better(self) -> Direction | None:
        return self.direction

    def _of(self, runs: Runs, facts: Facts) -> Value | None:
        return _value(facts.get(self.text))


@dataclass(frozen=True)
class OfMetric(Reading):
    """Base of readings of a task's metric on a split; a run that diverged counts as the metric says."""

    metric: Metric

    @property
    def of_metric(self) -> Metric | None:
        return self.metric

    @property
    def better(self) -> Direction | None:
        return self.metric.better

    def _of_failed(self, runs: Runs, facts: Facts) -> Value | None:
        return _of_failed(self.metric, facts) or self._of(runs, facts)


@dataclass(frozen=True)
class Final(OfMetric):
    """A metric on a split at the end of a run; the column says with which kind of statistics."""

    @property
    def in_record(self) -> bool:
        return self.metric.failed is not None

    def _of(self, runs: Runs, facts: Facts) -> Value | None:
        return _value(facts.get(self.text))


@dataclass(frozen=True)
class At(OfMetric):
    """A metric on validation images after ``epoch`` epochs."""

    epoch: float

    def _of(self, runs: Runs, facts: Facts) -> Value | None:
        history = runs.history(facts["run_key"])
        values = history[f"validation_{self.metric.name}"].to_numpy(dtype=float)
        distance = np.where(np.isnan(values), np.inf, (history["epoch"] - self.epoch).abs().to_numpy(dtype=float))
        place = int(distance.argmin())
        return _value(float(values[place])) if distance[place] < 0.051 else None


@dataclass(frozen=True)
class OnTheWay(OfMetric):
    """The mean of a metric on validation samples after each tenth of a training, between looks by linear interpolation: the area under
    its course, however often that was looked at. It needs a look at the first tenth or before.
    """

    def _of(self, runs: Runs, facts: Facts) -> Value | None:
        rows = runs.history(facts["run_key"]).dropna(subset=[f"validation_{self.metric.name}"])
        epochs = rows["epoch"].to_numpy(dtype=float)
        tenths = np.linspace(0.1, 1.0, 10) * epochs[-1]
        if epochs[0] > tenths[0] + 1e-9:
            return None
        return _value(
            float(np.interp(tenths, epochs, rows[f"validation_{self.metric.name}"].to_numpy(dtype=float)).mean())
        )


@dataclass(frozen=True)
class FromHistory(Reading):
    """Base of what is read off a history at once."""

    def _of(self, runs: Runs, facts: Facts) -> Value | None:
        return _value(self.seen_in(runs.history(facts["run_key"])))

    @abstractmethod
    def seen_in(self, history: pd.DataFrame) -> float | None:
        """Its value in a history; None if the history does not have it."""


@dataclass(frozen=True)
class Lowest(FromHistory):
    """The lowest logged training loss."""

    def seen_in(self, history: pd.DataFrame) -> float | None:
        lowest: float = history["train_loss"].min()
        return lowest


@dataclass(frozen=True)
class AtLoss(FromHistory):
    """Base of what is read where the loss on training images passes ``loss``, all with recalibrated statistics: by linear interpolation
    between the two looks around the first one at which it is below.
    """

    loss: float

    def seen_in(self, history: pd.DataFrame) -> float | None:
        if "validation_accuracy_recalibrated" not in history:
            return None
        rows = history.dropna(subset=["train_set_loss"])
        below = np.flatnonzero(rows["train_set_loss"].to_numpy() <= self.loss)
        if not len(below) or below[0] == 0:
            return None
        before, after = rows.iloc[below[0] - 1], rows.iloc[below[0]]
        share = (before["train_set_loss"] - self.loss) / (before["train_set_loss"] - after["train_set_loss"])
        return float((1 - share) * self.at_look(before) + share * self.at_look(after))

    @abstractmethod
    def at_look(self, row: pd.Series) -> float:
        """Its value at one look of a history."""

    def _of_failed(self, runs: Runs, facts: Facts) -> Value | None:
        return None


@dataclass(frozen=True)
class AccuracyGap(AtLoss):
    """Accuracy on training images minus on validation images."""

    def at_look(self, row: pd.Series) -> float:
        return float(row["train_set_accuracy"] - row["validation_accuracy_recalibrated"])


@dataclass(frozen=True)
class AccuracyAtLoss(AtLoss):
    """Accuracy on validation images."""

    @property
    def better(self) -> Direction | None:
        return "up"

    def at_look(self, row: pd.Series) -> float:
        return float(row["validation_accuracy_recalibrated"])


@dataclass(frozen=True)
class Roughness(FromHistory):
    """How far the logarithm of the probe loss steps off its local slope: the median of |Δ − mean of Δ over nine steps|, over the steps at
    which the median loss of nine lies between ``low`` and ``high``. At least ten such steps are needed; a failed run has none.
    """

    low: float
    high: float

    def seen_in(self, history: pd.DataFrame) -> float | None:
        if "probe_loss" not in history or (history["step"].diff().dropna() > 1).any():
            return None
        loss = history["probe_loss"]
        level = loss.rolling(9, center=True, min_periods=1).median()
        change = np.log(loss).diff()
        off = (change - change.rolling(9, center=True, min_periods=1).mean()).abs()
        off = off[(level >= self.low) & (level <= self.high)].dropna()
        return None if len(off) < 10 else float(off.median())

    def _of_failed(self, runs: Runs, facts: Facts) -> Value | None:
        return None


@dataclass(frozen=True)
class TimeTo(Reading):
    """Until the validation accuracy first reaches ``target``: in ``epochs``, ``steps``, or ``seconds``, which are those steps times the
    run's measured seconds a step. A run that never does counts at its horizon, censored.
    """

    unit: str
    target: float

    @property
    def evaluation(self) -> str | None:
        return "step_seconds" if self.unit == "seconds" else None

    def _of(self, runs: Runs, facts: Facts) -> Value | None:
        history = runs.history(facts["run_key"])
        reached = history[history["validation_accuracy"] >= self.target]
        censored = reached.empty
        # The horizon is that of a whole run, also for one that broke off before it.
        step = float(facts["steps"] if censored else reached.iloc[0]["step"])
        epoch = float(facts["steps"] / facts["steps_per_epoch"] if censored else reached.iloc[0]["epoch"])
        between_looks = float(facts["steps_per_epoch"]) * json.loads(facts["measured"])["validate_every"]
        if self.unit == "epochs":
            return Value(epoch, censored, between_looks / facts["steps_per_epoch"])
        if self.unit == "steps":
            return Value(step, censored, between_looks)
        seconds = (runs.evaluation(facts["run_key"], "step_seconds") or {}).get("best_layout")
        return None if seconds is None else Value(step * seconds, censored, between_looks * seconds)


@dataclass(frozen=True)
class EpochSeconds(Reading):
    """Steps of an epoch times the run's measured seconds a step, in its better layout."""

    @property
    def evaluation(self) -> str | None:
        return "step_seconds"

    def _of(self, runs: Runs, facts: Facts) -> Value | None:
        seconds = (runs.evaluation(facts["run_key"], "step_seconds") or {}).get("best_layout")
        return None if seconds is None else Value(float(facts["steps_per_epoch"]) * seconds)


@dataclass(frozen=True)
class StatisticsGap(Reading):
    """|accuracy with the batches' own statistics − accuracy with a running average| on a split."""

    part: str
    average: str

    def _of(self, runs: Runs, facts: Facts) -> Value | None:
        batch, running = facts.get(f"{self.part}_accuracy_batch"), facts.get(f"{self.part}_accuracy_{self.average}")
        return None if batch is None or running is None else Value(abs(batch - running))

    def _of_failed(self, runs: Runs, facts: Facts) -> Value | None:
        return None


@dataclass(frozen=True)
class Failed(Reading):
    """1 for a run that diverged or that ends within 1 % of what saying the same of every sample has, where its task has such (by the loss
    or the error on training samples), else 0; also of a run that never came to the state that it was to stop at.
    """

    def _read(self, runs: Runs, run_key: str) -> Value | None:
        facts = runs.facts(run_key)
        return None if facts is None or facts["status"] == "missing" else self._of(runs, facts)

    def _of(self, runs: Runs, facts: Facts) -> Value | None:
        def stuck() -> bool:
            if "chance_error" in facts:
                return bool(facts["train_error"] > 0.99 * facts["chance_error"])
            return "chance" in facts and facts["train_loss"] > 0.99 * math.log(1 / facts["chance"])

        return Value(float(facts["status"] == "diverged" or stuck()))


@dataclass(frozen=True)
class Collapsed(Reading):
    """1 for a generator whose made images lie where less than a tenth of the real ones do, or that diverged, else 0."""

    def _of(self, runs: Runs, facts: Facts) -> Value | None:
        recall = facts.get("test_recall")
        return None if recall is None else Value(float(recall < 0.1))

    def _of_failed(self, runs: Runs, facts: Facts) -> Value | None:
        return Value(1.0)


@dataclass(frozen=True)
class LossSpread(FromHistory):
    """The standard deviation of the logged training loss over the second half of training, over its mean there."""

    def seen_in(self, history: pd.DataFrame) -> float | None:
        losses = history["train_loss"].dropna().to_numpy(dtype=float)
        half = losses[len(losses) // 2 :]
        return float(half.std(ddof=1) / half.mean()) if len(half) > 1 else None

    def _of_failed(self, runs: Runs, facts: Facts) -> Value | None:
        return None


@dataclass(frozen=True)
class Evaluated(Reading):
    """A measure of an evaluation of a run."""

    of: str
    measure: str
    direction: Direction | None
    metric: Metric | None = None

    @property
    def better(self) -> Direction | None:
        return self.direction

    @property
    def evaluation(self) -> str | None:
        return self.of

    def _of(self, runs: Runs, facts: Facts) -> Value | None:
        return _value((runs.evaluation(facts["run_key"], self.of) or {}).get(self.measure))

    def _of_failed(self, runs: Runs, facts: Facts) -> Value | None:
        return (_of_failed(self.metric, facts) if self.metric else None) or self._of(runs, facts)


@dataclass(frozen=True)
class Cost(Evaluated):
    """A measure of what a net costs, which is measured without training it."""

    def _read(self, runs: Runs, run_key: str) -> Value | None:
        return _value((runs.evaluation(run_key, self.of) or {}).get(self.measure))
