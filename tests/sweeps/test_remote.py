"""Chunks of a plan that are done apart from the store."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from normlab.config import RunConfig
from normlab.runs.execute import execute
from normlab.runs.key import run_key
from normlab.runs.store import Store
from normlab.sweeps.plan import Item, write_plan
from normlab.sweeps.remote import MOST, PIECES, chunk_content, chunks, do_apart, take_in
from normlab.sweeps.work import failures

COLUMNS = ["run_key", "status", "test_accuracy", "train_loss", "weights_sha256"]


def item(config: RunConfig, cost: float = 1.0, evaluate: tuple[str, ...] = ()) -> Item:
    return Item(run_key(config), config, None, "report", evaluate, cost)


def test_chunks_cost_about_the_same_and_lose_nothing(make_config: Callable[..., RunConfig]) -> None:
    config = make_config()
    items = [item(config, cost) for cost in (40.0, 20.0, *[1.0] * 200)]
    found = chunks(items, workers=2)
    assert [i for chunk in found for i in chunk] == items
    wanted = sum(i.cost for i in items) / (2 * PIECES)
    assert all(len(chunk) == 1 or sum(i.cost for i in chunk) <= wanted for chunk in found)
    assert [len(chunk) for chunk in found[:2]] == [1, 1]
    assert max(len(chunk) for chunk in chunks([item(config, 1.0)] * 1000, 1)) <= MOST
    assert chunks([], 4) == []


def do_away(items: list[Item], store: Store) -> Path:
    """Do the items away from the store and take in what comes back; the plan's file."""
    plan = write_plan(store, items, {"name": "none"})
    for files in do_apart(chunk_content(items, {"name": "none"}, None)):
        take_in(plan, files, items, store)
    return plan


DRAWS = """
import torch
from torch import nn
class Draws(nn.BatchNorm2d):
    def forward(self, x): return super().forward(x) + 0.1 * torch.randn(())  # from the generator that all share
"""
ALONE = """
import json, sys
from pathlib import Path
from normlab.config import RunConfig
from normlab.runs.execute import execute
from normlab.runs.store import Store
execute(RunConfig.parse(json.loads(sys.argv[1])), Store(Path(sys.argv[2])))
"""


@pytest.mark.slow
def test_runs_of_one_warm_process_are_those_of_fresh_ones(
    make_config: Callable[..., RunConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit: nothing of one run reaches another, not even through PyTorch's own generator."""
    (tmp_path / "drawing.py").write_text(DRAWS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    custom = {"norm": "custom", "norm.target": "drawing.Draws", "net.hidden": None}
    configs = [make_config(norm="cross_iteration"), make_config(custom), make_config(custom, seed=1)]
    items = [item(config) for config in configs]
    warm, fresh = Store(tmp_path / "warm"), Store(tmp_path / "fresh")
    do_away(items, warm)
    for config in configs:
        content = json.dumps(config.model_dump(mode="json", exclude_none=True))
        subprocess.run([sys.executable, "-c", ALONE, content, str(fresh.root)], check=True, timeout=120)
    pd.testing.assert_frame_equal(warm.refresh().runs()[COLUMNS], fresh.refresh().runs()[COLUMNS])


def test_what_comes_back_is_what_a_worker_would_have_written(
    make_config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    configs = [make_config(norm=norm, seed=seed) for norm in ("batch", "cross_iteration", "none") for seed in (0, 1)]
    items = [item(config, evaluate=("training_memory",)) for config in configs]
    there = Store(tmp_path / "there")
    do_away(items, there)
    here = Store(tmp_path / "here")
    for config in configs:
        execute(config, here)
    pd.testing.assert_frame_equal(there.refresh().runs()[COLUMNS], here.refresh().runs()[COLUMNS])
    assert all(there.evaluation(i.run_key, "training_memory") for i in items)
    assert all(there.weights(i.run_key) for i in items)


def test_a_failing_run_is_told_where_the_plan_is(
    make_config: Callable[..., RunConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad_norms.py").write_text(
        "from torch import nn\nclass Bad(nn.Identity):\n    def __init__(self, num_features): super().__init__()\n"
        "    def forward(self, x): raise RuntimeError('this norm is broken')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    items = [item(make_config(**{"norm": "custom", "norm.target": "bad_norms.Bad"})), item(make_config())]
    store = Store(tmp_path / "store")
    plan = do_away(items, store)
    assert failures(plan) == {
        items[0].run_key: "norm.target=bad_norms.Bad: RuntimeError: this norm is broken (bad_norms.py, line 4)"
    }
    assert list(store.refresh().runs()["run_key"]) == [items[1].run_key]


def test_runs_come_back_one_by_one_as_they_are_done(make_config: Callable[..., RunConfig]) -> None:
    items = [item(make_config(seed=seed), evaluate=("training_memory",)) for seed in (0, 1)]
    for expected, files in zip(items, do_apart(chunk_content(items, {"name": "none"}, None)), strict=True):
        key = expected.run_key
        assert set(files) == {
            f"runs/{key}.parquet", f"weights/{key}.pt", f"evaluations/{key}-training_memory.parquet"
        }  # fmt: skip


def test_a_record_stays_if_its_run_is_given_up_over_what_is_asked_besides(
    make_config: Callable[..., RunConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, config = Store(tmp_path / "store"), make_config()
    execute(config, store)

    def no_memory(*_: object) -> None:
        raise MemoryError("enough is enough")

    monkeypatch.setattr("normlab.runs.execute.train", no_memory)
    plan = do_away([item(config, evaluate=("training_memory",))], store.refresh())
    assert (store.refresh().facts(run_key(config)) or {})["status"] != "missing"
    assert "enough is enough" in failures(plan)[run_key(config)]
