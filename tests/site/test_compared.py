"""Situations of the chooser that experiments have runs for: methods by seed, told from batch norm, beside a simple model."""

from pathlib import Path
from typing import Any

import pytest

from normlab.core.claim import Text
from normlab.core.design import Design
from normlab.core.record import Record
from normlab.report.comparison import Comparison
from normlab.report.results import Results
from normlab.report.sections import Section
from normlab.runs.store import Store
from normlab.site.advice import advice
from normlab.site.compared import better_up, fields_of_experiments
from normlab.site.situations import Arm, Field
from normlab.sweeps.compose import Composer
from normlab.sweeps.expand import Expander

TITLE = Text("Small CNN, digits", "小さなCNN、手書き数字")
ACCURACIES = {"batch": 0.9, "layer": 0.8, "group": 0.85}


class Toy:
    """Three norms in one grid at two rates, and none in another; ``measure`` is what runs are read by."""

    name = "toy"
    claims = ()

    def __init__(self, edition: int = 2) -> None:
        cells = (("normed", {"part": "all"}), ("without", {}))
        self.compared = (Comparison("toy-digits", TITLE, "digits", cells), Comparison("toy", TITLE, "elsewhere", cells))
        normed = {
            "axes": {"norm": list(ACCURACIES), "part": {"all": {}, "conv": {"net.norm_in": "conv"}}},
            "choose": {"over": {"optimizer.lr": [0.1, 0.3]}, "levels": {"best": {"best": "validation_accuracy"}}},
        }
        without = {**normed, "axes": {"norm": ["none"]}}
        seeds = {"tune": [100, 101], "report": [0, 1, 2]}
        scale = {"seeds": seeds, "settings": {"digits": {"overrides": {"data": "digits"}}}}
        about = {"name": "toy", "title": "Toy", "title_ja": "おもちゃ", "edition": edition}
        grids = {"normed": normed, "without": without}
        self.design = Design.parse({**about, "scales": {"quick": scale}, "grids": grids}, "toy")

    def section(self, folder: Path, composer: Composer) -> Section:
        store = Store(folder / "quick")
        for _ in range(2):  # what is reported follows from what was tuned
            for plan in Expander(self.design, "quick", store, composer).expand().planned:
                if plan.run_key not in store:
                    store.put(self._record(plan))
        return Section(self, Results.load(self.design, (), "quick", store, composer), [])  # type: ignore[arg-type]

    def _record(self, plan: Any) -> Record:
        config = plan.config
        value = ACCURACIES.get(config.norm.name, 0.5) - 0.1 * (config.optimizer.lr != 0.3) + 0.001 * config.seed % 0.01
        value -= 0.2 * (plan.axes.get("part") == "conv")
        failed = config.norm.name == "none" and config.seed == 2
        facts = {
            "run_key": plan.run_key,
            "norm": config.norm.name,
            "chance": 0.1,
            "seed": config.seed,
            "role": plan.role,
        }
        status = {"status": "diverged" if failed else "ok", "validation_accuracy": value}
        return Record(facts | status | ({} if plan.role == "tune" else {"test_accuracy": value}), [{"step": 1}])


def test_each_method_of_the_named_cells_is_an_arm_at_its_rate(tmp_path: Path, composer: Composer) -> None:
    (field,) = fields_of_experiments([Toy().section(tmp_path, composer)])
    assert (field.name, field.titled, field.measure, field.of) == ("toy-digits", TITLE, "accuracy", "images")
    assert [arm.method for arm in field.arms] == ["batch", "group", "layer", "none"]
    assert {arm.method: arm.lr for arm in field.arms} == dict.fromkeys(["batch", "group", "layer", "none"], 0.3)
    batch, group = field.arms[:2]
    assert batch.accuracy == pytest.approx({0: 0.9, 1: 0.901, 2: 0.902})
    assert group.difference is not None
    assert group.difference[0] == pytest.approx(-0.05)
    assert {rate: len(values) for rate, values in batch.tuned.items()} == {0.1: 2, 0.3: 2}
    assert batch.tuned[0.3] == pytest.approx([0.9, 0.901], abs=1e-9)
    assert field.arms[-1].diverged == 1
    assert field.arms[-1].accuracy[2] == pytest.approx(0.1)
    assert field.alike == {"batch"}


def test_what_the_first_edition_ran_is_left_out(tmp_path: Path, composer: Composer) -> None:
    assert fields_of_experiments([Toy(edition=1).section(tmp_path, composer)]) == []


def test_errors_are_told_as_what_is_explained() -> None:
    assert better_up(0.3, "test_error") == pytest.approx(0.7)
    assert better_up(0.3, "test_accuracy") == 0.3


def field(simple: float | None, **means: float) -> Field:
    arms = [Arm(name, 0.1, {seed: mean + 0.001 * seed for seed in range(4)}) for name, mean in means.items()]
    arms.sort(key=lambda arm: -arm.interval[0])
    return Field("f", "digits", 128, False, 100, 5.0, arms, simple=simple)


def test_what_is_no_better_than_a_simple_model_is_no_answer() -> None:
    assert field(0.5, batch=0.9, group=0.9).alike == {"batch", "group"}
    assert field(0.95, batch=0.9, group=0.9).alike == set()
    assert field(0.901, batch=0.9, group=0.899).alike == {"batch"}


def test_advice_is_a_row_an_answer() -> None:
    rows = advice(
        [
            field(None, batch=0.9, none=0.5),
            field(None, batch=0.8, none=0.5),
            field(0.99, batch=0.9),
            field(None, none=0.7, batch=0.5),
        ]
    )
    assert rows[-2:] == [
        "| batch norm | digits (8×8), batch 128; digits (8×8), batch 128 |",
        "| no norm | digits (8×8), batch 128 |",
    ]
    assert advice([]) == []
