"""Reproducing: data that are not there are fetched, and what cannot be had leaves its experiment out, not the others."""

from pathlib import Path

import pytest

from normlab.commands import reproduce as module
from normlab.errors import NormlabError


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What was prepared, swept and reported, in order; movielens cannot be had."""
    found: list[str] = []

    def prepare(names: list[str]) -> None:
        found.extend(f"data {name}" for name in names)
        if "movielens" in names:
            raise NormlabError("no source has MovieLens-100k: no network")

    needs = {"gates": {"digits"}, "text": {"sums"}, "series": {"voices", "digits"}, "domains": {"movielens", "voices"}}
    monkeypatch.setattr(module, "prepare", prepare)
    monkeypatch.setattr(module, "with_work", lambda scale, results: needs)
    monkeypatch.setattr(module, "sweep", lambda name, *_: found.append(f"sweep {name}"))
    monkeypatch.setattr(module, "report", lambda *_: found.append("report"))
    return found


def test_data_are_fetched_once_and_what_cannot_be_had_leaves_its_experiment_out(
    asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    module.reproduce("quick", "results")
    assert asked == ["data movielens", "data voices", "sweep gates", "sweep text", "sweep series", "report"]
    said = capsys.readouterr().err
    assert "no source has MovieLens-100k: no network" in said
    assert "domains: left out, for want of movielens" in said


def test_the_quick_designs_say_which_data_they_read(tmp_path: Path) -> None:
    found = module.with_work("quick", str(tmp_path))
    assert found["placement"] == {"digits"}
    assert set().union(*found.values()) == {"digits"}  # nothing is fetched for a demonstration
