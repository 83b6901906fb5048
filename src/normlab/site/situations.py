"""What the store knows of every method in every situation of the chooser."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from normlab.config import RunConfig
from normlab.core.claim import Text
from normlab.core.statistics import interval, p_greater
from normlab.norms import METHODS
from normlab.runs.store import Store
from normlab.sweeps.compose import Composer
from normlab.trials.docket import Docket, Situation
from normlab.trials.known import Known, accuracy
from normlab.trials.subject import method

REFERENCE = "batch"
ENOUGH = 3  # runs from which on a method is ranked
CLOSE = 0.005  # of a measure: what is further behind the best is never called alike, however wide its interval


@dataclass(frozen=True)
class Arm:
    """A method in a situation: its rate, measure on test data and run by seed (of a diverged run, chance), and the measure on validation
    data of its tuning by rate; against batch norm the paired difference with its interval and the chance that the method is better.
    """

    method: str
    lr: float
    accuracy: Mapping[int, float]
    keys: Mapping[int, str] = field(default_factory=dict)
    tuned: Mapping[float, Sequence[float]] = field(default_factory=dict)
    diverged: int = 0
    difference: tuple[float, float, float] | None = None
    better: float | None = None

    @property
    def interval(self) -> tuple[float, float, float]:
        """The mean with its 95 % interval, as far as the measure goes."""
        mean, low, high = interval(np.array(list(self.accuracy.values())))
        return mean, max(low, 0.0), min(high, 1.0)


@dataclass(frozen=True)
class Field:
    """A situation with the methods that were run there, the best first, and those that were not.

    ``measure``: test accuracy, or the explained share of the variance of what is predicted (1 less the error); ``simple`` is what a
    simple model has of it. ``samples`` is what an epoch goes over. ``titled`` replaces what data and batch would be called.
    """

    name: str
    data: str
    batch: int
    shared: bool
    samples: int | None
    epochs: float
    arms: list[Arm]
    missing: list[str] = field(default_factory=list)
    measure: Literal["accuracy", "explained"] = "accuracy"
    of: str = "images"
    titled: Text | None = None
    note: Text | None = None
    simple: float | None = None

    @property
    def alike(self) -> set[str]:
        """The best, and those at most half a point behind whose paired difference to it is not told from 0; none that is untrained."""
        best = self.arms[0]
        if self.untrained(best):
            return set()
        return {best.method} | {
            arm.method for arm in self.arms[1:] if self._alike(best, arm) and not self.untrained(arm)
        }

    def untrained(self, arm: Arm) -> bool:
        """Whether a method's nets are on average no better than the simple model."""
        return self.simple is not None and arm.interval[0] <= self.simple

    @staticmethod
    def _alike(best: Arm, arm: Arm) -> bool:
        difference = paired(best.accuracy, arm.accuracy)
        return difference is not None and difference[0] <= CLOSE and difference[1] <= 0


def paired(a: Mapping[int, float], b: Mapping[int, float]) -> tuple[float, float, float] | None:
    """The mean difference over the seeds that both have, with its interval; None below three of them."""
    seeds = sorted(set(a) & set(b))
    if len(seeds) < ENOUGH:
        return None
    return interval(np.array([a[seed] - b[seed] for seed in seeds]))


def ranked(arms: Sequence[Arm]) -> list[Arm]:
    """The methods of a situation, each held against batch norm, the best first."""
    reference = next((arm.accuracy for arm in arms if arm.method == REFERENCE), {})
    return sorted((_against(arm, reference) for arm in arms), key=lambda arm: -arm.interval[0])


def fields_of_trials(store: Store, scale: str, simple: Mapping[str, float]) -> list[Field]:
    """The situations in which norms are tried at a scale; none where no trial is designed for it, or nothing was run in any.
    ``simple``: what a linear model has of some data.
    """
    if scale not in ("quick", "cpu"):
        return []
    docket, composer, known = Docket.load(scale), Composer(), Known(store)
    overrides = docket.overrides(scale)
    names = [name for name in METHODS if name not in ("custom", "sync")]
    found = []
    for name, situation in docket.situations.items():
        base = composer({**overrides[name], "norm": "none"})
        arms = []
        for each in names:
            config = composer({**overrides[name], **situation.arm(method(each, composer))})
            keys = known.reported(config)
            if len(keys) >= ENOUGH:
                arms.append(_arm(each, keys, known.tuned(config), store))
        found.append(_field(name, situation, base, arms, names, simple.get(base.data.name)))
    return [each for each in found if each.arms]


def _arm(name: str, keys: dict[int, str], tuned: dict[float, list[float]], store: Store) -> Arm:
    rate = float((store.facts(next(iter(keys.values()))) or {})["lr"])
    diverged = sum((store.facts(key) or {})["status"] == "diverged" for key in keys.values())
    return Arm(name, rate, {seed: accuracy(store, key) for seed, key in sorted(keys.items())}, keys, tuned, diverged)


def _field(
    name: str, situation: Situation, base: RunConfig, arms: list[Arm], names: list[str], simple: float | None
) -> Field:
    ran = {arm.method for arm in arms}
    return Field(
        name=name,
        data=base.data.name,
        batch=situation.shared or base.data.batch_size,
        shared=situation.shared is not None,
        samples=base.data.train_size,
        epochs=base.training.epochs,
        arms=ranked(arms),
        missing=[each for each in names if each not in ran],
        simple=simple,
    )


def _against(arm: Arm, reference: Mapping[int, float]) -> Arm:
    if arm.method == REFERENCE:
        return arm
    seeds = sorted(set(arm.accuracy) & set(reference))
    difference = paired(arm.accuracy, reference)
    effects = np.array([arm.accuracy[seed] - reference[seed] for seed in seeds])
    better = 1.0 - p_greater(effects, 0.0) if difference else None
    return replace(arm, difference=difference, better=better)
