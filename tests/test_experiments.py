"""Experiments as folders: a story of claims, its Japanese, its drawing code."""

import ast
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import experiments
from experiments import NAMES, load_experiment, own_experiments
from experiments.wording import translated
from normlab.core.claim import Text
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
    assert found <= {"__init__.py", "figure.py", "claims.py", "ja.yaml", "checks.py", "published.py"}
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
