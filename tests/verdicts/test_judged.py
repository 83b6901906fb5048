"""Verdicts that are kept: taken again while nothing that they follow from has changed, and only then."""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from normlab.core.record import Record
from normlab.data import IMAGE_SETS, find_image_set
from normlab.runs.store import Store
from normlab.runs.witness import Witness, answers
from normlab.verdicts import judged as room
from normlab.verdicts.judged import Judged, judged
from tests.verdicts.test_looks import CLAIMS, accuracy, better, design, finish


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setattr(room, "user_cache_path", lambda name: folder / name)
    return folder


@pytest.fixture
def worked_out(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A line each time that verdicts are worked out."""
    lines: list[str] = []
    original = room.expand_and_judge

    def counted(*arguments: object) -> Judged:
        lines.append("worked out")
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(room, "expand_and_judge", counted)
    return lines


@pytest.fixture
def store(tmp_path: Path, worked_out: list[str]) -> Store:
    """Two looks of runs, judged once."""
    found = Store(tmp_path / "results" / "quick")
    for _ in range(2):
        finish(found, ask(found)[0], accuracy)
    ask(found)
    worked_out.clear()
    return found


def ask(store: Store, claims: tuple = CLAIMS, **changes: object) -> Judged:
    return judged(design(**changes), claims, "quick", store)


def words(found: Judged) -> dict[str, tuple[str, float]]:
    return {result.claim.id: (str(result.verdict), result.p_adjusted) for result in found[1]}


def test_what_is_kept_says_the_same(store: Store, worked_out: list[str], cache: Path) -> None:
    kept = ask(store)
    assert not worked_out
    shutil.rmtree(cache)
    anew = ask(store)
    assert worked_out
    assert words(kept) == words(anew)
    assert kept[0] == anew[0]
    layers = [next(result for result in found[1] if result.claim.id == "layer") for found in (kept, anew)]
    assert layers[0].settings[0].parts[0].tails == layers[1].settings[0].parts[0].tails


def test_another_process_takes_it_from_the_tables(store: Store, worked_out: list[str]) -> None:
    before = words(ask(store))
    store.compact()
    ask(fresh := Store(store.root).refresh())  # columns with gaps may come back as other types of number
    worked_out.clear()
    assert words(ask(fresh)) == before
    assert not worked_out


def test_another_number_in_a_run_changes_the_verdict(store: Store, worked_out: list[str]) -> None:
    expansion, before = ask(store)
    assert str(before[0].verdict) == "holds"
    for plan in expansion.planned:
        if plan.config.norm.name == "batch":
            facts = store.facts(plan.run_key) | {"test_accuracy": accuracy(plan.config) - 0.5}
            store.put(Record(facts, [{"step": 1}]))
    _, after = ask(store.refresh())
    assert worked_out
    assert str(after[0].verdict) == "contradicted"


def test_a_run_that_nobody_asks_for_changes_nothing(store: Store, worked_out: list[str]) -> None:
    store.put(Record({"run_key": "f" * 20, "status": "ok", "test_accuracy": 0.1}, [{"step": 1}]))
    ask(store.refresh())
    assert not worked_out


def test_a_run_that_was_asked_for_and_arrives_is_read(store: Store, worked_out: list[str]) -> None:
    key = next(plan.run_key for plan in ask(store)[0].planned if plan.config.norm.name == "batch")
    facts = store.facts(key)
    store.forget(lambda run_key: run_key == key)
    assert str(ask(store)[1][0].verdict) == "not run"
    worked_out.clear()
    store.put(Record(facts, [{"step": 1}]))
    assert str(ask(store.refresh())[1][0].verdict) == "holds"
    assert worked_out


@pytest.mark.parametrize("changed", ["claims", "design", "code"])
def test_other_claims_another_design_and_other_code_are_judged_anew(
    changed: str, store: Store, worked_out: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if changed == "claims":
        ask(store, (replace(better("batch"), delta=0.5), better("layer")))
    elif changed == "design":
        ask(store, second_look=())
    else:
        monkeypatch.setattr(room, "package_digest", lambda: "other code")
        ask(store)
    assert worked_out


def test_another_recipe_is_judged_anew(store: Store, worked_out: list[str], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    ask(store)
    assert not worked_out
    file = tmp_path / "configs" / "recipe" / "mine.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("net: cnn\n")
    ask(store)
    assert worked_out


def test_runs_that_have_other_keys_now_are_judged_anew(store: Store, worked_out: list[str], monkeypatch: Any) -> None:
    """As where a file of one's own data has changed, of which neither the design nor the package knows."""
    image_set = find_image_set("digits")
    monkeypatch.setitem(IMAGE_SETS, "digits", replace(image_set, version=99))
    assert str(ask(store)[1][0].verdict) == "not run"
    assert worked_out


@pytest.mark.parametrize("content", [b"", b"no pickle", b"\x80\x05}."])
def test_a_damaged_file_is_as_none(content: bytes, store: Store, worked_out: list[str], cache: Path) -> None:
    (file,) = cache.rglob("*.pickle")
    file.write_bytes(content)
    assert str(ask(store)[1][0].verdict) == "holds"
    assert worked_out


def test_a_folder_that_cannot_be_written_is_no_hindrance(store: Store, worked_out: list[str], cache: Path) -> None:
    shutil.rmtree(cache)
    cache.write_text("a file where the folder would be")
    assert str(ask(store)[1][0].verdict) == "holds"
    assert str(ask(store)[1][0].verdict) == "holds"
    assert len(worked_out) == 2


def test_what_is_old_goes_when_something_is_written(store: Store, cache: Path) -> None:
    old, young = (cache / "normlab" / "judged" / "gone" / f"{name}.pickle" for name in ("old", "young"))
    for file in (old, young):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"")
    os.utime(old, (0, 0))
    ask(store, second_look=())
    assert young.exists()
    assert not old.exists()


def test_two_stores_do_not_share(store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path / "elsewhere" / "quick")
    assert str(ask(other)[1][0].verdict) == "not run"
    assert str(ask(store)[1][0].verdict) == "holds"


def test_nothing_is_read_back_from_below_the_store(store: Store) -> None:
    """A store may come from someone else, and reading a pickle runs what is in it."""
    assert not list(store.root.rglob("*.pickle"))


def test_a_witness_answers_as_the_store_does_and_notes_what_was_asked(store: Store) -> None:
    key = next(iter(store))
    store.put_evaluation(key, "features", {"linear": 0.5})
    store.refresh()
    witness = Witness(store)
    assert witness.facts(key) == store.facts(key)
    assert witness.history(key).equals(store.history(key))
    assert witness.evaluation(key, "features") == {"linear": 0.5}
    assert key in witness
    assert "absent" not in witness
    assert not witness.is_missing("other")
    assert witness.asked == {(key, ""), (key, "features"), ("absent", ""), ("other", "")}


def test_answers_differ_with_each_thing_asked(store: Store) -> None:
    key = next(iter(store))
    seen = {answers(store, asked) for asked in ([], [(key, "")], [(key, "features")], [("absent", "")])}
    assert len(seen) == 4
    before = answers(store, [(key, "features")])
    store.put_evaluation(key, "features", {"linear": 0.5})
    assert answers(store.refresh(), [(key, "features")]) != before
