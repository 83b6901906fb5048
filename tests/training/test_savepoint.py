"""A training that is stopped at any step and goes on ends with the same bits as one that never stopped."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from normlab.config import RunConfig
from normlab.core.record import write_atomically
from normlab.norms import METHODS
from normlab.runs.execute import weights_sha256
from normlab.runs.store import Store
from normlab.tasks import Result, train
from normlab.training.savepoint import Savepoint

ROOT = Path(__file__).resolve().parents[2]


class StoppedError(Exception):
    pass


class StopsAt(Savepoint):
    """Saves at every step, and stops the training right after one of them."""

    def __init__(self, file: Path, step: int | None) -> None:
        super().__init__(file, write_atomically, every=0.0)
        self.step = step

    @property
    def due(self) -> bool:
        return self.step is not None

    def load(self, measured: str) -> dict[str, Any] | None:
        self.went_on = super().load(measured)
        return self.went_on

    def save(self, state: dict[str, Any]) -> None:
        if state["step"] == self.step:
            super().save(state)
            raise StoppedError


def same(one: Result, other: Result) -> None:
    assert weights_sha256(one.weights) == weights_sha256(other.weights)
    assert one.history == other.history
    drop = {"train_seconds"}
    assert {k: v for k, v in one.measures.items() if k not in drop} == {
        k: v for k, v in other.measures.items() if k not in drop
    }


def interrupted(config: RunConfig, file: Path, steps: list[int]) -> Result:
    for step in steps:
        with pytest.raises(StoppedError):
            train(config, savepoint=StopsAt(file, step))
    last = StopsAt(file, None)
    result = train(config, savepoint=last)
    assert last.went_on is not None
    assert last.went_on["step"] == steps[-1]
    return result


@pytest.mark.parametrize("norm", [name for name in METHODS if name not in ("custom", "sync")])
def test_every_norm_goes_on_bit_by_bit(make_config: Callable[..., RunConfig], tmp_path: Path, norm: str) -> None:
    config = make_config(
        norm=norm, schedule="cosine", **{"training.epochs": 3, "measure.probe_loss": True, "optimizer.lr": 0.001}
    )
    steps = sorted(random.Random(norm).sample(range(1, 15), 2))
    same(interrupted(config, tmp_path / "a.pt", steps), train(config))


@pytest.mark.parametrize(
    "overrides",
    [
        {"optimizer": "adam", "schedule": "one_cycle"},
        {"optimizer": "rmsprop"},
        {"net.dropout": 0.5, "data.augment": "crop"},
        {"net.disturbance": 0.5, "data.augment": "flip_crop"},
        {"norm": "weight", "norm.data_init": True},
        {"training.accumulate": 2, "norm.statistics_batch": 5},
        {"measure.phases": [[0.0, 0.5], [0.4, 0.99]], "training.clip_norm": 0.1},
        {"data.shift": {"start": 0.5, "scale": 0.5, "offset": 1.0}, "measure.train_set": True},
        {"training.stop": {"measure": "train_loss", "at": 2.25, "every": 3}},
    ],
)
def test_everything_else_that_a_step_changes_goes_on_too(
    make_config: Callable[..., RunConfig], tmp_path: Path, overrides: dict[str, Any]
) -> None:
    config = make_config({"training.epochs": 4} | overrides)
    whole = train(config)
    last = int(whole.measures["steps"])
    steps = sorted(random.Random(str(overrides)).sample(range(1, last), 2))
    same(interrupted(config, tmp_path / "a.pt", steps), whole)


def test_a_damaged_or_foreign_state_starts_anew(
    make_config: Callable[..., RunConfig], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, file = make_config(), tmp_path / "a.pt"
    with pytest.raises(StoppedError):
        train(config, savepoint=StopsAt(file, 3))
    content = file.read_bytes()
    whole = train(config)
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    for damaged in (content[: len(content) // 2], bytes(flipped), b"", b"not a state"):
        file.write_bytes(damaged)
        same(train(config, savepoint=StopsAt(file, None)), whole)
        assert "is damaged" in capsys.readouterr().err
    Savepoint(file, write_atomically).save({"other": 1})
    same(train(config, savepoint=StopsAt(file, None)), whole)
    file.write_bytes(content)
    finer = make_config(**{"measure.validate_every": 0.5})
    same(train(finer, savepoint=StopsAt(file, None)), train(finer))


def test_short_runs_never_touch_the_disk(make_config: Callable[..., RunConfig], tmp_path: Path) -> None:
    train(make_config(), savepoint=Store(tmp_path).savepoint("key"))
    assert not list(tmp_path.iterdir())


KILLED = """
import sys
from pathlib import Path
from normlab.runs.execute import execute
from normlab.runs.store import Store
from normlab.sweeps.compose import Composer
from normlab.training import savepoint
savepoint.Savepoint.__init__.__defaults__ = (0.0,)  # save at every step
config = Composer()({"data": "digits", "data.train_size": 200, "data.batch_size": 20, "net.widths": [8], "training.epochs": 40})
execute(config, Store(Path(sys.argv[1])))
"""


def test_a_run_that_is_killed_for_real_goes_on(tmp_path: Path) -> None:
    def start(folder: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", KILLED, str(tmp_path / folder)]
        return subprocess.Popen(command, cwd=ROOT, text=True)

    assert start("whole").wait(timeout=300) == 0
    waits = random.Random(0)
    for _ in range(2):
        process = start("broken")
        until = time.monotonic() + 120
        while not list((tmp_path / "broken" / "savepoints").glob("*.pt")) and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(waits.uniform(0, 0.3))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert not list((tmp_path / "broken" / "runs").glob("*.parquet"))
    assert start("broken").wait(timeout=300) == 0
    assert not list((tmp_path / "broken" / "savepoints").glob("*.pt"))
    columns = ["run_key", "status", "test_accuracy", "train_loss", "weights_sha256"]
    whole, broken = (Store(tmp_path / name).refresh().runs()[columns] for name in ("whole", "broken"))
    assert whole.to_dict() == broken.to_dict()
