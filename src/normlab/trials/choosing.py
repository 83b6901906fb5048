"""Which normalization for my data and my net? Every method at its best rate, paired by seed, those that fall behind given less time."""

import datetime
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from normlab.core.design import Design
from normlab.core.statistics import interval
from normlab.data import IMAGE_SETS
from normlab.data.batches import load_splits
from normlab.errors import NormlabError
from normlab.nets import NETS
from normlab.norms import METHODS
from normlab.report.choice import Candidate, Choice, Situation, choose
from normlab.runs.execute import environment, is_done
from normlab.runs.key import run_key
from normlab.runs.store import Store
from normlab.sweeps.compose import Composer
from normlab.sweeps.expand import Expander
from normlab.sweeps.plan import Item, outstanding
from normlab.targets import label_of
from normlab.training.cost import net_costs
from normlab.trials.agenda import Question
from normlab.trials.engine import Engine, Listener
from normlab.trials.known import accuracy
from normlab.trials.seconds import Seconds
from normlab.trials.shown import shown
from normlab.trials.simple import linear_accuracy

USUAL = (
    "none",
    "batch",
    "layer",
    "group",
    "instance",
    "weight_standardization",
    "renorm",
    "frn",
    "evonorm",
    "switchable",
)
RATES = (0.03, 0.1, 0.3)  # at batches of 128; of others in proportion
SEEDS = 10
BEHIND = 0.01  # a method whose whole interval lies this far behind the best is given a tenth of the weight
RECIPE = {
    "schedule": "one_cycle",
    "schedule.warmup": 0.2,
    "optimizer.nesterov": True,
    "optimizer.weight_decay": 0.0005,
}
HERE = "here"


