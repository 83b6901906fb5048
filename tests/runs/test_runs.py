"""Runs: what a key depends on, and records that are whole or set aside."""

import json
import math
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch

from normlab.config import MeasureConfig, RunConfig
from normlab.core.readings import of_one_run, parse
from normlab.core.record import BrokenRecord, Record, StoreError, read, write, write_atomically
from normlab.errors import NormlabError
from normlab.runs.evaluations import evaluate_run
from normlab.runs.execute import execute, is_done, missing_record
from normlab.runs.key import run_key
from normlab.runs.store import Store
from normlab.sweeps.plan import outstanding
from normlab.sweeps.planned import Planned

Make = Callable[..., RunConfig]


def test_a_key_is_for_what_decides_the_result(make_config: Make) -> None:
    base = run_key(make_config(norm="batch"))
    same = [
        {"measure.validate_every": 0.1},
        {"measure.probe_loss": True},
        {"numerics.threads": 2},
        {"numerics.device": "cpu"},
    ]
    other = [
        {"optimizer.lr": 0.2},
        {"seed": 1},
        {"norm.eps": 1e-3},
        {"data.train_size": 90},
        {"net.placement": "after"},
        {"training.epochs": 3},
        {"numerics.layout": "contiguous"},
        {"norm.momentum": 0.01},
        {"schedule": "cosine"},
    ]
    assert {run_key(make_config(o, norm="batch")) for o in same} == {base}
    keys = [run_key(make_config(o, norm="batch")) for o in other]
    assert len({base, *keys}) == len(other) + 1


def test_equal_numbers_written_differently_have_one_key(make_config: Make) -> None:
    assert run_key(make_config({"training.epochs": 2})) == run_key(make_config({"training.epochs": 2.0}))
    assert run_key(make_config({"optimizer.lr": 1e-1})) == run_key(make_config({"optimizer.lr": 0.1}))


def test_a_users_class_is_part_of_the_key(make_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    source = "from torch import nn\nclass MyNorm(nn.GroupNorm):\n    def __init__(self, n): super().__init__(%d, n)\n"
    keys = []
    for name, groups in (("my_first", 1), ("my_second", 2)):
        (tmp_path / f"{name}.py").write_text(source % groups)
        keys.append(run_key(make_config({"norm.target": f"{name}.MyNorm"}, norm="custom")))
    assert keys[0] != keys[1]


@pytest.fixture
def store(tmp_path: Path, make_config: Make) -> Store:
    store = Store(tmp_path / "quick")
    execute(make_config(norm="batch"), store)
    execute(make_config(norm="none"), store)
    return store.refresh()


def test_a_store_gives_back_what_was_put_before_and_after_compaction(store: Store, make_config: Make) -> None:
    key = run_key(make_config(norm="batch"))
    store.put_evaluation(key, "toy", {"a": 1.5})
    before = store.refresh().facts(key), store.history(key), store.evaluation(key, "toy")
    assert before[0] is not None
    assert before[0]["norm"] == "batch"
    assert json.loads(before[0]["config"])["norm"]["eps"] == 1e-5
    store.compact()
    assert not list((store.root / "runs").iterdir())
    again = Store(store.root).refresh()
    facts = again.facts(key)
    assert facts is not None
    assert {k: v for k, v in facts.items() if v is not None} == pytest.approx(
        {k: v for k, v in before[0].items() if v is not None}
    )
    pd.testing.assert_frame_equal(
        again.history(key)[["step", "train_loss"]], before[1][["step", "train_loss"]], check_dtype=False
    )
    assert again.evaluation(key, "toy") == {"a": 1.5}
    assert len(again) == 2


def test_weights_are_kept(store: Store, make_config: Make) -> None:
    weights = store.weights(run_key(make_config(norm="batch")))
    assert weights is not None
    assert "0.0.weight" in weights
    (store.root / "weights" / f"{run_key(make_config(norm='none'))}.pt").write_bytes(b"broken")
    assert store.weights(run_key(make_config(norm="none"))) is None


def damage_truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


def damage_flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    place = content.index(b'"facts"') + 60
    content[place] ^= 1
    file.write_bytes(bytes(content))


def damage_empty(file: Path) -> None:
    file.write_bytes(b"")


def damage_foreign(file: Path) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(file)


def damage_version(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content.replace(b'"schema": 1', b'"schema": 9'))


@pytest.mark.parametrize("damage", [damage_truncate, damage_flip, damage_empty, damage_foreign, damage_version])
def test_a_broken_record_is_set_aside_and_its_run_is_done_again(
    store: Store, make_config: Make, damage: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    config = make_config(norm="batch")
    file = store.root / "runs" / f"{run_key(config)}.parquet"
    damage(file)
    with pytest.raises(BrokenRecord):
        read(file)
    fresh = Store(store.root).refresh()
    assert run_key(config) not in fresh
    assert len(fresh) == 1
    assert "counts as not done" in capsys.readouterr().err
    assert (store.root / "set_aside" / file.name).exists()
    execute(config, fresh)
    assert run_key(config) in fresh.refresh()


def flipped(content: bytes, chance: random.Random) -> bytes:
    """``content`` with one bit turned over."""
    place = chance.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :]


def test_a_record_with_any_bit_turned_over_is_the_same_or_broken(store: Store, make_config: Make) -> None:
    file = store.root / "runs" / f"{run_key(make_config(norm='batch'))}.parquet"
    whole, content, broken = read(file), file.read_bytes(), 0
    for place in range(0, len(content), 13):
        for bit in (0, 5):
            file.write_bytes(content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :])
            try:
                assert read(file) == whole
            except BrokenRecord:
                broken += 1
    assert broken > len(content) / 13


