"""Real sweeps through Hydra: only what is missing, through kill -9 and Ctrl-C, with failures told at the end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from normlab.runs.store import Store

ROOT = Path(__file__).resolve().parents[2]
TINY = [
    "data.train_size=100",
    "data.validation_size=50",
    "data.test_size=50",
    "data.batch_size=20",
    "net.widths=[8]",
    "net.hidden=16",
]
Call = Callable[..., subprocess.CompletedProcess[str]]
RESULT = ["run_key", "norm", "seed", "status", "test_accuracy", "train_loss", "weights_sha256"]


def table(folder: Path) -> pd.DataFrame:
    return Store(folder / "results" / "quick").refresh().runs()[RESULT]


def test_a_command_line_sweep_runs_what_is_missing_and_nothing_twice(call: Call, tmp_path: Path) -> None:
    first = call("train.py", "-m", "norm=batch,group,none", "seed=0,1", "training.epochs=1", *TINY)
    assert first.returncode == 0, first.stderr
    assert "6/6 runs" in first.stderr
    runs = table(tmp_path)
    assert sorted(zip(runs["norm"], runs["seed"], strict=True)) == [
        (n, s) for n in ("batch", "group", "none") for s in (0, 1)
    ]
    again = call("train.py", "-m", "norm=batch,group,none", "seed=0,1", "training.epochs=1", *TINY)
    assert again.returncode == 0
    assert "runs," not in again.stderr
    more = call("train.py", "-m", "norm=batch,layer", "seed=0", "training.epochs=1", *TINY)
    assert "1/1 runs" in more.stderr
    pd.testing.assert_frame_equal(table(tmp_path).merge(runs), runs)


def test_local_processes_give_the_same_runs_as_one(call: Call, tmp_path: Path) -> None:
    arguments = ["-m", "norm=batch,none", "seed=0,1", "training.epochs=1", *TINY]
    assert call("train.py", *arguments, "results=one/results").returncode == 0
    done = call("train.py", *arguments, "results=two/results", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    assert done.returncode == 0, done.stderr
    pd.testing.assert_frame_equal(table(tmp_path / "one"), table(tmp_path / "two"))


def test_a_sweep_runs_wherever_it_is_called(tmp_path: Path) -> None:
    """Whatever characters are in the folder's name."""
    folder = tmp_path / "it's (1) = [ü], {no: 名}"
    folder.mkdir()
    process = start(folder, "-m", "seed=0,1", *TINY, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert len(table(folder)) == 2


def test_evaluations_are_asked_of_runs_new_and_old(call: Call, tmp_path: Path) -> None:
    run = ["norm=batch", "seed=0", "training.epochs=1", *TINY]
    assert call("train.py", *run).returncode == 0
    one = call("train.py", *run, "evaluation=training_memory")
    assert "is done already" in one.stdout
    assert "saved_bytes" in one.stdout
    many = call("train.py", "-m", "norm=batch,none", *run[1:], "evaluation=[corruptions,training_memory]")
    assert many.returncode == 0, many.stderr
    store = Store(tmp_path / "results" / "quick").refresh()
    for key in store.runs()["run_key"]:
        assert (store.evaluation(key, "corruptions") or {}).keys() >= {"accuracy_clean", "accuracy", "accuracy_style"}
        assert store.evaluation(key, "training_memory")


def test_a_failing_run_is_told_at_the_end_and_stops_no_other(call: Call, tmp_path: Path) -> None:
    (tmp_path / "my_norms.py").write_text(
        "from torch import nn\nclass Bad(nn.Identity):\n    def __init__(self, num_features): super().__init__()\n"
        "    def forward(self, x): raise RuntimeError('this norm is broken')\n"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = call(
        "train.py",
        "-m",
        "norm=custom",
        "norm.target=my_norms.Bad,torch.nn.Identity",
        "training.epochs=1",
        *TINY,
        env=environment,
    )
    assert done.returncode == 2
    assert "this norm is broken" in done.stderr
    assert "1 runs failed" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(table(tmp_path)) == 1


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "train.py"), *arguments],
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_DFL
        ),  # tests may run in the background, where it is ignored
    )


