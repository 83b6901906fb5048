"""From a configuration to its record in the store."""

import json
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from normlab.config import MeasureConfig, RunConfig
from normlab.core.record import Record
from normlab.errors import NormlabError
from normlab.runs.key import run_key, scientific, versions
from normlab.runs.store import Store, other_weights, weights_sha256
from normlab.targets import users_errors_told
from normlab.tasks import Listener, Result, task_of, train


@lru_cache(maxsize=1)
def environment() -> dict[str, Any]:
    """Versions, hardware and commit of this process's machine."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        cpu = next((line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line), cpu)
    folder = Path(__file__).resolve().parent
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=False)
    return {
        "python": platform.python_version(),
        "torch": version("torch"),
        "cpu": cpu,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "git_commit": commit.stdout.strip() or os.environ.get("NORMLAB_COMMIT"),
    }


def row_of(config: RunConfig) -> dict[str, Any]:
    """The columns of runs.parquet that say what a run is."""
    return {
        "data": config.data.name,
        "train_size": config.data.train_size,
        "net": config.net.name,
        "norm": config.norm.name,
        "placement": config.net.placement,
        "batch_size": config.data.batch_size,
        "statistics_batch": config.norm.statistics_batch,
        "optimizer": config.optimizer.name,
        "lr": config.optimizer.lr,
        "norm_momentum": config.norm.momentum,
        "eps": config.norm.eps,
        "init": config.net.init.scheme,
        "seed": config.seed,
    }


def make_record(config: RunConfig, result: Result, seconds: float, experiment: str | None, role: str | None) -> Record:
    """The record of a finished run."""
    facts = {
        "run_key": run_key(config),
        "experiment": experiment,
        "role": role,
        **row_of(config),
        "status": result.status,
        "diverged_step": result.diverged_step,
        "seconds": round(seconds, 3),
        "date": datetime.now(UTC).date().isoformat(),
        **result.measures,
        "weights_sha256": weights_sha256(result.weights),
        "config": json.dumps(scientific(config), sort_keys=True),
        "measured": json.dumps(config.measure.model_dump(), sort_keys=True),
        "versions": json.dumps(versions(config), sort_keys=True),
        "environment": json.dumps(
            environment() | {name: version(name) for name in task_of(config).packages}, sort_keys=True
        ),
    }
    return Record(facts, result.history)


def missing_record(config: RunConfig, reason: str, experiment: str | None, role: str | None) -> Record:
    """The record of a run that could not be done: out of memory, out of time, or its process killed twice."""
    facts = {"run_key": run_key(config), "experiment": experiment, "role": role, **row_of(config)}
    facts |= {"status": "missing", "reason": reason, "config": json.dumps(scientific(config), sort_keys=True)}
    return Record(facts | {"measured": json.dumps(config.measure.model_dump(), sort_keys=True)})


def is_done(store: Store, key: str, config: RunConfig) -> bool:
    """Whether the store holds the run with everything measured that ``config`` asks for."""
    facts = store.facts(key)
    if facts is None:
        return False
    return facts["status"] == "missing" or MeasureConfig(**json.loads(facts["measured"])).covers(config.measure)


def _lacks_memory(error: Exception) -> bool:
    """Whether an error says that memory ran out; on a processor PyTorch says so in the text of a RuntimeError alone."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


def pretrained_weights(config: RunConfig, store: Store, experiment: str | None) -> dict[str, Tensor] | None:
    """The weights that a run starts from; the first run that needs them trains them, the others wait and read them.

    Raises:
        MemoryError: if the pre-training ran out of memory.
    """
    before = config.pretraining
    if before is None:
        return None
    key = run_key(before)
    with store.exclusive(key):
        weights = store.weights(key) or store.weights_again(key)
        if weights is None:
            execute(before, store, experiment, "source")
            weights = store.weights(key) or store.weights_again(key)
    if weights is None:
        raise MemoryError(f"in its pre-training, run {key}")
    return weights


def execute(
    config: RunConfig,
    store: Store,
    experiment: str | None = None,
    role: str | None = None,
    listener: Listener | None = None,
) -> Record:
    """Train, record and keep the weights. Out of memory is recorded as ``missing``; other errors are the caller's.

    A run that the store holds already is replayed: it keeps its experiment and role, measures what it had measured
    besides what is asked for now, and should keep its weights. Its record stays if the replay runs out of memory; and if it holds all that
    is asked for and the replay ends in other weights, as on another processor, which are then kept beside those of the record.

    Raises:
        NormlabError: for a replay that ran out of memory.
    """
    earlier = store.facts(run_key(config)) or {}
    experiment, role = earlier.get("experiment") or experiment, earlier.get("role") or role
    whole = is_done(store, run_key(config), config)
    if "measured" in earlier:
        measured = MeasureConfig(**json.loads(earlier["measured"]))
        config = config.model_copy(update={"measure": config.measure.joined(measured)})
    try:
        pretrained = pretrained_weights(config, store, experiment)
        started = time.perf_counter()
        with users_errors_told(config.targets, passing=_lacks_memory):
            result = train(config, listener, pretrained, store.savepoint(run_key(config)))
    except (MemoryError, RuntimeError) as error:
        if not _lacks_memory(error):
            raise
        reason = f"out of memory: {error}"[:200]
        if earlier and earlier["status"] != "missing":
            raise NormlabError(f"run {run_key(config)} could not be done again: {reason}") from error
        record = missing_record(config, reason, experiment, role)
    else:
        record = make_record(config, result, time.perf_counter() - started, experiment, role)
        if pretrained is not None:
            record.facts["source_weights_sha256"] = weights_sha256(dict(pretrained))
        store.put_weights(record.facts["run_key"], result.weights)
    if whole and other_weights(earlier, record.facts):
        print(
            f"note: run {run_key(config)}, trained again, ended in other weights than those of its record, which stays",
            file=sys.stderr,
        )
        record = Record(
            earlier,
            [
                {str(name): value for name, value in row.items()}
                for row in store.history(run_key(config)).to_dict("records")
            ],
        )
    else:
        store.put(record)
    store.savepoint(record.facts["run_key"]).remove()
    return record
