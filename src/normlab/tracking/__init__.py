"""Trackers: they hear of runs through a queue, and are never in the loop's way."""

from typing import Any

from normlab.errors import NormlabError
from normlab.tracking.tracker import NoTracker, Tracker


def make_tracker(config: dict[str, Any]) -> Tracker:
    """The tracker of a ``tracker`` configuration.

    Raises:
        NormlabError: for an unknown name.
    """
    match config["name"]:
        case "none":
            return NoTracker()
        case "wandb":
            from normlab.tracking.wandb import WandbTracker

            return WandbTracker(config["project"], config["entity"])
    raise NormlabError(f"unknown tracker {config['name']!r}; there are none, wandb")
