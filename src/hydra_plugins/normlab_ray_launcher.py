"""The Ray launcher of normlab: runs as Ray tasks on any number of nodes, with or without a folder that they share."""

import os
import socket
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class RayLauncherConf:
    """``hydra/launcher=ray``: at most ``n_jobs`` tasks at a time, each with ``num_cpus`` and ``num_gpus`` (fractions may be)
    of a node; ``address`` of a cluster, or null for one on this machine; a run whose worker or node dies is done again
    elsewhere, up to ``max_retries`` times, and then recorded as missing.
    """

    _target_: str = "hydra_plugins.normlab_ray_launcher.RayLauncher"
    address: str | None = None
    n_jobs: int = 4
    num_cpus: float = 1.0
    num_gpus: float = 0.0
    max_retries: int = 3


ConfigStore.instance().store(group="hydra/launcher", name="ray", node=RayLauncherConf, provider="normlab")


class RayLauncher(Launcher):
    """Sends the runs of a sweep's plan out in chunks and writes what comes back into the store.

    The process that launches takes the leases of a chunk's runs before they go out, so that two sweeps do no run twice; workers need
    no store, only an installed normlab and the data. A worker process does chunk after chunk.
    """

    def __init__(self, address: str | None, n_jobs: int, num_cpus: float, num_gpus: float, max_retries: int) -> None:
        self.address = address
        self.n_jobs = n_jobs
        self.max_retries = max_retries
        self.resources = {"num_cpus": num_cpus, "num_gpus": num_gpus}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Nothing of Hydra's is needed: a worker of a sweep does what its plan says."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        parsed = OverridesParser.create().parse_overrides(list(job_overrides[0]))
        self._distribute(Path(next(str(o.value()) for o in parsed if o.key_or_group == "sweep.plan")))
        done = JobReturn(_return_value=None, status=JobStatus.COMPLETED)
        return [done for _ in job_overrides]

    def _distribute(self, plan: Path) -> None:
        from normlab.runs.store import Store
        from normlab.sweeps.plan import read_plan
        from normlab.sweeps.remote import chunk_content, chunks, do_apart, take_in

        ray = _ray(self.address)
        items, tracker, time_limit = read_plan(plan)
        store = Store(plan.parent.parent).refresh()
        waiting = chunks(items, self.n_jobs)
        task = ray.remote(num_returns="streaming", max_retries=0, **self.resources)(do_apart)
        out: dict[Any, Chunk] = {}
        crashes: Counter[str] = Counter()
        try:
            while waiting or out:
                while waiting and len(out) < self.n_jobs:
                    chunk = Chunk.claimed(waiting.pop(0), store)
                    if chunk.left:
                        out[task.remote(chunk_content(list(chunk.left.values()), tracker, time_limit))] = chunk
                if not out:
                    continue
                (stream, *_), _ = ray.wait(list(out), num_returns=1)
                chunk = out[stream]
                try:
                    files = ray.get(next(stream))
                except StopIteration:
                    out.pop(stream).release()
                except ray.exceptions.RayTaskError:
                    raise  # an error of our own code: a failing run is noted, not raised
                except ray.exceptions.RayError as error:
                    waiting += self._after_crash(list(chunk.left.values()), crashes, error, store, plan)
                    out.pop(stream).release()
                else:
                    take_in(plan, files, items, store)
                    chunk.release_first()
        finally:
            for stream, chunk in out.items():
                ray.cancel(stream, force=True)
                chunk.release()

    def _after_crash(
        self, left: list[Any], crashes: Counter[str], error: Exception, store: Any, plan: Path
    ) -> list[list[Any]]:
        """What is to be done again of what was left: the run that was at work, which is the first, by itself, and the others."""
        from normlab.errors import first_line
        from normlab.sweeps.work import give_up

        again = [items for items in (left[:1], left[1:]) if items]
        if left:
            killed = left[0]
            crashes[killed.run_key] += 1
            if crashes[killed.run_key] > self.max_retries:
                print(f"warning: run {killed.run_key} killed its worker ({first_line(error)[:120]})", file=sys.stderr)
                give_up(killed, store, plan, f"killed its worker {crashes[killed.run_key]} times")
                del again[0]
        return again


@dataclass
class Chunk:
    """Runs that are out on a worker, in their order, and the leases on them that this process holds meanwhile."""

    left: dict[str, Any]
    leases: dict[str, Any]

    @classmethod
    def claimed(cls, items: Sequence[Any], store: Any) -> "Chunk":
        """Those of ``items`` that no other process has."""
        leases = {item.run_key: lease for item in items if (lease := store.lease(item.run_key)) is not None}
        return cls({item.run_key: item for item in items if item.run_key in leases}, leases)

    def release_first(self) -> None:
        """The first run that was left is settled."""
        key = next(iter(self.left))
        del self.left[key]
        self.leases.pop(key).release()

    def release(self) -> None:
        """Let others have what is left."""
        for lease in self.leases.values():
            lease.release()


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
