"""Sweeps as Slurm job arrays on a real Slurm of two nodes on this machine, one of which is killed in mid-sweep."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from normlab.runs.store import Store
from tests.cluster.slurm import Slurm, UnavailableError, fetch
from tests.cluster.sweep import SWEEP, TRAIN, table

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("default")]
pytest.importorskip("submitit", reason="needs hydra-submitit-launcher: pip install 'normlab[slurm]'")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    folder = tmp_path_factory.mktemp("slurm")
    try:
        fetch(folder / "root")
    except UnavailableError as reason:
        pytest.skip(str(reason))
    made = Slurm(folder / "root", folder / "run")
    made.start()
    yield made
    made.stop()


def test_a_killed_node_costs_no_run(slurm: Slurm, tmp_path: Path) -> None:
    """Two array jobs take all runs; one of them dies with its node, and the other and its second try do the rest."""

    def start(name: str, *arguments: str) -> subprocess.Popen[str]:
        (tmp_path / name).mkdir()
        command = [sys.executable, TRAIN, *SWEEP, *arguments]
        environment = slurm.environment | {"DATA_DIR": str(tmp_path / "data")}
        return subprocess.Popen(command, cwd=tmp_path / name, text=True, stderr=subprocess.PIPE, env=environment)

    alone = start("alone")
    alone.communicate(timeout=300)
    assert alone.returncode == 0
    sweep = start("slurm", "hydra/launcher=submitit_slurm", "sweep.workers=2", "hydra.launcher.array_parallelism=2")
    runs = tmp_path / "slurm" / "results" / "quick" / "runs"
    until = time.monotonic() + 120
    while not list(runs.glob("*.parquet")) and time.monotonic() < until:
        time.sleep(0.1)
    slurm.kill_node(2)
    time.sleep(12)  # until the controller has seen it
    slurm.start_node(2)
    _, errors = sweep.communicate(timeout=400)
    assert sweep.returncode == 0, errors
    pd.testing.assert_frame_equal(table(tmp_path / "slurm"), table(tmp_path / "alone"))
    assert not Store(tmp_path / "slurm" / "results" / "quick").running()
