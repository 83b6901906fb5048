"""A run's key: a hash of everything that decides its result, and of nothing else."""

import hashlib
import json
from typing import Any

import torch

from normlab.config import RunConfig
from normlab.norms import norm_version
from normlab.tasks import task_of
from normlab.training.loop import LOOP_VERSION


def scientific(config: RunConfig) -> dict[str, Any]:
    """The configuration without what is measured on the way and without defaults, the device by its class."""
    values = config.model_dump(mode="json", exclude={"measure": True, "numerics": {"threads"}}, exclude_defaults=True)
    values["numerics"] = values.get("numerics", {}) | {"device": device_class(config)}
    return values


def device_class(config: RunConfig) -> str:
    """``cpu`` or ``cuda``: what is asked for, whether or not it is here; for ``auto``, what is here."""
    wanted = config.numerics.device
    return wanted if wanted != "auto" else "cuda" if torch.cuda.is_available() else "cpu"


def versions(config: RunConfig) -> dict[str, str]:
    """The version of each component that the run uses."""
    task = task_of(config)
    return {
        "loop": str(LOOP_VERSION),
        "data": str(task.data_version(config.data)),
        "net": task.net_version(config.net),
        "norm": norm_version(config.norm),
        **({"source_data": str(task.data_version(config.source.data))} if config.source else {}),
    }


def run_key(config: RunConfig) -> str:
    """20 hexadecimal digits that two configurations share exactly when they mean the same run."""
    content = json.dumps({"config": scientific(config), "versions": versions(config)}, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:20]
