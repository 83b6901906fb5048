"""The Ray launcher of normlab: runs as Ray tasks on any number of nodes, with or without a folder that they share."""

import os
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

MOST_CRASHES = 3  # of a task with a single run, after which that run is recorded as missing


@dataclass
class RayLauncherConf:
    """``hydra/launcher=ray``: at most ``n_jobs`` tasks at a time, each with ``num_cpus`` and ``num_gpus`` (fractions may be)
    of a node; ``address`` of a cluster, or null for one on this machine; a task whose node dies is done again elsewhere, up
    to ``max_retries`` times.
    """

    _target_: str = "hydra_plugins.normlab_ray_launcher.RayLauncher"
    address: str | None = None
    n_jobs: int = 4
    num_cpus: float = 1.0
    num_gpus: float = 0.0
    max_retries: int = 5


ConfigStore.instance().store(group="hydra/launcher", name="ray", node=RayLauncherConf, provider="normlab")


class RayLauncher(Launcher):
    """Sends the runs of a sweep's plan out in chunks and writes what comes back into the store.

    The process that launches claims a chunk's runs before they go out, so that two sweeps do no run twice; workers need
    no store, only an installed normlab and the data. A worker process does chunk after chunk.
    """

    def __init__(self, address: str | None, n_jobs: int, num_cpus: float, num_gpus: float, max_retries: int) -> None:
        self.address = address
        self.n_jobs = n_jobs
        self.resources = {"num_cpus": num_cpus, "num_gpus": num_gpus, "max_retries": max_retries}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Nothing of Hydra's is needed: a worker of a sweep does what its plan says."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        plans = [o.removeprefix("sweep.plan=") for job in job_overrides for o in job if o.startswith("sweep.plan=")]
        self._distribute(Path(plans[0]))
        done = JobReturn(_return_value=None, status=JobStatus.COMPLETED)
        return [done for _ in job_overrides]

    def _distribute(self, plan: Path) -> None:
        from normlab.runs.store import Store
        from normlab.sweeps.apart import chunk_content, chunks, do_apart, take_in
        from normlab.sweeps.plan import read_plan

        ray = _ray(self.address)
        items, tracker, time_limit = read_plan(plan)
        store = Store(plan.parent.parent)
        waiting = chunks(items, self.n_jobs)
        task = ray.remote(**self.resources)(do_apart)
        out: dict[Any, tuple[list[Any], ExitStack]] = {}
        crashes: dict[str, int] = {}
        try:
            while waiting or out:
                while waiting and len(out) < self.n_jobs:
                    claims = ExitStack()
                    mine = [item for item in waiting.pop(0) if _claimed(store, item.run_key, claims)]
                    if mine:
                        out[task.remote(chunk_content(mine, tracker, time_limit))] = mine, claims
                if not out:
                    continue
                (finished, *_), _ = ray.wait(list(out), num_returns=1)
                chunk, claims = out.pop(finished)
                with claims:
                    try:
                        take_in(plan, ray.get(finished))
                    except ray.exceptions.RayTaskError:
                        raise  # an error of our own code: a failing run is noted, not raised
                    except ray.exceptions.RayError as error:
                        waiting += _after_crash(chunk, crashes, store, error)
        finally:
            for reference, (_, claims) in out.items():
                ray.cancel(reference, force=True)
                claims.close()


def _claimed(store: Any, run_key: str, claims: ExitStack) -> bool:
    """Whether the run is ours to do; then its claim is kept in ``claims``."""
    claim = store.claim(run_key)
    if claim is None:
        return False
    claims.enter_context(claim)
    return True


def _after_crash(chunk: list[Any], crashes: dict[str, int], store: Any, error: Exception) -> list[list[Any]]:
    """What is to be done again of a chunk whose worker died for good: each run by itself, until it is clear which one kills."""
    from normlab.errors import first_line
    from normlab.runs.execute import missing_record

    if len(chunk) > 1:
        return [[item] for item in chunk]
    (item,) = chunk
    crashes[item.run_key] = crashes.get(item.run_key, 0) + 1
    if crashes[item.run_key] < MOST_CRASHES:
        return [[item]]
    print(f"warning: run {item.run_key} killed its worker ({first_line(error)[:120]})", file=sys.stderr)
    store.put(missing_record(item.config, f"its process was killed {MOST_CRASHES} times", item.experiment, item.role))
    return []


def _ray(address: str | None) -> Any:
    """Ray, connected. Nodes get this process's search path for modules (a user's own norm) and its folder of data."""
    from normlab.errors import NormlabError

    try:
        import ray
    except ImportError:
        raise NormlabError("the launcher ray needs Ray: pip install 'normlab[ray]'") from None
    if not ray.is_initialized():
        _listens(address)
        passed_on = {name: os.environ[name] for name in ("PYTHONPATH", "DATA_DIR") if name in os.environ}
        if "DATA_DIR" in passed_on:
            passed_on["DATA_DIR"] = str(Path(passed_on["DATA_DIR"]).resolve())
        else:
            passed_on["DATA_DIR"] = str(Path("data").resolve())
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        try:
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level="error",
                include_dashboard=None if address else False,
                runtime_env={"env_vars": passed_on},
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise NormlabError(f"cannot reach a Ray cluster at {address or 'this machine'}: {error}") from error
    return ray


def _listens(address: str | None) -> None:
    """Ask whether anything listens at host:port; Ray itself would go on asking for minutes."""
    from normlab.errors import NormlabError

    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():  # null, or a name that Ray understands, such as "auto"
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise NormlabError(f"cannot reach a Ray cluster at {address}: {error.strerror or error}") from error
