"""Every name by which numbers are asked for is a reading that there is, with a direction of its own."""

import re

import pytest

from experiments import all_experiments
from normlab.core.claim import Arm, Case, Claim, Contrast, Text
from normlab.core.design import Choose, Design, Ladder
from normlab.core.readings import FORMS, check, higher_is_better, parse
from normlab.errors import NormlabError

TEXT = Text("", "")


def test_every_reading_of_every_claim_and_design_is_there() -> None:
    """Claims and designs check their own when they are loaded; that they have any is asked here."""
    experiments = all_experiments()
    names = {
        name for e in experiments for claim in e.claims for scale in e.design.scales for name in claim.readings(scale)
    }
    assert {"test_accuracy", "features.linear"} <= names
    assert all(check(name) for name in names)
    chosen = {
        rule
        for e in experiments
        for grid in e.design.grids.values()
        for level in (grid.choose.levels.values() if grid.choose else ())
        for rule in (level.best, level.worst, level.highest)
        if rule
    }
    assert "validation_accuracy" in chosen


def test_every_form_has_an_example_of_its_own_that_is_written_as_it_is_read() -> None:
    for form in FORMS:
        assert [f for f in FORMS if re.fullmatch(f.pattern, form.example)] == [form]
        assert str(parse(form.example)) == form.example
        assert parse(form.example).better in ("up", "down", None)


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("test_accuracy_decay_0.99", True),
        ("validation_accuracy@{epochs}", True),
        ("features.linear", True),
        ("largest_stable_rate_recalibrated@0.05", True),
        ("accuracy_gap@0.3", False),
        ("test_loss_recalibrated", False),
        ("epochs_to@0.9", False),
        ("failed_share", False),
        ("gradient_flow.slope", False),
    ],
)
def test_directions(name: str, better: bool) -> None:
    assert higher_is_better(name) is better


def test_nothing_is_chosen_by_what_has_no_direction() -> None:
    with pytest.raises(NormlabError, match="better in neither direction"):
        higher_is_better("num_parameters")


@pytest.mark.parametrize(
    "name", ["test_accurracy", "test_accuracy_decay", "epochs_to", "gradient_flow.slpoe", "jitter", ""]
)
def test_a_misspelt_reading_is_an_error_where_it_stands(name: str) -> None:
    with pytest.raises(NormlabError, match="unknown reading"):
        check(name)
    if name:
        case = Case(TEXT, (Contrast(TEXT, name, Arm("grid"), Arm("grid")),))
        with pytest.raises(NormlabError, match=f"claim c: unknown reading '{name}'; the nearest there is"):
            Claim("c", (), TEXT, TEXT, "superiority", cases=(case,))
    levels = {"best": {"best": name}}
    scales = {"quick": {"seeds": {"tune": [1], "report": [0]}, "settings": {}}}
    design = {"name": "x", "title": "x", "title_ja": "x", "scales": scales}
    with pytest.raises(NormlabError, match="unknown reading"):
        Design.parse(design | {"grids": {"g": {"choose": {"over": {"optimizer.lr": [1, 2]}, "levels": levels}}}}, "x")
    assert Choose.model_fields
    with pytest.raises(ValueError, match="unknown reading"):
        Ladder(over="optimizer.lr", values=[1, 2], margins=[0.1], measure=name)
