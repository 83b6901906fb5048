"""Faults, each injected for real: killed processes, full and read-only disks, memory that is not there, hostile files.

The short forms belong to `make test`, the long ones to `make test-faults`.
"""

import io
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from normlab.config import RunConfig
from normlab.runs.evaluations import evaluate_run
from normlab.runs.execute import execute
from normlab.runs.key import run_key
from normlab.runs.store import Store

ROOT = Path(__file__).resolve().parents[2]
TRAIN = str(ROOT / "scripts" / "train.py")
SWEEP = [
    "-m", "norm=batch,group,none", "seed=0,1,2", "training.epochs=20", "data.train_size=200", "data.validation_size=50",
    "data.test_size=50", "data.batch_size=20", "net.widths=[8]", "net.hidden=16",
]  # fmt: skip
LOCAL = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
COLUMNS = ["run_key", "norm", "seed", "status", "test_accuracy", "train_loss", "weights_sha256"]
Call = Callable[..., subprocess.CompletedProcess[str]]


def table(folder: Path) -> pd.DataFrame:
    return Store(folder / "results" / "quick").refresh().runs()[COLUMNS]


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, TRAIN, *SWEEP, *arguments],
        cwd=folder,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env=os.environ | {"DATA_DIR": str(folder / "data")},
    )


def finish(process: subprocess.Popen[str]) -> None:
    """Wait for a sweep that must succeed."""
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    found = subprocess.run(
        ["pgrep", "-P", str(process.pid), "-f", "popen_loky"], capture_output=True, text=True, check=False
    )
    return [int(pid) for pid in found.stdout.split()]


