"""The bench: ratios are taken round by round, bars are told, processes take turns, and the page shows what was measured."""

import os
import time
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pandas as pd
import pytest
import torch

from normlab.bench import SECTIONS, section
from normlab.bench.crew import Crew, Turns, take_turns
from normlab.bench.norms import LAYOUTS, contestants
from normlab.bench.page import build_page, number
from normlab.bench.rows import Row, amount, ratio, write_rows
from normlab.bench.script_peer import plain_net
from normlab.bench.start import CHANGED, change_a_run
from normlab.config import NetConfig, NormConfig
from normlab.core.record import Record
from normlab.errors import NormlabError
from normlab.nets import make_net
from normlab.runs.store import Store


def test_a_ratio_is_the_median_of_rounds_so_that_a_slow_round_cancels() -> None:
    row = ratio(Row("loop", "s", "loop", "floor"), [90, 45, 91], [100, 50, 100])
    assert (row.value, row.low, row.high, row.n) == (0.9, 0.9, 0.91, 3)
    assert row.absolute == "90 samples/s"


@pytest.mark.parametrize(
    ("value", "bar", "better", "met"),
    [(2.0, 1.7, "higher", True), (1.6, 1.7, "higher", False), (4.0, 5.0, "lower", True), (6.0, 5.0, "lower", False)],
)
def test_bars(value: float, bar: float, better: Any, met: bool) -> None:
    assert amount(Row("start", "s", "x", bar=bar, better=better), [value], "s").met is met
    assert Row("start", "s", "x", bar=bar).met is None  # not run
    assert amount(Row("start", "s", "x"), [value], "s").met is None  # no bar


def members(scale: float) -> Turns:
    return {"pid": lambda: float(os.getpid()), "rate": lambda: scale, "fail": lambda: 1 / 0}


def broken() -> Turns:
    raise NormlabError("nothing to measure")


def test_a_crew_takes_turns_in_processes_of_its_own_and_sums_their_rates() -> None:
    with Crew(members, 1.5, processes=2) as crew:
        assert crew.turn("rate") == 3.0
        pids = crew.turn("pid")
        assert pids not in (0.0, 2.0 * os.getpid())
        assert take_turns({"a": (crew, "rate"), "b": (crew, "pid")}, 3) == {"a": [3.0] * 3, "b": [pids] * 3}
        with pytest.raises(NormlabError, match="ZeroDivisionError"):
            crew.turn("fail")
    with pytest.raises(NormlabError, match="nothing to measure"):
        Crew(broken)


def test_a_crew_that_is_closed_leaves_no_process() -> None:
    crew = Crew(members, 1.0)
    process = crew._members[0][0]
    crew.close()
    deadline = time.monotonic() + 10
    while process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not process.is_alive()


def test_the_peers_net_is_the_suites_net() -> None:
    config = NetConfig(name="cnn", widths=(8, 16), hidden=12)
    ours = make_net(config, NormConfig(name="batch"), (3, 16, 16), 10, 0)
    theirs = plain_net(3, (8, 16), 12, 10)
    for a, b in zip(theirs.parameters(), ours.parameters(), strict=True):
        a.data.copy_(b.data)
    x = torch.randn(5, 3, 16, 16)
    torch.testing.assert_close(theirs(x), ours(x))


def test_what_was_tried_for_slow_norms_is_the_same_function() -> None:
    shape = (4, 16, 6, 5)
    x = torch.randn(shape).contiguous(memory_format=torch.channels_last)
    found = contestants(shape, LAYOUTS[1])
    for name, norm in found.items():
        title = name.split(":")[0]
        if ":" in name:
            torch.testing.assert_close(norm(x), found[title](x), msg=name)


def test_the_page_shows_every_section_measured_or_not(tmp_path: Path) -> None:
    rows = [
        ratio(Row("loop", "MNIST", "loop", "floor", bar=0.9), [95.0, 96.0], [100.0, 100.0]),
        ratio(Row("loop", "CIFAR-10", "loop", "floor", bar=0.99), [95.0, 96.0], [100.0, 100.0]),
        Row("loop", "MNIST", "on a GPU", "floor", note="not run: no CUDA device"),
    ]
    file = write_rows(tmp_path, "loop", rows)
    table = pd.read_csv(file)
    assert list(table["met"].map(str)) == ["True", "False", "nan"]
    assert table["cpu"].notna().all()
    page = build_page(tmp_path, SECTIONS).read_text()
    assert "not run: no CUDA device" in page
    assert "≥ 0.900, met" in page
    assert "≥ 0.990, not met" in page
    assert page.count("Not measured yet") == len(SECTIONS) - 1
    assert (tmp_path / "bench-loop.png").exists()


def test_numbers_have_three_digits() -> None:
    assert [number(v) for v in (0.01234, 0.5, 1.234, 12.34, 1234.5, 0.0)] == [
        "0.0123", "0.500", "1.23", "12.3", "1,234", "0.00",
    ]  # fmt: skip


@pytest.mark.skipif(torch.cuda.is_available(), reason="measures there")
def test_without_a_gpu_its_section_says_not_run(call: Any) -> None:
    rows = list(section("gpu")())
    assert all(row.value is None and row.note.startswith("not run") for row in rows)
    done: CompletedProcess[str] = call("bench.py", "gpu")
    assert done.returncode == 0
    assert done.stdout.count("not run: no CUDA device") == len(rows)
    done = call("bench.py", "--device", "cuda")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_an_unknown_section_is_refused_in_one_line(call: Any) -> None:
    done: CompletedProcess[str] = call("bench.py", "flor")
    assert done.returncode == 2
    assert done.stderr.startswith("error: unknown section 'flor'; there are floor, loop")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["norms", "loop"])
def test_a_section_measures(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"normlab.bench.{name}.ROUNDS", 1)
    for row in section(name)():
        assert row.value is not None
        assert row.low is not None
        assert 0 < row.low <= row.value


def test_a_changed_run_has_another_accuracy_and_the_same_course(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for key, role in (("a" * 20, "tune"), ("b" * 20, "report")):
        facts = {"run_key": key, "experiment": CHANGED, "role": role, "status": "ok", "test_accuracy": 0.9}
        store.put(Record(facts, [{"step": 1, "train_loss": 2.0}]))
    store.compact()
    change_a_run(tmp_path, 0.01)
    store.refresh()
    assert [store.facts(key)["test_accuracy"] for key in store] == [0.9, pytest.approx(0.89)]
    assert store.history("b" * 20)["train_loss"].tolist() == [2.0]
