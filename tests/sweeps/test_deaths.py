"""Whatever dies over a sweep: its claims go back, and only what killed a worker pays for it."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from normlab.errors import NormlabError
from normlab.runs.lease import Leases, started_at
from normlab.runs.store import Store
from normlab.sweeps.expand import Expander
from normlab.sweeps.one_run import _right_to
from normlab.sweeps.plan import Item, outstanding, read_plan
from normlab.sweeps.sweep import Crashes, sweep
from normlab.sweeps.work import work
from tests.conftest import ROOT
from tests.sweeps.test_costs import DESIGN

Call = Callable[..., subprocess.CompletedProcess[str]]
TRAINED = DESIGN.model_copy(update={"grids": {"nets": DESIGN.grids["nets"].model_copy(update={"costs": None})}})
TINY = [
    "data.train_size=100", "data.validation_size=50", "data.test_size=50", "data.batch_size=20", "net.widths=[8]",
    "net.hidden=16", "training.epochs=1",
]  # fmt: skip


@pytest.mark.parametrize("content", [b"", b"{", json.dumps({"machine": "another", "pid": 1, "started": "1"}).encode()])
def test_claims_of_another_machine_that_shows_no_life_go_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    """Also empty and torn ones, as a machine leaves them that loses its power."""
    monkeypatch.setattr("normlab.sweeps.sweep.WAIT_SECONDS", 0.1)
    store = Store(tmp_path / "quick")
    store._leases.patience = 0.5
    expander = Expander(TRAINED, "quick", store)
    items = outstanding(expander.expand().planned, store)
    (store.root / "leases").mkdir(parents=True)
    for item in items[:2]:
        (store.root / "leases" / f"{item.run_key}.lease").write_bytes(content)
    sweep("toy", expander.expand, work, store, {"name": "none"})
    assert {item.run_key for item in items} <= set(Store(store.root).refresh().runs()["run_key"])


def foreign_claim(store: Store, run_key: str) -> None:
    """A claim as a machine leaves it that is gone."""
    (store.root / "leases").mkdir(parents=True, exist_ok=True)
    content = json.dumps({"machine": "another", "pid": 1, "started": "1"})
    (store.root / "leases" / f"{run_key}.lease").write_text(content)


def test_a_run_that_kills_workers_of_other_machines_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the sweep cannot see processes die, it waits until they showed no life for long enough."""
    for name, seconds in (("PATIENCE_SECONDS", 1.0), ("BEAT_SECONDS", 0.1), ("WAIT_SECONDS", 0.1)):
        monkeypatch.setattr(f"normlab.sweeps.sweep.{name}", seconds)
    store = Store(tmp_path / "quick")
    store._leases.patience = 0.5
    expander = Expander(TRAINED, "quick", store)
    killing = outstanding(expander.expand().planned, store)[0].run_key

    def launch(plan: Path) -> None:
        if killing in {item.run_key for item in read_plan(plan)[0]}:
            foreign_claim(store, killing)
            raise RuntimeError("job 1 was killed")
        work(plan)

    sweep("toy", expander.expand, launch, store, {"name": "none"})
    facts = Store(store.root).refresh().facts(killing) or {}
    assert (facts["status"], facts["reason"]) == ("missing", "killed its process 2 times")
    assert "1 runs were in flight" in capsys.readouterr().err


def test_a_sweep_does_what_another_one_had_and_did_not_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("normlab.sweeps.sweep.WAIT_SECONDS", 0.1)
    store, other = Store(tmp_path / "quick"), Store(tmp_path / "quick")
    expander = Expander(TRAINED, "quick", store)
    held = [other.lease(item.run_key) for item in outstanding(expander.expand().planned, store)]
    launched = []

    def launch(plan: Path) -> None:
        launched.append(plan)
        work(plan)
        if len(launched) == 1:  # and the other one gives up meanwhile
            threading.Timer(1.0, lambda: [claim.release() for claim in held if claim]).start()

    sweep("toy", expander.expand, launch, store, {"name": "none"})
    assert not outstanding(expander.expand().planned, Store(store.root).refresh())


def test_a_single_run_takes_over_from_a_machine_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("normlab.sweeps.one_run.PATIENCE_SECONDS", 2.0)
    store = Store(tmp_path / "quick")
    store._leases.patience = 0.5
    foreign_claim(store, "abc")
    with (
        _right_to(store, "abc", Console(quiet=True)),
        pytest.raises(NormlabError, match="another process is at run abc"),
    ):
        _right_to(Store(tmp_path / "quick"), "abc", Console(quiet=True))