def test_compacted_tables_with_any_bit_turned_over_are_the_same_or_told(store: Store) -> None:
    store.compact()
    whole, chance, told = Store(store.root).refresh(), random.Random(1), 0
    for name in ("runs", "history"):
        file = store.root / f"{name}.parquet"
        content = file.read_bytes()
        for _ in range(25):
            file.write_bytes(flipped(content, chance))
            try:
                found = Store(store.root).refresh()
                pd.testing.assert_frame_equal(found.runs(), whole.runs())
                for key in whole.runs()["run_key"]:
                    pd.testing.assert_frame_equal(found.history(key), whole.history(key))
            except StoreError as error:
                told += str(file) in str(error)
        file.write_bytes(content)
    assert told == 50
    (store.root / "history.parquet").unlink()
    with pytest.raises(StoreError, match="is not there"):
        Store(store.root).refresh()


def test_weights_that_are_not_those_of_the_record_are_not_read(store: Store, make_config: Make) -> None:
    key, chance = run_key(make_config(norm="batch")), random.Random(2)
    file = store.root / "weights" / f"{key}.pt"
    whole, content, refused = store.refresh().weights(key), file.read_bytes(), 0
    assert whole is not None
    for _ in range(100):
        file.write_bytes(flipped(content, chance))
        found = store.weights(key)
        refused += found is None
        assert found is None or all(torch.equal(found[name], value) for name, value in whole.items())
    assert refused > 20


def test_a_key_says_the_device_that_is_asked_for_and_not_the_one_that_is_here(make_config: Make) -> None:
    """A login node without a GPU plans the runs of nodes that have one."""
    keys = {device: run_key(make_config({"numerics.device": device})) for device in ("auto", "cpu", "cuda")}
    assert keys["cuda"] != keys["cpu"]
    assert keys["auto"] == keys["cuda" if torch.cuda.is_available() else "cpu"]


