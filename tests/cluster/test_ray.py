"""The Ray launcher on a real cluster of three nodes on this machine, one of which is killed in mid-sweep."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from normlab.runs.store import Store
from tests.cluster.sweep import SWEEP, TRAIN, table

# Ray's own test cluster leaves pipes open in this process, which is not the one under test.
pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("default")]
ray = pytest.importorskip("ray", reason="needs Ray: pip install 'normlab[ray]'")


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A head without processors and two nodes of one, each with processes of its own."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    quick = {
        "health_check_initial_delay_ms": 0,
        "health_check_period_ms": 500,
        "health_check_failure_threshold": 3,
    }
    memory = 10**8
    head = {"num_cpus": 0, "object_store_memory": memory, "include_dashboard": False, "_system_config": quick}
    made = Cluster(initialize_head=True, head_node_args=head)
    made.nodes = [made.add_node(num_cpus=1, object_store_memory=memory) for _ in range(2)]
    made.wait_for_nodes()
    yield made
    made.shutdown()


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    folder.mkdir()
    return subprocess.Popen(
        [sys.executable, TRAIN, *SWEEP, *arguments],
        cwd=folder,
        text=True,
        stderr=subprocess.PIPE,
        env=os.environ | {"DATA_DIR": str(folder / "data")},
    )


def test_a_killed_node_costs_no_run(cluster: Any, tmp_path: Path) -> None:
    """At the end every run is there exactly once, bit for bit that of a sweep in one process."""
    alone = start(tmp_path / "alone")
    assert alone.wait(timeout=300) == 0
    sweep = start(
        tmp_path / "ray", "hydra/launcher=ray", "hydra.launcher.n_jobs=2", f"hydra.launcher.address={cluster.address}"
    )
    until = time.monotonic() + 120
    while not list((tmp_path / "ray" / "results" / "quick" / "runs").glob("*.parquet")) and time.monotonic() < until:
        time.sleep(0.05)
    cluster.remove_node(cluster.nodes[0], allow_graceful=False)
    _, errors = sweep.communicate(timeout=300)
    assert sweep.returncode == 0, errors
    pd.testing.assert_frame_equal(table(tmp_path / "ray"), table(tmp_path / "alone"))
    store = Store(tmp_path / "ray" / "results" / "quick").refresh()
    assert all(store.evaluation(key, "training_memory") for key in store.runs()["run_key"])
    assert not store.running()


def test_a_cluster_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    sweep = start(tmp_path / "nowhere", "hydra/launcher=ray", "hydra.launcher.address=127.0.0.1:1")
    _, errors = sweep.communicate(timeout=120)
    assert sweep.returncode != 0
    assert "cannot reach a Ray cluster at 127.0.0.1:1" in errors
    assert "Traceback" not in errors


KILLS = """
import os, signal
from torch import nn
class Kills(nn.Identity):
    def __init__(self, num_features): super().__init__()
    def forward(self, x): os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_run_that_kills_its_worker_is_given_up_and_its_neighbours_are_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "killing.py").write_text(KILLS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    sweep = start(
        tmp_path / "it's here", "norm=custom", "norm.target=killing.Kills,torch.nn.BatchNorm2d", "net.hidden=null", "seed=0,1",
        "training.epochs=1", "hydra/launcher=ray", "hydra.launcher.n_jobs=1", "hydra.launcher.max_retries=1",
    )  # fmt: skip
    _, errors = sweep.communicate(timeout=300)
    assert sweep.returncode == 0, errors
    runs = Store(tmp_path / "it's here" / "results" / "quick").refresh().runs()
    missing = runs["status"] == "missing"
    assert set(runs[missing]["reason"]) == {"killed its worker 2 times"}
    assert (sorted(runs[missing]["seed"]), sorted(runs[~missing]["seed"])) == ([0, 1], [0, 1])
