"""What is read off several runs of one arm and seed that differ along an axis, such as the rate or the depth."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from normlab.core.metric import ACCURACY, LOSS, Direction
from normlab.core.reading import EpochSeconds, Failed, Final, Reading, Value


@dataclass(frozen=True)
class OverRuns(ABC):
    """Base of readings over several runs; ``text`` is how it is written. ``each`` is what is read of every run."""

    text: str

    @property
    def better(self) -> Direction | None:
        return "up"

    @property
    def each(self) -> Reading:
        recalibrated = "_recalibrated" in self.text
        return Final("validation_accuracy" + ("_recalibrated" if recalibrated else ""), ACCURACY)

    @property
    def unit(self) -> Reading | None:
        """What one unit of the axis costs a run; None: places on the axis count as they are."""
        return None

    @property
    def lacking(self) -> float:
        """What a run counts as that has no such number: the worst."""
        return 0.0

    def __str__(self) -> str:
        return self.text

    @abstractmethod
    def over(self, places: Sequence[float], values: Sequence[float]) -> Value:
        """Its value, from the runs' places on the axis and their readings in the same order. Censored where the axis may end too early."""


def stable(values: Sequence[float], margin: float) -> list[bool]:
    """Which of the accuracies are within ``margin`` of the best among them."""
    best = max(values)
    return [value >= best - margin for value in values]


@dataclass(frozen=True)
class FailedShare(OverRuns):
    """The mean of ``failed``."""

    @property
    def better(self) -> Direction | None:
        return "down"

    @property
    def each(self) -> Reading:
        return Failed("failed")

    def over(self, places: Sequence[float], values: Sequence[float]) -> Value:
        return Value(sum(values) / len(values), step=1 / len(values))


@dataclass(frozen=True)
class OverTestAccuracy(OverRuns):
    """Base of what is read off the test accuracies of several runs and is better where it is small."""

    @property
    def better(self) -> Direction | None:
        return "down"

    @property
    def each(self) -> Reading:
        return Final("test_accuracy" + ("_recalibrated" if "_recalibrated" in self.text else ""), ACCURACY)


@dataclass(frozen=True)
class AccuracyRange(OverTestAccuracy):
    """The highest of the runs' test accuracies minus the lowest."""

    def over(self, places: Sequence[float], values: Sequence[float]) -> Value:
        return Value(max(values) - min(values))


@dataclass(frozen=True)
class ShareBelow(OverTestAccuracy):
    """The share of runs that end with a test accuracy of at most ``bar``, such as a linear model's."""

    bar: float

    def over(self, places: Sequence[float], values: Sequence[float]) -> Value:
        return Value(sum(value <= self.bar for value in values) / len(values), step=1 / len(values))


@dataclass(frozen=True)
class LargestRate(OverRuns):
    """The natural logarithm of the largest rate within ``margin`` of the arm's best accuracy; censored at the grid's end."""

    margin: float

    def over(self, places: Sequence[float], values: Sequence[float]) -> Value:
        order = np.argsort(places)
        rates, good = np.asarray(places)[order], np.asarray(stable(values, self.margin))[order]
        top = int(np.flatnonzero(good)[-1])
        edge = min(top, len(rates) - 2)
        return Value(math.log(rates[top]), top == len(rates) - 1, math.log(rates[edge + 1] / rates[edge]))


@dataclass(frozen=True)
class LargestTrainedRate(OverRuns):
    """The natural logarithm of the largest rate at which training works: whose final training loss, with recalibrated statistics, is within
    ``margin`` nats of the arm's lowest; censored at the grid's end.
    """

    margin: float

    @property
    def each(self) -> Reading:
        return Final("train_loss_recalibrated", LOSS)

    @property
    def lacking(self) -> float:
        return math.inf

    def over(self, places: Sequence[float], values: Sequence[float]) -> Value:
        return LargestRate(self.text, self.margin).over(places, [-value for value in values])


@dataclass(frozen=True)
class LengthTo(OverRuns):
    """The natural logarithm of the length of training, over trainings of several lengths that are each annealed over their own, at which
    the validation accuracy, with recalibrated statistics, reaches ``target``: by linear interpolation on log length before the first one
    that does.

    Where the shortest does, its length counts, and where none does, the longest, both censored.
    """

    target: float

    @property
    def better(self) -> Direction | None:
        return "down"

    @property
    def each(self) -> Reading:
        return Final("validation_accuracy_recalibrated", ACCURACY)

    def over(self, places: Sequence[float], values: Sequence[float]) -> Value:
        order = np.argsort(places)
        lengths, reached = np.log(np.asarray(places, float)[order]), np.asarray(values)[order]
        if not (reached >= self.target).any():
            return Value(float(lengths[-1]), True)
        first = int(np.argmax(reached >= self.target))
        if first == 0:
            return Value(float(lengths[0]), True)
        low, high = reached[first - 1], reached[first]
        share = (self.target - low) / (high - low)
        return Value(float(lengths[first - 1] + share * (lengths[first] - lengths[first - 1])))


@dataclass(frozen=True)
class SecondsTo(LengthTo):
    """The same in seconds: an epoch counts as long as it was measured to take (:class:`normlab.core.reading.EpochSeconds`)."""

    @property
    def unit(self) -> Reading | None:
        return EpochSeconds("epoch_seconds")


@dataclass(frozen=True)
class RateWidth(OverRuns):
    """Decades from the smallest to the largest of the rates around the best one that are within ``margin`` of it; censored where
    either end is an end of the grid.
    """

    margin: float

    def over(self, places: Sequence[float], values: Sequence[float]) -> Value:
        order = np.argsort(places)
        rates, good = np.asarray(places)[order], np.asarray(stable(values, self.margin))[order]
        low = high = int(np.argmax(np.asarray(values)[order]))
        while low > 0 and good[low - 1]:
            low -= 1
        while high < len(good) - 1 and good[high + 1]:
            high += 1
        step = math.log10(max(b / a for a, b in pairwise(rates[max(0, low - 1) : high + 2])))
        return Value(math.log10(rates[high] / rates[low]), low == 0 or high == len(good) - 1, step)


@dataclass(frozen=True)
class LargestDepth(OverRuns):
    """The natural logarithm of the largest depth up to which every accuracy is above ``bar``, such as a linear model's; where the
    shallowest one's is not, one step of the grid below its depth. Depths may be names: "14".
    """

    bar: float

    def over(self, places: Sequence[float], values: Sequence[float]) -> Value:
        numbers = np.asarray(places, float)
        order = np.argsort(numbers)
        depths, fine = numbers[order], np.asarray(values)[order] > self.bar
        if not fine[0]:
            step = math.log(depths[1] / depths[0])
            return Value(math.log(depths[0]) - step, step=step)
        last = len(fine) - 1 if fine.all() else int(np.argmin(fine)) - 1
        edge = min(last, len(depths) - 2)
        return Value(math.log(depths[last]), last == len(depths) - 1, math.log(depths[edge + 1] / depths[edge]))