def wait_for_runs(folder: Path, count: int) -> None:
    until = time.monotonic() + 120
    while len(list((folder / "results" / "quick" / "runs").glob("*.parquet"))) < count:
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.parametrize("stop", [pytest.param(signal.SIGKILL, marks=pytest.mark.slow), signal.SIGINT])
def test_a_stopped_sweep_loses_at_most_the_runs_in_flight(tmp_path: Path, stop: signal.Signals) -> None:
    arguments = ["-m", "norm=batch,none", "seed=0,1,2", "training.epochs=40", *TINY]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        folder.mkdir()
    undisturbed = start(whole, *arguments)
    undisturbed.communicate(timeout=300)
    assert undisturbed.returncode == 0
    process = start(broken, *arguments)
    wait_for_runs(broken, 2)
    os.killpg(process.pid, stop)
    _, errors = process.communicate(timeout=60)
    if stop == signal.SIGINT:
        assert process.returncode == 130, errors
        assert "the same command continues" in errors
        assert "Traceback" not in errors
    kept = table(broken)
    assert len(kept) >= 2
    second = start(broken, *arguments)
    second.communicate(timeout=300)
    assert second.returncode == 0
    pd.testing.assert_frame_equal(table(broken), table(whole))
    pd.testing.assert_frame_equal(kept.merge(table(broken)), kept)


def test_a_killed_worker_costs_its_run_and_the_sweep_goes_on(tmp_path: Path) -> None:
    process = start(
        tmp_path,
        "-m",
        "norm=batch,none",
        "seed=0,1,2,3",
        "training.epochs=20",
        *TINY,
        "hydra/launcher=joblib",
        "hydra.launcher.n_jobs=2",
    )
    wait_for_runs(tmp_path, 1)
    children = subprocess.run(
        ["pgrep", "-P", str(process.pid), "-f", "popen_loky"], capture_output=True, text=True, check=False
    )
    workers = [int(pid) for pid in children.stdout.split()]
    assert workers
    os.kill(workers[-1], signal.SIGKILL)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    runs = table(tmp_path)
    assert len(runs) == 8
    assert set(runs["status"]) <= {"ok", "diverged"}


HANGS = """
import os, signal, time
from torch import nn
class {name}(nn.Identity):
    def __init__(self, num_features): super().__init__()
    def forward(self, x):
        {deafness}
        time.sleep(600 if "HANG" in os.environ else 0)
        return x
"""


@pytest.mark.parametrize(("launcher", "deaf"), [pytest.param("basic", False, marks=pytest.mark.slow), ("joblib", True)])
def test_a_run_that_hangs_is_stopped_and_recorded(call: Call, tmp_path: Path, deaf: bool, launcher: str) -> None:
    """Also where it hears no signal: then its process is ended, and the others' runs are done by new ones."""
    deafness = "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])" if deaf else "pass"
    (tmp_path / "hanging.py").write_text(HANGS.format(name="Hangs", deafness=deafness))
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "DATA_DIR": str(tmp_path / "data"), "HANG": "1"}
    arguments = ["-m", "norm=custom", "norm.target=hanging.Hangs", "seed=0", "training.epochs=1", *TINY]
    joblib = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"] if launcher == "joblib" else []
    done = call("train.py", *arguments, "sweep.time_limit=3", *joblib, env=environment)
    assert done.returncode == 0, done.stderr
    record = Store(tmp_path / "results" / "quick").refresh().runs().iloc[0]
    assert record["status"] == "missing"
    assert "took longer than 3 s" in record["reason"]
    assert call("train.py", *arguments, *joblib, env=environment).returncode == 0
    del environment["HANG"]
    again = call("train.py", *arguments, *joblib, "sweep.retry_missing=true", env=environment)
    assert "1 missing runs are tried again" in again.stderr
    assert Store(tmp_path / "results" / "quick").refresh().runs()["status"].iloc[0] in ("ok", "diverged")