@pytest.mark.parametrize(
    "rounds", [pytest.param(3, marks=pytest.mark.slow), pytest.param(50, marks=pytest.mark.faults)]
)
def test_kill_9_at_random_moments_loses_and_tears_nothing(tmp_path: Path, rounds: int) -> None:
    """A worker, the sweeper, or both die; the next call goes on; the end is that of a sweep that nobody disturbed."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    finish(start(whole))
    wanted = table(whole)
    chance = random.Random(rounds)
    before, hits = 0, 0
    for _ in range(rounds):
        sweep = start(broken, *LOCAL)
        time.sleep(chance.uniform(3.0, 9.0))
        victim = chance.choice(["worker", "sweeper", "both"])
        if victim != "sweeper":
            for pid in workers_of(sweep)[:1]:
                os.kill(pid, signal.SIGKILL)
                hits += 1
        if victim == "worker":
            time.sleep(chance.uniform(0.0, 3.0))
        if sweep.poll() is None:
            hits += 1
            os.killpg(sweep.pid, signal.SIGKILL) if victim == "both" else os.kill(sweep.pid, signal.SIGKILL)
        assert sweep.stderr is not None
        sweep.stderr.close()  # and not read to its end: workers that are left idle keep it open for some minutes
        sweep.wait()
        found = len(list((broken / "results" / "quick").glob("runs*/*.parquet"))) if broken.exists() else 0
        compacted = broken / "results" / "quick" / "runs.parquet"
        kept = table(broken) if found or compacted.exists() else pd.DataFrame()
        assert len(kept) >= before, "a record was lost"
        before = len(kept)
        if before:
            pd.testing.assert_frame_equal(kept.merge(wanted), kept)
        assert not (broken / "results" / "quick" / "set_aside").exists(), "a record was torn"
        if before == 9:
            shutil.rmtree(broken)  # all done: begin again
            before = 0
    assert hits >= rounds // 2, "hardly anything was killed"
    finish(start(broken, *LOCAL))
    assert not (broken / "results" / "quick" / "set_aside").exists(), "a record was torn"
    pd.testing.assert_frame_equal(table(broken), wanted)


IN_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount", "bash", "-eu", "-c"]
FULL = """
mount -t tmpfs -o size=1500k tmpfs "$1"
head -c "$2" /dev/zero > "$1/filler"
set +e
"$3" "$4" "${@:5}" 2> "$1/../first.err"; echo $? > "$1/../first.rc"
cp -r "$1/results" "$1/../kept" 2> /dev/null
rm "$1/filler"
"$3" "$4" "${@:5}" 2> "$1/../second.err"; echo $? > "$1/../second.rc"
cp -r "$1/results" "$1/../end"
"""
READ_ONLY = """
mount -t tmpfs -o size=20m tmpfs "$1"
set +e
"$3" "$4" "${@:5}" seed=0 2> /dev/null
cp -r "$1/results" "$1/../kept"
mount -o remount,ro "$1"
"$3" "$4" "${@:5}" 2> "$1/../first.err"; echo $? > "$1/../first.rc"
mount -o remount,rw "$1"
"$3" "$4" "${@:5}" 2> "$1/../second.err"; echo $? > "$1/../second.rc"
cp -r "$1/results" "$1/../end"
"""


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(FULL, "No space left on device"), pytest.param(READ_ONLY, "Read-only file system", marks=pytest.mark.slow)],
)
def test_a_disk_that_takes_nothing_stops_the_sweep_with_its_path_and_harms_nothing(
    tmp_path: Path, fault: str, reason: str
) -> None:
    if subprocess.run([*IN_NAMESPACE, "mount -t tmpfs tmpfs /mnt"], capture_output=True, check=False).returncode:
        pytest.skip("this machine gives no mount namespace to mount a small disk in")
    disk = tmp_path / "disk"
    disk.mkdir()
    arguments = [*SWEEP, f"results={disk}/results"]
    done = subprocess.run(
        [*IN_NAMESPACE, fault, "bash", str(disk), "1450000", sys.executable, TRAIN, *arguments],
        text=True, capture_output=True, check=False, timeout=400, env=os.environ | {"DATA_DIR": str(tmp_path / "data")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    last_line = (tmp_path / "first.err").read_text().strip().splitlines()[-1]
    assert (tmp_path / "first.rc").read_text().strip() == "2"
    assert last_line.startswith("error: cannot write")
    assert str(disk) in last_line
    assert reason in last_line
    assert "Traceback" not in (tmp_path / "first.err").read_text()
    assert (tmp_path / "second.rc").read_text().strip() == "0", (tmp_path / "second.err").read_text()
    end = Store(tmp_path / "end" / "quick").refresh().runs()[COLUMNS]
    assert len(end) == 9
    kept = Store(tmp_path / "kept" / "quick").refresh()
    assert len(kept) == 3 if fault is READ_ONLY else len(kept) >= 1
    pd.testing.assert_frame_equal(end.merge(kept.runs()[COLUMNS]), kept.runs()[COLUMNS])


def test_a_run_without_memory_is_recorded_and_the_sweep_goes_on(call: Call, tmp_path: Path) -> None:
    (tmp_path / "greedy.py").write_text(
        "import torch\nfrom torch import nn\nclass Greedy(nn.Identity):\n"
        "    def __init__(self, num_features): super().__init__()\n"
        "    def forward(self, x): torch.empty(2**50); return x\n"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "DATA_DIR": str(tmp_path / "data")}
    done = call(
        "train.py", "-m", "norm=custom", "norm.target=greedy.Greedy,torch.nn.BatchNorm2d", "net.hidden=null", "seed=0",
        "data.train_size=100", "data.validation_size=50", "data.test_size=50", "training.epochs=1", env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    runs = Store(tmp_path / "results" / "quick").refresh().runs().set_index("status")
    assert "out of memory" in runs.loc["missing", "reason"]
    assert len(runs) == 2


class Payload:
    """What unpickling would do: make a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.target,)


