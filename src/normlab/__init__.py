"""normlab: normalization methods for neural nets on trial.

In a notebook: ``normlab.train({"norm": "group", "optimizer.lr": 0.1})`` trains one net, ``normlab.load_results("cpu")`` gives the
runs of a store as a table, ``normlab.trial(MyNorm, minutes=3)`` puts a norm of one's own on trial, and ``normlab.norms`` has every method
as a module.
"""

import importlib
from typing import Any

__all__ = ["load_results", "norms", "train", "trial"]


def __getattr__(name: str) -> Any:
    """What a notebook needs, imported when it is asked for: ``import normlab`` alone takes no time."""
    if name == "norms":
        return importlib.import_module("normlab.norms")
    if name in ("train", "load_results"):
        return getattr(importlib.import_module("normlab.notebook"), name)
    if name == "trial":
        return importlib.import_module("normlab.trials.trial").trial
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
