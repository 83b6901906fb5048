"""Experiments as folders: a story of claims, its Japanese, its drawing code."""

import ast
import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import experiments
from experiments import NAMES, load_experiment, own_experiments
from experiments.wording import translated
from normlab.config import FINALS
from normlab.core.claim import Arm, Contrast, Pick, Text
from normlab.core.over_runs import OverRuns
from normlab.core.readings import DECAY, parse
from normlab.errors import NormlabError

ROOT = Path(experiments.__file__).parent


def texts(value: Any) -> Iterator[Text]:
    """All texts inside claims."""
    if isinstance(value, Text):
        yield value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from texts(getattr(value, field.name))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, tuple | list):
        for each in value:
            yield from texts(each)


@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_is_a_folder_with_nothing_but_its_rooms(name: str) -> None:
    found = {file.name for file in (ROOT / name).iterdir() if file.is_file()}
    assert {"__init__.py", "figure.py"} <= found
    assert found <= {"__init__.py", "figure.py", "claims.py", "comparisons.py", "ja.yaml", "checks.py", "published.py"}
    assert ("claims.py" in found) == ("ja.yaml" in found) == bool(load_experiment(name).claims)


@pytest.mark.parametrize("name", NAMES)
def test_every_text_of_claims_is_in_both_languages_and_no_translation_is_left_over(name: str) -> None:
    claims = load_experiment(name).claims
    if not claims:
        return
    pairs = yaml.safe_load((ROOT / name / "ja.yaml").read_text(encoding="utf-8"))
    said = {text.en: text.ja for text in texts(claims)}
    assert all(en and ja for en, ja in said.items())
    left_over = [pair["en"] for pair in pairs if pair["en"] not in said]
    module = (ROOT / name / "claims.py").read_text(encoding="utf-8")
    named = {node.value for node in ast.walk(ast.parse(module)) if isinstance(node, ast.Constant)}
    assert [en for en in left_over if en not in named] == []


@pytest.mark.parametrize("name", NAMES)
def test_claims_read_as_a_story_without_japanese_or_drawing(name: str) -> None:
    file = ROOT / name / "claims.py"
    if not file.exists():
        return
    source = file.read_text(encoding="utf-8")
    assert not any("\u3040" <= letter <= "\u9fff" for letter in source)
    assert "matplotlib" not in source
    assert "Results" not in source


def measured_from(text: str) -> str:
    """The least ``measure.final`` with which a run has what is read as ``text``."""
    found = parse(text)
    column = (found.each if isinstance(found, OverRuns) else found).text
    if re.search(rf"(?:^|_){DECAY}$|_gap_", column):
        return "all"
    if re.fullmatch(r"(?:test|validation)_\w+_batch", column):
        return "statistics"
    if column.endswith("_recalibrated"):
        return "recalibrated"
    return "running" if column.startswith(("test_", "train_")) and column != "train_seconds" else "validation"


def asked(part: Contrast, arm: Arm) -> list[str]:
    """What a contrast reads of an arm, constants of settings filled in."""
    if isinstance(arm.measure, Pick):
        return [arm.measure.named(split, value) for split in ("validation", "test") for value in arm.measure.values]
    return [re.sub(r"\{\w+\}", "0.1", arm.measure or part.measure)]


@pytest.mark.parametrize("name", NAMES)
def test_nets_are_measured_on_all_that_claims_read(name: str) -> None:
    """A claim that reads what its runs do not measure would never get a verdict."""
    experiment = load_experiment(name)
    for scale, at in experiment.design.scales.items():
        for claim in experiment.claims:
            cases = (*claim.at(scale), *claim.shown_besides)
            for part, arm in [(p, arm) for case in cases for p in case.contrasts for arm in p.arms]:
                grid = experiment.design.grids[arm.grid].at_scale(scale)
                own = grid.measure.get("final") or grid.fixed.get("measure.final")
                for setting in at.settings if grid.settings is None else grid.settings:
                    final = own or at.settings[setting].overrides.get("measure.final", "all")
                    for text in asked(part, arm):
                        assert FINALS.index(measured_from(text)) <= FINALS.index(final), (claim.id, setting, text)


def test_readings_say_how_much_has_to_be_measured() -> None:
    assert measured_from("test_accuracy_decay_0.99") == measured_from("jitter_decay_0.9") == "all"
    assert measured_from("test_accuracy_phases") == measured_from("test_gap_decay_0.99") == "all"
    assert measured_from("test_accuracy_batch") == "statistics"
    assert measured_from("largest_trained_rate@0.23") == measured_from("train_loss_recalibrated") == "recalibrated"
    assert measured_from("test_accuracy") == measured_from("length_to@0.7") == "running"
    assert measured_from("validation_accuracy") == measured_from("corruptions.kept") == "validation"
    assert measured_from("train_seconds") == measured_from("accuracy_at_loss@0.3") == "validation"


def test_a_text_without_japanese_is_told(tmp_path: Path) -> None:
    (tmp_path / "ja.yaml").write_text('- {en: "yes", ja: はい}\n', encoding="utf-8")
    text = translated(str(tmp_path / "claims.py"))
    assert text("yes") == Text("yes", "はい")
    with pytest.raises(NormlabError, match="lacks the Japanese of 'no'"):
        text("no")


def test_an_experiment_of_ones_own_may_be_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "experiments" / "mine"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("from .claims import CLAIMS\n\n\ndef figure(results):\n    return None\n")
    (folder / "claims.py").write_text("CLAIMS = ()\n")
    monkeypatch.chdir(tmp_path)
    assert list(own_experiments()) == ["mine"]
    assert load_experiment("mine").claims == ()