def test_pickles_in_weights_and_savepoints_are_not_unpickled(
    make_config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    store, config, target = Store(tmp_path / "store"), make_config(), tmp_path / "pwned"
    record = execute(config, store)
    hostile = io.BytesIO()
    torch.save({"weight": Payload(target)}, hostile)
    for folder in ("weights", "savepoints"):
        (store.root / folder).mkdir(exist_ok=True)
        for content in (hostile.getvalue(), pickle.dumps(Payload(target), protocol=2)):
            (store.root / folder / f"{run_key(config)}.pt").write_bytes(content)
            assert evaluate_run(config, "training_memory", store)
            assert execute(config, store.refresh()).facts["weights_sha256"] == record.facts["weights_sha256"]
    assert not target.exists()


def test_pickles_in_data_files_are_not_unpickled(call: Call, tmp_path: Path) -> None:
    folder, target = tmp_path / "data" / "normlab", tmp_path / "pwned"
    folder.mkdir(parents=True)
    array = np.empty(1, dtype=object)
    array[0] = Payload(target)
    inner = io.BytesIO()
    np.save(inner, array, allow_pickle=True)
    with zipfile.ZipFile(folder / "mnist.npz", "w") as file:
        for name in ("train_images", "train_labels", "test_images", "test_labels"):
            file.writestr(f"{name}.npy", inner.getvalue())
    done = call("train.py", "data=mnist")
    assert done.returncode == 2
    assert "mnist.npz is damaged" in done.stderr
    assert not target.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["data=../../../etc/passwd"],
        ["data.name=../../etc/passwd"],
        ["-m", "experiment=../../outside"],
        ["norm.name=../custom"],
        ["norm=custom", "norm.target=../evil.Norm"],
        ["scale.name=../../outside"],
        ["-m", "scale.name=../../outside", "seed=0"],
        ["data={outside}/evil"],
        ["-m", "data=mnist,{outside}/evil"],
        ["data@data={outside}/evil"],
    ],
)
def test_names_reach_no_file_outside_their_folder(call: Call, tmp_path: Path, arguments: list[str]) -> None:
    up = "../" * len((ROOT / "configs" / "data").parts)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "evil.yaml").write_text((ROOT / "configs" / "data" / "digits.yaml").read_text())
    outside = f"{up}{tmp_path.relative_to('/')}/results"
    done = call("train.py", *(argument.format(outside=outside) for argument in arguments))
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stderr.startswith("error: ")
    assert {file.name for file in tmp_path.iterdir()} <= {"results"}


@pytest.mark.parametrize("sweep", [[], ["-m"]])
def test_yaml_tags_make_no_objects(call: Call, tmp_path: Path, sweep: list[str]) -> None:
    target = tmp_path / "pwned"
    for value in (
        f"!!python/object/apply:pathlib.Path.touch [{target}]",
        f"'!!python/object/apply:os.mkdir [\"{target}\"]'",
    ):
        done = call("train.py", *sweep, "norm=custom", f"norm.target={value}")
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        assert done.stderr.strip().splitlines()[-1].startswith("error: ")
    assert not target.exists()


JUMPING = """
import random, time
real = time.time
time.time = lambda: real() + random.choice([-86400, 0, 86400])
time.time_ns = lambda: int(time.time() * 1e9)
"""


@pytest.mark.slow
def test_two_hosts_with_one_name_other_time_zones_and_jumping_clocks_share_a_store(tmp_path: Path) -> None:
    """Nothing reads a host's name or the wall clock to decide anything."""
    folder, clock = tmp_path / "shared", tmp_path / "clock"
    zones = ("Pacific/Kiritimati", "Pacific/Pago_Pago")
    folder.mkdir()
    clock.mkdir()
    (clock / "sitecustomize.py").write_text(JUMPING)
    sweeps = [
        subprocess.Popen(
            [sys.executable, TRAIN, *SWEEP], cwd=folder, text=True, stderr=subprocess.PIPE,
            env=os.environ | {"DATA_DIR": str(folder / "data"), "TZ": zone, "HOSTNAME": "twin", "PYTHONPATH": str(clock)},
        )
        for zone in zones
    ]  # fmt: skip
    for sweep in sweeps:
        _, errors = sweep.communicate(timeout=300)
        assert sweep.returncode == 0, errors
    finish(start(tmp_path / "alone"))
    pd.testing.assert_frame_equal(table(folder), table(tmp_path / "alone"))
    assert not (folder / "results" / "quick" / "set_aside").exists()
