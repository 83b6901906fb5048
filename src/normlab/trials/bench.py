"""What is there of a trial and what is left: the runs of a norm and of its rivals in every situation, and the questions that are open."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from normlab.config import RunConfig
from normlab.norms import METHODS
from normlab.runs.execute import is_done
from normlab.runs.key import run_key
from normlab.runs.store import Store
from normlab.sweeps.compose import Composer
from normlab.sweeps.expand import Expander
from normlab.sweeps.plan import Item, outstanding
from normlab.sweeps.planned import Planned
from normlab.trials.agenda import Question
from normlab.trials.docket import YOURS, Docket, grid_of
from normlab.trials.ease import CHANGES, SEEDS, Change
from normlab.trials.known import Known
from normlab.trials.seconds import Seconds
from normlab.trials.subject import REFERENCE, Subject, method

BATCH = REFERENCE  # that all is told against
ROBUST = "corruptions"
ENOUGH = 3  # stored runs from which on a method counts as known, and pairs from which on the flagship is asked further
Keys = dict[int, str]  # of runs, by seed


@dataclass(frozen=True)
class Standing:
    """What is there of a situation: each method's reported runs by seed, and its configuration at the rate that was chosen for it."""

    runs: dict[str, Keys] = field(default_factory=dict)
    configs: dict[str, RunConfig] = field(default_factory=dict)

    @property
    def pairs(self) -> int:
        """Seeds on which the norm and batch norm were run."""
        return len(set(self.runs.get(YOURS, {})) & set(self.runs.get(BATCH, {})))


@dataclass(frozen=True)
class Bench:
    """A trial as far as it has come. Runs are kept below ``<results>/trials/<scale>``; those of other methods are read from
    ``<results>/<scale>`` where they are there.
    """

    subject: Subject
    scale: str
    docket: Docket
    store: Store
    known: Known
    composer: Composer = field(default_factory=Composer)
    further: dict[tuple[float, ...], tuple[dict[Change, list[Planned]], list[Planned]]] = field(default_factory=dict)

    @classmethod
    def of(cls, subject: Subject, scale: str, results: str | Path) -> "Bench":
        """For a norm at a scale.

        Raises:
            NormlabError: if no trial is designed for that scale.
        """
        docket = Docket.load(scale)
        known = Known(Store.of_scale(results, scale).refresh())
        return cls(subject, scale, docket, Store.of_scale(Path(results) / "trials", scale).refresh(), known)

    @cached_property
    def rivals(self) -> dict[str, dict[str, Keys]]:
        """The stored runs of every other method, by situation."""
        overrides = self.docket.overrides(self.scale)
        names = [name for name in METHODS if name not in ("custom", "sync", self.subject.label)]
        norms = {name: method(name) for name in names}
        found: dict[str, dict[str, Keys]] = {}
        for name, situation in self.docket.situations.items():
            runs = {
                rival: self.known.reported(self.composer({**overrides[name], **situation.arm(norm)}))
                for rival, norm in norms.items()
            }
            found[name] = {rival: keys for rival, keys in runs.items() if len(keys) >= ENOUGH}
        return found

    @cached_property
    def arms(self) -> dict[str, dict[str, Subject]]:
        """The norms that are run in each situation: the one on trial, and those references that are not known there."""
        arms: dict[str, dict[str, Subject]] = {}
        for name, rivals in self.rivals.items():
            lacking = [m for m in self.docket.references if m not in rivals and m != self.subject.label]
            arms[name] = {YOURS: self.subject} | {name: method(name) for name in lacking}
        return arms

    @cached_property
    def expander(self) -> Expander:
        """Of a design in which these norms are tuned and reported."""
        return Expander(self.docket.design(self.scale, self.arms), self.scale, self.store, self.composer)

    @cached_property
    def batch_norms(self) -> dict[str, RunConfig]:
        """Batch norm's stored runs, by situation: their configuration at their rate."""
        overrides, found = self.docket.overrides(self.scale), {}
        for name, rivals in self.rivals.items():
            if BATCH in rivals:
                facts = self.known.store.facts(next(iter(rivals[BATCH].values()))) or {}
                arm = self.docket.situations[name].arm(method(BATCH))
                found[name] = self.composer({**overrides[name], **arm, "optimizer.lr": facts["lr"]})
        return found

    @property
    def targets(self) -> dict[str, str]:
        """What of it is the user's own."""
        return self.subject.targets

    def look(self, seconds: Seconds, given_up: Mapping[str, str]) -> "Progress":
        """What is there now, and what is left."""
        return Progress(self, seconds, given_up)

    def store_of(self, key: str) -> Store:
        """Where a run is kept."""
        return self.store if key in self.store else self.known.store