def test_a_full_disk_harms_nothing_and_is_told_with_the_path(tmp_path: Path) -> None:
    """A limit on file size makes the operating system refuse the write for real."""
    script = f"""
import resource, sys
from pathlib import Path
from normlab.core.record import Record, StoreError, write
write(Path({str(tmp_path)!r}) / "a.parquet", Record({{"run_key": "a"}}))
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    write(Path({str(tmp_path)!r}) / "b.parquet", Record({{"run_key": "b"}}, [{{"step": i}} for i in range(1000)]))
except StoreError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], text=True, capture_output=True, check=True)
    assert f"cannot write {tmp_path / 'b.parquet'}" in done.stdout
    assert [f.name for f in tmp_path.iterdir()] == ["a.parquet"]
    assert read(tmp_path / "a.parquet").facts == {"run_key": "a"}


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        write(tmp_path / "file" / "a.parquet", Record({"run_key": "a"}))


def test_what_was_measured_coarsely_is_measured_again_only_where_asked(store: Store, make_config: Make) -> None:
    coarse, fine = make_config(norm="batch"), make_config({"measure.validate_every": 0.2}, norm="batch")
    key = run_key(coarse)
    assert is_done(store, key, coarse)
    assert not is_done(store, key, fine)
    before = store.facts(key)
    execute(fine, store)
    again = Store(store.root).refresh()
    assert is_done(again, key, fine)
    assert is_done(again, key, coarse)
    assert (again.facts(key) or {})["weights_sha256"] == (before or {})["weights_sha256"]
    assert MeasureConfig(validate_every=0.1).covers(MeasureConfig(validate_every=0.5))
    assert not MeasureConfig(validate_every=0.4).covers(MeasureConfig(validate_every=0.5))
    assert MeasureConfig().covers(MeasureConfig(final="validation"))
    assert not MeasureConfig(final="validation").covers(MeasureConfig())
    assert MeasureConfig(final="validation").joined(MeasureConfig()).final == "all"


def put(store: Store, key: str, history: list[dict[str, float]], **facts: object) -> None:
    base = {"run_key": key, "status": "ok", "chance": 0.1, "steps": 40, "steps_per_epoch": 10}
    base["measured"] = MeasureConfig().model_dump_json()
    store.put(Record(base | facts, history))
    store.refresh()


def test_measures_read_off_a_history(tmp_path: Path) -> None:
    store = Store(tmp_path)
    accuracies = [0.2, 0.5, 0.55, 0.8]
    history = [
        {
            "step": 10 * (i + 1),
            "epoch": i + 1.0,
            "train_loss": 2.0 - i / 2,
            "validation_accuracy": a,
            "probe_loss": None,
        }
        for i, a in enumerate(accuracies)
    ]
    put(store, "ok", history, test_accuracy=0.7, test_accuracy_batch=0.9, **{"test_accuracy_decay_0.9": 0.8})
    assert of_one_run("validation_accuracy@2").read(store, "ok") == (0.5, False, 0.0)
    assert of_one_run("epochs_to@0.5").read(store, "ok") == (2.0, False, 1.0)
    assert of_one_run("steps_to@0.6").read(store, "ok") == (40.0, False, 10.0)
    assert of_one_run("epochs_to@0.95").read(store, "ok") == (4.0, True, 1.0)
    assert of_one_run("lowest_train_loss").read(store, "ok") == (0.5, False, 0.0)
    gap = of_one_run("test_gap_decay_0.9").read(store, "ok")
    assert gap is not None
    assert gap.number == pytest.approx(0.1)
    assert of_one_run("seconds_to@0.5").read(store, "ok") is None
    store.put_evaluation("ok", "step_seconds", {"best_layout": 0.5})
    assert of_one_run("seconds_to@0.5").read(store.refresh(), "ok") == (10.0, False, 5.0)
    assert of_one_run("test_accuracy").read(store, "absent") is None
    put(store, "broken", history[:1], status="diverged")
    assert of_one_run("test_accuracy").read(store, "broken") == (0.1, False, 0.0)
    assert of_one_run("validation_accuracy@4").read(store, "broken") == (0.1, False, 0.0)
    assert of_one_run("epochs_to@0.5").read(store, "broken") == (4.0, True, 1.0)


def test_the_mean_over_a_course_is_that_after_each_tenth_however_often_it_was_looked_at(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def look(epoch: float, accuracy: float) -> dict[str, float]:
        return {"step": round(10 * epoch), "epoch": epoch, "train_loss": 1.0, "validation_accuracy": accuracy}

    tenths = [k / 10 for k in range(1, 11)]
    put(store, "tenths", [look(5 * t, t**2) for t in tenths])
    put(store, "denser", [look(5 * t / 3, 0.5) for k in range(1, 31) for t in (k / 10,)])
    put(store, "line", [look(0.5, 0.1), look(2.0, 0.4), look(5.0, 1.0)])  # straight between any looks
    put(store, "late", [look(2.5, 0.5), look(5.0, 1.0)])
    found = {
        key: of_one_run("mean_validation_accuracy").read(store, key) for key in ("tenths", "denser", "line", "late")
    }
    assert found.pop("late") is None
    numbers = {key: value.number for key, value in found.items() if value}
    assert numbers == pytest.approx({"tenths": sum(t**2 for t in tenths) / 10, "denser": 0.5, "line": sum(tenths) / 10})


def test_accuracy_and_gap_at_a_loss_are_read_between_two_looks(tmp_path: Path) -> None:
    store = Store(tmp_path)
    looks = [(2.0, 0.3, 0.3), (1.0, 0.7, 0.6), (0.5, 0.9, 0.7), (0.6, 0.8, 0.8)]
    history = [
        {"step": 10 * (i + 1), "epoch": i + 1.0, "train_loss": 1.0, "train_set_loss": loss, "train_set_accuracy": train,
         "validation_accuracy_recalibrated": validation, "validation_accuracy": 0.1}
        for i, (loss, train, validation) in enumerate(looks)
    ]  # fmt: skip
    put(store, "ok", history)
    for loss, accuracy, gap in ((1.0, 0.6, 0.1), (0.75, 0.65, 0.15), (0.5, 0.7, 0.2)):
        for name, expected in (("accuracy_at_loss", accuracy), ("accuracy_gap", gap)):
            found = of_one_run(f"{name}@{loss}").read(store, "ok")
            assert found is not None
            assert found.number == pytest.approx(expected)
    put(store, "broken", history, status="diverged")
    for name in ("accuracy_at_loss", "accuracy_gap"):
        assert of_one_run(f"{name}@0.1").read(store, "ok") is None
        assert of_one_run(f"{name}@1.0").read(store, "broken") is None


def test_a_generator_collapses_where_it_holds_less_than_a_tenth(tmp_path: Path) -> None:
    store = Store(tmp_path)
    history = [{"step": i, "epoch": 1.0, "train_loss": loss} for i, loss in enumerate((9.0, 9.0, 1.0, 2.0, 3.0))]
    put(store, "wide", history, test_recall=0.4)
    put(store, "narrow", history, test_recall=0.09)
    put(store, "broken", history, status="diverged")
    assert [of_one_run("collapsed").read(store, k).number for k in ("wide", "narrow", "broken")] == [0, 1, 1]
    spread = of_one_run("loss_spread").read(store, "wide")
    assert spread is not None
    assert spread.number == pytest.approx(1 / 2)  # of 1, 2, 3
    assert of_one_run("loss_spread").read(store, "broken") is None


def test_a_state_that_was_never_reached_has_no_measures(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for name, reached in (("there", 1.0), ("never", 0.0)):
        put(store, name, [], test_accuracy=0.7, reached=reached, train_loss=1.0)
    assert of_one_run("test_accuracy").read(store, "there") == (0.7, False, 0.0)
    assert of_one_run("test_accuracy").read(store, "never") is None


def test_failed_is_diverged_or_within_a_hundredth_of_chance(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, "good", [], train_loss=2.0)
    put(store, "stuck", [], train_loss=2.30)  # ln 10 = 2.3026
    put(store, "broken", [], status="diverged")
    assert [of_one_run("failed").read(store, k) for k in ("good", "stuck", "broken")] == [
        (0.0, False, 0.0),
        *[(1.0, False, 0.0)] * 2,
    ]


def test_a_net_that_says_the_mean_has_failed_and_one_that_diverged_counts_as_that(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, "good", [], train_error=0.4, test_error=0.5, chance_error=1.0)
    put(store, "stuck", [], train_error=0.995, test_error=1.01, chance_error=1.0)
    put(store, "broken", [], status="diverged", chance_error=1.0)
    for store_key, failed, error in (("good", 0.0, 0.5), ("stuck", 1.0, 1.01), ("broken", 1.0, 1.0)):
        assert of_one_run("failed").read(store, store_key) == (failed, False, 0.0)
        assert of_one_run("test_error").read(store, store_key) == (error, False, 0.0)


def test_roughness_is_how_far_steps_are_off_the_slope_inside_the_band(tmp_path: Path) -> None:
    store = Store(tmp_path)
    losses = [3.0] * 10 + [1.0, 1.2] * 20 + [0.1] * 10
    rows = [
        {"step": i + 1, "epoch": i / 10, "train_loss": v, "validation_accuracy": None, "probe_loss": v}
        for i, v in enumerate(losses)
    ]
    put(store, "rough", rows)
    value = of_one_run("roughness@0.5,2.0").read(store, "rough")
    assert value is not None
    assert value.number == pytest.approx(math.log(1.2) * 8 / 9)  # of nine changes in turn up and down one is left over
    assert of_one_run("roughness@5,6").read(store, "rough") is None


def test_measures_over_rates() -> None:
    rates, accuracies = [1.0, 0.01, 0.1, 10.0], [0.88, 0.5, 0.9, 0.1]
    stable = parse("largest_stable_rate@0.05").over(rates, accuracies)
    assert stable.number == pytest.approx(0.0)
    assert not stable.censored
    width = parse("rate_width@0.05").over(rates, accuracies)
    assert width.number == pytest.approx(1.0)
    assert not width.censored
    assert parse("largest_stable_rate@0.05").over([0.1, 1.0], [0.9, 0.9]).censored
    assert parse("rate_width@0.05").over([0.1, 1.0], [0.9, 0.9]).censored
    assert parse("largest_stable_rate_recalibrated@0.05").over(rates, accuracies) == stable
    assert str(parse("largest_stable_rate_recalibrated@0.05").each) == "validation_accuracy_recalibrated"
    assert str(parse("rate_width@0.02").each) == "validation_accuracy"


def test_the_largest_rate_at_which_training_works_is_read_off_losses() -> None:
    rates, losses = [0.1, 1.0, 10.0, 100.0], [0.5, 0.3, 0.5, 2.4]
    found = parse("largest_trained_rate@0.23").over(rates, losses)
    assert found.number == pytest.approx(math.log(10))
    assert not found.censored
    diverged = parse("largest_trained_rate@0.23")
    assert diverged.over([0.1, 1.0], [0.5, diverged.lacking]).number == pytest.approx(math.log(0.1))  # type: ignore[union-attr]
    assert str(diverged.each) == "train_loss_recalibrated"  # type: ignore[union-attr]


def test_the_length_to_a_target_is_interpolated_between_trainings_of_several_lengths() -> None:
    epochs, reading = [1.0, 2.0, 4.0, 8.0], parse("length_to@0.7")
    found = reading.over(epochs, [0.4, 0.6, 0.8, 0.75])
    assert math.exp(found.number) == pytest.approx(2 * math.sqrt(2))  # half of the way from 0.6 to 0.8, on log length
    assert reading.over(epochs, [0.72, 0.6, 0.8, 0.9]) == (0.0, True, 0.0)
    never = reading.over(epochs, [0.1, 0.2, 0.3, 0.4])
    assert (math.exp(never.number), never.censored) == (pytest.approx(8.0), True)
    assert str(reading.each) == "validation_accuracy_recalibrated"


def test_the_largest_depth_up_to_which_all_learn() -> None:
    depths, name = [32.0, 8.0, 16.0, 64.0], "largest_depth_above@0.5"
    assert parse(name).over(depths, [0.3, 0.8, 0.79, 0.8]).number == pytest.approx(math.log(16))
    whole = parse(name).over(depths, [0.78, 0.8, 0.79, 0.51])
    assert whole.number == pytest.approx(math.log(64))
    assert whole.censored
    hopeless = parse(name).over(depths, [0.6, 0.12, 0.6, 0.6])
    assert hopeless.number == pytest.approx(math.log(4))
    assert not hopeless.censored
    named = parse(name).over(["14", "6", "34", "22"], [0.7, 0.71, 0.3, 0.69])  # type: ignore[list-item]
    assert named.number == pytest.approx(math.log(22))


def test_a_compacted_store_can_be_read_only(store: Store) -> None:
    store.compact()
    assert list((store.root / "runs").iterdir()) == []
    assert len(Store(store.root).refresh().runs()) == 2


def test_a_replay_keeps_what_was_measured_before(store: Store, make_config: Make) -> None:
    probed = make_config({"measure.probe_loss": True, "measure.log_every": 1}, norm="batch")
    fine = make_config({"measure.validate_every": 0.2}, norm="batch")
    for config in (probed, fine):
        execute(config, store)
        store.refresh()
    for config in (probed, fine):
        assert is_done(store, run_key(config), config)
    assert store.history(run_key(fine))["probe_loss"].notna().all()


def test_a_missing_run_survives_compaction(store: Store, make_config: Make) -> None:
    config = make_config(norm="layer")
    store.put(missing_record(config, "out of memory", "toy", "report"))
    for _ in range(2):
        store.compact()
        store.put_evaluation("key", "empty", {})
        store = Store(store.root).refresh()
    assert (store.facts(run_key(config)) or {})["status"] == "missing"
    assert of_one_run("test_accuracy").read(store, run_key(config)) is None
    assert store.evaluation("key", "empty") is not None


@pytest.mark.parametrize("compacted", [False, True])
def test_a_forgotten_run_is_not_done_and_no_process_brings_it_back(
    store: Store, make_config: Make, compacted: bool
) -> None:
    gone, stays = make_config(norm="layer"), make_config(norm="batch")
    store.put(missing_record(gone, "out of memory", None, "report"))
    if compacted:
        store.compact()
    another = Store(store.root).refresh()
    assert another.is_missing(run_key(gone))
    assert store.forget_missing({run_key(gone), run_key(stays)}) == {run_key(gone)}
    execute(make_config(norm="group"), another)
    another.compact()
    for found in (store.refresh(), another.refresh(), Store(store.root).refresh()):
        assert found.facts(run_key(gone)) is None
        assert not is_done(found, run_key(gone), gone)
        assert is_done(found, run_key(stays), stays)
        assert len(found) == 3


def test_compactions_that_fail_again_and_again_leave_a_store_that_can_be_read(
    store: Store, make_config: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk so full that the digests still fit and the table does not."""
    store.compact()
    before = Store(store.root).refresh()
    whole = {str(key): before.facts(str(key)) or {} for key in before.runs()["run_key"]}

    def full(target: Path, content: bytes) -> None:
        if target.suffix == ".parquet":
            raise StoreError(f"cannot write {target}: No space left on device")
        write_atomically(target, content)

    execute(make_config(norm="group"), store)
    with monkeypatch.context() as patched:
        patched.setattr("normlab.runs.store.write_atomically", full)
        for _ in range(3):
            with pytest.raises(StoreError):
                Store(store.root).compact()
            found = Store(store.root).refresh()
            assert len(found) == 3
            assert {key: found.facts(key) or {} for key in whole} == whole
    Store(store.root).compact()
    assert len(Store(store.root).refresh()) == 3