def test_a_dead_process_that_nobody_reaped_is_dead(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        Leases(tmp_path).take("a")
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # dead, and left a zombie
    try:
        assert started_at(pid) is None
        assert Leases(tmp_path).take("a") is not None
    finally:
        os.waitpid(pid, 0)


def item(name: str) -> Item:
    return Item(name, None, None, "report", (), 1.0)  # type: ignore[arg-type]


def test_only_a_run_that_is_alone_when_its_worker_dies_has_killed_it() -> None:
    crashes, a, b, c = Crashes(), item("a"), item("b"), item("c")
    assert crashes.suspects_of([a, b, c]) == []
    assert crashes.died([a, b, c], [a, b]) is None
    assert crashes.suspects_of([a, b, c]) == [a]
    assert crashes.died([a], [a]) is None  # once may be chance
    assert crashes.died([a], [a]) is a
    assert crashes.suspects_of([b, c]) == [b]
    assert crashes.suspects_of([c]) == []


KILLS = """
import os, signal
from torch import nn
class Kills(nn.Identity):
    def __init__(self, num_features): super().__init__()
    def forward(self, x): os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_a_run_that_kills_its_worker_is_given_up_and_its_neighbours_are_done(call: Call, tmp_path: Path) -> None:
    (tmp_path / "killing.py").write_text(KILLS)
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "DATA_DIR": str(tmp_path / "data")}
    done = call(
        "train.py", "-m", "norm=custom", "norm.target=killing.Kills,torch.nn.BatchNorm2d", "net.hidden=null", "seed=0,1",
        *TINY[:5], "training.epochs=5", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    runs = Store(tmp_path / "results" / "quick").refresh().runs()
    assert sorted(runs["status"]) in (["missing"] * 2 + ["diverged"] * 2, ["missing"] * 2 + ["ok"] * 2)
    assert set(runs["reason"].dropna()) == {"killed its process 2 times"}
    assert set(runs[runs["status"] == "missing"]["seed"]) == {0, 1}


def test_records_of_one_run_asked_for_by_two_experiments_keep_what_both_measured(tmp_path: Path) -> None:
    """A worker without the store replaces a record; the plan therefore asks for everything again."""
    store = Store(tmp_path / "quick")
    expander = Expander(TRAINED, "quick", store)
    sweep("toy", expander.expand, work, store, {"name": "none"})
    plan = expander.expand().planned[0]
    finer = plan.config.measure.model_copy(update={"probe_loss": True})
    asked = plan.config.model_copy(update={"measure": finer})
    (again,) = outstanding([replace(plan, config=asked, experiment="another")], store.refresh())
    assert again.experiment == "toy"
    assert again.config.measure.probe_loss
    assert again.config.measure.covers(plan.config.measure)


COUNTS = """
import os
from torch import nn
class Counts(nn.BatchNorm2d):
    def __init__(self, num_features):
        super().__init__(num_features)
        with open(os.environ["COUNTED"], "a") as file: file.write("built\\n")
"""


@pytest.mark.slow
def test_two_sweeps_at_once_do_no_run_twice(tmp_path: Path) -> None:
    (tmp_path / "counting.py").write_text(COUNTS)
    arguments = ["-m", "norm=custom", "norm.target=counting.Counts", "net.hidden=null", "seed=0,1,2,3,4,5", *TINY[:5]]
    built = {}
    for together in (1, 2):
        folder, counted = tmp_path / f"{together}", tmp_path / f"counted {together}"
        folder.mkdir()
        environment = os.environ | {"PYTHONPATH": str(tmp_path), "COUNTED": str(counted), "DATA_DIR": str(folder)}
        command = [sys.executable, str(ROOT / "scripts" / "train.py"), *arguments, "training.epochs=20"]
        sweeps = [
            subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL) for _ in range(together)
        ]
        assert [sweep.wait(timeout=300) for sweep in sweeps] == [0] * together
        assert len(Store(folder / "results" / "quick").refresh()) == 6
        built[together] = len(counted.read_text().splitlines())
    assert built[2] == built[1]


@pytest.mark.parametrize(("launcher", "module"), [("ray", "ray"), ("submitit_slurm", "submitit")])
def test_a_launcher_whose_package_is_missing_says_so_in_one_line(
    call: Call, tmp_path: Path, launcher: str, module: str
) -> None:
    (tmp_path / f"{module}.py").write_text(f"raise ModuleNotFoundError('No module named {module}', name='{module}')")
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "DATA_DIR": str(tmp_path / "data")}
    done = call("train.py", "-m", "seed=0", *TINY, f"hydra/launcher={launcher}", env=environment)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("sweep, part 1")]
    assert line.startswith("error: ")
    assert "pip install" in line
