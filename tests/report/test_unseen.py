"""Settings drawn before they are run: which ones, what is run of them, and what their effects are held against."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from normlab.core.claim import Arm, Case, Claim, Contrast, Text
from normlab.core.design import Design
from normlab.core.record import Record
from normlab.errors import NormlabError
from normlab.report.results import Results
from normlab.report.sections import Section
from normlab.report.unseen import (
    Prediction,
    _found,
    as_table,
    case_of,
    content,
    draw,
    from_table,
    held_against,
    moved,
    seen_inside,
    there,
)
from normlab.runs.store import Store
from normlab.sweeps.compose import Composer
from normlab.sweeps.expand import Expander

T = Text("x", "x")
SHARED = {"2": -0.03, "8": -0.02, "32": -0.01, "128": 0.0}  # what statistics over so many images cost
BATCH_SIZE = {name: {"norm.statistics_batch": int(name)} for name in SHARED}
DESIGN = Design.parse(
    {
        "name": "toy",
        "title": "Toy",
        "title_ja": "おもちゃ",
        "scales": {
            "cpu": {
                "settings": {
                    "mnist": {"bed": "mnist", "confirm": [], "constants": {"lr": 0.1}},
                    "cifar10_short": {"bed": "cifar10_short", "confirm": [], "constants": {"lr": 0.1}},
                }
            }
        },
        "grids": {
            "shared": {
                "axes": {"shared": BATCH_SIZE, "norm": ["batch", "decorrelated"]},
                "choose": {"over": {"optimizer.lr": [0.1, 0.2]}, "levels": {"best": {"best": "validation_accuracy"}}},
            }
        },
    },
    "toy",
)


def arm(**axes: str) -> Arm:
    return Arm("shared", {"norm": "batch", "level": "best", **axes})


def claim(name: str, part: Contrast) -> Claim:
    case = Case(T, (part,), by=("setting", "shared"), among={"shared": ("2", "8", "32")})
    return Claim(name, (), T, T, "superiority", cases=(case,))


HURTS = claim("hurts", Contrast(T, "test_accuracy", arm(shared="128"), arm()))
SIGNED = claim("signed", Contrast(T, "test_accuracy", arm(shared="128"), arm(), signed=True))
TARGET = claim("target", Contrast(T, "jitter_decay_{lr}", arm(shared="128"), arm()))


def fill(design: Design, store: Store, composer: Composer) -> None:
    while new := [
        plan for plan in Expander(design, "cpu", store, composer).expand().planned if plan.run_key not in store
    ]:
        for plan in new:
            store.put(record(plan))


def record(plan: Any) -> Record:
    noise = np.random.default_rng(plan.config.seed).normal(0, 0.0003)
    accuracy = 0.9 + SHARED[plan.axes["shared"]] + noise
    facts = {
        "run_key": plan.run_key,
        "status": "ok",
        "chance": 0.1,
        "validation_accuracy": accuracy,
        "jitter_decay_0.1": noise,
    }
    return Record(facts | ({} if plan.role == "tune" else {"test_accuracy": accuracy}), [{"step": 1}])


class Question:
    name = "toy"
    design = DESIGN


@pytest.fixture(scope="module")
def section(tmp_path_factory: pytest.TempPathFactory, composer: Composer) -> Section:
    store = Store(tmp_path_factory.mktemp("seen") / "cpu")
    fill(DESIGN, store, composer)
    results = Results.load(DESIGN, (HURTS, SIGNED, TARGET), "cpu", store, composer)
    return Section(Question(), results, results.judged)  # type: ignore[arg-type]


def test_a_tenth_is_drawn_of_what_stands_on_the_bed_seen(section: Section) -> None:
    both = draw(section)
    assert len(both) == 2  # a tenth of eighteen, of three claims on two beds, of which three settings are open to it
    drawn = both[0]
    assert {each.claim for each in both} == {"hurts"}
    assert len({each.place for each in both}) == 2
    assert (drawn.experiment, drawn.claim, drawn.case, drawn.part) == ("toy", "hurts", 0, 0)
    assert drawn.where.startswith("Fashion-MNIST · statistics over ")
    pooled = section.claims[0].pooled
    assert pooled is not None
    assert (drawn.predicted, drawn.predict_low) == (pooled.mean, pooled.predict_low)
    assert draw(section) == both


def test_predictions_come_back_from_their_table_as_they_were(section: Section) -> None:
    drawn = draw(section)
    assert from_table(as_table(drawn)) == drawn


def test_only_the_cells_that_are_read_are_run_again(section: Section) -> None:
    drawn = draw(section)[0]
    made = content([drawn], {"toy": (DESIGN, (HURTS,))}, "cpu")
    assert made["settings"] == {"toy": {"bed": "fashion_mnist", "constants": {"lr": 0.1}}}
    grid = made["grids"][there("shared", "toy")]
    asked = drawn.place.partition(': "')[2].rstrip('"}')
    assert grid["axes"] == {"shared": {name: BATCH_SIZE[name] for name in ("128", asked)}, "norm": ["batch"]}
    assert grid["settings"] == ["toy"]
    assert grid["choose"]["over"] == {"optimizer.lr": [0.1, 0.2]}


@pytest.mark.parametrize(("off", "inside"), [(0.0, True), (1000.0, False)])
def test_what_is_found_is_held_against_what_was_predicted(
    section: Section, tmp_path: Path, composer: Composer, off: float, inside: bool
) -> None:
    drawn = draw(section)[0]
    shifted = Prediction(
        **{**drawn.__dict__, "predict_low": drawn.predict_low + off, "predict_high": drawn.predict_high + off}
    )
    made = content([drawn], {"toy": (DESIGN, (HURTS,))}, "cpu")
    what = {"name": "unseen", "title": "Unseen", "title_ja": "未見", "scales": {"cpu": {"settings": made["settings"]}}}
    design = Design.parse({**what, "grids": made["grids"]}, "unseen")
    store = Store(tmp_path / "cpu")
    empty = held_against([shifted], {"toy": (HURTS,)}, Results.load(design, (), "cpu", store, composer))
    assert empty["inside"].isna().all()
    fill(design, store, composer)
    found = held_against([shifted], {"toy": (HURTS,)}, Results.load(design, (), "cpu", store, composer)).iloc[0]
    asked = drawn.place.partition(': "')[2].rstrip('"}')
    assert found["n"] == 10
    assert found["estimate"] == pytest.approx(-SHARED[asked] / 0.01)  # δ of the bed, noise is paired away
    assert bool(found["inside"]) is inside


def test_an_effect_is_inside_up_to_the_edge_and_its_own_error(section: Section) -> None:
    drawn = Prediction(**{**draw(section)[0].__dict__, "predict_low": 0.0, "predict_high": 3.0})
    for value, inside in ((0.01, True), (2.99, True), (-0.01, False), (3.01, False)):
        found = _found(drawn, np.full(10, value), 0.0)
        assert (found["n"], found["inside"]) == (10, inside)
        assert found["standard_error"] == pytest.approx(0, abs=1e-12)
    loose = np.array([2.9, 3.1] * 5)  # a mean at the edge, of 0.07 more or less
    assert _found(drawn, loose, 0.0)["inside"]
    assert not _found(drawn, loose + 0.01, 0.0)["inside"]
    assert _found(drawn, np.array([1.0, 1.0]), 0.0)["inside"] is None


def test_a_prediction_of_a_claim_that_has_changed_is_refused(section: Section) -> None:
    drawn = draw(section)[0]
    with pytest.raises(NormlabError, match="no claim has this setting any more"):
        case_of(drawn, (SIGNED,), "cpu")
    with pytest.raises(NormlabError, match="no claim has this setting any more"):
        case_of(Prediction(**{**drawn.__dict__, "where": "elsewhere"}), (HURTS,), "cpu")


def test_most_settings_that_summaries_were_made_of_are_inside(section: Section) -> None:
    inside, of = seen_inside([section])
    assert of == 18  # three claims at three sizes on two beds
    assert 14 <= inside <= 18


def test_a_contrast_is_moved_with_all_its_arms() -> None:
    part = Contrast(T, "test_accuracy", arm(), arm(), less=(arm(), arm()))
    assert {one.grid for one in moved(part, "toy").arms} == {"toy__shared"}
    assert moved(Contrast(T, "test_accuracy", arm()), "toy").minus is None