def test_a_record_stays_if_a_replay_of_its_run_fails(
    store: Store, make_config: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(norm="batch")
    (store.root / "weights" / f"{run_key(config)}.pt").unlink()

    def no_memory(*_: object) -> None:
        raise MemoryError("enough is enough")

    monkeypatch.setattr("normlab.runs.execute.train", no_memory)
    with pytest.raises(NormlabError, match="enough is enough"):
        execute(make_config({"measure.probe_loss": True}, norm="batch"), store)
    with pytest.raises(NormlabError, match="enough is enough"):
        evaluate_run(config, "training_memory", store)
    assert not Store(store.root).refresh().is_missing(run_key(config))


def test_a_replay_that_gives_other_weights_is_evaluated_and_its_record_stays(
    store: Store, make_config: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on another processor: what was read off a run before does not change because more is asked of it."""
    config = make_config(norm="batch")
    key = run_key(config)
    store.put_evaluation(key, "features", {"linear": 0.5})
    facts = {**(store.facts(key) or {}), "weights_sha256": "those of another machine"}
    monkeypatch.setitem(store._facts, key, facts)
    store.put(Record(facts, store.history(key).to_dict("records")))
    assert store.weights(key) is None
    found = evaluate_run(config, "training_memory", store)
    assert found["of_other_weights"] == 1.0
    assert "which stays" in capsys.readouterr().err
    returned = execute(config, store)
    assert returned.facts == facts
    assert [row["step"] for row in returned.table] == store.history(key)["step"].tolist()
    again = Store(store.root).refresh()
    assert (again.facts(key) or {})["weights_sha256"] == "those of another machine"
    assert again.evaluation(key, "features") == {"linear": 0.5}
    assert (again.evaluation(key, "training_memory") or {})["of_other_weights"] == 1.0
    monkeypatch.setattr("normlab.runs.execute.train", None)  # the weights are kept: it is not trained a third time
    assert evaluate_run(config, "gradient_flow", again)["of_other_weights"] == 1.0


def test_a_replay_that_measures_more_and_gives_other_weights_replaces_record_and_weights(
    store: Store, make_config: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    config = make_config({"measure.probe_loss": True}, norm="batch")
    key = run_key(config)
    facts = {**(store.facts(key) or {}), "weights_sha256": "those of another machine"}
    store.put(Record(facts, store.history(key).to_dict("records")))
    execute(config, store)
    assert "is of other weights" in capsys.readouterr().err
    again = Store(store.root).refresh()
    assert again.weights(key) is not None
    assert "of_other_weights" not in evaluate_run(config, "training_memory", again)


def test_nothing_is_asked_of_a_missing_run(store: Store, make_config: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config(norm="layer")
    store.put(missing_record(config, "took too long", None, "report"))
    planned = Planned(run_key(config), config, None, "report", evaluate=("training_memory",))
    assert outstanding([planned], store) == []
    monkeypatch.setattr("normlab.runs.execute.train", None)  # not even called
    assert evaluate_run(config, "training_memory", store) == {}


def test_compaction_sweeps_up_after_killed_processes_while_nobody_is_at_work(store: Store) -> None:
    torn = store.root / "weights" / ".abc.partial"
    torn.write_bytes(b"half")
    with store.exclusive("a run"):
        store.compact()
        assert torn.exists()
    store.compact()
    assert not torn.exists()


def test_reading_leaves_no_thread_that_could_outlive_the_interpreter(tmp_path: Path) -> None:
    """Arrow's workers may let go of a file's bytes when the interpreter ends, which then aborts the process."""
    file = tmp_path / "run.parquet"
    write(file, Record({"run_key": "k"}, [{"step": i, "a": float(i), "b": 2.0 * i, "c": "x"} for i in range(5000)]))
    script = (
        "import os, sys; from pathlib import Path; from normlab.core.record import read\n"
        "threads = lambda: len(os.listdir('/proc/self/task'))\n"
        "before = threads(); rows = read(Path(sys.argv[1])).table; print(len(rows), threads() - before)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(file)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["5000", "0"]


def test_a_store_takes_in_records_that_more_was_measured_of(tmp_path: Path) -> None:
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    measured = {"less": MeasureConfig(final="validation"), "more": MeasureConfig(final="all")}
    for store, of_a, of_b in ((here, "less", "more"), (there, "more", "less")):
        for key, how in (("a", of_a), ("b", of_b)):
            facts = {
                "run_key": key,
                "status": "ok",
                "test_accuracy": float(len(how)),
                "measured": measured[how].model_dump_json(),
            }
            store.put(Record(facts | {"store": store.root.name}, []))
    assert here.refresh().take_in(there.refresh()) == 1
    again = Store(here.root).refresh()
    assert (again.facts("a") or {})["store"] == "there"
    assert (again.facts("b") or {})["store"] == "here"


@pytest.mark.parametrize("compacted", [False, True])
def test_evaluations_of_other_weights_go_with_these(
    tmp_path: Path, compacted: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    for store, final, weights in ((here, "validation", "w1"), (there, "all", "w2")):
        made = {"measured": MeasureConfig(final=final).model_dump_json(), "environment": '{"torch": "2", "cpu": "c"}'}
        for key in ("same", "other"):
            sha = weights if key == "other" else "w"
            store.put(Record({"run_key": key, "status": "ok", "weights_sha256": sha, **made}, []))
            store.put_evaluation(key, f"of {final}", {"m": 1.0})
        if compacted:
            store.compact()
    assert here.refresh().take_in(there.refresh()) == 2
    again = Store(here.root).refresh()
    assert (again.facts("other") or {})["weights_sha256"] == "w2"
    assert set(again._evaluations) == {
        ("same", "of validation"),
        ("same", "of all"),
        ("other", "of all"),
    }
    said = capsys.readouterr().err
    assert "record of run other is of other weights" in said
    assert "dropped: 1" in said
    assert "run same" not in said


def test_the_last_evaluation_that_is_dropped_is_gone_for_other_processes_too(tmp_path: Path) -> None:
    store = Store(tmp_path)
    made = {"run_key": "a", "status": "ok", "environment": '{"torch": "2", "cpu": "c"}'}
    store.put(Record({**made, "weights_sha256": "w1"}, []))
    store.put_evaluation("a", "features", {"m": 1.0})
    store.compact()
    store.put(Record({**made, "weights_sha256": "w2"}, []))
    again = Store(tmp_path).refresh()
    assert (again.facts("a") or {})["weights_sha256"] == "w2"
    assert again.evaluation("a", "features") is None


def test_a_process_that_dies_while_it_replaces_a_record_mixes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    made = {"run_key": "a", "status": "ok", "environment": '{"torch": "2", "cpu": "c"}'}
    store.put(Record({**made, "weights_sha256": "w1"}, []))
    store.put_evaluation("a", "features", {"m": 1.0})

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("normlab.runs.store.write", dies)
    with pytest.raises(KeyboardInterrupt):
        store.put(Record({**made, "weights_sha256": "w2"}, []))
    again = Store(tmp_path).refresh()
    assert (again.facts("a") or {})["weights_sha256"] == "w1"
    assert again.evaluation("a", "features") is None


def test_evaluations_are_not_taken_to_a_record_of_other_weights(tmp_path: Path) -> None:
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    for store, weights in ((here, "w1"), (there, "w2")):
        facts = {"run_key": "a", "status": "ok", "measured": MeasureConfig().model_dump_json()}
        store.put(Record(facts | {"weights_sha256": weights}, []))
    there.put_evaluation("a", "features", {"m": 1.0})
    assert here.refresh().take_in(there.refresh()) == 0
    assert here.evaluation("a", "features") is None


def test_costs_are_taken_with_all_that_was_measured_beside_them_or_not_at_all(tmp_path: Path) -> None:
    """``a`` and ``b`` are nets that never trained; their times stand side by side in each store, and compare with none of the other's."""
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    here.put_evaluation("a", "cost", {"step": 1.0})
    for key, seconds in (("a", 3.0), ("b", 4.0)):
        there.put_evaluation(key, "cost", {"step": seconds})
    assert here.refresh().take_in(there.refresh()) == 0
    again = Store(here.root).refresh()
    assert [again.evaluation(key, "cost") for key in "ab"] == [{"step": 3.0}, {"step": 4.0}]
    again.put_evaluation("a", "cost", {"step": 5.0})
    again.take_in(there)
    assert (Store(here.root).refresh().evaluation("a", "cost") or {})["step"] == 5.0
    again.refresh().forget(lambda key: key == "b")
    assert [Store(here.root).refresh().evaluation(key, "cost") is None for key in "ab"] == [False, True]


def test_what_could_not_be_done_there_takes_no_place_here(tmp_path: Path) -> None:
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    measured = {"less": MeasureConfig(final="validation"), "more": MeasureConfig(final="all")}
    for store, missing in ((here, "a"), (there, "b")):
        for key in ("a", "b"):
            status, how = ("missing", "more") if key == missing else ("ok", "less")
            store.put(Record({"run_key": key, "status": status, "measured": measured[how].model_dump_json()}, []))
    assert here.refresh().take_in(there.refresh()) == 1
    assert [Store(here.root).refresh().is_missing(key) for key in ("a", "b")] == [False, False]


def test_a_store_takes_in_what_it_lacks_and_forgets_what_nobody_asks_for(tmp_path: Path) -> None:
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    for store, keys in ((here, ("a", "b")), (there, ("b", "c"))):
        for key in keys:
            facts = {"run_key": key, "status": "ok", "test_accuracy": 0.5, "seconds": float(len(str(store.root)))}
            store.put(Record(facts, [{"step": 1, "train_loss": 0.25, "validation_accuracy": None}]))
            store.put_evaluation(key, "features", {"linear": 0.75})
    there.compact()
    mine = here.refresh().facts("b")
    assert here.take_in(there.refresh()) == 1
    again = Store(here.root).refresh()
    assert set(again.runs()["run_key"]) == {"a", "b", "c"}
    assert again.facts("b") == mine
    assert again.history("c")["train_loss"].tolist() == [0.25]
    assert again.evaluation("c", "features") == {"linear": 0.75}
    assert again.forget(lambda key: key != "c") == {"a", "b"}
    left = Store(here.root).refresh()
    assert set(left.runs()["run_key"]) == {"c"}
    assert left.evaluation("a", "features") is None
    assert left.evaluation("c", "features") == {"linear": 0.75}