class Progress:
    """One look at a bench: what each situation has, what is asked besides, and the questions that are open with their runs."""

    def __init__(self, bench: Bench, seconds: Seconds, given_up: Mapping[str, str]) -> None:
        self.bench, self.seconds, self.given_up = bench, seconds, given_up
        bench.store.refresh()
        self.planned = bench.expander.expand().planned
        self.standings = {name: self._standing(name) for name in bench.docket.situations}
        self.eased, self.robust = self._further() if self.flagship.pairs >= ENOUGH else ({}, [])
        wanted = [*self.planned, *(plan for plans in self.eased.values() for plan in plans), *self.robust]
        left = outstanding(wanted, bench.store)
        self.items: dict[str, Item] = {item.run_key: item for item in left if item.run_key not in given_up}

    @property
    def flagship(self) -> Standing:
        """What is there where most is asked."""
        return self.standings[self.bench.docket.flagship]

    def _standing(self, situation: str) -> Standing:
        rivals = self.bench.rivals[situation]
        found = Standing({rival: dict(keys) for rival, keys in rivals.items()})
        for plan in self.planned:
            where, arm = str(plan.grid).split("/")
            if where == situation and plan.role == "report":
                found.configs[arm] = plan.config
                if is_done(self.bench.store, plan.run_key, plan.config) and not self.bench.store.is_missing(
                    plan.run_key
                ):
                    found.runs.setdefault(arm, {})[plan.config.seed] = plan.run_key
        if situation in self.bench.batch_norms:
            found.configs[BATCH] = self.bench.batch_norms[situation]
        return found

    def _further(self) -> tuple[dict[Change, list[Planned]], list[Planned]]:
        """What the flagship is asked besides, planned once for the rates that were chosen."""
        configs = {arm: self.flagship.configs[arm] for arm in (YOURS, BATCH)}
        key = tuple(config.optimizer.lr for config in configs.values())
        if key not in self.bench.further:
            pairs = [
                (arm, config.model_copy(update={"seed": seed}))
                for seed in range(SEEDS)
                for arm, config in configs.items()
            ]
            eased = {change: [_plan(change.apply(config), arm) for arm, config in pairs] for change in CHANGES}
            self.bench.further[key] = eased, [_plan(config, arm, (ROBUST,)) for arm, config in pairs]
        return self.bench.further[key]

    def questions(self) -> list[Question[str]]:
        """What is open: each situation's pairs, and of the flagship what changes and corruptions do."""
        found: list[Question[str]] = []
        for name in self.bench.docket.situations:
            others = [arm for arm in self.bench.arms[name] if arm not in (YOURS, BATCH)]
            found.append(self._of_arms(name, name, (YOURS, BATCH), 1.0))
            found += [self._of_arms(grid_of(name, arm), name, (arm,), 0.15) for arm in others]
        found += [self._of_pairs(change.title.en, plans, 0.08) for change, plans in self.eased.items()]
        return [*found, self._of_pairs(ROBUST, self.robust, 0.3)]

    def _of_arms(self, name: str, situation: str, arms: tuple[str, ...], weight: float) -> Question[str]:
        """What some norms lack in a situation: the choice of their rates, then seed by seed their runs."""
        grids = {grid_of(situation, arm) for arm in arms}
        plans = [plan for plan in self.planned if plan.grid in grids]
        reports = [plan for plan in plans if plan.role == "report"]
        own = self.standings[situation].runs
        pairs = len(set.intersection(*(set(own.get(arm, {})) for arm in arms)))
        tuning = self._jobs([plan for plan in plans if plan.role == "tune"])
        if tuning:
            return Question(name, pairs, [tuning], self.seconds.of(plans[0].config), weight)
        steps = [self._jobs([p for p in reports if p.config.seed == s]) for s in range(self.bench.docket.seeds)]
        return Question(name, pairs, [step for step in steps if step], weight=weight)

    def _of_pairs(self, name: str, plans: list[Planned], weight: float) -> Question[str]:
        steps = [self._jobs([plan for plan in plans if plan.config.seed == seed]) for seed in range(SEEDS)]
        left = [step for step in steps if step]
        return Question(name, SEEDS - len(left), left, weight=weight)

    def _jobs(self, plans: list[Planned]) -> list[tuple[str, float]]:
        keys = dict.fromkeys(plan.run_key for plan in plans if plan.run_key in self.items)
        return [(key, self.seconds.of(self.items[key].config)) for key in keys]


def _plan(config: RunConfig, arm: str, evaluate: tuple[str, ...] = ()) -> Planned:
    return Planned(run_key(config), config, "trial", "report", None, "", {"arm": arm}, evaluate)