@dataclass(frozen=True)
class Wish:
    """What is to be trained: data, net (a name, or a target of one's own), batch size, epochs, and what else differs from the recipe."""

    data: str
    net: str
    batch_size: int
    epochs: float
    norms: tuple[str, ...] = USUAL
    overrides: Mapping[str, Any] = field(default_factory=dict)

    @property
    def targets(self) -> dict[str, str]:
        """What of it is the user's own."""
        return {} if self.net in NETS else {"net.target": self.net}

    @property
    def label(self) -> str:
        """What it is kept as."""
        net = self.net if self.net in NETS else label_of(self.net)
        return f"{self.data}-{net}-batch-{self.batch_size}"

    def base(self, composer: Composer) -> dict[str, Any]:
        """Everything but the norm and the rate. Norms stand behind convolutions; colour images are flipped and shifted."""
        base: dict[str, Any] = {"data": self.data if self.data in IMAGE_SETS else "own", "data.name": self.data}
        base |= {"data.batch_size": self.batch_size, "training.epochs": self.epochs, **RECIPE}
        if self.net in NETS:
            base |= {"net": self.net, "net.norm_in": "conv"} | ({"net.head": "flatten"} if self.net == "cnn" else {})
        else:
            base |= {"net": "custom", "net.target": self.net}
        splits = load_splits(composer({**base, "data.validation_size": 50}).data, 0)
        held = len(splits.train) + len(splits.validation)
        base |= {
            "data.validation_size": max(50, min(5000, held // 5)),
            "data.augment": "flip_crop" if splits.shape[0] == 3 else "none",
        }
        return base | dict(self.overrides)


class Shelf:
    """The work of a choice: a grid a method, and what is there of each. Runs are kept below ``<results>/trials/choices/<label>``."""

    def __init__(self, wish: Wish, scale: str, results: str | Path) -> None:
        self.wish, self.scale, self.composer = wish, scale, Composer()
        self.targets: Mapping[str, str] = wish.targets
        self.store = Store(Path(results) / "trials" / "choices" / wish.label).refresh()
        self.base = wish.base(self.composer)
        self.expander = Expander(self._design(), scale, self.store, self.composer)

    def _design(self) -> Design:
        share = self.wish.batch_size / 128
        rates = [float(f"{rate * share:.3g}") for rate in RATES]
        setting = {
            "overrides": self.base,
            "tune": [1000],
            "closer": {"seeds": [1001], "margin": 0.01},
            "looks": {SEEDS: 1.0},
        }
        grids = {
            norm: {
                "fixed": {"norm": norm},
                "choose": {
                    "over": {"optimizer.lr": "rates"},
                    "extend": {"optimizer.lr": 3.0},
                    "levels": {"best": {"best": "validation_accuracy"}},
                },
            }
            for norm in self.wish.norms
        }
        what = {"name": "choice", "title": "Choice", "title_ja": "選択", "grids": grids}
        return Design.parse(
            {**what, "scales": {self.scale: {"settings": {HERE: setting | {"ranges": {"rates": rates}}}}}}, "choice"
        )

    def look(self, seconds: Seconds, given_up: Mapping[str, str]) -> "ShelfLook":
        """What is there now, and what is left."""
        return ShelfLook(self, seconds, given_up)

    @cached_property
    def costs(self) -> dict[str, dict[str, float]]:
        """What each method costs, measured in turns, once."""
        norms = [norm for norm in self.wish.norms if norm not in self.left_out]
        configs = [self.composer({**self.base, "norm": norm}) for norm in norms]
        keys = [run_key(config) for config in configs]
        found = [self.store.evaluation(key, "cost") for key in keys]
        if not all(found):
            found = list(net_costs(configs))
            for key, values in zip(keys, found, strict=True):
                self.store.put_evaluation(key, "cost", values or {})
            self.store.refresh()
        return {norm: dict(values or {}) for norm, values in zip(norms, found, strict=True)}

    @cached_property
    def left_out(self) -> dict[str, str]:
        """Methods that do not fit, with why."""
        found = {}
        for norm in self.wish.norms:
            for _, reason in self.expander.expand([norm]).skipped:
                found[norm] = reason
        return found


class ShelfLook:
    """One look at a choice: each method's accuracies by seed, and what is left."""

    def __init__(self, shelf: Shelf, seconds: Seconds, given_up: Mapping[str, str]) -> None:
        self.shelf, self.seconds = shelf, seconds
        shelf.store.refresh()
        self.planned = shelf.expander.expand().planned
        left = outstanding(self.planned, shelf.store)
        self.items: dict[str, Item] = {item.run_key: item for item in left if item.run_key not in given_up}
        self.accuracies: dict[str, dict[int, float]] = {norm: {} for norm in shelf.wish.norms}
        self.rates: dict[str, float] = {}
        for plan in self.planned:
            if plan.role == "report":
                self.rates[str(plan.grid)] = plan.config.optimizer.lr
                if is_done(shelf.store, plan.run_key, plan.config) and not shelf.store.is_missing(plan.run_key):
                    self.accuracies[str(plan.grid)][plan.config.seed] = accuracy(shelf.store, plan.run_key)

    def questions(self) -> list[Question[str]]:
        """One a method; those that are far behind count little."""
        return [self._of(norm) for norm in self.shelf.wish.norms]

    def _of(self, norm: str) -> Question[str]:
        plans = [plan for plan in self.planned if plan.grid == norm]
        tuning = self._jobs([plan for plan in plans if plan.role == "tune"])
        pairs, weight = len(self.accuracies[norm]), 0.1 if self._is_behind(norm) else 1.0
        if tuning:
            return Question(norm, pairs, [tuning], self.seconds.of(plans[0].config), weight)
        reports = [plan for plan in plans if plan.role == "report"]
        steps = [self._jobs([plan for plan in reports if plan.config.seed == seed]) for seed in range(SEEDS)]
        return Question(norm, pairs, [step for step in steps if step], weight=weight)

    def _is_behind(self, norm: str) -> bool:
        own = self.accuracies[norm]
        best = max(
            (a for a in self.accuracies.values() if len(a) >= 3), key=lambda a: np.mean(list(a.values())), default=None
        )
        if best is None or best is own or len(seeds := sorted(set(own) & set(best))) < 3:
            return False
        _, _, high = interval(np.array([own[seed] - best[seed] for seed in seeds]))
        return high < -BEHIND

    def _jobs(self, plans: Sequence[Any]) -> list[tuple[str, float]]:
        keys = dict.fromkeys(plan.run_key for plan in plans if plan.run_key in self.items)
        return [(key, self.seconds.of(self.items[key].config)) for key in keys]


@dataclass(frozen=True)
class Chosen:
    """The answer: the most accurate method, those not distinguishable from it, and the quickest of these."""

    choice: Choice | None
    label: str
    rates: Mapping[str, float]
    left_out: Mapping[str, str]
    failed: Mapping[str, str]
    facts: Mapping[str, Any]


def chosen(
    wish: Wish,
    minutes: float = 20.0,
    scale: str = "cpu",
    results: str | Path = "results",
    jobs: int = 0,
    listener: Listener | None = None,
) -> Chosen:
    """Train the methods of a wish for so many minutes and choose among them; further minutes go on.

    Raises:
        NormlabError: for data, a net or a norm that is not there; no minutes.
    """
    if not minutes > 0:
        raise NormlabError(f"minutes={minutes:g}: a choice takes more than 0")
    if unknown := [norm for norm in wish.norms if norm not in METHODS]:
        raise NormlabError(f"unknown norm {unknown[0]!r}; there are {', '.join(METHODS)}")
    deadline = time.monotonic() + 60 * minutes
    shelf = Shelf(wish, scale, results)
    with ExitStack() as stack:
        told = listener or stack.enter_context(shown())
        engine = Engine(shelf, jobs)
        costs = shelf.costs
        linear = linear_accuracy(shelf.base, shelf.composer, shelf.store, seconds=minutes * 60 / 20)
        engine.run(deadline, told)
    look = shelf.look(engine.seconds, engine.given_up)
    candidates = [
        Candidate(norm, own, costs.get(norm, {}).get("step"), costs.get(norm, {}).get("saved_bytes"))
        for norm, own in look.accuracies.items()
        if own
    ]
    config = shelf.composer({**shelf.base, "norm": "batch" if wish.net in NETS else "none"})
    there = environment()
    facts = {
        "images": len(load_splits(config.data, 0).train),
        "epochs": wish.epochs,
        "machine": there["gpu"] or there["cpu"],
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "folder": shelf.store.root,
        "linear": linear,
    }
    place = Situation(wish.data, wish.net, wish.batch_size, candidates)
    return Chosen(
        choose(place) if candidates else None, wish.label, look.rates, shelf.left_out, dict(engine.given_up), facts
    )
